//! The outbox: a document a delivery.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{ContactId, DeliveryId, NotificationId},
    notice::{Attempt, ChannelKind, Delivery, DeliveryState},
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore,
    failure::{Trouble, all_readable, batch, damaged, is_taken, readable, within},
    notifications,
    schema::{NOTIFICATIONS, OUTBOX},
    values::{self, Fields as _, date, int, object_id, word},
};
use crate::{
    common::notices::{MAX_DELIVERIES, next_attempts},
    ports::{
        Busy, DeliveryFilter, DueDelivery, DueNotification, OutboxStore, Outcome, Page, Plan, Rev, StoreError, Told,
    },
};

const WHAT: &str = "a delivery";

/// The field that says how soon a delivery goes before others; those of earlier versions have none and go first.
const URGENCY: &str = "urgency";

fn read(document: &mut Document) -> Result<Delivery, Trouble> {
    let attempts = values::from_bson(document.remove("attempts").unwrap_or_default(), WHAT)?;
    Ok(Delivery {
        id: document.id("_id", WHAT)?,
        notification_id: document.id("notificationId", WHAT)?,
        contact_id: document.id("contactId", WHAT)?,
        channel_id: document.text("channelId", WHAT)?.into(),
        kind: word(document.text("kind", WHAT)?, "the kind of a channel")?,
        occasion: document.text("occasion", WHAT)?.into(),
        state: word(document.text("state", WHAT)?, "the state of a delivery")?,
        tries: u32::try_from(document.count("tries", WHAT)?).unwrap_or(u32::MAX),
        attempts: serde_json::from_value(attempts).map_err(|error| damaged(WHAT, error))?,
        created_at: document.time("createdAt", WHAT)?,
        due_at: document.time_or_none("dueAt")?,
        direct: document.get_bool("direct").unwrap_or_default(),
    })
}

/// A notification that is due, without its deliveries.
fn read_due(document: &mut Document) -> Result<DueNotification, Trouble> {
    let notification = notifications::read(document)?;
    // Those of a version before this one have none of it.
    let number = |name: &str| {
        document
            .number_or_none(name)
            .and_then(|number| u64::try_from(number).ok())
    };
    Ok(DueNotification {
        rev: number("rev").unwrap_or_default(),
        round: u32::try_from(number("round").unwrap_or_default()).unwrap_or(u32::MAX),
        round_at: document.time_or_none("roundAt")?.unwrap_or(notification.first_at),
        next_count: number("nextCount").unwrap_or(1),
        notification,
    })
}

fn attempts(attempts: &[Attempt]) -> Result<Bson, Trouble> {
    let json = serde_json::to_value(attempts).map_err(|error| damaged(WHAT, error))?;
    Ok(values::to_bson(&json))
}

/// To whom a delivery goes, by what, and why.
struct New<'a> {
    notification: NotificationId,
    contact: ContactId,
    channel: &'a Arc<str>,
    kind: ChannelKind,
    occasion: &'a Arc<str>,
}

impl New<'_> {
    fn document(&self) -> Document {
        doc! {
            "notificationId": object_id(self.notification),
            "contactId": object_id(self.contact),
            "channelId": &**self.channel,
            "kind": self.kind.as_str(),
            "occasion": &**self.occasion,
        }
    }
}

