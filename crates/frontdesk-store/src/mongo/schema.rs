//! Collections, their indexes, and the version of both.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use mongodb::{
    Client, Database, IndexModel,
    bson::{Bson, Document, doc, oid::ObjectId},
    error::ErrorKind,
    options::IndexOptions,
};

use super::{
    OpenError, changes,
    failure::{Trouble, is_taken},
    values::Fields as _,
};

pub(super) const COMPANIES: &str = "companies";
pub(super) const TEMPLATES: &str = "templates";
pub(super) const QNAS: &str = "qnas";
pub(super) const QNA_SETS: &str = "qna_sets";
pub(super) const DELETED_QNAS: &str = "deleted_qnas";
pub(super) const OVERLAYS: &str = "overlays";
pub(super) const PLATFORM: &str = "platform";
pub(super) const CHANGES: &str = "changes";
pub(super) const COUNTERS: &str = "counters";
pub(super) const CALLS: &str = "calls";
pub(super) const TURNS: &str = "turns";
pub(super) const ROLLUPS: &str = "rollups";
pub(super) const MISSES: &str = "misses";
pub(super) const MESSAGES: &str = "messages";
pub(super) const AUDIO_PARTS: &str = "audio_parts";
pub(super) const DELETED_COMPANIES: &str = "deleted_companies";
pub(super) const NOTIFICATIONS: &str = "notifications";
pub(super) const CONTACTS: &str = "contacts";
pub(super) const OUTBOX: &str = "outbox";
pub(super) const ROTATIONS: &str = "rotations";
pub(super) const ACCOUNTS: &str = "ledger_accounts";
pub(super) const ENTRIES: &str = "ledger_entries";
pub(super) const LEASES: &str = "leases";
pub(super) const HEALTH_HISTORY: &str = "health_history";
pub(super) const HEALTH_INSTANCES: &str = "health_instances";
pub(super) const PINGS: &str = "pings";
pub(super) const SCHEMA: &str = "schema";

/// The newest version that this build knows, and makes.
pub(super) const VERSION: i64 = 4;

/// The oldest version whose builds read and write what this one writes, without loss. Raise it with [`VERSION`] only for
/// a change that they would break: builds of both work side by side while instances are updated one after the other.
const OLDEST_READER: i64 = 4;

/// Since this version every id is a value of one field.
const TEXT_IDS: i64 = 4;

/// So many documents are read at once when their ids are written anew.
const CONVERTED_AT_ONCE: i64 = 500;

/// Indexes of earlier versions that nobody reads any more, by collection. What only they were for stays in the documents
/// of then: to take it away would write each of them again.
const OUTDATED: [(&str, &str); 1] = [(TURNS, "at_1_counted_1_companyId_1")];

/// The collections without an index of their own; the others are made with theirs. All are there before the first
/// transaction, so that none has to make one.
const PLAIN: [&str; 13] = [
    TEMPLATES,
    QNA_SETS,
    DELETED_QNAS,
    OVERLAYS,
    PLATFORM,
    CHANGES,
    DELETED_COMPANIES,
    CONTACTS,
    ROTATIONS,
    LEASES,
    HEALTH_INSTANCES,
    PINGS,
    COUNTERS,
];

struct Index {
    collection: &'static str,
    keys: Document,
    /// No two documents have the same keys; of those that the filter lets through, if there is one.
    is_unique: bool,
    filter: Option<Document>,
}

impl Index {
    fn on(collection: &'static str, keys: Document) -> Self {
        Self {
            collection,
            keys,
            is_unique: false,
            filter: None,
        }
    }

    fn unique(self) -> Self {
        Self {
            is_unique: true,
            ..self
        }
    }

    fn of(self, filter: Document) -> Self {
        Self {
            filter: Some(filter),
            ..self
        }
    }
}

