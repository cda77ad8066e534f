//! A company on a real `SQLite` file, and a caller who calls it.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock,
    decision::{Decision, Matcher},
    documents::{
        Mode,
        company::{Company, CompanySecrets},
        place_id,
        qna::{Owner, Qna},
        template::Template,
    },
    ids::{CallId, CompanyId},
    record::Message,
    time::Timestamp,
};
use frontdesk_llm::prices::PriceTable;
use frontdesk_store::{
    blobs::BlobFile,
    cache::CachedStore,
    instances::RedisInstances,
    ports::{
        CallLog as _, CompanyStore as _, CompanyWrite, MessageFilter, MessageStore as _, Page, QnaOwner, QnaStore as _,
        TemplateStore as _,
    },
    queue::{TurnQueue, TurnQueueOptions},
    redis::Redis,
    redis_url::RedisUrl,
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    tasks::TaskSet,
};
use frontdesk_testkit::redis_server::RedisServer;
use serde_json::{Map, Value, json};

use super::{
    caller::Caller,
    concepts::Concepts,
    faults::{Fault, Faults, Faulty, Part},
    scripted::{self, Scripted},
};
use crate::{
    CallFlow, Deps,
    company::Tenant,
    flow::Run,
    limits::Limits,
    llm::{Llm, LlmParts},
    meaning::Meanings,
    shares::AtOnce,
};

pub(super) const COMPANY: &str = "507f1f77bcf86cd799439011";
pub(super) const TEMPLATE: &str = "65f123000000000000000001";
pub(super) const DESTINATION: &str = "+15550109999";

/// Wednesday, 25 November 2026, noon in New York.
const NOON: i64 = 1_795_626_000;

/// A clock that tests set.
pub(super) struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Keeps alerts.
#[derive(Default)]
pub(super) struct Alerts(Mutex<Vec<Alert>>);

impl Notifier for Alerts {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}

pub(super) struct Scene {
    pub(super) flow: Arc<CallFlow>,
    pub(super) store: Arc<CachedStore>,
    alerts: Arc<Alerts>,
    clock: Arc<SetClock>,
    tasks: TaskSet,
    faults: Arc<Faults>,
    limits: Limits,
    at_once: AtOnce,
    encoder: Option<Arc<Concepts>>,
    provider: Option<Arc<Scripted>>,
    folder: Arc<tempfile::TempDir>,
}

impl Scene {
    /// A company with one template and a budget of 1 USD, and a provider that does what it is told.
    pub(super) async fn with_llm(provider: &Arc<Scripted>, change: Value) -> Self {
        Self::busy_with_llm(AtOnce::default(), provider, change).await
    }

