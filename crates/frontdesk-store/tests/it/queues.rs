//! The queues between the call path and the store.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier as _},
    ids::{CallId, CompanyId, NotificationId},
    record::{Notification, TurnRecord},
    time::Timestamp,
};
use frontdesk_store::{
    ports::{
        CallEnd, CallLog as _, NotificationChange, NotificationChanged, NotificationFilter, NotificationStore, Page,
        RaisedAlert, StoreError, TurnLog,
    },
    queue::{AlertQueue, TurnCounts, TurnQueue, TurnQueueOptions},
    tasks::TaskSet,
};
use serde_json::Value;
use tokio::time;

use crate::support::{Place, TestClock, id, turn};

/// A store that can fail.
#[derive(Default)]
struct Fake {
    fails: AtomicBool,
    tries: AtomicUsize,
    batches: Mutex<Vec<usize>>,
    turns: Mutex<Vec<TurnRecord>>,
    ends: Mutex<Vec<CallEnd>>,
    alerts: Mutex<Vec<RaisedAlert>>,
}

impl Fake {
    fn answer(&self) -> Result<(), StoreError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                action: "answer",
                source: "it is switched off".into(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl TurnLog for Fake {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.answer()?;
        self.batches.lock().unwrap().push(turns.len());
        self.turns.lock().unwrap().extend(turns.iter().cloned());
        Ok(())
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        self.answer()?;
        self.ends.lock().unwrap().extend(ends.iter().cloned());
        Ok(())
    }
}

#[async_trait]
impl NotificationStore for Fake {
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError> {
        self.answer()?;
        self.alerts.lock().unwrap().extend(alerts);
        Ok(())
    }

    async fn notifications(
        &self,
        _: &NotificationFilter,
        _: Page<NotificationId>,
    ) -> Result<Vec<Notification>, StoreError> {
        Ok(Vec::new())
    }

    async fn notification(&self, _: NotificationId) -> Result<Option<Notification>, StoreError> {
        Ok(None)
    }

