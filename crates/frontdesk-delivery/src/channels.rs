//! The ways to a contact.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use frontdesk_domain::{
    address::Reach,
    clock::Clock,
    documents::contact::{Channel, Target},
    notice::ChannelKind,
};
use secrecy::SecretString;

pub use crate::{
    guard::{Lookup, system},
    mail::BadMailSettings,
    message::Message,
};
use crate::{mail::Mailer, posts::Poster};

/// Why a message was not taken. Names no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotSent {
    /// In words.
    pub reason: String,
    /// Whether another attempt is in vain.
    pub is_final: bool,
}

impl NotSent {
    /// It may go better later.
    pub(crate) fn later(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: false,
        }
    }
}

/// The mail server.
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// Its URL, with user and password.
    pub url: SecretString,
    /// Who sends.
    pub from: Arc<str>,
}

/// How contacts are reached.
#[derive(Debug, Clone, Default)]
pub struct ChannelsOptions {
    /// Without one, no mail is sent.
    pub mail: Option<MailOptions>,
    /// Where webhooks may be.
    pub reach: Reach,
}

/// Why no message can be sent.
#[derive(Debug, thiserror::Error)]
pub enum BadChannels {
    /// The settings of the mail server are wrong.
    #[error(transparent)]
    Mail(#[from] BadMailSettings),
    /// This machine makes no TLS connections.
    #[error("this machine cannot make TLS connections")]
    NoTls(#[from] reqwest::Error),
}

/// Whether these settings can be those of a mail server. Connects to nothing.
///
/// # Errors
/// What is wrong with them.
pub fn check_mail(options: &MailOptions) -> Result<(), BadMailSettings> {
    Mailer::new(&options.url, &options.from).map(drop)
}

/// Sends messages to channels.
pub struct Channels {
    mailer: Option<Mailer>,
    poster: Poster,
    clock: Arc<dyn Clock>,
    /// Messages by [`KINDS`]: those that were taken, and those that were not.
    counts: [[AtomicU64; 2]; KINDS.len()],
}

/// The ways that are counted.
const KINDS: [ChannelKind; 3] = [ChannelKind::Email, ChannelKind::Slack, ChannelKind::Webhook];

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").finish_non_exhaustive()
    }
}

impl Channels {
    /// Ways to contacts; connects to nothing yet.
    ///
    /// # Errors
    /// The settings of the mail server are wrong, or this machine has no root certificates.
    pub fn new(options: &ChannelsOptions, lookup: Lookup, clock: Arc<dyn Clock>) -> Result<Self, BadChannels> {
        let mail = options.mail.as_ref();
        Ok(Self {
            poster: Poster::new(options.reach, lookup)?,
            mailer: mail.map(|mail| Mailer::new(&mail.url, &mail.from)).transpose()?,
            clock,
            counts: Default::default(),
        })
    }

    /// How many messages went each way so far: kind, `sent` or `failed`, count. An attempt counts.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        KINDS.iter().zip(&self.counts).flat_map(|(kind, [sent, failed])| {
            [("sent", sent), ("failed", failed)]
                .map(|(result, count)| (kind.as_str(), result, count.load(Ordering::Relaxed)))
        })
    }

    /// Sends a message. Ends within ten seconds.
    ///
    /// # Errors
    /// The other side did not take it.
    pub async fn send(
        &self,
        channel: &Channel,
        secret: Option<&SecretString>,
        message: &Message,
    ) -> Result<(), NotSent> {
        let sent = self.send_to(&channel.target, secret, message).await;
        let kind = channel.target.kind();
        if let Some((_, [taken, failed])) = KINDS.iter().zip(&self.counts).find(|(known, _)| **known == kind) {
            let count = if sent.is_ok() { taken } else { failed };
            count.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }

    async fn send_to(&self, target: &Target, secret: Option<&SecretString>, message: &Message) -> Result<(), NotSent> {
        let now = self.clock.now();
        match target {
            Target::Email(to) => match &self.mailer {
                Some(mailer) => mailer.send(to, message, now).await,
                None => Err(NotSent::later("no mail server is set: FRONTDESK_SMTP__URL")),
            },
            Target::Slack(url) => {
                let body = message.slack().to_string().into_bytes();
                self.poster.post(url, message, body, None, now).await
            }
            Target::Webhook(url) => {
                let body = message.json(now).to_string().into_bytes();
                self.poster.post(url, message, body, secret, now).await
            }
        }
    }
}
