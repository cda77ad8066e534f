//! Overlays, safety rules, prompts.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore, companies,
    failure::{Failure, Trouble, within},
    revisions::{After, Before, Json, stored_apart},
    schema::{OVERLAYS, PLATFORM},
    transaction::{Transaction, transaction},
    values::{Fields as _, object_id},
};
use crate::ports::{Changed, Rev, Seq, Singleton, SingletonStore, StoreError, Stored, WriteError, Written};

/// Before the language of prompts, in the id of their document.
const PROMPTS: &str = "prompts:";

/// In which collection it is, and under which id.
fn place(which: &Singleton) -> (&'static str, Bson) {
    match which {
        Singleton::Overlay(company) => (OVERLAYS, object_id(company)),
        Singleton::Safety => (PLATFORM, Bson::String("safety".to_owned())),
        Singleton::Prompts(language) => (PLATFORM, Bson::String(format!("{PROMPTS}{language}"))),
    }
}

const fn what(which: &Singleton) -> &'static str {
    match which {
        Singleton::Overlay(_) => "an overlay",
        Singleton::Safety => "the safety rules",
        Singleton::Prompts(_) => "prompts",
    }
}

pub(super) async fn find(store: &MongoStore, which: &Singleton) -> Result<Option<Stored>, Trouble> {
    let (collection, id) = place(which);
    let found = store.collection(collection).find_one(doc! { "_id": id }).await?;
    found.map(|document| stored_apart(document, what(which))).transpose()
}

pub(super) async fn all_prompts(store: &MongoStore) -> Result<Vec<(Arc<str>, Stored)>, Trouble> {
    let found = store.collection(PLATFORM).find(doc! {}).sort(doc! { "_id": 1 }).await?;
    let found: Vec<Document> = found.try_collect().await?;
    let prompts = found.into_iter().filter_map(|document| {
        let language: Arc<str> = document.text_or_none("_id")?.strip_prefix(PROMPTS)?.into();
        Some(stored_apart(document, "prompts").map(|stored| (language, stored)))
    });
    prompts.collect()
}

pub(super) async fn before(transaction: &mut Transaction<'_>, which: &Singleton) -> Result<Option<Before>, Trouble> {
    let (collection, id) = place(which);
    let found = transaction.meta(collection, id).await?;
    found.map(|document| Before::of(&document, what(which))).transpose()
}

pub(super) async fn put(
    transaction: &mut Transaction<'_>,
    which: &Singleton,
    json: &Json,
    after: After,
) -> Result<Seq, Trouble> {
    let (collection, id) = place(which);
    transaction.put(collection, id, json, after.meta()).await?;
    Ok(transaction.note(Changed::Singleton(which.clone())))
}

/// Deletes it and tells so, if it is there.
pub(super) async fn delete(transaction: &mut Transaction<'_>, which: &Singleton) -> Result<(), Trouble> {
    let (collection, id) = place(which);
    if transaction.delete(collection, doc! { "_id": id }).await? > 0 {
        transaction.note(Changed::Singleton(which.clone()));
    }
    Ok(())
}

async fn put_expected(
    transaction: &mut Transaction<'_>,
    which: &Singleton,
    json: &Json,
    expected: Option<Rev>,
) -> Result<Written, Failure<WriteError>> {
    if let Singleton::Overlay(company) = which
        && !companies::exists(transaction, *company).await?
    {
        return Err(Failure::Refused(WriteError::NotFound));
    }
    let before = before(transaction, which).await?;
    let current = before.map_or(0, |before| before.rev);
    if expected.is_some_and(|expected| expected != current) {
        return Err(Failure::Refused(WriteError::Stale { current }));
    }
    let after = After::of(before, transaction.store.now());
    Ok(after.written(put(transaction, which, json, after).await?))
}

#[async_trait]
impl SingletonStore for MongoStore {
    async fn singleton(&self, which: &Singleton) -> Result<Option<Stored>, StoreError> {
        within("read a document", self.options.operator_deadline, find(self, which)).await
    }

    async fn put_singleton(&self, which: &Singleton, json: Json, expected: Option<Rev>) -> Result<Written, WriteError> {
        transaction!(
            self,
            "write a document",
            self.options.operator_deadline,
            |transaction| put_expected(transaction, which, &json, expected)
        )
        .await
    }

    async fn prompt_languages(&self) -> Result<Vec<Arc<str>>, StoreError> {
        within("list the languages of prompts", self.options.operator_deadline, async {
            let collection = self.collection(PLATFORM);
            let found = collection.find(doc! {}).projection(doc! { "_id": 1 });
            let found: Vec<Document> = found.sort(doc! { "_id": 1 }).await?.try_collect().await?;
            let languages = found
                .iter()
                .filter_map(|document| document.text_or_none("_id")?.strip_prefix(PROMPTS));
            Ok(languages.map(Into::into).collect())
        })
        .await
    }
}
