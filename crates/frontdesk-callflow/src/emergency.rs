//! What is decided for a turn that could not be: the emergency sentence, then a person, else a message.

use std::time::Instant;

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Escalation, FallbackKind, SkipReason, Step, StepOutcome, Tier},
    documents::{prompts::PromptName, template::Action},
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    conversation, safety,
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

/// The decision of a turn for which there is no time: danger first, then a person, else a message.
pub(crate) fn decided_in_haste(tenant: &Tenant, turn: &Turn<'_>) -> Decided {
    let started = Instant::now();
    let mut trace = Trace::new();
    let danger = safety::answer_to(tenant, turn, &mut trace);
    let answer = danger.unwrap_or_else(|| {
        trace.skipped(Step::Tier1, Some(Tier::Rules), SkipReason::Busy);
        trace.asked(Step::Fallback, StepOutcome::Matched, Found::default());
        let mut answer = answer(tenant, turn);
        let n = usize::try_from(turn.state.turn).unwrap_or_default();
        if answer.action == Action::Transfer
            && let Some(words) = tenant.prompt(PromptName::Transfer, n)
        {
            answer.response = words;
        }
        answer
    });
    turn::decided(tenant, turn, answer, trace, started)
}

/// The decision of a turn that failed or ran out of time.
pub(crate) fn decided(tenant: &Tenant, turn: &Turn<'_>) -> Decided {
    let mut trace = Trace::new();
    trace.asked(Step::Fallback, StepOutcome::Error, Found::default());
    turn::decided(tenant, turn, answer(tenant, turn), trace, Instant::now())
}
