//! Numbers of the rotation of fallbacks, taken ahead where they are wanted often.
//!
//! A number that is durable costs its caller a commit: 3 to 10 ms. Where a company's callers hear a kind of fallback
//! more than once a second, numbers are taken from the store in blocks. Numbers stay unique over all processes and in
//! order within one. Several processes take turns by blocks only while they are that busy; a process that ends forgets
//! what it had taken.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use frontdesk_domain::{decision::FallbackKind, ids::CompanyId};
use tokio::time::Instant;

use crate::ports::{RotationStore, StoreError};

/// Who uses up numbers faster than one in this time takes twice as many.
const SOON: Duration = Duration::from_secs(1);

/// So many are taken at once at most.
const LARGEST_BLOCK: u32 = 64;

type Key = (CompanyId, FallbackKind);

pub(super) struct Rotations {
    store: Arc<dyn RotationStore>,
    kept: Mutex<HashMap<Key, Kept>>,
}

/// What one rotation has here.
#[derive(Debug, Default)]
struct Kept {
    /// Numbers that the store gave and nobody has had yet, lowest first.
    numbers: VecDeque<Range<u64>>,
    /// How many were taken last.
    block: u32,
    taken_at: Option<Instant>,
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

    /// How many to take now.
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
        let taken = self.with(key, |kept| kept.pop().ok_or_else(|| kept.next_block(Instant::now())));
        let block = match taken {
            Ok(number) => return Ok(number),
            Err(block) => block,
        };
        let first = self.store.take_rotations(company, kind, block).await?;
        self.with(key, |kept| kept.keep(first + 1..first + u64::from(block)));
        Ok(first)
    }

    /// The number that is next here.
    pub(super) async fn peek(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        let kept = self.with((company, kind), |kept| kept.numbers.front().map(|range| range.start));
        match kept {
            Some(number) => Ok(number),
            None => self.store.peek_rotation(company, kind).await,
        }
    }

    /// Forgets what was taken for a company that is gone.
    pub(super) fn forget(&self, company: CompanyId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _), _| *of != company);
    }

    fn with<T>(&self, key: Key, work: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        work(kept.entry(key).or_default())
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
