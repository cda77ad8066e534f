//! A store, a queue of alerts, a courier and whom it tells.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
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
        NotificationStore, Page, RaisedAlert, StoreError,
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
pub(crate) struct TestClock(Mutex<Duration>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.lock().unwrap()
    }
}

impl TestClock {
    pub(crate) fn goes_on_by(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

/// Takes alerts for a store, unless it is switched off.
pub(crate) struct Switch {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) is_off: AtomicBool,
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

pub(crate) struct Scene {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) switch: Arc<Switch>,
    pub(crate) alerts: AlertQueue,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) sink: Sink,
    pub(crate) tasks: TaskSet,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
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
    pub(crate) async fn contact(&self, escalation: &Value) {
        self.put_contact(json!({
            "id": "65f123456789abcdef000007",
            "name": "On call",
            "minSeverity": "INFO",
            "channels": [{ "kind": "webhook", "url": self.sink.url(), "secret": "quiet" }],
            "escalation": escalation,
        }))
        .await;
    }

    pub(crate) async fn put_contact(&self, document: Value) {
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
    pub(crate) fn start(&self) {
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

    pub(crate) fn raise_of(&self, code: AlertCode, company: u32) {
        self.alerts.raise(Alert {
            code,
            company: Some(format!("{company:024}").parse().unwrap()),
            message: "something is wrong".to_owned(),
            details: Value::Null,
        });
    }

    pub(crate) fn raise(&self, code: AlertCode) {
        self.alerts.raise(Alert {
            code,
            company: None,
            message: "something is wrong".to_owned(),
            details: Value::Null,
        });
    }

    pub(crate) async fn notifications(&self) -> Vec<Notification> {
        let page = Page { after: None, limit: 9 };
        self.store
            .notifications(&NotificationFilter::default(), page)
            .await
            .unwrap()
    }

    /// The only notification, once it is as wanted.
    pub(crate) async fn notification(&self, is_wanted: impl Fn(&Notification) -> bool) -> Notification {
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

    pub(crate) fn occasions(&self) -> Vec<String> {
        self.sink.got().iter().map(crate::sink::Got::occasion).collect()
    }
}

pub(crate) fn all_sent(deliveries: &[Delivery], count: usize) -> bool {
    deliveries.len() == count && deliveries.iter().all(|delivery| delivery.state == DeliveryState::Sent)
}

/// No more messages come.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}
