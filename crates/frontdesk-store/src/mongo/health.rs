//! The history of checks, the instances, and what checks look at.

use async_trait::async_trait;
use frontdesk_domain::{alert::AlertCode, analytics::Slot, ids::HealthEntryId, time::Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore,
    failure::{Trouble, damaged, is_taken, within},
    revisions::limit,
    schema::{HEALTH_HISTORY, HEALTH_INSTANCES, NOTIFICATIONS},
    values::{self, Fields as _, date, int, object_id, word},
};
use crate::{
    common::analytics::FallbackCounts,
    ports::{
        AnalyticsStore as _, FallbackCount, HealthEntry, HealthFilter, HealthStore, InstanceHealth, Page, PartHealth,
        StoreError, Unresolved,
    },
};

const ENTRY: &str = "what a check found";
const INSTANCE: &str = "an instance";

/// So many entries are deleted at once.
const BATCH: i64 = 1_000;

fn document(entry: &HealthEntry) -> Document {
    doc! {
        "_id": object_id(entry.id),
        "instance": &*entry.instance,
        "check": &*entry.check,
        "at": date(entry.at),
        "state": entry.state.as_str(),
        "detail": &*entry.detail,
        "isChange": entry.is_change,
    }
}

fn entry(document: &Document) -> Result<HealthEntry, Trouble> {
    Ok(HealthEntry {
        id: document.id("_id", ENTRY)?,
        instance: document.text("instance", ENTRY)?.into(),
        check: document.text("check", ENTRY)?.into(),
        at: document.time("at", ENTRY)?,
        state: word(document.text("state", ENTRY)?, "the state of a check")?,
        detail: document.text("detail", ENTRY)?.into(),
        is_change: document.get_bool("isChange").unwrap_or_default(),
    })
}

fn instance(mut document: Document) -> Result<InstanceHealth, Trouble> {
    let parts = document.remove("parts").unwrap_or_default();
    let parts: Vec<PartHealth> = serde_json::from_value(values::from_bson(parts, INSTANCE)?)
        .map_err(|error| damaged("the parts of an instance", error))?;
    Ok(InstanceHealth {
        instance: document.text("_id", INSTANCE)?.into(),
        beat: document.count("beat", INSTANCE)?,
        at: document.time("at", INSTANCE)?,
        parts,
    })
}

impl MongoStore {
    async fn list_health(&self, filter: &HealthFilter, page: Page<HealthEntryId>) -> Result<Vec<HealthEntry>, Trouble> {
        let mut conditions = Document::new();
        if let Some(after) = page.after {
            conditions.insert("_id", doc! { "$lt": object_id(after) });
        }
        if let Some(check) = &filter.check {
            conditions.insert("check", &**check);
        }
        let mut at = Document::new();
        if let Some(from) = filter.from {
            at.insert("$gte", date(from));
        }
        if let Some(to) = filter.to {
            at.insert("$lt", date(to));
        }
        if !at.is_empty() {
            conditions.insert("at", at);
        }
        let found = self
            .collection(HEALTH_HISTORY)
            .find(conditions)
            .sort(doc! { "_id": -1 })
            .limit(limit(page.limit))
            .await?;
        let found: Vec<Document> = found.try_collect().await?;
        found.iter().map(entry).collect()
    }
}

#[async_trait]
impl HealthStore for MongoStore {
    async fn keep_health(&self, entries: Vec<HealthEntry>) -> Result<(), StoreError> {
        within("keep what checks found", self.options.operator_deadline, async {
            if entries.is_empty() {
                return Ok(());
            }
            let documents: Vec<Document> = entries.iter().map(document).collect();
            match self
                .collection(HEALTH_HISTORY)
                .insert_many(documents)
                .ordered(false)
                .await
            {
                // What is there already stays as it is.
                Err(error) if is_taken(&error) => Ok(()),
                done => Ok(done.map(drop)?),
            }
        })
        .await
    }

    async fn health_history(
        &self,
        filter: &HealthFilter,
        page: Page<HealthEntryId>,
    ) -> Result<Vec<HealthEntry>, StoreError> {
        within(
            "list what checks found",
            self.options.operator_deadline,
            self.list_health(filter, page),
        )
        .await
    }

