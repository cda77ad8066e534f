//! Leases: a document a name, changed only by whoever knows its fence.

use async_trait::async_trait;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};

use super::{
    MongoStore,
    failure::{Trouble, is_taken, within},
    schema::LEASES,
    values::{Fields as _, int},
};
use crate::ports::{Fence, Lease, LeaseStore, StoreError};

const WHAT: &str = "a lease";

fn read(document: &Document) -> Result<Lease, Trouble> {
    Ok(Lease {
        fence: document.count("fence", WHAT)?,
        renewals: document.count("renewals", WHAT)?,
        holder: document.text_or_none("holder").map(Into::into),
    })
}

/// The holding of this fence, while it lasts.
fn holding(name: &str, fence: Fence) -> Document {
    doc! { "_id": name, "fence": int(fence), "holder": { "$ne": Bson::Null } }
}

impl MongoStore {
    async fn found_lease(&self, name: &str) -> Result<Option<Lease>, Trouble> {
        let found = self.collection(LEASES).find_one(doc! { "_id": name }).await?;
        found.as_ref().map(read).transpose()
    }

    /// The fence, if the lease was taken by this very attempt: its answer may have been lost, and then it was run twice.
    async fn taken_before(&self, name: &str, attempt: &Bson) -> Result<Option<Fence>, Trouble> {
        let collection = self.collection(LEASES);
        let found = collection.find_one(doc! { "_id": name, "attempt": attempt.clone() });
        found.await?.map(|lease| lease.count("fence", WHAT)).transpose()
    }
}

#[async_trait]
impl LeaseStore for MongoStore {
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        within("read a lease", self.options.operator_deadline, self.found_lease(name)).await
    }

    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Fence>, StoreError> {
        let attempt = Bson::String(self.ids.make().to_string());
        within("take a lease", self.options.turn_deadline, async {
            let leases = self.collection(LEASES);
            let Some(seen) = seen else {
                let first = doc! {
                    "_id": name, "fence": 1_i64, "renewals": 0_i64, "holder": holder, "attempt": attempt.clone(),
                };
                return match leases.insert_one(first).await {
                    Err(error) if is_taken(&error) => self.taken_before(name, &attempt).await,
                    done => Ok(done.map(|_| Some(1))?),
                };
            };
            let as_seen = doc! {
                "_id": name, "fence": int(seen.fence), "renewals": int(seen.renewals), "holder": seen.holder.as_deref(),
            };
            let update = doc! {
                "$inc": { "fence": 1_i64 },
                "$set": { "renewals": 0_i64, "holder": holder, "attempt": attempt.clone() },
            };
            let taken = leases
                .find_one_and_update(as_seen, update)
                .return_document(ReturnDocument::After);
            match taken.await? {
                Some(lease) => lease.count("fence", WHAT).map(Some),
                None => self.taken_before(name, &attempt).await,
            }
        })
        .await
    }

    async fn renew_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError> {
        within("renew a lease", self.options.turn_deadline, async {
            let renewal = doc! { "$inc": { "renewals": 1_i64 } };
            let renewed = self
                .collection(LEASES)
                .update_one(holding(name, fence), renewal)
                .await?;
            Ok(renewed.matched_count > 0)
        })
        .await
    }

    async fn give_up_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError> {
        within("give up a lease", self.options.turn_deadline, async {
            let end = doc! { "$set": { "holder": Bson::Null } };
            let ended = self.collection(LEASES).update_one(holding(name, fence), end).await?;
            Ok(ended.matched_count > 0)
        })
        .await
    }
}
