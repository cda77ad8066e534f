//! The queues between the call path and the store.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    confidence::Confidence,
    ids::{CallId, CompanyId, NotificationId},
    record::{LlmResult, Notification, TurnRecord},
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
    /// It takes no batch with this turn, without a reason that tells why.
    refuses: AtomicU32,
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
            return Err(failure("it is switched off"));
        }
        Ok(())
    }
}

fn failure(why: &'static str) -> StoreError {
    StoreError::Unavailable {
        action: "answer",
        source: why.into(),
    }
}

/// Keeps alerts.
#[derive(Default)]
struct Raised(Mutex<Vec<Alert>>);

impl Notifier for Raised {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}

#[async_trait]
impl TurnLog for Fake {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.answer()?;
        if turns
            .iter()
            .any(|turn| turn.turn == self.refuses.load(Ordering::Relaxed))
        {
            return Err(failure("it is odd"));
        }
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
            dropped: 0,
            ..TurnCounts::default()
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
            dropped: 15,
            ..TurnCounts::default()
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
            dropped: 1,
            ..TurnCounts::default()
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

/// Waits until the queue has counted as wanted.
async fn counted(queue: &TurnQueue, is_wanted: impl Fn(TurnCounts) -> bool) {
    let counting = async {
        while !is_wanted(queue.counts()) {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = time::timeout(Duration::from_secs(20), counting).await;
    assert!(counted.is_ok(), "{:?}", queue.counts());
}

/// The files of a folder whose names begin so.
fn files(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(beginning))
        .collect()
}

#[tokio::test]
async fn a_record_that_the_store_refuses_for_good_is_kept_in_a_file_and_holds_up_no_other() {
    let place = Place::new();
    let store = place.open();
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER refuse BEFORE INSERT ON turns WHEN NEW.turn_id = 'CA1-3'
            BEGIN SELECT RAISE(ABORT, 'it is refused'); END",
    )
    .unwrap();
    let (raised, tasks) = (Arc::<Raised>::default(), TaskSet::new());
    let options = TurnQueueOptions::default();
    let queue = TurnQueue::start_in(store.clone(), place.folder(), raised.clone(), &tasks, options);
    for number in 1..=40 {
        assert!(queue.push(turn(1, "CA1", number, "hello")));
    }
    counted(&queue, |counts| counts.stored == 39 && counts.rejected == 1).await;
    assert!(queue.stored().await);
    let call = store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
    let stored: Vec<_> = call.turns.iter().map(|turn| turn["turn"].as_u64().unwrap()).collect();
    assert_eq!(stored, (1..=40).filter(|number| *number != 3).collect::<Vec<_>>());
    let rejected = fs::read_to_string(place.folder().join("turns-rejected.jsonl")).unwrap();
    let lines: Vec<Value> = rejected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["turn"]["turnId"], "CA1-3");
    assert_eq!(lines[0]["document"], "<Response>hello</Response>");
    assert!(
        lines[0]["reason"].as_str().unwrap().contains("it is refused"),
        "{lines:?}"
    );
    let alerts = raised.0.lock().unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].code, AlertCode::DatabaseError);
}

#[tokio::test(start_paused = true)]
async fn what_fails_while_others_are_stored_is_found_and_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::<Fake>::default();
    fake.refuses.store(3, Ordering::Relaxed);
    let tasks = TaskSet::new();
    let options = TurnQueueOptions::default();
    let queue = TurnQueue::start_in(fake.clone(), folder.path(), Arc::<Raised>::default(), &tasks, options);
    for number in 1..=10 {
        assert!(queue.push(turn(1, "CA1", number, "hello")));
    }
    for number in 11..=90 {
        time::sleep(Duration::from_secs(1)).await;
        assert!(queue.push(turn(1, "CA1", number, "hello")));
    }
    time::sleep(Duration::from_secs(10)).await;
    let counts = queue.counts();
    assert_eq!((counts.stored, counts.rejected), (89, 1));
    let stored: Vec<u32> = fake.turns.lock().unwrap().iter().map(|turn| turn.turn).collect();
    let distinct: BTreeSet<u32> = stored.iter().copied().collect();
    assert_eq!(stored.len(), 89, "none is stored twice");
    assert!(distinct.len() == 89 && !distinct.contains(&3));
    assert_eq!(files(folder.path(), "turns-rejected").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_long_refuses_nothing_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::<Fake>::default();
    let tasks = TaskSet::new();
    let options = TurnQueueOptions::default();
    let queue = TurnQueue::start_in(fake.clone(), folder.path(), Arc::<Raised>::default(), &tasks, options);
    for number in 1..=600 {
        // It comes back twice for a moment.
        fake.fails.store(number % 200 != 0, Ordering::Relaxed);
        assert!(queue.push(turn(1, "CA1", number, "hello")));
        time::sleep(Duration::from_secs(1)).await;
    }
    fake.fails.store(false, Ordering::Relaxed);
    time::sleep(Duration::from_secs(3)).await;
    let counts = queue.counts();
    assert_eq!((counts.stored, counts.rejected, counts.dropped), (600, 0, 0));
}

