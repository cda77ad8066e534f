//! Q&As: a document each, and one an owner that counts the changes to all of them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use frontdesk_domain::{
    documents::trade::TradeName,
    ids::{CompanyId, QnaId},
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore, companies,
    failure::{Failure, Trouble, within},
    revisions::{After, Before, Json, expect, limit, stored_apart},
    schema::{DELETED_QNAS, QNA_SETS, QNAS},
    transaction::{Transaction, transaction},
    values::{Fields as _, META, int},
};
use crate::{
    common::documents,
    ports::{Changed, Page, QnaOwner, QnaSetSnapshot, QnaStore, Rev, Seq, StoreError, Stored, WriteError, Written},
};

const WHAT: &str = "a Q&A";

fn key(owner: &QnaOwner) -> String {
    match owner {
        QnaOwner::Company(company) => format!("company:{company}"),
        QnaOwner::Trade(trade) => format!("trade:{}", trade.key()),
    }
}

/// The id of a Q&A's document: an owner's name may hold anything, a Q&A's id no slash.
fn document_id(owner: &str, id: &QnaId) -> Bson {
    Bson::String(format!("{owner}/{}", id.as_str()))
}

/// The sets of owners, in their order.
pub(super) async fn sets(store: &MongoStore, owners: &[QnaOwner]) -> Result<Vec<QnaSetSnapshot>, Trouble> {
    let keys: Vec<String> = owners.iter().map(key).collect();
    let revs = store
        .collection(QNA_SETS)
        .find(doc! { "_id": { "$in": keys.clone() } })
        .await?;
    let revs: Vec<Document> = revs.try_collect().await?;
    let qnas = store
        .collection(QNAS)
        .find(doc! { "frontdesk.owner": { "$in": keys.clone() } })
        .sort(doc! { "frontdesk.owner": 1, "frontdesk.position": 1 })
        .await?;
    let qnas: Vec<Document> = qnas.try_collect().await?;
    let mut sets: BTreeMap<String, QnaSetSnapshot> = BTreeMap::new();
    for set in revs {
        let rev = set.count("rev", "a set of Q&As")?;
        sets.entry(set.text("_id", "a set of Q&As")?.to_owned())
            .or_default()
            .rev = rev;
    }
    for qna in qnas {
        let owner = qna.part(META, WHAT)?.text("owner", WHAT)?.to_owned();
        sets.entry(owner).or_default().qnas.push(stored_apart(qna, WHAT)?);
    }
    // Two names of a trade may be one.
    Ok(keys
        .iter()
        .map(|key| sets.get(key).cloned().unwrap_or_default())
        .collect())
}

/// What is there of a Q&A, with its position.
pub(super) async fn before(
    transaction: &mut Transaction<'_>,
    owner: &QnaOwner,
    id: &QnaId,
) -> Result<Option<(Before, Bson)>, Trouble> {
    let Some(found) = transaction.meta(QNAS, document_id(&key(owner), id)).await? else {
        return Ok(None);
    };
    let position = found.part(META, WHAT)?.number("position", WHAT)?;
    Ok(Some((Before::of(&found, WHAT)?, Bson::Int64(position))))
}

pub(super) async fn put(
    transaction: &mut Transaction<'_>,
    owner: &QnaOwner,
    id: &QnaId,
    json: &Json,
    before: Option<Bson>,
    after: After,
) -> Result<Seq, Trouble> {
    let seq = set_changed(transaction, owner).await?;
    let mut meta = after.meta();
    meta.insert("owner", key(owner));
    // A new one comes after all there are: numbers of changes grow.
    meta.insert("position", before.unwrap_or_else(|| int(seq)));
    transaction.put(QNAS, document_id(&key(owner), id), json, meta).await?;
    Ok(seq)
}

async fn set_changed(transaction: &mut Transaction<'_>, owner: &QnaOwner) -> Result<Seq, Trouble> {
    let mut update = doc! { "$inc": { "rev": 1_i64 } };
    if let QnaOwner::Trade(trade) = owner {
        update.insert("$setOnInsert", doc! { "trade": trade.as_str() });
    }
    transaction.upsert(QNA_SETS, doc! { "_id": key(owner) }, update).await?;
    Ok(transaction.note(Changed::Qna(owner.clone())))
}

/// Deletes a company's Q&As and tells so, if there are any.
pub(super) async fn delete_all(transaction: &mut Transaction<'_>, company: CompanyId) -> Result<(), Trouble> {
    let owner = QnaOwner::Company(company);
    transaction.delete(DELETED_QNAS, doc! { "owner": key(&owner) }).await?;
    if transaction
        .delete(QNAS, doc! { "frontdesk.owner": key(&owner) })
        .await?
        > 0
    {
        set_changed(transaction, &owner).await?;
    }
    Ok(())
}

/// Where the page after this Q&A begins, also if it was deleted since.
async fn position(store: &MongoStore, owner: &str, after: &QnaId) -> Result<Bson, Trouble> {
    let id = document_id(owner, after);
    let found = store.collection(QNAS).find_one(doc! { "_id": id.clone() }).await?;
    if let Some(found) = found {
        return Ok(Bson::Int64(found.part(META, WHAT)?.number("position", WHAT)?));
    }
    let deleted = store.collection(DELETED_QNAS).find_one(doc! { "_id": id }).await?;
    // A Q&A that never was: nothing comes after it.
    deleted.map_or(Ok(Bson::Int64(i64::MAX)), |deleted| {
        Ok(Bson::Int64(deleted.number("position", WHAT)?))
    })
}

