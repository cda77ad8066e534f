//! What is counted of calls, and how: roll-ups of quarters of an hour, and the turns that no scripted match answered.
//!
//! A roll-up holds counts alone, so it may outlive the turns it was made of. Every one can be counted again from the
//! turns while they are kept ([`Rollup::count`] is the only place that says what counts as what).

mod counter;
mod facts;
mod latency;
mod miss;
mod rollup;

pub use counter::{Counter, Histogram, LlmStep};
pub use facts::{TurnFacts, TurnTrace};
pub use latency::{Bucket, Percentile};
pub use miss::{Miss, NearMiss};
pub use rollup::{AnswerKey, AnswerKind, Answers, Damaged, Rollup};

use crate::time::Timestamp;

/// A quarter of an hour: the number of quarters since 1970 UTC.
///
/// A day of any zone in use begins with a quarter, also where offsets are no whole hours (+05:30, +05:45, +12:45), so the
/// sums of a company's days are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(i64);

impl Slot {
    /// Its length, in seconds.
    pub const SECONDS: i64 = 900;

    /// The quarter that a time lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(Self::SECONDS))
    }

    /// The first quarter that begins at this time or after it.
    #[must_use]
    pub fn from_or_after(at: Timestamp) -> Self {
        let begun = Self::of(at);
        if begun.start() == at {
            begun
        } else {
            Self(begun.0.saturating_add(1))
        }
    }

    /// The quarter of this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// When it begins; the first or last time there is, for a number beyond them.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let bound = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let second = self.0.checked_mul(Self::SECONDS);
        second
            .and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::zone;

    #[test]
    fn a_day_begins_with_a_quarter_whatever_the_offset() {
        for name in [
            "UTC",
            "America/New_York",
            "Asia/Kolkata",
            "Asia/Kathmandu",
            "Pacific/Chatham",
            "Australia/Lord_Howe",
            "America/St_Johns",
        ] {
            let zone = zone(name).unwrap();
            for date in ["2026-03-08", "2026-04-05", "2026-10-04", "2026-11-01", "2026-11-27"] {
                let date: crate::time::Date = date.parse().unwrap();
                let midnight = zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap();
                assert_eq!(Slot::of(midnight).start(), midnight, "{name} {date}");
            }
        }
    }

    #[test]
    fn a_time_lies_in_the_quarter_that_has_begun() {
        let slot = |text: &str| Slot::of(text.parse().unwrap()).start().to_string();
        assert_eq!(slot("2026-11-27T18:14:59.999Z"), "2026-11-27T18:00:00Z");
        assert_eq!(slot("2026-11-27T18:15:00Z"), "2026-11-27T18:15:00Z");
        assert_eq!(slot("1969-12-31T23:59:59Z"), "1969-12-31T23:45:00Z");
        let after = |text: &str| Slot::from_or_after(text.parse().unwrap()).start().to_string();
        assert_eq!(after("2026-11-27T18:15:00Z"), "2026-11-27T18:15:00Z");
        assert_eq!(after("2026-11-27T18:15:00.001Z"), "2026-11-27T18:30:00Z");
    }
}
