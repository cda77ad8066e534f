//! Turns an answer into the document that Twilio carries out.

use std::borrow::Cow;

use frontdesk_domain::{
    documents::{prompts::PromptName, template::Action},
    ids::CompanyId,
    phone::PhoneNumber,
    time::Timestamp,
};
use frontdesk_twilio::twiml::{Dial, Gather, Number, Prompt, Record, Response, Say, Verb};

use crate::{answer::AnsweredBy, company::Tenant, settings, state, turn::Decided};

/// Where the next turn of a call is posted.
pub(crate) fn respond_path(company: CompanyId, sealed: &str) -> String {
    format!("/api/twilio/v2-agent-respond/{company}?{}={sealed}", state::PARAMETER)
}

/// Where a recorded message is posted.
fn message_path(company: CompanyId) -> String {
    format!("/api/twilio/message/{company}")
}

/// Marks the address of a message that was asked for because the one before it could not be kept.
const SECOND: &str = "second=1";

/// Whether the caller was asked for this message because the one before it could not be kept.
pub(crate) fn is_second_message(target: &str) -> bool {
    let query = target.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.split('&').any(|pair| pair == SECOND))
}

/// The document for a decided turn. `next` is where the next turn is posted.
pub(crate) fn document(tenant: &Tenant, decided: &Decided, next: String, now: Timestamp) -> String {
    let speaker = Speaker { tenant };
    let response = &*decided.decision.response;
    let by_fallback = matches!(decided.by, AnsweredBy::Fallback(_));
    let mut verbs = Vec::with_capacity(8);
    match decided.decision.action {
        Action::None => speaker.listen(response, next, &mut verbs),
        Action::Hangup => verbs.extend([speaker.say(response), Verb::Hangup]),
        Action::TakeMessage => {
            verbs.push(speaker.say(response));
            // Scenarios and safety sentences end by asking for the message themselves.
            speaker.take_message(by_fallback, &mut verbs);
        }
        Action::Transfer if decided.by == AnsweredBy::Conversation => {
            // A company that forwards; without a number that can be dialled, a message is taken.
            verbs.extend(tenant.forward_number().map(dial));
            if verbs.is_empty() {
                verbs.push(speaker.say(response));
            }
            speaker.take_message(true, &mut verbs);
        }
        Action::Transfer => {
            verbs.push(speaker.say(response));
            match tenant.transfer_number(now) {
                Some(number) => {
                    if by_fallback {
                        verbs.extend(speaker.prompt(PromptName::Transfer));
                    }
                    verbs.push(dial(number));
                }
                None => verbs.extend(speaker.prompt(PromptName::TransferFailed)),
            }
            speaker.take_message(true, &mut verbs);
        }
    }
    Response { verbs }.to_xml()
}

/// The emergency sentence, then a person, else a message (DESIGN section 1).
pub(crate) fn emergency(tenant: &Tenant, now: Timestamp) -> String {
    let speaker = Speaker { tenant };
    let mut verbs = vec![speaker.say(settings::EMERGENCY_SENTENCE)];
    verbs.extend(tenant.transfer_number(now).map(dial));
    speaker.take_message(true, &mut verbs);
    Response { verbs }.to_xml()
}

/// A sentence and the end of the call, for a company that cannot be loaded.
pub(crate) fn last_words(text: &str) -> String {
    let say = Say {
        text: Cow::Borrowed(text),
        voice: None,
        language: None,
    };
    Response {
        verbs: vec![Verb::Say(say), Verb::Hangup],
    }
    .to_xml()
}

/// The thanks for a message, and the end of the call.
pub(crate) fn thanks(tenant: &Tenant) -> String {
    let speaker = Speaker { tenant };
    let mut verbs: Vec<_> = speaker.prompt(PromptName::MessageThanks).into_iter().collect();
    verbs.push(Verb::Hangup);
    Response { verbs }.to_xml()
}