async fn insert(
    transaction: &mut Transaction<'_>,
    owner: &QnaOwner,
    id: &QnaId,
    json: &Json,
) -> Result<Written, Failure<WriteError>> {
    if let QnaOwner::Company(company) = owner
        && !companies::exists(transaction, *company).await?
    {
        return Err(Failure::Refused(WriteError::NotFound));
    }
    if before(transaction, owner, id).await?.is_some() {
        return Err(Failure::Refused(documents::taken_id("Q&A", "/id", id)));
    }
    let after = After::of(None, transaction.store.now());
    Ok(after.written(put(transaction, owner, id, json, None, after).await?))
}

async fn replace(
    transaction: &mut Transaction<'_>,
    owner: &QnaOwner,
    id: &QnaId,
    json: &Json,
    expected: Rev,
) -> Result<Written, Failure<WriteError>> {
    let (before, position) = before(transaction, owner, id).await?.unzip();
    let before = expect(before, Some(expected)).map_err(Failure::Refused)?;
    let after = After::of(Some(before), transaction.store.now());
    Ok(after.written(put(transaction, owner, id, json, position, after).await?))
}

async fn delete(
    transaction: &mut Transaction<'_>,
    owner: &QnaOwner,
    id: &QnaId,
    expected: Option<Rev>,
) -> Result<Seq, Failure<WriteError>> {
    let (before, position) = before(transaction, owner, id).await?.unzip();
    expect(before, expected).map_err(Failure::Refused)?;
    let (owner_key, id) = (key(owner), document_id(&key(owner), id));
    let kept = doc! { "$set": { "owner": owner_key, "position": position } };
    transaction
        .upsert(DELETED_QNAS, doc! { "_id": id.clone() }, kept)
        .await?;
    transaction.delete(QNAS, doc! { "_id": id }).await?;
    Ok(set_changed(transaction, owner).await?)
}

#[async_trait]
impl QnaStore for MongoStore {
    async fn qna(&self, owner: &QnaOwner, id: &QnaId) -> Result<Option<Stored>, StoreError> {
        within("read a Q&A", self.options.operator_deadline, async {
            let id = document_id(&key(owner), id);
            let found = self.collection(QNAS).find_one(doc! { "_id": id }).await?;
            found.map(|document| stored_apart(document, WHAT)).transpose()
        })
        .await
    }

    async fn qnas(&self, owner: &QnaOwner, page: Page<QnaId>) -> Result<Vec<Stored>, StoreError> {
        within("list Q&As", self.options.operator_deadline, async {
            let owner = key(owner);
            let mut filter = doc! { "frontdesk.owner": &owner };
            if let Some(after) = &page.after {
                filter.insert(
                    "frontdesk.position",
                    doc! { "$gt": position(self, &owner, after).await? },
                );
            }
            let collection = self.collection(QNAS);
            let found = collection.find(filter).sort(doc! { "frontdesk.position": 1 });
            let found: Vec<Document> = found.limit(limit(page.limit)).await?.try_collect().await?;
            found.into_iter().map(|document| stored_apart(document, WHAT)).collect()
        })
        .await
    }

    async fn qna_trades(&self) -> Result<Vec<TradeName>, StoreError> {
        within(
            "list the trades that have Q&As",
            self.options.operator_deadline,
            async {
                let collection = self.collection(QNA_SETS);
                let sets = collection.find(doc! { "trade": { "$exists": true } });
                let sets: Vec<Document> = sets.sort(doc! { "_id": 1 }).await?.try_collect().await?;
                let mut trades = Vec::new();
                for set in sets {
                    let owner = set.text("_id", "a set of Q&As")?;
                    let collection = self.collection(QNAS);
                    let any = collection.find_one(doc! { "frontdesk.owner": owner });
                    if any.projection(doc! { "_id": 1 }).await?.is_some() {
                        trades.push(TradeName::new(set.text("trade", "a set of Q&As")?));
                    }
                }
                Ok(trades)
            },
        )
        .await
    }

    async fn insert_qna(&self, owner: &QnaOwner, id: &QnaId, json: Json) -> Result<Written, WriteError> {
        transaction!(
            self,
            "make a Q&A",
            self.options.operator_deadline,
            |transaction| insert(transaction, owner, id, &json)
        )
        .await
    }

    async fn replace_qna(
        &self,
        owner: &QnaOwner,
        id: &QnaId,
        json: Json,
        expected: Rev,
    ) -> Result<Written, WriteError> {
        transaction!(self, "write a Q&A", self.options.operator_deadline, |transaction| {
            replace(transaction, owner, id, &json, expected)
        })
        .await
    }

    async fn delete_qna(&self, owner: &QnaOwner, id: &QnaId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        transaction!(self, "delete a Q&A", self.options.operator_deadline, |transaction| {
            delete(transaction, owner, id, expected)
        })
        .await
    }
}
