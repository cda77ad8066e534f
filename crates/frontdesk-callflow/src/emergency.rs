//! What is decided for a turn that could not be: the emergency sentence, then a person, else a message.

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Escalation, FallbackKind, Step, StepOutcome},
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    conversation,
    settings::EMERGENCY_SENTENCE,
    trace::{Found, Trace},
    turn::{self, Decided, Turn},
};

/// The only words that come from code, and then a person, or else a message, whatever the company offers otherwise.
pub(crate) fn answer(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let by = AnsweredBy::Fallback(FallbackKind::TechnicalIssue);
    let (action, follow) = conversation::person_or_message(tenant, turn);
    let mut answer = Answer::certain(by, EMERGENCY_SENTENCE.into(), action);
    answer.follow = follow;
    answer.confidence = Confidence::NONE;
    answer.escalation = Escalation {
        required: true,
        offers: tenant.offers(turn.arrived),
    };
    answer
}

/// The decision of a turn that failed or ran out of time.
pub(crate) fn decided(tenant: &Tenant, turn: &Turn<'_>) -> Decided {
    let mut trace = Trace::new();
    trace.asked(Step::Fallback, StepOutcome::Error, Found::default());
    turn::decided(tenant, turn, answer(tenant, turn), trace, std::time::Instant::now())
}
