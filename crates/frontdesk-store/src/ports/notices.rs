//! The ports of what operators are told: notifications, contacts, and the outbox between them.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode, Severity},
    documents::contact::{Contact, ContactSecrets},
    ids::{CompanyId, ContactId, DeliveryId, NotificationId},
    notice::{Attempt, ChannelKind, Delivery, DeliveryState},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::{Page, Rev, StoreError, Stored, WriteError};

/// Alerts of one code and company that came in a short time.
#[derive(Debug, Clone, PartialEq)]
pub struct RaisedAlert {
    /// Names this group of alerts, and becomes the notification's id if none is open.
    pub id: NotificationId,
    /// The newest alert.
    pub alert: Alert,
    /// How many there were.
    pub count: u64,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the newest came.
    pub last_at: Timestamp,
    /// Who was told already, while the store did not answer.
    pub told: Vec<Told>,
}

/// Somebody was told of an alert before it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whom.
    pub contact_id: ContactId,
    /// By which of their channels.
    pub channel_id: Arc<str>,
    /// By what.
    pub kind: ChannelKind,
    /// On which occasion, as [`NewDelivery::occasion`].
    pub occasion: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// A filter on notifications; absent parts let everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// In this state.
    pub state: Option<NotificationState>,
    /// Of this code.
    pub code: Option<AlertCode>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// About this company.
    pub company: Option<CompanyId>,
    /// The newest alert came at or after.
    pub from: Option<Timestamp>,
    /// The first alert came before.
    pub to: Option<Timestamp>,
}

/// What an operator does with a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationChange {
    /// It is seen: nobody is told any more, but of events that nobody was told of yet. Does nothing to a resolved one.
    Acknowledge,
    /// It is silent until then, and open; if it is raised after that, everybody is told anew.
    Snooze(Timestamp),
    /// It is over. Alerts that come later open a new one.
    Resolve,
    /// It is open, and everybody is told anew if it was not. A snooze ends.
    Reopen,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum NotificationChanged {
    /// It is done, or was so already.
    Done(Box<Notification>),
    /// There is no such notification.
    NotFound,
    /// It is resolved, and what is over cannot be snoozed.
    IsResolved,
    /// Another one of the same code and company is not resolved, so that this one cannot be reopened.
    AnotherIsOpen,
}

/// Stored notifications.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Adds alerts to the notification of their code and company that is not resolved, or opens one. An event opens an
    /// acknowledged one again, and a symptom one that was quiet for a day, and telling begins anew; with a condition it
    /// stays as it is. A group that is in already is not added again, so that this may be
    /// repeated when its answer was lost.
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError>;
    /// Notifications, newest first. What cannot be read is left out.
    async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: Page<NotificationId>,
    ) -> Result<Vec<Notification>, StoreError>;
    /// One notification.
    async fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError>;
    /// Those that were changed at or after `since`, in the order in which they were changed, with the times of that.
    async fn notifications_changed(
        &self,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Notification)>, StoreError>;
    /// Does with one what an operator wants.
    async fn change_notification(
        &self,
        id: NotificationId,
        change: NotificationChange,
    ) -> Result<NotificationChanged, StoreError>;
    /// A condition has ended: resolves the notification of this code and company, unless an alert came after `at`.
    /// Its id, if there was one.
    async fn resolve_open(
        &self,
        code: AlertCode,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<Option<NotificationId>, StoreError>;
}

/// A notification for which it is to be decided who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct DueNotification {
    /// The notification with its deliveries.
    pub notification: Notification,
    /// Its counter: one more with each write.
    pub rev: Rev,
    /// How often telling has begun anew.
    pub round: u32,
    /// When this round began, or begins.
    pub round_at: Timestamp,
    /// At so many alerts everybody is told again.
    pub next_count: u64,
}

