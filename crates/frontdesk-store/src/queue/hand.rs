//! What the queue of turn records has in hand: batches that are not stored yet, and which of them is to blame for it.

use std::{collections::VecDeque, sync::Arc};

use frontdesk_domain::record::TurnRecord;

use crate::{
    common::cause::Cause,
    ports::{CallEnd, StoreError, TurnLog},
};

/// A batch is to blame when it was refused so often while others were stored.
const REFUSALS: u32 = 3;

/// Of batches that failed, so many of several records are in hand at most: others beside it tell whether the store works.
const SEVERAL: usize = 2;

/// What is stored at once. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Batch {
    Turns(Arc<Vec<TurnRecord>>),
    Ends(Arc<Vec<CallEnd>>),
}

impl Batch {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Turns(turns) => turns.len(),
            Self::Ends(ends) => ends.len(),
        }
    }

    /// How many of them are turns.
    pub(super) fn turns(&self) -> u64 {
        match self {
            Self::Turns(turns) => turns.len() as u64,
            Self::Ends(_) => 0,
        }
    }

    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Turns(_) => "turn records",
            Self::Ends(_) => "ends of calls",
        }
    }

    pub(super) async fn store(self, log: &dyn TurnLog) -> Result<(), StoreError> {
        match self {
            Self::Turns(turns) => log.append_turns(turns).await,
            Self::Ends(ends) => log.end_calls(ends).await,
        }
    }

    fn halves(self) -> [Self; 2] {
        match self {
            Self::Turns(turns) => halves(turns).map(Self::Turns),
            Self::Ends(ends) => halves(ends).map(Self::Ends),
        }
    }
}

fn halves<T: Clone>(all: Arc<Vec<T>>) -> [Arc<Vec<T>>; 2] {
    let mut first = Arc::unwrap_or_clone(all);
    let second = first.split_off(first.len() / 2);
    [Arc::new(first), Arc::new(second)]
}

/// Turn records and ends of calls that are not stored, in their order.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) turns: Vec<TurnRecord>,
    pub(super) ends: Vec<CallEnd>,
}

impl Left {
    pub(super) const fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.ends.is_empty()
    }

    fn add(&mut self, batch: Batch) {
        match batch {
            Batch::Turns(turns) => self.turns.extend(Arc::unwrap_or_clone(turns)),
            Batch::Ends(ends) => self.ends.extend(Arc::unwrap_or_clone(ends)),
        }
    }
}

#[derive(Debug)]
struct Held {
    batch: Batch,
    /// How many batches had been stored when this one failed last.
    failed_at: Option<u64>,
    /// How often it failed after another one was stored.
    refusals: u32,
}

/// What is to be done after a batch failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was split: its parts are tried now.
    Parts,
    /// It is one record, which the store refuses for good.
    Reject,
    /// Nothing is to blame yet: others are tried before it, after a pause.
    Pause,
}

/// Batches that are not stored. The first is tried next.
#[derive(Debug, Default)]
pub(super) struct Hand {
    held: VecDeque<Held>,
    /// How many batches were stored.
    stored: u64,
}

impl Hand {
    pub(super) fn add(&mut self, batch: Batch) {
        if batch.count() > 0 {
            self.held.push_back(Held::new(batch));
        }
    }

    /// What is to be tried next.
    pub(super) fn first(&self) -> Option<Batch> {
        self.held.front().map(|held| held.batch.clone())
    }

    /// The first was stored.
    pub(super) fn note_stored(&mut self) {
        self.held.pop_front();
        self.stored += 1;
    }

    /// The first is kept elsewhere.
    pub(super) fn note_rejected(&mut self) {
        self.held.pop_front();
    }

    /// The first failed.
    ///
    /// A store that is away takes nothing, so that only what fails while others are stored is to blame: it is split until it
    /// is one record. What the store refuses for a lasting reason is to blame at once.
    pub(super) fn failed(&mut self, cause: Cause) -> Next {
        let Some(mut held) = self.held.pop_front() else {
            return Next::Pause;
        };
        let failed_at = held.failed_at.replace(self.stored);
        if cause == Cause::Unknown && failed_at.is_some_and(|before| before < self.stored) {
            held.refusals += 1;
        }
        let is_to_blame = cause == Cause::Lasting || held.refusals >= REFUSALS;
        match held.batch.count() {
            1 if is_to_blame => {
                self.held.push_front(held);
                Next::Reject
            }
            _ if is_to_blame => {
                self.split(held.batch);
                Next::Parts
            }
            _ => {
                self.held.push_back(held);
                Next::Pause
            }
        }
    }

    /// Others go before the first, which can be kept nowhere yet. Nobody waits for it.
    pub(super) fn put_off(&mut self) {
        if let Some(mut held) = self.held.pop_front() {
            held.refusals = held.refusals.max(REFUSALS);
            self.held.push_back(held);
        }
    }

