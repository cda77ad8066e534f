//! The database of a deployment that Frontdesk takes over from: read, never written.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::{
    Client, Database,
    bson::{Bson, Document, doc},
    options::{ReadPreference, SelectionCriteria},
};
use serde_json::{Number, Value, json};

use super::{OpenError, client_options, failure, failure::within, schema};
use crate::{mongo_url::MongoUrl, ports::StoreError};

/// What the names of collections and their sizes are waited for.
const NAMES: Duration = Duration::from_secs(15);

/// What one collection is waited for.
const READ: Duration = Duration::from_mins(5);

/// A database that is read, be it of another system.
#[derive(Debug)]
pub struct ExistingDatabase {
    database: Database,
}

impl ExistingDatabase {
    /// Connects at the first question.
    ///
    /// # Errors
    /// The address is none, or its name is unknown.
    pub async fn open(url: &MongoUrl) -> Result<Self, OpenError> {
        let mut options = client_options(url).await?;
        options.app_name = Some("frontdesk import".to_owned());
        // The deployment goes on working while it is read, from a member that has less to do if there is one.
        options.read_concern = None;
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::SecondaryPreferred {
            options: None,
        }));
        let failed = |error: mongodb::error::Error| OpenError::failed(url.database(), error.into());
        let client = Client::with_options(options).map_err(failed)?;
        Ok(Self {
            database: client.database(url.database()),
        })
    }

    /// The names of its collections in order, and about how many documents each has.
    ///
    /// # Errors
    /// The server does not answer in time, or refuses.
    pub async fn collections(&self) -> Result<Vec<(String, u64)>, StoreError> {
        within("list its collections", NAMES, async {
            let mut names = self.database.list_collection_names().await?;
            names.retain(|name| !name.starts_with("system."));
            names.sort();
            let mut counted = Vec::with_capacity(names.len());
            for name in names {
                let collection = self.database.collection::<Document>(&name);
                let count = collection.estimated_document_count().await?;
                counted.push((name, count));
            }
            Ok(counted)
        })
        .await
    }

    /// Whether a store of Frontdesk is in it.
    ///
    /// # Errors
    /// The server does not answer in time, or refuses.
    pub async fn is_ours(&self) -> Result<bool, StoreError> {
        within("be read", NAMES, async {
            let schema = self.database.collection::<Document>(schema::SCHEMA);
            let ours = schema
                .find_one(doc! { "_id": "schema", "version": { "$exists": true } })
                .await?;
            Ok(ours.is_some())
        })
        .await
    }

    /// One document of a collection, as relaxed Extended JSON.
    ///
    /// # Errors
    /// The server does not answer in time, or refuses.
    pub async fn sample(&self, collection: &str) -> Result<Option<Value>, StoreError> {
        within("be read", NAMES, async {
            let found = self
                .database
                .collection::<Document>(collection)
                .find_one(doc! {})
                .await?;
            Ok(found.map(json))
        })
        .await
    }

    /// All documents of a collection by their ids, as relaxed Extended JSON.
    ///
    /// # Errors
    /// The server does not answer in time, or refuses.
    pub async fn documents(&self, collection: &str) -> Result<Vec<Value>, StoreError> {
        within("be read", READ, async {
            let collection = self.database.collection::<Document>(collection);
            let mut cursor = collection.find(doc! {}).sort(doc! { "_id": 1 }).await?;
            let mut documents = Vec::new();
            while let Some(document) = cursor.try_next().await? {
                documents.push(json(document));
            }
            Ok::<_, failure::Trouble>(documents)
        })
        .await
    }
}

fn json(document: Document) -> Value {
    Value::Object(document.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

/// A value as JSON; dates, decimals and what JSON has no word for as Extended JSON.
fn plain(value: Bson) -> Value {
    match value {
        Bson::Null | Bson::Undefined => Value::Null,
        Bson::Boolean(value) => Value::Bool(value),
        Bson::Int32(value) => value.into(),
        Bson::Int64(value) => value.into(),
        // What is no number in JSON is told by its name.
        Bson::Double(value) => {
            Number::from_f64(value).map_or_else(|| json!({ "$numberDouble": value.to_string() }), Value::Number)
        }
        Bson::String(text) | Bson::Symbol(text) => Value::String(text),
        Bson::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Bson::Document(document) => json(document),
        Bson::ObjectId(id) => json!({ "$oid": id.to_hex() }),
        Bson::DateTime(at) => json!({ "$date": at.timestamp_millis() }),
        Bson::Decimal128(value) => json!({ "$numberDecimal": value.to_string() }),
        // No field that Frontdesk has is one of these.
        other => json!({ "$bson": format!("{:?}", other.element_type()) }),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, Decimal128, oid::ObjectId};

    use super::*;

    #[test]
    fn every_kind_of_value_becomes_json_without_loss() {
        let amount: Decimal128 = "145.500000000001".parse().unwrap();
        let id = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
        let document = doc! {
            "_id": id, "spent": amount, "at": DateTime::from_millis(1_793_491_200_500), "threshold": 0.7,
            "count": 3_i32, "large": i64::MAX, "odd": f64::NAN, "list": [Bson::Null, true, { "a": "b" }],
        };
        let want = json!({
            "_id": { "$oid": "507f1f77bcf86cd799439011" },
            "spent": { "$numberDecimal": "145.500000000001" },
            "at": { "$date": 1_793_491_200_500_i64 },
            "threshold": 0.7,
            "count": 3,
            "large": i64::MAX,
            "odd": { "$numberDouble": "NaN" },
            "list": [null, true, { "a": "b" }],
        });
        assert_eq!(json(document), want);
    }
}
