//! The change feed: a counter, and what each number changed.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore,
    failure::{Trouble, within},
    schema::{CHANGES, COUNTERS},
    transaction::Transaction,
    values::{Fields as _, date, int},
};
use crate::{
    common::changed::{self, CLEAR_EVERY, REMEMBERED},
    ports::{ChangeFeed, Changed, Seq, StoreError},
};

/// The counter whose `seq` is the number of the newest change.
pub(super) const COUNTER: &str = "changes";

/// Writes what a transaction has changed; the newest change has this number.
pub(super) async fn write(transaction: &mut Transaction<'_>, changes: &[Changed], newest: Seq) -> Result<(), Trouble> {
    let at = transaction.store.now();
    let first = newest + 1 - changes.len() as u64;
    let documents = (first..).zip(changes).map(|(seq, changed)| {
        let (kind, id) = changed::to_words(changed);
        doc! { "_id": int(seq), "kind": kind, "id": id, "at": date(at) }
    });
    let counters = transaction.collection(COUNTERS);
    counters
        .update_one(
            doc! { "_id": COUNTER },
            doc! { "$set": { "seq": int(newest) }, "$inc": { "transactions": 1_i64 } },
        )
        .session(&mut transaction.session)
        .await?;
    let collection = transaction.collection(CHANGES);
    collection
        .insert_many(documents)
        .session(&mut transaction.session)
        .await?;
    if first / CLEAR_EVERY < (newest + 1) / CLEAR_EVERY {
        let oldest = int(newest.saturating_sub(REMEMBERED));
        collection
            .delete_many(doc! { "_id": { "$lte": oldest } })
            .session(&mut transaction.session)
            .await?;
    }
    Ok(())
}

pub(super) fn newest_of(counter: &Document) -> Result<Seq, Trouble> {
    match counter.get("seq") {
        None | Some(Bson::Null) => Ok(0),
        Some(_) => counter.count("seq", "the number of the newest change"),
    }
}

/// The number of the newest change. What is read after it holds every change up to it.
pub(super) async fn newest(store: &MongoStore) -> Result<Seq, Trouble> {
    let counter = store.collection(COUNTERS).find_one(doc! { "_id": COUNTER }).await?;
    counter.map_or(Ok(0), |counter| newest_of(&counter))
}

#[async_trait]
impl ChangeFeed for MongoStore {
    async fn newest(&self) -> Result<Seq, StoreError> {
        within("tell its newest change", self.options.turn_deadline, newest(self)).await
    }

    async fn changes_after(&self, seq: Seq) -> Result<Vec<(Seq, Changed)>, StoreError> {
        within("tell what changed", self.options.turn_deadline, async {
            let newest = newest(self).await?;
            if newest <= seq {
                return Ok(Vec::new());
            }
            let found = self
                .collection(CHANGES)
                .find(doc! { "_id": { "$gt": int(seq), "$lte": int(newest) } })
                .sort(doc! { "_id": 1 })
                .await?;
            let found: Vec<Document> = found.try_collect().await?;
            let mut changes = Vec::with_capacity(found.len() + 1);
            for change in found {
                let (kind, id) = (change.text("kind", "a change")?, change.text("id", "a change")?);
                changes.push((change.count("_id", "a change")?, changed::from_words(kind, id)));
            }
            let first = changes.first().map_or(newest + 1, |(first, _)| *first);
            // Numbers have no gaps: what is missing at the start was cleared away.
            if first > seq + 1 {
                changes.insert(0, (first - 1, Changed::Everything));
            }
            Ok(changes)
        })
        .await
    }
}
