//! Decides whom to tell, and tells them: the work of one process for all, and of each while the store is away.

use std::{collections::HashSet, error::Error, fmt, sync::Arc, time::Duration};

use frontdesk_domain::{
    alert::AlertCode,
    clock::Clock,
    ids::{CompanyId, DeliveryId},
    notice::{Attempt, Delivery},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::{
    leader::Leadership,
    ports::{Backend, Outcome, RaisedAlert, StoreError, Told},
    queue::AlertQueue,
    system::ObjectIds,
    tasks::{Stopping, TaskSet},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};
use tracing::{error, info, warn};

use crate::{
    book::{Book, Known},
    channels::{Channels, Message, NotSent},
    plan::plan,
};

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(300);

/// So many notifications are decided at once.
const DECIDED: usize = 200;

/// So many messages are on their way at once: one that hangs holds up no other.
const SENDERS: usize = 16;

/// Whoever has taken a delivery has so long to say how it went: longer than an attempt takes.
const HELD: Duration = Duration::from_secs(30);

/// What could not be sent for so long is given up.
const GIVE_UP: Duration = Duration::from_hours(24);

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Alerts that could not be stored for so long are told without the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whom it could not tell without the store is tried again after that.
const AGAIN: Duration = Duration::from_secs(10);

/// Without the store, so many kinds of alerts are told of at most.
const DIRECT: usize = 200;

/// What is the same in all messages.
#[derive(Debug, Clone, Default)]
pub struct Letterhead {
    /// Where the server is reached.
    pub public_url: String,
    /// Whom to ask.
    pub support_contact: Option<String>,
}

/// Tells contacts of notifications.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    store: Arc<dyn Backend>,
    book: Book,
    channels: Arc<Channels>,
    clock: Arc<dyn Clock>,
    leadership: Leadership,
    alerts: AlertQueue,
    letterhead: Letterhead,
    ids: ObjectIds,
    senders: Arc<Semaphore>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier that has not begun.
    #[must_use]
    pub fn new(
        store: Arc<dyn Backend>,
        channels: Arc<Channels>,
        clock: Arc<dyn Clock>,
        leadership: Leadership,
        alerts: AlertQueue,
        letterhead: Letterhead,
    ) -> Self {
        Self(Arc::new(Inner {
            book: Book::new(Arc::clone(&store) as _),
            store,
            channels,
            ids: ObjectIds::new(Arc::clone(&clock)),
            clock,
            leadership,
            alerts,
            letterhead,
            senders: Arc::new(Semaphore::new(SENDERS)),
        }))
    }

    /// Works until the process ends.
    pub fn start(&self, tasks: &TaskSet) {
        let inner = Arc::clone(&self.0);
        tasks.spawn("tell contacts", inner.work(tasks.clone()));
        let inner = Arc::clone(&self.0);
        tasks.spawn("tell contacts without the store", inner.watch(tasks.stopping()));
    }
}

/// The pause after an attempt.
fn pause(tries: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1).min(16));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

