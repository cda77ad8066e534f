//! A client that sees the bytes: one connection a request.

use std::time::Duration;

use frontdesk_llm_double::{Double, Script};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// What came back, and how the connection ended.
#[derive(Debug)]
pub(crate) struct Got {
    /// All of it, head included.
    pub(crate) bytes: Vec<u8>,
    /// Whether the other side closed the connection.
    pub(crate) is_closed: bool,
    /// When each piece came.
    pub(crate) pieces: Vec<Duration>,
}

impl Got {
    pub(crate) fn head(&self) -> String {
        let all = String::from_utf8_lossy(&self.bytes);
        all.split("\r\n\r\n").next().unwrap().to_lowercase()
    }

    pub(crate) fn status(&self) -> u16 {
        self.head().split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    }

    pub(crate) fn body(&self) -> &[u8] {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        &self.bytes[end + 4..]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap()
    }

    /// The content of the first choice.
    pub(crate) fn content(&self) -> String {
        let json = self.json();
        json["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }

    /// The content, read as JSON.
    pub(crate) fn said(&self) -> Value {
        serde_json::from_str(&self.content()).unwrap()
    }
}

pub(crate) async fn start(script: impl Into<Script>) -> Double {
    Double::start("127.0.0.1:0".parse().unwrap(), script.into())
        .await
        .unwrap()
}

/// A connection on which a request was sent.
pub(crate) async fn send(double: &Double, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(double.address()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until the other side closes or nothing comes for `patience`.
pub(crate) async fn receive(mut stream: TcpStream, patience: Duration) -> Got {
    let sent = Instant::now();
    let mut got = Got {
        bytes: Vec::new(),
        is_closed: false,
        pieces: Vec::new(),
    };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = timeout(patience, stream.read(&mut buffer)).await {
        let length = read.unwrap_or(0);
        if length == 0 {
            got.is_closed = true;
            break;
        }
        got.pieces.push(sent.elapsed());
        got.bytes.extend_from_slice(&buffer[..length]);
    }
    got
}

/// A whole exchange; a side that says nothing for 5 s is given up.
pub(crate) async fn exchange(double: &Double, method: &str, path: &str, body: &str) -> Got {
    let stream = send(double, method, path, body).await;
    receive(stream, Duration::from_secs(5)).await
}

pub(crate) async fn ask(double: &Double, words: &str) -> Got {
    exchange(double, "POST", "/v1/chat/completions", &question(words)).await
}

/// What `exchange` would be, for a response that is not to end: waits a moment only.
pub(crate) async fn ask_in_vain(double: &Double) -> Got {
    let stream = send(double, "POST", "/v1/chat/completions", &question("senior discount")).await;
    receive(stream, Duration::from_millis(500)).await
}

/// A question with two answers on offer, of at most 60 tokens.
pub(crate) fn question(words: &str) -> String {
    let system = "Choose what answers the caller.\n\
        - hours: Opening hours; \"when are you open\"; We are open from eight to five.\n\
        - senior: Senior discount; \"is there a discount for seniors\"; Seniors get ten percent off.";
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["choice", "outOfScope", "confidence"],
        "properties": {
            "choice": {"type": "string", "enum": ["hours", "senior", "none"]},
            "outOfScope": {"type": "boolean"},
            "confidence": {"type": "number"}}});
    json!({
        "model": "gpt-6-luna",
        "max_completion_tokens": 60,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": words}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "c", "strict": true, "schema": schema}},
    })
    .to_string()
}

/// Waits until the double has what is looked for; fails after 5 s.
pub(crate) async fn until(double: &Double, holds: impl Fn(&frontdesk_llm_double::Stats) -> bool) {
    for _ in 0..500 {
        if holds(&double.stats()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came to be: {:?}", double.stats());
}
