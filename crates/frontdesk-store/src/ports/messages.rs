//! The ports of messages, their audio, and of what is kept no longer.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::{AudioState, Message, MessageKind, MessageState},
    time::Timestamp,
};

use super::{Page, StoreError};

/// A filter on messages; absent parts let everything through.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Whether somebody has dealt with it.
    pub state: Option<MessageState>,
    /// What it is.
    pub kind: Option<MessageKind>,
    /// Left at or after.
    pub from: Option<Timestamp>,
    /// Left before.
    pub to: Option<Timestamp>,
    /// The caller as Twilio names them, or the number to call back.
    pub caller: Option<String>,
    /// A part of the transcript or of the time to call back, without regard to case.
    pub words: Option<String>,
}

/// Messages and callbacks.
#[async_trait]
pub trait MessageStore: Send + Sync {
    /// Stores a message. A second one for the same recording fills in what the first lacks; the first id stays. A second
    /// one of the same company with the same id changes nothing but the time to call back, if it has one. With the
    /// address of a recording, its audio is due at once.
    async fn put_message(&self, message: Message) -> Result<MessageId, StoreError>;
    /// A company's messages, newest first.
    async fn messages(
        &self,
        company: CompanyId,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError>;
    /// Changes the state of a message of this company.
    async fn set_message_state(
        &self,
        company: CompanyId,
        id: MessageId,
        state: MessageState,
    ) -> Result<Option<Message>, StoreError>;
}

/// The sound of a recording.
#[derive(Clone, PartialEq, Eq)]
pub struct Audio {
    /// Its content type, such as `audio/mpeg`.
    pub content_type: Arc<str>,
    /// The file.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// What there is of a message's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAudio {
    /// Whether it is kept.
    pub state: AudioState,
    /// The audio, if it is.
    pub audio: Option<Audio>,
}

/// A recording that somebody has undertaken to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueAudio {
    /// Of which message.
    pub message: MessageId,
    /// For whom the message is.
    pub company: CompanyId,
    /// Where the recording is.
    pub url: Arc<str>,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// When it was first tried.
    pub first_tried_at: Timestamp,
}

/// The audio of recorded messages.
#[async_trait]
pub trait AudioStore: Send + Sync {
    /// When the first recording is due; `None` if none is.
    async fn next_audio_due(&self) -> Result<Option<Timestamp>, StoreError>;
    /// Takes at most `limit` recordings that are due at `now`, the longest due first. Each counts as tried and is due
    /// again at `again`, so that no other process fetches it meanwhile and a crash loses none.
    async fn claim_audio(&self, now: Timestamp, again: Timestamp, limit: usize) -> Result<Vec<DueAudio>, StoreError>;
    /// Keeps the audio of a message, unless that is there already or the message is gone; whether it was kept.
    async fn put_audio(&self, message: MessageId, audio: Audio) -> Result<bool, StoreError>;
    /// Says when a recording that is still due is to be tried again; `None` gives it up.
    async fn postpone_audio(&self, message: MessageId, due_at: Option<Timestamp>) -> Result<(), StoreError>;
    /// What there is of the audio of this company's message; `None` if there is no such message.
    async fn audio(&self, company: CompanyId, message: MessageId) -> Result<Option<FoundAudio>, StoreError>;
}

/// A company that has records, deleted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordKeeper {
    /// Which company.
    pub company: CompanyId,
    /// How long it keeps them: as its settings say, or as they said when it was deleted; `None` if that is not known.
    pub retention_days: Option<u16>,
}

/// What one batch of a purge has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Calls.
    pub calls: u64,
    /// Turns of these calls.
    pub turns: u64,
    /// Messages, with their audio.
    pub messages: u64,
}

/// What one batch of a purge of notifications has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurgedNotices {
    /// Notifications.
    pub notifications: u64,
    /// Their deliveries: those that were sent, and those that were given up.
    pub deliveries: u64,
}

/// Deletes records whose retention has ended.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// The companies that have calls or messages.
    async fn record_keepers(&self) -> Result<Vec<RecordKeeper>, StoreError>;
    /// Deletes a company's calls that began before `before`, with their turns, and its messages left before, with their
    /// audio: one batch that keeps no other write waiting for long. Nothing deleted means that nothing is left.
    async fn purge(&self, company: CompanyId, before: Timestamp) -> Result<Purged, StoreError>;
    /// Deletes a batch of the notifications that are resolved and to which nothing has happened since `before`, with
    /// their deliveries. One of which something is still to be sent stays, and so does each delivery of one that is not
    /// resolved: it says whom not to tell again. Nothing deleted means that nothing is left.
    async fn purge_notices(&self, before: Timestamp) -> Result<PurgedNotices, StoreError>;
    /// Deletes a batch of what no record refers to any more; whether there was any.
    async fn purge_leftovers(&self) -> Result<bool, StoreError>;
}