impl Inner {
    async fn work(self: Arc<Self>, tasks: TaskSet) {
        let mut stopping = tasks.stopping();
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(LOOK) => {}
            }
            let worked = self.look(&tasks).await;
            match worked {
                Err(failure) if !is_failing => {
                    is_failing = true;
                    warn!(
                        error = &failure as &dyn Error,
                        "it cannot be found out whom to tell of notifications; it is tried again"
                    );
                }
                Err(_) => {}
                Ok(()) => is_failing = false,
            }
        }
    }

    async fn look(self: &Arc<Self>, tasks: &TaskSet) -> Result<(), StoreError> {
        // Every process knows the contacts, for when the store is away.
        self.book.refresh().await?;
        if !self.leadership.is_held() {
            return Ok(());
        }
        let now = self.clock.now();
        let known = self.book.known();
        for due in self.store.due_notifications(now, DECIDED).await? {
            let planned = plan(&due, &known.contacts, now);
            self.store.plan(due.notification.id, due.rev, planned).await?;
        }
        let mut places = Vec::new();
        while let Ok(place) = Arc::clone(&self.senders).try_acquire_owned() {
            places.push(place);
        }
        if places.is_empty() {
            return Ok(());
        }
        let claimed = self.store.claim_deliveries(now, now + HELD, places.len()).await?;
        for (delivery, place) in claimed.into_iter().zip(places) {
            tasks.spawn("tell a contact", Arc::clone(self).deliver(delivery, place));
        }
        Ok(())
    }

    /// Makes one attempt and notes how it went.
    async fn deliver(self: Arc<Self>, delivery: Delivery, _place: OwnedSemaphorePermit) {
        let attempted = self.attempt(&delivery).await;
        let at = self.clock.now();
        let (outcome, error) = match attempted {
            Ok(()) => (Outcome::Sent, None),
            Err(NotSent { reason, is_final }) => {
                let is_old = at.duration_since(delivery.created_at).unsigned_abs() >= GIVE_UP;
                let outcome = if is_final || is_old {
                    Outcome::Dead
                } else {
                    Outcome::Again(at + pause(delivery.tries))
                };
                (outcome, Some(reason))
            }
        };
        if let Some(reason) = &error {
            let is_given_up = outcome == Outcome::Dead;
            if is_given_up || delivery.tries == 1 {
                warn!(
                    delivery = %delivery.id,
                    notification = %delivery.notification_id,
                    contact = %delivery.contact_id,
                    kind = delivery.kind.as_str(),
                    tries = delivery.tries,
                    is_given_up,
                    reason,
                    "a contact could not be told of a notification"
                );
            }
        }
        let attempt = Attempt {
            at,
            error: error.map(Into::into),
        };
        self.note(delivery.id, attempt, outcome).await;
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), NotSent> {
        let gone = |reason: &str| NotSent {
            reason: reason.to_owned(),
            is_final: true,
        };
        let known = self.book.known();
        let Some((contact, secrets)) = known.contact(delivery.contact_id) else {
            return Err(gone("its contact was deleted"));
        };
        if !contact.enabled {
            return Err(gone("its contact is disabled"));
        }
        let channel = contact
            .channels
            .iter()
            .find(|channel| channel.id == delivery.channel_id);
        let channel = channel.ok_or_else(|| gone("its channel was removed"))?;
        let found = self.store.notification(delivery.notification_id).await;
        let found = found.map_err(|_| NotSent::later("the store did not answer"))?;
        let notification = found.ok_or_else(|| gone("its notification is gone"))?;
        let message = self.message(delivery.id, &delivery.occasion, notification);
        self.channels.send(channel, secrets.get(&channel.id), &message).await
    }

    fn message(&self, id: DeliveryId, occasion: &str, notification: Notification) -> Message {
        Message {
            id,
            occasion: occasion.to_owned(),
            notification,
            public_url: self.letterhead.public_url.clone(),
            support_contact: self.letterhead.support_contact.clone(),
            is_test: false,
        }
    }

    /// Notes how an attempt ended; tried again while nobody else may have taken the delivery.
    async fn note(&self, id: DeliveryId, attempt: Attempt, outcome: Outcome) {
        for _ in 0..10 {
            match self.store.end_delivery(id, attempt.clone(), outcome).await {
                Ok(_) => return,
                Err(_) => time::sleep(Duration::from_secs(1)).await,
            }
        }
        // Sent again later: at least once.
        warn!(delivery = %id, "it could not be noted how a delivery went; it may be sent again");
    }

    /// Tells of alerts that cannot be stored, for as long as that lasts.
    async fn watch(self: Arc<Self>, mut stopping: Stopping) {
        let mut told: HashSet<(AlertCode, Option<CompanyId>)> = HashSet::new();
        let mut tried_at: Option<time::Instant> = None;
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(LOOK) => {}
            }
            if self.alerts.fails_for().is_none_or(|lasting| lasting < PATIENCE) {
                if !told.is_empty() {
                    info!(
                        kinds = told.len(),
                        "alerts that were told without the store are stored again"
                    );
                    told.clear();
                }
                tried_at = None;
                continue;
            }
            let has_new = self
                .alerts
                .waiting(2 * DIRECT)
                .into_iter()
                .filter(|group| told.len() < DIRECT && !told.contains(&(group.alert.code, group.alert.company)))
                .collect::<Vec<_>>();
            if has_new.is_empty() || tried_at.is_some_and(|at| at.elapsed() < AGAIN) {
                continue;
            }
            let mut all_taken = true;
            let known = self.book.known();
            for group in has_new {
                let is_taken = tokio::select! {
                    () = stopping.wait() => return,
                    is_taken = self.tell_directly(&group, &known) => is_taken,
                };
                if is_taken {
                    told.insert((group.alert.code, group.alert.company));
                }
                all_taken &= is_taken;
            }
            tried_at = (!all_taken).then(time::Instant::now);
        }
    }

    /// Tells of one group of alerts. `false` if somebody who is to be told at once could not be.
    async fn tell_directly(&self, group: &RaisedAlert, known: &Known) -> bool {
        let notification = as_notification(group);
        let mut all_taken = true;
        for contact in &known.contacts {
            if !contact.is_for(notification.severity, notification.company_id) {
                continue;
            }
            let Some((_, secrets)) = known.contact(contact.id) else {
                continue;
            };
            let at_once = contact.escalation.iter().filter(|step| step.after_minutes == 0);
            let mut channels: Vec<_> = at_once.flat_map(|step| contact.channels_of(step)).collect();
            channels.dedup_by(|one, other| one.id == other.id);
            for channel in channels {
                if group
                    .told
                    .iter()
                    .any(|told| told.contact_id == contact.id && told.channel_id == channel.id)
                {
                    continue;
                }
                let id = DeliveryId::from(self.ids.make());
                let message = self.message(id, OPENED, notification.clone());
                match self.channels.send(channel, secrets.get(&channel.id), &message).await {
                    Ok(()) => {
                        let told = Told {
                            contact_id: contact.id,
                            channel_id: channel.id.clone(),
                            kind: channel.target.kind(),
                            occasion: OPENED.into(),
                            at: self.clock.now(),
                        };
                        self.alerts.note_told(group.id, told);
                        info!(code = notification.code.as_str(), contact = %contact.id, kind = channel.target.kind().as_str(), "a contact was told of an alert without the store");
                    }
                    Err(failure) => {
                        all_taken = false;
                        error!(code = notification.code.as_str(), contact = %contact.id, kind = channel.target.kind().as_str(), reason = failure.reason, "a contact could not be told of an alert, and the store does not answer");
                    }
                }
            }
        }
        all_taken
    }
}

