use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use frontdesk_domain::{
    documents::{
        Mode, Parsed,
        company::{Company, CompanyDocument, CompanySecrets},
    },
    ids::{CallId, ObjectId},
    record::{AudioState, Message, MessageKind, MessageState},
};
use frontdesk_store::{
    ports::{AudioStore as _, CompanyStore as _, CompanyWrite, FoundAudio, MessageStore as _},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
};
use http::{StatusCode, header};
use serde_json::json;
use source::{FetchError, MAX_BYTES, TwilioRecordings};
use tempfile::TempDir;

use super::{heard::HeardStore, *};

const ACCOUNT: &str = "AC00000000000000000000000000000000";

/// A clock that stands still until a test sets it.
struct TestClock(Mutex<Timestamp>);

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-11-20T12:00:00Z".parse().unwrap())))
    }

    fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// The target of a request, and its login.
type Asked = (String, Option<String>);

/// What the fake API answers, one after the other; the last answer stays.
#[derive(Clone)]
struct Api {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone)]
enum Reply {
    Status(u16),
    Redirect(String),
    Sound(&'static str, usize),
    Never,
}

impl Api {
    async fn start(replies: Vec<Reply>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let replies = Arc::new((replies, AtomicUsize::new(0)));
        let router = Router::new().fallback(answer).with_state((api.clone(), replies));
        TaskSet::new().spawn(
            "the fake API",
            async move { axum::serve(listener, router).await.unwrap() },
        );
        api
    }

    fn url(&self) -> String {
        format!("http://{}/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1", self.address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

type Replies = Arc<(Vec<Reply>, AtomicUsize)>;

async fn answer(State((api, replies)): State<(Api, Replies)>, request: Request) -> Response {
    let login = request.headers().get(header::AUTHORIZATION);
    let login = login.map(|login| login.to_str().unwrap().to_owned());
    api.asked.lock().unwrap().push((request.uri().to_string(), login));
    let (list, next) = &*replies;
    let at = next.fetch_add(1, Ordering::SeqCst).min(list.len() - 1);
    let response = Response::builder();
    match list[at].clone() {
        Reply::Status(status) => response.status(status).body(Body::empty()),
        Reply::Redirect(to) => response.status(302).header(header::LOCATION, to).body(Body::empty()),
        Reply::Sound(content_type, length) => response
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(vec![7; length])),
        Reply::Never => std::future::pending().await,
    }
    .unwrap()
}

/// Takes the fake API for Twilio's.
fn source() -> TwilioRecordings {
    TwilioRecordings::with_rule(|url| url.host_str() == Some("127.0.0.1"))
}

fn login() -> Login {
    Login {
        account: ACCOUNT.into(),
        token: "token".into(),
    }
}

#[tokio::test]
async fn a_recording_is_fetched_with_the_login_of_its_account() {
    let api = Api::start(vec![Reply::Sound("audio/mpeg", 9)]).await;
    let audio = source().fetch(&api.url(), Some(&login())).await.unwrap();
    assert_eq!((&*audio.content_type, audio.bytes), ("audio/mpeg", vec![7; 9]));
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1.mp3");
    // printf AC00000000000000000000000000000000:token | base64
    let basic = "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp0b2tlbg==";
    assert_eq!(api.asked(), [(path, Some(basic.to_owned()))]);
    source().fetch(&format!("{}.wav", api.url()), None).await.unwrap();
    let (path, login) = api.asked().pop().unwrap();
    assert!(path.ends_with("/RE1.wav"), "{path}");
    assert_eq!(login, None);
}

#[tokio::test]
async fn nothing_but_twilios_api_is_asked() {
    let api = Api::start(vec![Reply::Sound("audio/mpeg", 9)]).await;
    for url in [
        api.url().as_str(),
        "https://api.twilio.com.evil.example/RE1",
        "https://api.evil.example\\.twilio.com/RE1",
        "https://api.twilio.com@127.0.0.1/RE1",
        "http://api.twilio.com/RE1",
        "nonsense",
    ] {
        let refused = TwilioRecordings::new().fetch(url, Some(&login())).await.unwrap_err();
        assert!(matches!(refused, FetchError::Elsewhere), "{url}: {refused}");
        assert!(refused.is_final());
    }
    assert_eq!(api.asked(), []);
}

#[tokio::test]
async fn a_redirection_to_another_host_is_not_followed() {
    let other = Api::start(vec![Reply::Sound("audio/mpeg", 9)]).await;
    let api = Api::start(vec![Reply::Redirect(other.url())]).await;
    let refused = source().fetch(&api.url(), Some(&login())).await.unwrap_err();
    assert!(matches!(refused, FetchError::Status(StatusCode::FOUND)), "{refused}");
    assert_eq!(other.asked(), []);
    let within = Api::start(vec![
        Reply::Redirect("/elsewhere".into()),
        Reply::Sound("audio/mpeg", 9),
    ])
    .await;
    assert!(source().fetch(&within.url(), Some(&login())).await.is_ok());
    let endless = Api::start(vec![Reply::Redirect("/round".into())]).await;
    assert!(source().fetch(&endless.url(), None).await.is_err());
    assert_eq!(endless.asked().len(), 4);
}

#[tokio::test]
async fn what_is_no_recording_is_refused() {
    async fn check(reply: Reply, want: &str, is_final: bool) {
        let api = Api::start(vec![reply]).await;
        let refused = source().fetch(&api.url(), None).await.unwrap_err();
        assert_eq!((refused.to_string().as_str(), refused.is_final()), (want, is_final));
    }
    check(Reply::Status(404), "the answer was 404 Not Found", false).await;
    check(Reply::Status(401), "the answer was 401 Unauthorized", false).await;
    check(Reply::Status(204), "the answer was 204 No Content", false).await;
    check(
        Reply::Sound("text/html", 9),
        "the answer was no audio but `text/html`",
        false,
    )
    .await;
    let large = Reply::Sound("audio/mpeg", MAX_BYTES + 1);
    check(large, "it has more than 20 MB", true).await;
}

/// A store with a message, and who fetches for it.
struct Scene {
    folder: TempDir,
    clock: Arc<TestClock>,
    tasks: TaskSet,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
            tasks: TaskSet::new(),
        }
    }

