//! Numbers of the rotation of fallbacks, taken ahead where they are wanted often.
//!
//! A number that is durable costs its caller a commit: 3 to 10 ms. Where a company's callers hear a kind of fallback
//! more than once a second, numbers are taken from the store in blocks. Numbers stay unique over all processes. Within
//! one they come in the order in which callers ask: one of them asks the store, those who come meanwhile stand in line
//! for what it brings. Several processes take turns by blocks only while they are that busy; a process that ends, and a
//! caller who gives up while the store is asked, forget what they had taken.

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use frontdesk_domain::{decision::FallbackKind, ids::CompanyId};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::ports::{RotationStore, StoreError};

/// Who uses up numbers faster than one in this time takes twice as many.
const SOON: Duration = Duration::from_secs(1);

/// So many are taken at once at most.
const LARGEST_BLOCK: u32 = 64;

/// Who stands in line for so long gives up: as long as a turn waits for the store.
const LINE: Duration = Duration::from_secs(1);

/// What a caller wants of the store here, as a verb with its object.
const ACTION: &str = "count a fallback";

type Key = (CompanyId, FallbackKind);

pub(super) struct Rotations {
    store: Arc<dyn RotationStore>,
    kept: Mutex<HashMap<Key, Kept>>,
}

/// What one rotation has here.
#[derive(Debug)]
struct Kept {
    /// Whose turn it is, first come, first served. Everybody in line holds one more of it; it is another when the
    /// company was forgotten.
    line: Arc<Semaphore>,
    /// Numbers that the store gave and nobody has had yet, lowest first.
    numbers: VecDeque<Range<u64>>,
    /// How many were taken last.
    block: u32,
    taken_at: Option<Instant>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            line: Arc::new(Semaphore::new(1)),
            numbers: VecDeque::new(),
            block: 0,
            taken_at: None,
        }
    }
}

impl Kept {
    fn pop(&mut self) -> Option<u64> {
        let number = self.numbers.front_mut()?.next();
        self.numbers.retain(|range| !range.is_empty());
        number
    }

    fn keep(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.numbers.push_back(range);
            self.numbers.make_contiguous().sort_unstable_by_key(|range| range.start);
        }
    }

    /// How many to take now: also enough for those who stand in line already.
    fn next_take(&mut self, now: Instant) -> u32 {
        let in_line = u32::try_from(Arc::strong_count(&self.line) - 1).unwrap_or(LARGEST_BLOCK);
        self.next_block(now).max(in_line).min(LARGEST_BLOCK)
    }

    fn next_block(&mut self, now: Instant) -> u32 {
        let used_up_soon = self
            .taken_at
            .is_some_and(|at| now.duration_since(at) < SOON * self.block);
        self.block = if used_up_soon {
            LARGEST_BLOCK.min(self.block * 2)
        } else {
            1
        };
        self.taken_at = Some(now);
        self.block
    }
}

impl Rotations {
    pub(super) fn new(store: Arc<dyn RotationStore>) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The next number.
    pub(super) async fn next(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        let key = (company, kind);
        let line = self.with(key, |kept| Arc::clone(&kept.line));
        let given_up = |source: Box<dyn Error + Send + Sync>| StoreError::Unavailable { action: ACTION, source };
        let _turn = match timeout(LINE, line.acquire()).await {
            Ok(turn) => turn.map_err(|closed| given_up(closed.into()))?,
            Err(late) => return Err(given_up(late.into())),
        };
        let taken = self.with_current(key, &line, |kept| {
            kept.pop().ok_or_else(|| kept.next_take(Instant::now()))
        });
        let count = match taken {
            Some(Ok(number)) => return Ok(number),
            Some(Err(count)) => count,
            None => 1,
        };
        let first = self.store.take_rotations(company, kind, count).await?;
        // What was taken for a company that has been deleted meanwhile goes with it.
        self.with_current(key, &line, |kept| kept.keep(first + 1..first + u64::from(count)));
        Ok(first)
    }

    /// The number that is next here.
    pub(super) async fn peek(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        let front = |kept: &Kept| Some(kept.numbers.front()?.start);
        let kept = self.lock().get(&(company, kind)).and_then(front);
        match kept {
            Some(number) => Ok(number),
            None => self.store.peek_rotation(company, kind).await,
        }
    }

    /// Forgets what was taken for a company that is gone.
    pub(super) fn forget(&self, company: CompanyId) {
        self.lock().retain(|(of, _), _| *of != company);
    }

    fn with<T>(&self, key: Key, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(self.lock().entry(key).or_default())
    }

