//! What turns were answered, so that the same webhook gets the same bytes however often it comes (DESIGN 4.15).
//!
//! Of several webhooks with the same key that come at once, one is answered and the others wait for its document. An
//! answer stays in memory at least until it is in the store; from then on the store has it for a day, and [`Seen`] tells
//! which turns are worth asking it for.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use frontdesk_domain::ids::{CallId, CompanyId, TurnId};
use rapidhash::quality::RandomState;
use tokio::sync::watch;

use crate::{other_instances::SharedClaim, seen::Seen};

/// So many answers are kept although the store has them.
const KEPT: usize = 512;

/// So many are kept at most, whatever the store has; the queue of records holds no more either.
const MOST: usize = 65_536;

/// So many records may overtake each other on their way into the queue.
const SLACK: u64 = 256;

/// So many ends of calls are kept in memory.
const ENDS: usize = 16_384;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The whole document.
    pub(crate) document: Arc<str>,
    /// What was spoken in it as the answer.
    pub(crate) response: Arc<str>,
}

/// A turn of a company.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TurnKey(pub(crate) CompanyId, pub(crate) TurnId);

/// A call of a company.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallKey(pub(crate) CompanyId, pub(crate) CallId);

/// That a call has ended, as [`Seen`] remembers it.
struct EndOf<'c>(&'c CallKey);

impl Hash for EndOf<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // Another entry than the call itself, which is noted with its first turn.
        "end".hash(hasher);
        self.0.hash(hasher);
    }
}

#[derive(Debug)]
enum Slot {
    UnderWay(watch::Receiver<Option<Given>>),
    Given(Given),
}

#[derive(Debug, Default)]
struct Memory {
    turns: HashMap<TurnKey, Slot, RandomState>,
    /// Turns with an answer, oldest first, and how many records had been queued when it was given.
    order: VecDeque<(TurnKey, CallKey, u64)>,
    /// The newest answered turn of each call whose turn is in memory.
    newest: HashMap<CallKey, TurnKey, RandomState>,
    ended: HashSet<CallKey, RandomState>,
    ended_order: VecDeque<CallKey>,
}

/// The answers of this process.
#[derive(Default)]
pub(crate) struct Answers {
    memory: Mutex<Memory>,
    seen: Seen,
    /// Whether [`Seen`] has all turns of the last day. Before, the store is asked for each turn.
    knows_the_day: AtomicBool,
}

/// What is to be done with a webhook.
pub(crate) enum Begun<'a> {
    /// It was answered.
    Given(Given),
    /// Another one with its key is being answered.
    UnderWay(watch::Receiver<Option<Given>>),
    /// It is to be answered now, or given back by dropping the claim.
    Mine(Claim<'a>),
}

