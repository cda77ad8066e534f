//! The words of the ledger: who pays, what a token costs, what was held, billed and charged. All amounts are whole pico-USD.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CallId, CompanyId, LedgerEntryId, NotAnObjectId, TurnId},
    money::PicoUsd,
    time::MonthKey,
};

/// Who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// A company, up to its monthly budget.
    Company(CompanyId),
    /// Whoever runs this installation: probes, and what providers bill beyond a hold.
    Platform,
}

const PLATFORM: &str = "platform";

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Company(id) => id.fmt(f),
            Self::Platform => f.write_str(PLATFORM),
        }
    }
}

impl FromStr for Account {
    type Err = NotAnObjectId;

    /// Reads a company's id, or `platform`.
    fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
        if text == PLATFORM {
            return Ok(Self::Platform);
        }
        text.parse().map(Self::Company)
    }
}

/// Tokens that a provider bills. Cached and cache-write tokens are part of the prompt's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Of the prompt, all of them.
    pub prompt: u64,
    /// Of these, read from the provider's cache.
    pub cached: u64,
    /// Of these, written to the provider's cache.
    pub cache_write: u64,
    /// Of the answer, reasoning included.
    pub completion: u64,
}

impl Usage {
    /// Prompt and answer together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

/// What a model's tokens cost from a day on, for requests above a size. Prices are pico-USD a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceRow {
    /// Names the row in ledger entries.
    pub id: Arc<str>,
    /// Whose price it is, such as `openai`.
    pub provider: Arc<str>,
    /// The model, with `*` for any number of characters.
    pub model: Arc<str>,
    /// It holds for requests whose prompt has more tokens than this.
    #[serde(default)]
    pub above_prompt_tokens: u64,
    /// The first day on which it holds, in UTC.
    pub effective_from: Date,
    /// A fresh token of the prompt.
    pub input: u64,
    /// A token of the prompt read from the provider's cache.
    pub cached: u64,
    /// A token of the prompt written to the provider's cache.
    pub cache_write: u64,
    /// A token of the answer.
    pub output: u64,
}

impl PriceRow {
    /// What this usage costs. Cached tokens beyond the prompt's own are taken for fresh ones, at the dearer price.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> PicoUsd {
        let Usage {
            prompt,
            cached,
            cache_write,
            completion,
        } = *usage;
        let cached = cached.min(prompt);
        let written = cache_write.min(prompt - cached);
        let fresh = prompt - cached - written;
        let parts = [
            (fresh, self.input),
            (cached, self.cached),
            (written, self.cache_write),
            (completion, self.output),
        ];
        let sum = parts.iter().fold(0_u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(*tokens) * u128::from(*price))
        });
        saturated(sum)
    }

    /// The most that a request of at most these tokens can cost.
    #[must_use]
    pub fn worst(&self, prompt: u64, completion: u64) -> PicoUsd {
        let dearest = self.input.max(self.cache_write).max(self.cached);
        let sum = u128::from(prompt) * u128::from(dearest) + u128::from(completion) * u128::from(self.output);
        saturated(sum)
    }
}

fn saturated(pico: u128) -> PicoUsd {
    PicoUsd::from_pico(i64::try_from(pico).unwrap_or(i64::MAX))
}

/// What became of an entry of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// Charged as billed.
    Settled,
    /// Held: the bill is not known yet.
    Held,
    /// Nothing was charged: the provider certainly billed nothing.
    Void,
    /// Charged in full, because nobody settled it in time.
    Orphan,
    /// What a provider billed beyond a hold; paid by the platform.
    Overrun,
    /// What a company had spent elsewhere when it was imported.
    Imported,
}

impl EntryKind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::Settled,
        Self::Held,
        Self::Void,
        Self::Orphan,
        Self::Overrun,
        Self::Imported,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Held => "held",
            Self::Void => "void",
            Self::Orphan => "orphan",
            Self::Overrun => "overrun",
            Self::Imported => "imported",
        }
    }

    /// Whether its amount counts as spent.
    #[must_use]
    pub const fn is_spent(self) -> bool {
        !matches!(self, Self::Held | Self::Void)
    }
}

