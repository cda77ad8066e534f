//! Posts webhooks as Twilio does: signed, with its patience, its retries and its fallback.

mod overrides;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    fmt::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use http::header;
use http_body_util::Full;
use hyper::body::Bytes;
use sha1::{Digest as _, Sha1};

use crate::{
    address::resolve,
    code::{Code, Fault},
    document::{self, Method},
    executor::{Answer, Request},
    form::Form,
    signature,
};
pub use overrides::{Overrides, Policy};
pub use wire::Reply;
use wire::{Lost, Patience, Wire};

/// How many redirections by HTTP Twilio follows.
const REDIRECTIONS: usize = 10;

/// The pause before the second retry; each later one is twice as long. Twilio does not publish its own.
const PAUSE: Duration = Duration::from_millis(200);

/// The way to the server.
#[derive(Debug)]
pub struct Network {
    /// The URL under which the server believes to be reached: scheme and host.
    public_url: String,
    /// Where it listens: host and port.
    authority: String,
    wire: Wire,
}

/// A webhook that was posted, and what came of it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The last answer.
    pub reply: Result<Reply, Fault>,
    /// The URL that gave it.
    pub url: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How long it took, all attempts together.
    pub took: Duration,
}

/// What Twilio does when a webhook has no good answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fallback {
    /// It ends the call.
    #[default]
    None,
    /// It asks this URL.
    Url(String),
    /// It asks a static host that serves this file.
    File(PathBuf),
}

/// A document that was asked for.
#[derive(Debug)]
pub struct Asked {
    /// What the call goes on with.
    pub answer: Result<Answer, Fault>,
    /// What the first URL gave.
    pub delivery: Delivery,
    /// Why the fallback had to be asked, if it had.
    pub fault: Option<Fault>,
}

/// Where the files of exported fallback documents are served: their paths follow. A document there may lead to others
/// beside it.
const STATIC_HOST: &str = "https://fallback.invalid/";

/// What a static host answers.
fn static_file(path: &str) -> Result<Reply, Fault> {
    match std::fs::read(path) {
        Ok(body) => Ok(Reply {
            status: 200,
            content_type: Some("text/xml".to_owned()),
            location: None,
            body,
        }),
        Err(error) => {
            let why = format!("the fallback document {path} cannot be read: {error}");
            Err(Fault::new(Code::Retrieval, why))
        }
    }
}