fn indexes() -> Vec<Index> {
    vec![
        // Every number belongs to one company.
        Index::on(COMPANIES, doc! { "frontdesk.numbers": 1 })
            .unique()
            .of(doc! { "frontdesk.numbers": { "$exists": true } }),
        Index::on(COMPANIES, doc! { "frontdesk.templates": 1 }),
        Index::on(QNAS, doc! { "frontdesk.owner": 1, "frontdesk.position": 1 }),
        Index::on(CALLS, doc! { "companyId": 1, "startedAt": -1, "callId": -1 }),
        Index::on(CALLS, doc! { "startedAt": -1, "_id": -1 }),
        Index::on(TURNS, doc! { "companyId": 1, "callId": 1, "turn": 1 }),
        Index::on(HEALTH_HISTORY, doc! { "check": 1, "_id": -1 }),
        Index::on(HEALTH_HISTORY, doc! { "at": 1 }),
        Index::on(TURNS, doc! { "uncounted": 1 }).of(doc! { "uncounted": { "$exists": true } }),
        Index::on(ROLLUPS, doc! { "scope": 1, "slot": 1 }),
        // For the fallback rate of all companies. A roll-up's quarter never changes, so only a new one costs something.
        Index::on(ROLLUPS, doc! { "slot": 1 }),
        Index::on(MISSES, doc! { "companyId": 1, "at": -1 }),
        Index::on(MISSES, doc! { "companyId": 1, "callId": 1 }),
        Index::on(MESSAGES, doc! { "companyId": 1, "at": -1, "_id": -1 }),
        // One message a recording.
        Index::on(MESSAGES, doc! { "companyId": 1, "recordingSid": 1 })
            .unique()
            .of(doc! { "recordingSid": { "$type": "string" } }),
        Index::on(MESSAGES, doc! { "recording.dueAt": 1 }).of(doc! { "recording.dueAt": { "$exists": true } }),
        Index::on(AUDIO_PARTS, doc! { "messageId": 1, "number": 1 }).unique(),
        // One notification a code and company until it is resolved.
        Index::on(NOTIFICATIONS, doc! { "unresolved": 1 })
            .unique()
            .of(doc! { "unresolved": { "$exists": true } }),
        Index::on(NOTIFICATIONS, doc! { "changedAt": 1 }),
        Index::on(NOTIFICATIONS, doc! { "dueAt": 1 }).of(doc! { "dueAt": { "$type": "date" } }),
        // One delivery an occasion, contact and channel.
        Index::on(
            OUTBOX,
            doc! { "notificationId": 1, "contactId": 1, "channelId": 1, "occasion": 1 },
        )
        .unique(),
        Index::on(OUTBOX, doc! { "dueAt": 1 }).of(doc! { "dueAt": { "$type": "date" } }),
        Index::on(OUTBOX, doc! { "state": 1, "_id": -1 }),
        Index::on(ACCOUNTS, doc! { "open._id": 1 }),
        Index::on(ACCOUNTS, doc! { "open.leaseUntil": 1 }),
        Index::on(ACCOUNTS, doc! { "open.kind": 1 }),
        Index::on(ENTRIES, doc! { "account": 1, "_id": -1 }),
        Index::on(ENTRIES, doc! { "account": 1, "month": 1, "_id": -1 }),
        // A turn pays once an attempt, and what it is billed beyond a hold is noted once.
        Index::on(ENTRIES, doc! { "once": 1 }).unique(),
    ]
}

/// Brings collections and indexes up to date. Any number of processes may do so at once: each step may be done twice.
pub(super) async fn prepare(client: &Client, database: &Database, name: &str) -> Result<(), OpenError> {
    let failed = |source: Trouble| OpenError::failed(name, source);
    let (found, oldest_reader) = version(database).await.map_err(failed)?;
    if found > VERSION && oldest_reader > VERSION {
        return Err(OpenError::Newer {
            database: name.to_owned(),
            found,
            known: VERSION,
        });
    }
    if found < VERSION {
        make(database).await.map_err(failed)?;
        if (1..TEXT_IDS).contains(&found) {
            write_ids_as_texts(database).await.map_err(failed)?;
        }
        note_version(database).await.map_err(failed)?;
    }
    if !transactions_work(client, database).await.map_err(failed)? {
        return Err(OpenError::NoTransactions);
    }
    Ok(())
}

/// The version of what is there, and the oldest one whose builds may use it.
async fn version(database: &Database) -> Result<(i64, i64), Trouble> {
    let found = database
        .collection::<Document>(SCHEMA)
        .find_one(doc! { "_id": "schema" })
        .await?;
    let Some(found) = found else { return Ok((0, 0)) };
    let version = found.number("version", "the version of the store's schema")?;
    // Versions before this one did not say: who is older than they are may not.
    let oldest_reader = if found.contains_key("oldestReader") {
        found.number("oldestReader", "the oldest version that reads the store")?
    } else {
        version
    };
    Ok((version, oldest_reader))
}