impl Answers {
    /// Takes a turn to answer, if nobody has.
    pub(crate) fn begin(&self, turn: TurnKey) -> Begun<'_> {
        let mut memory = self.memory();
        match memory.turns.get(&turn) {
            Some(Slot::Given(given)) => Begun::Given(given.clone()),
            Some(Slot::UnderWay(flight)) => Begun::UnderWay(flight.clone()),
            None => {
                let (sender, flight) = watch::channel(None);
                memory.turns.insert(turn.clone(), Slot::UnderWay(flight));
                Begun::Mine(Claim {
                    answers: self,
                    turn,
                    sender,
                    held: None,
                    others: Others::Unknown,
                })
            }
        }
    }

    /// An answer in memory.
    pub(crate) fn find(&self, turn: &TurnKey) -> Option<Given> {
        match self.memory().turns.get(turn)? {
            Slot::Given(given) => Some(given.clone()),
            Slot::UnderWay(_) => None,
        }
    }

    /// The newest answer of a call, if it is in memory.
    pub(crate) fn newest_of(&self, call: &CallKey) -> Option<Given> {
        let memory = self.memory();
        match memory.turns.get(memory.newest.get(call)?)? {
            Slot::Given(given) => Some(given.clone()),
            Slot::UnderWay(_) => None,
        }
    }

    /// Whether the store may have an answer to this turn. `false` is certain.
    pub(crate) fn may_be_stored(&self, turn: &TurnKey) -> bool {
        !self.knows_the_day.load(Ordering::Relaxed) || self.seen.may_hold(turn)
    }

    /// Whether the store may know this call. `false` is certain.
    pub(crate) fn may_know(&self, call: &CallKey) -> bool {
        !self.knows_the_day.load(Ordering::Relaxed) || self.seen.may_hold(call)
    }

    /// Notes that the store has these turns of a call.
    pub(crate) fn note_stored(&self, call: &CallKey, turns: Vec<TurnId>, has_ended: bool, now: i64) {
        self.seen.note(call, now);
        for turn in turns {
            self.seen.note(&TurnKey(call.0, turn), now);
        }
        if has_ended {
            self.seen.note(&EndOf(call), now);
        }
    }

    /// Notes that the record of a turn is on its way into the store.
    pub(crate) fn note_queued(&self, turn: &TurnKey, call: &CallKey, now: i64) {
        self.seen.note(turn, now);
        self.seen.note(call, now);
    }

    /// Notes that all turns of the last day that the store has are noted.
    pub(crate) fn know_the_day(&self) {
        self.knows_the_day.store(true, Ordering::Relaxed);
    }

    /// Notes that the end of a call was reported. `false` if it is known already.
    pub(crate) fn end(&self, call: &CallKey, now: i64) -> bool {
        self.seen.note(&EndOf(call), now);
        self.seen.note(call, now);
        let mut memory = self.memory();
        if !memory.ended.insert(call.clone()) {
            return false;
        }
        memory.ended_order.push_back(call.clone());
        if memory.ended_order.len() > ENDS
            && let Some(oldest) = memory.ended_order.pop_front()
        {
            memory.ended.remove(&oldest);
        }
        true
    }

    /// Whether a call has ended: known here, or to be asked of the store, or not.
    pub(crate) fn has_ended(&self, call: &CallKey) -> Ended {
        if self.memory().ended.contains(call) {
            Ended::Yes
        } else if !self.knows_the_day.load(Ordering::Relaxed) || self.seen.may_hold(&EndOf(call)) {
            Ended::AskTheStore
        } else {
            Ended::No
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a call's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    No,
    AskTheStore,
}

/// What is known of other instances' answers to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// The cache server, which keeps answers for a day unless it is emptied, has none.
    HaveNotAnswered,
    Unknown,
}

/// The right and the duty to answer a turn.
pub(crate) struct Claim<'a> {
    answers: &'a Answers,
    turn: TurnKey,
    sender: watch::Sender<Option<Given>>,
    /// The same among instances, where there are others.
    held: Option<SharedClaim>,
    others: Others,
}

impl Claim<'_> {
    /// Notes that no other instance answers now.
    pub(crate) fn hold(&mut self, held: SharedClaim, others: Others) {
        (self.held, self.others) = (Some(held), others);
    }

    /// What is known of other instances' answers to it.
    pub(crate) const fn others(&self) -> Others {
        self.others
    }

    /// Hands on what another instance has answered; that one has recorded it.
    pub(crate) fn pass_on(self, call: CallKey, given: &Given) {
        self.keep(call, given, (0, SLACK), false);
    }

    /// Keeps the answer and hands it to those who wait. `queued` is how many records were queued so far, this turn's
    /// among them, and `stored` how many of them the store has.
    pub(crate) fn give(self, call: CallKey, given: &Given, (queued, stored): (u64, u64), now: i64) {
        self.answers.note_queued(&self.turn, &call, now);
        self.answers.memory().newest.insert(call.clone(), self.turn.clone());
        self.keep(call, given, (queued, stored), true);
    }

    /// The same for what is no turn of the conversation and has no record: it is kept in memory alone, for a while.
    pub(crate) fn give_beside(self, call: CallKey, given: &Given) {
        self.keep(call, given, (0, SLACK), false);
    }

    fn keep(mut self, call: CallKey, given: &Given, (queued, stored): (u64, u64), has_record: bool) {
        if let Some(held) = self.held.take() {
            held.give(given, has_record);
        }
        {
            let mut memory = self.answers.memory();
            memory.turns.insert(self.turn.clone(), Slot::Given(given.clone()));
            memory.order.push_back((self.turn.clone(), call, queued));
            memory.forget(stored);
        }
        self.sender.send_replace(Some(given.clone()));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut memory = self.answers.memory();
        if let Some(Slot::UnderWay(_)) = memory.turns.get(&self.turn) {
            memory.turns.remove(&self.turn);
        }
    }
}

