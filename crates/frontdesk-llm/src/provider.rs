//! The port to a provider: what can be asked of it, and what can come of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
pub use bytes::Bytes;
use tokio::time::Instant;

use crate::completion::Completion;

/// A server that completes chats.
///
/// Contract: one call of [`Provider::ask`] is at most one request on the wire, is over by its deadline, and says whether it may
/// have been billed. Dropping the future ends the request.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Sends a request's body ([`crate::question::Request`]) and waits for its answer until the deadline. `progress` tells
    /// whoever waits less long whether anything has come.
    async fn ask(&self, body: Bytes, deadline: Instant, progress: &Progress) -> Asked;

    /// Asks for what costs nothing: the list of models.
    async fn probe(&self, deadline: Instant) -> Probed;

    /// Scheme, host and path of the server, for logs; no credentials.
    fn endpoint(&self) -> &str;
}

/// Whether anything has come of an answer yet; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicBool>);

impl Progress {
    /// The head of the response came.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came of a request, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, to the last byte or to the cut.
    pub took: Duration,
    /// How long the head of the response took. `None` when none came.
    pub first_byte: Option<Duration>,
}

/// What came of a request, by what it can have cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A whole response. Billed by its usage; if that is unknown, by at most what was held.
    Answered(Completion),
    /// An error's status. Billed nothing.
    Refused(Refusal),
    /// Nothing was sent: refused, unknown host, no TLS, or no time left. The text names the cause and holds no URL.
    NotConnected(String),
    /// It was sent, and no whole response came. It may have been billed.
    Cut(Cut),
}

impl Outcome {
    /// Whether the provider certainly bills nothing for it.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotConnected(_))
    }

    /// What happened and what to do about it, in plain words; `None` for an answer.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        Some(match self {
            Self::Answered(_) => return None,
            Self::NotConnected(why) => format!(
                "cannot connect: {why}; check FRONTDESK_LLM__BASE_URL, name resolution and the network of this machine"
            ),
            Self::Cut(cut) => format!("{cut}; the provider is slow or down: look at its status page"),
            Self::Refused(refusal) => refusal.complaint(),
        })
    }
}

/// How a request was cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// The deadline passed.
    #[error("no whole answer came in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The response has more bytes than [`crate::client::MAX_BYTES`].
    #[error("the answer has more than {} KiB", crate::client::MAX_BYTES / 1024)]
    TooLarge,
    /// The response is no JSON object.
    #[error("the answer is no JSON object")]
    NotJson,
}

/// An error that a provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What it means.
    pub kind: RefusalKind,
    /// How long the provider asks to wait, at most a day.
    pub retry_after: Option<Duration>,
    /// The provider's own code for it: printable ASCII, at most 64 characters.
    pub code: Option<String>,
}

/// What an error of a provider means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The key is wrong or may not do this (401, 403).
    Credentials,
    /// There is no money left, or a quota is used up (402, some 429).
    Payment,
    /// Too many requests for now (429).
    RateLimited,
    /// There is no such model, or no such server at this path (404).
    NoSuchModel,
    /// The server does not take such a request (400, 413, 415, 422).
    BadRequest,
    /// The server is in trouble (5xx).
    Server,
    /// Another status, such as a redirection, which is not followed.
    Other,
}

impl RefusalKind {
    /// Whether the next request would fare the same until somebody does something.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Credentials | Self::Payment)
    }

    /// Whether the same request may fare better at once.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::RateLimited | Self::Server)
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Credentials => "the key is not accepted: check FRONTDESK_LLM__API_KEY (or OPENAI_API_KEY)",
            Self::Payment => "the account has no credit or quota left: look at the provider's billing page",
            Self::RateLimited => "too many requests: it passes, or the account's rate limit is to be raised",
            Self::NoSuchModel => {
                "there is no such model or path: check FRONTDESK_LLM__MODEL and FRONTDESK_LLM__BASE_URL (most end in /v1)"
            }
            Self::BadRequest => "the request is not understood: the model may not know structured output",
            Self::Server => "the provider fails: look at its status page",
            Self::Other => "this is no answer of a chat API: check FRONTDESK_LLM__BASE_URL",
        }
    }
}

impl Refusal {
    fn complaint(&self) -> String {
        let (status, advice) = (self.status, self.kind.advice());
        match &self.code {
            Some(code) => format!("HTTP {status} ({code}): {advice}"),
            None => format!("HTTP {status}: {advice}"),
        }
    }
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The list of models came: the server is there, and the key opens it.
    Free {
        /// How long it took.
        took: Duration,
    },
    /// This server has no such list (404, 405, 501).
    NotOffered,
    /// It failed, as [`Provider::ask`] can.
    Failed(Outcome),
}
