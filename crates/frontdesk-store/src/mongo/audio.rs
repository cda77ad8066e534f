//! The audio of recorded messages: in parts, each a document.

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::AudioState,
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Binary, Document, doc, spec::BinarySubtype},
    options::ReturnDocument,
};

use super::{
    MongoStore,
    failure::{Trouble, is_taken, within},
    messages::{RECORDING, audio_state},
    revisions::limit,
    schema::{AUDIO_PARTS, MESSAGES},
    values::{Fields as _, date, object_id},
};
use crate::ports::{Audio, AudioStore, DueAudio, FoundAudio, StoreError};

const WHAT: &str = "a recording";

/// So many bytes are written at once.
const PART: usize = 256 << 10;

/// A message whose audio somebody waits for.
fn wanted(message: MessageId) -> Document {
    doc! {
        "_id": object_id(message),
        "recording.state": { "$exists": true, "$ne": "stored" },
    }
}

fn read_due(message: &Document) -> Result<DueAudio, Trouble> {
    let recording = message.part(RECORDING, WHAT)?;
    Ok(DueAudio {
        message: message.id("_id", WHAT)?,
        company: message.id("companyId", WHAT)?,
        url: message.text_or_none("recordingUrl").unwrap_or_default().into(),
        attempts: u32::try_from(recording.count("attempts", WHAT)?).unwrap_or(u32::MAX),
        first_tried_at: recording.time("firstTriedAt", WHAT)?,
    })
}

impl MongoStore {
    /// Takes one recording that is due, unless somebody else was faster.
    async fn claim(&self, due: &Document, now: Timestamp, again: Timestamp) -> Result<Option<DueAudio>, Trouble> {
        let recording = due.part(RECORDING, WHAT)?;
        let as_seen = doc! {
            "_id": due.get_object_id("_id").ok(),
            "recording.state": "due",
            "recording.dueAt": recording.get("dueAt").cloned(),
        };
        let first = recording.time_or_none("firstTriedAt")?.unwrap_or(now);
        let update = doc! {
            "$set": { "recording.dueAt": date(again), "recording.firstTriedAt": date(first) },
            "$inc": { "recording.attempts": 1_i64 },
        };
        let collection = self.collection(MESSAGES);
        let claimed = collection.find_one_and_update(as_seen, update);
        let claimed = claimed.return_document(ReturnDocument::After).await?;
        claimed.as_ref().map(read_due).transpose()
    }

    /// Writes one part; `false` if nobody waits for it any more.
    async fn put_part(&self, message: MessageId, number: i64, bytes: &[u8]) -> Result<bool, Trouble> {
        let collection = self.collection(MESSAGES);
        let is_wanted = collection.find_one(wanted(message)).projection(doc! { "_id": 1 });
        if is_wanted.await?.is_none() {
            return Ok(false);
        }
        let bytes = Binary {
            subtype: BinarySubtype::Generic,
            bytes: bytes.to_vec(),
        };
        loop {
            let part = doc! { "messageId": object_id(message), "number": number };
            let collection = self.collection(AUDIO_PARTS);
            let put = collection.update_one(part, doc! { "$set": { "bytes": bytes.clone() } });
            match put.upsert(true).await {
                // Somebody else writes it at the same time.
                Err(error) if is_taken(&error) => {}
                done => return Ok(done.map(|_| true)?),
            }
        }
    }

    /// Says that all `parts` are there, and lets go of those of an earlier, longer attempt.
    async fn finish(&self, message: MessageId, parts: i64, content_type: &str) -> Result<bool, Trouble> {
        let update = doc! {
            "$set": { "recording.state": "stored", "recording.contentType": content_type },
            "$unset": { "recording.dueAt": "" },
        };
        let done = self.collection(MESSAGES).update_one(wanted(message), update).await?;
        if done.matched_count > 0 {
            let beyond = doc! { "messageId": object_id(message), "number": { "$gte": parts } };
            self.collection(AUDIO_PARTS).delete_many(beyond).await?;
        }
        Ok(done.matched_count > 0)
    }

