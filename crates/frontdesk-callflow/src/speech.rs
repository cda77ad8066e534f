//! Turns an answer into the document that Twilio carries out.

use std::borrow::Cow;

use frontdesk_domain::{
    call_state::Question,
    decision::Offer,
    documents::{company::Status, prompts::PromptName, template::Action},
    ids::CompanyId,
    phone::PhoneNumber,
    time::{Hours, Timestamp},
};
use frontdesk_twilio::{
    twiml::{Dial, Gather, Input, Method, Number, Pause, Prompt, Record, Redirect, Response, Say, Verb},
    webhook::TurnParameters,
};

use crate::{
    answer::{AnsweredBy, Pace},
    company::Tenant,
    conversation, settings,
    turn::{Decided, Turn},
    webhook::Path,
};

/// Marks the address of a message that was asked for because the one before it could not be kept.
const SECOND: &str = "second=1";

/// Marks the address to which the dialled person's key is posted.
const ASKED: &str = "asked=1";

/// Whether the caller was asked for this message because the one before it could not be kept.
pub(crate) fn is_second_message(target: &str) -> bool {
    has_pair(target, SECOND)
}

fn has_pair(target: &str, marker: &str) -> bool {
    let query = target.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.split('&').any(|pair| pair == marker))
}

/// The document for a decided turn; `sealed` is the state that the next one begins with.
pub(crate) fn document(tenant: &Tenant, turn: &Turn<'_>, decided: &Decided, sealed: &str) -> String {
    let speaker = Speaker {
        tenant,
        sealed,
        pace: decided.pace,
    };
    let response = &*decided.decision.response;
    let by_fallback = matches!(decided.by, AnsweredBy::Fallback(_));
    let mut verbs = Vec::with_capacity(8);
    match decided.decision.action {
        Action::None => speaker.listen(response, decided.follow.as_deref(), &decided.asks, &mut verbs),
        Action::Hangup => {
            speaker.say(response, &mut verbs);
            verbs.push(Verb::Hangup);
        }
        Action::TakeMessage => {
            speaker.say(response, &mut verbs);
            // What asks for the message, where the response does not ask for it itself.
            if let Some(follow) = decided.follow.as_deref() {
                speaker.say(follow, &mut verbs);
            }
            speaker.take_message(false, &mut verbs);
        }
        Action::Transfer => {
            // A company that forwards is dialled without a word.
            let is_forward = decided.by == AnsweredBy::Status && decided.dials.is_some();
            if !is_forward {
                speaker.say(response, &mut verbs);
            }
            match decided.dials {
                Some(number) => {
                    if by_fallback {
                        verbs.extend(speaker.prompt(PromptName::Transfer));
                    }
                    let action = Path::DialResult.with_state(tenant.id(), sealed);
                    let mut dial = speaker.dial(number, turn.caller(), !is_forward);
                    dial.action = Some(Cow::Owned(action));
                    verbs.push(Verb::Dial(dial));
                }
                None => verbs.extend(speaker.prompt(PromptName::TransferFailed)),
            }
            speaker.take_message(true, &mut verbs);
        }
    }
    Response { verbs }.to_xml()
}

/// The emergency sentence, then a person who was not dialled yet, else a message (DESIGN section 1).
pub(crate) fn emergency(tenant: &Tenant, now: Timestamp, dialled: &[PhoneNumber]) -> String {
    let speaker = Speaker::stateless(tenant);
    let mut verbs = Vec::new();
    speaker.say(settings::EMERGENCY_SENTENCE, &mut verbs);
    verbs.extend(tenant.next_number(now, dialled).map(|number| speaker.dial_verb(number)));
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
    ending(tenant, PromptName::MessageThanks)
}

/// That the call has ended already.
pub(crate) fn call_over(tenant: &Tenant) -> String {
    ending(tenant, PromptName::CallOver)
}

