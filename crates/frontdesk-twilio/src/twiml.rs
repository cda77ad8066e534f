//! The answer to a voice webhook, as `TwiML`: verbs as data, written so that Twilio always takes them.
//!
//! A document that leaves here parses, is at most [`MAX_DOCUMENT`] bytes long, and has no `<Say>` that is empty or
//! longer than its voice allows. What a caller said cannot become a verb: it is only ever text.
//! Texts are [`Cow`], so that a verb can borrow what outlives it. See <https://www.twilio.com/docs/voice/twiml>.

mod hints;
mod speech;
mod write;

pub use hints::Hints;

use std::borrow::Cow;

/// The longest document that Twilio reads, in bytes (its error 11750).
pub const MAX_DOCUMENT: usize = 65_536;

/// The value of the `Content-Type` header that belongs to a document.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// What Twilio is to do next, verb by verb.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response<'a> {
    /// The verbs, in the order in which they are done. None at all ends the call.
    pub verbs: Vec<Verb<'a>>,
}

impl Response<'_> {
    /// The document. Characters that XML does not have are dropped.
    ///
    /// What is too long is shortened: first every speech by the same measure, at a sentence or else a word; then the
    /// hints go; at last the verbs at the end.
    pub fn to_xml(&self) -> String {
        write::document(&self.verbs)
    }
}

impl<'a> FromIterator<Verb<'a>> for Response<'a> {
    fn from_iter<I: IntoIterator<Item = Verb<'a>>>(verbs: I) -> Self {
        Self {
            verbs: verbs.into_iter().collect(),
        }
    }
}

/// One thing for Twilio to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb<'a> {
    /// Speaks.
    Say(Say<'a>),
    /// Plays a recording.
    Play(Play<'a>),
    /// Is silent.
    Pause(Pause),
    /// Listens for speech or keys.
    Gather(Gather<'a>),
    /// Connects the caller with somebody.
    Dial(Dial<'a>),
    /// Records the caller.
    Record(Record<'a>),
    /// Goes on with another document.
    Redirect(Redirect<'a>),
    /// Ends the call.
    Hangup,
    /// Declines the call unanswered; only sensible as the first verb.
    Reject(RejectReason),
}

/// What can happen while Twilio listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// Speaks.
    Say(Say<'a>),
    /// Plays a recording.
    Play(Play<'a>),
    /// Is silent.
    Pause(Pause),
}

/// Speech. Blank speech is left out, long speech becomes several `<Say>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Say<'a> {
    /// The words; plain text, not SSML.
    pub text: Cow<'a, str>,
    /// The voice, such as `Polly.Joanna-Neural`.
    pub voice: Option<Cow<'a, str>>,
    /// The language, such as `en-US`.
    pub language: Option<Cow<'a, str>>,
}

/// A recording to play.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Play<'a> {
    /// Where it is; without one, nothing is written.
    pub url: Cow<'a, str>,
}

/// Silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// How many seconds.
    pub seconds: u32,
}

/// How Twilio asks for the next document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// With the parameters in the body.
    #[default]
    Post,
    /// With the parameters in the query.
    Get,
}

/// What a `<Gather>` listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// Keys.
    Dtmf,
    /// Words.
    Speech,
    /// Whichever comes first.
    #[default]
    DtmfSpeech,
}

/// Listens. `speechModel` is never written: Twilio then picks a recogniser and fails over between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gather<'a> {
    /// What to listen for.
    pub input: Input,
    /// Where to post what was heard. Twilio's default is the current URL, which loops; so it is not optional.
    pub action: Cow<'a, str>,
    /// How to ask for `action`.
    pub method: Method,
    /// Seconds to wait for the first word or key.
    pub timeout: Option<u32>,
    /// Seconds of silence that end the speech. A number, because `auto` cuts at the first breath.
    pub speech_timeout: Option<u32>,
    /// The language to recognise.
    pub language: Option<Cow<'a, str>>,
    /// Words to expect.
    pub hints: Hints,
    /// Whether silence is posted to `action` too; otherwise the next verb is done.
    pub action_on_empty_result: bool,
    /// The key that ends the keys; empty for none.
    pub finish_on_key: Option<Cow<'a, str>>,
    /// How many keys end the keys.
    pub num_digits: Option<u32>,
    /// Whether speech or a key cuts off the prompts.
    pub barge_in: Option<bool>,
    /// What is said while listening.
    pub prompts: Vec<Prompt<'a>>,
}

/// Connects the caller with the first of some numbers that answers. Without numbers, nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dial<'a> {
    /// Where to post how it ended; without one, the next verb is done.
    pub action: Option<Cow<'a, str>>,
    /// How to ask for `action`.
    pub method: Method,
    /// The number that the dialled person sees.
    pub caller_id: Option<Cow<'a, str>>,
    /// Seconds to let it ring.
    pub timeout: Option<u32>,
    /// Seconds after which the talk is ended.
    pub time_limit: Option<u32>,
    /// Whether the caller hears ringing until somebody answers.
    pub answer_on_bridge: bool,
    /// Who rings, at once; Twilio takes ten, further ones are left out.
    pub numbers: Vec<Number<'a>>,
}

/// A telephone number to dial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Number<'a> {
    /// The number in E.164 form.
    pub number: Cow<'a, str>,
    /// The document that the dialled person hears before being connected (a whisper).
    pub url: Option<Cow<'a, str>>,
    /// How to ask for `url`.
    pub method: Method,
}

/// Records what the caller says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record<'a> {
    /// Where to post the recording's URL when it is done.
    pub action: Cow<'a, str>,
    /// How to ask for `action`.
    pub method: Method,
    /// The longest recording, in seconds.
    pub max_length: Option<u32>,
    /// Seconds of silence that end it.
    pub timeout: Option<u32>,
    /// Whether a beep comes first.
    pub play_beep: Option<bool>,
    /// The keys that end it; empty for none.
    pub finish_on_key: Option<Cow<'a, str>>,
    /// Where to post that the recording can be fetched.
    pub recording_status_callback: Option<Cow<'a, str>>,
    /// Whether silence at both ends is cut off.
    pub trim: Option<Trim>,
    /// Where to post the transcript; without one, nothing is transcribed.
    pub transcribe_callback: Option<Cow<'a, str>>,
}

/// What happens to silence at the ends of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// It is cut off.
    TrimSilence,
    /// It stays.
    DoNotTrim,
}

/// Another document to go on with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirect<'a> {
    /// Where it is.
    pub url: Cow<'a, str>,
    /// How to ask for it.
    pub method: Method,
}

/// What the caller hears when a call is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RejectReason {
    /// That the number is not in service.
    #[default]
    Rejected,
    /// A busy tone.
    Busy,
}

impl<'a> Say<'a> {
    /// Speech in Twilio's default voice.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: text.into(),
            voice: None,
            language: None,
        }
    }
}

impl<'a> From<&'a str> for Say<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Say<'_> {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'a> From<Prompt<'a>> for Verb<'a> {
    fn from(prompt: Prompt<'a>) -> Self {
        match prompt {
            Prompt::Say(say) => Self::Say(say),
            Prompt::Play(play) => Self::Play(play),
            Prompt::Pause(pause) => Self::Pause(pause),
        }
    }
}

#[cfg(test)]
mod tests;