/// The occasion of what is told at once, as [`plan`] names it.
const OPENED: &str = "0:after-0";

/// A group of alerts as the notification that it may become.
fn as_notification(group: &RaisedAlert) -> Notification {
    Notification {
        id: group.id,
        code: group.alert.code,
        severity: group.alert.code.severity(),
        company_id: group.alert.company,
        message: group.alert.message.clone(),
        details: group.alert.details.clone(),
        count: group.count,
        first_at: group.first_at,
        last_at: group.last_at,
        state: NotificationState::Open,
        snoozed_until: None,
        deliveries: Vec::new(),
    }
}

/// A message that tries a contact.
#[must_use]
pub fn trial(ids: &ObjectIds, letterhead: &Letterhead, now: Timestamp) -> Message {
    let group = RaisedAlert {
        id: ids.make().into(),
        alert: frontdesk_domain::alert::Alert {
            code: AlertCode::MessageTaken,
            company: None,
            message: "this is a test: whoever reads it is reached by notifications".to_owned(),
            details: serde_json::Value::Null,
        },
        count: 1,
        first_at: now,
        last_at: now,
        told: Vec::new(),
    };
    Message {
        id: ids.make().into(),
        occasion: "test".to_owned(),
        notification: as_notification(&group),
        public_url: letterhead.public_url.clone(),
        support_contact: letterhead.support_contact.clone(),
        is_test: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_second_to_five_minutes() {
        let seconds = [1, 2, 3, 9, 10, 500].map(|tries| pause(tries).as_secs());
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
    }
}
