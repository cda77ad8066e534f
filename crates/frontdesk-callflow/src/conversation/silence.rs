//! The caller says nothing: asked again, told what the keys do, then a person or a message, then a polite end.

use frontdesk_domain::{
    call_state::Question,
    decision::Escalation,
    documents::{prompts::PromptName, template::Action},
};

use super::{callback, ending, menu, prompted, transfer, variation};
use crate::{answer::Answer, company::Tenant, flow::CallFlow, turn::Turn};

pub(super) async fn answer(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let silences = turn.state.silences;
    match &turn.state.asked {
        Question::CallbackTime(number) => callback::keep(flow, tenant, turn, number, None).await,
        Question::CallbackNumber(tries) => callback::not_understood(tenant, turn, *tries),
        Question::Message => transfer::after_empty_message(tenant, turn),
        Question::Callback | Question::CallbackSameNumber | Question::CallbackConfirm(..) if silences > 0 => {
            ending(tenant, PromptName::Goodbye, variation(turn))
        }
        Question::AnythingElse if silences > 0 => ending(tenant, PromptName::Goodbye, variation(turn)),
        asked if silences == 0 => prompted(tenant, PromptName::Silence, variation(turn)).asking(asked.clone(), None),
        _ if silences == 1 => keys(tenant, turn),
        _ => give_up(tenant, turn),
    }
}

/// The second silence: what the keys do. Where only a call back is offered, that is asked.
fn keys(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let answer = menu::answer(tenant, turn, PromptName::Menu);
    match transfer::way_out(tenant, turn, &tenant.offers(turn.arrived)) {
        (_, question, Question::Callback) => answer.asking(Question::Callback, question),
        _ => answer,
    }
}

/// The third silence: a person, else a message, else a polite end.
fn give_up(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let offers = tenant.offers(turn.arrived);
    let (action, follow, asks) = transfer::way_out(tenant, turn, &offers);
    if action == Action::None {
        return ending(tenant, PromptName::Goodbye, variation(turn));
    }
    let mut answer = if action == Action::Transfer {
        prompted(tenant, PromptName::Transfer, variation(turn))
    } else {
        prompted(tenant, PromptName::NobodyThere, variation(turn))
    };
    answer.action = action;
    answer.escalation = Escalation { required: true, offers };
    answer.asking(asks, follow)
}