    /// The store as a process that starts opens it.
    fn open(&self) -> Arc<SqliteStore> {
        let key = Arc::new(Sealer::from_key([7; 32]));
        let file = self.folder.path().join("frontdesk.db");
        Arc::new(SqliteStore::open(&file, key, self.clock.clone(), SqliteOptions::default()).unwrap())
    }

    fn fetcher(&self, store: Arc<dyn Backend>) -> Fetcher {
        Fetcher {
            store,
            source: Arc::new(source()),
            clock: self.clock.clone(),
            platform_token: Some("platform".into()),
            woken: Arc::default(),
        }
    }

    async fn fetch(&self, fetcher: &Fetcher) -> Duration {
        fetcher.fetch_due(&self.tasks.stopping()).await
    }
}

fn id<Id: From<ObjectId>>(number: u32) -> Id {
    Id::from(ObjectId::from_parts(number, [0; 8]))
}

fn message(number: u32, url: &str) -> Message {
    Message {
        id: id(number),
        company_id: id(1),
        call_id: CallId::new("CA1"),
        kind: MessageKind::Message,
        from: None,
        callback_number: None,
        callback_time: None,
        recording_sid: Some(format!("RE{number}").into()),
        recording_url: Some(url.into()),
        recording_seconds: Some(4),
        audio: AudioState::None,
        transcript: None,
        state: MessageState::New,
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
    }
}

async fn found(store: &SqliteStore, number: u32) -> FoundAudio {
    store.audio(id(1), id(number)).await.unwrap().unwrap()
}

fn own_login(twilio: &serde_json::Value) -> CompanyWrite {
    let document =
        json!({ "_id": id::<CompanyId>(1).to_string(), "name": "A", "phone": "+15550100001", "twilio": twilio });
    let Parsed { value, json, .. } = Company::parse(&document, Mode::Import).unwrap();
    let CompanyDocument { company, secrets, .. } = value;
    CompanyWrite {
        company: Arc::new(company),
        json,
        secrets: secrets.apply(&CompanySecrets::default()).unwrap(),
    }
}

#[tokio::test]
async fn a_recording_is_tried_for_ten_minutes_also_over_a_restart() {
    let api = Api::start(vec![Reply::Status(404)]).await;
    let scene = Scene::new();
    let mut store = scene.open();
    store.put_message(message(1, &api.url())).await.unwrap();
    let mut pauses = Vec::new();
    loop {
        // Each try is that of a new process.
        drop(std::mem::replace(&mut store, scene.open()));
        let wait = scene.fetch(&scene.fetcher(store.clone())).await;
        if found(&store, 1).await.state == AudioState::Failed {
            break;
        }
        let due = store.next_audio_due().await.unwrap().unwrap();
        let pause = Duration::try_from(due.duration_since(scene.clock.now())).unwrap();
        assert_eq!(wait, pause.min(LOOK_EVERY));
        pauses.push(pause.as_secs());
        scene.clock.advance(pause);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 160, 125]);
    assert_eq!(pauses.iter().sum::<u64>(), 600);
    assert_eq!(api.asked().len(), 9);
    scene.clock.advance(Duration::from_hours(1));
    assert_eq!(scene.fetch(&scene.fetcher(store)).await, LOOK_EVERY);
    assert_eq!(api.asked().len(), 9, "it is given up");
}