fn ending(tenant: &Tenant, prompt: PromptName) -> String {
    let mut verbs: Vec<_> = Speaker::stateless(tenant).prompt(prompt).into_iter().collect();
    verbs.push(Verb::Hangup);
    Response { verbs }.to_xml()
}

/// That a message could not be kept: another one is asked for.
pub(crate) fn message_lost(tenant: &Tenant, sealed: Option<&str>) -> String {
    let speaker = Speaker::stateless(tenant);
    let path = Path::Message;
    let address = match sealed {
        Some(sealed) => format!("{}&{SECOND}", path.with_state(tenant.id(), sealed)),
        None => format!("{}?{SECOND}", path.of(tenant.id())),
    };
    let sorry = tenant.prompt(PromptName::TechnicalIssue, 0);
    let sorry = sorry.and_then(|words| conversation::leading_to(tenant, Offer::Message, &words));
    let sorry = sorry.map(|words| Verb::Say(speaker.words(Cow::Owned(words.to_string()))));
    let mut verbs: Vec<_> = sorry.into_iter().collect();
    verbs.extend(speaker.prompt(PromptName::TakeMessage));
    speaker.record(address, &mut verbs);
    Response { verbs }.to_xml()
}

/// That the second message could not be kept either: a person if one is there, else the end of the call.
pub(crate) fn message_given_up(tenant: &Tenant, now: Timestamp, dialled: &[PhoneNumber]) -> String {
    let speaker = Speaker::stateless(tenant);
    let mut verbs: Vec<_> = speaker.prompt(PromptName::Apology).into_iter().collect();
    verbs.extend(tenant.next_number(now, dialled).map(|number| speaker.dial_verb(number)));
    verbs.push(Verb::Hangup);
    Response { verbs }.to_xml()
}

/// What Twilio does when this service does not answer it: one sentence, a person, a goodbye.
pub(crate) fn dead_man(tenant: &Tenant, now: Timestamp) -> String {
    // A whisper would need this service, so there is none.
    dead_man_with(tenant, tenant.next_number(now, &[]), None)
}

/// The same as files for a web host that serves them at any hour: the person is one who is there at any hour, else the
/// first of the list, and has to press a key, so that no answering machine swallows the call.
pub(crate) fn dead_man_files(tenant: &Tenant) -> [(String, String); 3] {
    let id = tenant.id();
    let [main, whisper, accepted] = ["", "-whisper", "-accepted"].map(|part| format!("{id}{part}.xml"));
    let speaker = Speaker::stateless(tenant);
    let asking = Gather {
        method: Method::Get,
        ..speaker.whispering(accepted.clone())
    };
    let taken: Vec<_> = speaker.prompt(PromptName::WhisperAccepted).into_iter().collect();
    let asked = Response {
        verbs: vec![Verb::Gather(asking), Verb::Hangup],
    };
    [
        (main, dead_man_with(tenant, None, Some(&whisper))),
        (whisper, asked.to_xml()),
        (accepted, Response { verbs: taken }.to_xml()),
    ]
}

fn dead_man_with(tenant: &Tenant, open: Option<PhoneNumber>, whisper: Option<&str>) -> String {
    let speaker = Speaker::stateless(tenant);
    let company = &tenant.settings.company;
    if company.status == Status::Suspended {
        return ending(tenant, PromptName::Suspended);
    }
    let destinations = || {
        let listed = company.transfer.destinations.iter();
        listed.filter(|to| tenant.may_dial(to.number))
    };
    let always = destinations().find(|to| to.hours == Hours::always());
    let listed = || always.or_else(|| destinations().next()).map(|to| to.number);
    let number = open.or_else(listed).or_else(|| tenant.forward_number(&[]));
    let sentence = if number.is_some() {
        PromptName::TechnicalIssue
    } else {
        PromptName::Apology
    };
    let mut verbs: Vec<_> = speaker.prompt(sentence).into_iter().collect();
    verbs.extend(number.map(|number| {
        let mut dial = speaker.dial(number, None, false);
        for number in &mut dial.numbers {
            number.url = whisper.map(Cow::Borrowed);
            number.method = Method::Get;
        }
        Verb::Dial(dial)
    }));
    verbs.extend(speaker.prompt(PromptName::Goodbye));
    verbs.push(Verb::Hangup);
    Response { verbs }.to_xml()
}

