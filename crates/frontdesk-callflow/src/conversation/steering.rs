//! What callers say to steer a call: a person, again, slower, a moment, goodbye, the wrong number.

use std::sync::Arc;

use frontdesk_domain::{
    call_state::Question,
    documents::{
        prompts::{PhraseName, PromptName},
        template::{Action, Scenario},
    },
};
use frontdesk_matching::{normal::normalize, phrases::Phrases};

use super::{ending, prompted, said, silence, transfer, variation};
use crate::{
    answer::{Answer, Pace},
    company::Tenant,
    flow::CallFlow,
    turn::Turn,
};

/// What a scenario may announce without doing it. Of equally frequent ones the last counts.
const ANNOUNCED: [PhraseName; 3] = [PhraseName::HoldOn, PhraseName::Slower, PhraseName::Repeat];

pub(super) async fn answer(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, name: PhraseName) -> Answer {
    match name {
        PhraseName::Person => transfer::person(tenant, turn),
        PhraseName::WrongNumber => ending(tenant, PromptName::WrongNumber, variation(turn)),
        PhraseName::Repeat => again(flow, tenant, turn, Pace::Usual).await,
        PhraseName::Slower => again(flow, tenant, turn, Pace::Slow).await,
        // "Hold on" waits once and is no miss.
        PhraseName::HoldOn if turn.state.waits == 0 => {
            let mut answer = prompted(tenant, PromptName::Waiting, variation(turn));
            answer.asks = turn.state.asked.clone();
            answer.pace = Pace::Patient;
            answer.is_aside = true;
            answer
        }
        PhraseName::HoldOn => silence::answer(flow, tenant, turn).await,
        _ => ending(tenant, PromptName::Goodbye, variation(turn)),
    }
}

/// Does what a scenario only announces by which callers ask for the last words or for a moment: it says the words again,
/// or waits. `phrase` is what the caller said, if it is a known one: "slower" is heard by a scenario for "again" as well.
pub(crate) async fn accompany(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    phrase: Option<PhraseName>,
    mut answer: Answer,
) -> Answer {
    if answer.action != Action::None {
        return answer;
    }
    let Some(announced) = answer.by.scenario().and_then(|id| tenant.announced_by(id)) else {
        return answer;
    };
    let name = phrase.filter(|name| ANNOUNCED.contains(name)).unwrap_or(announced);
    answer.pace = match name {
        PhraseName::Slower => Pace::Slow,
        PhraseName::HoldOn => Pace::Patient,
        _ => Pace::Usual,
    };
    answer.is_aside = true;
    answer.asks = turn.state.asked.clone();
    if name == PhraseName::HoldOn {
        return answer;
    }
    if let Some(previous) = previous(flow, tenant, turn).await {
        let question = question(tenant, turn, &answer.asks, &previous);
        let asked_again = question.map(|question| format!("{previous} {question}").into());
        answer.follow = Some(asked_again.unwrap_or(previous));
    } else if turn.state.previous.is_none()
        && turn.state.began != 0
        && let Some(words) = tenant.prompt(PromptName::NothingToRepeat, 0)
    {
        // A call in which nothing was said yet; an utterance that came by no call has the scenario's own reply.
        answer.response = words;
    }
    answer
}

/// What a scenario announces, if most of its triggers ask for it.
pub(crate) fn announced_by(scenario: &Scenario, phrases: &Phrases) -> Option<PhraseName> {
    if scenario.action != Action::None {
        return None;
    }
    let mut announced = Vec::new();
    let mut others = scenario.triggers.len().div_ceil(2);
    for trigger in &scenario.triggers {
        match phrases.steering(&normalize(trigger)) {
            Some(name) if ANNOUNCED.contains(&name) => announced.push(name),
            _ => others -= 1,
        }
        if others == 0 {
            return None;
        }
    }
    let times = |name: &PhraseName| announced.iter().filter(|other| *other == name).count();
    ANNOUNCED.into_iter().max_by_key(times).filter(|name| times(name) > 0)
}

/// The words of the last answer.
async fn previous(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Option<Arc<str>> {
    let key = turn.state.previous?;
    flow.response_of(tenant.id(), &turn.call, key, turn.arrived).await
}

/// The last answer again; what it asked is still asked.
async fn again(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, pace: Pace) -> Answer {
    let asked = turn.state.asked.clone();
    let Some(previous) = previous(flow, tenant, turn).await else {
        return prompted(tenant, PromptName::NothingToRepeat, 0).asking(asked, None);
    };
    let question = question(tenant, turn, &asked, &previous);
    let mut answer = match (pace, tenant.prompt(PromptName::Slower, variation(turn))) {
        (Pace::Slow, Some(slower)) => said(Some(format!("{slower} {previous}").into())),
        _ => said(Some(previous)),
    };
    answer.pace = pace;
    answer.is_aside = true;
    answer.asking(asked, question)
}

/// What was asked after the last answer, in words, where these are not the answer itself.
fn question(tenant: &Tenant, turn: &Turn<'_>, asked: &Question, previous: &str) -> Option<Arc<str>> {
    match asked {
        Question::AnythingElse => tenant.prompt(PromptName::AnythingElse, variation(turn)),
        Question::Callback => {
            let is_answer = (0..8).any(|n| {
                let offer = tenant.prompt(PromptName::OfferCallback, n);
                offer.is_some_and(|offer| previous.contains(&*offer))
            });
            let offer = tenant.prompt(PromptName::OfferCallback, variation(turn));
            offer.filter(|_| !is_answer)
        }
        Question::Choice(options) => super::choice::question(tenant, options, variation(turn)),
        _ => None,
    }
}
