//! Who is told of a notification: one delivery for each occasion, contact and channel.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ContactId, DeliveryId, NotificationId};

/// By what a contact is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// A mail, by SMTP.
    Email,
    /// A message to an incoming webhook as Slack has them.
    Slack,
    /// A signed JSON document.
    Webhook,
}

impl ChannelKind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is still to be sent, or sent again.
    Pending,
    /// The other side has taken it.
    Sent,
    /// It was given up: too old, refused for good, or its contact is gone.
    Dead,
}

impl DeliveryState {
    /// Every state there is.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Sent, Self::Dead];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

/// One attempt to send a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// Why it failed, without addresses and secrets; null if it did not.
    pub error: Option<Arc<str>>,
}

/// A message to one channel of one contact, as it stands in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id. The other side gets it with each attempt, and so can tell that two are one.
    pub id: DeliveryId,
    /// Of which notification.
    pub notification_id: NotificationId,
    /// To whom.
    pub contact_id: ContactId,
    /// To which of the contact's channels.
    pub channel_id: Arc<str>,
    /// By what.
    pub kind: ChannelKind,
    /// Why: what happened to the notification. With notification, contact and channel it is there once.
    pub occasion: Arc<str>,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// The last attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Since when it is to be sent.
    pub created_at: Timestamp,
    /// When it is tried next; null if it is not.
    pub due_at: Option<Timestamp>,
    /// Whether a process sent it without the store, which did not answer then.
    pub direct: bool,
}

/// So many attempts of a delivery are remembered.
pub const REMEMBERED_ATTEMPTS: usize = 10;
