use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::ports::Fence;

/// A lease in memory, whose store may be away.
#[derive(Default)]
struct Memory {
    lease: Mutex<Option<Lease>>,
    is_away: Mutex<bool>,
}

impl Memory {
    fn answer<T>(&self, step: impl FnOnce(&mut Option<Lease>) -> T) -> Result<T, StoreError> {
        if *self.is_away.lock().unwrap() {
            return Err(StoreError::Unavailable {
                action: "answer",
                source: "it is away".into(),
            });
        }
        Ok(step(&mut self.lease.lock().unwrap()))
    }
}

#[async_trait]
impl LeaseStore for Memory {
    async fn lease(&self, _: &str) -> Result<Option<Lease>, StoreError> {
        self.answer(|lease| lease.clone())
    }

    async fn take_lease(&self, _: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Fence>, StoreError> {
        self.answer(|lease| {
            if lease.as_ref() != seen {
                return None;
            }
            let fence = seen.map_or(0, |seen| seen.fence) + 1;
            *lease = Some(Lease {
                fence,
                renewals: 0,
                holder: Some(holder.into()),
            });
            Some(fence)
        })
    }

    async fn renew_lease(&self, _: &str, fence: Fence) -> Result<bool, StoreError> {
        self.answer(|lease| {
            let held = lease
                .as_mut()
                .filter(|lease| lease.fence == fence && lease.holder.is_some());
            held.map(|lease| lease.renewals += 1).is_some()
        })
    }

    async fn give_up_lease(&self, _: &str, fence: Fence) -> Result<bool, StoreError> {
        self.answer(|lease| {
            let held = lease
                .as_mut()
                .filter(|lease| lease.fence == fence && lease.holder.is_some());
            held.map(|lease| lease.holder = None).is_some()
        })
    }
}

/// A process that shares the lease with others.
struct Process {
    tasks: TaskSet,
    leadership: Leadership,
}

impl Process {
    async fn start(store: &Arc<Memory>) -> Self {
        let tasks = TaskSet::new();
        let leadership = start(Arc::<Memory>::clone(store), "work", &tasks);
        time::sleep(Duration::from_millis(10)).await;
        Self { tasks, leadership }
    }

    fn works(&self) -> bool {
        self.leadership.is_held()
    }
}

/// After how many whole seconds it is so; each second, no more than one of the two works.
async fn seconds_until(first: &Process, second: &Process, is_so: impl Fn() -> bool) -> u32 {
    for second_number in 0..60 {
        if is_so() {
            return second_number;
        }
        time::sleep(Duration::from_secs(1)).await;
        assert!(!(first.works() && second.works()), "one at a time");
    }
    panic!("not within a minute");
}

#[tokio::test(start_paused = true)]
async fn the_first_works_and_the_second_waits() {
    let store = Arc::default();
    let (first, second) = (Process::start(&store).await, Process::start(&store).await);
    for _ in 0..100 {
        assert!(first.works() && !second.works());
        time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_ends_hands_over_within_a_second() {
    let store = Arc::default();
    let (first, second) = (Process::start(&store).await, Process::start(&store).await);
    assert!(first.tasks.shutdown(Duration::from_secs(1)).await.is_empty());
    assert!(!first.works());
    assert!(seconds_until(&first, &second, || second.works()).await <= 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_replaced_within_ten_seconds() {
    let store = Arc::<Memory>::default();
    let first = Process::start(&store).await;
    // Its holder renews no more.
    *store.lease.lock().unwrap() = Some(Lease {
        fence: 7,
        renewals: 3,
        holder: Some("gone".into()),
    });
    let second = Process::start(&store).await;
    let seconds = seconds_until(&first, &second, || second.works()).await;
    assert!((8..=10).contains(&seconds), "{seconds} s");
    assert_eq!(store.lease.lock().unwrap().as_ref().unwrap().fence, 8);
    assert!(!first.works(), "whoever finds its fence passed has stopped");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_nobody_works_for_long_and_then_one_does_again() {
    let store = Arc::<Memory>::default();
    let (first, second) = (Process::start(&store).await, Process::start(&store).await);
    *store.is_away.lock().unwrap() = true;
    let seconds = seconds_until(&first, &second, || !first.works()).await;
    assert!(
        (4..=6).contains(&seconds),
        "lost before others may take it: {seconds} s"
    );
    time::sleep(Duration::from_mins(5)).await;
    assert!(!first.works() && !second.works());
    *store.is_away.lock().unwrap() = false;
    assert!(seconds_until(&first, &second, || first.works() || second.works()).await <= 10);
}

#[tokio::test(start_paused = true)]
async fn who_was_stopped_has_lost_its_lease_by_its_own_clock() {
    let store = Arc::<Memory>::default();
    let first = Process::start(&store).await;
    // No task runs meanwhile, as none does in a stopped process.
    time::advance(Duration::from_secs(7)).await;
    assert!(!first.works());
}
