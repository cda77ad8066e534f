//! What is counted, each under a number that is stored.

use super::latency::Bucket;
use crate::{
    decision::{FallbackKind, SkipReason, Source, StepOutcome, Tier},
    record::TurnOutcome,
};

/// What the LLM's step of a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LlmStep {
    /// It chose an answer that was spoken.
    Answered,
    /// It was asked and chose none, or was not sure enough.
    Unsure,
    /// It failed or came too late.
    Failed,
    /// It was not asked.
    Skipped(SkipReason),
}

impl LlmStep {
    /// What an entry of the trace says; a skipped one without a reason says nothing.
    #[must_use]
    pub const fn of(outcome: StepOutcome, reason: Option<SkipReason>) -> Option<Self> {
        match (outcome, reason) {
            (StepOutcome::Matched, _) => Some(Self::Answered),
            (StepOutcome::BelowThreshold, _) => Some(Self::Unsure),
            (StepOutcome::Error, _) => Some(Self::Failed),
            (StepOutcome::Skipped, Some(reason)) => Some(Self::Skipped(reason)),
            (StepOutcome::Skipped, None) => None,
        }
    }

    /// Whether the provider was asked.
    #[must_use]
    pub const fn was_asked(self) -> bool {
        !matches!(self, Self::Skipped(_))
    }
}

/// Which turns a histogram of latencies is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Histogram {
    /// Those that asked no LLM.
    Local,
    /// Those that asked the LLM.
    Llm,
}

/// One of the numbers that a roll-up holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Turns.
    Turns,
    /// Calls: turns that are the first of theirs.
    Calls,
    /// Turns after which the caller needs a person.
    Escalations,
    /// Turns that were urgent.
    Emergencies,
    /// What the LLM cost, in pico-USD.
    Cost,
    /// Tokens paid for.
    Tokens,
    /// Turns answered by this source.
    Source(Source),
    /// Turns answered by this tier.
    Tier(Tier),
    /// Fallbacks of this kind.
    Fallback(FallbackKind),
    /// Turns that ended so.
    Outcome(TurnOutcome),
    /// Turns whose LLM step came to this.
    Llm(LlmStep),
    /// Turns whose decision took as long.
    Latency(Histogram, Bucket),
}

/// Where the histogram of [`Histogram::Local`] begins.
const LOCAL: u16 = 100;

/// Where the histogram of [`Histogram::Llm`] begins.
const LLM: u16 = 300;

impl Counter {
    /// The number it is stored under. It never changes and is never given to another: stored roll-ups have it.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Turns => 0,
            Self::Calls => 1,
            Self::Escalations => 2,
            Self::Emergencies => 3,
            Self::Cost => 4,
            Self::Tokens => 5,
            Self::Source(source) => {
                10 + match source {
                    Source::Safety => 0,
                    Source::Conversation => 1,
                    Source::CompanyQna => 2,
                    Source::TradeQna => 3,
                    Source::Template => 4,
                    Source::Llm => 5,
                    Source::Fallback => 6,
                }
            }
            Self::Tier(tier) => {
                20 + match tier {
                    Tier::Rules => 1,
                    Tier::Semantic => 2,
                    Tier::Llm => 3,
                }
            }
            Self::Fallback(kind) => {
                30 + match kind {
                    FallbackKind::ClarificationNeeded => 0,
                    FallbackKind::NoMatchFound => 1,
                    FallbackKind::TechnicalIssue => 2,
                    FallbackKind::OutOfScope => 3,
                }
            }
            Self::Outcome(outcome) => {
                40 + match outcome {
                    TurnOutcome::Greeted => 0,
                    TurnOutcome::Answered => 1,
                    TurnOutcome::Fallback => 2,
                    TurnOutcome::Transfer => 3,
                    TurnOutcome::Message => 4,
                    TurnOutcome::Hangup => 5,
                }
            }
            Self::Llm(step) => match step {
                LlmStep::Answered => 50,
                LlmStep::Unsure => 51,
                LlmStep::Failed => 52,
                LlmStep::Skipped(reason) => 60 + skipped(reason),
            },
            Self::Latency(Histogram::Local, bucket) => LOCAL + bucket.index(),
            Self::Latency(Histogram::Llm, bucket) => LLM + bucket.index(),
        }
    }
}

const fn skipped(reason: SkipReason) -> u16 {
    match reason {
        SkipReason::DryRun => 0,
        SkipReason::Disabled => 1,
        SkipReason::Budget => 2,
        SkipReason::Ledger => 3,
        SkipReason::CircuitOpen => 4,
        SkipReason::Suspect => 5,
        SkipReason::Deadline => 6,
        SkipReason::CallsPerCall => 7,
        SkipReason::NoPrice => 8,
        SkipReason::NoModel => 9,
        SkipReason::NoWords => 10,
        SkipReason::Busy => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_counters_have_one_number() {
        let last = Bucket::of(u64::MAX).index();
        assert!(LOCAL + last < LLM, "{last}");
        let mut codes = vec![
            Counter::Turns,
            Counter::Calls,
            Counter::Escalations,
            Counter::Emergencies,
            Counter::Cost,
            Counter::Tokens,
            Counter::Source(Source::Safety),
            Counter::Source(Source::Fallback),
            Counter::Tier(Tier::Rules),
            Counter::Tier(Tier::Llm),
            Counter::Fallback(FallbackKind::ClarificationNeeded),
            Counter::Fallback(FallbackKind::OutOfScope),
            Counter::Outcome(TurnOutcome::Greeted),
            Counter::Outcome(TurnOutcome::Hangup),
            Counter::Llm(LlmStep::Answered),
            Counter::Llm(LlmStep::Failed),
            Counter::Llm(LlmStep::Skipped(SkipReason::DryRun)),
            Counter::Llm(LlmStep::Skipped(SkipReason::Busy)),
            Counter::Latency(Histogram::Local, Bucket::of(0)),
            Counter::Latency(Histogram::Local, Bucket::of(u64::MAX)),
            Counter::Latency(Histogram::Llm, Bucket::of(0)),
        ]
        .into_iter()
        .map(Counter::code)
        .collect::<Vec<_>>();
        let stored = [0, 1, 2, 3, 4, 5, 10, 16, 21, 23, 30, 33, 40, 45, 50, 52, 60, 71, 100];
        assert_eq!(&codes[..stored.len()], stored, "stored roll-ups have these numbers");
        codes.dedup();
        assert_eq!(codes.len(), 21);
    }
}
