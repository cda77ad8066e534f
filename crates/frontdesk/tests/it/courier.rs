//! A real process is killed between deciding whom to tell and having told them: nothing is lost, and at most one message
//! comes twice.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    operator::Operator,
    server::Server,
    twilio::{Call, Caller},
    world::World,
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// A webhook on a port of its own, which refuses connections until it listens.
struct Sink {
    address: SocketAddr,
    socket: Option<TcpSocket>,
    /// Whether it answers what comes; else it reads and says nothing.
    answers: Arc<AtomicBool>,
    /// How often each delivery came.
    came: Arc<Mutex<BTreeMap<String, usize>>>,
    serving: JoinSet<()>,
}

impl Sink {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            address: socket.local_addr().unwrap(),
            socket: Some(socket),
            answers: Arc::default(),
            came: Arc::default(),
            serving: JoinSet::new(),
        }
    }

    fn listen(&mut self) {
        let listener: TcpListener = self.socket.take().unwrap().listen(64).unwrap();
        let (answers, came) = (Arc::clone(&self.answers), Arc::clone(&self.came));
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(take(stream, Arc::clone(&answers), Arc::clone(&came)));
            }
        });
    }

    fn came(&self) -> BTreeMap<String, usize> {
        self.came.lock().unwrap().clone()
    }
}

/// Reads one request and notes which delivery it is.
async fn take(mut stream: TcpStream, answers: Arc<AtomicBool>, came: Arc<Mutex<BTreeMap<String, usize>>>) {
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&read[..end]).to_lowercase();
        }
        if stream.read_buf(&mut read).await.unwrap_or_default() == 0 {
            return;
        }
    };
    let delivery = head.lines().find_map(|line| line.strip_prefix("frontdesk-delivery:"));
    let delivery = delivery.unwrap().trim().to_owned();
    *came.lock().unwrap().entry(delivery).or_default() += 1;
    if !answers.load(Ordering::SeqCst) {
        // Until the other side is gone.
        _ = stream.read_to_end(&mut read).await;
        return;
    }
    _ = stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    _ = stream.shutdown().await;
}

/// A process that tells the sink of everything, and a caller who is in danger.
async fn stage(folder: &Path, sink: &Sink) -> Server {
    let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder)
        .unwrap()
        .with_setting("DELIVERY__ALLOW_PRIVATE", "true")
        .with_setting("DELIVERY__ALLOW_PLAIN_HTTP", "true");
    server.start().await.unwrap();
    let mut operator = server.operator();
    let contact = json!({
        "name": "On call",
        "minSeverity": "CRITICAL",
        "channels": [{ "kind": "webhook", "url": format!("http://{}/hook", sink.address), "secret": "quiet" }],
    });
    operator
        .must(Method::POST, "/api/v1/contacts", Some(&contact))
        .await
        .unwrap();
    let world = World::create(&mut operator, &mut StdRng::seed_from_u64(1))
        .await
        .unwrap();
    let company = &world.companies[0];
    let mut caller = Caller::new(server.connection());
    let sid = format!("CA{:032x}", rand::random::<u128>());
    caller.take(Call::new(&company.twilio, &company.id, &sid));
    caller.say("i smell gas and there is a fire").await.unwrap();
    server
}

async fn outbox(operator: &mut Operator, state: &str) -> Vec<Value> {
    let listed = operator.get(&format!("/api/v1/outbox?state={state}")).await.unwrap();
    listed["items"].as_array().unwrap().clone()
}

/// What is in the outbox in this state, once it is as wanted.
async fn becomes(operator: &mut Operator, state: &str, is_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(75);
    loop {
        let found = outbox(operator, state).await;
        if is_wanted(&found) {
            return found;
        }
        assert!(Instant::now() < until, "{state}: {found:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The next process tells what the killed one has not; then no more comes.
async fn told_by_the_next(server: &mut Server, sink: &Sink, deliveries: usize) -> Vec<Value> {
    server.start().await.unwrap();
    let mut operator = server.operator();
    let sent = becomes(&mut operator, "sent", |sent| sent.len() == deliveries).await;
    sleep(Duration::from_secs(3)).await;
    assert!(outbox(&mut operator, "pending").await.is_empty());
    assert_eq!(sink.came().len(), deliveries, "each under an id of its own");
    sent
}

#[tokio::test]
async fn what_was_decided_and_never_sent_is_sent_once_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = Sink::new();
    let mut server = stage(folder.path(), &sink).await;
    let mut operator = server.operator();
    let waiting = becomes(&mut operator, "pending", |waiting| {
        !waiting.is_empty() && waiting.iter().all(|one| one["attempts"] != json!([]))
    })
    .await;
    server.kill().unwrap();
    assert!(sink.came().is_empty(), "nobody could be told");
    sink.answers.store(true, Ordering::SeqCst);
    sink.listen();
    told_by_the_next(&mut server, &sink, waiting.len()).await;
    assert!(sink.came().values().all(|times| *times == 1), "{:?}", sink.came());
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_tells_somebody_tells_them_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = Sink::new();
    sink.listen();
    let mut server = stage(folder.path(), &sink).await;
    let until = Instant::now() + Duration::from_secs(30);
    while sink.came().is_empty() {
        assert!(Instant::now() < until, "nobody is told");
        sleep(Duration::from_millis(5)).await;
    }
    let waiting = outbox(&mut server.operator(), "pending").await.len();
    // It is on its way, and nobody has said yet that it arrived.
    server.kill().unwrap();
    sink.answers.store(true, Ordering::SeqCst);
    let sent = told_by_the_next(&mut server, &sink, waiting).await;
    let came = sink.came();
    assert!(came.values().all(|times| *times <= 2), "{came:?}");
    assert!(came.values().any(|times| *times == 2), "{came:?}");
    assert!(sent.iter().all(|one| one["tries"].as_u64().unwrap() <= 2), "{sent:?}");
}
