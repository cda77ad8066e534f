//! Messages and callbacks. What is known of a message's recording is part of its document.

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::{AudioState, Message, MessageState},
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};
use serde_json::Value;

use super::{
    MongoStore,
    failure::{Trouble, damaged, is_taken, within},
    revisions::limit,
    schema::MESSAGES,
    values::{self, Fields as _, date, object_id, word, word_of},
};
use crate::{
    common::messages::{says, time_in},
    ports::{MessageFilter, MessageStore, Page, StoreError},
};

const WHAT: &str = "a message";

/// The field that holds what is known of the recording's audio.
pub(super) const RECORDING: &str = "recording";

/// Whether the audio of a message is kept.
pub(super) fn audio_state(message: &Document) -> Result<AudioState, Trouble> {
    let recording = message.get_document(RECORDING).ok();
    let state = recording.map(|recording| recording.text("state", "a recording"));
    state.map_or(Ok(AudioState::None), |state| {
        word(state?, "the state of a message's audio")
    })
}

fn read(mut document: Document) -> Result<Message, Trouble> {
    let audio = audio_state(&document)?;
    document.remove(RECORDING);
    let mut fields = values::fields(document, WHAT)?;
    let id = fields.remove("_id").unwrap_or_default();
    fields.insert("id".to_owned(), id);
    let mut message: Message = serde_json::from_value(Value::Object(fields)).map_err(|error| damaged(WHAT, error))?;
    message.audio = audio;
    Ok(message)
}

/// A message as it rests, without its id.
fn write(message: &Message) -> Result<Document, Trouble> {
    let mut document = values::to_document(message, WHAT)?;
    for derived in ["id", "audio"] {
        document.remove(derived);
    }
    document.insert("companyId", object_id(message.company_id));
    document.insert("at", date(message.at));
    if message.recording_url.is_some() {
        document.insert(RECORDING, due(message.at));
    }
    Ok(document)
}

/// The audio is to be fetched from then on.
fn due(at: Timestamp) -> Document {
    doc! { "state": "due", "dueAt": date(at), "attempts": 0_i64 }
}

fn if_lacking(field: &str, value: Option<impl Into<Bson>>) -> Bson {
    let value = value.map_or(Bson::Null, Into::into);
    Bson::Document(doc! { "$ifNull": [format!("${field}"), { "$literal": value }] })
}

impl MongoStore {
    /// Fills in what the message of the same recording lacks; its id, if there is one.
    async fn fill_in(&self, recording: &str, message: &Message) -> Result<Option<MessageId>, Trouble> {
        let mut lacking = doc! {
            "from": if_lacking("from", message.from.as_deref()),
            "recordingUrl": if_lacking("recordingUrl", message.recording_url.as_deref()),
            "recordingSeconds": if_lacking("recordingSeconds", message.recording_seconds.map(i64::from)),
            "transcript": if_lacking("transcript", message.transcript.as_deref()),
        };
        if message.recording_url.is_some() {
            lacking.insert(RECORDING, if_lacking(RECORDING, Some(due(message.at))));
        }
        let same = doc! { "companyId": object_id(message.company_id), "recordingSid": recording };
        let filled = self
            .collection(MESSAGES)
            .find_one_and_update(same, vec![doc! { "$set": lacking }])
            .projection(doc! { "_id": 1 })
            .return_document(ReturnDocument::After)
            .await?;
        filled.map(|first| first.id("_id", WHAT)).transpose()
    }

    /// Writes the time to call back into the message that is there already, if there is one.
    async fn set_callback_time(&self, message: &Message) -> Result<(), Trouble> {
        if let Some(time) = message.callback_time.as_deref() {
            let own = doc! { "_id": object_id(message.id), "companyId": object_id(message.company_id) };
            let update = doc! { "$set": { "callbackTime": time } };
            self.collection(MESSAGES).update_one(own, update).await?;
        }
        Ok(())
    }

