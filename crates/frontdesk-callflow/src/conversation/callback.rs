//! A wish to be called back: at which number, when; kept as soon as its number is settled, and before it is promised.

use frontdesk_domain::{
    alert::{AlertCode, Stage},
    call_state::Question,
    decision::Offer,
    documents::{prompts::PromptName, template::Action},
    ids::{MessageId, ObjectId},
    record::{AudioState, Message, MessageKind, MessageState},
};
use frontdesk_store::ports::StoreError;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tracing::error;

use super::{ending, prompted, said, transfer, variation};
use crate::{answer::Answer, company::Tenant, flow::CallFlow, settings, turn::Turn};

/// A number that was not understood so often is given up.
const TRIES: u8 = 3;

/// The caller agreed, or did not, to what was asked about a call back.
pub(super) async fn agreed(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, yes: bool) -> Answer {
    match (&turn.state.asked, yes) {
        (Question::Callback, true) => wanted(tenant, turn),
        (Question::CallbackSameNumber, true) => match turn.caller() {
            Some(number) => settled(flow, tenant, turn, number.to_string()).await,
            None => ask_number(tenant),
        },
        (Question::CallbackSameNumber, false) => ask_number(tenant),
        (Question::CallbackConfirm(number, _), true) => settled(flow, tenant, turn, number.clone()).await,
        (Question::CallbackConfirm(_, tries), false) => not_understood(tenant, turn, *tries),
        _ => transfer::declined(tenant, turn),
    }
}

/// The caller wants to be called back: at the number they call from, if they have one.
pub(super) fn wanted(tenant: &Tenant, turn: &Turn<'_>) -> Answer {
    match turn.caller() {
        Some(_) => prompted(tenant, PromptName::CallbackSameNumber, 0).asking(Question::CallbackSameNumber, None),
        None => ask_number(tenant),
    }
}

fn ask_number(tenant: &Tenant) -> Answer {
    prompted(tenant, PromptName::CallbackNumber, 0).asking(Question::CallbackNumber(0), None)
}

/// The number among what was said, if there is one.
pub(super) fn number_in(tenant: &Tenant, said: &str) -> Option<String> {
    let phrases = tenant.phrases();
    // "to" and "for" sound like digits, and "the other one" is none: numerals are surer, then what stands together.
    let numerals: String = said.chars().filter(char::is_ascii_digit).collect();
    let words: Vec<String> = said.split(' ').map(|word| phrases.digits(word)).collect();
    let together = words.split(String::is_empty).map(<[String]>::concat);
    let together = together.max_by_key(String::len).unwrap_or_default();
    let readings = [numerals, together, words.concat()];
    let numbers = readings.iter().filter_map(|digits| dialable(tenant, digits));
    // Of several the first that is complete, else the first.
    numbers.min_by_key(|number| !number.starts_with('+'))
}

/// The number that was said or typed is read back.
pub(super) fn number(tenant: &Tenant, turn: &Turn<'_>, digits: &str, tries: u8) -> Answer {
    let Some(number) = dialable(tenant, digits) else {
        return not_understood(tenant, turn, tries);
    };
    let spoken = spelled(&number);
    let question = tenant.prompt_with(PromptName::CallbackConfirm, 0, &[("number", &spoken)]);
    said(question).asking(Question::CallbackConfirm(number, tries.saturating_add(1)), None)
}

/// It was no number, or the wrong one.
pub(super) fn not_understood(tenant: &Tenant, turn: &Turn<'_>, tries: u8) -> Answer {
    if tries + 1 < TRIES {
        let asks = Question::CallbackNumber(tries + 1);
        return prompted(tenant, PromptName::CallbackNumberAgain, 0).asking(asks, None);
    }
    if tenant.settings.company.fallback.escalation.message {
        transfer::message(tenant, turn)
    } else {
        ending(tenant, PromptName::Goodbye, variation(turn))
    }
}

/// The number is settled: the wish is kept, for a caller who hangs up now as well, and a time is asked.
async fn settled(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, number: String) -> Answer {
    if !turn.dry_run {
        match put(flow, tenant, turn, &number, None).await {
            Ok(id) => {
                let details = json!({ "callId": turn.call, "messageId": id });
                let message = "a caller wants to be called back";
                flow.raise(AlertCode::MessageTaken, Some(tenant.id()), message, details);
            }
            Err(error) => return not_kept(flow, tenant, turn, &error),
        }
    }
    prompted(tenant, PromptName::CallbackTime, variation(turn)).asking(Question::CallbackTime(number), None)
}

