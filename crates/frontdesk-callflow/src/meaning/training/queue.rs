//! Who waits to be learnt, and what is in memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, Weak},
};

use frontdesk_matching::{
    knowledge::Parts,
    meaning::{
        safety::Lesson,
        wordings::{OwnWordings, SharedWordings},
    },
};

use super::{Learnt, LearntDangers, lock};

/// What many companies share to learn from.
pub(super) struct SharedSet {
    pub(super) wordings: SharedWordings,
    /// Held so that no other piece gets the address of one of these.
    pub(super) _parts: Parts,
}

/// A company that waits.
pub(super) struct Job {
    pub(super) place: Weak<Learnt>,
    pub(super) shared: Arc<SharedSet>,
    pub(super) own: OwnWordings,
}

/// Safety rules that wait.
pub(super) struct DangerJob {
    pub(super) place: Weak<LearntDangers>,
    pub(super) lessons: Vec<Lesson>,
}

/// What is learnt next.
pub(super) enum Next {
    Dangers(DangerJob),
    Words(Job),
    Meaning(Job),
}

/// Who waits.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) dangers: VecDeque<DangerJob>,
    /// Those who have nothing yet, which takes milliseconds.
    pub(super) for_words: VecDeque<Job>,
    pub(super) for_meaning: VecDeque<Job>,
    /// So many jobs are being worked on.
    pub(super) busy: usize,
    /// One of them is about words.
    pub(super) is_reading: bool,
}

impl Waiting {
    /// The next one whose words somebody still waits for.
    pub(super) fn take_for_words(&mut self) -> Option<Next> {
        let still = |job: &Job| job.place.strong_count() > 0;
        first(&mut self.for_words, still).map(Next::Words)
    }

    /// The next one whose meaning somebody still waits for; dangers first.
    pub(super) fn take_for_meaning(&mut self) -> Option<Next> {
        let danger = first(&mut self.dangers, |job| job.place.strong_count() > 0);
        danger.map(Next::Dangers).or_else(|| {
            let still = |job: &Job| job.place.strong_count() > 0;
            first(&mut self.for_meaning, still).map(Next::Meaning)
        })
    }

    /// How many wait for their words, the one in work included.
    pub(super) fn for_words(&self) -> usize {
        let alive = self.for_words.iter().filter(|job| job.place.strong_count() > 0);
        alive.count() + usize::from(self.is_reading)
    }

    /// How many somebody waits for, those in work included.
    pub(super) fn count(&self) -> usize {
        let alive = |jobs: &VecDeque<Job>| jobs.iter().filter(|job| job.place.strong_count() > 0).count();
        let dangers = self.dangers.iter().filter(|job| job.place.strong_count() > 0).count();
        dangers + alive(&self.for_words) + alive(&self.for_meaning) + self.busy
    }
}

/// Takes the first job that somebody still waits for, and those before it.
fn first<J>(jobs: &mut VecDeque<J>, still: impl Fn(&J) -> bool) -> Option<J> {
    std::iter::from_fn(|| jobs.pop_front()).find(still)
}

/// What is in memory as long as a company uses it.
pub(super) struct Known<K, V>(Mutex<HashMap<K, Weak<V>>>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Known<K, V> {
    pub(super) fn find(&self, key: &K) -> Option<Arc<V>> {
        lock(&self.0).get(key)?.upgrade()
    }

    pub(super) fn note(&self, key: K, value: &Arc<V>) {
        let mut known = lock(&self.0);
        if known.len() == known.capacity() {
            known.retain(|_, value| value.strong_count() > 0);
        }
        known.insert(key, Arc::downgrade(value));
    }
}
