//! A front desk for tests: a small HTTP server on a thread of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) signature: String,
    pub(crate) token: String,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A parameter of the body, as it was encoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let named = |pair: &str| pair.split_once('=').is_some_and(|(known, _)| known == name);
        let pair = self.body.split('&').find(|pair| named(pair))?;
        pair.split_once('=').map(|(_, value)| value)
    }
}

/// What is given back.
#[derive(Debug, Clone)]
pub(crate) enum Gives {
    /// A document of these verbs.
    Verbs(String),
    /// This as JSON.
    Json(String),
    /// Only a status, perhaps with a `Location`.
    Status(u16, Option<&'static str>),
    /// The connection is closed.
    Cut,
    /// Nothing for so long.
    Late(Duration),
}

type Handler = Arc<dyn Fn(&Got) -> Gives + Send + Sync>;

/// A running desk; it ends with the test's process.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Got>>>,
}

impl Desk {
    pub(crate) fn open(handler: impl Fn(&Got) -> Gives + Send + Sync + 'static) -> Self {
        Self::open_at("127.0.0.1:0".parse().unwrap(), handler)
    }

    pub(crate) fn open_at(address: SocketAddr, handler: impl Fn(&Got) -> Gives + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let desk = Self {
            address: listener.local_addr().unwrap(),
            log: Arc::default(),
        };
        let (handler, log): (Handler, _) = (Arc::new(handler), Arc::clone(&desk.log));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                thread::spawn(move || serve(stream, &handler, &log));
            }
        });
        desk
    }

    pub(crate) fn log(&self) -> Vec<Got> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Got>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let (mut length, mut signature, mut token) = (0, String::new(), String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(": ") else {
                break;
            };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "i-twilio-idempotency-token" => value.clone_into(&mut token),
                "x-twilio-signature" => value.clone_into(&mut signature),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let got = Got {
            method,
            target,
            signature,
            token,
            body: String::from_utf8(body).ok()?,
        };
        log.lock().unwrap_or_else(PoisonError::into_inner).push(got.clone());
        let (head, body) = match handler(&got) {
            Gives::Verbs(verbs) => (
                "200 OK\r\ncontent-type: text/xml".to_owned(),
                format!("<Response>{verbs}</Response>"),
            ),
            Gives::Json(json) => ("200 OK\r\ncontent-type: application/json".to_owned(), json),
            Gives::Status(status, None) => (format!("{status} X"), String::new()),
            Gives::Status(status, Some(location)) => (format!("{status} X\r\nlocation: {location}"), String::new()),
            Gives::Cut => return None,
            Gives::Late(length) => {
                thread::sleep(length);
                return None;
            }
        };
        let reply = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        writer.write_all(reply.as_bytes()).ok()?;
    }
}
