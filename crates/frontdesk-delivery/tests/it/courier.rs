//! The courier, from an alert to whoever reads of it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use frontdesk_delivery::{
    ChannelsOptions, Courier,
    channels::{Channels, system},
    courier::Letterhead,
};
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier as _},
    clock::Clock,
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
    },
    ids::{CompanyId, NotificationId},
    notice::{Delivery, DeliveryState},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::{
    leader,
    ports::{
        Backend, ContactStore as _, ContactWrite, NotificationChange, NotificationChanged, NotificationFilter,
        NotificationStore, OutboxStore as _, Page, RaisedAlert, StoreError,
    },
    queue::AlertQueue,
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
    tasks::TaskSet,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sink::{ANYWHERE, Answer, Sink};

/// The machine's clock, put forward.
#[derive(Default)]
struct TestClock(Mutex<Duration>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.lock().unwrap()
    }
}

impl TestClock {
    fn goes_on_by(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

/// Takes alerts for a store, unless it is switched off.
struct Switch {
    store: Arc<SqliteStore>,
    is_off: AtomicBool,
}

#[async_trait::async_trait]
impl NotificationStore for Switch {
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError> {
        if self.is_off.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                action: "keep alerts",
                source: "it is switched off".into(),
            });
        }
        self.store.raise(alerts).await
    }

    async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: Page<NotificationId>,
    ) -> Result<Vec<Notification>, StoreError> {
        self.store.notifications(filter, page).await
    }

    async fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.store.notification(id).await
    }

    async fn notifications_changed(
        &self,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Notification)>, StoreError> {
        self.store.notifications_changed(since, limit).await
    }

    async fn change_notification(
        &self,
        id: NotificationId,
        change: NotificationChange,
    ) -> Result<NotificationChanged, StoreError> {
        self.store.change_notification(id, change).await
    }

    async fn resolve_open(
        &self,
        code: AlertCode,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<Option<NotificationId>, StoreError> {
        self.store.resolve_open(code, company, at).await
    }
}

struct Scene {
    store: Arc<SqliteStore>,
    switch: Arc<Switch>,
    alerts: AlertQueue,
    clock: Arc<TestClock>,
    sink: Sink,
    tasks: TaskSet,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::<TestClock>::default();
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let file = folder.path().join("frontdesk.db");
        let store = SqliteStore::open(&file, sealer, clock.clone(), SqliteOptions::default()).unwrap();
        let store = Arc::new(store);
        let switch = Arc::new(Switch {
            store: store.clone(),
            is_off: AtomicBool::new(false),
        });
        let sink = Sink::start(Answer::Status(200)).await;
        let tasks = TaskSet::new();
        let scene = Self {
            alerts: AlertQueue::start_in(switch.clone(), clock.clone(), folder.path(), &tasks),
            store,
            switch,
            clock,
            sink,
            tasks,
            folder,
        };
        scene.contact(&Value::Null).await;
        scene
    }

    /// A contact whose webhook is the sink.
    async fn contact(&self, escalation: &Value) {
        let document = json!({
            "id": "65f123456789abcdef000007",
            "name": "On call",
            "minSeverity": "INFO",
            "channels": [{ "kind": "webhook", "url": self.sink.url(), "secret": "quiet" }],
            "escalation": escalation,
        });
        let parsed = Contact::parse(&document, Mode::new_document(), ANYWHERE).unwrap();
        let (contact, secrets) = parsed.value.apply(&ContactSecrets::default()).unwrap();
        let write = ContactWrite {
            contact,
            json: parsed.json,
            secrets,
        };
        match self.store.contact(write.contact.id).await.unwrap() {
            Some(old) => self.store.replace_contact(write, old.document.rev).await.unwrap(),
            None => self.store.insert_contact(write).await.unwrap(),
        };
    }

    /// A courier of this process, which is the only one.
    fn start(&self) {
        let options = ChannelsOptions {
            mail: None,
            reach: ANYWHERE,
        };
        let channels = Channels::new(&options, system(), self.clock.clone()).unwrap();
        let store: Arc<dyn Backend> = self.store.clone();
        let courier = Courier::new(
            store,
            Arc::new(channels),
            self.clock.clone(),
            leader::start(self.store.clone(), "background", &self.tasks),
            self.alerts.clone(),
            Letterhead::default(),
        );
        courier.start(&self.tasks);
    }

    fn raise(&self, code: AlertCode) {
        self.alerts.raise(Alert {
            code,
            company: None,
            message: "something is wrong".to_owned(),
            details: Value::Null,
        });
    }

    async fn notifications(&self) -> Vec<Notification> {
        let page = Page { after: None, limit: 9 };
        self.store
            .notifications(&NotificationFilter::default(), page)
            .await
            .unwrap()
    }

    /// The only notification, once it is as wanted.
    async fn notification(&self, is_wanted: impl Fn(&Notification) -> bool) -> Notification {
        for _ in 0..400 {
            if let [found] = self.notifications().await.as_slice()
                && is_wanted(found)
            {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:#?}", self.notifications().await);
    }

    fn occasions(&self) -> Vec<String> {
        self.sink.got().iter().map(crate::sink::Got::occasion).collect()
    }
}

fn all_sent(deliveries: &[Delivery], count: usize) -> bool {
    deliveries.len() == count && deliveries.iter().all(|delivery| delivery.state == DeliveryState::Sent)
}

/// No more messages come.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn an_alert_is_told_within_five_seconds_and_its_end_too() {
    let scene = Scene::new().await;
    scene.start();
    let begun = Instant::now();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    assert_eq!(told.deliveries[0].attempts.len(), 1);
    let resolved = scene
        .store
        .resolve_open(AlertCode::LlmDown, None, scene.clock.now())
        .await;
    assert_eq!(resolved.unwrap(), Some(told.id));
    let got = scene.sink.wait_for(2).await;
    assert_eq!(scene.occasions(), ["0:after-0", "0:resolved"]);
    assert_eq!(got[1].json()["notification"]["state"], "resolved");
    settle().await;
    assert_eq!(scene.sink.got().len(), 2);
}

