//! What a document tells Twilio to do.

use std::time::Duration;

use crate::code::Fault;

/// A document that was taken, with what Twilio warns of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The verbs, in order.
    pub verbs: Vec<Verb>,
    /// What Twilio passes over, and says so in its debugger.
    pub warnings: Vec<Fault>,
}

/// One verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Speaks.
    Say(Say),
    /// Plays a recording, or keys.
    Play(Play),
    /// Says nothing for a while.
    Pause(Duration),
    /// Waits for words or keys.
    Gather(Gather),
    /// Takes a message.
    Record(Record),
    /// Rings somebody and connects the caller.
    Dial(Dial),
    /// Goes on with another document.
    Redirect(Link),
    /// Ends the call.
    Hangup,
    /// Does not take the call.
    Reject,
}

/// How a URL is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// GET, the parameters in the query.
    Get,
    /// POST, the parameters as a form.
    #[default]
    Post,
}

impl Method {
    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A URL, perhaps relative, and how it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// The URL as it was written; empty: that of the current document.
    pub url: String,
    /// GET or POST.
    pub method: Method,
}

/// `<Say>`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Say {
    /// The words, SSML left out.
    pub text: String,
    /// Whose voice.
    pub voice: Option<String>,
    /// How often; 0: for ever.
    pub times: u32,
}

/// `<Play>`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Play {
    /// The recording's URL; empty where keys are played.
    pub url: String,
    /// Keys.
    pub digits: Option<String>,
    /// How often; 0: for ever.
    pub times: u32,
}

/// How long a speaker may be silent before the words count as complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechTimeout {
    /// The recogniser decides.
    Auto,
    /// So long.
    After(Duration),
}

/// `<Gather>`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the attributes of Twilio's verb")]
pub struct Gather {
    /// Where the result goes; without one: to the current document's URL.
    pub action: Option<String>,
    /// How it is sent there.
    pub method: Method,
    /// Whether an empty result goes there as well.
    pub action_on_empty_result: bool,
    /// Whether words are listened to.
    pub speech: bool,
    /// Whether keys are listened to.
    pub keys: bool,
    /// How long the first word or the next key may take.
    pub timeout: Duration,
    /// When words are complete.
    pub speech_timeout: SpeechTimeout,
    /// How long somebody may speak.
    pub max_speech: Option<Duration>,
    /// With how many keys the input is complete.
    pub num_digits: Option<usize>,
    /// Which key completes the input.
    pub finish_on_key: Option<char>,
    /// Whether words cut the prompts off; keys always do.
    pub barge_in: bool,
    /// The recogniser's language.
    pub language: String,
    /// What the recogniser should expect.
    pub hints: Vec<String>,
    /// Where unfinished results go.
    pub partial_results: Option<Link>,
    /// What is said and played meanwhile.
    pub prompts: Vec<Verb>,
}

/// `<Record>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where the result goes; without one: to the current document's URL.
    pub action: Option<String>,
    /// How it is sent there.
    pub method: Method,
    /// After how much silence the recording ends.
    pub timeout: Duration,
    /// How long it may be.
    pub max_length: Duration,
    /// Which keys end it.
    pub finish_on_key: String,
    /// Whether a beep is heard first.
    pub beep: bool,
    /// Where it is told that the recording can be fetched.
    pub status_callback: Option<Link>,
    /// On what that is told: `in-progress`, `completed`, `absent`.
    pub status_events: Vec<String>,
    /// Where a transcript goes, if one was asked for.
    pub transcript: Option<String>,
}

/// `<Dial>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Where the outcome goes; without one the document goes on.
    pub action: Option<String>,
    /// How it is sent there.
    pub method: Method,
    /// How long it rings.
    pub timeout: Duration,
    /// How long the two may talk.
    pub time_limit: Duration,
    /// The number that is shown.
    pub caller_id: Option<String>,
    /// Who is rung, all at once.
    pub numbers: Vec<Number>,
}

/// Somebody to be rung.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Number {
    /// The number, or the address of a client or a SIP telephone.
    pub number: String,
    /// Why it cannot be dialled.
    pub fault: Option<Fault>,
    /// What the person hears before the two are connected.
    pub whisper: Option<Link>,
    /// Where the progress of the call is told.
    pub status_callback: Option<Link>,
    /// Which progress.
    pub status_events: Vec<String>,
}