impl MongoStore {
    /// Puts a delivery into the outbox, if it is not there yet.
    async fn put_delivery(&self, new: &New<'_>, more: Document) -> Result<(), Trouble> {
        let mut document = doc! { "_id": object_id(self.ids.make()) };
        document.extend(new.document());
        document.extend(more);
        match self.collection(OUTBOX).insert_one(document).await {
            Err(error) if is_taken(&error) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    pub(super) async fn note_told(&self, notification: NotificationId, told: &[Told]) -> Result<(), Trouble> {
        for told in told {
            let new = New {
                notification,
                contact: told.contact_id,
                channel: &told.channel_id,
                kind: told.kind,
                occasion: &told.occasion,
            };
            let attempt = Attempt {
                at: told.at,
                error: None,
            };
            let sent = doc! {
                "state": "sent", "tries": 1_i64, "attempts": attempts(&[attempt])?, "createdAt": date(told.at),
                "dueAt": Bson::Null, "direct": true,
            };
            self.put_delivery(&new, sent).await?;
        }
        Ok(())
    }

    pub(super) async fn deliveries_of(&self, id: NotificationId) -> Result<Vec<Delivery>, Trouble> {
        let collection = self.collection(OUTBOX);
        let found = collection.find(doc! { "notificationId": object_id(id) });
        let found = found.sort(doc! { "_id": -1 }).limit(MAX_DELIVERIES);
        let mut deliveries = all_readable(found.await?, usize::MAX, WHAT, read).await?;
        deliveries.reverse();
        Ok(deliveries)
    }

    /// Gives up what is on its way to a contact that is gone.
    pub(super) async fn give_up_deliveries(&self, contact: ContactId) -> Result<(), Trouble> {
        let collection = self.collection(OUTBOX);
        let pending = collection.find(doc! { "contactId": object_id(contact), "state": "pending" });
        let pending: Vec<Document> = pending.await?.try_collect().await?;
        for mut document in pending {
            let attempt = Attempt {
                at: self.now(),
                error: Some("its contact was deleted".into()),
            };
            self.end(read(&mut document)?, attempt, Outcome::Dead).await?;
        }
        Ok(())
    }

    async fn end(&self, delivery: Delivery, attempt: Attempt, outcome: Outcome) -> Result<bool, Trouble> {
        let (state, due_at) = match outcome {
            Outcome::Sent => (DeliveryState::Sent, Bson::Null),
            Outcome::Again(at) => (DeliveryState::Pending, date(at)),
            Outcome::Dead => (DeliveryState::Dead, Bson::Null),
        };
        let now = date(attempt.at);
        let attempts = attempts(&next_attempts(delivery.attempts, attempt))?;
        let pending = doc! { "_id": object_id(delivery.id), "state": "pending" };
        let update = doc! { "$set": { "state": state.as_str(), "dueAt": due_at, "attempts": attempts } };
        let ended = self.collection(OUTBOX).update_one(pending, update).await?;
        // Whoever looks on sees how it goes.
        let of = doc! { "_id": object_id(delivery.notification_id) };
        let notifications = self.collection(NOTIFICATIONS);
        notifications
            .update_one(of, doc! { "$max": { "changedAt": now } })
            .await?;
        Ok(ended.matched_count > 0)
    }

    async fn plan_deliveries(&self, id: NotificationId, rev: Rev, plan: &Plan) -> Result<(), Trouble> {
        let now = date(self.now());
        let urgency = match plan.deliveries.as_slice() {
            [] => 0,
            _ => self.urgency_of(id).await?,
        };
        for new in &plan.deliveries {
            let new = New {
                notification: id,
                contact: new.contact_id,
                channel: &new.channel_id,
                kind: new.kind,
                occasion: &new.occasion,
            };
            let pending = doc! {
                "state": "pending", "tries": 0_i64, "attempts": [], "createdAt": now.clone(), "dueAt": now.clone(),
                URGENCY: urgency,
            };
            self.put_delivery(&new, pending).await?;
        }
        // Last: what is not in the outbox yet is decided again.
        let due_at = plan.due_at.map_or(Bson::Null, date);
        let update = vec![doc! { "$set": {
            "nextCount": int(plan.next_count),
            "dueAt": { "$cond": [{ "$eq": ["$rev", int(rev)] }, due_at, now] },
        } }];
        let collection = self.collection(NOTIFICATIONS);
        collection.update_one(doc! { "_id": object_id(id) }, update).await?;
        Ok(())
    }

    /// Takes one delivery that is due, unless somebody else was faster.
    async fn claim_delivery(&self, id: &Bson, now: Timestamp, again: Timestamp) -> Result<Option<Delivery>, Trouble> {
        let due = doc! { "_id": id.clone(), "dueAt": { "$lte": date(now) } };
        let update = doc! { "$set": { "dueAt": date(again) }, "$inc": { "tries": 1_i64 } };
        let collection = self.collection(OUTBOX);
        let claimed = collection.find_one_and_update(due, update);
        let claimed = claimed.return_document(ReturnDocument::After).await?;
        claimed.map(|mut claimed| read(&mut claimed)).transpose()
    }

    /// How soon deliveries of a notification go before others: 0 is first.
    async fn urgency_of(&self, id: NotificationId) -> Result<i64, Trouble> {
        let notifications = self.collection(NOTIFICATIONS);
        let found = notifications.find_one(doc! { "_id": object_id(id) });
        let found = found.projection(doc! { "severity": 1 }).await?;
        let severity = found.as_ref().and_then(|found| found.get_str("severity").ok());
        Ok(match severity {
            Some("CRITICAL") => 0,
            Some("WARNING") => 1,
            _ => 2,
        })
    }
}

#[async_trait]
impl OutboxStore for MongoStore {
    async fn due_notifications(&self, now: Timestamp, count: usize) -> Result<Vec<DueNotification>, StoreError> {
        within("find out whom to tell", self.options.operator_deadline, async {
            let collection = self.collection(NOTIFICATIONS);
            let due = collection.find(doc! { "dueAt": { "$lte": date(now) } });
            // `CRITICAL` comes first in the alphabet.
            let due = due.sort(doc! { "severity": 1, "dueAt": 1 }).batch_size(batch(count));
            let due = all_readable(due.await?, count, "a notification", read_due).await?;
            let mut found = Vec::with_capacity(due.len());
            for mut due in due {
                due.notification = self.with_deliveries(due.notification).await?;
                found.push(due);
            }
            Ok(found)
        })
        .await
    }

    async fn plan(&self, id: NotificationId, rev: Rev, plan: Plan) -> Result<(), StoreError> {
        let planned = self.plan_deliveries(id, rev, &plan);
        within("decide whom to tell", self.options.operator_deadline, planned).await
    }

    async fn due_deliveries(&self, now: Timestamp, busy: Busy, count: usize) -> Result<Vec<DueDelivery>, StoreError> {
        within("find deliveries that are due", self.options.operator_deadline, async {
            let mut wanted = doc! { "dueAt": { "$lte": date(now) } };
            let channels = busy.channels.iter();
            let channels: Vec<Document> = channels
                .map(|(contact, channel)| doc! { "contactId": object_id(*contact), "channelId": &**channel })
                .collect();
            if !channels.is_empty() {
                wanted.insert("$nor", channels);
            }
            if !busy.kinds.is_empty() {
                let kinds: Vec<&str> = busy.kinds.iter().map(|kind| kind.as_str()).collect();
                wanted.insert("kind", doc! { "$nin": kinds });
            }
            let collection = self.collection(OUTBOX);
            let due = collection
                .find(wanted)
                .projection(doc! { "contactId": 1, "channelId": 1, "kind": 1 })
                .sort(doc! { URGENCY: 1, "dueAt": 1, "_id": 1 })
                .batch_size(batch(count));
            all_readable(due.await?, count, WHAT, |document| {
                Ok(DueDelivery {
                    id: document.id("_id", WHAT)?,
                    contact_id: document.id("contactId", WHAT)?,
                    channel_id: document.text("channelId", WHAT)?.into(),
                    kind: word(document.text("kind", WHAT)?, "the kind of a channel")?,
                })
            })
            .await
        })
        .await
    }

    async fn claim_deliveries(
        &self,
        ids: Vec<DeliveryId>,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        within("take deliveries that are due", self.options.operator_deadline, async {
            let mut claimed = Vec::with_capacity(ids.len());
            for id in ids {
                let id = object_id(id);
                let taken = self.claim_delivery(&id, now, again).await;
                claimed.extend(readable(WHAT, Some(&id), taken)?.flatten());
            }
            claimed.sort_by_key(|delivery| delivery.id);
            Ok(claimed)
        })
        .await
    }

    async fn end_delivery(&self, id: DeliveryId, attempt: Attempt, outcome: Outcome) -> Result<bool, StoreError> {
        within("note how a delivery went", self.options.operator_deadline, async {
            let pending = doc! { "_id": object_id(id), "state": "pending" };
            match self.collection(OUTBOX).find_one(pending).await? {
                Some(mut found) => self.end(read(&mut found)?, attempt, outcome).await,
                None => Ok(false),
            }
        })
        .await
    }

    async fn deliveries(&self, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Delivery>, StoreError> {
        within("list deliveries", self.options.operator_deadline, async {
            let mut wanted = doc! {};
            if let Some(state) = filter.state {
                wanted.insert("state", state.as_str());
            }
            if let Some(contact) = filter.contact {
                wanted.insert("contactId", object_id(contact));
            }
            if let Some(after) = page.after {
                wanted.insert("_id", doc! { "$lt": object_id(after) });
            }
            let collection = self.collection(OUTBOX);
            let found = collection.find(wanted).sort(doc! { "_id": -1 });
            let found = found.batch_size(batch(page.limit)).await?;
            all_readable(found, page.limit, WHAT, read).await
        })
        .await
    }

    async fn resend(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        within("send a delivery again", self.options.operator_deadline, async {
            let now = date(self.now());
            let update = doc! { "$set": { "state": "pending", "createdAt": now.clone(), "dueAt": now } };
            let collection = self.collection(OUTBOX);
            let resent = collection.find_one_and_update(doc! { "_id": object_id(id) }, update);
            let resent = resent.return_document(ReturnDocument::After).await?;
            resent.map(|mut resent| read(&mut resent)).transpose()
        })
        .await
    }
}
