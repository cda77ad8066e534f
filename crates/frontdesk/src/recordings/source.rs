//! Where recordings are: Twilio's API.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_store::ports::Audio;
use frontdesk_twilio::recording::is_at_twilio;
use http::{StatusCode, header};
use reqwest::{Client, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};

/// A recording has at most so many bytes: at 8 kHz and 16 bits more than 20 minutes.
pub const MAX_BYTES: usize = 20_000_000;

/// A fetch takes at most so long.
const DEADLINE: Duration = Duration::from_secs(30);

/// A connection takes at most so long.
const CONNECT: Duration = Duration::from_secs(10);

/// So many redirections within one host are followed.
const REDIRECTIONS: usize = 3;

/// Opens the recordings of an account.
#[derive(Debug, Clone)]
pub struct Login {
    /// The account's id.
    pub account: Arc<str>,
    /// Its auth token.
    pub token: SecretString,
}

/// Why a recording was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its address is not at Twilio's API.
    #[error("it is not at Twilio's API")]
    Elsewhere,
    /// It is too large to be kept.
    #[error("it has more than {} MB", MAX_BYTES / 1_000_000)]
    TooLarge,
    /// The answer is no recording: refused, not there yet, or sent to another host.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// The answer is something else than audio.
    #[error("the answer was no audio but `{0}`")]
    NotAudio(String),
    /// No answer, or not a whole one.
    #[error("there was no whole answer")]
    Unanswered(#[source] reqwest::Error),
    /// Nothing can be fetched at all, for example because this machine has no root certificates.
    #[error("this machine cannot make TLS connections")]
    NoTls(#[source] reqwest::Error),
}

impl FetchError {
    /// Whether trying again cannot help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Elsewhere | Self::TooLarge)
    }
}

/// Fetches recordings.
#[async_trait]
pub trait RecordingSource: Send + Sync {
    /// Fetches the audio of the recording at `url`, as its webhook named it.
    async fn fetch(&self, url: &str, login: Option<&Login>) -> Result<Audio, FetchError>;
}

/// Whether an address may be fetched.
type Rule = fn(&Url) -> bool;

/// Recordings at Twilio's API.
#[derive(Debug)]
pub struct TwilioRecordings {
    /// Made when it is first needed: it reads the machine's root certificates.
    client: OnceLock<Client>,
    is_allowed: Rule,
}

impl Default for TwilioRecordings {
    fn default() -> Self {
        Self::new()
    }
}

impl TwilioRecordings {
    /// Fetches from Twilio's API and nowhere else.
    #[must_use]
    pub const fn new() -> Self {
        // What is looked at is the address as it was read, which is what is fetched.
        Self::with_rule(|url| is_at_twilio(url.as_str()))
    }

    /// Fetches what the rule allows.
    pub(super) const fn with_rule(is_allowed: Rule) -> Self {
        Self {
            client: OnceLock::new(),
            is_allowed,
        }
    }

    fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Fails if there is one already, which is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::custom(stay_at_the_host))
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .build()
            .map_err(FetchError::NoTls)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Where the audio of a recording is, if it may be fetched.
    fn address(&self, url: &str) -> Option<Url> {
        let mut url = Url::parse(url).ok().filter(self.is_allowed)?;
        let path = url.path();
        let extension = path.rsplit_once('.').map(|(_, extension)| extension);
        if !matches!(extension, Some("mp3" | "wav")) {
            let path = format!("{path}.mp3");
            url.set_path(&path);
        }
        Some(url)
    }
}

/// The answer itself is given when it leads to another host: the login is for this one alone.
fn stay_at_the_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous();
    let stays = from.last().is_some_and(|from| from.origin() == attempt.url().origin());
    if stays && from.len() <= REDIRECTIONS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

#[async_trait]
impl RecordingSource for TwilioRecordings {
    async fn fetch(&self, url: &str, login: Option<&Login>) -> Result<Audio, FetchError> {
        let unanswered = |error: reqwest::Error| FetchError::Unanswered(error.without_url());
        let url = self.address(url).ok_or(FetchError::Elsewhere)?;
        let mut request = self.client()?.get(url);
        if let Some(Login { account, token }) = login {
            request = request.basic_auth(account, Some(token.expose_secret()));
        }
        let mut answer = request.send().await.map_err(unanswered)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type: Arc<str> = content_type
            .and_then(|text| text.to_str().ok())
            .unwrap_or_default()
            .into();
        if !content_type.starts_with("audio/") {
            return Err(FetchError::NotAudio(content_type.chars().take(100).collect()));
        }
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unanswered)? {
            // The announced length may be wrong or absent; what comes is counted.
            if bytes.len() + part.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Audio { content_type, bytes })
    }
}