#[tokio::test]
async fn a_recording_that_comes_late_is_kept() {
    let api = Api::start(vec![
        Reply::Status(404),
        Reply::Status(500),
        Reply::Sound("audio/mpeg", 500_000),
    ])
    .await;
    let scene = Scene::new();
    let store = scene.open();
    store.put_message(message(1, &api.url())).await.unwrap();
    let fetcher = scene.fetcher(store.clone());
    for _ in 0..3 {
        scene.fetch(&fetcher).await;
        scene.clock.advance(Duration::from_secs(30));
    }
    let audio = found(&store, 1).await.audio.unwrap();
    assert_eq!((&*audio.content_type, audio.bytes.len()), ("audio/mpeg", 500_000));
    assert_eq!(api.asked().len(), 3);
}

#[tokio::test]
async fn a_server_that_was_away_for_long_tries_at_least_once() {
    let api = Api::start(vec![Reply::Sound("audio/mpeg", 9)]).await;
    let scene = Scene::new();
    let store = scene.open();
    store.put_message(message(1, &api.url())).await.unwrap();
    scene.clock.advance(Duration::from_hours(50));
    scene.fetch(&scene.fetcher(store.clone())).await;
    assert_eq!(found(&store, 1).await.state, AudioState::Stored);
}

#[tokio::test]
async fn what_can_never_be_fetched_is_given_up_at_once() {
    let scene = Scene::new();
    let store = scene.open();
    store
        .put_message(message(1, "https://api.example.test/RE1"))
        .await
        .unwrap();
    scene.fetch(&scene.fetcher(store.clone())).await;
    assert_eq!(found(&store, 1).await.state, AudioState::Failed);
}

#[tokio::test]
async fn the_companys_login_comes_before_the_platforms() {
    async fn check(company: Option<serde_json::Value>, want: Option<(&str, &str)>) {
        let scene = Scene::new();
        let store = scene.open();
        if let Some(twilio) = company {
            store.insert_company(own_login(&twilio)).await.unwrap();
        }
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1");
        let url = if want.is_none() {
            "https://api.twilio.com/RE1"
        } else {
            &*url
        };
        store.put_message(message(1, url)).await.unwrap();
        let due = store
            .claim_audio(scene.clock.now(), scene.clock.now(), 1)
            .await
            .unwrap();
        let login = scene.fetcher(store).login(&due[0]).await.unwrap();
        let login = login.map(|Login { account, token }| {
            use secrecy::ExposeSecret as _;
            (account.to_string(), token.expose_secret().to_owned())
        });
        assert_eq!(
            login,
            want.map(|(account, token)| (account.to_owned(), token.to_owned()))
        );
    }
    let other = "AC11111111111111111111111111111111";
    check(
        Some(json!({ "accountSid": other, "authToken": "0123456789abcdef0123456789abcdef" })),
        Some((other, "0123456789abcdef0123456789abcdef")),
    )
    .await;
    check(Some(json!({ "accountSid": other })), Some((other, "platform"))).await;
    check(Some(json!({})), Some((ACCOUNT, "platform"))).await;
    check(None, Some((ACCOUNT, "platform"))).await;
    check(Some(json!({})), None).await;
}

#[tokio::test]
async fn a_new_message_wakes_who_fetches_and_shutdown_puts_back_what_was_begun() {
    let api = Api::start(vec![Reply::Sound("audio/mpeg", 9), Reply::Never]).await;
    let scene = Scene::new();
    let store = scene.open();
    let fetcher = scene.fetcher(store.clone());
    let heard = HeardStore::new(store.clone(), Arc::clone(&fetcher.woken));
    fetcher.start(&scene.tasks);
    // It has looked, and would not look again for a minute.
    time::sleep(Duration::from_millis(100)).await;
    let until = async |asked: usize| {
        while api.asked().len() < asked {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    let soon = Duration::from_secs(10);
    heard.put_message(message(1, &api.url())).await.unwrap();
    time::timeout(soon, until(1)).await.expect("woken by the first message");
    while found(&store, 1).await.state != AudioState::Stored {
        time::sleep(Duration::from_millis(5)).await;
    }
    heard.put_message(message(2, &api.url())).await.unwrap();
    time::timeout(soon, until(2))
        .await
        .expect("woken by the second message");
    assert!(scene.tasks.shutdown(soon).await.is_empty(), "it ends in time");
    assert_eq!(store.next_audio_due().await.unwrap(), Some(scene.clock.now()));
}

#[test]
fn pauses_grow_until_the_time_is_over() {
    let first: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let check = |after: u64, attempts: u32, want: Option<u64>| {
        let now = first + Duration::from_secs(after);
        let want = want.map(|pause| now + Duration::from_secs(pause));
        assert_eq!(next_try(first, now, attempts), want, "{after} s, {attempts} attempts");
    };
    check(0, 1, Some(5));
    check(0, 2, Some(10));
    check(0, 6, Some(160));
    check(0, u32::MAX, Some(160));
    check(599, 1, Some(1));
    check(600, 1, None);
    check(9_999, 1, None);
}
