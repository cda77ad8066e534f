//! A store that wakes who fetches recordings when it has kept a message with one.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::{Message, MessageState},
};
use frontdesk_store::{
    forward,
    ports::{Backend, MessageFilter, MessageStore, Page, StoreError},
};
use tokio::sync::Notify;

/// Hands everything on to the store.
pub struct HeardStore {
    inner: Arc<dyn Backend>,
    kept: Arc<Notify>,
}

impl HeardStore {
    /// Rings `kept` for what `inner` has kept.
    #[must_use]
    pub fn new(inner: Arc<dyn Backend>, kept: Arc<Notify>) -> Self {
        Self { inner, kept }
    }
}

forward!(
    CompanyStore, TemplateStore, QnaStore, SingletonStore, SnapshotStore, ChangeFeed, ImportStore, TurnLog, CallLog,
    AnalyticsStore, AudioStore, RetentionStore, NotificationStore, OutboxStore, ContactStore, RotationStore, LedgerStore, LeaseStore, HealthStore, Ping
    for HeardStore through inner
);

#[async_trait]
impl MessageStore for HeardStore {
    async fn put_message(&self, message: Message) -> Result<MessageId, StoreError> {
        let has_recording = message.recording_url.is_some();
        let id = self.inner.put_message(message).await?;
        if has_recording {
            self.kept.notify_one();
        }
        Ok(id)
    }

    async fn messages(
        &self,
        company: CompanyId,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages(company, filter, page).await
    }

    async fn set_message_state(
        &self,
        company: CompanyId,
        id: MessageId,
        state: MessageState,
    ) -> Result<Option<Message>, StoreError> {
        self.inner.set_message_state(company, id, state).await
    }
}
