//! Contacts: who is told of notifications, of which ones, when and by what (ADR 0015).

use std::{collections::BTreeMap, fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Fault, Faults, Mode, Parsed,
    company::Change,
    reader::{
        Reader, parse,
        shapes::{boolean, checked, choice, integer, line, list, object, parsed, slug},
    },
};
use crate::{
    address::{Reach, webhook_url},
    alert::Severity,
    ids::{CompanyId, ContactId},
    notice::ChannelKind,
};

/// Somebody who is told of notifications.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// What people call it.
    pub name: Arc<str>,
    /// Whether it is told of anything.
    pub enabled: bool,
    /// It is told of what is as urgent, or more.
    pub min_severity: Severity,
    /// It is told of these companies; none: of all, and of what concerns no company.
    pub companies: Option<Vec<CompanyId>>,
    /// By what it is reached.
    pub channels: Vec<Channel>,
    /// When it is told, as long as nobody has acknowledged.
    pub escalation: Vec<Step>,
}

/// A way to reach a contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name, unique within the contact.
    pub id: Arc<str>,
    /// Where it leads.
    pub target: Target,
}

/// Where a channel leads.
#[derive(Clone, PartialEq)]
pub enum Target {
    /// To a mailbox.
    Email(Arc<str>),
    /// To an incoming webhook as Slack has them.
    Slack(Url),
    /// To a webhook that gets signed JSON.
    Webhook(Url),
}

impl Target {
    /// Of which kind it is.
    #[must_use]
    pub const fn kind(&self) -> ChannelKind {
        match self {
            Self::Email(_) => ChannelKind::Email,
            Self::Slack(_) => ChannelKind::Slack,
            Self::Webhook(_) => ChannelKind::Webhook,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows the URL may post there, and addresses are people's.
        write!(f, "{:?}(…)", self.kind())
    }
}

/// One step of telling a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// So many minutes after the notification was opened, if nobody has acknowledged it.
    pub after_minutes: u32,
    /// By these channels; none: by all.
    pub channels: Option<Vec<Arc<str>>>,
}

impl Contact {
    /// Whether it is told of notifications of this severity about this company.
    #[must_use]
    pub fn is_for(&self, severity: Severity, company: Option<CompanyId>) -> bool {
        let concerns = self
            .companies
            .as_ref()
            .is_none_or(|companies| company.is_some_and(|company| companies.contains(&company)));
        self.enabled && severity >= self.min_severity && concerns
    }

    /// The channels of a step.
    pub fn channels_of(&self, step: &Step) -> impl Iterator<Item = &Channel> {
        let is_meant = |channel: &&Channel| step.channels.as_ref().is_none_or(|ids| ids.contains(&channel.id));
        self.channels.iter().filter(is_meant)
    }

    /// Reads a contact document.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, mode: Mode<'_>, reach: Reach) -> Result<Parsed<ContactDocument>, Faults> {
        parse(document, mode, |doc| contact(doc, reach))
    }
}

/// The secrets of a contact's channels, by the channels' ids. `Debug` shows none.
#[derive(Clone, Default)]
pub struct ContactSecrets(pub BTreeMap<Arc<str>, SecretString>);

/// The bytes are not those of [`ContactSecrets::to_bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no contact's secrets")]
pub struct NotSecrets;

impl ContactSecrets {
    /// The secret of a channel.
    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&SecretString> {
        self.0.get(channel)
    }

    /// The form in which they are sealed. The bytes are in clear: seal them at once.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let plain: BTreeMap<&str, &str> = self
            .0
            .iter()
            .map(|(id, secret)| (&**id, secret.expose_secret()))
            .collect();
        Zeroizing::new(serde_json::to_vec(&plain).unwrap_or_default())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotSecrets> {
        let plain: BTreeMap<String, String> = serde_json::from_slice(bytes).map_err(|_| NotSecrets)?;
        let secrets = plain.into_iter().map(|(id, secret)| (id.into(), secret.into()));
        Ok(Self(secrets.collect()))
    }

    /// Marks in a contact's JSON which channels have a secret: `secretSet`.
    pub fn mark(&self, contact: &mut Map<String, Value>) {
        let channels = contact.get_mut("channels").and_then(Value::as_array_mut);
        for channel in channels.into_iter().flatten().filter_map(Value::as_object_mut) {
            let is_set = channel
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| self.0.contains_key(id));
            channel.insert("secretSet".into(), is_set.into());
        }
    }
}

impl fmt::Debug for ContactSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A contact as a document says it.
#[derive(Debug, Clone)]
pub struct ContactDocument {
    /// The contact.
    pub contact: Contact,
    secrets: Vec<Change>,
}

impl PartialEq for ContactDocument {
    fn eq(&self, other: &Self) -> bool {
        self.contact == other.contact
    }
}

impl ContactDocument {
    /// The contact and its secrets after the change.
    ///
    /// # Errors
    /// A webhook that has no secret.
    pub fn apply(self, old: &ContactSecrets) -> Result<(Contact, ContactSecrets), Faults> {
        let mut secrets = BTreeMap::new();
        let mut faults = Vec::new();
        let said = self.secrets.into_iter().enumerate();
        for ((index, change), channel) in said.zip(&self.contact.channels) {
            if channel.target.kind() != ChannelKind::Webhook {
                continue;
            }
            let secret = match change {
                Change::Keep => old.get(&channel.id).cloned(),
                Change::Remove => None,
                Change::Set(secret) => Some(secret),
            };
            match secret {
                Some(secret) => _ = secrets.insert(Arc::clone(&channel.id), secret),
                None => faults.push(Fault {
                    pointer: format!("/channels/{index}/secret"),
                    detail: "is missing; what a webhook gets is signed with it: `openssl rand -hex 32`".to_owned(),
                }),
            }
        }
        if faults.is_empty() {
            Ok((self.contact, ContactSecrets(secrets)))
        } else {
            Err(Faults(faults))
        }
    }
}

