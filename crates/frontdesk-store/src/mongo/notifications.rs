//! Notifications: a document each; `unresolved` is there until it is resolved, and unique.

use std::time::Duration;

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{AlertCode, AlertKind},
    ids::{CompanyId, NotificationId},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore,
    failure::{Trouble, all_readable, batch, is_taken, within},
    schema::NOTIFICATIONS,
    values::{self, Fields as _, date, int, object_id, word, word_of},
};
use crate::{
    common::notices::{Anew, REMEMBERED_GROUPS, bounded},
    ports::{
        NotificationChange, NotificationChanged, NotificationFilter, NotificationStore, Page, RaisedAlert, StoreError,
    },
};

const WHAT: &str = "a notification";

/// Who was told without the store is noted within that time after the alerts.
const TOLD: Duration = Duration::from_secs(5);

/// A notification without its deliveries.
pub(super) fn read(document: &mut Document) -> Result<Notification, Trouble> {
    let details = document.remove("details").unwrap_or_default();
    let has_company = !matches!(document.get("companyId"), None | Some(Bson::Null));
    Ok(Notification {
        id: document.id("_id", WHAT)?,
        code: word(document.text("code", WHAT)?, "an alert code")?,
        severity: word(document.text("severity", WHAT)?, "a severity")?,
        company_id: has_company.then(|| document.id("companyId", WHAT)).transpose()?,
        message: document.text("message", WHAT)?.to_owned(),
        details: values::from_bson(details, WHAT)?,
        count: document.count("count", WHAT)?,
        first_at: document.time("firstAt", WHAT)?,
        last_at: document.time("lastAt", WHAT)?,
        state: word(document.text("state", WHAT)?, "a notification's state")?,
        snoozed_until: document.time_or_none("snoozedUntil")?,
        deliveries: Vec::new(),
    })
}

/// What is unique among those that are not resolved.
fn key(code: AlertCode, company: Option<CompanyId>) -> String {
    let company = company.map(|company| company.to_string());
    format!("{} {}", code.as_str(), company.unwrap_or_default())
}

/// Whether a notification begins anew with an alert that came then.
fn anew(code: AlertCode, at: Timestamp) -> Document {
    let Anew { acknowledged, open } = Anew::with(code, at);
    let acknowledged = acknowledged.map(|since| {
        doc! { "$and": [{ "$eq": ["$state", "acknowledged"] }, { "$lte": ["$lastAt", date(since)] }] }
    });
    let open = open.map(|since| {
        doc! { "$and": [
            { "$eq": ["$state", "open"] },
            { "$lte": ["$lastAt", date(since)] },
            { "$lte": [{ "$ifNull": ["$snoozedUntil", "$lastAt"] }, "$lastAt"] },
        ] }
    });
    let either: Vec<Document> = acknowledged.into_iter().chain(open).collect();
    doc! { "$or": either }
}

/// What alerts make of the notification of their code and company, be there one or not.
fn joined(raised: &RaisedAlert, group: &Bson, now: Timestamp) -> Result<Document, Trouble> {
    let RaisedAlert {
        id,
        alert,
        count,
        first_at,
        last_at,
        told,
    } = raised;
    let is_newer = doc! { "$gte": [date(*last_at), { "$ifNull": ["$lastAt", date(*last_at)] }] };
    let newest = |field: &str, value: Bson| {
        doc! { "$cond": [is_newer.clone(), { "$literal": value }, format!("${field}")] }
    };
    let counted = doc! { "$add": [{ "$ifNull": ["$count", 0_i64] }, int(*count)] };
    let never = date(Timestamp::MAX);
    let is_due = doc! { "$or": [anew(alert.code, *last_at), { "$and": [
        { "$eq": [{ "$ifNull": ["$state", "open"] }, "open"] },
        { "$or": [
            { "$gte": [counted.clone(), { "$ifNull": ["$nextCount", 1_i64] }] },
            { "$lte": [{ "$ifNull": ["$snoozedUntil", never] }, date(*last_at)] },
        ] },
    ] }] };
    let anew = anew(alert.code, *last_at);
    let either = |yes: Bson, no: Bson| doc! { "$cond": [anew.clone(), yes, no] };
    let round = doc! { "$ifNull": ["$round", 0_i64] };
    let state = doc! { "$ifNull": ["$state", "open"] };
    let due_at = if told.is_empty() { now } else { now + TOLD };
    Ok(doc! {
        "_id": { "$ifNull": ["$_id", object_id(id)] },
        "code": alert.code.as_str(),
        "severity": word_of(alert.code.severity())?,
        "companyId": alert.company.map(object_id),
        "message": newest("message", bounded::message(&alert.message).as_ref().into()),
        "details": newest("details", values::to_bson(&bounded::details(&alert.details))),
        "count": counted,
        "firstAt": { "$min": ["$firstAt", date(*first_at)] },
        "lastAt": { "$max": ["$lastAt", date(*last_at)] },
        "state": either("open".into(), state.into()),
        "changedAt": date(now),
        "rev": { "$add": [{ "$ifNull": ["$rev", 0_i64] }, 1_i64] },
        "round": either(doc! { "$add": [round.clone(), 1_i64] }.into(), round.into()),
        "roundAt": either(date(now), doc! { "$ifNull": ["$roundAt", date(*first_at)] }.into()),
        "nextCount": { "$ifNull": ["$nextCount", 1_i64] },
        "dueAt": { "$cond": [is_due, date(due_at), { "$ifNull": ["$dueAt", Bson::Null] }] },
        "groups": { "$slice": [
            { "$concatArrays": [{ "$ifNull": ["$groups", []] }, [group.clone()]] }, -REMEMBERED_GROUPS,
        ] },
    })
}

