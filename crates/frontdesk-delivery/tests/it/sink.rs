//! A webhook that keeps what it gets, and fails as it is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use frontdesk_delivery::channels::{Channels, ChannelsOptions, Lookup, Message};
use frontdesk_domain::{
    address::Reach,
    alert::{AlertCode, Severity},
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
    },
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::system::SystemClock;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How the sink answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Status(u16),
    Hang,
    RedirectTo(String),
    Endless,
    Drop,
}

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn occasion(&self) -> String {
        self.json()["occasion"].as_str().unwrap().to_owned()
    }
}

#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    answer: Arc<Mutex<Answer>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Sink {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            port: listener.local_addr().unwrap().port(),
            answer: Arc::new(Mutex::new(answer)),
            got: Arc::default(),
        };
        let serving = sink.clone();
        let mut serve = tokio::task::JoinSet::new();
        serve.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serving.clone().serve(stream));
            }
        });
        serve.detach_all();
        sink
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut read = Vec::new();
        let head_end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or_default() == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
        let mut got = Got {
            head,
            body: read.split_off(head_end),
        };
        let length: usize = got.header("content-length").unwrap().parse().unwrap();
        while got.body.len() < length {
            if stream.read_buf(&mut got.body).await.unwrap_or_default() == 0 {
                return;
            }
        }
        self.got.lock().unwrap().push(got);
        let answer = self.answer.lock().unwrap().clone();
        let written = match answer {
            Answer::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok"),
            Answer::RedirectTo(place) => {
                format!("HTTP/1.1 307 X\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n")
            }
            Answer::Drop => return,
            Answer::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
            Answer::Endless => {
                _ = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
        };
        _ = stream.write_all(written.as_bytes()).await;
        _ = stream.shutdown().await;
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What came once it is so much, within seconds.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Got> {
        for _ in 0..400 {
            if self.got().len() >= count {
                return self.got();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("only {} of {count} messages came", self.got().len());
    }
}

pub(crate) const ANYWHERE: Reach = Reach {
    private: true,
    plain_http: true,
};

pub(crate) fn channels(reach: Reach, lookup: Lookup) -> Channels {
    let options = ChannelsOptions { mail: None, reach };
    Channels::new(&options, lookup, Arc::new(SystemClock)).unwrap()
}

pub(crate) fn contact(channels: &Value) -> (Contact, ContactSecrets) {
    let document = json!({ "id": "65f123456789abcdef000007", "name": "On call", "channels": channels });
    let parsed = Contact::parse(&document, Mode::new_document(), ANYWHERE).unwrap();
    parsed.value.apply(&ContactSecrets::default()).unwrap()
}

pub(crate) fn message() -> Message {
    Message {
        id: "65f123456789abcdef000001".parse().unwrap(),
        occasion: "0:after-0".to_owned(),
        notification: Notification {
            id: "65f123456789abcdef000002".parse().unwrap(),
            code: AlertCode::LlmDown,
            severity: Severity::Critical,
            company_id: None,
            message: "the LLM refuses: grüße".to_owned(),
            details: Value::Null,
            count: 1,
            first_at: Timestamp::UNIX_EPOCH,
            last_at: Timestamp::UNIX_EPOCH,
            state: NotificationState::Open,
            snoozed_until: None,
            deliveries: Vec::new(),
        },
        public_url: "https://fd.example.com".to_owned(),
        support_contact: None,
        is_test: false,
    }
}
