//! A store that breaks where a test wants it to.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use async_trait::async_trait;
use frontdesk_store::{
    forward,
    ports::{
        CallCursor, CallEnd, CallFilter, CallLog, MessageStore, Page, Recalled, RotationStore, StoreError, StoredCall,
        TurnLog, TurnsOfCall, signatures::*,
    },
    sqlite::SqliteStore,
};

/// How a part of the store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fault {
    None,
    Fails,
    Hangs,
    Panics,
    /// It does what it is asked, and is not heard of.
    HangsAfter,
}

/// A part of the store.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Recall,
    Messages,
    Rotation,
    Turns,
    Ledger,
    Bills,
}

/// What is broken.
#[derive(Debug, Default)]
pub(super) struct Faults([AtomicU8; 6]);

impl Faults {
    pub(super) fn set(&self, part: Part, fault: Fault) {
        self.0[part as usize].store(fault as u8, Ordering::SeqCst);
    }

    async fn wait_after(&self, part: Part) {
        while self.0[part as usize].load(Ordering::SeqCst) == Fault::HangsAfter as u8 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn meet(&self, part: Part) -> Result<(), StoreError> {
        let is = |fault: Fault| self.0[part as usize].load(Ordering::SeqCst) == fault as u8;
        while is(Fault::Hangs) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!is(Fault::Panics), "{part:?} panics on purpose");
        if is(Fault::Fails) {
            return Err(StoreError::Unavailable {
                action: "do this",
                source: "it fails on purpose".into(),
            });
        }
        Ok(())
    }
}

/// A store with faults.
pub(super) struct Faulty {
    pub(super) store: Arc<SqliteStore>,
    pub(super) faults: Arc<Faults>,
}

forward!(
    CompanyStore, TemplateStore, QnaStore, SingletonStore, SnapshotStore, ChangeFeed, ImportStore, NotificationStore, OutboxStore, ContactStore, AnalyticsStore,
    AudioStore, RetentionStore, LeaseStore, HealthStore, Ping for Faulty through store
);

#[async_trait]
impl LedgerStore for Faulty {
    async fn reserve(&self, hold: Hold) -> Result<Reserved, StoreError> {
        self.faults.meet(Part::Ledger).await?;
        let reserved = self.store.reserve(hold).await;
        self.faults.wait_after(Part::Ledger).await;
        reserved
    }

    async fn settle(&self, id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError> {
        self.faults.meet(Part::Bills).await?;
        self.store.settle(id, bill).await
    }

    async fn void(&self, id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError> {
        self.faults.meet(Part::Bills).await?;
        self.store.void(id, at).await
    }

    async fn reap(&self, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError> {
        self.store.reap(now).await
    }

    async fn spend(&self, account: Account, month: MonthKey) -> Result<Spend, StoreError> {
        self.store.spend(account, month).await
    }

    async fn spends(&self, month: MonthKey, page: Page<CompanyId>) -> Result<Vec<(CompanyId, Spend)>, StoreError> {
        self.store.spends(month, page).await
    }

    async fn charged(&self, account: Account, turns: Vec<TurnId>) -> Result<Vec<(TurnId, PicoUsd)>, StoreError> {
        self.store.charged(account, turns).await
    }

    async fn entries(
        &self,
        account: Account,
        filter: LedgerFilter,
        page: Page<LedgerEntryId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.store.entries(account, filter, page).await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        self.store.audit().await
    }
}

#[async_trait]
impl TurnLog for Faulty {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.faults.meet(Part::Turns).await?;
        self.store.append_turns(turns).await
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        self.store.end_calls(ends).await
    }
}

#[async_trait]
impl CallLog for Faulty {
    async fn calls(
        &self,
        company: CompanyId,
        filter: &CallFilter,
        page: Page<CallCursor>,
    ) -> Result<Vec<StoredCall>, StoreError> {
        self.store.calls(company, filter, page).await
    }

    async fn call(&self, company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError> {
        self.store.call(company, call).await
    }

    async fn recall(
        &self,
        company: CompanyId,
        call: &CallId,
        turn: &TurnId,
        since: Timestamp,
    ) -> Result<Option<Recalled>, StoreError> {
        self.faults.meet(Part::Recall).await?;
        self.store.recall(company, call, turn, since).await
    }

    async fn turns_since(
        &self,
        since: Timestamp,
        before: Option<CallPlace>,
        limit: usize,
    ) -> Result<Vec<TurnsOfCall>, StoreError> {
        self.store.turns_since(since, before, limit).await
    }
}

#[async_trait]
impl MessageStore for Faulty {
    async fn put_message(&self, message: Message) -> Result<MessageId, StoreError> {
        self.faults.meet(Part::Messages).await?;
        self.store.put_message(message).await
    }

    async fn messages(
        &self,
        company: CompanyId,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        self.store.messages(company, filter, page).await
    }

    async fn set_message_state(
        &self,
        company: CompanyId,
        id: MessageId,
        state: MessageState,
    ) -> Result<Option<Message>, StoreError> {
        self.store.set_message_state(company, id, state).await
    }
}

#[async_trait]
impl RotationStore for Faulty {
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError> {
        self.faults.meet(Part::Rotation).await?;
        self.store.take_rotations(company, kind, count).await
    }

    async fn peek_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        self.store.peek_rotation(company, kind).await
    }

    async fn last_spoken(&self, company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
        self.store.last_spoken(company).await
    }
}