    /// Splits the first that is several: where nothing is stored that would tell whether the store works, one half tells it of
    /// the other.
    pub(super) fn split_one(&mut self) {
        let several = self.held.iter().position(|held| held.batch.count() > 1);
        if let Some(held) = several.and_then(|at| self.held.remove(at)) {
            self.split(held.batch);
        }
    }

    fn split(&mut self, batch: Batch) {
        let [first, second] = batch.halves();
        self.held.push_front(Held::new(second));
        self.held.push_front(Held::new(first));
    }

    /// Whether turns are held that may still be stored with the next try: not those which failed while others were stored.
    pub(super) fn has_turns(&self) -> bool {
        let is_turns = |held: &Held| matches!(held.batch, Batch::Turns(_)) && held.refusals == 0;
        self.held.iter().any(is_turns)
    }

    /// Whether more is to be tried beside what fails, of at most so many records in all.
    pub(super) fn has_room(&self, most: usize) -> bool {
        let counts = || self.held.iter().map(|held| held.batch.count());
        counts().sum::<usize>() < most && counts().filter(|count| *count > 1).count() < SEVERAL
    }

    /// Gives everything away.
    pub(super) fn take(&mut self) -> Left {
        let mut left = Left::default();
        for held in self.held.drain(..) {
            left.add(held.batch);
        }
        left
    }
}

impl Held {
    const fn new(batch: Batch) -> Self {
        Self {
            batch,
            failed_at: None,
            refusals: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::{ids::CallId, time::Timestamp};

    use super::*;

    fn ends(count: usize) -> Batch {
        let ends = (0..count).map(|number| CallEnd {
            company: "65f123456789abcdef000001".parse().unwrap(),
            call: CallId::new(&format!("CA{number}")),
            from: None,
            at: Timestamp::UNIX_EPOCH,
            status: "completed",
        });
        Batch::Ends(Arc::new(ends.collect()))
    }

    fn counts(hand: &Hand) -> Vec<usize> {
        hand.held.iter().map(|held| held.batch.count()).collect()
    }

    #[test]
    fn what_is_refused_for_a_lasting_reason_is_split_at_once_until_it_is_one() {
        let mut hand = Hand::default();
        hand.add(ends(5));
        assert_eq!(hand.failed(Cause::Lasting), Next::Parts);
        assert_eq!(counts(&hand), [2, 3]);
        assert_eq!(hand.failed(Cause::Lasting), Next::Parts);
        assert_eq!(counts(&hand), [1, 1, 3]);
        assert_eq!(hand.failed(Cause::Lasting), Next::Reject);
        assert_eq!(counts(&hand), [1, 1, 3], "it is held until it is kept elsewhere");
        hand.note_rejected();
        assert_eq!(counts(&hand), [1, 3]);
    }

    #[test]
    fn a_store_that_is_away_blames_nothing_however_often_it_fails() {
        let mut hand = Hand::default();
        hand.add(ends(4));
        hand.add(ends(1));
        for _ in 0..100 {
            assert_eq!(hand.failed(Cause::Unknown), Next::Pause);
            assert_eq!(hand.failed(Cause::Passing), Next::Pause);
        }
        assert_eq!(counts(&hand), [4, 1]);
    }

    /// What the last of so many failures of one record says, each after another one was stored.
    fn after(failures: usize, cause: Cause) -> Next {
        let mut hand = Hand::default();
        hand.add(ends(1));
        let mut next = hand.failed(cause);
        for _ in 1..failures {
            hand.held.push_front(Held::new(ends(1)));
            hand.note_stored();
            next = hand.failed(cause);
        }
        next
    }

    #[test]
    fn what_fails_three_times_while_others_are_stored_is_to_blame() {
        assert_eq!(after(3, Cause::Unknown), Next::Pause);
        assert_eq!(after(4, Cause::Unknown), Next::Reject);
        assert_eq!(after(50, Cause::Passing), Next::Pause, "a full disk blames nothing");
    }

    #[test]
    fn where_nothing_is_stored_one_is_split_after_the_other_and_few_others_get_in() {
        let mut hand = Hand::default();
        hand.add(ends(4));
        assert!(hand.has_room(500) && !hand.has_room(4));
        hand.split_one();
        assert_eq!(counts(&hand), [2, 2]);
        assert!(!hand.has_room(500));
        hand.split_one();
        assert_eq!(counts(&hand), [1, 1, 2], "where two are at fault, each is found");
        assert!(hand.has_room(500));
        let mut hand = Hand::default();
        hand.add(ends(1));
        hand.split_one();
        hand.add(ends(1));
        assert!(counts(&hand) == [1, 1] && hand.has_room(500));
        assert_eq!(hand.take().ends.len(), 2);
        assert!(hand.first().is_none());
    }
}