#[tokio::test]
async fn ten_thousand_alerts_are_one_notification_and_at_most_five_messages() {
    let occasions = storm(AlertCode::RoutingError).await;
    assert_eq!(occasions.last().unwrap(), "0:count-10000");
}

#[tokio::test]
async fn ten_thousand_events_are_one_notification_and_at_most_five_messages() {
    storm(AlertCode::EmergencyCall).await;
}

/// Why contacts were told of ten thousand alerts, before it was over.
async fn storm(code: AlertCode) -> Vec<String> {
    let scene = Scene::new().await;
    scene.start();
    for _ in 0..100 {
        for _ in 0..100 {
            scene.raise(code);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let told = scene.notification(|found| found.count == 10_000).await;
    settle().await;
    let occasions = scene.occasions();
    assert!((1..=4).contains(&occasions.len()), "{occasions:?}");
    assert_eq!(occasions[0], "0:after-0");
    let change = scene
        .store
        .change_notification(told.id, NotificationChange::Resolve)
        .await
        .unwrap();
    assert!(matches!(change, NotificationChanged::Done(_)));
    scene
        .notification(|found| {
            found.state == NotificationState::Resolved && all_sent(&found.deliveries, occasions.len() + 1)
        })
        .await;
    assert!(scene.sink.got().len() <= 5);
    occasions
}

#[tokio::test]
async fn a_message_that_fails_is_sent_again_as_the_same_until_it_is_taken() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(500));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(2).await;
    scene.sink.answers(Answer::Status(200));
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    let got = scene.sink.got();
    let ids: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("frontdesk-delivery")).collect();
    assert_eq!(ids.len(), 1, "the other side can tell that they are one");
    assert_eq!(told.deliveries[0].tries as usize, got.len());
    assert_eq!(
        told.deliveries[0].attempts[0].error.as_deref(),
        Some("the server answered 500")
    );
    assert_eq!(told.deliveries[0].attempts.last().unwrap().error, None);
}

#[tokio::test]
async fn what_is_refused_for_good_is_dead_until_somebody_sends_it_again() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(410));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    let dead = scene
        .notification(|found| found.deliveries.iter().any(|found| found.state == DeliveryState::Dead))
        .await;
    scene.sink.answers(Answer::Status(200));
    settle().await;
    assert_eq!(scene.sink.got().len(), 1);
    scene.store.resend(dead.deliveries[0].id).await.unwrap().unwrap();
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_for_a_day_is_given_up() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(500));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(1).await;
    scene.clock.goes_on_by(Duration::from_hours(25));
    scene
        .notification(|found| found.deliveries.iter().any(|found| found.state == DeliveryState::Dead))
        .await;
}