async fn make(database: &Database) -> Result<(), Trouble> {
    let existing = database.list_collection_names().await?;
    for collection in PLAIN {
        if !existing.iter().any(|name| name == collection) {
            match database.create_collection(collection).await {
                Err(error) if !is_there_already(&error) => return Err(error.into()),
                _ => {}
            }
        }
    }
    let mut of_collections: BTreeMap<&str, Vec<IndexModel>> = BTreeMap::new();
    for index in indexes() {
        let options = IndexOptions::builder()
            .unique(index.is_unique.then_some(true))
            .partial_filter_expression(index.filter)
            .build();
        let model = IndexModel::builder().keys(index.keys).options(options).build();
        of_collections.entry(index.collection).or_default().push(model);
    }
    for (collection, indexes) in of_collections {
        let collection = database.collection::<Document>(collection);
        collection.create_indexes(indexes).await?;
    }
    for (collection, index) in OUTDATED {
        let dropped = database.collection::<Document>(collection).drop_index(index).await;
        match dropped {
            Err(error) if !is_gone_already(&error) => return Err(error.into()),
            _ => {}
        }
    }
    let counter = doc! { "$setOnInsert": { "seq": 0_i64, "transactions": 0_i64 } };
    upsert(database, COUNTERS, changes::COUNTER, counter).await
}

/// Last, so that a start that broke off is done again.
async fn note_version(database: &Database) -> Result<(), Trouble> {
    let versions = doc! { "$max": { "version": VERSION, "oldestReader": OLDEST_READER } };
    upsert(database, SCHEMA, "schema", versions).await
}

/// Before version 4 some ids were documents. The texts that they are now hold the same, in the same order.
async fn write_ids_as_texts(database: &Database) -> Result<(), Trouble> {
    for name in [CALLS, TURNS, MISSES, ROLLUPS, ROTATIONS] {
        let collection = database.collection::<Document>(name);
        loop {
            let old = collection
                .find(doc! { "_id": { "$type": "object" } })
                .limit(CONVERTED_AT_ONCE);
            let old: Vec<Document> = old.await?.try_collect().await?;
            if old.is_empty() {
                break;
            }
            for mut document in old {
                let id = document.get_document("_id").cloned().unwrap_or_default();
                if let Some(kind) = id.get("kind") {
                    document.insert("kind", kind);
                }
                document.insert("_id", text_of(&id));
                match collection.insert_one(document).await {
                    // It was written before a start that broke off.
                    Err(error) if is_taken(&error) => {}
                    done => _ = done?,
                }
                collection.delete_one(doc! { "_id": id }).await?;
            }
        }
    }
    Ok(())
}

fn text_of(id: &Document) -> String {
    let parts = id.values().map(|part| match part {
        Bson::ObjectId(id) => id.to_hex(),
        Bson::String(text) => text.clone(),
        Bson::Null => "platform".to_owned(),
        number => number.to_string(),
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn upsert(database: &Database, collection: &str, id: &str, update: Document) -> Result<(), Trouble> {
    let collection = database.collection::<Document>(collection);
    for is_last in [false, true] {
        let updated = collection.update_one(doc! { "_id": id }, update.clone()).upsert(true);
        match updated.await {
            // Another process has made it at the same time.
            Err(error) if is_taken(&error) && !is_last => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    Ok(())
}

fn is_there_already(error: &mongodb::error::Error) -> bool {
    const NAMESPACE_EXISTS: i32 = 48;
    matches!(&*error.kind, ErrorKind::Command(error) if error.code == NAMESPACE_EXISTS)
}

fn is_gone_already(error: &mongodb::error::Error) -> bool {
    const INDEX_NOT_FOUND: i32 = 27;
    matches!(&*error.kind, ErrorKind::Command(error) if error.code == INDEX_NOT_FOUND)
}

/// Whether the server takes transactions: a replica set does, if only of one member; a single server does not.
async fn transactions_work(client: &Client, database: &Database) -> Result<bool, Trouble> {
    const ILLEGAL_OPERATION: i32 = 20;
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    // A document of nobody else, so that this waits for no other transaction. It is never committed.
    let tried = database
        .collection::<Document>(PINGS)
        .insert_one(doc! { "_id": ObjectId::new() })
        .session(&mut session)
        .await;
    _ = session.abort_transaction().await;
    match tried {
        Ok(_) => Ok(true),
        Err(error) => match &*error.kind {
            ErrorKind::Command(refusal) if refusal.code == ILLEGAL_OPERATION => Ok(false),
            _ => Err(error.into()),
        },
    }
}