/// The conditions of a filter.
fn conditions(filter: &NotificationFilter) -> Result<Vec<Document>, Trouble> {
    let NotificationFilter {
        state,
        code,
        severity,
        company,
        from,
        to,
    } = filter;
    let mut all = Vec::new();
    if let Some(state) = state {
        all.push(doc! { "state": word_of(state)? });
    }
    if let Some(severity) = severity {
        all.push(doc! { "severity": word_of(severity)? });
    }
    all.extend(code.map(|code| doc! { "code": code.as_str() }));
    all.extend(company.map(|company| doc! { "companyId": object_id(company) }));
    all.extend(from.map(|from| doc! { "lastAt": { "$gte": date(from) } }));
    all.extend(to.map(|to| doc! { "firstAt": { "$lt": date(to) } }));
    Ok(all)
}

impl MongoStore {
    async fn raise_one(&self, raised: &RaisedAlert) -> Result<(), Trouble> {
        let notifications = self.collection(NOTIFICATIONS);
        let key = key(raised.alert.code, raised.alert.company);
        let group = object_id(raised.id);
        let joined = joined(raised, &group, self.now())?;
        loop {
            let not_yet = doc! { "unresolved": &key, "groups": { "$ne": group.clone() } };
            let update = notifications.update_one(not_yet, vec![doc! { "$set": joined.clone() }]);
            match update.upsert(true).await {
                // Another process has opened it at the same time, or this was run before, or is stored and over.
                Err(error) if is_taken(&error) => {
                    let done = notifications.find_one(doc! { "$or": [
                        { "unresolved": &key, "groups": group.clone() },
                        { "_id": group.clone(), "unresolved": { "$exists": false } },
                    ] });
                    if done.await?.is_some() {
                        break;
                    }
                }
                done => break drop(done?),
            }
        }
        if raised.told.is_empty() {
            return Ok(());
        }
        let found = notifications
            .find_one(doc! { "groups": group })
            .projection(doc! { "_id": 1 });
        match found.await? {
            Some(found) => self.note_told(found.id("_id", WHAT)?, &raised.told).await,
            None => Ok(()),
        }
    }

    pub(super) async fn with_deliveries(&self, mut notification: Notification) -> Result<Notification, Trouble> {
        notification.deliveries = self.deliveries_of(notification.id).await?;
        Ok(notification)
    }

    async fn found_notification(&self, id: NotificationId) -> Result<Option<Notification>, Trouble> {
        let notifications = self.collection(NOTIFICATIONS);
        match notifications.find_one(doc! { "_id": object_id(id) }).await? {
            Some(mut found) => Ok(Some(self.with_deliveries(read(&mut found)?).await?)),
            None => Ok(None),
        }
    }

    async fn change(&self, id: NotificationId, change: NotificationChange) -> Result<NotificationChanged, Trouble> {
        let Some(found) = self.found_notification(id).await? else {
            return Ok(NotificationChanged::NotFound);
        };
        let is_resolved = found.state == NotificationState::Resolved;
        let now = date(self.now());
        let round = |at: Bson| doc! { "$inc": { "rev": 1_i64, "round": 1_i64 }, "$set": { "roundAt": at } };
        let (filter, mut update, set) = match change {
            NotificationChange::Acknowledge => {
                self.acknowledge(&found, now).await?;
                return self.as_changed(id).await;
            }
            NotificationChange::Snooze(_) if is_resolved => return Ok(NotificationChanged::IsResolved),
            NotificationChange::Snooze(until) => (
                doc! { "state": { "$ne": "resolved" } },
                round(date(until)),
                doc! { "state": "open", "snoozedUntil": date(until), "roundAt": date(until), "dueAt": Bson::Null },
            ),
            NotificationChange::Resolve => (
                doc! { "state": { "$ne": "resolved" } },
                doc! { "$inc": { "rev": 1_i64 }, "$unset": { "unresolved": "" } },
                // Who was told hears that it is over.
                doc! { "state": "resolved", "snoozedUntil": Bson::Null, "dueAt": now.clone() },
            ),
            NotificationChange::Reopen => (
                doc! { "$or": [{ "state": { "$ne": "open" } }, { "snoozedUntil": { "$ne": Bson::Null } }] },
                round(now.clone()),
                doc! {
                    "state": "open", "snoozedUntil": Bson::Null, "roundAt": now.clone(), "dueAt": now.clone(),
                    "unresolved": key(found.code, found.company_id),
                },
            ),
        };
        let mut filter = filter;
        filter.insert("_id", object_id(id));
        let mut set = set;
        set.insert("changedAt", now);
        update.insert("$set", set);
        let changed = self.collection(NOTIFICATIONS).update_one(filter, update).await;
        match changed {
            Err(error) if is_taken(&error) => return Ok(NotificationChanged::AnotherIsOpen),
            done => drop(done?),
        }
        self.as_changed(id).await
    }

