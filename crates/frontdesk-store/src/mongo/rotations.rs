//! The rotation of fallbacks: a counter a company and kind.

use async_trait::async_trait;
use frontdesk_domain::{decision::FallbackKind, documents::company::LastUsedIndex, ids::CompanyId, record::TurnRecord};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Document, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore,
    failure::{Trouble, is_taken, within},
    schema::ROTATIONS,
    transaction::Transaction,
    values::{Fields as _, object_id},
};
use crate::{
    common::rotations::{given, spoken_last},
    ports::{RotationStore, StoreError},
};

const WHAT: &str = "a rotation";

fn id_of(company: CompanyId, kind: FallbackKind) -> Document {
    doc! { "_id": { "company": object_id(company), "kind": kind.as_str() } }
}

/// Lets a company's rotations go on where an import says they were. One that runs already goes on as it is.
pub(super) async fn open(
    transaction: &mut Transaction<'_>,
    company: CompanyId,
    last_used: LastUsedIndex,
) -> Result<(), Trouble> {
    for (kind, last) in given(last_used) {
        let begun = doc! {
            "companyId": object_id(company), "next": i64::from(last) + 1, "lastSpoken": i64::from(last),
        };
        let begun = doc! { "$setOnInsert": begun };
        transaction.upsert(ROTATIONS, id_of(company, kind), begun).await?;
    }
    Ok(())
}

/// Notes of each company and kind which variation these turns, in their order, spoke last.
pub(super) async fn note_spoken(store: &MongoStore, turns: &[TurnRecord]) -> Result<(), Trouble> {
    for ((company, kind), index) in spoken_last(turns) {
        let spoken = doc! { "$set": { "lastSpoken": i64::from(index) } };
        update(store, company, kind, spoken).await?;
    }
    Ok(())
}

/// Updates a rotation, which is made if it is not there; gives it as it is then.
async fn update(
    store: &MongoStore,
    company: CompanyId,
    kind: FallbackKind,
    update: Document,
) -> Result<Document, Trouble> {
    let rotations = store.collection(ROTATIONS);
    let id = id_of(company, kind);
    loop {
        let updated = rotations.find_one_and_update(id.clone(), update.clone());
        if let Some(rotation) = updated.return_document(ReturnDocument::After).await? {
            return Ok(rotation);
        }
        let new = doc! { "$setOnInsert": { "companyId": object_id(company), "next": 0_i64 } };
        match rotations.update_one(id.clone(), new).upsert(true).await {
            // Another process has made it at the same time.
            Err(error) if is_taken(&error) => {}
            made => _ = made?,
        }
    }
}

#[async_trait]
impl RotationStore for MongoStore {
    /// Numbers that were taken for an answer that got lost are never spoken.
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError> {
        within("count a fallback", self.options.turn_deadline, async {
            let taken = doc! { "$inc": { "next": i64::from(count) } };
            let after = update(self, company, kind, taken).await?;
            Ok(after.count("next", WHAT)?.saturating_sub(count.into()))
        })
        .await
    }

    async fn peek_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        within("read a rotation", self.options.turn_deadline, async {
            let found = self.collection(ROTATIONS).find_one(id_of(company, kind)).await?;
            found.map_or(Ok(0), |found| found.count("next", WHAT))
        })
        .await
    }

    async fn last_spoken(&self, company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
        within("read what was spoken last", self.options.operator_deadline, async {
            let ids: Vec<_> = FallbackKind::ALL
                .iter()
                .filter_map(|kind| id_of(company, *kind).remove("_id"))
                .collect();
            let found = self.collection(ROTATIONS).find(doc! { "_id": { "$in": ids } }).await?;
            let found: Vec<Document> = found.try_collect().await?;
            let spoken = FallbackKind::ALL.into_iter().filter_map(|kind| {
                let of_kind = |one: &&Document| {
                    one.part("_id", WHAT)
                        .is_ok_and(|id| id.text_or_none("kind") == Some(kind.as_str()))
                };
                let last = found.iter().find(of_kind)?.number_or_none("lastSpoken")?;
                Some((kind, u32::try_from(last).ok()?))
            });
            Ok(spoken.collect())
        })
        .await
    }
}
