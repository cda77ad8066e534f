//! What an executed call asks for, and what it is told.

use std::time::Duration;

use crate::{
    code::Fault,
    document::{Document, Gather, Method, Record},
    form::Form,
};

/// What has to happen before the call can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This is to be asked for; then [`super::Call::answered`] or [`super::Call::failed`].
    Request(Request),
    /// The caller is listened to; then [`super::Call::act`].
    Listen(Listening),
    /// Somebody is rung; then [`super::Call::rung`].
    Ring(Ringing),
    /// Nothing: the call is over.
    Over(Ending),
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The whole URL; its fragment may hold what Twilio calls connection overrides.
    pub url: String,
    /// GET or POST.
    pub method: Method,
    /// The parameters.
    pub form: Form,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a webhook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Its document goes on with the call.
    Turn,
    /// Its document is for a dialled person.
    Whisper,
    /// The caller is gone; Twilio tells what came of it and carries no document out.
    Farewell,
    /// Tells of something; Twilio waits for no document.
    Notice,
}

/// Who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// A `<Gather>`; its prompts have not been spoken yet.
    Gather(Gather),
    /// A `<Record>`; its beep has been heard.
    Record(Record),
}

/// What a caller does while somebody listens.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Speaks.
    Speak {
        /// The words, as the recogniser returns them.
        words: String,
        /// How sure the recogniser is; it does not always say so.
        confidence: Option<f64>,
        /// When it begins.
        when: When,
        /// Whether the caller hangs up after the last word.
        hangs_up: bool,
    },
    /// Presses keys.
    Press {
        /// The keys.
        keys: String,
        /// When it begins.
        when: When,
    },
    /// Says and does nothing.
    Wait,
    /// Hangs up.
    HangUp {
        /// When.
        when: When,
    },
}

/// When a caller acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after the last prompt.
    After(Duration),
    /// So long after the first prompt began: into it, unless it is over by then.
    Into(Duration),
}

/// Who is rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ringing {
    /// The numbers, all at once.
    pub numbers: Vec<String>,
    /// For how long at most.
    pub timeout: Duration,
    /// Whether the person has to take the call after a whisper.
    pub whispers: bool,
}

/// What came of ringing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// The line is busy.
    Busy,
    /// Nobody picked up.
    NoAnswer,
    /// The network could not connect.
    Failed,
    /// One of them picked up.
    Answered(Callee),
}

/// Somebody who picked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callee {
    /// Which of the numbers, counted from 0.
    pub number: usize,
    /// After how much ringing.
    pub after: Duration,
    /// The keys that the person presses when the whisper asks; `None`: never presses one, as a machine does.
    pub presses: Option<String>,
    /// Whether it is a machine.
    pub machine: bool,
    /// Whether the person hangs up while the whisper is heard.
    pub hangs_up: bool,
    /// How long the two talk, once connected.
    pub talks: Duration,
}

/// What came back for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The document.
    pub document: Document,
    /// Where it came from: the request's URL, or the fallback's.
    pub url: String,
    /// How long it took.
    pub took: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The document hung up, or ended.
    HungUp,
    /// The caller hung up.
    CallerHungUp,
    /// The caller was connected to a person.
    Transferred,
    /// The caller was connected to a machine that nobody had asked to press a key.
    Machine,
    /// A message was recorded.
    Message,
    /// The call was not taken.
    Rejected,
    /// It ended without a word.
    Silent,
    /// "An application error has occurred."
    ApplicationError(Fault),
    /// Documents led to documents and nothing was heard.
    Circles,
}

impl Ending {
    /// One word for tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HungUp => "answered",
            Self::CallerHungUp => "caller-hung-up",
            Self::Transferred => "transferred",
            Self::Machine => "machine",
            Self::Message => "message",
            Self::Rejected => "rejected",
            Self::Silent => "silent",
            Self::ApplicationError(_) => "application-error",
            Self::Circles => "circles",
        }
    }

    /// Whether a call may end so.
    #[must_use]
    pub const fn is_legal(&self) -> bool {
        matches!(
            self,
            Self::HungUp | Self::CallerHungUp | Self::Transferred | Self::Message
        )
    }
}

/// Something that happened in a call, for its transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When it began, counted from the first ring.
    pub at: Duration,
    /// What it was.
    pub what: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The front desk spoke.
    Spoken {
        /// The words.
        words: String,
        /// Whether the caller cut them off.
        cut: bool,
    },
    /// A recording or keys were played.
    Played(String),
    /// A beep was heard.
    Beep,
    /// The caller spoke.
    Said(String),
    /// The caller pressed keys.
    Pressed(String),
    /// The caller spoke or pressed keys and nobody listened to that.
    Unheard(String),
    /// Nothing came from the caller.
    Silence,
    /// A message of so many seconds was recorded.
    Recorded(u64),
    /// These were rung.
    Rang(Vec<String>),
    /// A dialled person heard this.
    Whispered(String),
    /// What came of dialling.
    Dialled(String),
    /// Caller and person were connected.
    Connected,
    /// The caller hung up.
    HungUp,
    /// Twilio warned of this, or gave up because of it.
    Fault(Fault),
}
