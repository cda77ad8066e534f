//! Templates.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use frontdesk_domain::{
    documents::trade::TradeName,
    ids::{CompanyId, TemplateId},
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};

use super::{
    MongoStore,
    failure::{Failure, Trouble, within},
    revisions::{self, After, Before, Json, expect, limit},
    schema::{COMPANIES, TEMPLATES},
    transaction::{Transaction, transaction},
    values::{Fields as _, META, object_id},
};
use crate::{
    common::documents,
    ports::{
        CatalogueTemplate, Changed, KnownTemplates, Page, Rev, Seq, Stamp, StoreError, Stored, TemplateState,
        TemplateStore, WriteError, Written,
    },
};

const WHAT: &str = "a template";

/// Those of these templates that there are, by id.
pub(super) async fn find_all(store: &MongoStore, ids: &[TemplateId]) -> Result<BTreeMap<TemplateId, Stored>, Trouble> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<Bson> = ids.iter().map(object_id).collect();
    let found = store
        .collection(TEMPLATES)
        .find(doc! { "_id": { "$in": wanted } })
        .await?;
    let found: Vec<Document> = found.try_collect().await?;
    let found = found.into_iter().map(|document| {
        let id = document.id("_id", WHAT)?;
        Ok((id, revisions::stored(document, WHAT)?))
    });
    found.collect()
}

/// Templates, of some of which something is known: those are looked at first and read only if they are another.
pub(super) async fn states(
    store: &MongoStore,
    ids: &[TemplateId],
    known: &KnownTemplates,
) -> Result<BTreeMap<TemplateId, TemplateState>, Trouble> {
    let looked_at: Vec<_> = ids.iter().filter(|id| known.contains_key(id)).copied().collect();
    let stamps = stamps(store, &looked_at).await?;
    let is_known = |id: &TemplateId| known.get(id).is_some_and(|known| stamps.get(id) == Some(known));
    let (same, others): (Vec<TemplateId>, Vec<_>) = ids.iter().copied().partition(is_known);
    let read = find_all(store, &others).await?;
    let read = read.into_iter().map(|(id, stored)| (id, TemplateState::Read(stored)));
    Ok(same
        .into_iter()
        .map(|id| (id, TemplateState::Known))
        .chain(read)
        .collect())
}

async fn stamps(store: &MongoStore, ids: &[TemplateId]) -> Result<BTreeMap<TemplateId, Stamp>, Trouble> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<Bson> = ids.iter().map(object_id).collect();
    let collection = store.collection(TEMPLATES);
    let found = collection.find(doc! { "_id": { "$in": wanted } });
    let found = found.projection(revisions::fields()).await?;
    let found: Vec<Document> = found.try_collect().await?;
    let found = found.into_iter().map(|document| {
        let id = document.id("_id", WHAT)?;
        Ok((id, revisions::stamp(&document, WHAT)?))
    });
    found.collect()
}

pub(super) async fn before(transaction: &mut Transaction<'_>, id: TemplateId) -> Result<Option<Before>, Trouble> {
    let found = transaction.meta(TEMPLATES, object_id(id)).await?;
    found.map(|document| Before::of(&document, WHAT)).transpose()
}

pub(super) async fn put(
    transaction: &mut Transaction<'_>,
    id: TemplateId,
    json: &Json,
    after: After,
) -> Result<Seq, Trouble> {
    transaction.put(TEMPLATES, object_id(id), json, after.meta()).await?;
    Ok(transaction.note(Changed::Template(id)))
}

/// The companies that refer to a template.
async fn users(transaction: &mut Transaction<'_>, id: TemplateId) -> Result<Vec<(CompanyId, Arc<str>)>, Trouble> {
    let collection = transaction.collection(COMPANIES);
    let mut found = collection
        .find(doc! { "frontdesk.templates": object_id(id) })
        .projection(doc! { "name": 1 })
        .sort(doc! { "_id": 1 })
        .session(&mut transaction.session)
        .await?;
    let found: Vec<Document> = found.stream(&mut transaction.session).try_collect().await?;
    let found = found.iter().map(|company| {
        let id = company.id("_id", "a company")?;
        Ok((id, company.text("name", "a company")?.into()))
    });
    found.collect()
}

