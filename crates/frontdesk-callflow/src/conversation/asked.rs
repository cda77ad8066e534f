//! Answers to what was just asked: a bare yes or no, a key, a choice, a number, a time.

use frontdesk_domain::{
    call_state::Question,
    documents::prompts::{PhraseName, PromptName},
};

use frontdesk_matching::phrases::Phrases;

use super::{callback, choice, ending, menu, prompted, transfer, variation};
use crate::{answer::Answer, company::Tenant, flow::CallFlow, rules, turn::Turn};

/// A bare yes or no has at most so many words.
const LONGEST_REPLY: usize = 10;

const YES_OR_NO: [PhraseName; 3] = [PhraseName::No, PhraseName::Yes, PhraseName::Praise];

/// Words that answer what was asked; `None` if they do not, or nothing was.
pub(super) async fn words(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Option<Answer> {
    let said = turn.normalized();
    let phrases = tenant.phrases();
    match &turn.state.asked {
        Question::Message => None,
        // "Great", "okay then": heard, and no request. Who was not understood agrees to nothing.
        Question::None if turn.state.misses > 0 => None,
        Question::None => {
            let agrees = phrases.whole(said, &[PhraseName::Praise]).is_some() && !rules::would_answer(tenant, turn);
            agrees.then(|| prompted(tenant, PromptName::GoAhead, variation(turn)))
        }
        Question::AnythingElse => match yes_or_no(phrases, said)? {
            PhraseName::No | PhraseName::Praise => Some(ending(tenant, PromptName::Goodbye, variation(turn))),
            _ => Some(prompted(tenant, PromptName::GoAhead, variation(turn))),
        },
        Question::Menu => match pressed(phrases, said)? {
            PhraseName::First => Some(transfer::person(tenant, turn)),
            _ => Some(transfer::message(tenant, turn)),
        },
        Question::Choice(options) => choice::by_words(tenant, turn, options),
        Question::Offer(offer) => match pressed(phrases, said).or_else(|| yes_or_no(phrases, said))? {
            PhraseName::No | PhraseName::Second => Some(transfer::declined(tenant, turn)),
            _ => Some(transfer::accepted(tenant, turn, *offer)),
        },
        Question::Callback | Question::CallbackSameNumber | Question::CallbackConfirm(..) => {
            // Who names the number at once is not asked for it again.
            if turn.state.asked == Question::CallbackSameNumber
                && let Some(number) = callback::number_in(tenant, said)
            {
                return Some(callback::number(tenant, turn, &number, 0));
            }
            let agreed = agreed(tenant, turn)?;
            Some(callback::agreed(flow, tenant, turn, agreed).await)
        }
        Question::CallbackNumber(tries) => match callback::number_in(tenant, said) {
            Some(number) => Some(callback::number(tenant, turn, &number, *tries)),
            None if phrases.steering(said).is_some() || rules::would_answer(tenant, turn) => None,
            None => Some(callback::not_understood(tenant, turn, *tries)),
        },
        Question::CallbackTime(number) => {
            let time = match phrases.steering(said) {
                // Who says goodbye, or just no, names no time and has agreed to be called.
                Some(PhraseName::Goodbye) => None,
                Some(_) => return None,
                None if yes_or_no(phrases, said) == Some(PhraseName::No) => None,
                // The wish is kept: what is asked meanwhile is answered, and is no time.
                None if rules::would_answer(tenant, turn) => return None,
                None => Some(turn.utterance()),
            };
            Some(callback::keep(flow, tenant, turn, number, time).await)
        }
    }
}

/// A key that was said in place of pressing it.
fn pressed(phrases: &Phrases, said: &str) -> Option<PhraseName> {
    phrases.whole(said, &[PhraseName::First, PhraseName::Second])
}

/// A yes, a no or praise ("great") that is all that was said, also twice over: "no, that's all", "no thank you, goodbye".
fn yes_or_no(phrases: &Phrases, said: &str) -> Option<PhraseName> {
    // Each part is read in every way: without a bound on the words that would take longer than any call.
    if said.split(' ').nth(LONGEST_REPLY).is_some() {
        return None;
    }
    if let Some(name) = phrases.whole(said, &YES_OR_NO) {
        return Some(name);
    }
    let blanks = said.match_indices(' ');
    blanks
        .map(|(at, blank)| (at, at + blank.len()))
        .find_map(|(end, begin)| {
            let first = phrases.whole(said.get(..end)?, &YES_OR_NO)?;
            let rest = said.get(begin..)?;
            let goes_on = yes_or_no(phrases, rest) == Some(first)
                || (first == PhraseName::No && phrases.whole(rest, &[PhraseName::Goodbye]).is_some());
            goes_on.then_some(first)
        })
}

/// Whether the caller agreed; `None` if they said something else, which is answered as such.
fn agreed(tenant: &Tenant, turn: &Turn<'_>) -> Option<bool> {
    let (said, phrases) = (turn.normalized(), tenant.phrases());
    let bare = phrases.whole(
        said,
        &[
            PhraseName::First,
            PhraseName::Second,
            PhraseName::Wrong,
            PhraseName::No,
            PhraseName::Yes,
            PhraseName::Praise,
        ],
    );
    let reply = match bare {
        Some(reply) => reply,
        None if rules::would_answer(tenant, turn) => return None,
        None => phrases.reply(said, &[PhraseName::Wrong, PhraseName::No, PhraseName::Yes])?,
    };
    Some(matches!(
        reply,
        PhraseName::Yes | PhraseName::Praise | PhraseName::First
    ))
}

/// Keys: what they mean is what was asked.
pub(super) async fn keys(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, keys: &str) -> Answer {
    let key = keys.trim().trim_end_matches('#');
    match (&turn.state.asked, key) {
        (Question::Menu, "1") | (Question::None | Question::AnythingElse | Question::Menu, "0") => {
            transfer::person(tenant, turn)
        }
        (Question::Menu, "2") => transfer::message(tenant, turn),
        (Question::AnythingElse, "2") => ending(tenant, PromptName::Goodbye, variation(turn)),
        (Question::AnythingElse, "1") => prompted(tenant, PromptName::GoAhead, variation(turn)),
        (Question::Offer(offer), "1") => transfer::accepted(tenant, turn, *offer),
        (Question::Offer(_), "2") => transfer::declined(tenant, turn),
        (Question::Choice(options), key) => {
            choice::by_key(tenant, turn, options, key).unwrap_or_else(|| not_understood(tenant, turn))
        }
        (Question::Callback | Question::CallbackSameNumber | Question::CallbackConfirm(..), "1" | "2") => {
            callback::agreed(flow, tenant, turn, key == "1").await
        }
        (Question::CallbackNumber(tries), _) => callback::number(tenant, turn, key, *tries),
        (Question::CallbackTime(number), _) => callback::keep(flow, tenant, turn, number, None).await,
        _ => not_understood(tenant, turn),
    }
}

/// A key that means nothing here. Who presses only such keys is treated like one who says nothing.
fn not_understood(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    if turn.state.silences >= 2 {
        return transfer::person(tenant, turn);
    }
    menu::answer(tenant, turn, PromptName::KeysNotUnderstood)
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::documents::prompts::Prompts;
    use frontdesk_matching::normal::normalize;

    use super::*;

    fn reply(said: &str) -> Option<PhraseName> {
        let prompts = Prompts::embedded().phrases.iter();
        let phrases = Phrases::compile(prompts.map(|(name, list)| (*name, list.iter().map(|text| &**text))));
        yes_or_no(&phrases, &normalize(said))
    }

    #[test]
    fn a_yes_or_a_no_may_be_said_twice_over() {
        assert_eq!(reply("no that's all thank you goodbye"), Some(PhraseName::No));
        assert_eq!(reply("yes please okay"), Some(PhraseName::Yes));
        assert_eq!(
            reply("that's not right"),
            None,
            "it says that something is wrong, not that nothing else is wanted"
        );
    }

    /// Read in every way that it can be, this would take years.
    #[test]
    fn a_long_run_of_agreement_is_no_bare_yes() {
        for said in ["okay ", "yes please ", "yeah okay "] {
            assert_eq!(reply(&format!("{}the heater", said.repeat(60))), None);
        }
    }
}