/// Keeps the time with the wish; only then is the call promised.
pub(super) async fn keep(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    number: &str,
    time: Option<&str>,
) -> Answer {
    if turn.dry_run {
        return prompted(tenant, PromptName::CallbackThanks, variation(turn));
    }
    match put(flow, tenant, turn, number, time).await {
        Ok(_) => {
            let thanks = prompted(tenant, PromptName::CallbackThanks, variation(turn));
            thanks.asking(
                Question::AnythingElse,
                tenant.prompt(PromptName::AnythingElse, variation(turn)),
            )
        }
        Err(error) => not_kept(flow, tenant, turn, &error),
    }
}

/// Puts the wish on disk; one that is there already takes the time.
async fn put(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    number: &str,
    time: Option<&str>,
) -> Result<MessageId, StoreError> {
    let message = Message {
        id: id_of(tenant, turn, number),
        company_id: tenant.id(),
        call_id: turn.call.clone(),
        kind: MessageKind::Callback,
        from: turn.from.map(Into::into),
        callback_number: Some(number.into()),
        callback_time: time.map(Into::into),
        recording_sid: None,
        recording_url: None,
        recording_seconds: None,
        audio: AudioState::None,
        transcript: None,
        state: MessageState::New,
        at: turn.arrived,
    };
    flow.put_message(message, Instant::now() + settings::STORE_DEADLINE)
        .await
}

/// The same in each turn of a call for the same number: a time that comes later, or a webhook that comes again after a
/// crash, leaves one wish.
fn id_of(tenant: &Tenant, turn: &Turn<'_>, number: &str) -> MessageId {
    let name = format!("call back {} {} {number}", tenant.id(), turn.call);
    let hash = Sha256::digest(name).first_chunk().copied().unwrap_or_default();
    let began = u32::try_from(turn.state.began).unwrap_or_default();
    MessageId::from(ObjectId::from_parts(began, hash))
}

/// The wish, or its time, is not on disk: a person or a message takes it.
fn not_kept(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, error: &StoreError) -> Answer {
    error!(company.id = %tenant.id(), call.id = %turn.call, error = error as &dyn std::error::Error, "a wish to be called back, or its time, was not kept");
    flow.report_failure(tenant.id(), &turn.call, Stage::Fallback);
    let mut answer = prompted(tenant, PromptName::TechnicalIssue, variation(turn));
    (answer.action, answer.follow) = transfer::person_or_message(tenant, turn);
    let way = if answer.action == Action::Transfer {
        Offer::Transfer
    } else {
        Offer::Message
    };
    if let Some(words) = transfer::leading_to(tenant, way, &answer.response) {
        answer.response = words;
    }
    answer
}

/// A number that a person can dial: 7 to 15 digits, in E.164 form where the company's own country tells how.
fn dialable(tenant: &Tenant, digits: &str) -> Option<String> {
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    if !(7..=15).contains(&digits.len()) {
        return None;
    }
    let home = tenant.settings.company.phone.to_string();
    // The North American plan: ten digits, with or without the 1 before them.
    Some(match (home.starts_with("+1"), digits.len()) {
        (true, 10) => format!("+1{digits}"),
        (true, 11) if digits.starts_with('1') => format!("+{digits}"),
        _ => digits,
    })
}

/// A number as it is read out: digit by digit, in groups of three or four.
fn spelled(number: &str) -> String {
    let digits: Vec<String> = number.chars().filter(char::is_ascii_digit).map(String::from).collect();
    let skipped = usize::from(number.starts_with("+1") && digits.len() == 11);
    let digits = digits.get(skipped..).unwrap_or_default();
    let tail = digits.len().saturating_sub(4);
    let (front, last) = digits.split_at(tail);
    let groups = front
        .chunks(3)
        .chain(std::iter::once(last))
        .filter(|group| !group.is_empty());
    groups.map(|group| group.join(" ")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_out_digit_by_digit() {
        assert_eq!(spelled("+15550101234"), "5 5 5, 0 1 0, 1 2 3 4");
        assert_eq!(spelled("5550123"), "5 5 5, 0 1 2 3");
        assert_eq!(spelled("+442071838750"), "4 4 2, 0 7 1, 8 3, 8 7 5 0");
    }
}
