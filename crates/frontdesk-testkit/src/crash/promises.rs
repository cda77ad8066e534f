//! What the server has acknowledged, and how it is held against what is found.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// A turn that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) company: usize,
    pub(super) call: String,
    /// Which turn of its call, from 1.
    pub(super) number: u64,
    pub(super) words: String,
    pub(super) answered: Instant,
}

/// A message that a caller was thanked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) company: usize,
    pub(super) call: String,
    pub(super) recording: String,
}

/// A value that only grows: each write writes a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    /// The highest number that was acknowledged; 0: none.
    pub(super) acknowledged: u64,
    /// The highest number that was sent.
    pub(super) sent: u64,
}

impl Written {
    /// What is wrong with a value that was found: it must be the one acknowledged last, or one that was sent later.
    pub(super) fn fault(self, what: &str, found: Option<u64>) -> Option<String> {
        let Self { acknowledged, sent } = self;
        let found_number = found.unwrap_or_default();
        (found_number < acknowledged || found_number > sent)
            .then(|| format!("{what} is {found:?}; {acknowledged} was acknowledged and {sent} sent"))
    }
}

/// What an operator wrote of one company.
#[derive(Debug, Clone, Default)]
pub(super) struct Writes {
    pub(super) variable: Written,
    pub(super) template: Written,
    pub(super) qnas: BTreeMap<u64, Written>,
}

/// A call as the log shows it: each turn's number and words.
pub(super) type LoggedTurns = Vec<(u64, String)>;

/// Everything that was acknowledged.
#[derive(Debug)]
pub(super) struct Promises {
    turns: Vec<Turn>,
    /// Turns before this one were held against the log at an earlier kill: those that are left were due then.
    judged: usize,
    answered: usize,
    acknowledged: usize,
    last_number: u64,
    pub(super) messages: Vec<Message>,
    pub(super) writes: Vec<Writes>,
    /// What was wrong while it was going on.
    pub(super) faults: Vec<String>,
}

impl Promises {
    pub(super) fn new(companies: usize) -> Self {
        Self {
            turns: Vec::new(),
            judged: 0,
            answered: 0,
            acknowledged: 0,
            last_number: 0,
            messages: Vec::new(),
            writes: vec![Writes::default(); companies],
            faults: Vec::new(),
        }
    }

    /// A number that is higher than all before.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn note_turn(&mut self, turn: Turn) {
        self.answered += 1;
        self.turns.push(turn);
    }

    /// Notes that a write was acknowledged.
    pub(super) const fn note_write(&mut self) {
        self.acknowledged += 1;
    }

    /// Forgets the turns that were answered less than `grace` before the server ended at `ended`: nothing was promised
    /// of them. Gives how many others are new.
    pub(super) fn keep_due(&mut self, ended: Instant, grace: Duration) -> usize {
        let new = self.turns.split_off(self.judged);
        let due = new.into_iter().filter(|turn| turn.answered + grace <= ended);
        self.turns.extend(due);
        let count = self.turns.len() - self.judged;
        self.judged = self.turns.len();
        count
    }

    /// How long it takes until the last turn is due.
    pub(super) fn until_settled(&self, grace: Duration) -> Duration {
        let last = self.turns.last().map(|turn| turn.answered.elapsed());
        last.map_or(Duration::ZERO, |ago| grace.saturating_sub(ago))
    }

    /// How many turns were answered, writes and messages acknowledged.
    pub(super) const fn counts(&self) -> (usize, usize, usize) {
        (self.answered, self.acknowledged, self.messages.len())
    }

    /// What is wrong with the log of calls.
    pub(super) fn turn_faults(&self, log: &HashMap<(usize, String), LoggedTurns>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut missing = Faults::default();
        for turn in &self.turns {
            let logged = log.get(&(turn.company, turn.call.clone()));
            let logged = logged.into_iter().flatten();
            let same: Vec<_> = logged.filter(|(number, _)| *number == turn.number).collect();
            match same.as_slice() {
                [(_, words)] if *words == turn.words => {}
                [] => missing.add(|| format!("turn {} of call {}", turn.number, turn.call)),
                other => faults.push(format!(
                    "turn {} of call {} was `{}` and is logged as {other:?}",
                    turn.number, turn.call, turn.words
                )),
            }
        }
        faults.extend(missing.of(self.turns.len(), "answered turns are not in the call log"));
        let mut twice = Faults::default();
        for ((_, call), turns) in log {
            let mut numbers: Vec<_> = turns.iter().map(|(number, _)| number).collect();
            numbers.sort_unstable();
            if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
                twice.add(|| format!("call {call} with turns {numbers:?}"));
            }
        }
        faults.extend(twice.of(log.len(), "calls have a turn twice"));
        faults
    }

    /// What is wrong with the messages; `found` are recording and call, as often as they are there.
    pub(super) fn message_faults(&self, found: &[HashMap<String, Vec<String>>]) -> Vec<String> {
        let mut wrong = Faults::default();
        for message in &self.messages {
            let calls = found
                .get(message.company)
                .and_then(|found| found.get(&message.recording));
            if calls.is_none_or(|calls| *calls != [message.call.as_str()]) {
                wrong.add(|| format!("{} of call {}: {calls:?}", message.recording, message.call));
            }
        }
        wrong
            .of(self.messages.len(), "acknowledged messages are not there exactly once")
            .into_iter()
            .collect()
    }
}

