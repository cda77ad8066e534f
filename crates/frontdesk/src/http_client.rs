//! A small HTTP client without TLS, because the server is on this machine or behind a tunnel.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    time::Duration,
};

use http::{Request, Uri, header, uri::Authority};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than any answer takes, imports included.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server's base URL, such as `http://127.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    authority: String,
}

/// Why a text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotABaseUrl(String);

impl std::str::FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        let refused = |why: &str| Err(NotABaseUrl(format!("{why}; write it such as http://127.0.0.1:8080")));
        let Ok(uri) = text.parse::<Uri>() else {
            return refused("this is no URL");
        };
        match (uri.scheme_str(), uri.authority()) {
            (Some("https"), authority) => Err(NotABaseUrl(through_a_tunnel(authority.map_or("HOST", Authority::host)))),
            (Some("http"), Some(authority)) if authority.host().is_empty() => refused("this names no server"),
            (Some("http"), Some(authority)) if uri.path().trim_matches('/').is_empty() && uri.query().is_none() => {
                let port = authority.port_u16().unwrap_or(80);
                Ok(Self {
                    authority: format!("{}:{port}", authority.host()),
                })
            }
            _ => refused("this is no URL of a server"),
        }
    }
}

/// How to reach a server whose URL leads to a proxy that speaks TLS. The server's own port is another one than the proxy's.
fn through_a_tunnel(host: &str) -> String {
    format!(
        "this command speaks plain HTTP: run it on the server's machine, without --url, or through a tunnel: \
         `ssh -N -L 8080:127.0.0.1:PORT {host}`, where PORT is that of the server's FRONTDESK_HTTP__LISTEN (8080 by \
         default), and --url http://127.0.0.1:8080"
    )
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The media type, without parameters.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the server did what it was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// The server cannot be reached, or broke off.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {server}")]
pub struct Unreachable {
    /// Which server.
    pub server: BaseUrl,
    source: Failure,
}

impl BaseUrl {
    /// The URL under which a listener is reached from its own machine.
    #[must_use]
    pub fn of_listener(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self {
            authority: SocketAddr::new(ip, address.port()).to_string(),
        }
    }

    /// Sends a request over a connection of its own and reads the whole answer.
    ///
    /// # Errors
    /// The server cannot be reached, breaks off or is silent for two minutes.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, Unreachable> {
        Client::new(self.clone()).send(method, target, headers, body).await
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A client that keeps its connection. Only for requests that may be sent twice: a kept connection may have been closed
/// by the server at the very moment it is used, and then the request is sent again over a new one.
#[derive(Debug)]
pub struct Client {
    server: BaseUrl,
    kept: Option<Connection>,
}

impl Client {
    /// A client of this server; it connects with its first request.
    #[must_use]
    pub const fn new(server: BaseUrl) -> Self {
        Self { server, kept: None }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// The server cannot be reached, breaks off or is silent for two minutes.
    pub async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, Unreachable> {
        let unreachable = |source| Unreachable {
            server: self.server.clone(),
            source,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, &self.server.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.into()))?;
        if let Some(mut kept) = self.kept.take()
            && let Ok(reply) = kept.exchange(request.clone()).await
        {
            self.kept = Some(kept);
            return Ok(reply);
        }
        let mut connection = Connection::open(&self.server.authority).await.map_err(unreachable)?;
        let reply = connection.exchange(request).await.map_err(unreachable)?;
        self.kept = Some(connection);
        Ok(reply)
    }
}

/// A connection, which makes progress only while a request is under way.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
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

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        tokio::time::timeout(PATIENCE, self.exchange_unhurried(request)).await?
    }

    async fn exchange_unhurried(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let Self { sender, driver } = self;
        let exchange = async {
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes().to_vec();
            let content_type = parts
                .headers
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
            Ok(Reply {
                status: parts.status.as_u16(),
                content_type: essence.trim().to_ascii_lowercase(),
                body,
            })
        };
        tokio::pin!(exchange);
        // When the connection ends first, the answer may still be in hand.
        tokio::select! {
            answered = &mut exchange => answered,
            ended = driver => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), want);
    }

    #[test]
    fn a_base_url_is_scheme_host_and_port() {
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080");
        check("http://localhost/", "http://localhost:80");
        check("http://[::1]:9", "http://[::1]:9");
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_this_machine() {
        let check = |address: &str, want: &str| {
            assert_eq!(BaseUrl::of_listener(address.parse().unwrap()).to_string(), want);
        };
        check("0.0.0.0:80", "http://127.0.0.1:80");
        check("[::]:80", "http://[::1]:80");
        check("10.0.0.1:80", "http://10.0.0.1:80");
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused() {
        for (text, says) in [
            ("https://a.example", "127.0.0.1:PORT a.example`"),
            ("https://me@a.example:444/", "127.0.0.1:PORT a.example`"),
            ("http://:8080", "names no server"),
            ("a.example:80", "such as"),
            ("http://a/b", "such as"),
            ("", "such as"),
        ] {
            let message = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
        }
    }
}
