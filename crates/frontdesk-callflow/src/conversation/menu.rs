//! What the keys do: 1 is a person and 2 a message, each only where there is one now.

use frontdesk_domain::{call_state::Question, decision::Offer, documents::prompts::PromptName};

use super::{said, variation};
use crate::{answer::Answer, company::Tenant, turn::Turn};

/// A prompt that tells what the keys do, in the variation that names all keys that do something now and no other one.
/// Words that name too much are not spoken: the caller is then asked what they need.
pub(super) fn answer(tenant: &Tenant, turn: &Turn<'_>, name: PromptName) -> Answer {
    let offers = tenant.offers(turn.arrived);
    let is_reachable = tenant.next_number(turn.arrived, &turn.state.dialled).is_some();
    let has_person = offers.contains(&Offer::Transfer) && is_reachable;
    let has_message = offers.contains(&Offer::Message);
    let keys_in = |text: &str| {
        let (person, message) = (names_key(text, "1"), names_key(text, "2"));
        let exists = (has_person || !person) && (has_message || !message);
        exists.then_some(usize::from(person) + usize::from(message))
    };
    let words = tenant.best_prompt(name, variation(turn), keys_in);
    let words = words.or_else(|| tenant.prompt(PromptName::Silence, variation(turn)));
    said(words).asking(Question::Menu, None)
}

/// Whether a text names a key, which it does by its numeral.
fn names_key(text: &str, key: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric())
        .any(|word| word == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_numeral_alone() {
        assert!(names_key("Press 1, or say what you need.", "1"));
        assert!(!names_key("It is 11 o'clock, and no one is here.", "1"));
        assert!(!names_key("Press 1 for a person.", "2"));
    }
}
