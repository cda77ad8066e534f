//! Step 4: the conversation itself: the greeting, answers to what was just asked, and what steers a call.
//!
//! It knows its phrases from the prompts data. What a scenario or a Q&A of the company answers better it leaves to them.

mod asked;
mod callback;
mod choice;
mod menu;
mod silence;
mod steering;
mod transfer;

use std::sync::Arc;

use frontdesk_domain::{
    call_state::Question,
    confidence::Confidence,
    decision::{Step, StepOutcome},
    documents::{
        prompts::{PhraseName, PromptName},
        template::Action,
    },
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    flow::CallFlow,
    rules,
    settings::EMERGENCY_SENTENCE,
    trace::{Found, Trace},
    turn::{Said, Turn},
};

pub(crate) use choice::offered;
pub(crate) use steering::{accompany, announced_by};
pub(crate) use transfer::{after_dial, instead_of_a_transfer, leading_to, offered_by, person_or_message, way_out};

/// What the conversation makes of a turn.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a turn, on the stack: a box would cost each answer an allocation"
)]
pub(crate) enum Conversed {
    /// It answers.
    Answered(Answer),
    /// The company's knowledge answers; the caller steers the call with these words, if they do.
    LeftToOthers(Option<PhraseName>),
}

/// The answer to what the caller did, if it is the conversation's to give.
pub(crate) async fn answer(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Conversed {
    let conversed = match turn.said {
        Said::NothingYet => Conversed::Answered(greeting(tenant, turn)),
        Said::Dialled(result) => Conversed::Answered(after_dial(tenant, turn, result)),
        Said::Silence => Conversed::Answered(silence::answer(flow, tenant, turn).await),
        Said::Keys(keys) => Conversed::Answered(asked::keys(flow, tenant, turn, keys).await),
        Said::Words { .. } => words(flow, tenant, turn).await,
    };
    let (outcome, confidence) = match &conversed {
        Conversed::Answered(_) => (StepOutcome::Matched, Some(Confidence::CERTAIN)),
        Conversed::LeftToOthers(_) => (StepOutcome::BelowThreshold, None),
    };
    let found = Found {
        confidence,
        ..Found::default()
    };
    trace.asked(Step::Conversation, outcome, found);
    conversed
}

/// Words: an answer to what was asked, or a phrase that steers the call and that nothing of the company answers better.
async fn words(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Conversed {
    if let Some(answer) = asked::words(flow, tenant, turn).await {
        return Conversed::Answered(answer);
    }
    match tenant.phrases().steering(turn.normalized()) {
        Some(name) if !rules::would_answer(tenant, turn) => {
            Conversed::Answered(steering::answer(flow, tenant, turn, name).await)
        }
        steering => Conversed::LeftToOthers(steering),
    }
}

/// The company's own greeting; the language's where it has none or it names a variable that is not set. Who calls after
/// hours hears so.
fn greeting(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let company = &tenant.settings.company;
    let own = company
        .greeting
        .as_ref()
        .and_then(|greeting| greeting.render(&company.variables).ok());
    let words = own.filter(|text| !text.trim().is_empty()).map(Arc::from);
    let words = words.or_else(|| tenant.prompt(PromptName::Greeting, 0));
    let is_open = company.schedule.is_open(turn.arrived, &company.time_zone);
    let follow = (!is_open).then(|| tenant.prompt(PromptName::AfterHours, 0)).flatten();
    said(words).asking(Question::None, follow)
}

/// A prompt of the conversation, in the tone and the language of the company; `n` rotates through its variations.
fn prompted(tenant: &Tenant, name: PromptName, n: usize) -> Answer {
    said(tenant.prompt(name, n))
}

fn said(words: Option<Arc<str>>) -> Answer {
    let words = words.unwrap_or_else(|| EMERGENCY_SENTENCE.into());
    Answer::certain(AnsweredBy::Conversation, words, Action::None)
}

/// A prompt, and the end of the call.
fn ending(tenant: &Tenant, name: PromptName, n: usize) -> Answer {
    let mut answer = prompted(tenant, name, n);
    answer.action = Action::Hangup;
    answer
}

/// A number that is another one with each turn, for prompts that vary.
fn variation(turn: &Turn<'_>) -> usize {
    usize::try_from(turn.state.turn).unwrap_or_default()
}