#[tokio::test]
async fn a_courier_that_is_killed_after_it_has_decided_loses_nothing_and_sends_twice_at_most() {
    let scene = Scene::new().await;
    scene.raise(AlertCode::LlmDown);
    let raised = scene.notification(|_| true).await;
    // It has decided, taken the message, and is gone: sent or not, nobody knows.
    let now = scene.clock.now();
    let due = scene.store.due_notifications(now, 9).await.unwrap();
    let contact = scene
        .store
        .contact("65f123456789abcdef000007".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let document = Value::Object(contact.document.json);
    let contact = Contact::parse(&document, Mode::Stored, ANYWHERE).unwrap().value.contact;
    let plan = frontdesk_delivery::plan::plan(&due[0], &[contact], now);
    scene.store.plan(raised.id, due[0].rev, plan).await.unwrap();
    let now = scene.clock.now();
    let again = now + Duration::from_secs(30);
    assert_eq!(scene.store.claim_deliveries(now, again, 9).await.unwrap().len(), 1);
    scene.start();
    settle().await;
    assert!(scene.sink.got().is_empty(), "it may still be on its way");
    scene.clock.goes_on_by(Duration::from_secs(31));
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0"]);
}

#[tokio::test]
async fn steps_are_taken_until_somebody_acknowledges() {
    let scene = Scene::new().await;
    scene
        .contact(&json!([{ "afterMinutes": 0 }, { "afterMinutes": 15 }, { "afterMinutes": 30 }]))
        .await;
    scene.start();
    scene.raise(AlertCode::EmergencyCall);
    scene.sink.wait_for(1).await;
    scene.clock.goes_on_by(Duration::from_mins(15));
    scene.sink.wait_for(2).await;
    let told = scene.notification(|found| all_sent(&found.deliveries, 2)).await;
    scene
        .store
        .change_notification(told.id, NotificationChange::Acknowledge)
        .await
        .unwrap();
    scene.clock.goes_on_by(Duration::from_mins(15));
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0", "0:after-15"]);
}

#[tokio::test]
async fn the_next_caller_in_danger_is_told_whoever_has_acknowledged_the_first() {
    let scene = Scene::new().await;
    scene.start();
    scene.raise(AlertCode::EmergencyCall);
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    scene
        .store
        .change_notification(told.id, NotificationChange::Acknowledge)
        .await
        .unwrap();
    scene.raise(AlertCode::EmergencyCall);
    let opened = scene.notification(|found| found.count == 2).await;
    assert_eq!(opened.state, NotificationState::Open);
    scene.clock.goes_on_by(Duration::from_mins(1));
    scene.sink.wait_for(2).await;
    // Nobody has acknowledged this one.
    scene.raise(AlertCode::EmergencyCall);
    scene.notification(|found| found.count == 3).await;
    scene.clock.goes_on_by(Duration::from_mins(1));
    scene.sink.wait_for(3).await;
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0", "1:after-0", "1:count-3"]);
}

#[tokio::test]
async fn while_the_store_is_down_alerts_are_told_without_it_and_once() {
    let scene = Scene::new().await;
    scene.start();
    // The contacts are known by then.
    settle().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    scene.raise(AlertCode::DatabaseError);
    scene.sink.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    scene.raise(AlertCode::DatabaseError);
    settle().await;
    assert!(scene.notifications().await.is_empty());
    assert!(spooled(&scene) > 0, "a crash would lose nothing");
    scene.switch.is_off.store(false, Ordering::Relaxed);
    let told = scene
        .notification(|found| found.count == 2 && all_sent(&found.deliveries, 1))
        .await;
    assert!(told.deliveries[0].direct);
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0"]);
    assert_eq!(spooled(&scene), 0);
}

/// Files in which alerts wait.
fn spool_files(scene: &Scene) -> Vec<PathBuf> {
    let files = std::fs::read_dir(scene.folder.path()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect()
}

fn spooled(scene: &Scene) -> usize {
    spool_files(scene).len()
}

#[tokio::test]
async fn alerts_of_a_process_that_is_killed_while_the_store_is_down_are_counted_once() {
    let scene = Scene::new().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    for _ in 0..7 {
        scene.raise(AlertCode::RoutingError);
    }
    for _ in 0..100 {
        if spooled(&scene) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The first process never stores anything; the next ones find its file, one after the other.
    let copy = scene.folder.path().join("copy");
    let file = spool_files(&scene).remove(0);
    std::fs::copy(&file, &copy).unwrap();
    for _ in 0..2 {
        let tasks = TaskSet::new();
        let next = AlertQueue::start_in(scene.store.clone(), scene.clock.clone(), scene.folder.path(), &tasks);
        scene.notification(|found| found.count == 7).await;
        tasks.shutdown(Duration::from_secs(5)).await;
        assert_eq!(next.counts().waiting, 0);
        // Killed before it could remove the file.
        std::fs::copy(&copy, &file).unwrap();
    }
    scene.notification(|found| found.count == 7).await;
}

#[tokio::test]
async fn five_hundred_companies_at_once_are_told_within_five_seconds() {
    let scene = Scene::new().await;
    scene.start();
    settle().await;
    let begun = Instant::now();
    for number in 0..500 {
        scene.alerts.raise(Alert {
            code: AlertCode::BudgetExceeded,
            company: Some(format!("{number:024}").parse().unwrap()),
            message: "the budget is used up".to_owned(),
            details: Value::Null,
        });
    }
    scene.sink.wait_for(495).await;
    let taken = begun.elapsed();
    println!("99 % of 500 notifications were told within {taken:?}");
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    scene.sink.wait_for(500).await;
    settle().await;
    assert_eq!(scene.sink.got().len(), 500);
}
