//! How much one process does at once, and how much of it one company may take: who asks for more waits behind their own
//! callers, not in front of others'. Whoever waits in vain hears the next best thing within their turn's deadline.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::{
    sync::Semaphore,
    time::{Instant, error::Elapsed, timeout_at},
};

/// What is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// Turns that are being decided, of all companies. Further ones are put through without being decided.
    pub turns: usize,
    /// Utterances of one company whose meaning is computed or that wait for a thread.
    pub meanings_per_company: usize,
    /// Questions to the LLM, of all companies, whether or not their turns still wait.
    pub questions: usize,
    /// Questions to the LLM of one company.
    pub questions_per_company: usize,
    /// What turns of one company read from the store and write to it.
    pub store_per_company: usize,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self {
            // A turn that waits holds some 50 KB: 1,000 of them at a provider that hangs took 56 MB.
            turns: 4_096,
            meanings_per_company: 4,
            questions: 4_096,
            questions_per_company: 1_024,
            // The SQLite store writes 64 operations in one commit.
            store_per_company: 64,
        }
    }
}

/// A company's places. They stay the same when the company is compiled anew.
#[derive(Debug)]
pub(crate) struct Shares {
    pub(crate) meanings: Semaphore,
    pub(crate) questions: Arc<Semaphore>,
    pub(crate) store: Semaphore,
}

impl Shares {
    pub(crate) fn new(at_once: &AtOnce) -> Self {
        Self {
            meanings: Semaphore::new(at_once.meanings_per_company),
            questions: Arc::new(Semaphore::new(at_once.questions_per_company)),
            store: Semaphore::new(at_once.store_per_company),
        }
    }
}

/// Does something when there is a place for it, and gives up both the waiting and the work at `until`.
pub(crate) async fn within<T>(places: &Semaphore, until: Instant, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    timeout_at(until, async {
        // Never closed, so always a place.
        let _place = places.acquire().await;
        work.await
    })
    .await
}

/// The turns that are being decided.
#[derive(Debug)]
pub(crate) struct TurnsAtOnce {
    most: usize,
    running: AtomicUsize,
    shed: AtomicU64,
}

/// The right to decide a turn; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Entered<'t>(&'t AtomicUsize);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TurnsAtOnce {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            running: AtomicUsize::new(0),
            shed: AtomicU64::new(0),
        }
    }

    /// Begins to decide a turn; `None`, and counted, if too many are being decided.
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        let entered = Entered(&self.running);
        if self.running.fetch_add(1, Ordering::Relaxed) < self.most {
            return Some(entered);
        }
        self.shed.fetch_add(1, Ordering::Relaxed);
        None
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    pub(crate) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_finds_no_place_is_counted_and_takes_none() {
        let turns = TurnsAtOnce::new(1);
        let first = turns.enter();
        assert!(first.is_some());
        assert!(turns.enter().is_none());
        assert_eq!((turns.running(), turns.shed()), (1, 1));
        drop(first);
        assert!(turns.enter().is_some());
    }

    #[tokio::test]
    async fn work_waits_for_a_place_until_its_deadline() {
        let places = Semaphore::new(1);
        let soon = Instant::now() + Duration::from_millis(50);
        let place = places.acquire().await.unwrap();
        assert!(within(&places, soon, async { 1 }).await.is_err());
        drop(place);
        let soon = Instant::now() + Duration::from_millis(50);
        assert_eq!(within(&places, soon, async { 1 }).await, Ok(1));
        assert!(
            within(&places, soon, std::future::pending::<()>()).await.is_err(),
            "the work has the same deadline"
        );
        assert_eq!(places.available_permits(), 1);
    }
}
