//! The client: `OpenAI`-compatible chat completions over HTTP, with kept connections and an absolute deadline.

use std::{fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    completion::Completion,
    provider::{Cut, Outcome, Probed, Progress, Provider, Refusal, RefusalKind},
};

/// A connection takes at most so long; the deadline may end it earlier.
const CONNECT: Duration = Duration::from_secs(2);
/// An answer has at most so many bytes: a real one has a thousand.
const MAX_BYTES: usize = 256 * 1_024;
/// So many bytes of a refusal are read.
const MAX_REFUSAL_BYTES: usize = 16 * 1_024;
/// Connections nobody uses are kept so long.
const KEEP: Duration = Duration::from_secs(90);

/// Where a provider is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Box<str>,
    is_openai: bool,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEndpoint {
    /// It is no URL.
    #[error("should be a URL such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1")]
    NotAUrl,
    /// It is more than scheme, host, port and path.
    #[error("should have no user name, password, query or fragment; the key is FRONTDESK_LLM__API_KEY")]
    More,
    /// It would send callers' words and the key over a network in clear.
    #[error(
        "is plain HTTP to another machine, which would send callers' words and the key in clear: use https://, or set \
         FRONTDESK_LLM__ALLOW_PLAIN_HTTP=true if the network is your own"
    )]
    Plain,
}

impl Endpoint {
    /// Reads a base URL: everything before `/chat/completions`.
    ///
    /// # Errors
    /// It is none, or plain HTTP to another machine although that is not allowed.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, NotAnEndpoint> {
        let url = Url::parse(text.trim()).map_err(|_| NotAnEndpoint::NotAUrl)?;
        let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
            return Err(NotAnEndpoint::NotAUrl);
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || url.query().is_some() || url.fragment().is_some() {
            return Err(NotAnEndpoint::More);
        }
        if url.scheme() == "http" && !allow_plain_http && !is_this_machine(host) {
            return Err(NotAnEndpoint::Plain);
        }
        Ok(Self {
            is_openai: host == "api.openai.com",
            base: url.as_str().trim_end_matches('/').into(),
        })
    }

    /// Whether this is `OpenAI` itself.
    #[must_use]
    pub const fn is_openai(&self) -> bool {
        self.is_openai
    }

    /// Whether it needs a key to be of any use.
    #[must_use]
    pub const fn needs_a_key(&self) -> bool {
        self.is_openai
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// It is empty.
    #[error("is empty; remove it, or set the key as the provider shows it")]
    Empty,
    /// It has what no key has.
    #[error("holds a blank, a line break or a letter that no key has; set the key alone, as the provider shows it")]
    Odd,
}

/// Reads a key; blanks and line breaks around it are slips of the clipboard.
///
/// # Errors
/// Nothing is left, or what is left cannot be a key.
pub fn api_key(text: &str) -> Result<SecretString, NotAKey> {
    let key = text.trim();
    if key.is_empty() {
        return Err(NotAKey::Empty);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NotAKey::Odd);
    }
    Ok(key.into())
}

/// This machine cannot make the connections that the endpoint needs.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot make TLS connections")]
pub struct NoTls(#[source] reqwest::Error);

/// The [`Provider`] over HTTP. Its `Debug` shows no key.
pub struct OpenAiClient {
    client: Client,
    endpoint: Endpoint,
    authorization: Option<HeaderValue>,
}

impl fmt::Debug for OpenAiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl OpenAiClient {
    /// A client of this endpoint.
    ///
    /// # Errors
    /// There is no TLS on this machine.
    pub fn new(endpoint: Endpoint, key: Option<&SecretString>) -> Result<Self, NoTls> {
        // Somebody else may have installed one; that does as well.
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEEP)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(NoTls)?;
        let authorization = key.and_then(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self {
            client,
            endpoint,
            authorization,
        })
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers
    }

    async fn exchange(&self, body: Vec<u8>, progress: &Progress) -> Outcome {
        let request = self
            .client
            .post(format!("{}/chat/completions", self.endpoint))
            .headers(self.headers())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(failure) => return unsent(&failure),
        };
        progress.begin();
        if !response.status().is_success() {
            return Outcome::Refused(refusal(response).await);
        }
        match read(response, MAX_BYTES).await {
            Ok(body) => match Completion::read(&body) {
                Some(completion) => Outcome::Answered(completion),
                None => Outcome::Cut(Cut::NotAnAnswer),
            },
            Err(cut) => Outcome::Cut(cut),
        }
    }

    async fn list_models(&self) -> Probed {
        let request = self.client.get(format!("{}/models", self.endpoint)).headers(self.headers());
        let response = match request.send().await {
            Ok(response) => response,
            Err(failure) => return Probed::Failed(unsent(&failure)),
        };
        match response.status() {
            status if status.is_success() => match read(response, MAX_BYTES * 8).await {
                Ok(_) => Probed::There,
                Err(cut) => Probed::Failed(Outcome::Cut(cut)),
            },
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Probed::NotOffered,
            _ => Probed::Failed(Outcome::Refused(refusal(response).await)),
        }
    }
}