    async fn notifications_changed(
        &self,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<(Timestamp, Notification)>, StoreError> {
        Ok(Vec::new())
    }

    async fn change_notification(
        &self,
        _: NotificationId,
        _: NotificationChange,
    ) -> Result<NotificationChanged, StoreError> {
        Ok(NotificationChanged::NotFound)
    }

    async fn resolve_open(
        &self,
        _: AlertCode,
        _: Option<CompanyId>,
        _: Timestamp,
    ) -> Result<Option<NotificationId>, StoreError> {
        Ok(None)
    }
}

fn turns(fake: &Arc<Fake>, capacity: usize) -> (TurnQueue, TaskSet) {
    let tasks = TaskSet::new();
    let options = TurnQueueOptions {
        capacity,
        ..TurnQueueOptions::default()
    };
    (TurnQueue::start(fake.clone(), &tasks, options), tasks)
}

#[tokio::test(start_paused = true)]
async fn a_record_is_stored_within_a_tenth_of_a_second() {
    let fake = Arc::<Fake>::default();
    let (queue, _tasks) = turns(&fake, 10);
    assert!(queue.push(turn(1, "CA1", 1, "hello")));
    time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.turns.lock().unwrap().len(), 1);
    assert_eq!(
        queue.counts(),
        TurnCounts {
            pushed: 1,
            stored: 1,
            dropped: 0
        }
    );
}

#[tokio::test(start_paused = true)]
async fn records_are_stored_in_batches_and_in_order() {
    let fake = Arc::<Fake>::default();
    let (queue, _tasks) = turns(&fake, 10_000);
    for number in 1..=1_200 {
        _ = queue.push(turn(1, "CA1", number, "hello"));
    }
    time::sleep(Duration::from_millis(200)).await;
    assert_eq!(*fake.batches.lock().unwrap(), [500, 500, 200]);
    assert!(fake.turns.lock().unwrap().is_sorted_by_key(|turn| turn.turn));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_counts_what_it_lets_go_and_never_waits() {
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    let (queue, _tasks) = turns(&fake, 5);
    let taken = (1..=20)
        .filter(|number| queue.push(turn(1, "CA1", *number, "hello")))
        .count();
    assert_eq!(taken, 5);
    assert_eq!(queue.waiting(), 5);
    assert_eq!(
        queue.counts(),
        TurnCounts {
            pushed: 5,
            stored: 0,
            dropped: 15
        }
    );
}

#[tokio::test(start_paused = true)]
async fn records_outlive_a_store_that_fails_for_a_while() {
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    let (queue, _tasks) = turns(&fake, 100);
    for number in 1..=10 {
        _ = queue.push(turn(1, "CA1", number, "hello"));
        time::sleep(Duration::from_secs(1)).await;
    }
    let tries = fake.tries.load(Ordering::Relaxed);
    assert!(
        (5..=20).contains(&tries),
        "it is tried again, and not in a hurry: {tries}"
    );
    fake.fails.store(false, Ordering::Relaxed);
    time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.turns.lock().unwrap().len(), 10);
    assert_eq!(queue.counts().stored, 10);
}

#[tokio::test(start_paused = true)]
async fn shutdown_stores_what_waits() {
    let fake = Arc::<Fake>::default();
    let (queue, tasks) = turns(&fake, 10_000);
    for number in 1..=1_300 {
        _ = queue.push(turn(1, "CA1", number, "hello"));
    }
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    assert_eq!(fake.turns.lock().unwrap().len(), 1_300);
    assert!(!queue.push(turn(1, "CA1", 9_999, "too late")));
    assert_eq!(
        queue.counts(),
        TurnCounts {
            pushed: 1_300,
            stored: 1_300,
            dropped: 1
        }
    );
}

#[tokio::test]
async fn records_are_on_disk() {
    let place = Place::new();
    let tasks = TaskSet::new();
    let queue = TurnQueue::start(place.open(), &tasks, TurnQueueOptions::default());
    _ = queue.push(turn(1, "CA1", 1, "hello"));
    time::timeout(Duration::from_secs(1), async {
        while queue.counts().stored == 0 {
            time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert!(place.open().call(id(1), &CallId::new("CA1")).await.unwrap().is_some());
}

fn alert(code: AlertCode, company: Option<u32>, message: &str) -> Alert {
    Alert {
        code,
        company: company.map(id),
        message: message.to_owned(),
        details: Value::Null,
    }
}

fn alerts(fake: &Arc<Fake>) -> (AlertQueue, TaskSet) {
    let tasks = TaskSet::new();
    (
        AlertQueue::start(fake.clone(), Arc::new(TestClock::default()), &tasks),
        tasks,
    )
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_alerts_is_one_write_a_group() {
    let fake = Arc::<Fake>::default();
    let (queue, _tasks) = alerts(&fake);
    for number in 0..100_000 {
        queue.raise(alert(AlertCode::FallbackUsed, Some(1), &format!("alert {number}")));
    }
    queue.raise(alert(AlertCode::FallbackUsed, None, "of nobody"));
    time::sleep(Duration::from_millis(250)).await;
    let mut stored = fake.alerts.lock().unwrap().clone();
    stored.sort_by_key(|group| group.count);
    assert_eq!(stored.iter().map(|group| group.count).collect::<Vec<_>>(), [1, 100_000]);
    assert_eq!(stored[1].alert.message, "alert 99999");
    assert!(stored[1].first_at < stored[1].last_at);
    assert_eq!(fake.tries.load(Ordering::Relaxed), 1);
    assert_eq!(queue.counts().stored, 100_001);
}

#[tokio::test(start_paused = true)]
async fn alerts_outlive_a_store_that_fails_for_a_while() {
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    let (queue, _tasks) = alerts(&fake);
    for _ in 0..10 {
        queue.raise(alert(AlertCode::DatabaseError, None, "no answer"));
        time::sleep(Duration::from_secs(1)).await;
    }
    fake.fails.store(false, Ordering::Relaxed);
    time::sleep(Duration::from_secs(2)).await;
    // What was tried is tried again as it was, so that the store can tell that it is the same; what came since is another.
    let stored = fake.alerts.lock().unwrap().clone();
    let counts: Vec<u64> = stored.iter().map(|group| group.count).collect();
    assert_eq!(counts, [1, 9]);
    assert_ne!(stored[0].id, stored[1].id);
}

#[tokio::test(start_paused = true)]
async fn too_many_groups_are_let_go_and_counted() {
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    let (queue, _tasks) = alerts(&fake);
    for number in 0..12_000 {
        queue.raise(alert(AlertCode::FallbackUsed, Some(number), "a fallback"));
    }
    queue.raise(alert(AlertCode::FallbackUsed, Some(1), "of a group that waits"));
    assert_eq!((queue.counts().raised, queue.counts().dropped), (10_001, 2_000));
}

#[tokio::test(start_paused = true)]
async fn shutdown_stores_alerts_that_wait() {
    let fake = Arc::<Fake>::default();
    let (queue, tasks) = alerts(&fake);
    queue.raise(alert(AlertCode::EmergencyCall, Some(1), "danger"));
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    assert_eq!(fake.alerts.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_that_come_after_the_queues_own_end_are_stored() {
    let fake = Arc::new(Fake::default());
    let (queue, tasks) = alerts(&fake);
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    queue.raise(alert(AlertCode::LlmDown, None, "late"));
    queue.finish(&*fake, Duration::from_secs(1)).await;
    assert_eq!(fake.alerts.lock().unwrap().len(), 1);
    assert_eq!(queue.counts().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn alerts_that_an_end_would_lose_are_counted() {
    let fake = Arc::<Fake>::default();
    let (queue, tasks) = alerts(&fake);
    queue.raise(alert(AlertCode::EmergencyCall, Some(1), "stored"));
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.counts().waiting, 0);
    fake.fails.store(true, Ordering::Relaxed);
    for number in 0..12_000 {
        queue.raise(alert(AlertCode::FallbackUsed, Some(number), "waits"));
    }
    assert_eq!(queue.counts().waiting, 10_000);
    // They are being written just now, in vain; others take their places.
    time::sleep(Duration::from_secs(1)).await;
    queue.raise(alert(AlertCode::FallbackUsed, Some(1), "waits too"));
    assert_eq!(tasks.shutdown(Duration::from_secs(2)).await, ["store alerts"]);
    assert_eq!(queue.counts().waiting, 10_001);
}
