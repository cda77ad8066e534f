//! Deleting what is kept no longer, in batches.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use frontdesk_domain::{ids::CompanyId, time::Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};

use super::{
    MongoStore,
    failure::{Trouble, damaged, within},
    schema::{AUDIO_PARTS, CALLS, COMPANIES, DELETED_COMPANIES, MESSAGES, MISSES, NOTIFICATIONS, OUTBOX, TURNS},
    transaction::Transaction,
    values::{Fields as _, date, object_id},
};
use crate::ports::{Purged, PurgedNotices, RecordKeeper, RetentionStore, StoreError};

/// So many calls, and as many messages, are deleted at once.
const BATCH: i64 = 25;

/// Notes how long a company that is being deleted keeps its records.
pub(super) async fn remember(transaction: &mut Transaction<'_>, company: CompanyId) -> Result<(), Trouble> {
    let id = object_id(company);
    let settings = transaction.find(COMPANIES, doc! { "_id": id.clone() }).await?;
    let days = settings.and_then(|settings| settings.number_or_none("retentionDays"));
    let kept = doc! { "$set": { "retentionDays": days } };
    transaction.upsert(DELETED_COMPANIES, doc! { "_id": id }, kept).await
}

fn days_of(document: &Document) -> Option<u16> {
    document
        .number_or_none("retentionDays")
        .and_then(|days| u16::try_from(days).ok())
}

impl MongoStore {
    /// The companies of these, with how long each keeps its records.
    async fn days(&self, collection: &str, companies: &[Bson]) -> Result<BTreeMap<ObjectId, Option<u16>>, Trouble> {
        let collection = self.collection(collection);
        let found = collection.find(doc! { "_id": { "$in": companies } });
        let found: Vec<Document> = found
            .projection(doc! { "retentionDays": 1 })
            .await?
            .try_collect()
            .await?;
        let days = found
            .iter()
            .filter_map(|one| Some((one.get_object_id("_id").ok()?, days_of(one))));
        Ok(days.collect())
    }

    async fn distinct(&self, collection: &str, field: &str) -> Result<BTreeSet<ObjectId>, Trouble> {
        let found = self.collection(collection).distinct(field, doc! {}).await?;
        Ok(found.iter().filter_map(Bson::as_object_id).collect())
    }

    async fn first(&self, collection: &str, filter: Document) -> Result<Vec<Document>, Trouble> {
        Ok(self
            .collection(collection)
            .find(filter)
            .limit(BATCH)
            .await?
            .try_collect()
            .await?)
    }

    async fn any(&self, collection: &str, filter: Document) -> Result<bool, Trouble> {
        let collection = self.collection(collection);
        let found = collection.find_one(filter).projection(doc! { "_id": 1 });
        Ok(found.await?.is_some())
    }

    async fn delete(&self, collection: &str, filter: Document) -> Result<u64, Trouble> {
        Ok(self.collection(collection).delete_many(filter).await?.deleted_count)
    }

    async fn purge_calls(&self, id: CompanyId, before: &Bson) -> Result<(u64, u64), Trouble> {
        let company = object_id(id);
        let old = doc! { "companyId": company.clone(), "startedAt": { "$lt": before } };
        let calls = self.first(CALLS, old).await?;
        if calls.is_empty() {
            return Ok((0, 0));
        }
        let names: Vec<&str> = calls.iter().filter_map(|call| call.text_or_none("callId")).collect();
        // What they were counted in stays.
        self.thin(id, &names).await?;
        // A call goes last: until then its turns can be found.
        let of_calls = doc! { "companyId": company, "callId": { "$in": names } };
        self.delete(MISSES, of_calls.clone()).await?;
        let turns = self.delete(TURNS, of_calls).await?;
        let ids: Vec<Bson> = calls.iter().filter_map(|call| call.get("_id").cloned()).collect();
        Ok((self.delete(CALLS, doc! { "_id": { "$in": ids } }).await?, turns))
    }

    async fn purge_messages(&self, company: &Bson, before: &Bson) -> Result<u64, Trouble> {
        let old = doc! { "companyId": company, "at": { "$lt": before } };
        let messages = self.first(MESSAGES, old).await?;
        let ids: Vec<Bson> = messages
            .iter()
            .filter_map(|message| message.get("_id").cloned())
            .collect();
        if ids.is_empty() {
            return Ok(0);
        }
        // Their audio is left over then, and is deleted as such.
        self.delete(MESSAGES, doc! { "_id": { "$in": ids } }).await
    }

