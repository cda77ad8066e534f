//! A server on a store of its own, and requests to it.

use std::sync::{Arc, Mutex, OnceLock, atomic::AtomicI64};

use axum::{Router, body::Body};
use frontdesk_callflow::{CallFlow, Deps};
use frontdesk_domain::{
    address::Reach,
    clock::Clock,
    documents::contact::{Contact, ContactSecrets},
    time::Timestamp,
};
use frontdesk_server::{
    App, Lifecycle, Notices, Parts,
    auth::AdminToken,
    metrics::{CountedLog, Metrics},
    notices::{ChannelTrial, ContactTester},
    probes::{AlertQueueCheck, ChangeFeedCheck, StoreCheck, TurnQueueCheck},
    voice::{self, Voice},
};
use frontdesk_store::{
    cache::CachedStore,
    leader,
    ports::CompanyStore as _,
    queue::{AlertQueue, TurnQueue, TurnQueueOptions},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::ObjectIds,
    tasks::TaskSet,
};
use frontdesk_twilio::signature::{PublicUrl, Verifier};
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const TOKEN: &str = "the operator's token";

/// A clock that stands still until a test sets it.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn set(&self, at: &str) {
        *self.0.lock().unwrap() = at.parse().unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Takes what goes by mail and refuses all else.
struct TestTester;

#[async_trait::async_trait]
impl ContactTester for TestTester {
    async fn test(&self, contact: &Contact, _: &ContactSecrets) -> Vec<ChannelTrial> {
        let trial = |channel: &frontdesk_domain::documents::contact::Channel| ChannelTrial {
            channel_id: channel.id.clone(),
            kind: channel.target.kind(),
            error: (channel.target.kind() != frontdesk_domain::notice::ChannelKind::Email)
                .then(|| "the server answered 500".to_owned()),
        };
        contact.channels.iter().map(trial).collect()
    }
}