/// That a message could not be kept: another one is asked for.
pub(crate) fn message_lost(tenant: &Tenant) -> String {
    let speaker = Speaker { tenant };
    let mut verbs: Vec<_> = speaker.prompt(PromptName::TechnicalIssue).into_iter().collect();
    verbs.extend(speaker.prompt(PromptName::TakeMessage));
    speaker.record(format!("{}?{SECOND}", message_path(tenant.id())), &mut verbs);
    Response { verbs }.to_xml()
}

/// That the second message could not be kept either: a person if one is there, else the end of the call.
pub(crate) fn message_given_up(tenant: &Tenant, now: Timestamp) -> String {
    let speaker = Speaker { tenant };
    let mut verbs: Vec<_> = speaker.prompt(PromptName::Apology).into_iter().collect();
    verbs.extend(tenant.transfer_number(now).map(dial));
    verbs.push(Verb::Hangup);
    Response { verbs }.to_xml()
}

fn dial<'n>(number: PhoneNumber) -> Verb<'n> {
    Verb::Dial(Dial {
        timeout: Some(settings::DIAL_SECONDS),
        time_limit: Some(settings::DIAL_LIMIT_SECONDS),
        answer_on_bridge: true,
        numbers: vec![Number {
            number: Cow::Owned(number.to_string()),
            ..Number::default()
        }],
        ..Dial::default()
    })
}

/// Speaks in a company's voice and language.
struct Speaker<'t> {
    tenant: &'t Tenant,
}

impl<'t> Speaker<'t> {
    fn say(&self, text: &'t str) -> Verb<'t> {
        Verb::Say(self.words(Cow::Borrowed(text)))
    }

    fn words(&self, text: Cow<'t, str>) -> Say<'t> {
        let voice = &self.tenant.settings.company.voice;
        Say {
            text,
            voice: Some(Cow::Borrowed(&voice.voice)),
            language: Some(Cow::Borrowed(&voice.language)),
        }
    }

    fn prompt(&self, name: PromptName) -> Option<Verb<'t>> {
        let text = self.tenant.prompt(name, 0)?;
        Some(Verb::Say(self.words(Cow::Owned(text.to_string()))))
    }

    /// Speaks and listens. What a caller may not cut off is spoken before the listening begins.
    fn listen(&self, text: &'t str, next: String, verbs: &mut Vec<Verb<'t>>) {
        let voice = &self.tenant.settings.company.voice;
        let say = self.words(Cow::Borrowed(text));
        let mut prompts = Vec::new();
        if voice.barge_in {
            prompts.push(Prompt::Say(say));
        } else {
            verbs.push(Verb::Say(say));
        }
        verbs.push(Verb::Gather(Gather {
            action: Cow::Owned(next),
            timeout: Some(u32::from(voice.initial_timeout_seconds)),
            speech_timeout: Some(u32::from(voice.speech_timeout_seconds)),
            language: Some(Cow::Borrowed(&voice.language)),
            action_on_empty_result: true,
            barge_in: Some(voice.barge_in),
            prompts,
            ..Gather::default()
        }));
    }

    /// Records a message, asking for it first if that was not done yet; who says nothing hears a goodbye.
    fn take_message(&self, ask: bool, verbs: &mut Vec<Verb<'t>>) {
        if ask {
            verbs.extend(self.prompt(PromptName::TakeMessage));
        }
        self.record(message_path(self.tenant.id()), verbs);
    }

    /// Records and posts it to an address.
    fn record(&self, action: String, verbs: &mut Vec<Verb<'t>>) {
        verbs.push(Verb::Record(Record {
            action: Cow::Owned(action),
            max_length: Some(settings::MESSAGE_SECONDS),
            timeout: Some(settings::MESSAGE_SILENCE_SECONDS),
            play_beep: Some(true),
            ..Record::default()
        }));
        verbs.extend(self.prompt(PromptName::Goodbye));
        verbs.push(Verb::Hangup);
    }
}