impl Network {
    /// A way to a server that believes to be reached as `public_url` and listens at `authority` (host and port).
    #[must_use]
    pub fn new(public_url: &str, authority: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            authority: authority.to_owned(),
            wire: Wire::default(),
        }
    }

    /// The server's public URL, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Asks for a document, at the fallback too.
    pub async fn ask(&self, request: &Request, token: Option<&str>, fallback: &Fallback) -> Asked {
        let delivery = self.deliver(request, token).await;
        let mut took = delivery.took;
        let fault = match read(&delivery.reply) {
            Ok(document) => {
                let answer = Answer {
                    document,
                    url: delivery.url.clone(),
                    took,
                };
                return Asked {
                    answer: Ok(answer),
                    delivery,
                    fault: None,
                };
            }
            Err(fault) => fault,
        };
        let (url, _) = Overrides::of_url(&request.url);
        let mut again = request.clone();
        again.form.set("ErrorCode", &fault.code.number().to_string());
        again.form.set("ErrorUrl", url);
        let rescued = match fallback {
            Fallback::None => Err(fault.clone()),
            Fallback::Url(url) => {
                again.url.clone_from(url);
                let second = self.deliver(&again, token).await;
                took += second.took;
                read(&second.reply).map(|document| (document, second.url))
            }
            Fallback::File(path) => {
                let url = format!("{STATIC_HOST}{}", path.display());
                read(&static_file(&path.display().to_string())).map(|document| (document, url))
            }
        };
        let answer = rescued.map(|(document, url)| Answer { document, url, took });
        Asked {
            answer,
            delivery,
            fault: Some(fault),
        }
    }

    /// Posts a webhook, as often as its URL says, and follows redirections.
    pub async fn deliver(&self, request: &Request, token: Option<&str>) -> Delivery {
        let began = Instant::now();
        let (url, overrides) = Overrides::of_url(&request.url);
        if let Some(path) = url.strip_prefix(STATIC_HOST) {
            return Delivery {
                reply: static_file(path),
                url: url.to_owned(),
                attempts: 1,
                took: began.elapsed(),
            };
        }
        let mut url = url.to_owned();
        let mut attempts = 0;
        let mut method = request.method;
        let mut form = request.form.clone();
        for _ in 0..=REDIRECTIONS {
            let (reply, tried) = self.try_often(&url, method, &form, token, overrides, began).await;
            attempts += tried;
            let onward = match &reply {
                Ok(Reply {
                    status: 301 | 302 | 303 | 307 | 308,
                    location: Some(location),
                    ..
                }) => resolve(&url, location),
                _ => {
                    return Delivery {
                        reply,
                        url,
                        attempts,
                        took: began.elapsed(),
                    };
                }
            };
            url = onward;
            // What had been posted is lost on the way.
            method = Method::Get;
            form = Form::default();
        }
        Delivery {
            reply: Err(Fault::new(Code::Redirects, url.clone())),
            url,
            attempts,
            took: began.elapsed(),
        }
    }

    async fn try_often(
        &self,
        url: &str,
        method: Method,
        form: &Form,
        token: Option<&str>,
        overrides: Overrides,
        began: Instant,
    ) -> (Result<Reply, Fault>, u32) {
        let mut pause = PAUSE;
        let mut tried = 0;
        loop {
            let left = overrides.total.saturating_sub(began.elapsed());
            let patience = Patience {
                connect: overrides.connect,
                read: overrides.read,
                total: left,
            };
            let reply = self.try_once(url, method, form, token, patience).await;
            tried += 1;
            let policy = overrides.policy;
            let (again, reply) = match reply {
                Ok(reply) => {
                    let again = match reply.status {
                        400..500 => policy.client_error,
                        500..600 => policy.server_error,
                        _ => false,
                    };
                    (again, Ok(reply))
                }
                Err(Lost::NotConnected(why)) => (policy.connect, Err(Fault::new(Code::Connection, why))),
                Err(Lost::Late) => (policy.read, Err(Fault::new(Code::Retrieval, "no answer in time"))),
                Err(Lost::Cut(why)) => (policy.read, Err(Fault::new(Code::Connection, why))),
                Err(Lost::NoHttp(why)) => (policy.read, Err(Fault::new(Code::Protocol, why))),
            };
            let has_time = began.elapsed() + pause < overrides.total;
            if !again || tried > overrides.retries || !has_time {
                return (reply, tried);
            }
            if tried > 1 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }

    async fn try_once(
        &self,
        url: &str,
        method: Method,
        form: &Form,
        token: Option<&str>,
        patience: Patience,
    ) -> Result<Reply, Lost> {
        let mut url = url.to_owned();
        let mut body = String::new();
        let parameters = form.encode();
        match method {
            Method::Post => body = parameters,
            Method::Get if parameters.is_empty() => {}
            Method::Get => {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&parameters);
            }
        }
        let Some((authority, host, target)) = self.way_to(&url) else {
            return Err(Lost::NotConnected(format!("there is no way to {url}")));
        };
        let mut request = http::Request::builder()
            .method(method.name())
            .uri(target)
            .header(header::HOST, host)
            .header(header::USER_AGENT, "TwilioProxy/1.1")
            .header(header::ACCEPT, "*/*")
            .header("i-twilio-idempotency-token", idempotency_token(&url, form));
        if method == Method::Post {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8");
        }
        if let Some(token) = token {
            let empty = Form::default();
            let signed = if method == Method::Post { form } else { &empty };
            request = request.header(signature::HEADER, signature::sign(token, &url, signed));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Lost::NotConnected(error.to_string()))?;
        self.wire.exchange(authority, request, patience).await
    }

    /// Reads something else than a document from the server, without signing.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Result<Reply, Fault> {
        let host = self.public_url.split_once("://").map_or("", |(_, host)| host);
        let mut request = http::Request::builder().uri(target).header(header::HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::new()))
            .map_err(|error| Fault::new(Code::BadUrl, error.to_string()))?;
        let patience = Patience {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            total: Duration::from_secs(30),
        };
        let reply = self.wire.exchange(&self.authority, request, patience).await;
        reply.map_err(|lost| Fault::new(Code::Connection, format!("{lost:?}")))
    }

    /// Where to connect for this URL, and host and target of the request.
    fn way_to<'a>(&'a self, url: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let target = |rest: &'a str| if rest.is_empty() { "/" } else { rest };
        if let Some(rest) = url.strip_prefix(&self.public_url)
            && (rest.is_empty() || rest.starts_with(['/', '?']))
        {
            let host = self.public_url.split_once("://").map_or("", |(_, host)| host);
            return Some((&self.authority, host, target(rest)));
        }
        // Other servers are reached only on this machine, and without TLS.
        let rest = url.strip_prefix("http://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let is_here = authority.starts_with("127.0.0.1:") || authority.starts_with("localhost:");
        is_here.then(|| (authority, authority, target(rest)))
    }
}

/// The same for the same webhook, however often it is sent.
fn idempotency_token(url: &str, form: &Form) -> String {
    let hash = Sha1::digest(format!("{url} {}", form.encode()));
    let mut token = String::with_capacity(36);
    for (number, byte) in hash.iter().take(16).enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            token.push('-');
        }
        // Writing to a text cannot fail.
        _ = write!(token, "{byte:02x}");
    }
    token
}

fn read(reply: &Result<Reply, Fault>) -> Result<document::Document, Fault> {
    match reply {
        Ok(reply) => document::read(reply.status, reply.content_type.as_deref(), &reply.body),
        Err(fault) => Err(fault.clone()),
    }
}
