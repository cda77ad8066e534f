//! Ways out: a person, in the order of the company's list; else a message; else a call back.

use std::sync::Arc;

use frontdesk_domain::{
    call_state::Question,
    decision::{Escalation, Offer},
    documents::{
        prompts::{PhraseName, PromptName},
        template::Action,
    },
};
use frontdesk_matching::normal::normalize;

use super::{callback, ending, prompted, variation};
use crate::{answer::Answer, company::Tenant, turn::Turn, webhook::Dialled};

/// The first way out that can be taken: what is done, what is said before, what is asked.
pub(crate) fn way_out(tenant: &Tenant, turn: &Turn<'_>, offers: &[Offer]) -> (Action, Option<Arc<str>>, Question) {
    for offer in offers {
        match offer {
            Offer::Transfer if tenant.next_number(turn.arrived, &turn.state.dialled).is_none() => {}
            Offer::Transfer => return (Action::Transfer, None, Question::None),
            Offer::Message => return (Action::TakeMessage, ask_for_message(tenant), Question::Message),
            Offer::Callback => {
                let question = tenant.prompt(PromptName::OfferCallback, variation(turn));
                return (Action::None, question, Question::Callback);
            }
        }
    }
    (Action::None, None, Question::None)
}

/// A person, else a message, whatever the company offers otherwise: what is done, and what is said before.
pub(crate) fn person_or_message(tenant: &Tenant, turn: &Turn<'_>) -> (Action, Option<Arc<str>>) {
    if tenant.next_number(turn.arrived, &turn.state.dialled).is_some() {
        (Action::Transfer, None)
    } else {
        (Action::TakeMessage, ask_for_message(tenant))
    }
}

/// What is said and asked where nobody can be reached and a call back, but no message, is offered.
pub(crate) fn instead_of_a_transfer(tenant: &Tenant, turn: &Turn<'_>) -> Option<Arc<str>> {
    let offers = tenant.offers(turn.arrived);
    if offers.contains(&Offer::Message) || !offers.contains(&Offer::Callback) {
        return None;
    }
    let question = tenant.prompt(PromptName::OfferCallback, variation(turn))?;
    let failed = tenant.prompt(PromptName::TransferFailed, 0);
    Some(failed.map_or_else(|| Arc::clone(&question), |failed| format!("{failed} {question}").into()))
}

fn ask_for_message(tenant: &Tenant) -> Option<Arc<str>> {
    tenant.prompt(PromptName::TakeMessage, 0)
}

/// The caller wants a person.
pub(super) fn person(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    leave(tenant, turn, PromptName::Transfer, PromptName::NobodyThere)
}

/// The caller wants to leave a message.
pub(super) fn message(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    let mut answer = prompted(tenant, PromptName::TakeMessage, variation(turn));
    answer.action = Action::TakeMessage;
    answer.asking(Question::Message, None)
}

/// What an answer in its own words offers, if this company does: its last sentence is what the caller replies to.
pub(crate) fn offered_by(tenant: &Tenant, turn: &Turn<'_>, answer: &str) -> Option<Offer> {
    let text = answer.trim_end().trim_end_matches(['.', '!', '?']);
    let offer = offer_in(tenant, text.rsplit(['.', '!', '?']).next()?)?;
    tenant.offers(turn.arrived).contains(&offer).then_some(offer)
}

/// What a sentence offers, whether or not this company does.
fn offer_in(tenant: &Tenant, sentence: &str) -> Option<Offer> {
    Some(match tenant.phrases().offer(&normalize(sentence))? {
        PhraseName::OffersTransfer => Offer::Transfer,
        PhraseName::OffersMessage => Offer::Message,
        _ => Offer::Callback,
    })
}

/// The sentences of an answer that may be said just before this way out is taken: none that waits for a reply, and none
/// that offers another way. `None` if there are none.
pub(crate) fn leading_to(tenant: &Tenant, way: Offer, answer: &str) -> Option<Arc<str>> {
    let left: String = sentences(answer)
        .into_iter()
        .filter(|sentence| !sentence.trim_end().ends_with('?'))
        .filter(|sentence| offer_in(tenant, sentence).is_none_or(|offer| offer == way))
        .collect();
    let left = left.trim();
    (!left.is_empty()).then(|| left.into())
}

/// A text in its sentences, each with the blanks before it. A mark that a blank and a small letter follow ends none, as in
/// "5 p.m. on Friday".
fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut rest = text;
    let ends = text.match_indices(['.', '!', '?']).map(|(at, mark)| at + mark.len());
    for end in ends {
        let (before, after) = text.split_at(end);
        let next = after.trim_start();
        if next.len() < after.len() && !next.is_empty() && !next.starts_with(char::is_lowercase) {
            let begin = text.len() - rest.len();
            sentences.extend(before.get(begin..));
            rest = after;
        }
    }
    sentences.push(rest);
    sentences
}

/// The caller wants the way out that was offered.
pub(super) fn accepted(tenant: &Tenant, turn: &Turn<'_>, offer: Offer) -> Answer {
    match offer {
        Offer::Transfer => person(tenant, turn),
        Offer::Message => message(tenant, turn),
        Offer::Callback => callback::wanted(tenant, turn),
    }
}

/// The caller does not want it.
pub(super) fn declined(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    prompted(tenant, PromptName::AnythingElse, variation(turn)).asking(Question::AnythingElse, None)
}

/// Somebody was dialled. Who could not be reached is followed by the next one, and the last by a message.
pub(crate) fn after_dial(tenant: &Tenant, turn: &Turn<'_>, result: Dialled) -> Answer {
    match result {
        Dialled::Talked | Dialled::GivenUp => ending(tenant, PromptName::Goodbye, variation(turn)),
        Dialled::NotReached => leave(tenant, turn, PromptName::TransferNext, PromptName::TransferFailed),
    }
}

/// A message was asked for and nothing was said: a call back, or a polite end.
pub(super) fn after_empty_message(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    if tenant.settings.company.fallback.escalation.callback {
        prompted(tenant, PromptName::OfferCallback, variation(turn)).asking(Question::Callback, None)
    } else {
        ending(tenant, PromptName::Goodbye, variation(turn))
    }
}

/// Takes the first way out: `dialling` is said before a person is dialled, `nobody` before anything else.
fn leave(tenant: &Tenant, turn: &Turn<'_>, dialling: PromptName, nobody: PromptName) -> Answer {
    let offers = tenant.offers(turn.arrived);
    let (action, follow, asks) = way_out(tenant, turn, &offers);
    let mut answer = match action {
        Action::Transfer => prompted(tenant, dialling, variation(turn)),
        Action::None if asks == Question::None => ending(tenant, nobody, variation(turn)),
        _ => prompted(tenant, nobody, variation(turn)),
    };
    if answer.action == Action::None {
        answer.action = action;
    }
    answer.escalation = Escalation { required: true, offers };
    answer.asking(asks, follow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_at_the_ends_of_its_sentences() {
        for (text, want) in [
            ("One.", vec!["One."]),
            ("It is late. Shall we call?", vec!["It is late.", " Shall we call?"]),
            ("At 5 p.m. on Friday!  Bye.", vec!["At 5 p.m. on Friday!", "  Bye."]),
            ("It is $89.50", vec!["It is $89.50"]),
            ("", vec![""]),
        ] {
            assert_eq!(sentences(text), want, "{text}");
        }
    }
}