    async fn purge_old_notices(&self, before: &Bson) -> Result<PurgedNotices, Trouble> {
        // Those of an earlier version have no time of their last change.
        let old = doc! {
            "state": "resolved", "lastAt": { "$lt": before }, "changedAt": { "$not": { "$gte": before } },
        };
        let mut purged = PurgedNotices::default();
        for notification in self.first(NOTIFICATIONS, old).await? {
            let of_it = doc! { "notificationId": notification.get("_id") };
            let mut pending = of_it.clone();
            pending.insert("state", "pending");
            if self.any(OUTBOX, pending).await? {
                continue;
            }
            // It goes last: until then its deliveries can be found. If it is reopened meanwhile, it stays, and
            // whoever is told of it anew is told in another round.
            purged.deliveries += self.delete(OUTBOX, of_it).await?;
            let same = doc! { "_id": notification.get("_id"), "rev": notification.get("rev") };
            purged.notifications += self.delete(NOTIFICATIONS, same).await?;
        }
        Ok(purged)
    }

    /// Deletes audio whose message is no more; whether there was any.
    async fn purge_audio(&self) -> Result<bool, Trouble> {
        let with_audio: Vec<Bson> = self
            .distinct(AUDIO_PARTS, "messageId")
            .await?
            .into_iter()
            .map(Bson::from)
            .collect();
        let collection = self.collection(MESSAGES);
        let found = collection.find(doc! { "_id": { "$in": with_audio.clone() } });
        let found: Vec<Document> = found.projection(doc! { "_id": 1 }).await?.try_collect().await?;
        let kept: BTreeSet<ObjectId> = found
            .iter()
            .filter_map(|message| message.get_object_id("_id").ok())
            .collect();
        let is_gone = |id: &Bson| id.as_object_id().is_some_and(|id| !kept.contains(&id));
        let gone: Vec<Bson> = with_audio.into_iter().filter(is_gone).collect();
        if gone.is_empty() {
            return Ok(false);
        }
        self.delete(AUDIO_PARTS, doc! { "messageId": { "$in": gone } }).await?;
        Ok(true)
    }

    /// Forgets deleted companies that have no records left; whether there was any.
    async fn forget_companies(&self) -> Result<bool, Trouble> {
        let mut forgotten = false;
        for id in self.distinct(DELETED_COMPANIES, "_id").await? {
            let of_company = doc! { "companyId": id };
            if !self.any(CALLS, of_company.clone()).await? && !self.any(MESSAGES, of_company).await? {
                forgotten |= self.delete(DELETED_COMPANIES, doc! { "_id": id }).await? > 0;
            }
        }
        Ok(forgotten)
    }
}

#[async_trait]
impl RetentionStore for MongoStore {
    async fn record_keepers(&self) -> Result<Vec<RecordKeeper>, StoreError> {
        within(
            "list the companies that have records",
            self.options.operator_deadline,
            async {
                let mut ids = self.distinct(CALLS, "companyId").await?;
                ids.extend(self.distinct(MESSAGES, "companyId").await?);
                let companies: Vec<Bson> = ids.iter().copied().map(Bson::from).collect();
                let known = self.days(COMPANIES, &companies).await?;
                let deleted = self.days(DELETED_COMPANIES, &companies).await?;
                let keepers = ids.into_iter().map(|id| {
                    let company = id.to_hex().parse();
                    Ok(RecordKeeper {
                        company: company.map_err(|error| damaged("the company of a record", error))?,
                        retention_days: known.get(&id).or_else(|| deleted.get(&id)).copied().flatten(),
                    })
                });
                keepers.collect()
            },
        )
        .await
    }

    async fn purge(&self, company: CompanyId, before: Timestamp) -> Result<Purged, StoreError> {
        within(
            "delete records whose retention has ended",
            self.options.operator_deadline,
            async {
                let before = date(before);
                let (calls, turns) = self.purge_calls(company, &before).await?;
                let messages = self.purge_messages(&object_id(company), &before).await?;
                Ok(Purged { calls, turns, messages })
            },
        )
        .await
    }

    async fn purge_notices(&self, before: Timestamp) -> Result<PurgedNotices, StoreError> {
        within(
            "delete notifications whose retention has ended",
            self.options.operator_deadline,
            async { self.purge_old_notices(&date(before)).await },
        )
        .await
    }

    async fn purge_leftovers(&self) -> Result<bool, StoreError> {
        within(
            "delete what no record refers to",
            self.options.operator_deadline,
            async {
                let audio = self.purge_audio().await?;
                Ok(self.forget_companies().await? || audio)
            },
        )
        .await
    }
}