    async fn as_changed(&self, id: NotificationId) -> Result<NotificationChanged, Trouble> {
        let changed = self.found_notification(id).await?;
        Ok(changed.map_or(NotificationChanged::NotFound, |changed| {
            NotificationChanged::Done(Box::new(changed))
        }))
    }

    async fn acknowledge(&self, found: &Notification, now: Bson) -> Result<(), Trouble> {
        // What came since it was last told cannot be meant.
        let is_untold = doc! { "$and": [
            found.code.kind() == AlertKind::Event,
            { "$gt": ["$count", 1_i64] },
            { "$gte": ["$count", "$nextCount"] },
        ] };
        let set = doc! {
            "state": "acknowledged",
            "dueAt": { "$cond": [is_untold, "$dueAt", Bson::Null] },
            "changedAt": now,
            "rev": { "$add": [{ "$ifNull": ["$rev", 0_i64] }, 1_i64] },
        };
        let open = doc! { "_id": object_id(found.id), "state": "open" };
        let notifications = self.collection(NOTIFICATIONS);
        notifications.update_one(open, vec![doc! { "$set": set }]).await?;
        Ok(())
    }
}

#[async_trait]
impl NotificationStore for MongoStore {
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError> {
        within("keep alerts", self.options.operator_deadline, async {
            for raised in &alerts {
                self.raise_one(raised).await?;
            }
            Ok(())
        })
        .await
    }

    async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: Page<NotificationId>,
    ) -> Result<Vec<Notification>, StoreError> {
        within("list notifications", self.options.operator_deadline, async {
            let mut all = conditions(filter)?;
            // Ids begin with the second in which they were made.
            all.extend(page.after.map(|id| doc! { "_id": { "$lt": object_id(id) } }));
            let wanted = if all.is_empty() {
                doc! {}
            } else {
                doc! { "$and": all }
            };
            let collection = self.collection(NOTIFICATIONS);
            let found = collection.find(wanted).sort(doc! { "_id": -1 });
            let found = found.batch_size(batch(page.limit)).await?;
            let found = all_readable(found, page.limit, WHAT, read).await?;
            let mut listed = Vec::with_capacity(found.len());
            for notification in found {
                listed.push(self.with_deliveries(notification).await?);
            }
            Ok(listed)
        })
        .await
    }

    async fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        let found = self.found_notification(id);
        within("read a notification", self.options.operator_deadline, found).await
    }

    async fn notifications_changed(
        &self,
        since: Timestamp,
        count: usize,
    ) -> Result<Vec<(Timestamp, Notification)>, StoreError> {
        within(
            "find out which notifications changed",
            self.options.operator_deadline,
            async {
                let collection = self.collection(NOTIFICATIONS);
                let found = collection.find(doc! { "changedAt": { "$gte": date(since) } });
                let found = found.sort(doc! { "changedAt": 1, "_id": 1 }).batch_size(batch(count));
                let found = all_readable(found.await?, count, WHAT, |document| {
                    Ok((document.time("changedAt", WHAT)?, read(document)?))
                });
                let found = found.await?;
                let mut changed = Vec::with_capacity(found.len());
                for (at, notification) in found {
                    changed.push((at, self.with_deliveries(notification).await?));
                }
                Ok(changed)
            },
        )
        .await
    }

    async fn change_notification(
        &self,
        id: NotificationId,
        change: NotificationChange,
    ) -> Result<NotificationChanged, StoreError> {
        let changed = self.change(id, change);
        within("change a notification", self.options.operator_deadline, changed).await
    }

    async fn resolve_open(
        &self,
        code: AlertCode,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<Option<NotificationId>, StoreError> {
        within("resolve a notification", self.options.operator_deadline, async {
            let now = date(self.now());
            let open = doc! { "unresolved": key(code, company), "lastAt": { "$lte": date(at) } };
            let update = doc! {
                "$set": { "state": "resolved", "snoozedUntil": Bson::Null, "dueAt": now.clone(), "changedAt": now },
                "$inc": { "rev": 1_i64 },
                "$unset": { "unresolved": "" },
            };
            let collection = self.collection(NOTIFICATIONS);
            let resolved = collection.find_one_and_update(open, update);
            let resolved = resolved.return_document(ReturnDocument::After).await?;
            resolved.map(|resolved| resolved.id("_id", WHAT)).transpose()
        })
        .await
    }
}