    /// The same for those who stand in this line, unless the company was forgotten since they joined it.
    fn with_current<T>(&self, key: Key, line: &Arc<Semaphore>, work: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let mut kept = self.lock();
        let current = kept.get_mut(&key).filter(|kept| Arc::ptr_eq(&kept.line, line));
        current.map(work)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use async_trait::async_trait;

    use super::*;

    const KIND: FallbackKind = FallbackKind::NoMatchFound;

    /// A counter that takes 5 ms, and how often it was asked.
    #[derive(Default)]
    struct Counter(Mutex<(u64, u32)>);

    #[async_trait]
    impl RotationStore for Counter {
        async fn take_rotations(&self, _: CompanyId, _: FallbackKind, count: u32) -> Result<u64, StoreError> {
            let first = {
                let mut counter = self.0.lock().unwrap();
                counter.0 += u64::from(count);
                counter.1 += 1;
                counter.0 - u64::from(count)
            };
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(first)
        }

        async fn peek_rotation(&self, _: CompanyId, _: FallbackKind) -> Result<u64, StoreError> {
            Ok(self.0.lock().unwrap().0)
        }

        async fn last_spoken(&self, _: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
            Ok(Vec::new())
        }
    }

    fn company() -> CompanyId {
        "507f1f77bcf86cd799439011".parse().unwrap()
    }

    fn rotations() -> (Arc<Counter>, Arc<Rotations>) {
        let counter = Arc::new(Counter::default());
        let store: Arc<dyn RotationStore> = Arc::<Counter>::clone(&counter);
        (counter, Arc::new(Rotations::new(store)))
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_come_in_order_and_seldom_from_the_store_when_many_are_wanted() {
        let (counter, rotations) = rotations();
        for want in 0..1_000 {
            assert_eq!(rotations.next(company(), KIND).await.unwrap(), want);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let asked = counter.0.lock().unwrap().1;
        assert!((20..=26).contains(&asked), "the store was asked {asked} times");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_company_takes_one_by_one_so_that_processes_take_turns() {
        let (counter, one) = rotations();
        let other = Arc::new(Rotations::new(Arc::<Counter>::clone(&counter)));
        for want in 0..10 {
            let rotations = if want % 2 == 0 { &one } else { &other };
            assert_eq!(rotations.next(company(), KIND).await.unwrap(), want);
            assert_eq!(rotations.peek(company(), KIND).await.unwrap(), want + 1);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_are_unique_over_processes_and_callers_at_once() {
        let (counter, one) = rotations();
        let other = Arc::new(Rotations::new(Arc::<Counter>::clone(&counter)));
        let mut drawn = BTreeSet::new();
        for _ in 0..20 {
            let all = (0..40).map(|caller| if caller % 2 == 0 { &one } else { &other }.next(company(), KIND));
            for number in futures_util::future::join_all(all).await {
                assert!(drawn.insert(number.unwrap()), "each number once");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_at_once_get_numbers_in_the_order_in_which_they_ask() {
        let (counter, rotations) = rotations();
        let mut want = 0;
        for callers in [1_u64, 5, 40, 200] {
            let all = (0..callers).map(|_| rotations.next(company(), KIND));
            let numbers = futures_util::future::try_join_all(all).await.unwrap();
            let expected: Vec<u64> = (want..want + callers).collect();
            assert_eq!(numbers, expected);
            want += callers;
        }
        let asked = counter.0.lock().unwrap().1;
        assert!(asked <= 12, "what is wanted at once is taken at once: {asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_line_to_the_others() {
        let (_, rotations) = rotations();
        let millisecond = Duration::from_millis(1);
        let (first, second, third) = tokio::join!(
            timeout(millisecond, rotations.next(company(), KIND)),
            timeout(millisecond, rotations.next(company(), KIND)),
            rotations.next(company(), KIND),
        );
        assert!(first.is_err() && second.is_err());
        let third = third.unwrap();
        assert_eq!(rotations.next(company(), KIND).await.unwrap(), third + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_stands_in_line_for_longer_than_the_store_may_take() {
        struct Stuck;

        #[async_trait]
        impl RotationStore for Stuck {
            async fn take_rotations(&self, _: CompanyId, _: FallbackKind, _: u32) -> Result<u64, StoreError> {
                std::future::pending().await
            }

            async fn peek_rotation(&self, _: CompanyId, _: FallbackKind) -> Result<u64, StoreError> {
                Ok(0)
            }

            async fn last_spoken(&self, _: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
                Ok(Vec::new())
            }
        }

        let rotations = Rotations::new(Arc::new(Stuck));
        let began = Instant::now();
        let (_, waited) = tokio::join!(timeout(2 * LINE, rotations.next(company(), KIND)), async {
            let second = timeout(3 * LINE, rotations.next(company(), KIND)).await;
            assert!(second.expect("it gives up by itself").is_err());
            began.elapsed()
        });
        assert!((LINE..LINE + Duration::from_millis(5)).contains(&waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_just_being_taken_for_a_company_goes_with_it_too() {
        let (counter, rotations) = rotations();
        for _ in 0..3 {
            rotations.next(company(), KIND).await.unwrap();
        }
        let (taken, ()) = tokio::join!(rotations.next(company(), KIND), async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            rotations.forget(company());
        });
        taken.unwrap();
        // The company is there again, and its rotation begins anew.
        *counter.0.lock().unwrap() = (0, 0);
        assert_eq!(rotations.peek(company(), KIND).await.unwrap(), 0);
        assert_eq!(rotations.next(company(), KIND).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_for_a_company_goes_with_it() {
        let (counter, rotations) = rotations();
        for _ in 0..4 {
            rotations.next(company(), KIND).await.unwrap();
        }
        assert_eq!(counter.0.lock().unwrap().0, 7, "blocks of one, two and four");
        assert_eq!(rotations.peek(company(), KIND).await.unwrap(), 4);
        rotations.forget(company());
        assert_eq!(rotations.peek(company(), KIND).await.unwrap(), 7, "as the store says");
    }
}
