//! Notifications: a document each; `unresolved` is there until it is resolved, and unique.

use async_trait::async_trait;
use frontdesk_domain::{ids::NotificationId, record::Notification};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore,
    failure::{Trouble, damaged, is_taken, within},
    revisions::limit,
    schema::NOTIFICATIONS,
    values::{self, Fields as _, date, int, object_id, word, word_of},
};
use crate::ports::{NotificationStore, Page, RaisedAlert, StoreError};

const WHAT: &str = "a notification";

/// So many attempts to add alerts are remembered, so that none is added twice.
const REMEMBERED: i64 = 20;

fn read(mut document: Document) -> Result<Notification, Trouble> {
    let details = document.remove("details").unwrap_or_default();
    let deliveries = document.remove("deliveries").unwrap_or_default();
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
        deliveries: match values::from_bson(deliveries, WHAT)? {
            serde_json::Value::Array(deliveries) => deliveries,
            _ => return Err(damaged(WHAT, "its deliveries are no list")),
        },
    })
}

/// What alerts make of the notification of their code and company, be there one or not.
fn joined(raised: &RaisedAlert, attempt: &Bson) -> Result<Document, Trouble> {
    let RaisedAlert {
        id,
        alert,
        count,
        first_at,
        last_at,
    } = raised;
    let is_newer = doc! { "$gte": [date(*last_at), { "$ifNull": ["$lastAt", date(*last_at)] }] };
    let newest = |field: &str, value: Bson| {
        doc! { "$cond": [is_newer.clone(), { "$literal": value }, format!("${field}")] }
    };
    Ok(doc! {
        "_id": { "$ifNull": ["$_id", object_id(id)] },
        "code": alert.code.as_str(),
        "severity": word_of(alert.code.severity())?,
        "companyId": alert.company.map(object_id),
        "message": newest("message", alert.message.as_str().into()),
        "details": newest("details", values::to_bson(&alert.details)),
        "count": { "$add": [{ "$ifNull": ["$count", 0_i64] }, int(*count)] },
        "firstAt": { "$min": ["$firstAt", date(*first_at)] },
        "lastAt": { "$max": ["$lastAt", date(*last_at)] },
        "state": { "$ifNull": ["$state", "open"] },
        "deliveries": { "$ifNull": ["$deliveries", []] },
        "attempts": { "$slice": [
            { "$concatArrays": [{ "$ifNull": ["$attempts", []] }, [attempt.clone()]] }, -REMEMBERED,
        ] },
    })
}

impl MongoStore {
    async fn raise_one(&self, raised: &RaisedAlert) -> Result<(), Trouble> {
        let notifications = self.collection(NOTIFICATIONS);
        let company = raised.alert.company.map(|company| company.to_string());
        let key = format!("{} {}", raised.alert.code.as_str(), company.unwrap_or_default());
        let attempt = Bson::String(self.ids.make().to_string());
        let joined = joined(raised, &attempt)?;
        loop {
            let not_yet = doc! { "unresolved": &key, "attempts": { "$ne": attempt.clone() } };
            let update = notifications.update_one(not_yet, vec![doc! { "$set": joined.clone() }]);
            match update.upsert(true).await {
                // Another process has opened it at the same time, or this was run twice, or is stored and over.
                Err(error) if is_taken(&error) => {
                    let done = notifications.find_one(doc! { "$or": [
                        { "unresolved": &key, "attempts": attempt.clone() },
                        { "_id": object_id(raised.id), "unresolved": { "$exists": false } },
                    ] });
                    if done.await?.is_some() {
                        return Ok(());
                    }
                }
                done => return Ok(done.map(drop)?),
            }
        }
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

    async fn notifications(&self, page: Page<NotificationId>) -> Result<Vec<Notification>, StoreError> {
        within("list notifications", self.options.operator_deadline, async {
            // Ids begin with the second in which they were made.
            let before = page.after.map(|id| doc! { "_id": { "$lt": object_id(id) } });
            let collection = self.collection(NOTIFICATIONS);
            let found = collection.find(before.unwrap_or_default()).sort(doc! { "_id": -1 });
            let found: Vec<Document> = found.limit(limit(page.limit)).await?.try_collect().await?;
            found.into_iter().map(read).collect()
        })
        .await
    }

    async fn acknowledge(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        within("acknowledge a notification", self.options.operator_deadline, async {
            let notifications = self.collection(NOTIFICATIONS);
            let open = doc! { "_id": object_id(id), "state": "open" };
            notifications
                .update_one(open, doc! { "$set": { "state": "acknowledged" } })
                .await?;
            notifications
                .find_one(doc! { "_id": object_id(id) })
                .await?
                .map(read)
                .transpose()
        })
        .await
    }
}
