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
    updates::Upsert,
    values::{Fields as _, object_id},
};
use crate::{
    common::rotations::{given, spoken_last},
    ports::{RotationStore, StoreError},
};

const WHAT: &str = "a rotation";

pub(super) fn id_of(company: CompanyId, kind: FallbackKind) -> Document {
    doc! { "_id": id_text(company, kind) }
}

fn id_text(company: CompanyId, kind: FallbackKind) -> String {
    format!("{company}/{}", kind.as_str())
}

/// Whose it is, and of which kind.
pub(super) fn owner(company: CompanyId, kind: FallbackKind) -> Document {
    doc! { "companyId": object_id(company), "kind": kind.as_str() }
}

/// Lets a company's rotations go on where an import says they were. One that runs already goes on as it is.
pub(super) async fn open(
    transaction: &mut Transaction<'_>,
    company: CompanyId,
    last_used: LastUsedIndex,
) -> Result<(), Trouble> {
    for (kind, last) in given(last_used) {
        let mut begun = owner(company, kind);
        begun.extend(doc! { "next": i64::from(last) + 1, "lastSpoken": i64::from(last) });
        let begun = doc! { "$setOnInsert": begun };
        transaction.upsert(ROTATIONS, id_of(company, kind), begun).await?;
    }
    Ok(())
}

/// Notes of each company and kind which variation these turns, in their order, spoke last.
pub(super) async fn note_spoken(store: &MongoStore, turns: &[TurnRecord]) -> Result<(), Trouble> {
    let spoken = spoken_last(turns).into_iter().map(|((company, kind), index)| {
        let mut new = owner(company, kind);
        new.insert("next", 0_i64);
        let update = doc! { "$set": { "lastSpoken": i64::from(index) }, "$setOnInsert": new };
        Upsert {
            query: id_of(company, kind),
            update: update.into(),
        }
    });
    store.upsert_each(ROTATIONS, spoken.collect()).await
}

#[async_trait]
impl RotationStore for MongoStore {
    /// Numbers that were taken for an answer that got lost are never spoken.
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError> {
        within("count a fallback", self.options.turn_deadline, async {
            let (rotations, id) = (self.collection(ROTATIONS), id_of(company, kind));
            let taken = doc! { "$inc": { "next": i64::from(count) } };
            loop {
                let update = rotations.find_one_and_update(id.clone(), taken.clone());
                if let Some(after) = update.return_document(ReturnDocument::After).await? {
                    return Ok(after.count("next", WHAT)?.saturating_sub(count.into()));
                }
                let mut new = owner(company, kind);
                new.insert("next", 0_i64);
                let made = rotations.update_one(id.clone(), doc! { "$setOnInsert": new });
                match made.upsert(true).await {
                    // Another process has made it at the same time.
                    Err(error) if is_taken(&error) => {}
                    made => _ = made?,
                }
            }
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
            let ids = FallbackKind::ALL.map(|kind| id_text(company, kind)).to_vec();
            let found = self.collection(ROTATIONS).find(doc! { "_id": { "$in": ids } }).await?;
            let found: Vec<Document> = found.try_collect().await?;
            let spoken = FallbackKind::ALL.into_iter().filter_map(|kind| {
                let of_kind = |one: &&Document| one.text_or_none("kind") == Some(kind.as_str());
                let last = found.iter().find(of_kind)?.number_or_none("lastSpoken")?;
                Some((kind, u32::try_from(last).ok()?))
            });
            Ok(spoken.collect())
        })
        .await
    }
}