/// Counts what is wrong and remembers the first few.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: usize,
    first: Vec<String>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < 3 {
            self.first.push(fault());
        }
    }

    pub(super) fn of(&self, all: usize, what: &str) -> Option<String> {
        (self.count > 0).then(|| format!("{} of {all} {what}, such as {}", self.count, self.first.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(number: u64, answered: Instant) -> Turn {
        Turn {
            company: 0,
            call: "CA1".into(),
            number,
            words: format!("words {number}"),
            answered,
        }
    }

    #[track_caller]
    fn check_log(logged: &[(u64, &str)], faults: usize) {
        let now = Instant::now();
        let mut promises = Promises::new(1);
        promises.note_turn(turn(1, now));
        promises.note_turn(turn(2, now));
        promises.keep_due(now, Duration::ZERO);
        let turns = logged
            .iter()
            .map(|(number, words)| (*number, (*words).to_owned()))
            .collect();
        let found = promises.turn_faults(&HashMap::from([((0, "CA1".to_owned()), turns)]));
        assert_eq!(found.len(), faults, "{logged:?}: {found:?}");
    }

    #[test]
    fn an_answered_turn_is_logged_once_with_its_words() {
        check_log(&[(1, "words 1"), (2, "words 2")], 0);
        check_log(&[(2, "words 2"), (1, "words 1"), (3, "answered too late to be due")], 0);
        check_log(&[(1, "words 1")], 1);
        check_log(&[(1, "words 1"), (2, "other words")], 1);
        check_log(&[(1, "words 1"), (2, "words 2"), (3, "x"), (3, "x")], 1);
        check_log(&[(1, "words 1"), (1, "words 1"), (2, "words 2")], 2);
    }

    #[test]
    fn a_turn_that_was_answered_just_before_the_end_is_not_due() {
        let ended = Instant::now() + Duration::from_secs(10);
        let second = Duration::from_secs(1);
        let mut promises = Promises::new(1);
        promises.note_turn(turn(1, ended.checked_sub(second).unwrap()));
        promises.note_turn(turn(2, ended.checked_sub(second / 2).unwrap()));
        assert_eq!(promises.keep_due(ended, second), 1);
        assert_eq!(promises.keep_due(ended, second), 0, "judged once");
        assert_eq!(promises.counts().0, 2);
        assert_eq!(promises.turns, [turn(1, ended.checked_sub(second).unwrap())]);
    }

    #[test]
    fn a_value_is_the_one_acknowledged_last_or_a_later_one() {
        let written = Written {
            acknowledged: 4,
            sent: 6,
        };
        for (found, is_right) in [
            (None, false),
            (Some(3), false),
            (Some(4), true),
            (Some(6), true),
            (Some(7), false),
        ] {
            assert_eq!(written.fault("it", found).is_none(), is_right, "{found:?}");
        }
        assert_eq!(Written::default().fault("it", None), None);
    }

    #[test]
    fn an_acknowledged_message_is_there_once() {
        let mut promises = Promises::new(1);
        promises.messages.push(Message {
            company: 0,
            call: "CA1".into(),
            recording: "RE1".into(),
        });
        let found = |calls: &[&str]| {
            let calls = calls.iter().map(|call| (*call).to_owned()).collect();
            promises
                .message_faults(&[HashMap::from([("RE1".to_owned(), calls)])])
                .len()
        };
        assert_eq!(found(&["CA1"]), 0);
        assert_eq!(found(&["CA1", "CA1"]), 1);
        assert_eq!(found(&["CA2"]), 1);
        assert_eq!(promises.message_faults(&[HashMap::new()]).len(), 1);
    }
}
