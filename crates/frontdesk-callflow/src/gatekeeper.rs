//! Step 6: the template gatekeeper. Tier 1 by rules, tier 2 by meaning; tier 3 says why it is not asked.

use frontdesk_domain::{
    call_state::Choosable,
    confidence::Confidence,
    decision::{SkipReason, Step, Tier},
};
use frontdesk_matching::knowledge::Source;

use crate::{
    answer::Answer,
    company::Tenant,
    flow::CallFlow,
    meaning,
    rules::{Asked, Verdict},
    settings,
    trace::Trace,
    turn::Turn,
};

/// That no step answered, and how close they came.
#[derive(Debug, Clone)]
pub(crate) struct Miss {
    /// A step failed.
    pub(crate) failed: bool,
    /// A candidate was near its threshold.
    pub(crate) near: bool,
    /// The confidence of the best candidate.
    pub(crate) best: Confidence,
    /// Two close candidates that nothing decided between.
    pub(crate) close: Option<Vec<Choosable>>,
}

impl Default for Miss {
    fn default() -> Self {
        Self {
            failed: false,
            near: false,
            best: Confidence::NONE,
            close: None,
        }
    }
}

impl Miss {
    /// Notes the nearest candidate of a source with its threshold.
    pub(crate) fn note(&mut self, nearest: Option<(Confidence, Confidence)>) {
        let Some((confidence, threshold)) = nearest else { return };
        self.near |= confidence.get() >= threshold.get() - settings::NEAR;
        if confidence > self.best {
            self.best = confidence;
        }
    }
}

/// The answer of a template by rules; else of any source by meaning.
pub(crate) async fn answer(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &Asked<'_>,
    mut miss: Miss,
    trace: &mut Trace,
) -> Result<Answer, Miss> {
    match asked.best(Source::Template, trace) {
        Verdict::Answer(answer) => return Ok(answer),
        Verdict::Below(nearest) => miss.note(nearest),
    }
    if let Some(answer) = meaning::ladder::answer(flow, tenant, turn, asked, &mut miss, trace).await {
        return Ok(answer);
    }
    skip_tier_3(tenant, turn, trace);
    if miss.near {
        miss.close = asked.two_close();
    }
    Err(miss)
}

/// Says why the LLM is not asked.
pub(crate) fn skip_tier_3(tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) {
    let gatekeeper = &tenant.settings.company.gatekeeper;
    let reason = if !gatekeeper.enabled || !gatekeeper.llm_enabled {
        SkipReason::Disabled
    } else if turn.normalized().is_empty() {
        SkipReason::NoWords
    } else if turn.dry_run {
        SkipReason::DryRun
    } else {
        SkipReason::NotBuilt
    };
    trace.skipped(Step::Llm, Some(Tier::Llm), reason);
}
