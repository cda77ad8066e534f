//! What a company's status says before its knowledge is asked (DESIGN 4.13). Danger was decided before.

use frontdesk_domain::{
    call_state::Question,
    confidence::Confidence,
    decision::{Step, StepOutcome},
    documents::{company::Status, prompts::PromptName, template::Action},
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    settings::EMERGENCY_SENTENCE,
    trace::{Found, Trace},
    turn::{Said, Turn},
};

/// The notice of a suspended company, or the dialling of one that forwards; `None` for an active one.
pub(crate) fn answer(tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Option<Answer> {
    let (prompt, action) = match tenant.settings.company.status {
        Status::Active => return None,
        // Who was put through because of danger goes on to the next way out.
        Status::Suspended if matches!(turn.said, Said::Dialled(_)) => return None,
        Status::Suspended => (PromptName::Suspended, Action::Hangup),
        // Who was dialled and not reached is followed by the next way out, and who left no message by another one.
        Status::Forward if matches!(turn.said, Said::Dialled(_)) || turn.state.asked != Question::None => return None,
        Status::Forward => (PromptName::Forward, Action::Transfer),
    };
    let found = Found {
        confidence: Some(Confidence::CERTAIN),
        ..Found::default()
    };
    trace.asked(Step::Conversation, StepOutcome::Matched, found);
    let response = tenant.prompt(prompt, 0).unwrap_or_else(|| EMERGENCY_SENTENCE.into());
    Some(Answer::certain(AnsweredBy::Status, response, action))
}
