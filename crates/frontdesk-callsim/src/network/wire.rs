//! HTTP to one server after the other, over connections that are kept.

use std::{cell::RefCell, collections::HashMap, fmt, pin::Pin, time::Duration};

use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// How long what has come may take to be read once the connection has ended.
const AFTERWARDS: Duration = Duration::from_millis(100);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The `Content-Type`, if there is one.
    pub content_type: Option<String>,
    /// The `Location`, if there is one.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Lost {
    /// There is no connection.
    NotConnected(String),
    /// Nothing came in time.
    Late,
    /// The connection was cut before the answer was complete.
    Cut(String),
    /// What came is no HTTP.
    NoHttp(String),
}

/// How patient one attempt is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) read: Duration,
    pub(super) total: Duration,
}

/// Kept connections by where they lead.
#[derive(Default)]
pub(super) struct Wire {
    idle: RefCell<HashMap<String, Vec<Connection>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) async fn exchange(
        &self,
        authority: &str,
        request: Request<Full<Bytes>>,
        patience: Patience,
    ) -> Result<Reply, Lost> {
        let whole = Box::pin(self.unhurried(authority, request, patience));
        timeout(patience.total, whole).await.unwrap_or(Err(Lost::Late))
    }

    async fn unhurried(
        &self,
        authority: &str,
        request: Request<Full<Bytes>>,
        patience: Patience,
    ) -> Result<Reply, Lost> {
        let kept = self.idle.borrow_mut().get_mut(authority).and_then(Vec::pop);
        if let Some(mut kept) = kept {
            match kept.exchange(request.clone(), patience.read).await {
                // It may have been closed before it was used; a new one tells.
                Err(Lost::Cut(_)) => self.drop_idle(authority),
                Ok(reply) => {
                    self.keep(authority, kept);
                    return Ok(reply);
                }
                Err(other) => return Err(other),
            }
        }
        let mut connection = match timeout(patience.connect, Connection::open(authority)).await {
            Ok(opened) => opened.map_err(|error| Lost::NotConnected(error.to_string()))?,
            Err(_) => return Err(Lost::NotConnected("no connection in time".to_owned())),
        };
        let reply = connection.exchange(request, patience.read).await?;
        self.keep(authority, connection);
        Ok(reply)
    }

    fn keep(&self, authority: &str, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        idle.entry(authority.to_owned()).or_default().push(connection);
    }

    /// Lets all unused connections go, as after a server's end.
    fn drop_idle(&self, authority: &str) {
        self.idle.borrow_mut().remove(authority);
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A connection, which makes progress only while a request is under way.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
}

impl Connection {
    async fn open(authority: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self {
            sender,
            driver: Box::pin(driver),
        })
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>, read: Duration) -> Result<Reply, Lost> {
        let Self { sender, driver } = self;
        let exchange = async {
            sender.ready().await.map_err(lost)?;
            let answered = timeout(read, sender.send_request(request)).await;
            let (parts, mut body) = answered.map_err(|_| Lost::Late)?.map_err(lost)?.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) = timeout(read, body.frame()).await.map_err(|_| Lost::Late)? {
                if let Ok(data) = frame.map_err(lost)?.into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
            let text = |name| {
                parts
                    .headers
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned)
            };
            Ok(Reply {
                status: parts.status.as_u16(),
                content_type: text(header::CONTENT_TYPE),
                location: text(header::LOCATION),
                body: bytes,
            })
        };
        tokio::pin!(exchange);
        // When the connection ends first, the answer may still be in hand.
        tokio::select! {
            answered = &mut exchange => answered,
            ended = driver => match ended {
                // All that came is there by now; what is not there will not come.
                Ok(()) => match timeout(AFTERWARDS, exchange).await {
                    Ok(answered) => answered,
                    Err(_) => Err(Lost::Cut("the connection ended".to_owned())),
                },
                Err(error) => Err(lost(error)),
            },
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
fn lost(error: hyper::Error) -> Lost {
    if error.is_parse() {
        Lost::NoHttp(error.to_string())
    } else {
        Lost::Cut(error.to_string())
    }
}