#[async_trait]
impl Provider for OpenAiClient {
    async fn ask(&self, body: Vec<u8>, deadline: Instant, progress: &Progress) -> Outcome {
        let answered = timeout_at(deadline, self.exchange(body, progress)).await;
        answered.unwrap_or(Outcome::Cut(Cut::Late))
    }

    async fn probe(&self, deadline: Instant) -> Probed {
        let answered = timeout_at(deadline, self.list_models()).await;
        answered.unwrap_or(Probed::Failed(Outcome::Cut(Cut::Late)))
    }

    fn endpoint(&self) -> &str {
        &self.endpoint.base
    }
}

/// What a request came to that got no head of an answer.
fn unsent(failure: &reqwest::Error) -> Outcome {
    if failure.is_connect() {
        // The innermost cause says it best: "Connection refused", "failed to lookup address".
        let mut cause: &dyn std::error::Error = failure;
        while let Some(source) = cause.source() {
            cause = source;
        }
        return Outcome::NotConnected(cause.to_string());
    }
    Outcome::Cut(Cut::Broken)
}

/// The whole body, if it is no larger than this.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Cut> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => return Err(Cut::TooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => return Err(Cut::Broken),
        }
    }
}

async fn refusal(response: Response) -> Refusal {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = read(response, MAX_REFUSAL_BYTES).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let code = text("/error/code").or_else(|| text("/error/type"));
    let is_name = |code: &&str| {
        code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let code = code.filter(is_name);
    Refusal {
        status: status.as_u16(),
        kind: kind(status, code),
        code: code.map(str::to_owned),
        retry_after,
    }
}

fn kind(status: StatusCode, code: Option<&str>) -> RefusalKind {
    const USED_UP: [&str; 4] = [
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "billing_not_active",
    ];
    match status.as_u16() {
        _ if code.is_some_and(|code| USED_UP.contains(&code)) => RefusalKind::Payment,
        401 | 403 => RefusalKind::Credentials,
        402 => RefusalKind::Payment,
        404 => RefusalKind::NotFound,
        408 | 425 | 429 => RefusalKind::RateLimited,
        500..=599 => RefusalKind::Server,
        // A redirection, which is not followed: the base URL is wrong.
        300..=399 => RefusalKind::NotFound,
        _ => RefusalKind::Request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_host_and_path() {
        for (text, want) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            (" https://api.openai.com/v1/ ", "https://api.openai.com/v1"),
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:8000/api/v1", "http://[::1]:8000/api/v1"),
        ] {
            assert_eq!(Endpoint::parse(text, false).unwrap().to_string(), want);
        }
        assert!(Endpoint::parse("https://api.openai.com/v1", false).unwrap().is_openai());
        assert!(!Endpoint::parse("https://llm.example/v1", false).unwrap().is_openai());
    }

    #[test]
    fn what_is_no_endpoint_is_refused_in_words() {
        for (text, why) in [
            ("api.openai.com/v1", NotAnEndpoint::NotAUrl),
            ("htps://api.openai.com", NotAnEndpoint::NotAUrl),
            ("", NotAnEndpoint::NotAUrl),
            ("https://user:pw@api.openai.com", NotAnEndpoint::More),
            ("https://api.openai.com/v1?key=x", NotAnEndpoint::More),
            ("http://llm.internal/v1", NotAnEndpoint::Plain),
            ("http://10.0.0.5:8000/v1", NotAnEndpoint::Plain),
            ("http://localhost.example/v1", NotAnEndpoint::Plain),
        ] {
            assert_eq!(Endpoint::parse(text, false), Err(why), "{text}");
        }
        assert!(Endpoint::parse("http://10.0.0.5:8000/v1", true).is_ok());
    }

    #[test]
    fn a_key_is_taken_without_the_line_break_of_the_clipboard() {
        assert_eq!(api_key("sk-abc\n").unwrap().expose_secret(), "sk-abc");
        assert_eq!(api_key(" \n").unwrap_err(), NotAKey::Empty);
        assert_eq!(api_key("sk-abc\nsk-def").unwrap_err(), NotAKey::Odd);
        assert_eq!(api_key("sk-äbc").unwrap_err(), NotAKey::Odd);
    }

    #[test]
    fn no_key_is_shown() {
        let endpoint = Endpoint::parse("https://api.openai.com/v1", false).unwrap();
        let client = OpenAiClient::new(endpoint, Some(&"sk-secret".into())).unwrap();
        assert!(!format!("{client:?} {:?}", client.headers()).contains("secret"));
    }

    #[test]
    fn refusals_are_told_apart() {
        let of = |status, code| kind(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!(of(429, Some("rate_limit_exceeded")), RefusalKind::RateLimited);
        assert_eq!(of(429, Some("insufficient_quota")), RefusalKind::Payment);
        assert_eq!(of(401, None), RefusalKind::Credentials);
        assert_eq!(of(402, None), RefusalKind::Payment);
        assert_eq!(of(503, Some("server_is_overloaded")), RefusalKind::Server);
        assert_eq!(of(400, None), RefusalKind::Request);
        assert_eq!(of(301, None), RefusalKind::NotFound);
    }
}
