//! Twilio's error codes, as far as a voice webhook can cause them.

use std::fmt;

/// What is wrong with an answer, by Twilio's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The webhook's URL is none.
    BadUrl,
    /// The status is not 2xx, or no answer came in time.
    Retrieval,
    /// No connection, or one that was cut.
    Connection,
    /// What came back is not HTTP.
    Protocol,
    /// The host's name is not known.
    HostName,
    /// Too many redirections by HTTP.
    Redirects,
    /// The document is longer than 64 kB.
    TooLong,
    /// The document is no XML, or its root is another than `<Response>`.
    Parse,
    /// The document does not follow the schema. Twilio passes over the part and goes on.
    Schema,
    /// The media type is none that Twilio takes for a document.
    ContentType,
    /// `speechTimeout` is neither a positive number nor `auto`, or it is `auto` with a chosen model.
    SpeechTimeout,
    /// `maxSpeechTime` is not a positive number.
    MaxSpeechTime,
    /// More than 500 hints, or one of more than 100 characters.
    Hints,
    /// `speechModel` is none that is known.
    SpeechModel,
    /// `speechTimeout="auto"` with the default model.
    AutoWithDefaultModel,
    /// A `<Say>` with more words than its voice takes.
    SayTooLong,
    /// A callback was answered with a status other than 2xx.
    Callback,
    /// A premium number cannot be dialled.
    PremiumNumber,
    /// The number to be dialled is none.
    InvalidNumber,
    /// The number may not be dialled.
    BlockedNumber,
    /// Twilio would take this; the simulator does not play it.
    NotPlayed,
}

impl Code {
    /// Twilio's number; 0 for what only the simulator does not take.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::BadUrl => 11100,
            Self::Retrieval => 11200,
            Self::Connection => 11205,
            Self::Protocol => 11206,
            Self::HostName => 11210,
            Self::Redirects => 11215,
            Self::TooLong => 11750,
            Self::Parse => 12100,
            Self::Schema => 12200,
            Self::ContentType => 12300,
            Self::SpeechTimeout => 13327,
            Self::MaxSpeechTime => 13328,
            Self::Hints => 13330,
            Self::SpeechModel => 13334,
            Self::AutoWithDefaultModel => 13335,
            Self::SayTooLong => 13521,
            Self::Callback => 15003,
            Self::PremiumNumber => 21202,
            Self::InvalidNumber => 21211,
            Self::BlockedNumber => 21216,
            Self::NotPlayed => 0,
        }
    }

    /// What the number means.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::BadUrl => "bad URL",
            Self::Retrieval => "HTTP retrieval failure",
            Self::Connection => "HTTP connection failure",
            Self::Protocol => "HTTP protocol violation",
            Self::HostName => "bad host name",
            Self::Redirects => "too many HTTP redirects",
            Self::TooLong => "response body too large",
            Self::Parse => "document parse failure",
            Self::Schema => "schema validation warning",
            Self::ContentType => "invalid content type",
            Self::SpeechTimeout => "Gather: invalid speechTimeout",
            Self::MaxSpeechTime => "Gather: invalid maxSpeechTime",
            Self::Hints => "Gather: invalid hints",
            Self::SpeechModel => "Gather: invalid speechModel",
            Self::AutoWithDefaultModel => "Gather: speechTimeout auto with the default model",
            Self::SayTooLong => "Say: text too long",
            Self::Callback => "callback not answered with 2xx",
            Self::PremiumNumber => "premium number",
            Self::InvalidNumber => "invalid number",
            Self::BlockedNumber => "number not allowed",
            Self::NotPlayed => "not played by the simulator",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.words())
    }
}

/// A code, and what of the answer caused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Fault {
    /// Twilio's code.
    pub code: Code,
    /// What caused it.
    pub detail: String,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