    /// The same, where so much is done at once.
    pub(super) async fn busy_with_llm(at_once: AtOnce, provider: &Arc<Scripted>, change: Value) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(SetClock(AtomicI64::new(NOON)));
        let scene = Self::over(folder, clock, Limits::NONE, at_once, None, Some(Arc::clone(provider)));
        scene.template(TEMPLATE, "HVAC", scenarios()).await;
        let mut document = json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": 1 } } });
        frontdesk_domain::documents::merge_patch(&mut document, &change);
        scene.company(COMPANY, document).await;
        scene.tenant(COMPANY).await;
        scene
    }

    /// A store without documents.
    pub(super) fn empty() -> Self {
        Self::with_limits(Limits::NONE)
    }

    /// A store without documents, and limits against abuse.
    pub(super) fn with_limits(limits: Limits) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(SetClock(AtomicI64::new(NOON)));
        Self::over(folder, clock, limits, AtOnce::default(), None, None)
    }

    /// A store without documents, and an encoder; what it computes is kept beside the store.
    pub(super) fn with_encoder(encoder: &Arc<Concepts>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(SetClock(AtomicI64::new(NOON)));
        Self::over(
            folder,
            clock,
            Limits::NONE,
            AtOnce::default(),
            Some(Arc::clone(encoder)),
            None,
        )
    }

    /// One more process on the same file at the same time.
    pub(super) fn beside(&self) -> Self {
        let (folder, clock) = (Arc::clone(&self.folder), Arc::clone(&self.clock));
        Self::over(
            folder,
            clock,
            self.limits,
            self.at_once,
            self.encoder.clone(),
            self.provider.clone(),
        )
    }

    /// One more process on the same file that hears others through a cache server.
    pub(super) async fn beside_through(&self, server: &RedisServer) -> Self {
        let mut scene = self.beside();
        let url = RedisUrl::parse(&server.url()).unwrap();
        let redis = Redis::start(&url, &scene.tasks).await.unwrap();
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let instances = RedisInstances::start(redis, sealer, &scene.tasks);
        let flow = Arc::into_inner(scene.flow).unwrap();
        scene.flow = Arc::new(flow.beside(instances));
        scene
    }

    /// Ends in order and starts again on the same file.
    pub(super) async fn restarted(self) -> Self {
        self.shut_down().await;
        self.beside()
    }

    fn over(
        folder: Arc<tempfile::TempDir>,
        clock: Arc<SetClock>,
        limits: Limits,
        at_once: AtOnce,
        encoder: Option<Arc<Concepts>>,
        provider: Option<Arc<Scripted>>,
    ) -> Self {
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let path = folder.path().join("frontdesk.db");
        let options = SqliteOptions::default();
        let sqlite = SqliteStore::open(&path, Arc::clone(&sealer), Arc::clone(&clock) as _, options).unwrap();
        let faults = Arc::<Faults>::default();
        let faulty = Faulty {
            store: Arc::new(sqlite),
            faults: Arc::clone(&faults),
        };
        let tasks = TaskSet::new();
        let store = CachedStore::start(Arc::new(faulty), &tasks);
        let turns = TurnQueue::start(Arc::clone(&store) as _, &tasks, TurnQueueOptions::default());
        let alerts = Arc::<Alerts>::default();
        let deps = Deps {
            store: Arc::clone(&store),
            turns,
            notifier: Arc::clone(&alerts) as _,
            sealer,
            clock: Arc::clone(&clock) as _,
            limits,
            at_once,
            meanings: Arc::new(meanings(encoder.clone(), folder.path())),
            llm: Arc::new(match &provider {
                None => Llm::none(),
                Some(provider) => Llm::start(LlmParts {
                    provider: Arc::clone(provider) as _,
                    style: scripted::style(),
                    prices: PriceTable::embedded(),
                    store: Arc::clone(&store),
                    notifier: Arc::clone(&alerts) as _,
                    clock: Arc::clone(&clock) as _,
                    tasks: tasks.clone(),
                    lease: Duration::from_mins(1),
                    calls_per_call: 3,
                    platform_cap: "1".parse().unwrap(),
                    questions: at_once.questions,
                }),
            }),
        };
        Self {
            flow: Arc::new(CallFlow::new(deps)),
            store,
            alerts,
            clock,
            tasks,
            faults,
            limits,
            at_once,
            encoder,
            provider,
            folder,
        }
    }

    /// A company with one template; `change` is merged into its document.
    pub(super) async fn new(change: Value) -> Self {
        Self::limited(Limits::NONE, change).await
    }

    /// The same under limits against abuse.
    pub(super) async fn limited(limits: Limits, change: Value) -> Self {
        let scene = Self::with_limits(limits);
        scene.template(TEMPLATE, "HVAC", scenarios()).await;
        scene.company(COMPANY, change).await;
        scene
    }

    pub(super) async fn template(&self, id: &str, trade: &str, scenarios: Value) {
        self.store
            .insert_template(id.parse().unwrap(), template(id, trade, &scenarios))
            .await
            .unwrap();
    }

    /// Gives a template other scenarios.
    pub(super) async fn edit_template(&self, id: &str, trade: &str, scenarios: Value) {
        let number = id.parse().unwrap();
        let before = self.store.template(number).await.unwrap().unwrap();
        self.store
            .replace_template(number, template(id, trade, &scenarios), before.rev)
            .await
            .unwrap();
    }

    pub(super) async fn company(&self, id: &str, change: Value) {
        self.company_as(Mode::new_document(), id, change).await;
    }

    /// A company as it was stored by rules of its time.
    pub(super) async fn company_as(&self, mode: Mode<'_>, id: &str, change: Value) {
        let mut document = json!({
            "_id": id, "name": "Acme Home Services", "phone": format!("+1937555{}", &id[20..]), "industryType": "HVAC",
            "timezone": "America/New_York",
            "transfer": { "destinations": [{ "name": "Front desk", "number": DESTINATION, "hours": "always" }] },
            "aiAgentLogic": { "fallbackResponses": {
                "clarificationNeeded": ["Could you say that in other words?", "Please say it again."],
                "noMatchFound": ["One.", "Two.", "Three."],
                "technicalIssue": ["A small problem."], "outOfScope": ["We do not do that."],
            } },
            "aiAgentSettings": { "templateReferences": [TEMPLATE] },
        });
        frontdesk_domain::documents::merge_patch(&mut document, &change);
        place_id(&mut document, "_id", id).unwrap();
        let parsed = Company::parse(&document, mode).unwrap();
        let write = CompanyWrite {
            company: Arc::new(parsed.value.company),
            json: parsed.json,
            secrets: parsed.value.secrets.apply(&CompanySecrets::default()).unwrap(),
        };
        self.store.insert_company(write).await.unwrap();
    }

    pub(super) async fn qna(&self, question: &str, answer: &str) {
        let company: CompanyId = COMPANY.parse().unwrap();
        let document = json!({ "id": "qna-1", "question": question, "answer": answer });
        let parsed = Qna::parse(&document, &Owner::Company(company), Mode::new_document()).unwrap();
        self.store
            .insert_qna(&QnaOwner::Company(company), &parsed.value.id, parsed.json)
            .await
            .unwrap();
    }

    /// A call to the company.
    pub(super) fn call(&self, sid: &str) -> Caller<'_> {
        Caller::new(self, sid)
    }

    /// Breaks a part of the store, or mends it.
    pub(super) fn breaks(&self, part: Part, fault: Fault) {
        self.faults.set(part, fault);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the clock.
    pub(super) fn is_at(&self, time: &str) {
        let time: Timestamp = time.parse().unwrap();
        self.clock.0.store(time.as_second(), Ordering::Relaxed);
    }

    /// The messages and wishes to be called back, newest first.
    pub(super) async fn messages(&self) -> Vec<Message> {
        let page = Page { after: None, limit: 50 };
        let (company, filter) = (COMPANY.parse().unwrap(), MessageFilter::default());
        self.store.messages(company, &filter, page).await.unwrap()
    }

    /// How often this alert was raised.
    pub(super) fn raised(&self, code: AlertCode) -> usize {
        self.alerts().into_iter().filter(|raised| *raised == code).count()
    }

    /// The company with this id. On a busy machine the first one takes longer than a caller would wait.
    pub(super) async fn tenant(&self, company: &str) -> Arc<Tenant> {
        let company = company.parse().unwrap();
        for _ in 0..20 {
            if let Ok(found) = self.flow.tenant(company).await {
                return found.unwrap();
            }
        }
        panic!("the company cannot be loaded");
    }

    /// Waits until the company's answers are learnt.
    pub(super) async fn has_learnt(&self) {
        for _ in 0..2_000 {
            let tenant = self.tenant(COMPANY).await;
            if tenant.learnt.matcher() == Matcher::Semantic && self.flow.meanings().training() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing is learnt");
    }

    /// What a dry run decides.
    pub(super) async fn decide(&self, utterance: &str) -> Decision {
        self.tenant(COMPANY).await;
        self.flow
            .route(COMPANY.parse().unwrap(), utterance, None, Run::Dry(None))
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) fn alerts(&self) -> Vec<AlertCode> {
        self.alerts.0.lock().unwrap().iter().map(|alert| alert.code).collect()
    }

    pub(super) fn alert_texts(&self) -> String {
        format!("{:?}", self.alerts.0.lock().unwrap())
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The records of a call, once they are there.
    pub(super) async fn records(&self, call: &str, at_least: usize) -> Vec<Value> {
        self.records_of(COMPANY, call, at_least).await
    }

    /// The same of another company.
    pub(super) async fn records_of(&self, company: &str, call: &str, at_least: usize) -> Vec<Value> {
        for _ in 0..200 {
            let found = self
                .store
                .call(company.parse().unwrap(), &CallId::new(call))
                .await
                .unwrap();
            if let Some(found) = found.filter(|found| found.turns.len() >= at_least) {
                return found.turns;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {at_least} records of {call}");
    }

    /// Ends everything in order, so that what was queued is on disk.
    pub(super) async fn shut_down(&self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}

fn meanings(encoder: Option<Arc<Concepts>>, folder: &Path) -> Meanings {
    let Some(encoder) = encoder else {
        return Meanings::none();
    };
    let blobs = BlobFile::open(&folder.join("meaning.db"), NOON).unwrap();
    Meanings::start(Box::new(move || Some(encoder)), Some(Arc::new(blobs))).unwrap()
}

fn template(id: &str, trade: &str, scenarios: &Value) -> Map<String, Value> {
    let document = json!({
        "_id": id, "name": format!("{trade} template"), "trade": trade, "version": "1.0.0",
        "fillerWords": ["please"], "synonymMap": {},
        "categories": [{ "id": "main", "name": "Main", "scenarios": scenarios }],
    });
    Template::parse(&document, Mode::new_document()).unwrap().json
}

pub(super) fn scenario(id: &str, triggers: &[&str], reply: &str) -> Value {
    json!({ "id": id, "name": id, "status": "live", "priority": 10, "triggers": triggers, "fullReplies": [reply] })
}

pub(super) fn scenarios() -> Value {
    let mut book = scenario("book", &["schedule a visit", "book an appointment"], "I can book that.");
    book["action"] = json!("takeMessage");
    let mut person = scenario("person", &["let me talk to a person"], "I'll connect you.");
    person["action"] = json!("transfer");
    let mut bye = scenario("bye", &["goodbye then"], "Goodbye.");
    bye["action"] = json!("hangup");
    json!([
        book,
        person,
        bye,
        scenario(
            "cooling",
            &["ac not cooling", "my air conditioner isn't cooling"],
            "Sorry it's hot in there."
        ),
        scenario(
            "hours",
            &["what are your hours", "when do you open"],
            "We open at eight."
        ),
        scenario("plan", &["tell me about the plan"], "It costs {planPrice}."),
    ])
}
