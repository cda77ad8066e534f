//! The ports again, through the cache: reads of the admin API go to the store, writes raise floors on their way back.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    decision::FallbackKind,
    documents::trade::TradeName,
    ids::{CompanyId, QnaId, TemplateId},
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::CachedStore;
use crate::{
    forward,
    ports::{
        Changed, CompanyStore, CompanyWrite, ImportError, ImportItem, ImportStore, Page, QnaOwner, QnaStore, Rev,
        RotationStore, Seq, Singleton, SingletonStore, StoreError, Stored, StoredCompany, TemplateStore, WriteError,
        Written,
    },
};

forward!(
    SnapshotStore, ChangeFeed, TurnLog, CallLog, MessageStore, AudioStore, RetentionStore, NotificationStore, OutboxStore, ContactStore, LedgerStore, AnalyticsStore,
    LeaseStore, HealthStore, Ping
    for CachedStore through backend
);

impl CachedStore {
    /// Notes changes before their write is acknowledged: here, and where other instances hear of it.
    async fn note(&self, changes: &[(Seq, Changed)]) {
        self.floors.raise(changes.iter().cloned());
        if let Some(sharing) = &self.sharing {
            sharing.publish(changes).await;
        }
    }

    async fn written(&self, written: Written, changed: Changed) -> Written {
        self.note(&[(written.seq, changed)]).await;
        written
    }
}

#[async_trait]
impl CompanyStore for CachedStore {
    async fn company(&self, id: CompanyId) -> Result<Option<StoredCompany>, StoreError> {
        self.backend.company(id).await
    }

    async fn companies(&self, page: Page<CompanyId>) -> Result<Vec<StoredCompany>, StoreError> {
        self.backend.companies(page).await
    }

    async fn company_by_number(&self, number: &str) -> Result<Option<CompanyId>, StoreError> {
        self.backend.company_by_number(number).await
    }

    async fn insert_company(&self, write: CompanyWrite) -> Result<Written, WriteError> {
        let id = write.company.id;
        let written = self.backend.insert_company(write).await?;
        Ok(self.written(written, Changed::Company(id)).await)
    }

    async fn replace_company(&self, write: CompanyWrite, expected: Rev) -> Result<Written, WriteError> {
        let id = write.company.id;
        let written = self.backend.replace_company(write, expected).await?;
        Ok(self.written(written, Changed::Company(id)).await)
    }

    async fn delete_company(&self, id: CompanyId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        let seq = self.backend.delete_company(id, expected).await?;
        let gone = [
            Changed::Company(id),
            Changed::Qna(QnaOwner::Company(id)),
            Changed::Singleton(Singleton::Overlay(id)),
        ];
        self.rotations.forget(id);
        self.note(&gone.map(|changed| (seq, changed))).await;
        Ok(seq)
    }
}

#[async_trait]
impl RotationStore for CachedStore {
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError> {
        self.backend.take_rotations(company, kind, count).await
    }

    async fn next_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        self.rotations.next(company, kind).await
    }

    async fn peek_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        self.rotations.peek(company, kind).await
    }

    async fn last_spoken(&self, company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
        self.backend.last_spoken(company).await
    }
}

#[async_trait]
impl TemplateStore for CachedStore {
    async fn template(&self, id: TemplateId) -> Result<Option<Stored>, StoreError> {
        self.backend.template(id).await
    }

    async fn templates(&self, page: Page<TemplateId>) -> Result<Vec<Stored>, StoreError> {
        self.backend.templates(page).await
    }

    async fn insert_template(&self, id: TemplateId, json: Map<String, Value>) -> Result<Written, WriteError> {
        let written = self.backend.insert_template(id, json).await?;
        Ok(self.written(written, Changed::Template(id)).await)
    }

    async fn replace_template(
        &self,
        id: TemplateId,
        json: Map<String, Value>,
        expected: Rev,
    ) -> Result<Written, WriteError> {
        let written = self.backend.replace_template(id, json, expected).await?;
        Ok(self.written(written, Changed::Template(id)).await)
    }

    async fn delete_template(&self, id: TemplateId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        let seq = self.backend.delete_template(id, expected).await?;
        self.note(&[(seq, Changed::Template(id))]).await;
        Ok(seq)
    }
}

#[async_trait]
impl QnaStore for CachedStore {
    async fn qna(&self, owner: &QnaOwner, id: &QnaId) -> Result<Option<Stored>, StoreError> {
        self.backend.qna(owner, id).await
    }

    async fn qnas(&self, owner: &QnaOwner, page: Page<QnaId>) -> Result<Vec<Stored>, StoreError> {
        self.backend.qnas(owner, page).await
    }

    async fn qna_trades(&self) -> Result<Vec<TradeName>, StoreError> {
        self.backend.qna_trades().await
    }

    async fn insert_qna(&self, owner: &QnaOwner, id: &QnaId, json: Map<String, Value>) -> Result<Written, WriteError> {
        let written = self.backend.insert_qna(owner, id, json).await?;
        Ok(self.written(written, Changed::Qna(owner.clone())).await)
    }

    async fn replace_qna(
        &self,
        owner: &QnaOwner,
        id: &QnaId,
        json: Map<String, Value>,
        expected: Rev,
    ) -> Result<Written, WriteError> {
        let written = self.backend.replace_qna(owner, id, json, expected).await?;
        Ok(self.written(written, Changed::Qna(owner.clone())).await)
    }

    async fn delete_qna(&self, owner: &QnaOwner, id: &QnaId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        let seq = self.backend.delete_qna(owner, id, expected).await?;
        self.note(&[(seq, Changed::Qna(owner.clone()))]).await;
        Ok(seq)
    }
}

#[async_trait]
impl SingletonStore for CachedStore {
    async fn singleton(&self, which: &Singleton) -> Result<Option<Stored>, StoreError> {
        self.backend.singleton(which).await
    }

    async fn put_singleton(
        &self,
        which: &Singleton,
        json: Map<String, Value>,
        expected: Option<Rev>,
    ) -> Result<Written, WriteError> {
        let written = self.backend.put_singleton(which, json, expected).await?;
        Ok(self.written(written, Changed::Singleton(which.clone())).await)
    }

    async fn prompt_languages(&self) -> Result<Vec<Arc<str>>, StoreError> {
        self.backend.prompt_languages().await
    }
}

#[async_trait]
impl ImportStore for CachedStore {
    async fn import(&self, items: Vec<ImportItem>, now: Timestamp) -> Result<Vec<(Seq, Changed)>, ImportError> {
        let changes = self.backend.import(items, now).await?;
        self.note(&changes).await;
        Ok(changes)
    }
}
