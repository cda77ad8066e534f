//! Decides whom to tell, and tells them: the work of one process for all, and of each while the store is away.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use frontdesk_domain::{
    alert::AlertCode,
    clock::Clock,
    ids::DeliveryId,
    notice::{Attempt, Delivery},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::{
    leader::Leadership,
    ports::{Backend, Outcome, RaisedAlert, StoreError},
    queue::AlertQueue,
    system::ObjectIds,
    tasks::TaskSet,
};
use tokio::time::{self, Instant};
use tracing::warn;

use crate::{
    book::{Book, Found},
    channels::{Channels, Message, NotSent},
    lanes::{Lane, Lanes},
    plan::plan,
};

mod direct;

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(300);

/// And so soon again while more is due.
const BRIEFLY: Duration = Duration::from_millis(20);

/// So many notifications are decided at once.
const DECIDED: usize = 200;

/// So many decisions are written at once.
const AT_ONCE: usize = 25;

/// So many deliveries are looked at at once.
const DUE: usize = 100;

/// Whoever has taken a delivery has so long to say how it went: longer than an attempt takes.
const HELD: Duration = Duration::from_secs(30);

/// What could not be sent for so long is given up.
const GIVE_UP: Duration = Duration::from_hours(24);

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

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
    lanes: Lanes,
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
            lanes: Lanes::default(),
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

/// Whether there may be more to do just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    More,
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
        let mut next_look = Instant::now() + LOOK;
        loop {
            let looked = tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep_until(next_look) => {
                    let looked = self.look(&tasks).await;
                    let is_more = matches!(looked, Ok(Left::More));
                    next_look = Instant::now() + if is_more { BRIEFLY } else { LOOK };
                    looked.map(drop)
                }
                () = self.lanes.freed() => self.send_due(&tasks).await,
            };
            match looked {
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

    async fn look(self: &Arc<Self>, tasks: &TaskSet) -> Result<Left, StoreError> {
        // Every process knows the contacts, for when the store is away.
        self.book.refresh().await?;
        if !self.leadership.is_held() {
            return Ok(Left::Nothing);
        }
        let now = self.clock.now();
        let known = self.book.known();
        let due = self.store.due_notifications(now, DECIDED).await?;
        let left = if due.len() < DECIDED { Left::Nothing } else { Left::More };
        // Together, because a store writes many at once as quickly as one.
        for some in due.chunks(AT_ONCE) {
            let planned = some.iter().map(|due| {
                let planned = plan(due, &known.contacts, now);
                self.store.plan(due.notification.id, due.rev, planned)
            });
            futures_util::future::try_join_all(planned).await?;
        }
        self.send_due(tasks).await?;
        Ok(left)
    }

    /// Begins attempts while there are lanes for them: the most urgent first, past channels that are busy.
    async fn send_due(self: &Arc<Self>, tasks: &TaskSet) -> Result<(), StoreError> {
        while self.leadership.is_held() {
            let now = self.clock.now();
            let due = self.store.due_deliveries(now, self.lanes.busy(), DUE).await?;
            let is_all = due.len() < DUE;
            let mut lanes = self.lanes.take(due);
            if lanes.is_empty() {
                break;
            }
            let ids = lanes.keys().copied().collect();
            for delivery in self.store.claim_deliveries(ids, now, now + HELD).await? {
                if let Some(lane) = lanes.remove(&delivery.id) {
                    tasks.spawn("tell a contact", Arc::clone(self).deliver(delivery, lane));
                }
            }
            // What is behind a busy channel is seen without it.
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// Makes one attempt and notes how it went.
    async fn deliver(self: Arc<Self>, delivery: Delivery, _lane: Lane) {
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
        // Read anew: what was mended holds for what was to be sent before.
        let found = self.book.contact(delivery.contact_id).await;
        let (contact, secrets) = match found.map_err(|_| NotSent::later("the store did not answer"))? {
            Found::Contact(contact, secrets) => (contact, secrets),
            Found::Unreadable => return Err(NotSent::later("its contact cannot be read")),
            Found::Gone => return Err(gone("its contact was deleted")),
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
}

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
