//! What a request uses and what that costs.

use serde_json::{Value, json};

use crate::{
    request::Asked,
    script::{Mode, Prices, Script, UsageScript},
};

/// Bytes of text to a token, about.
const BYTES_A_TOKEN: u64 = 4;

/// Tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    prompt: u64,
    /// Of the prompt: read from the cache.
    cached: u64,
    /// Of the prompt: written to the cache.
    written: u64,
    completion: u64,
    /// Of the completion.
    reasoning: u64,
}

/// How many bytes the answer has, and how many of them are reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) bytes: usize,
    pub(crate) reasoning_bytes: usize,
}

impl Usage {
    /// What the script says that a request uses.
    pub(crate) fn of(asked: &Asked, spoken: Spoken, script: &Script) -> Self {
        let most = asked.max_tokens.unwrap_or(u64::MAX);
        let counted = tokens(to_u64(spoken.bytes)).min(most);
        let allowed = asked.max_tokens.unwrap_or(counted);
        let (prompt, completion) = match script.usage {
            None => (tokens(asked.message_bytes()), counted),
            Some(UsageScript::Tokens { prompt, completion }) => (prompt, completion),
            Some(UsageScript::AllOfMaxTokens) => (tokens(asked.message_bytes()), allowed),
            Some(UsageScript::Dearest) => (asked.body_bytes, allowed),
        };
        let is_above = script.mode == Mode::UsageAbove;
        let (cached, written) = cache_parts(prompt, script);
        Self {
            prompt,
            cached,
            written,
            completion: if is_above {
                allowed.saturating_mul(2)
            } else {
                completion
            },
            reasoning: tokens(to_u64(spoken.reasoning_bytes)).min(completion),
        }
    }

    /// The bill, pico-USD.
    pub(crate) fn cost(self, prices: Prices) -> i64 {
        let fresh = self.prompt - self.cached - self.written;
        let parts = [
            (fresh, prices.input),
            (self.cached, prices.cached),
            (self.written, prices.cache_write),
            (self.completion, prices.output),
        ];
        let cost = |(tokens, price): (u64, i64)| i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(price);
        parts.into_iter().map(cost).fold(0, i64::saturating_add)
    }

    /// As `OpenAI` writes it.
    pub(crate) fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt.saturating_add(self.completion),
            "prompt_tokens_details": {
                "cached_tokens": self.cached,
                "cache_write_tokens": self.written,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }
}

/// A usage that nobody can have had.
pub(crate) fn absurd() -> Value {
    json!({
        "prompt_tokens": 4_000_000_000_000_000_000_i64,
        "completion_tokens": -7,
        "total_tokens": 3,
        "prompt_tokens_details": { "cached_tokens": 5_000_000_000_000_000_000_i64, "cache_write_tokens": -1 },
    })
}

/// Tokens of the prompt that were read from and written to the cache.
fn cache_parts(prompt: u64, script: &Script) -> (u64, u64) {
    let prices = script.prices;
    if script.usage == Some(UsageScript::Dearest) {
        let written = if prices.cache_write > prices.input { prompt } else { 0 };
        return (0, written);
    }
    let cached = part(prompt, script.cached_share);
    (cached, part(prompt, script.cache_write_share).min(prompt - cached))
}

/// A share of some tokens, at most all of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "bounded by 0 and `all` after rounding"
)]
fn part(all: u64, share: f64) -> u64 {
    let rounded = (all as f64 * share.clamp(0.0, 1.0)).round() as u64;
    rounded.min(all)
}

/// About the tokens of so many bytes, and never more than them.
fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN)
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let body = br#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"twenty bytes of text"}]}"#;
        Asked::read(body).unwrap()
    }

    fn used(script: &Script) -> Usage {
        let spoken = Spoken {
            bytes: 41,
            reasoning_bytes: 8,
        };
        Usage::of(&asked(), spoken, script)
    }

    #[test]
    fn four_bytes_are_a_token_and_each_kind_has_its_price() {
        let script = Script {
            cached_share: 0.4,
            cache_write_share: 0.9,
            ..Script::default()
        };
        let usage = used(&script);
        let expected = Usage {
            prompt: 5,
            cached: 2,
            written: 3,
            completion: 11,
            reasoning: 2,
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.cost(script.prices), 2 * 10_000 + 3 * 125_000 + 11 * 500_000);
        let uncached = used(&Script::default());
        assert_eq!(uncached.cost(script.prices), 5 * 100_000 + 11 * 500_000);
    }

    #[test]
    fn a_scripted_usage_is_what_is_billed() {
        let billed = |usage, mode| {
            let script = Script {
                usage: Some(usage),
                ..Script::from(mode)
            };
            used(&script).cost(script.prices)
        };
        let tokens = UsageScript::Tokens {
            prompt: 3,
            completion: 2,
        };
        assert_eq!(billed(tokens, Mode::Ok), 3 * 100_000 + 2 * 500_000);
        assert_eq!(
            billed(UsageScript::AllOfMaxTokens, Mode::Ok),
            5 * 100_000 + 50 * 500_000
        );
        assert_eq!(billed(tokens, Mode::UsageAbove), 3 * 100_000 + 100 * 500_000);
        let body = i64::try_from(asked().body_bytes).unwrap();
        assert_eq!(billed(UsageScript::Dearest, Mode::Ok), body * 125_000 + 50 * 500_000);
    }

    #[test]
    fn an_answer_never_counts_more_than_was_allowed_nor_a_bill_more_than_fits() {
        let spoken = Spoken {
            bytes: 10_000,
            reasoning_bytes: 9_000,
        };
        let usage = Usage::of(&asked(), spoken, &Script::default());
        assert_eq!((usage.completion, usage.reasoning), (50, 50));
        let script = Script {
            usage: Some(UsageScript::Tokens {
                prompt: u64::MAX,
                completion: u64::MAX,
            }),
            ..Script::default()
        };
        assert_eq!(used(&script).cost(script.prices), i64::MAX);
    }
}