/// All templates, and the trades of those who refer to each.
pub(super) async fn catalogue(store: &MongoStore) -> Result<Vec<CatalogueTemplate>, Trouble> {
    let companies = store
        .collection(COMPANIES)
        .find(doc! { "frontdesk.templates.0": { "$exists": true } })
        .projection(doc! { "frontdesk.templates": 1, "frontdesk.trades": 1 })
        .await?;
    let companies: Vec<Document> = companies.try_collect().await?;
    let mut users: BTreeMap<ObjectId, BTreeSet<Vec<&str>>> = BTreeMap::new();
    for company in &companies {
        let meta = company.part(META, "a company")?;
        let texts = |name| meta.get_array(name).map(Vec::as_slice).unwrap_or_default();
        let trades: Vec<&str> = texts("trades").iter().filter_map(Bson::as_str).collect();
        for template in texts("templates").iter().filter_map(Bson::as_object_id) {
            users.entry(template).or_default().insert(trades.clone());
        }
    }
    let templates = store
        .collection(TEMPLATES)
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await?;
    let templates: Vec<Document> = templates.try_collect().await?;
    let listed = templates.into_iter().map(|document| {
        let of = document.get_object_id("_id").ok();
        let trades = of.and_then(|id| users.get(&id)).into_iter().flatten();
        let names = |trades: &Vec<&str>| trades.iter().map(|trade| TradeName::new(trade)).collect();
        Ok(CatalogueTemplate {
            id: document.id("_id", WHAT)?,
            users: trades.map(names).collect(),
            stored: revisions::stored(document, WHAT)?,
        })
    });
    listed.collect()
}

async fn insert(
    transaction: &mut Transaction<'_>,
    id: TemplateId,
    json: &Json,
) -> Result<Written, Failure<WriteError>> {
    if before(transaction, id).await?.is_some() {
        return Err(Failure::Refused(documents::taken_id("template", "/_id", &id)));
    }
    let after = After::of(None, transaction.store.now());
    Ok(after.written(put(transaction, id, json, after).await?))
}

async fn replace(
    transaction: &mut Transaction<'_>,
    id: TemplateId,
    json: &Json,
    expected: Rev,
) -> Result<Written, Failure<WriteError>> {
    let before = expect(before(transaction, id).await?, Some(expected)).map_err(Failure::Refused)?;
    let after = After::of(Some(before), transaction.store.now());
    Ok(after.written(put(transaction, id, json, after).await?))
}

async fn delete(
    transaction: &mut Transaction<'_>,
    id: TemplateId,
    expected: Option<Rev>,
) -> Result<Seq, Failure<WriteError>> {
    expect(before(transaction, id).await?, expected).map_err(Failure::Refused)?;
    let users = users(transaction, id).await?;
    if !users.is_empty() {
        return Err(Failure::Refused(WriteError::InUse(users)));
    }
    transaction.delete(TEMPLATES, doc! { "_id": object_id(id) }).await?;
    Ok(transaction.note(Changed::Template(id)))
}

#[async_trait]
impl TemplateStore for MongoStore {
    async fn template(&self, id: TemplateId) -> Result<Option<Stored>, StoreError> {
        within("read a template", self.options.operator_deadline, async {
            Ok(find_all(self, &[id]).await?.remove(&id))
        })
        .await
    }

    async fn templates(&self, page: Page<TemplateId>) -> Result<Vec<Stored>, StoreError> {
        within("list templates", self.options.operator_deadline, async {
            let after = page.after.map(|id| doc! { "_id": { "$gt": object_id(id) } });
            let collection = self.collection(TEMPLATES);
            let found = collection.find(after.unwrap_or_default());
            let found = found.sort(doc! { "_id": 1 }).limit(limit(page.limit)).await?;
            let found: Vec<Document> = found.try_collect().await?;
            found
                .into_iter()
                .map(|document| revisions::stored(document, WHAT))
                .collect()
        })
        .await
    }

    async fn insert_template(&self, id: TemplateId, json: Json) -> Result<Written, WriteError> {
        transaction!(self, "make a template", self.options.operator_deadline, |transaction| {
            insert(transaction, id, &json)
        })
        .await
    }

    async fn replace_template(&self, id: TemplateId, json: Json, expected: Rev) -> Result<Written, WriteError> {
        transaction!(
            self,
            "write a template",
            self.options.operator_deadline,
            |transaction| replace(transaction, id, &json, expected)
        )
        .await
    }

    async fn delete_template(&self, id: TemplateId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        transaction!(
            self,
            "delete a template",
            self.options.operator_deadline,
            |transaction| delete(transaction, id, expected)
        )
        .await
    }
}
