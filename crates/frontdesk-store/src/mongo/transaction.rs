//! Writes of operators: one after the other over all processes, each in a transaction.
//!
//! Each transaction writes one document, the counter of changes, as its last work. Of two transactions at the same time
//! the server ends the one that comes there second, which is then done again. So what a transaction has read is what the
//! one before left, as if there were one writer, and changes have their numbers in the order of their commits.
//!
//! The counter comes last, because a process that is killed leaves its transaction open until the server ends it, and
//! whoever waits for what it has written waits as long. One that was refused several times writes it first: then nobody
//! else gets in its way.

use std::time::Duration;

use mongodb::{
    ClientSession, Collection,
    bson::{Bson, Document, doc},
    error::UNKNOWN_TRANSACTION_COMMIT_RESULT,
    options::ReturnDocument,
};
use tokio::time;

use super::{
    MongoStore, changes,
    failure::{Failure, Trouble, is_passing, is_taken},
    revisions::Json,
    schema,
    values::{self, META},
};
use crate::ports::{Changed, Seq};

/// The longest pause before a transaction is done again.
const LONGEST_PAUSE: u64 = 64;

/// From this try on the counter is written first.
const LOCKS_FIRST: u32 = 3;

/// A transaction that has begun.
pub(super) struct Transaction<'s> {
    pub(super) store: &'s MongoStore,
    pub(super) session: ClientSession,
    /// The number of the newest change, its own included.
    newest: Seq,
    /// What it changes.
    changes: Vec<Changed>,
}

/// How often a transaction was done again.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    async fn pause(&mut self) {
        self.0 = self.0.saturating_add(1);
        let most = LONGEST_PAUSE.min(2_u64.saturating_pow(self.0));
        // Who began at the same time does not begin again at the same time.
        let millis = rand::random_range(1..=most);
        time::sleep(Duration::from_millis(millis)).await;
    }
}

impl<'s> Transaction<'s> {
    /// Begins; `None` if another one is in the way, after a pause that is over then.
    pub(super) async fn begin(store: &'s MongoStore, tries: &mut Tries) -> Result<Option<Self>, Trouble> {
        match Self::try_to_begin(store, tries.0 >= LOCKS_FIRST).await {
            Err(Trouble::Driver(error)) if is_passing(&error) => {
                tries.pause().await;
                Ok(None)
            }
            begun => begun.map(Some),
        }
    }

    async fn try_to_begin(store: &'s MongoStore, first: bool) -> Result<Self, Trouble> {
        let mut session = store.client.start_session().await?;
        session
            .start_transaction()
            .read_concern(mongodb::options::ReadConcern::snapshot())
            .write_concern(super::durable())
            .await?;
        let counters: Collection<Document> = store.database.collection(schema::COUNTERS);
        let counter = doc! { "_id": changes::COUNTER };
        let before = if first {
            let locked = counters.find_one_and_update(counter, doc! { "$inc": { "transactions": 1_i64 } });
            locked
                .return_document(ReturnDocument::Before)
                .session(&mut session)
                .await?
        } else {
            counters.find_one(counter).session(&mut session).await?
        };
        let newest = before.map_or(Ok(0), |counter| changes::newest_of(&counter))?;
        Ok(Self {
            store,
            session,
            newest,
            changes: Vec::new(),
        })
    }

    /// Notes a change; it is told to others when the transaction is committed.
    pub(super) fn note(&mut self, changed: Changed) -> Seq {
        self.newest += 1;
        self.changes.push(changed);
        self.newest
    }

    pub(super) fn collection(&self, name: &str) -> Collection<Document> {
        self.store.database.collection(name)
    }

    /// A document as the transaction sees it.
    pub(super) async fn find(&mut self, collection: &str, filter: Document) -> Result<Option<Document>, Trouble> {
        let collection = self.collection(collection);
        Ok(collection.find_one(filter).session(&mut self.session).await?)
    }

    /// What the store keeps of a document, with its id.
    pub(super) async fn meta(&mut self, collection: &str, id: Bson) -> Result<Option<Document>, Trouble> {
        let collection = self.collection(collection);
        let found = collection.find_one(doc! { "_id": id }).projection(doc! { META: 1 });
        Ok(found.session(&mut self.session).await?)
    }

    /// Writes a document whose fields are `json`, whether there is one or not.
    pub(super) async fn put(&mut self, collection: &str, id: Bson, json: &Json, meta: Document) -> Result<(), Trouble> {
        let collection = self.collection(collection);
        let mut document = doc! { "_id": id.clone() };
        document.extend(values::document(json, &id));
        document.insert(META, meta);
        let put = collection.replace_one(doc! { "_id": id }, document).upsert(true);
        put.session(&mut self.session).await?;
        Ok(())
    }

    pub(super) async fn update(&mut self, collection: &str, filter: Document, update: Document) -> Result<(), Trouble> {
        let collection = self.collection(collection);
        collection.update_one(filter, update).session(&mut self.session).await?;
        Ok(())
    }

    /// As [`update`](Self::update), and makes the document if there is none.
    pub(super) async fn upsert(&mut self, collection: &str, filter: Document, update: Document) -> Result<(), Trouble> {
        let collection = self.collection(collection);
        let updated = collection.update_one(filter, update).upsert(true);
        updated.session(&mut self.session).await?;
        Ok(())
    }

    /// Deletes all documents that the filter lets through; how many there were.
    pub(super) async fn delete(&mut self, collection: &str, filter: Document) -> Result<u64, Trouble> {
        let collection = self.collection(collection);
        let deleted = collection.delete_many(filter).session(&mut self.session).await?;
        Ok(deleted.deleted_count)
    }

    /// Commits what was done; `None` if it is to be done again, after a pause that is over then.
    pub(super) async fn end<T, R>(
        mut self,
        done: Result<T, Failure<R>>,
        tries: &mut Tries,
    ) -> Result<Option<T>, Failure<R>> {
        let committed = match done {
            Ok(value) => self.finish().await.map(|()| value).map_err(Failure::from),
            Err(failure) => {
                // What is not undone here is undone when the server hears no more of it.
                _ = self.session.abort_transaction().await;
                Err(failure)
            }
        };
        match committed {
            // A key that somebody else has taken meanwhile is seen, and refused in words, the next time.
            Err(Failure::Trouble(Trouble::Driver(error))) if is_passing(&error) || is_taken(&error) => {
                tries.pause().await;
                Ok(None)
            }
            Err(failure) => Err(failure),
            Ok(value) => Ok(Some(value)),
        }
    }

    async fn finish(&mut self) -> Result<(), Trouble> {
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            changes::write(self, &changes, self.newest).await?;
        }
        loop {
            match self.session.commit_transaction().await {
                // Asking again is how one learns what became of it.
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                    time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(()),
            }
        }
    }
}

/// Does work in a transaction, again and again while others are in its way, within a deadline.
///
/// `$work` is a future of `Result<T, Failure<R>>` that may be made more than once.
macro_rules! transaction {
    ($store:expr, $action:expr, $deadline:expr, |$transaction:ident| $work:expr) => {
        $crate::mongo::failure::write_within($action, $deadline, async {
            let mut tries = $crate::mongo::transaction::Tries::default();
            loop {
                let Some(mut begun) = $crate::mongo::transaction::Transaction::begin($store, &mut tries).await? else {
                    continue;
                };
                let $transaction = &mut begun;
                let done = $work.await;
                if let Some(done) = begun.end(done, &mut tries).await? {
                    break Ok(done);
                }
            }
        })
    };
}
pub(super) use transaction;
