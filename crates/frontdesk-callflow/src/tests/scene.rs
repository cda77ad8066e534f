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
    decision::Decision,
    documents::{
        Mode,
        company::{Company, CompanySecrets},
        place_id,
        qna::{Owner, Qna},
        template::Template,
    },
    ids::{CallId, CompanyId},
    time::Timestamp,
};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CallLog as _, CompanyStore as _, CompanyWrite, QnaOwner, QnaStore as _, TemplateStore as _},
    queue::{TurnQueue, TurnQueueOptions},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    tasks::TaskSet,
};
use frontdesk_twilio::form::Form;
use serde_json::{Value, json};

use crate::{CallFlow, Deps, Route, Webhook, limits::Limits, settings};

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
    folder: tempfile::TempDir,
}

impl Scene {
    /// A store without documents.
    pub(super) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(NOON)));
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let path = folder.path().join("frontdesk.db");
        let sqlite = SqliteStore::open(
            &path,
            Arc::clone(&sealer),
            Arc::clone(&clock) as _,
            SqliteOptions::default(),
        )
        .unwrap();
        let tasks = TaskSet::new();
        let store = CachedStore::start(Arc::new(sqlite), &tasks);
        let turns = TurnQueue::start(Arc::clone(&store) as _, &tasks, TurnQueueOptions::default());
        let alerts = Arc::<Alerts>::default();
        let deps = Deps {
            store: Arc::clone(&store),
            turns,
            notifier: Arc::clone(&alerts) as _,
            sealer,
            clock: Arc::clone(&clock) as _,
            limits: Limits::NONE,
        };
        Self {
            flow: Arc::new(CallFlow::new(deps)),
            store,
            alerts,
            clock,
            tasks,
            folder,
        }
    }

    /// A company with one template; `change` is merged into its document.
    pub(super) async fn new(change: Value) -> Self {
        let scene = Self::empty();
        scene.template(TEMPLATE, "HVAC", scenarios()).await;
        scene.company(COMPANY, change).await;
        scene
    }

    pub(super) async fn template(&self, id: &str, trade: &str, scenarios: Value) {
        let document = json!({
            "_id": id, "name": format!("{trade} template"), "trade": trade, "version": "1.0.0",
            "fillerWords": ["please"], "synonymMap": {},
            "categories": [{ "id": "main", "name": "Main", "scenarios": scenarios }],
        });
        let parsed = Template::parse(&document, Mode::new_document()).unwrap();
        self.store
            .insert_template(id.parse().unwrap(), parsed.json)
            .await
            .unwrap();
    }

    pub(super) async fn company(&self, id: &str, change: Value) {
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
        let parsed = Company::parse(&document, Mode::new_document()).unwrap();
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
        let target = format!("/api/twilio/v2-agent-respond/{COMPANY}");
        Caller {
            scene: self,
            sid: sid.to_owned(),
            target,
        }
    }

    /// What a dry run decides.
    pub(super) async fn decide(&self, utterance: &str) -> Decision {
        self.flow
            .route(COMPANY.parse().unwrap(), utterance, None, true)
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
        for _ in 0..200 {
            let found = self
                .store
                .call(COMPANY.parse().unwrap(), &CallId::new(call))
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

pub(super) struct Caller<'s> {
    scene: &'s Scene,
    sid: String,
    pub(super) target: String,
}

impl Caller<'_> {
    /// Says something; the next words go to where the answer asks for them.
    pub(super) async fn says(&mut self, words: &str) -> String {
        self.post(&[("SpeechResult", words), ("Confidence", "0.91")]).await
    }

    /// Posts a turn with these parameters.
    pub(super) async fn post(&mut self, parameters: &[(&str, &str)]) -> String {
        let mut form: Form = parameters.iter().copied().collect();
        form.push("CallSid", &self.sid);
        form.push("From", "+15550100000");
        let document = self.post_form(&form).await;
        if let Some((_, rest)) = document.split_once("<Gather")
            && let Some((_, rest)) = rest.split_once("action=\"")
        {
            self.target = rest.split('"').next().unwrap().replace("&amp;", "&");
        }
        document
    }

    pub(super) async fn post_form(&self, form: &Form) -> String {
        let tenant = self.scene.flow.tenant(COMPANY.parse().unwrap()).await.unwrap().unwrap();
        let webhook = Webhook {
            route: Route::Respond,
            target: &self.target,
            form,
            arrived: self.scene.clock.now(),
            deadline: tokio::time::Instant::now() + settings::TURN_DEADLINE,
        };
        self.scene.flow.respond(&tenant, &webhook).await.to_string()
    }
}

/// What is said in a document.
pub(super) fn said(document: &str) -> String {
    let parts = document
        .split("<Say")
        .skip(1)
        .filter_map(|part| part.split_once('>')?.1.split("</Say>").next());
    parts.collect::<Vec<_>>().join(" ")
}

pub(super) fn scenario(id: &str, triggers: &[&str], reply: &str) -> Value {
    json!({ "id": id, "name": id, "status": "live", "priority": 10, "triggers": triggers, "fullReplies": [reply] })
}

fn scenarios() -> Value {
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
