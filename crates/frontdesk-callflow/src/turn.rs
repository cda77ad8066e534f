//! A turn: what comes in, the steps in their order, the decision that comes out.

use std::{sync::Arc, time::Instant};

use frontdesk_domain::{
    call_state::CallState,
    decision::{Decision, Matcher, Step, StepOutcome, Tier},
    ids::{CallId, TurnId},
    money::PicoUsd,
    time::Timestamp,
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    conversation, fallback,
    flow::CallFlow,
    gatekeeper::{self, Miss},
    priority,
    rules::{Asked, RulesFailed},
    safety, status,
    trace::{Found, Trace},
};

/// What a caller did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'t> {
    /// They spoke: their words, redacted, and the normal form of these.
    Words {
        /// As the recogniser wrote them, redacted.
        utterance: &'t str,
        /// What is compared.
        normalized: &'t str,
    },
    /// The call begins.
    NothingYet,
    /// They said nothing, or pressed keys that nothing asked for.
    Silence,
}

/// One turn of a call.
#[derive(Debug, Clone)]
pub struct Turn<'t> {
    /// Which call.
    pub call: CallId,
    /// Which turn: the same webhook has the same id, however often it comes.
    pub id: TurnId,
    /// When it arrived.
    pub arrived: Timestamp,
    /// What the caller did.
    pub said: Said<'t>,
    /// What the call remembers.
    pub state: &'t CallState,
    /// A dry run spends and records nothing.
    pub dry_run: bool,
}

impl Turn<'_> {
    /// The normal form of what was said; empty if nothing was.
    pub(crate) const fn normalized(&self) -> &str {
        match self.said {
            Said::Words { normalized, .. } => normalized,
            Said::NothingYet | Said::Silence => "",
        }
    }

    /// What was said, redacted; empty if nothing was.
    pub(crate) const fn utterance(&self) -> &str {
        match self.said {
            Said::Words { utterance, .. } => utterance,
            Said::NothingYet | Said::Silence => "",
        }
    }
}

/// A decided turn: what operators see of it, and what only the next turn needs.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) by: AnsweredBy,
    /// The number that the rotation of fallbacks gave.
    pub(crate) rotation: Option<u64>,
    /// The variation of the fallback that is spoken.
    pub(crate) variation: Option<usize>,
}

/// Answers one turn of a call: steps 3 to 7 of DESIGN section 1, in order. Never fails.
pub(crate) async fn handle_turn(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Decided {
    let started = Instant::now();
    let mut trace = Trace::new();
    let known = safety::answer(
        &tenant.platform,
        Some(tenant),
        turn.normalized(),
        turn.arrived,
        &mut trace,
    )
    .or_else(|| status::answer(tenant, &mut trace))
    .or_else(|| conversation::answer(tenant, turn, &mut trace));
    let answer = match known {
        Some(answer) => answer,
        None => match look_up(flow, tenant, turn, &mut trace) {
            Ok(answer) => answer,
            Err(miss) => fallback::choose(flow, tenant, turn, miss, &mut trace).await,
        },
    };
    decided(tenant, turn, answer, trace, started)
}

/// Looks the utterance up: what equals it, company Q&A, trade Q&A, templates.
fn look_up(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Result<Answer, Miss> {
    let answered = Asked::ask(tenant, turn).and_then(|asked| match asked.equal(trace) {
        Some(answer) => Ok(Ok(answer)),
        None => asked.without_equal().map(Err),
    });
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(asked)) => {
            let miss = match priority::answer(&asked, trace) {
                Ok(answer) => return Ok(answer),
                Err(miss) => miss,
            };
            gatekeeper::answer(tenant, turn, &asked, miss, trace)
        }
        Err(RulesFailed) => {
            flow.report_failure(tenant.id(), &turn.call, frontdesk_domain::alert::Stage::Tier1);
            let found = Found {
                tier: Some(Tier::Rules),
                ..Found::default()
            };
            trace.asked(Step::Tier1, StepOutcome::Error, found);
            gatekeeper::skip_tiers_2_and_3(tenant, turn, trace);
            Err(Miss {
                failed: true,
                ..Miss::default()
            })
        }
    }
}

fn decided(tenant: &Tenant, turn: &Turn<'_>, answer: Answer, trace: Trace, started: Instant) -> Decided {
    let by = answer.by;
    let decision = Decision {
        company_id: tenant.id(),
        utterance: turn.utterance().into(),
        normalized: turn.normalized().into(),
        source: by.source(),
        tier: answer.tier,
        confidence: answer.confidence,
        threshold: answer.threshold,
        scenario_id: by.scenario().cloned(),
        qna_id: by.qna().cloned(),
        safety_id: by.safety().cloned(),
        response: answer.response,
        action: answer.action,
        emergency: answer.emergency,
        matcher: Matcher::Lexical,
        fallback_type: by.fallback(),
        escalation: answer.escalation,
        cost_usd: PicoUsd::ZERO,
        latency_micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        versions: Arc::clone(&tenant.versions),
        trace: trace.into_entries(),
    };
    Decided {
        decision,
        by,
        rotation: answer.rotation,
        variation: answer.variation,
    }
}
