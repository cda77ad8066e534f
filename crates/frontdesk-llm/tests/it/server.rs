//! A server on this machine that follows a script, byte by byte.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use frontdesk_llm::{
    client::OpenAiCompatible,
    endpoint::{Endpoint, api_key},
    provider::{Asked, Progress, Provider as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

pub(crate) const KEY: &str = "sk-test-hunter2-0123456789";

/// Longer than anything takes that is expected to end by itself.
pub(crate) const PLENTY: Duration = Duration::from_secs(5);

/// What is waited for in vain, so short that tests are quick.
pub(crate) const SOON: Duration = Duration::from_millis(250);

/// How much later than its deadline a request may end on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// One byte at a time, with this pause between.
    Drip(Vec<u8>, Duration),
    /// Says nothing until the client goes.
    Stall,
    Close,
}

/// What the server saw.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
    /// So many clients went while the server was stalling.
    left: usize,
}

pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _listening: JoinSet<()>,
}

impl Server {
    /// Answers each request by the next script; the last one stays.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, scripts.into(), Arc::clone(&seen)));
        Self {
            address,
            seen,
            _listening: listening,
        }
    }

    pub(crate) async fn answering(script: Vec<Step>) -> Self {
        Self::start(vec![script]).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn client(&self) -> OpenAiCompatible {
        client(&self.url())
    }

    pub(crate) async fn ask(&self, patience: Duration) -> Asked {
        ask(&self.client(), patience).await
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// Waits until a client has gone while the server was stalling.
    pub(crate) async fn wait_for_the_client_to_leave(&self) {
        let give_up = Instant::now() + PLENTY;
        while self.seen.lock().unwrap().left == 0 {
            assert!(Instant::now() < give_up, "the connection is still open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn client(url: &str) -> OpenAiCompatible {
    let endpoint = Endpoint::parse(url, false).unwrap();
    OpenAiCompatible::new(endpoint, Some(api_key(KEY).unwrap())).unwrap()
}

pub(crate) async fn ask(client: &OpenAiCompatible, patience: Duration) -> Asked {
    let body = br#"{"model":"m","messages":[]}"#.to_vec();
    client
        .ask(body.into(), Instant::now() + patience, &Progress::default())
        .await
}

pub(crate) fn send(text: impl Into<Vec<u8>>) -> Step {
    Step::Send(text.into())
}

/// A whole response that leaves the connection open.
pub(crate) fn response(status: u16, headers: &str, body: &str) -> Step {
    let length = body.len();
    send(format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// The head of a response whose body has so many bytes.
pub(crate) fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

pub(crate) const COMPLETION: &str = r#"{"model":"m","choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;

async fn listen(listener: TcpListener, scripts: Arc<[Vec<Step>]>, seen: Arc<Mutex<Seen>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        seen.lock().unwrap().connections += 1;
        connections.spawn(serve(stream, Arc::clone(&scripts), Arc::clone(&seen)));
    }
}

async fn serve(mut stream: TcpStream, scripts: Arc<[Vec<Step>]>, seen: Arc<Mutex<Seen>>) {
    while let Some(request) = read_request(&mut stream).await {
        let script = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request);
            let turn = (seen.requests.len() - 1).min(scripts.len() - 1);
            scripts[turn].clone()
        };
        for step in script {
            let is_over = match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.is_err(),
                Step::Drip(bytes, pause) => drip(&mut stream, &bytes, pause).await,
                Step::Stall => {
                    _ = stream.read_u8().await;
                    seen.lock().unwrap().left += 1;
                    true
                }
                Step::Close => true,
            };
            if is_over {
                return;
            }
        }
    }
}

/// Whether the client has gone.
async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> bool {
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() {
            return true;
        }
        tokio::time::sleep(pause).await;
    }
    false
}

/// A whole request as text, or `None` when the client has gone.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}
