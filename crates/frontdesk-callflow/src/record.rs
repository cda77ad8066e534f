//! Step 8: what is kept of a turn and who is told. Queued; nobody waits for it.

use std::sync::Arc;

use frontdesk_domain::{
    alert::{Alert, AlertCode},
    decision::Source,
    documents::template::Action,
    record::{ReplayInputs, TurnOutcome, TurnRecord},
};
use serde_json::json;

use crate::{
    company::Tenant,
    flow::CallFlow,
    turn::{Decided, Said, Turn},
    webhook::Dialled,
};

/// What Twilio says of a turn beside the caller's words; recorded only. Redacted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Circumstances {
    pub(crate) from: Option<Arc<str>>,
    pub(crate) digits: Option<Arc<str>>,
    pub(crate) speech_confidence: Option<f64>,
    /// What answered it, for the same webhook when it comes again.
    pub(crate) document: Option<Arc<str>>,
}

/// Queues the record of a turn and the alerts that it raises.
pub(crate) fn enqueue(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, decided: Decided, around: Circumstances) {
    raise_alerts(flow, tenant, turn, &decided);
    let outcome = outcome(turn, &decided);
    let record = TurnRecord {
        turn_id: turn.id(),
        call_id: turn.call.clone(),
        turn: turn.state.turn.saturating_add(1),
        at: turn.arrived,
        from: around.from,
        speech_confidence: around.speech_confidence,
        digits: around.digits,
        decision: decided.decision,
        variation: decided.variation.and_then(|index| u32::try_from(index).ok()),
        tokens: decided.consulted.as_ref().and_then(|consulted| consulted.tokens),
        outcome,
        replay: ReplayInputs {
            call_state: turn.state.for_replay(),
            rotation: decided.rotation,
            catalogue: decided.catalogue,
            llm: decided.consulted.and_then(|consulted| consulted.result),
        },
        document: around.document,
    };
    if !flow.turns().push(record) {
        // The queue counts it; the caller is answered all the same.
        flow.raise(
            AlertCode::DatabaseError,
            None,
            "records of turns are lost: the store does not keep up and the queue is full",
            json!({ "lost": flow.turns().counts().dropped }),
        );
    }
}

fn outcome(turn: &Turn<'_>, decided: &Decided) -> TurnOutcome {
    if let Said::Dialled(Dialled::Talked) = turn.said {
        return TurnOutcome::Transfer;
    }
    match decided.decision.action {
        Action::Transfer => TurnOutcome::Transfer,
        Action::TakeMessage => TurnOutcome::Message,
        Action::Hangup => TurnOutcome::Hangup,
        Action::None if matches!(turn.said, Said::NothingYet) => TurnOutcome::Greeted,
        Action::None if decided.decision.source == Source::Fallback => TurnOutcome::Fallback,
        Action::None => TurnOutcome::Answered,
    }
}

fn raise_alerts(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, decided: &Decided) {
    let raise = |code, message: String, details| {
        flow.notifier().raise(Alert {
            code,
            company: Some(tenant.id()),
            message,
            details,
        });
    };
    if let Some(safety) = decided.by.safety() {
        raise(
            AlertCode::EmergencyCall,
            format!(
                "a caller of {} may be in danger: {safety}",
                tenant.settings.company.name
            ),
            json!({ "callId": turn.call, "safetyId": safety }),
        );
    }
    if let Some(kind) = decided.by.fallback() {
        raise(
            AlertCode::FallbackUsed,
            format!(
                "callers of {} heard a fallback, last {}",
                tenant.settings.company.name,
                kind.as_str()
            ),
            json!({ "callId": turn.call, "fallbackType": kind }),
        );
    }
}
