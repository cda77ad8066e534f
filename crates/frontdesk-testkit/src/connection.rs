//! A kept connection to a server on this machine: HTTP/1.1, one request after the other.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Twilio waits 15 s for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection that is opened when it is needed and kept as long as the server keeps it.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Makes progress only while it is polled, beside each exchange.
    driver: Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The media type with its parameters; empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether the server did what it was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Connection {
    /// A connection to a listener; nothing is opened yet.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and reads the whole answer. A request is sent once: whoever gets an error does not know whether
    /// the server has heard it.
    ///
    /// # Errors
    /// The server cannot be reached, breaks off or is silent for 15 s.
    pub async fn send(
        &mut self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let exchanged = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let exchanged = exchanged.unwrap_or_else(|_| Err(anyhow!("it was silent for {} s", PATIENCE.as_secs())));
        if exchanged.is_err() {
            self.open = None;
        }
        exchanged.with_context(|| format!("no answer from {}", self.address))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply> {
        // A kept connection that the server has closed meanwhile is no failure: nothing has been sent on it.
        let mut open = match self.open.take() {
            Some(mut kept) => {
                if kept.is_ready().await {
                    kept
                } else {
                    Open::new(self.address).await?
                }
            }
            None => Open::new(self.address).await?,
        };
        let (reply, is_kept) = open.exchange(request).await?;
        self.open = is_kept.then_some(open);
        Ok(reply)
    }
}

impl Open {
    async fn new(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut open = Self {
            sender,
            driver: Box::pin(connection),
        };
        if !open.is_ready().await {
            bail!("the connection was closed at once");
        }
        Ok(open)
    }

    /// Whether a request can be sent; `false` if the server has closed the connection.
    async fn is_ready(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.driver.as_mut() => false,
            ready = self.sender.ready() => ready.is_ok(),
        }
    }

    /// The answer, and whether the connection can be used again.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(Reply, bool), hyper::Error> {
        let Self { sender, driver } = self;
        let answer = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let content_type = parts.headers.get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            Ok::<_, hyper::Error>(Reply {
                status: parts.status.as_u16(),
                content_type: content_type.unwrap_or_default().to_owned(),
                body: body.collect().await?.to_bytes().to_vec(),
            })
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answered = &mut answer => Ok((answered?, true)),
            ended = driver.as_mut() => {
                // The connection has ended; the answer may have come before.
                ended?;
                Ok((answer.await?, false))
            }
        }
    }
}
