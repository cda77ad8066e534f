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

/// Who waits: first those who have nothing yet, which takes milliseconds; then dangers; then meaning.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) dangers: VecDeque<DangerJob>,
    pub(super) for_words: VecDeque<Job>,
    pub(super) for_meaning: VecDeque<Job>,
    /// A job is being worked on.
    pub(super) busy: bool,
}

impl Waiting {
    /// The next one that somebody still waits for.
    pub(super) fn take(&mut self) -> Option<Next> {
        while let Some(job) = self.for_words.pop_front() {
            if job.place.strong_count() > 0 {
                return Some(Next::Words(job));
            }
        }
        while let Some(job) = self.dangers.pop_front() {
            if job.place.strong_count() > 0 {
                return Some(Next::Dangers(job));
            }
        }
        while let Some(job) = self.for_meaning.pop_front() {
            if job.place.strong_count() > 0 {
                return Some(Next::Meaning(job));
            }
        }
        None
    }

    /// How many somebody waits for, the one in work included.
    pub(super) fn count(&self) -> usize {
        let alive = |jobs: &VecDeque<Job>| jobs.iter().filter(|job| job.place.strong_count() > 0).count();
        let dangers = self.dangers.iter().filter(|job| job.place.strong_count() > 0).count();
        dangers + alive(&self.for_words) + alive(&self.for_meaning) + usize::from(self.busy)
    }
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
