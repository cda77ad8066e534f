//! Erasing a caller.

use frontdesk_domain::ids::CompanyId;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use super::{
    MongoStore,
    failure::Trouble,
    messages::RECORDING,
    schema::{AUDIO_PARTS, CALLS, MESSAGES, MISSES, NOTIFICATIONS, TURNS},
    values::{self, Fields as _, object_id},
};
use crate::ports::Erased;

/// So many calls, and as many messages, are erased at once.
const BATCH: i64 = 25;

/// What a notification says in place of what was erased.
const ERASED: &str = "erased";

impl MongoStore {
    /// Deletes some of what is kept of a caller, calls last: the rest is found through them.
    pub(super) async fn erase_batch(&self, company: CompanyId, caller: &str) -> Result<Erased, Trouble> {
        let of_company = doc! { "companyId": object_id(company) };
        let mut calls = of_company.clone();
        calls.insert("caller", doc! { "$eq": caller });
        let stored = self.collection(CALLS);
        let found = stored.find(calls).projection(doc! { "callId": 1 }).limit(BATCH);
        let calls: Vec<Document> = found.await?.try_collect().await?;
        let names: Vec<&str> = calls.iter().filter_map(|call| call.text_or_none("callId")).collect();
        let mut erased = Erased::default();
        let mut messages = of_company.clone();
        // A message of a call that is erased belongs to the caller as well, whatever number it came from.
        let of_caller = vec![
            doc! { "from": { "$eq": caller } },
            doc! { "callbackNumber": { "$eq": caller } },
            doc! { "callId": { "$in": &names } },
        ];
        messages.insert("$or", of_caller);
        let stored = self.collection(MESSAGES);
        let found = stored.find(messages).limit(BATCH);
        let messages: Vec<Document> = found.await?.try_collect().await?;
        for message in &messages {
            let Some(id) = message.get("_id") else { continue };
            // Its audio first: without the message nobody would know whose it is.
            let parts = doc! { "messageId": id };
            self.collection(AUDIO_PARTS).delete_many(parts).await?;
            let deleted = self.collection(MESSAGES).delete_one(doc! { "_id": id }).await?;
            erased.messages += deleted.deleted_count;
            erased.recordings += u64::from(message.contains_key(RECORDING));
        }
        if !names.is_empty() {
            self.thin(company, &names).await?;
            let mut of_calls = of_company.clone();
            of_calls.insert("callId", doc! { "$in": &names });
            self.collection(MISSES).delete_many(of_calls.clone()).await?;
            erased.turns = self.collection(TURNS).delete_many(of_calls).await?.deleted_count;
            let ids: Vec<&Bson> = calls.iter().filter_map(|call| call.get("_id")).collect();
            let ids = doc! { "_id": { "$in": ids } };
            erased.calls = self.collection(CALLS).delete_many(ids).await?.deleted_count;
        }
        let names: Vec<&str> = names.into_iter().chain([caller]).collect();
        erased.notifications = self.unname(of_company, &names).await?;
        Ok(erased)
    }

    /// Takes names out of a company's notifications.
    async fn unname(&self, of_company: Document, names: &[&str]) -> Result<u64, Trouble> {
        let notifications = self.collection(NOTIFICATIONS);
        let found: Vec<Document> = notifications.find(of_company).await?.try_collect().await?;
        let mut changed = 0;
        for notification in found {
            let message = notification.text_or_none("message").unwrap_or_default();
            let details = notification.get("details").cloned().unwrap_or_default();
            let as_json = values::from_bson(details.clone(), "a notification")?;
            let before = as_json.to_string();
            let (said, written) = (unnamed(message, names), unnamed(&before, names));
            if said == message && written == before {
                continue;
            }
            let written: Value = serde_json::from_str(&written).unwrap_or_default();
            // Unless it is another one meanwhile, which the next batch finds.
            let same = doc! { "_id": notification.get("_id"), "message": message, "details": details };
            let update = doc! { "$set": { "message": said, "details": values::to_bson(&written) } };
            changed += notifications.update_one(same, update).await?.modified_count;
        }
        Ok(changed)
    }
}

fn unnamed(text: &str, names: &[&str]) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(name, ERASED))
}
