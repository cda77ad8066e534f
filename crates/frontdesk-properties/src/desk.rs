//! The call path over a store of its own, made once a process.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use frontdesk_callflow::{
    CallFlow, Deps, Route, Webhook, company::Tenant, limits::Limits, meaning::Meanings, settings,
};
use frontdesk_domain::{
    alert::{Alert, Notifier},
    clock::Clock,
    documents::{
        Mode,
        company::{Company, CompanyDocument, CompanySecrets},
    },
    ids::CompanyId,
    time::Timestamp,
};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CompanyStore as _, CompanyWrite},
    queue::{TurnQueue, TurnQueueOptions},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    tasks::TaskSet,
};
use frontdesk_twilio::form::Form;
use serde_json::{Map, Value, json};
use tokio::{runtime::Runtime, time::Instant};

use crate::document;

/// The company that answers where the input is no company.
pub(crate) const COMPANY: &str = "507f1f77bcf86cd799439011";

/// How long anything may take, on a machine that does other work too.
const PATIENCE: Duration = Duration::from_mins(1);

/// Seals the states of calls. The corpus holds some that were sealed with it.
pub(crate) fn sealer() -> Sealer {
    Sealer::from_key([7; 32])
}

/// A company that can be called.
pub(crate) struct Desk {
    runtime: Runtime,
    flow: CallFlow,
    store: Arc<CachedStore>,
    calls: AtomicU32,
    // Removes the store's files at the end.
    _folder: tempfile::TempDir,
    _tasks: TaskSet,
}

/// Wednesday, 25 November 2026, noon in New York, always.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_626_000).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Nobody looks at alerts here.
struct Nobody;

impl Notifier for Nobody {
    fn raise(&self, _: Alert) {}
}

static DESK: LazyLock<Desk> = LazyLock::new(Desk::new);

impl Desk {
    /// The one of this process.
    pub(crate) fn shared() -> &'static Self {
        &DESK
    }

    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let (Ok(runtime), Ok(folder)) = (runtime, tempfile::tempdir()) else {
            panic!("neither threads nor a folder to work with")
        };
        let clock: Arc<dyn Clock> = Arc::new(Noon);
        let sealer = Arc::new(sealer());
        let path = folder.path().join("frontdesk.db");
        let opened = SqliteStore::open(&path, Arc::clone(&sealer), Arc::clone(&clock), SqliteOptions::default());
        let Ok(sqlite) = opened else {
            panic!("the store cannot be opened in {}", path.display())
        };
        let (tasks, entered) = (TaskSet::new(), runtime.enter());
        let store = CachedStore::start(Arc::new(sqlite), &tasks);
        let deps = Deps {
            store: Arc::clone(&store),
            turns: TurnQueue::start(Arc::clone(&store) as _, &tasks, TurnQueueOptions::default()),
            notifier: Arc::new(Nobody),
            sealer,
            clock,
            limits: Limits::NONE,
            meanings: Arc::new(Meanings::none()),
            llm: Arc::new(frontdesk_callflow::llm::Llm::none()),
            at_once: frontdesk_callflow::shares::AtOnce::default(),
        };
        drop(entered);
        let desk = Self {
            flow: CallFlow::new(deps),
            runtime,
            store,
            calls: AtomicU32::new(0),
            _folder: folder,
            _tasks: tasks,
        };
        let document = json!({
            "_id": COMPANY, "name": "Elm Street Desk", "phone": "+12025550170", "industryType": "Testing",
            "timezone": "America/New_York",
            "transfer": { "destinations": [{ "name": "Front", "number": "+12025550171", "hours": "always" }] },
        });
        let Ok(parsed) = Company::parse(&document, Mode::new_document()) else {
            panic!("the company is right")
        };
        assert!(desk.open(parsed.value, parsed.json), "the company is stored");
        desk
    }

    /// Stores a company that got in; `false` if its number or its templates keep it out.
    pub(crate) fn open(&self, document: CompanyDocument, json: Map<String, Value>) -> bool {
        let Ok(secrets) = document.secrets.apply(&CompanySecrets::default()) else {
            return false;
        };
        let write = CompanyWrite {
            company: Arc::new(document.company),
            json,
            secrets,
        };
        self.runtime.block_on(self.store.insert_company(write)).is_ok()
    }

    /// Takes a company away again.
    pub(crate) fn close(&self, company: CompanyId) {
        let deleted = self.runtime.block_on(self.store.delete_company(company, None));
        assert!(deleted.is_ok(), "{deleted:?}");
    }

    /// The id of a call that nobody has made yet.
    pub(crate) fn new_call(&self) -> String {
        format!("CA{:032x}", self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Posts a form to every route of a company, with this query behind its path. Each answer must be a document that
    /// Twilio takes, and go on or end.
    pub(crate) fn post_everywhere(&self, company: &str, query: &str, form: &Form) {
        let tenant = self.tenant(company);
        let routes = [
            ("voice", Route::Voice),
            ("v2-agent-respond", Route::Respond),
            ("dial-result", Route::DialResult),
            ("message", Route::Message),
        ];
        for (name, route) in routes {
            let target = format!("/api/twilio/{name}/{company}{query}");
            let webhook = webhook(route, &target, form);
            let document = self.runtime.block_on(async {
                if route == Route::Message {
                    self.flow.message(&tenant, &webhook).await
                } else {
                    self.flow.respond(&tenant, &webhook).await
                }
            });
            let root = document::taken(&document);
            assert!(!root.children.is_empty(), "{name} is answered with nothing");
            assert_no_emergency(&document, name);
        }
        let target = format!("/api/twilio/whisper/{company}{query}");
        document::taken(&self.flow.whisper(&tenant, &webhook(Route::Voice, &target, form)));
        document::taken(&self.flow.fallback_document(&tenant));
        for (_, document) in self.flow.fallback_files(&tenant) {
            document::taken(&document);
        }
    }

    fn tenant(&self, company: &str) -> Arc<Tenant> {
        let Ok(id) = company.parse() else {
            panic!("{company} is no id")
        };
        // A company that is not loaded in a second is a failure for a caller, but not here: this machine may be busy.
        let mut failure = None;
        for _ in 0..PATIENCE.as_secs() {
            match self.runtime.block_on(self.flow.tenant(id)) {
                Ok(Some(tenant)) => return tenant,
                Ok(None) => panic!("{company} is not stored"),
                Err(error) => failure = Some(error),
            }
        }
        panic!("a stored company is not loaded: {failure:?}")
    }
}

/// A panic is answered with the emergency document; nothing may get so far.
fn assert_no_emergency(document: &str, route: &str) {
    assert!(
        !document.contains(settings::EMERGENCY_SENTENCE),
        "{route} panicked or was late"
    );
}

fn webhook<'w>(route: Route, target: &'w str, form: &'w Form) -> Webhook<'w> {
    Webhook {
        route,
        target,
        form,
        arrived: Noon.now(),
        deadline: Instant::now() + PATIENCE,
    }
}