/// What the dialled person hears: press 1 to take the call, so that no answering machine swallows it. Whoever presses it
/// is connected when the document ends.
pub(crate) fn whisper(tenant: &Tenant, target: &str, parameters: &TurnParameters<'_>) -> String {
    let speaker = Speaker::stateless(tenant);
    let pressed = parameters.pressed().map(str::trim);
    let verbs: Vec<_> = match (has_pair(target, ASKED), pressed) {
        (true, Some("1")) => speaker.prompt(PromptName::WhisperAccepted).into_iter().collect(),
        (true, _) => speaker
            .prompt(PromptName::WhisperDeclined)
            .into_iter()
            .chain([Verb::Hangup])
            .collect(),
        (false, _) => {
            let gather = speaker.whispering(format!("{}?{ASKED}", Path::Whisper.of(tenant.id())));
            vec![Verb::Gather(gather), Verb::Hangup]
        }
    };
    Response { verbs }.to_xml()
}

/// Speaks in a company's voice and language.
struct Speaker<'t> {
    tenant: &'t Tenant,
    /// The state of the call, for the addresses; empty if there is none.
    sealed: &'t str,
    pace: Pace,
}

impl<'t> Speaker<'t> {
    const fn stateless(tenant: &'t Tenant) -> Self {
        Self {
            tenant,
            sealed: "",
            pace: Pace::Usual,
        }
    }

    fn address(&self, path: Path) -> String {
        if self.sealed.is_empty() {
            path.of(self.company())
        } else {
            path.with_state(self.company(), self.sealed)
        }
    }

    fn company(&self) -> CompanyId {
        self.tenant.id()
    }

    /// A text as it is spoken: in one piece, or sentence by sentence with pauses.
    fn spoken(&self, text: &'t str) -> Vec<Prompt<'t>> {
        if self.pace != Pace::Slow {
            return vec![Prompt::Say(self.words(Cow::Borrowed(text)))];
        }
        let mut prompts = Vec::new();
        for sentence in text.split_inclusive(['.', '!', '?', ';', ',']) {
            if !sentence.trim().is_empty() {
                prompts.push(Prompt::Say(self.words(Cow::Borrowed(sentence.trim()))));
                prompts.push(Prompt::Pause(Pause { seconds: 1 }));
            }
        }
        prompts.pop();
        prompts
    }

    fn say(&self, text: &'t str, verbs: &mut Vec<Verb<'t>>) {
        verbs.extend(self.spoken(text).into_iter().map(Verb::from));
    }

    fn words(&self, text: Cow<'t, str>) -> Say<'t> {
        let voice = &self.tenant.settings.company.voice;
        Say {
            text,
            voice: Some(Cow::Borrowed(&voice.voice)),
            language: Some(Cow::Borrowed(&voice.language)),
        }
    }

    /// Asks the dialled person for the key that takes the call.
    fn whispering(&self, action: String) -> Gather<'t> {
        Gather {
            input: Input::Dtmf,
            action: Cow::Owned(action),
            timeout: Some(settings::WHISPER_SECONDS),
            num_digits: Some(1),
            prompts: self
                .prompt_text(PromptName::Whisper)
                .map(Prompt::Say)
                .into_iter()
                .collect(),
            ..Gather::default()
        }
    }

    fn prompt_text(&self, name: PromptName) -> Option<Say<'t>> {
        let text = self.tenant.prompt(name, 0)?;
        Some(self.words(Cow::Owned(text.to_string())))
    }

