//! How the double behaves: what goes wrong, how slow it is and what it bills.

use std::time::Duration;

/// How requests are answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// What goes wrong, if anything.
    pub mode: Mode,
    /// How long a response is held back, of whatever kind.
    pub latency: Duration,
    /// What a token costs.
    pub prices: Prices,
    /// What usage is billed; `None` = as counted from the texts.
    pub usage: Option<UsageScript>,
    /// Which share of the prompt's tokens was read from the provider's cache, from 0 to 1.
    pub cached_share: f64,
    /// Which share of the prompt's tokens was written to the provider's cache, from 0 to 1. What is read comes first:
    /// both together are never more than the prompt.
    pub cache_write_share: f64,
    /// Whether a request costs its usage even if its answer never arrives whole: the cruel case, and the usual one.
    pub bill_unanswered: bool,
    /// One in so many chat completions is answered 503 instead and bills nothing; 0 = none.
    pub refuse_every: u64,
}

impl Script {
    /// How this chat completion is answered; the first one is number 1.
    pub(crate) fn for_call(self, number: u64) -> Self {
        if self.refuse_every == 0 || !number.is_multiple_of(self.refuse_every) {
            return self;
        }
        let mode = Mode::Status {
            status: 503,
            code: None,
            retry_after: None,
        };
        Self { mode, ..self }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            mode: Mode::Ok,
            latency: Duration::ZERO,
            prices: Prices::default(),
            usage: None,
            cached_share: 0.0,
            cache_write_share: 0.0,
            bill_unanswered: true,
            refuse_every: 0,
        }
    }
}

impl From<Mode> for Script {
    /// The default script in this mode.
    fn from(mode: Mode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }
}

/// Prices in pico-USD (10⁻¹² USD) a token. The default is that of gpt-6-luna in November 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// A token of the prompt that no cache had.
    pub input: i64,
    /// A token of the prompt that was read from the cache.
    pub cached: i64,
    /// A token of the prompt that was written to the cache.
    pub cache_write: i64,
    /// A token of the answer, reasoning included.
    pub output: i64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            input: 100_000,
            cached: 10_000,
            cache_write: 125_000,
            output: 500_000,
        }
    }
}

/// What usage is billed, whatever was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageScript {
    /// So many tokens.
    Tokens {
        /// Of the prompt.
        prompt: u64,
        /// Of the answer, reasoning included.
        completion: u64,
    },
    /// The prompt as counted, and as many tokens of the answer as the request allows.
    AllOfMaxTokens,
    /// The dearest that the request allows: a token a byte of the request's body, all of them written to the cache if
    /// that is dearer, and as many tokens of the answer as it allows.
    Dearest,
}

/// What goes wrong. Unless it says otherwise, the response is a whole `200` and is billed.
///
/// `GET …/models` fails as well when the mode is one of the transport or an HTTP error, that is: [`Mode::Hang`],
/// [`Mode::Close`], [`Mode::Stall`], [`Mode::Cut`], [`Mode::Drip`], [`Mode::HalfJson`], [`Mode::Html`],
/// [`Mode::Status`], [`Mode::Quota`], [`Mode::HugeBody`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing.
    #[default]
    Ok,
    /// No byte is ever sent; the connection stays open.
    Hang,
    /// The connection is closed without a byte.
    Close,
    /// The head and so many bytes of the body are sent, then no more. The last byte never is.
    Stall {
        /// Of the body; 0 = the head only.
        after_bytes: usize,
    },
    /// As [`Mode::Stall`], but the connection is closed.
    Cut {
        /// Of the body; 0 = the head only.
        after_bytes: usize,
    },
    /// The body is sent byte by byte.
    Drip {
        /// How long each byte is waited for.
        per_byte: Duration,
    },
    /// The body is the first half of what it should be, and says that this is all.
    HalfJson,
    /// The body is a page of HTML, as of a proxy or a wrong base URL.
    Html,
    /// The message is JSON, of another schema than was asked for.
    WrongSchema,
    /// The message chooses what was not offered.
    UnknownId,
    /// The message is prose, and names an offered choice in it.
    FreeText,
    /// The message is right, inside a code fence.
    Fenced,
    /// The message is right, after reasoning in `<think>` tags.
    Reasoning,
    /// The message is the first half of what it should be, with `finish_reason` `length`.
    Truncated,
    /// A `refusal` instead of a message.
    Refusal,
    /// `choices` is empty.
    EmptyChoices,
    /// The message chooses `none`.
    NoChoice,
    /// The message chooses `none` and says that the caller's wish is out of scope.
    OutOfScope,
    /// An HTTP error; bills nothing.
    Status {
        /// From 400 to 599.
        status: u16,
        /// The error's `code`; `None` = the usual one of this status.
        code: Option<&'static str>,
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
    /// 429 because the account has no money left; bills nothing.
    Quota,
    /// The response has no `usage`.
    UsageMissing,
    /// The `usage` is nonsense: negative, beyond all bounds, its parts more than the whole. The bill is as ever.
    UsageAbsurd,
    /// Says and bills twice the tokens that the request allows.
    UsageAbove,
    /// The right answer after 64 MiB of white space.
    HugeBody,
}

impl Mode {
    /// Whether a request in this mode costs anything.
    pub(crate) fn bills(self) -> bool {
        !matches!(self, Self::Status { .. } | Self::Quota)
    }
}
