//! The one provider that there is: an OpenAI-compatible server over HTTP.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::{
    completion::Completion,
    endpoint::Endpoint,
    provider::{Asked, Cut, Outcome, Probed, Progress, Provider, Refusal},
    refusal,
};

/// A response has at most so many bytes. A choice has about one KiB.
pub const MAX_BYTES: usize = 256 * 1024;

/// A connection takes at most so long; after that nothing was sent, which is worth knowing before a request's deadline.
const CONNECT: Duration = Duration::from_secs(2);

/// So long an idle connection is kept: shorter than most servers keep theirs, so that they do not close it under a request.
const IDLE: Duration = Duration::from_secs(55);

/// A peer that vanished is noticed on a kept connection.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// An error's body is waited for at most so long: its status has said the most.
const ERROR_BODY: Duration = Duration::from_millis(500);

/// Asks an OpenAI-compatible server: `POST {base}/chat/completions`, `GET {base}/models`.
///
/// Connections are kept. No redirection is followed, no proxy of the environment is used, nothing is sent twice.
pub struct OpenAiCompatible {
    client: Client,
    endpoint: Endpoint,
    key: Option<SecretString>,
}

/// This machine cannot make TLS connections, for example because it has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot make TLS connections")]
pub struct NoTls(#[source] reqwest::Error);

impl OpenAiCompatible {
    /// Asks the server at this endpoint with this key, if it needs one. Connects to nothing yet.
    ///
    /// # Errors
    /// The endpoint speaks TLS and this machine has no root certificates.
    pub fn new(endpoint: Endpoint, key: Option<SecretString>) -> Result<Self, NoTls> {
        // Fails if there is one already, which is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(KEEPALIVE);
        if !endpoint.is_https() {
            // Without TLS no root certificate is needed, and this machine may have none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(NoTls)?;
        Ok(Self { client, endpoint, key })
    }

    /// Adds the key, marked as sensitive.
    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    /// Sends a request and waits for the head of its response, which may be an error's.
    async fn head(&self, request: RequestBuilder, deadline: Instant) -> Result<Response, Outcome> {
        if deadline <= Instant::now() {
            return Err(Outcome::NotConnected("no time was left".to_owned()));
        }
        match timeout_at(deadline, self.with_key(request).send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() || error.is_builder() => Err(Outcome::NotConnected(cause(error))),
            Ok(Err(error)) => Err(Outcome::Cut(Cut::Broken(cause(error)))),
            Err(_) => Err(Outcome::Cut(Cut::TimedOut)),
        }
    }

    /// What a response is, once it is whole.
    async fn outcome(&self, response: Response, deadline: Instant) -> Outcome {
        if !response.status().is_success() {
            return Outcome::Refused(self.refusal(response, deadline).await);
        }
        match body(response, deadline).await {
            Ok(body) => match Completion::parse(&body) {
                Ok(completion) => Outcome::Answered(completion),
                Err(_) => Outcome::Cut(Cut::NotJson),
            },
            Err(cut) => Outcome::Cut(cut),
        }
    }

    /// An error. Its status counts, whatever becomes of its body.
    async fn refusal(&self, response: Response, deadline: Instant) -> Refusal {
        let (status, headers) = (response.status(), response.headers().clone());
        let deadline = deadline.min(Instant::now() + ERROR_BODY);
        let body = body(response, deadline).await.unwrap_or_default();
        let mut refusal = refusal::read(status, &headers, &body);
        // The code comes from outside and is logged: a server that repeats the key there is not.
        refusal.code = refusal.code.filter(|code| !self.is_of_the_key(code));
        refusal
    }

    /// Whether a text holds the key, or a part of it that would be worth hiding.
    fn is_of_the_key(&self, text: &str) -> bool {
        self.key.as_ref().is_some_and(|key| {
            let key = key.expose_secret();
            text.contains(key) || (text.len() >= 8 && key.contains(text))
        })
    }
}

#[async_trait]
impl Provider for OpenAiCompatible {
    async fn ask(&self, body: Bytes, deadline: Instant, progress: &Progress) -> Asked {
        let begun = Instant::now();
        let request = self
            .client
            .post(self.endpoint.completions())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(body);
        let (outcome, first_byte) = match self.head(request, deadline).await {
            Ok(response) => {
                progress.begin();
                let first_byte = begun.elapsed();
                (self.outcome(response, deadline).await, Some(first_byte))
            }
            Err(outcome) => (outcome, None),
        };
        Asked {
            outcome,
            took: begun.elapsed(),
            first_byte,
        }
    }

    async fn probe(&self, deadline: Instant) -> Probed {
        let begun = Instant::now();
        let request = self.client.get(self.endpoint.models());
        let response = match self.head(request, deadline).await {
            Ok(response) => response,
            Err(outcome) => return Probed::Failed(outcome),
        };
        let no_list = [
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::NOT_IMPLEMENTED,
        ];
        if no_list.contains(&response.status()) {
            return Probed::NotOffered;
        }
        if !response.status().is_success() {
            return Probed::Failed(Outcome::Refused(self.refusal(response, deadline).await));
        }
        // Read to its end, so that the connection can be kept; some lists are longer than an answer may be.
        match body(response, deadline).await {
            Ok(_) | Err(Cut::TooLarge) => Probed::Free { took: begun.elapsed() },
            Err(cut) => Probed::Failed(Outcome::Cut(cut)),
        }
    }

    fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }
}

impl fmt::Debug for OpenAiCompatible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenAiCompatible")
            .field("endpoint", &self.endpoint)
            .field("has_key", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

/// The whole body, if it comes in time and is not too large.
async fn body(response: Response, deadline: Instant) -> Result<Vec<u8>, Cut> {
    match timeout_at(deadline, collected(response)).await {
        Ok(body) => body,
        Err(_) => Err(Cut::TimedOut),
    }
}

async fn collected(mut response: Response) -> Result<Vec<u8>, Cut> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| Cut::Broken(cause(error)))? {
        // The announced length may be wrong or absent; what comes is counted.
        if body.len() + part.len() > MAX_BYTES {
            return Err(Cut::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// The innermost cause of an error, which names no URL and no header.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