/// A delivery that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// To whom.
    pub contact_id: ContactId,
    /// To which of the contact's channels.
    pub channel_id: Arc<str>,
    /// By what.
    pub kind: ChannelKind,
    /// Why; with notification, contact and channel it is delivered once.
    pub occasion: Arc<str>,
}

/// Who is told of a notification, and when to decide again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is to be sent; what is in the outbox already is left as it is.
    pub deliveries: Vec<NewDelivery>,
    /// At so many alerts it is decided again.
    pub next_count: u64,
    /// When it is decided again; none: only when something happens to the notification.
    pub due_at: Option<Timestamp>,
}

/// What is not to be taken just now: enough attempts of it are on their way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Busy {
    /// Channels of contacts.
    pub channels: Vec<(ContactId, Arc<str>)>,
    /// All channels of a kind.
    pub kinds: Vec<ChannelKind>,
}

/// A delivery that may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub contact_id: ContactId,
    /// To which of the contact's channels.
    pub channel_id: Arc<str>,
    /// By what.
    pub kind: ChannelKind,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has taken it.
    Sent,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Dead,
}

/// A filter on deliveries; absent parts let everything through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// To this contact.
    pub contact: Option<ContactId>,
}

/// The outbox: what is to be sent, was sent and could not be sent.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Notifications for which it is to be decided who is told, critical ones first. What cannot be read is left out.
    async fn due_notifications(&self, now: Timestamp, limit: usize) -> Result<Vec<DueNotification>, StoreError>;
    /// Puts into the outbox what was decided for a notification as it was at `rev`. If it has changed since, it is
    /// decided again at once.
    async fn plan(&self, id: NotificationId, rev: Rev, plan: Plan) -> Result<(), StoreError>;
    /// Pending deliveries that are due and not busy: of the most severe notifications first, of these those due longest.
    async fn due_deliveries(&self, now: Timestamp, busy: Busy, limit: usize) -> Result<Vec<DueDelivery>, StoreError>;
    /// Takes those of these deliveries that are still due and counts the try; whoever takes one has until `again` to
    /// say how it ended.
    async fn claim_deliveries(
        &self,
        ids: Vec<DeliveryId>,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Notes how an attempt ended. `false` if the delivery is gone or no longer pending.
    async fn end_delivery(&self, id: DeliveryId, attempt: Attempt, outcome: Outcome) -> Result<bool, StoreError>;
    /// Deliveries, newest first. What cannot be read is left out.
    async fn deliveries(&self, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Delivery>, StoreError>;
    /// Makes a delivery pending and due now, whatever became of it.
    async fn resend(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
}

/// A contact as it rests, its secrets unsealed.
#[derive(Debug, Clone)]
pub struct StoredContact {
    /// The canonical JSON, without secrets.
    pub document: Stored,
    /// The secrets of its channels.
    pub secrets: ContactSecrets,
}

/// A contact to be written: read, checked, its secrets merged.
#[derive(Debug, Clone)]
pub struct ContactWrite {
    /// The typed document.
    pub contact: Contact,
    /// Its canonical JSON, without secrets.
    pub json: Map<String, Value>,
    /// All secrets after the write.
    pub secrets: ContactSecrets,
}

/// Contacts, by id.
#[async_trait]
pub trait ContactStore: Send + Sync {
    /// One contact.
    async fn contact(&self, id: ContactId) -> Result<Option<StoredContact>, StoreError>;
    /// Contacts in the order of their ids. What cannot be read is left out.
    async fn contacts(&self, page: Page<ContactId>) -> Result<Vec<StoredContact>, StoreError>;
    /// Makes a contact whose id is free.
    async fn insert_contact(&self, write: ContactWrite) -> Result<Stored, WriteError>;
    /// Replaces a contact whose revision is `expected`.
    async fn replace_contact(&self, write: ContactWrite, expected: Rev) -> Result<Stored, WriteError>;
    /// Deletes a contact whose revision is `expected`. What is on its way to it is given up.
    async fn delete_contact(&self, id: ContactId, expected: Rev) -> Result<(), WriteError>;
}