/// A turn of which every part is there.
fn full_turn(number: u32) -> TurnRecord {
    let mut record = turn(1, "CA1", number, "hello");
    record.tokens = Some(7);
    record.decision.confidence = Confidence::new(0.123_456_789_012_345_67).unwrap();
    record.replay.rotation = Some(u64::MAX);
    record.replay.llm = Some(LlmResult {
        model: "gpt-6-luna".into(),
        choice: None,
        out_of_scope: true,
        confidence: Confidence::new(0.7),
    });
    record
}

#[tokio::test]
async fn what_the_store_does_not_take_by_the_end_is_stored_once_by_the_next_start() {
    let place = Place::new();
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    let options = TurnQueueOptions::default();
    let raised = Arc::<Raised>::default();
    let tasks = TaskSet::new();
    let queue = TurnQueue::start_in(fake.clone(), place.folder(), raised.clone(), &tasks, options);
    assert!(queue.push(full_turn(1)));
    // The first is being stored, in vain; the others wait behind it.
    time::sleep(Duration::from_millis(50)).await;
    let end = CallEnd {
        company: id(1),
        call: CallId::new("CA1"),
        from: None,
        at: "2026-11-15T12:01:00Z".parse().unwrap(),
        status: "busy",
    };
    assert!(queue.push(full_turn(2)) && queue.push(full_turn(3)) && queue.push_end(end));
    assert_eq!(tasks.shutdown(Duration::from_millis(200)).await, ["store turn records"]);
    queue.finish(Duration::from_secs(5)).await;
    assert_eq!((queue.counts().stored, queue.counts().spooled), (0, 3));
    let [file] = files(place.folder(), "turns.").try_into().unwrap();
    let copy = place.folder().join("copy");
    fs::copy(&file, &copy).unwrap();
    let store = place.open();
    for _ in 0..2 {
        let tasks = TaskSet::new();
        let next = TurnQueue::start_in(store.clone(), place.folder(), raised.clone(), &tasks, options);
        assert_eq!(next.counts().recovered, 3);
        assert!(next.stored().await);
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
        next.finish(Duration::from_secs(5)).await;
        assert!(files(place.folder(), "turns.").is_empty());
        let call = store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
        let pushed = (1..=3).map(|number| serde_json::to_value(full_turn(number)).unwrap());
        assert_eq!(call.turns, pushed.collect::<Vec<_>>());
        assert_eq!(call.ended_as.as_deref(), Some("busy"));
        let since = "2026-11-15T00:00:00Z".parse().unwrap();
        let recalled = store
            .recall(id(1), &CallId::new("CA1"), &full_turn(1).turn_id, since)
            .await;
        let answer = recalled.unwrap().unwrap().answer.unwrap();
        assert_eq!(answer.document.as_deref(), Some("<Response>hello</Response>"));
        // Killed before it could remove the file.
        fs::copy(&copy, &file).unwrap();
    }
    assert!(raised.0.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_store_at_the_next_start_either_what_waits_in_a_file_stays_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::<Fake>::default();
    fake.fails.store(true, Ordering::Relaxed);
    for start in 1..=3 {
        let tasks = TaskSet::new();
        let options = TurnQueueOptions::default();
        let queue = TurnQueue::start_in(fake.clone(), folder.path(), Arc::<Raised>::default(), &tasks, options);
        assert!(queue.push(turn(1, "CA1", start, "hello")));
        tasks.shutdown(Duration::from_secs(2)).await;
        queue.finish(Duration::from_secs(5)).await;
        assert_eq!(queue.counts().spooled, u64::from(start));
        let [file] = files(folder.path(), "turns.").try_into().unwrap();
        assert_eq!(
            fs::read_to_string(file).unwrap().lines().count() as u64,
            u64::from(start)
        );
    }
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
    assert_eq!((queue.counts().raised, queue.counts().dropped), (12_001, 2_001));
    assert_eq!(queue.counts().waiting, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_lets_the_least_severe_go_and_of_these_the_oldest() {
    let fake = Arc::<Fake>::default();
    let (queue, _tasks) = alerts(&fake);
    for company in 1..=2 {
        queue.raise(alert(AlertCode::MessageTaken, Some(company), "good to know"));
    }
    for company in 1..=9_998 {
        queue.raise(alert(AlertCode::FallbackUsed, Some(company), "a fallback"));
    }
    queue.raise(alert(AlertCode::MessageTaken, Some(1), "of a group that waits"));
    for company in 1..=3 {
        queue.raise(alert(AlertCode::EmergencyCall, Some(company), "danger"));
    }
    queue.raise(alert(
        AlertCode::MessageTaken,
        Some(9),
        "less severe than all that waits",
    ));
    let counts = queue.counts();
    assert_eq!((counts.raised, counts.dropped, counts.waiting), (10_004, 5, 10_000));
    time::sleep(Duration::from_secs(1)).await;
    let stored = fake.alerts.lock().unwrap();
    let groups = stored.as_slice();
    let of = |code| groups.iter().filter(move |group| group.alert.code == code);
    assert_eq!(of(AlertCode::EmergencyCall).count(), 3);
    assert_eq!(of(AlertCode::MessageTaken).count(), 0);
    assert_eq!(of(AlertCode::FallbackUsed).count(), 9_997);
    assert!(of(AlertCode::FallbackUsed).all(|group| group.alert.company != Some(id(1))));
    assert_eq!(queue.counts().waiting, 0);
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