    fn prompt(&self, name: PromptName) -> Option<Verb<'t>> {
        self.prompt_text(name).map(Verb::Say)
    }

    /// Speaks and listens. What a caller may not cut off is spoken before the listening begins.
    fn listen(&self, text: &'t str, follow: Option<&'t str>, asks: &Question, verbs: &mut Vec<Verb<'t>>) {
        let voice = &self.tenant.settings.company.voice;
        let mut prompts = self.spoken(text);
        if let Some(follow) = follow {
            if self.pace == Pace::Slow {
                prompts.push(Prompt::Pause(Pause { seconds: 1 }));
            }
            prompts.extend(self.spoken(follow));
        }
        if !voice.barge_in {
            verbs.extend(prompts.drain(..).map(Verb::from));
        }
        let patience = match self.pace {
            Pace::Patient => settings::PATIENCE_SECONDS,
            Pace::Usual | Pace::Slow => u32::from(voice.initial_timeout_seconds),
        };
        verbs.push(Verb::Gather(Gather {
            action: Cow::Owned(self.address(Path::Respond)),
            timeout: Some(patience),
            speech_timeout: Some(u32::from(voice.speech_timeout_seconds)),
            language: Some(Cow::Borrowed(&voice.language)),
            hints: self.tenant.hints.clone(),
            action_on_empty_result: true,
            barge_in: Some(voice.barge_in),
            num_digits: one_key(asks).then_some(1),
            prompts,
            ..Gather::default()
        }));
    }

    /// Records a message, asking for it first if that was not done yet. Who says nothing is offered a call back where
    /// there is one, else hears a goodbye.
    fn take_message(&self, ask: bool, verbs: &mut Vec<Verb<'t>>) {
        if ask {
            verbs.extend(self.prompt(PromptName::TakeMessage));
        }
        self.record(self.address(Path::Message), verbs);
    }

    /// Records and posts it to an address.
    fn record(&self, action: String, verbs: &mut Vec<Verb<'t>>) {
        verbs.push(Verb::Record(Record {
            action: Cow::Owned(action),
            max_length: Some(settings::MESSAGE_SECONDS),
            timeout: Some(settings::MESSAGE_SILENCE_SECONDS),
            play_beep: Some(true),
            recording_status_callback: Some(Cow::Owned(Path::Message.of(self.company()))),
            ..Record::default()
        }));
        if !self.sealed.is_empty() && self.tenant.settings.company.fallback.escalation.callback {
            verbs.push(Verb::Redirect(Redirect {
                url: Cow::Owned(self.address(Path::Respond)),
                ..Redirect::default()
            }));
        } else {
            verbs.extend(self.prompt(PromptName::Goodbye));
            verbs.push(Verb::Hangup);
        }
    }

    fn dial_verb(&self, number: PhoneNumber) -> Verb<'t> {
        Verb::Dial(self.dial(number, None, true))
    }

    /// Dials a number. The dialled person sees the caller's number where they have one, else the company's, and has to
    /// press a key if `whispers`.
    fn dial(&self, number: PhoneNumber, caller: Option<PhoneNumber>, whispers: bool) -> Dial<'t> {
        let shown = caller.unwrap_or(self.tenant.settings.company.phone);
        Dial {
            timeout: Some(settings::DIAL_SECONDS),
            time_limit: Some(settings::DIAL_LIMIT_SECONDS),
            answer_on_bridge: true,
            caller_id: Some(Cow::Owned(shown.to_string())),
            numbers: vec![Number {
                number: Cow::Owned(number.to_string()),
                url: whispers.then(|| Cow::Owned(Path::Whisper.of(self.company()))),
                ..Number::default()
            }],
            ..Dial::default()
        }
    }
}

/// Whether a single key answers what is asked.
const fn one_key(asks: &Question) -> bool {
    match asks {
        Question::AnythingElse
        | Question::Menu
        | Question::Choice(_)
        | Question::Offer(_)
        | Question::Callback
        | Question::CallbackSameNumber
        | Question::CallbackConfirm(..) => true,
        Question::None | Question::Message | Question::CallbackNumber(_) | Question::CallbackTime(_) => false,
    }
}