impl Memory {
    /// Forgets the oldest answers that the store has.
    fn forget(&mut self, stored: u64) {
        while let Some((_, _, queued)) = self.order.front()
            && self.order.len() > KEPT
            && (queued.saturating_add(SLACK) <= stored || self.order.len() > MOST)
        {
            let Some((turn, call, _)) = self.order.pop_front() else {
                return;
            };
            self.turns.remove(&turn);
            if self.newest.get(&call) == Some(&turn) {
                self.newest.remove(&call);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> CompanyId {
        "507f1f77bcf86cd799439011".parse().unwrap()
    }

    fn turn(name: &str) -> TurnKey {
        TurnKey(company(), TurnId::new(name))
    }

    fn call(name: &str) -> CallKey {
        CallKey(company(), CallId::new(name))
    }

    fn given(text: &str) -> Given {
        Given {
            document: text.into(),
            response: text.into(),
        }
    }

    fn claim<'a>(answers: &'a Answers, name: &str) -> Claim<'a> {
        match answers.begin(turn(name)) {
            Begun::Mine(claim) => claim,
            Begun::Given(_) | Begun::UnderWay(_) => panic!("{name} is taken"),
        }
    }

    #[tokio::test]
    async fn one_answers_and_the_others_get_its_answer() {
        let answers = Answers::default();
        let mine = claim(&answers, "CA1-1");
        let Begun::UnderWay(mut flight) = answers.begin(turn("CA1-1")) else {
            panic!("it is under way");
        };
        mine.give(call("CA1"), &given("one"), (1, 0), 0);
        let told = flight.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(told, Some(given("one")));
        assert!(matches!(answers.begin(turn("CA1-1")), Begun::Given(again) if again == given("one")));
        assert_eq!(answers.newest_of(&call("CA1")), Some(given("one")));
    }

    #[tokio::test]
    async fn a_call_that_goes_on_is_not_taken_for_one_that_may_have_ended() {
        let answers = Answers::default();
        answers.know_the_day();
        claim(&answers, "CA1-1").give(call("CA1"), &given("one"), (1, 0), 0);
        assert!(answers.may_know(&call("CA1")));
        assert_eq!(answers.has_ended(&call("CA1")), Ended::No);
        answers.note_stored(&call("CA2"), vec![TurnId::new("CA2-1")], true, 0);
        assert_eq!(answers.has_ended(&call("CA2")), Ended::AskTheStore);
        assert!(answers.end(&call("CA1"), 0));
        assert_eq!(answers.has_ended(&call("CA1")), Ended::Yes);
    }

    #[tokio::test]
    async fn a_claim_that_is_dropped_is_free_again() {
        let answers = Answers::default();
        let mine = claim(&answers, "CA1-1");
        let Begun::UnderWay(mut flight) = answers.begin(turn("CA1-1")) else {
            panic!("it is under way");
        };
        drop(mine);
        assert!(
            flight.wait_for(Option::is_some).await.is_err(),
            "those who wait hear of it"
        );
        claim(&answers, "CA1-1");
    }

    #[test]
    fn an_answer_is_kept_until_the_store_has_it() {
        let answers = Answers::default();
        let many = u64::try_from(KEPT).unwrap() + 1_000;
        for number in 0..many {
            let name = format!("CA{number}");
            claim(&answers, &name).give(call(&name), &given("x"), (number + 1, 0), 0);
        }
        assert!(answers.find(&turn("CA0")).is_some(), "nothing is stored yet");
        claim(&answers, "last").give(call("last"), &given("x"), (many + 1, 500 + SLACK), 0);
        assert!(answers.find(&turn("CA499")).is_none(), "the store has it");
        assert!(answers.find(&turn("CA500")).is_some());
        assert!(answers.newest_of(&call("CA499")).is_none());
    }

    #[test]
    fn what_the_store_may_know_is_asked_for_until_the_day_is_known() {
        let answers = Answers::default();
        assert!(answers.may_be_stored(&turn("CA1-1")) && answers.may_know(&call("CA1")));
        assert_eq!(answers.has_ended(&call("CA1")), Ended::AskTheStore);
        answers.note_stored(&call("CA2"), vec![TurnId::new("CA2-1")], true, 0);
        answers.know_the_day();
        assert!(!answers.may_be_stored(&turn("CA1-1")) && !answers.may_know(&call("CA1")));
        assert_eq!(answers.has_ended(&call("CA1")), Ended::No);
        assert!(answers.may_be_stored(&turn("CA2-1")) && answers.may_know(&call("CA2")));
        assert_eq!(answers.has_ended(&call("CA2")), Ended::AskTheStore);
        assert!(answers.end(&call("CA1"), 0));
        assert!(!answers.end(&call("CA1"), 0), "once");
        assert_eq!(answers.has_ended(&call("CA1")), Ended::Yes);
    }
}