    async fn put(&self, message: &Message) -> Result<MessageId, Trouble> {
        loop {
            if let Some(recording) = &message.recording_sid
                && let Some(first) = self.fill_in(recording, message).await?
            {
                return Ok(first);
            }
            let new = doc! { "$setOnInsert": write(message)? };
            let collection = self.collection(MESSAGES);
            let put = collection.update_one(doc! { "_id": object_id(message.id) }, new);
            match put.upsert(true).await {
                // Another process has made the message of this recording at the same time.
                Err(error) if is_taken(&error) => {}
                done => {
                    if done?.upserted_id.is_none() {
                        self.set_callback_time(message).await?;
                    }
                    return Ok(message.id);
                }
            }
        }
    }

    /// When the last message of the page before was left; if it is gone, about when it must have been.
    async fn time_of(&self, id: MessageId) -> Result<Timestamp, Trouble> {
        let collection = self.collection(MESSAGES);
        let found = collection.find_one(doc! { "_id": object_id(id) });
        let found = found.projection(doc! { "at": 1 }).await?;
        found.map_or(Ok(time_in(id)), |message| message.time("at", WHAT))
    }
}

/// All of a filter but its words.
fn conditions(company: CompanyId, filter: &MessageFilter) -> Result<Vec<Document>, Trouble> {
    let MessageFilter {
        state,
        kind,
        from,
        to,
        caller,
        words: _,
    } = filter;
    let mut all = vec![doc! { "companyId": object_id(company) }];
    if let Some(state) = state {
        all.push(doc! { "state": word_of(state)? });
    }
    if let Some(kind) = kind {
        all.push(doc! { "kind": word_of(kind)? });
    }
    all.extend(from.map(|from| doc! { "at": { "$gte": date(from) } }));
    all.extend(to.map(|to| doc! { "at": { "$lt": date(to) } }));
    all.extend(caller.as_ref().map(|caller| {
        doc! { "$or": [{ "from": { "$eq": caller } }, { "callbackNumber": { "$eq": caller } }] }
    }));
    Ok(all)
}

#[async_trait]
impl MessageStore for MongoStore {
    async fn put_message(&self, message: Message) -> Result<MessageId, StoreError> {
        within("keep a message", self.options.turn_deadline, self.put(&message)).await
    }

    async fn messages(
        &self,
        company: CompanyId,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        within("list messages", self.options.operator_deadline, async {
            let mut all = conditions(company, filter)?;
            if let Some(after) = page.after {
                let at = date(self.time_of(after).await?);
                all.push(doc! { "$or": [
                    { "at": { "$lt": at.clone() } },
                    { "at": at, "_id": { "$lt": object_id(after) } },
                ] });
            }
            let collection = self.collection(MESSAGES);
            let found = collection.find(doc! { "$and": all }).sort(doc! { "at": -1, "_id": -1 });
            let words = filter.words.as_ref().map(|words| words.to_lowercase());
            // Words are compared here, as everywhere; documents are read until enough of them have the words.
            let found = if words.is_some() {
                found
            } else {
                found.limit(limit(page.limit))
            };
            let mut found = found.await?;
            let mut listed = Vec::new();
            while listed.len() < page.limit
                && let Some(document) = found.try_next().await?
            {
                let message = read(document)?;
                if words.as_ref().is_none_or(|words| says(&message, words)) {
                    listed.push(message);
                }
            }
            Ok(listed)
        })
        .await
    }

    async fn set_message_state(
        &self,
        company: CompanyId,
        id: MessageId,
        state: MessageState,
    ) -> Result<Option<Message>, StoreError> {
        within("write a message", self.options.operator_deadline, async {
            let own = doc! { "_id": object_id(id), "companyId": object_id(company) };
            let update = doc! { "$set": { "state": word_of(state)? } };
            let collection = self.collection(MESSAGES);
            let written = collection.find_one_and_update(own, update);
            written
                .return_document(ReturnDocument::After)
                .await?
                .map(read)
                .transpose()
        })
        .await
    }
}
