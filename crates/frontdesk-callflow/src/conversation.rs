//! Step 4: the conversation itself. For now the greeting and silence; what callers say to steer a call comes with its
//! own issue, and until then the step says so in the trace.

use std::sync::Arc;

use frontdesk_domain::{
    confidence::Confidence,
    decision::{SkipReason, Step, StepOutcome},
    documents::{prompts::PromptName, template::Action},
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    settings::EMERGENCY_SENTENCE,
    trace::{Found, Trace},
    turn::{Said, Turn},
};

/// The greeting of a call that begins, or the prompt for a caller who says nothing.
pub(crate) fn answer(tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Option<Answer> {
    let response = match turn.said {
        Said::Words { .. } => {
            trace.skipped(Step::Conversation, None, SkipReason::NotBuilt);
            return None;
        }
        Said::NothingYet => greeting(tenant),
        Said::Silence => tenant.prompt(
            PromptName::Silence,
            usize::try_from(turn.state.turn).unwrap_or_default(),
        ),
    };
    trace.asked(
        Step::Conversation,
        StepOutcome::Matched,
        Found {
            confidence: Some(Confidence::CERTAIN),
            ..Found::default()
        },
    );
    let response = response.unwrap_or_else(|| EMERGENCY_SENTENCE.into());
    Some(Answer::certain(AnsweredBy::Conversation, response, Action::None))
}

/// The company's own greeting; the language's where it has none or it names a variable that is not set.
fn greeting(tenant: &Tenant) -> Option<Arc<str>> {
    let company = &tenant.settings.company;
    let own = company
        .greeting
        .as_ref()
        .and_then(|greeting| greeting.render(&company.variables).ok());
    own.filter(|text| !text.trim().is_empty())
        .map(Into::into)
        .or_else(|| tenant.prompt(PromptName::Greeting, 0))
}