pub(crate) struct TestApp {
    router: Router,
    pub(crate) app: App,
    pub(crate) store: Arc<CachedStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    _folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The document of an answer with this status.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The problem's code of an answer with this status, after its form was checked.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:frontdesk:problem:{code}"));
        for text in ["title", "detail", "help"] {
            assert!(!problem[text].as_str().unwrap().is_empty(), "{problem}");
        }
        assert!(problem["errors"].is_array());
        code
    }

    /// The pointers (or parameters) of a refused document.
    #[track_caller]
    pub(crate) fn refused(&self) -> Vec<String> {
        self.problem(422);
        let errors = self.json()["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|error| {
                error["pointer"]
                    .as_str()
                    .or(error["parameter"].as_str())
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

impl TestApp {
    /// Starts a server on an empty store.
    pub(crate) async fn start() -> Self {
        Self::start_with_platform_token(None, true).await
    }

    /// Starts a server whose platform has that token; `verify` off takes webhooks unsigned.
    pub(crate) async fn start_with_platform_token(platform: Option<&str>, verify: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tasks = TaskSet::new();
        let clock = Arc::new(TestClock(Mutex::new("2026-11-25T12:00:00Z".parse().unwrap())));
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let file = folder.path().join("frontdesk.db");
        let backend = SqliteStore::open(&file, sealer.clone(), clock.clone(), SqliteOptions::default()).unwrap();
        let store = CachedStore::start(Arc::new(backend), &tasks);
        let turns = TurnQueue::start(
            Arc::new(CountedLog::new(store.clone())),
            &tasks,
            TurnQueueOptions::default(),
        );
        let alerts = AlertQueue::start(store.clone(), clock.clone(), &tasks);
        let flow = Arc::new(CallFlow::new(Deps {
            limits: frontdesk_callflow::limits::Limits::NONE,
            store: store.clone(),
            turns: turns.clone(),
            notifier: Arc::new(alerts.clone()),
            sealer,
            clock: clock.clone(),
            meanings: Arc::new(frontdesk_callflow::meaning::Meanings::none()),
            llm: Arc::new(crate::budget::llm(&store, &clock, &alerts, &tasks)),
        }));
        let lifecycle = Arc::new(Lifecycle::default());
        lifecycle.set_loaded();
        let app = App::new(Parts {
            store: store.clone(),
            flow: flow.clone(),
            clock: clock.clone(),
            ids: ObjectIds::new(clock.clone()),
            token: AdminToken::new(&TOKEN.into()).unwrap(),
            checks: vec![
                Arc::new(StoreCheck::new(store.clone())),
                Arc::new(ChangeFeedCheck::new(store.clone())),
                Arc::new(TurnQueueCheck::new(turns.clone())),
                Arc::new(AlertQueueCheck::new(alerts.clone())),
            ],
            notifier: Arc::new(alerts.clone()),
            lifecycle: lifecycle.clone(),
            metrics: metrics(&tasks)
                .with_turns(turns)
                .with_alerts(alerts.clone())
                .with_caches(store.clone()),
            notices: Notices::new(
                Reach::default(),
                Some("support@example.com".into()),
                Arc::new(TestTester),
            ),
        });
        let leadership = leader::start(store.clone(), "background", &tasks);
        app.monitor().look().await;
        app.monitor().start(leadership, &tasks);
        let voice = Voice {
            flow,
            public_url: PublicUrl::parse("https://fd.example.test").unwrap(),
            platform: Verifier::new(platform),
            verify,
            notifier: Arc::new(alerts),
            clock: clock.clone(),
            refusals: Arc::new(|| ()),
            diagnosed: AtomicI64::new(0),
        };
        let router = frontdesk_server::router(app.clone(), voice::router(Arc::new(voice))).unwrap();
        let started = Self {
            router,
            app,
            store,
            clock,
            lifecycle,
            _folder: folder,
        };
        assert_eq!(started.get("/healthz").await.status, 200);
        started
    }

    /// Sends a request and gives the answer while its body is still to come.
    pub(crate) async fn open(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request with the operator's token, more headers and maybe a JSON body.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            let media = if method == Method::PATCH {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            request = request.header(header::CONTENT_TYPE, media);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, &[], Some(&body)).await
    }

    /// Asks what a caller would hear. The first question compiles the safety rules, which takes unoptimised code long
    /// enough on a busy machine that the answer may be to ask again.
    pub(crate) async fn route(&self, company: &str, body: Value) -> Value {
        loop {
            let reply = self.post(&format!("{company}/route"), body.clone()).await;
            if reply.status != 503 {
                return reply.ok(200);
            }
        }
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.call("PUT", path, &[], Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, &[], Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, &[], None).await
    }

    pub(crate) async fn import(&self, text: &str) -> Reply {
        let request = Request::post("/api/v1/import")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::CONTENT_TYPE, "application/x-ndjson");
        self.send(request.body(Body::from(text.to_owned())).unwrap()).await
    }

    /// A company's token and shared keys, as the store unseals them.
    pub(crate) async fn store_secrets(&self, path: &str) -> (Option<String>, Vec<(String, String)>) {
        let id = path.rsplit('/').next().unwrap().parse().unwrap();
        let secrets = self.store.company(id).await.unwrap().unwrap().secrets;
        let shown = |secret: &SecretString| secret.expose_secret().to_owned();
        let keys = secrets
            .shared_keys
            .iter()
            .map(|key| (key.id.to_string(), shown(&key.secret)));
        (secrets.auth_token.as_ref().map(shown), keys.collect())
    }

    /// Makes a company with that phone number; gives its path.
    pub(crate) async fn company(&self, phone: &str) -> String {
        let made = self
            .post("/api/v1/companies", json!({ "name": "Acme", "phone": phone }))
            .await;
        made.ok(201);
        made.header("location").unwrap().to_owned()
    }

    /// Makes a template with these scenarios; gives its id.
    pub(crate) async fn template(&self, scenarios: &[&str]) -> String {
        let scenarios: Vec<Value> = scenarios
            .iter()
            .map(|id| json!({ "id": id, "triggers": [id], "quickReplies": ["Yes."] }))
            .collect();
        let template = json!({ "name": "T", "categories": [{ "id": "c", "scenarios": scenarios }] });
        let made = self.post("/api/v1/templates", template).await.ok(201);
        made["_id"].as_str().unwrap().to_owned()
    }
}

/// One recorder for all tests of this process.
fn metrics(tasks: &TaskSet) -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::install(tasks).unwrap()).clone()
}
