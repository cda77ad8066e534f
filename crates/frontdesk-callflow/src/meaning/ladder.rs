//! The ladder by meaning, where rules left the utterance open: dangers, company Q&A, trade Q&A, templates.

use frontdesk_domain::{
    alert::Stage,
    decision::{SkipReason, Step, StepOutcome, Tier},
};
use frontdesk_matching::knowledge::Source;

use super::{MeaningFindings, NotAsked};
use crate::{
    answer::Answer,
    company::Tenant,
    flow::CallFlow,
    gatekeeper::Miss,
    rules::{RuleFindings, Verdict, step},
    safety,
    trace::{Found, Trace},
    turn::Turn,
};

/// The answer of the first source that is sure enough of what the utterance means; else what it may mean.
pub(crate) async fn answer(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &RuleFindings<'_>,
    miss: &mut Miss,
    trace: &mut Trace,
) -> Result<Answer, Option<MeaningFindings>> {
    let meaning = match flow.meanings().ask(tenant, turn.utterance(), turn.normalized()).await {
        Ok(meaning) => meaning,
        Err(why) => {
            not_asked(flow, tenant, turn, why, miss, trace);
            return Err(None);
        }
    };
    if let Some(danger) = &meaning.danger
        && let Some(answer) = safety::answer_by_meaning(tenant, turn, danger, trace)
    {
        return Ok(answer);
    }
    by_source(tenant, asked, &meaning, miss, trace).ok_or(Some(meaning))
}

fn by_source(
    tenant: &Tenant,
    asked: &RuleFindings<'_>,
    meaning: &MeaningFindings,
    miss: &mut Miss,
    trace: &mut Trace,
) -> Option<Answer> {
    for source in Source::ALL {
        if source == Source::Template && !tenant.settings.company.gatekeeper.enabled {
            trace.skipped(Step::Tier2, Some(Tier::Semantic), SkipReason::Disabled);
            continue;
        }
        match asked.best_meant(meaning, source, trace) {
            Verdict::Answer(answer) => return Some(answer),
            Verdict::Below(nearest) => miss.note(nearest),
        }
    }
    None
}

/// Notes why meaning was not asked. Who was not heard out in time is not told that nothing was found.
fn not_asked(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, why: NotAsked, miss: &mut Miss, trace: &mut Trace) {
    match why {
        NotAsked::Skipped(reason) => {
            miss.failed |= matches!(reason, SkipReason::Busy | SkipReason::Deadline);
            let is_enabled = tenant.settings.company.gatekeeper.enabled;
            let reason = if is_enabled { reason } else { SkipReason::Disabled };
            trace.skipped(Step::Tier2, Some(Tier::Semantic), reason);
        }
        NotAsked::Failed => {
            miss.failed = true;
            flow.report_failure(tenant.id(), &turn.call, Stage::Tier2);
            let found = Found {
                tier: Some(Tier::Semantic),
                ..Found::default()
            };
            trace.asked(step(Source::Template, Tier::Semantic), StepOutcome::Error, found);
        }
    }
}
