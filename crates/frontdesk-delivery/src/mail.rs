//! Mail, by SMTP.

use std::time::{Duration, SystemTime};

use frontdesk_domain::time::Timestamp;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{
        Mailbox, Message as Mail,
        header::{ContentType, MIME_VERSION_1_0},
    },
    transport::smtp,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time;

use crate::{channels::NotSent, message::Message};

/// What each step of a dialogue with the server waits for.
const STEP: Duration = Duration::from_secs(5);

/// All of it.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum BadMailSettings {
    /// The address of the server is none.
    #[error(
        "the URL of the mail server should be such as smtps://user:password@mail.example.com, or smtp://…?tls=required"
    )]
    Url,
    /// The sender is none.
    #[error("the sender of mails should be an address such as Frontdesk <frontdesk@example.com>")]
    From,
}

/// Sends mail through one server.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    pub(crate) fn new(url: &SecretString, from: &str) -> Result<Self, BadMailSettings> {
        // The library's own words may quote the URL, and with it the password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret());
        let transport = transport.map_err(|_| BadMailSettings::Url)?.timeout(Some(STEP)).build();
        Ok(Self {
            transport,
            from: from.parse().map_err(|_| BadMailSettings::From)?,
        })
    }

    pub(crate) async fn send(&self, to: &str, message: &Message, at: Timestamp) -> Result<(), NotSent> {
        let mail = self.mail(to, message, at).map_err(|reason| NotSent {
            reason: reason.to_owned(),
            is_final: true,
        })?;
        match time::timeout(DEADLINE, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NotSent {
                reason: reason(&error),
                is_final: error.is_permanent(),
            }),
            Err(_) => Err(NotSent::later(format!(
                "the mail server did not answer within {DEADLINE:?}"
            ))),
        }
    }

    fn mail(&self, to: &str, message: &Message, at: Timestamp) -> Result<Mail, &'static str> {
        let to: Mailbox = to.parse().map_err(|_| "its address is none")?;
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        Mail::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.subject())
            .message_id(Some(id))
            .date(sent_at(at))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(message.text())
            .map_err(|_| "the mail cannot be written")
    }
}

/// The time as mails have it.
fn sent_at(at: Timestamp) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default());
    SystemTime::UNIX_EPOCH + since
}

/// What went wrong, without what the server says: it quotes addresses.
fn reason(error: &smtp::Error) -> String {
    if let Some(code) = error.status() {
        format!("the mail server answered {code}")
    } else if error.is_timeout() {
        "the mail server is late".to_owned()
    } else if error.is_tls() {
        "the mail server has no valid certificate".to_owned()
    } else {
        "the mail server cannot be reached, or broke off".to_owned()
    }
}
