//! What the double counts: requests, what is in flight, its bills.

use std::collections::VecDeque;

use serde::Serialize;

/// How many bodies are kept.
const BODIES: usize = 500;

/// What was counted since the start or the last reset. Times are milliseconds since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Chat completions that were asked for.
    pub calls: u64,
    /// Of them, those that were answered with 200 to the last byte.
    pub answered: u64,
    /// Of them, those that were answered with an HTTP error.
    pub errors: u64,
    /// Chat completions that are being answered now; one whose client has gone is not.
    pub in_flight: u64,
    /// The most that were ever in flight at once.
    pub max_in_flight: u64,
    /// The sum of all bills, pico-USD.
    pub billed: i64,
    /// Each bill in the order of booking, pico-USD.
    pub bills: Vec<i64>,
    /// When each chat completion was asked for.
    pub arrivals: Vec<u64>,
    /// How often the models were asked for.
    pub probes: u64,
    /// When the models were asked for.
    pub probe_arrivals: Vec<u64>,
}

/// A chat completion as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Milliseconds since the start.
    pub arrival: u64,
    /// The path that was asked.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body, byte for byte where it is UTF-8.
    pub body: String,
    /// What was booked for it, pico-USD.
    pub billed: i64,
}

/// Which chat completion it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    era: u64,
    /// The first of its era is 1.
    pub(crate) call: u64,
}

/// The counts behind a lock.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    stats: Stats,
    /// With the number of each.
    received: VecDeque<(u64, Received)>,
    /// Grows with each reset, so that what came before it is not counted after it.
    era: u64,
}

impl Counts {
    pub(crate) fn stats(&self) -> Stats {
        self.stats.clone()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.iter().map(|(_, received)| received.clone()).collect()
    }

    pub(crate) fn reset(&mut self) {
        let in_flight = self.stats.in_flight;
        self.stats = Stats {
            in_flight,
            max_in_flight: in_flight,
            ..Stats::default()
        };
        self.received.clear();
        self.era += 1;
    }

    pub(crate) fn probed(&mut self, arrival: u64) {
        self.stats.probes += 1;
        self.stats.probe_arrivals.push(arrival);
    }

    /// Counts a chat completion in.
    pub(crate) fn began(&mut self, arrival: u64) -> Number {
        self.stats.calls += 1;
        self.stats.arrivals.push(arrival);
        self.stats.in_flight += 1;
        self.stats.max_in_flight = self.stats.max_in_flight.max(self.stats.in_flight);
        Number {
            era: self.era,
            call: self.stats.calls,
        }
    }

    pub(crate) fn keep(&mut self, number: Number, received: Received) {
        if number.era != self.era {
            return;
        }
        if self.received.len() == BODIES {
            self.received.pop_front();
        }
        self.received.push_back((number.call, received));
    }

    pub(crate) fn book(&mut self, number: Number, bill: i64) {
        if number.era != self.era {
            return;
        }
        self.stats.billed = self.stats.billed.saturating_add(bill);
        self.stats.bills.push(bill);
        let mut newest_first = self.received.iter_mut().rev();
        if let Some((_, received)) = newest_first.find(|(call, _)| *call == number.call) {
            received.billed = bill;
        }
    }

    pub(crate) fn finished(&mut self, number: Number, is_error: bool) {
        if number.era != self.era {
            return;
        }
        if is_error {
            self.stats.errors += 1;
        } else {
            self.stats.answered += 1;
        }
    }

    pub(crate) fn ended(&mut self) {
        self.stats.in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_before_a_reset_is_not_counted_after_it() {
        let mut counts = Counts::default();
        let number = counts.began(0);
        counts.book(number, 5);
        counts.reset();
        counts.book(number, 7);
        counts.finished(number, false);
        let expected = Stats {
            in_flight: 1,
            max_in_flight: 1,
            ..Stats::default()
        };
        assert_eq!(counts.stats(), expected);
        counts.ended();
        assert_eq!(counts.stats().in_flight, 0);
    }

    #[test]
    fn the_last_500_bodies_are_kept() {
        let mut counts = Counts::default();
        for arrival in 0..510 {
            let number = counts.began(arrival);
            let received = Received {
                arrival,
                path: String::new(),
                authorization: None,
                body: String::new(),
                billed: 0,
            };
            counts.keep(number, received);
            counts.book(number, 3);
        }
        let kept = counts.received();
        assert_eq!((kept.len(), kept[0].arrival, kept[499].arrival), (500, 10, 509));
        assert!(kept.iter().all(|received| received.billed == 3), "each with its bill");
    }
}