    async fn purge_health(&self, before: Timestamp) -> Result<u64, StoreError> {
        within(
            "delete what checks found long ago",
            self.options.operator_deadline,
            async {
                let history = self.collection(HEALTH_HISTORY);
                let old = doc! { "at": { "$lt": date(before) } };
                let found = history
                    .find(old.clone())
                    .limit(BATCH)
                    .projection(doc! { "_id": 1 })
                    .await?;
                let found: Vec<Document> = found.try_collect().await?;
                let ids: Vec<Bson> = found.iter().filter_map(|entry| entry.get("_id").cloned()).collect();
                let entries = history.delete_many(doc! { "_id": { "$in": ids } }).await?;
                let instances = self.collection(HEALTH_INSTANCES).delete_many(old).await?;
                Ok(entries.deleted_count + instances.deleted_count)
            },
        )
        .await
    }

    async fn put_instance(&self, health: InstanceHealth) -> Result<(), StoreError> {
        within("note how an instance is", self.options.turn_deadline, async {
            let InstanceHealth {
                instance,
                beat,
                at,
                parts,
            } = health;
            let parts = serde_json::to_value(&parts).map_err(|error| damaged(INSTANCE, error))?;
            let update = doc! { "$set": { "beat": int(beat), "at": date(at), "parts": values::to_bson(&parts) } };
            self.collection(HEALTH_INSTANCES)
                .update_one(doc! { "_id": &*instance }, update)
                .upsert(true)
                .await?;
            Ok(())
        })
        .await
    }

    async fn remove_instance(&self, instance: &str) -> Result<(), StoreError> {
        within("forget an instance", self.options.turn_deadline, async {
            let instances = self.collection(HEALTH_INSTANCES);
            instances.delete_one(doc! { "_id": instance }).await?;
            Ok(())
        })
        .await
    }

    async fn instances(&self, since: Timestamp) -> Result<Vec<InstanceHealth>, StoreError> {
        within("list the instances", self.options.operator_deadline, async {
            let found = self
                .collection(HEALTH_INSTANCES)
                .find(doc! { "at": { "$gte": date(since) } })
                .sort(doc! { "_id": 1 })
                .await?;
            let found: Vec<Document> = found.try_collect().await?;
            found.into_iter().map(instance).collect()
        })
        .await
    }

    async fn fallback_counts(&self, from: Slot, turns: u64) -> Result<Vec<FallbackCount>, StoreError> {
        self.count_turns().await?;
        within("count fallbacks", self.options.operator_deadline, async {
            let mut counts = FallbackCounts::default();
            self.each_company(from, |company, rollup| counts.add(company, rollup))
                .await?;
            Ok(counts.finish(turns))
        })
        .await
    }

    async fn unresolved(&self, codes: &[AlertCode]) -> Result<Vec<Unresolved>, StoreError> {
        within("list what is not resolved", self.options.operator_deadline, async {
            let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            let found = self
                .collection(NOTIFICATIONS)
                .find(doc! { "unresolved": { "$exists": true }, "code": { "$in": codes } })
                .projection(doc! { "code": 1, "companyId": 1, "lastAt": 1, "details": 1 })
                .await?;
            let found: Vec<Document> = found.try_collect().await?;
            let unresolved = found.into_iter().map(|mut one| {
                const WHAT: &str = "a notification";
                let details = one.remove("details").unwrap_or_default();
                let has_company = !matches!(one.get("companyId"), None | Some(Bson::Null));
                Ok(Unresolved {
                    code: word(one.text("code", WHAT)?, "an alert code")?,
                    company: has_company.then(|| one.id("companyId", WHAT)).transpose()?,
                    details: values::from_bson(details, WHAT)?,
                    last_at: one.time("lastAt", WHAT)?,
                })
            });
            unresolved.collect()
        })
        .await
    }

    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError> {
        within("tell the time", self.options.turn_deadline, async {
            let said = self.database.run_command(doc! { "hello": 1 }).await?;
            // Not every server that speaks the protocol tells it.
            said.time_or_none("localTime")
        })
        .await
    }
}
