//! The server that the tests use: one that runs, or one that they start; a database for each test.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use frontdesk_store::{
    mongo::{MongoOptions, MongoStore},
    mongo_url::MongoUrl,
    seal::Sealer,
};
use mongodb::{Client, Database};
use tempfile::TempDir;

use crate::support::TestClock;

/// The address of a server that runs, without a database.
const URI: &str = "FRONTDESK_TEST_MONGODB_URI";

/// The path of `secantusd-py`, to be started by the tests of a process.
const PROGRAM: &str = "FRONTDESK_TEST_MONGODB_PROGRAM";

/// A stand-in for the server on a busy machine is slow.
pub(crate) const PATIENT: MongoOptions = MongoOptions {
    turn_deadline: Duration::from_secs(20),
    operator_deadline: Duration::from_mins(1),
};

/// A server that was started for the tests of this process; it ends with the last of them.
struct Started {
    child: Child,
    uri: String,
    _folder: TempDir,
}

impl Drop for Started {
    fn drop(&mut self) {
        // It is gone if these fail.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

static STARTED: Mutex<Weak<Started>> = Mutex::new(Weak::new());

fn started(program: &str) -> Arc<Started> {
    let mut known = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = known.upgrade() {
        return running;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new(program)
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--sync-on-commit",
            "--storage-path",
        ])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Arc::new(Started {
        child,
        uri: format!("mongodb://127.0.0.1:{port}"),
        _folder: folder,
    });
    let until = Instant::now() + Duration::from_mins(1);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < until, "{program} does not listen");
        thread::sleep(Duration::from_millis(50));
    }
    *known = Arc::downgrade(&running);
    running
}

/// An empty database.
pub(crate) struct Place {
    url: String,
    database: String,
    _server: Option<Arc<Started>>,
}

impl Place {
    /// `None`, and a line that says so, if there is no server.
    pub(crate) fn new() -> Option<Self> {
        let variable = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let (uri, server) = match (variable(URI), variable(PROGRAM)) {
            (Some(uri), _) => (uri, None),
            (None, Some(program)) => {
                let server = started(&program);
                (server.uri.clone(), Some(server))
            }
            (None, None) => {
                println!("skipped: there is no MongoDB server; set {URI} or {PROGRAM}, or use `cargo xtask test`");
                return None;
            }
        };
        let database = format!("frontdesk_test_{:016x}", rand::random::<u64>());
        let (servers, options) = uri
            .split_once('?')
            .map_or((uri.as_str(), None), |(servers, options)| (servers, Some(options)));
        let mut url = format!("{}/{database}", servers.trim_end_matches('/'));
        if let Some(options) = options {
            url = format!("{url}?{options}");
        }
        Some(Self {
            url,
            database,
            _server: server,
        })
    }

    pub(crate) fn url(&self) -> MongoUrl {
        MongoUrl::parse(&self.url).unwrap()
    }

    pub(crate) async fn open(&self) -> Arc<MongoStore> {
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let opened = MongoStore::open(&self.url(), sealer, Arc::new(TestClock::default()), PATIENT).await;
        Arc::new(opened.unwrap())
    }

    /// The bare database.
    pub(crate) async fn raw(&self) -> Database {
        Client::with_uri_str(&self.url).await.unwrap().database(&self.database)
    }

    pub(crate) async fn remove(&self) {
        self.raw().await.drop().await.unwrap();
    }
}