    async fn bytes_of(&self, message: MessageId) -> Result<Vec<u8>, Trouble> {
        let collection = self.collection(AUDIO_PARTS);
        let parts = collection.find(doc! { "messageId": object_id(message) });
        let mut parts = parts.sort(doc! { "number": 1 }).await?;
        let mut bytes = Vec::new();
        while let Some(part) = parts.try_next().await? {
            bytes.extend_from_slice(part.get_binary_generic("bytes").map(Vec::as_slice).unwrap_or_default());
        }
        Ok(bytes)
    }
}

#[async_trait]
impl AudioStore for MongoStore {
    async fn next_audio_due(&self) -> Result<Option<Timestamp>, StoreError> {
        within(
            "find out which recordings are due",
            self.options.operator_deadline,
            async {
                let first = self
                    .collection(MESSAGES)
                    .find_one(doc! { "recording.dueAt": { "$exists": true } })
                    .projection(doc! { "recording.dueAt": 1 })
                    .sort(doc! { "recording.dueAt": 1 })
                    .await?;
                let due = first.map(|message| message.part(RECORDING, WHAT)?.time_or_none("dueAt"));
                Ok(due.transpose()?.flatten())
            },
        )
        .await
    }

    async fn claim_audio(&self, now: Timestamp, again: Timestamp, count: usize) -> Result<Vec<DueAudio>, StoreError> {
        within("take recordings that are due", self.options.operator_deadline, async {
            let due = self
                .collection(MESSAGES)
                .find(doc! { "recording.dueAt": { "$exists": true, "$lte": date(now) } })
                .sort(doc! { "recording.dueAt": 1 })
                .limit(limit(count))
                .await?;
            let due: Vec<Document> = due.try_collect().await?;
            let mut claimed = Vec::with_capacity(due.len());
            for message in &due {
                claimed.extend(self.claim(message, now, again).await?);
            }
            Ok(claimed)
        })
        .await
    }

    async fn put_audio(&self, message: MessageId, audio: Audio) -> Result<bool, StoreError> {
        let mut parts = 0;
        for part in audio.bytes.chunks(PART) {
            if !within(
                "keep a recording",
                self.options.operator_deadline,
                self.put_part(message, parts, part),
            )
            .await?
            {
                return Ok(false);
            }
            parts += 1;
        }
        let finish = self.finish(message, parts, &audio.content_type);
        within("keep a recording", self.options.operator_deadline, finish).await
    }

    async fn postpone_audio(&self, message: MessageId, due_at: Option<Timestamp>) -> Result<(), StoreError> {
        within("note when a recording is due", self.options.operator_deadline, async {
            let update = match due_at {
                Some(due_at) => doc! { "$set": { "recording.dueAt": date(due_at) } },
                None => doc! { "$set": { "recording.state": "failed" }, "$unset": { "recording.dueAt": "" } },
            };
            let due = doc! { "_id": object_id(message), "recording.state": "due" };
            self.collection(MESSAGES).update_one(due, update).await?;
            Ok(())
        })
        .await
    }

    async fn audio(&self, company: CompanyId, message: MessageId) -> Result<Option<FoundAudio>, StoreError> {
        within("read a recording", self.options.operator_deadline, async {
            let own = doc! { "_id": object_id(message), "companyId": object_id(company) };
            let Some(found) = self.collection(MESSAGES).find_one(own).await? else {
                return Ok(None);
            };
            let state = audio_state(&found)?;
            let recording = found.get_document(RECORDING).ok();
            let content_type = recording.and_then(|recording| recording.text_or_none("contentType"));
            let Some(content_type) = content_type.filter(|_| state == AudioState::Stored) else {
                return Ok(Some(FoundAudio { state, audio: None }));
            };
            let audio = Audio {
                content_type: content_type.into(),
                bytes: self.bytes_of(message).await?,
            };
            Ok(Some(FoundAudio {
                state,
                audio: Some(audio),
            }))
        })
        .await
    }
}
