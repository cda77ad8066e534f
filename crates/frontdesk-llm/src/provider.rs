//! The port of a provider, and everything that a request to one can come to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::completion::Completion;

/// Answers questions.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Sends a request and reads the whole answer, until `deadline` at the latest. `progress` hears of the first byte.
    async fn ask(&self, body: Vec<u8>, deadline: Instant, progress: &Progress) -> Outcome;
    /// Whether it is there, at no cost; until `deadline` at the latest.
    async fn probe(&self, deadline: Instant) -> Probed;
    /// Where it is, for people: no credentials in it.
    fn endpoint(&self) -> &str;
}

/// Whether anything has come of an answer yet; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicBool>);

impl Progress {
    /// The first byte came.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered whole. It is billed.
    Answered(Completion),
    /// An HTTP error status: certainly nothing is billed.
    Refused(Refusal),
    /// It was never sent: no such host, no connection, no TLS.
    NotConnected(String),
    /// It was sent, and no whole answer came. It may be billed.
    Cut(Cut),
}

/// A provider's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What it means.
    pub kind: RefusalKind,
    /// The provider's own code for it, such as `insufficient_quota`.
    pub code: Option<String>,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The key is not accepted.
    Credentials,
    /// The account has no money or no quota left.
    Payment,
    /// Too many requests for now.
    RateLimited,
    /// There is no such model or path.
    NotFound,
    /// The request is not understood.
    Request,
    /// The provider fails.
    Server,
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
}

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// The time was over.
    #[error("no whole answer came in time")]
    Late,
    /// The connection broke.
    #[error("the connection broke before the answer was whole")]
    Broken,
    /// The answer was larger than any real one.
    #[error("the answer was too large")]
    TooLarge,
    /// The answer is no JSON object.
    #[error("the answer was no chat completion")]
    NotAnAnswer,
}

/// What a probe came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// It is there.
    There,
    /// It has no list of models: only a question can tell.
    NotOffered,
    /// It is not there.
    Failed(Outcome),
}

impl Outcome {
    /// Whether the provider certainly bills nothing for it.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotConnected(_))
    }

    /// What happened and what to do, in plain words; `None` if it was answered.
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

impl Refusal {
    fn complaint(&self) -> String {
        let Self { status, code, kind, .. } = self;
        let advice = match kind {
            RefusalKind::Credentials => "the key is not accepted: check FRONTDESK_LLM__API_KEY (or OPENAI_API_KEY)",
            RefusalKind::Payment => "the account has no credit or quota left: look at the provider's billing page",
            RefusalKind::RateLimited => "too many requests: it passes, or the account's rate limit is to be raised",
            RefusalKind::NotFound => {
                "there is no such model or path: check FRONTDESK_LLM__MODEL and FRONTDESK_LLM__BASE_URL (most end in /v1)"
            }
            RefusalKind::Request => "the request is not understood: the model may not know structured output",
            RefusalKind::Server => "the provider fails: look at its status page",
        };
        match code {
            Some(code) => format!("HTTP {status} ({code}): {advice}"),
            None => format!("HTTP {status}: {advice}"),
        }
    }
}