const SEVERITIES: &[(&str, Severity)] = &[
    ("INFO", Severity::Info),
    ("WARNING", Severity::Warning),
    ("CRITICAL", Severity::Critical),
];

const KINDS: &[(&str, ChannelKind)] = &[
    ("email", ChannelKind::Email),
    ("slack", ChannelKind::Slack),
    ("webhook", ChannelKind::Webhook),
];

fn contact(doc: &mut Reader<'_, '_>, reach: Reach) -> Option<ContactDocument> {
    let id = doc.required("id", parsed("an id of 24 hexadecimal digits"));
    let name = doc.required("name", line(1..=200));
    let enabled = doc.or("enabled", true, boolean);
    let min_severity = doc.or("minSeverity", "WARNING", choice(SEVERITIES));
    let companies = doc.optional("companies", list(1..=10_000, parsed("the id of a company")));
    let channels = doc.required("channels", list(1..=20, object(|doc| channel(doc, reach))));
    let at_once = json!([{ "afterMinutes": 0, "channels": null }]);
    let escalation = doc.or("escalation", at_once, list(1..=20, object(step)));
    doc.ignored("rev");
    doc.server_time("createdAt");
    doc.server_time("updatedAt");
    let (channels, secrets): (Vec<Channel>, Vec<Change>) = channels?.into_iter().unzip();
    for (index, channel) in channels.iter().enumerate() {
        if channels.iter().take(index).any(|earlier| earlier.id == channel.id) {
            let detail = format!("repeats \"{}\" of another channel; it should be unique", channel.id);
            doc.place.fault_below(&format!("/channels/{index}/id"), detail);
        }
    }
    let escalation = escalation?;
    for (at, step) in escalation.iter().enumerate() {
        for (index, id) in step.channels.iter().flatten().enumerate() {
            if !channels.iter().any(|channel| channel.id == *id) {
                let detail = format!("names no channel of this contact: there is no `{id}` in `channels`");
                let pointer = format!("/escalation/{at}/channels/{index}");
                doc.place.fault_below(&pointer, detail);
            }
        }
    }
    Some(ContactDocument {
        contact: Contact {
            id: id?,
            name: name?,
            enabled: enabled?,
            min_severity: min_severity?,
            companies,
            channels,
            escalation,
        },
        secrets,
    })
}

fn channel(doc: &mut Reader<'_, '_>, reach: Reach) -> Option<(Channel, Change)> {
    doc.holds_secrets();
    let kind = doc.required("kind", choice(KINDS));
    let id = doc.or(
        "id",
        kind.map_or("channel", ChannelKind::as_str),
        slug(|text: &str| Arc::<str>::from(text)),
    );
    let secret = doc.secret("secret");
    doc.ignored("secretSet");
    let url = checked(
        "a URL such as \"https://hooks.example.com/frontdesk\"",
        move |text: &str| webhook_url(text, reach),
    );
    let target = match kind? {
        ChannelKind::Email => {
            belongs_elsewhere(doc, "url", "slack and webhook");
            Target::Email(doc.required("address", checked("a mail address", mail_address))?)
        }
        ChannelKind::Slack => {
            belongs_elsewhere(doc, "address", "email");
            Target::Slack(doc.required("url", url)?)
        }
        ChannelKind::Webhook => {
            belongs_elsewhere(doc, "address", "email");
            Target::Webhook(doc.required("url", url)?)
        }
    };
    if target.kind() != ChannelKind::Webhook && matches!(secret, Change::Set(_)) {
        doc.place
            .fault_below("/secret", "belongs to channels of the kind webhook; leave it out");
    }
    Some((Channel { id: id?, target }, secret))
}

/// Refuses a field that channels of another kind have.
fn belongs_elsewhere(doc: &mut Reader<'_, '_>, name: &'static str, kinds: &str) {
    doc.ignored(name);
    if doc.raw(name).is_some_and(|value| !value.is_null()) {
        let detail = format!("belongs to channels of the kind {kinds}; leave it out");
        doc.place.fault_below(&format!("/{name}"), detail);
    }
}

fn step(doc: &mut Reader<'_, '_>) -> Option<Step> {
    // A week.
    let after_minutes = doc.required("afterMinutes", integer(0..=10_080));
    let channels = doc.optional("channels", list(1..=20, slug(|text: &str| Arc::<str>::from(text))));
    Some(Step {
        after_minutes: after_minutes?,
        channels,
    })
}

/// The addresses that SMTP servers take without quotes (RFC 5321, dot-string at a domain).
fn mail_address(text: &str) -> Result<Arc<str>, &'static str> {
    const SHOULD: &str = "should be a mail address such as \"oncall@example.com\"";
    let (local, domain) = text.rsplit_once('@').ok_or(SHOULD)?;
    let is_atom = |letter: u8| letter.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&letter);
    let is_local = (1..=64).contains(&local.len())
        && local.bytes().all(is_atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = domain.len() <= 253 && domain.split('.').all(is_label);
    if is_local && is_domain {
        Ok(text.into())
    } else {
        Err(SHOULD)
    }
}

#[cfg(test)]
mod tests;
