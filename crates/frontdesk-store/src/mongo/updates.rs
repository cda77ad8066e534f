//! Many documents of a collection updated by one command: one way to the server, and one wait for its journal.

use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore,
    failure::{DUPLICATE_KEY, Trouble, damaged},
    values::Fields as _,
};

/// So many updates make one command: what others ask of the server waits for no more than that.
const AT_ONCE: usize = 64;

/// A document that another process makes at the same time is there the next time. So often it is tried.
const TRIES: usize = 5;

/// What becomes of the document that `query` finds, which is made if it is not there.
pub(super) struct Upsert {
    pub(super) query: Document,
    /// An update document, or the stages of a pipeline.
    pub(super) update: Bson,
}

impl MongoStore {
    /// Does all of them, in no order. What is done twice must come to the same.
    pub(super) async fn upsert_each(&self, collection: &str, upserts: Vec<Upsert>) -> Result<(), Trouble> {
        for some in upserts.chunks(AT_ONCE) {
            let mut left: Vec<&Upsert> = some.iter().collect();
            for _ in 0..TRIES {
                left = self.upsert_some(collection, left).await?;
                if left.is_empty() {
                    break;
                }
            }
            if !left.is_empty() {
                return Err(damaged(collection, "a document is there and cannot be updated"));
            }
        }
        Ok(())
    }

    /// One command; gives those that another process was in the way of.
    async fn upsert_some<'u>(&self, collection: &str, upserts: Vec<&'u Upsert>) -> Result<Vec<&'u Upsert>, Trouble> {
        let updates: Vec<Document> = upserts
            .iter()
            .map(|Upsert { query, update }| doc! { "q": query, "u": update, "upsert": true })
            .collect();
        // A command takes no write concern from the client's options: this is that of [`super::durable`].
        let command = doc! {
            "update": collection, "updates": updates, "ordered": false, "writeConcern": { "w": "majority", "j": true },
        };
        let done = self.database.run_command(command).await?;
        if let Ok(error) = done.get_document("writeConcernError") {
            return Err(refused(error));
        }
        let mut again = Vec::new();
        for error in done.get_array("writeErrors").into_iter().flatten() {
            let error = error
                .as_document()
                .ok_or_else(|| damaged("an answer", "an error in it is none"))?;
            let is_taken = error.number_or_none("code") == Some(i64::from(DUPLICATE_KEY));
            let at = error
                .number_or_none("index")
                .and_then(|index| usize::try_from(index).ok());
            match at.and_then(|at| upserts.get(at)) {
                Some(upsert) if is_taken => again.push(*upsert),
                _ => return Err(refused(error)),
            }
        }
        Ok(again)
    }
}

/// What the server says of a write that it did not do, without what it quotes of the document.
fn refused(error: &Document) -> Trouble {
    let code = error.number_or_none("code").unwrap_or_default();
    damaged("a write", format_args!("the server refuses with code {code}"))
}