/// One entry of the ledger, on the wire as here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Its id; grows with time.
    pub id: LedgerEntryId,
    /// The month it belongs to: that of its hold, in the company's zone.
    pub month: MonthKey,
    /// The turn that asked.
    pub turn_id: Option<TurnId>,
    /// The call of that turn.
    pub call_id: Option<CallId>,
    /// Which attempt of the turn, from 1.
    pub attempt: Option<u32>,
    /// What became of it.
    pub kind: EntryKind,
    /// The model that was asked.
    pub model: Option<Arc<str>>,
    /// Tokens of the prompt that were billed, if the provider said.
    pub prompt_tokens: Option<u64>,
    /// Of these, read from the provider's cache.
    pub cached_tokens: Option<u64>,
    /// Of these, written to the provider's cache.
    pub cache_write_tokens: Option<u64>,
    /// Tokens of the answer that were billed, if the provider said.
    pub completion_tokens: Option<u64>,
    /// The price by which the amount can be derived again.
    pub price_row: Option<PriceRow>,
    /// What was held at first.
    pub hold: Option<PicoUsd>,
    /// What it takes of the budget now.
    pub amount: PicoUsd,
    /// When it was made.
    pub at: Timestamp,
    /// When its bill was settled, voided or charged in full.
    pub closed_at: Option<Timestamp>,
}

/// What a month has taken so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spend {
    /// Charged.
    pub spent: PicoUsd,
    /// Held for requests under way.
    pub held: PicoUsd,
}

impl Spend {
    /// What is left of a limit; below zero where a limit was lowered.
    #[must_use]
    pub const fn available(&self, limit: PicoUsd) -> PicoUsd {
        let taken = self.spent.pico().saturating_add(self.held.pico());
        PicoUsd::from_pico(limit.pico().saturating_sub(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> PriceRow {
        PriceRow {
            id: "luna".into(),
            provider: "openai".into(),
            model: "gpt-6-luna".into(),
            above_prompt_tokens: 0,
            effective_from: jiff::civil::date(2026, 11, 1),
            input: 100_000,
            cached: 10_000,
            cache_write: 125_000,
            output: 500_000,
        }
    }

    #[test]
    fn an_account_reads_and_writes_the_same_text() {
        for text in ["platform", "507f1f77bcf86cd799439011"] {
            assert_eq!(text.parse::<Account>().unwrap().to_string(), text);
        }
        assert_eq!("Platform".parse::<Account>(), Err(NotAnObjectId));
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let usage = Usage {
            prompt: 1_500,
            cached: 1_200,
            cache_write: 0,
            completion: 60,
        };
        // The worked turn of research/telephony.md: 300 fresh, 1,200 cached, 60 out.
        assert_eq!(row().cost(&usage).to_string(), "0.000072");
        let written = Usage {
            cached: 0,
            cache_write: 500,
            ..usage
        };
        assert_eq!(
            row().cost(&written).pico(),
            1_000 * 100_000 + 500 * 125_000 + 60 * 500_000
        );
    }

    #[test]
    fn no_bill_within_its_bounds_is_above_the_worst_case() {
        let worst = row().worst(1_500, 60);
        for (cached, cache_write) in [(0, 0), (1_500, 0), (0, 1_500), (9_000, 9_000)] {
            let usage = Usage {
                prompt: 1_500,
                cached,
                cache_write,
                completion: 60,
            };
            assert!(row().cost(&usage) <= worst);
        }
    }

    #[test]
    fn an_absurd_usage_is_no_overflow() {
        let usage = Usage {
            prompt: u64::MAX,
            cached: 0,
            cache_write: u64::MAX,
            completion: u64::MAX,
        };
        assert_eq!(row().cost(&usage).pico(), i64::MAX);
        assert_eq!(row().worst(u64::MAX, u64::MAX).pico(), i64::MAX);
    }

    #[test]
    fn what_is_left_may_be_less_than_nothing() {
        let spend = Spend {
            spent: PicoUsd::from_pico(70),
            held: PicoUsd::from_pico(40),
        };
        assert_eq!(spend.available(PicoUsd::from_pico(100)).pico(), -10);
        assert_eq!(spend.available(PicoUsd::from_pico(200)).pico(), 90);
    }
}
