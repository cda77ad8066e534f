//! What Frontdesk needs of a store: small traits by aggregate.
//!
//! Times come back to the millisecond at least. Every backend passes the cases of this crate's `tests/it/conformance`. The traits know nothing of caches: the cache is
//! a decorator in front of them ([`crate::cache`]), so that each backend is tested bare.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use frontdesk_domain::{
    documents::{
        Fault,
        company::{Company, CompanySecrets, Opening, SecretChanges},
        trade::TradeName,
    },
    ids::{CompanyId, QnaId, TemplateId},
    time::Timestamp,
};
use serde_json::{Map, Value};

mod analytics;
mod forward;
mod health;
mod leases;
mod ledger;
mod messages;
mod notices;
mod records;
mod transfer;

pub use analytics::{AnalyticsStore, Erased, RollupScope, SlotRollup};
pub use health::{FallbackCount, HealthEntry, HealthFilter, HealthStore, InstanceHealth, PartHealth, Unresolved};
pub use leases::{Fence, Lease, LeaseStore};
pub use ledger::{Audit, Bill, Drift, Hold, LedgerFilter, LedgerStore, Reserved};
pub use messages::{
    Audio, AudioStore, DueAudio, FoundAudio, MessageFilter, MessageStore, Purged, PurgedNotices, RecordKeeper,
    RetentionStore,
};
pub use notices::{
    Busy, ContactStore, ContactWrite, DeliveryFilter, DueDelivery, DueNotification, NewDelivery, NotificationChange,
    NotificationChanged, NotificationFilter, NotificationStore, OutboxStore, Outcome, Plan, RaisedAlert, StoredContact,
    Told,
};
pub use records::{
    CallCursor, CallEnd, CallFilter, CallLog, CallPlace, GivenAnswer, Recalled, RotationStore, StoredCall, TurnLog,
    TurnsOfCall,
};

pub use transfer::{Holdings, Movable, OldCall, OldDocument, OldRotation, OldTurn, TransferStore};

/// Every name in the ports' signatures, for [`forward!`](crate::forward).
#[doc(hidden)]
pub mod signatures {
    pub use std::sync::Arc;

    pub use frontdesk_domain::{
        alert::AlertCode,
        analytics::{Miss, Rollup, Slot},
        decision::FallbackKind,
        documents::{company::Company, trade::TradeName},
        ids::{
            CallId, CompanyId, ContactId, DeliveryId, HealthEntryId, LedgerEntryId, MessageId, NotificationId, QnaId,
            TemplateId, TurnId,
        },
        ledger::{Account, LedgerEntry, Spend},
        money::PicoUsd,
        notice::{Attempt, Delivery},
        record::{Message, MessageState, Notification, TurnRecord},
        time::{MonthKey, Timestamp},
    };
    pub use serde_json::{Map, Value};

    pub use super::*;
}

/// A document's own counter: 1 when it is made, one more with each write.
pub type Rev = u64;

/// The number of a change, store-wide and growing. What was read when `Seq` was current holds every change up to it.
pub type Seq = u64;

/// The store does not answer, or not in time.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or refuses.
    #[error("the store cannot {action}")]
    Unavailable {
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read: written by a newer version, or damaged.
    #[error("{what} in the store cannot be read: {detail}")]
    Unreadable {
        /// Which document.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// Why a write was refused. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another document has this id, phone number or name.
    #[error("{detail}")]
    Taken {
        /// Which field of the document.
        pointer: String,
        /// Who has it.
        detail: String,
    },
    /// The document was changed in between.
    #[error("the document has been changed: its revision is {current}")]
    Stale {
        /// Its revision now.
        current: Rev,
    },
    /// There is no such document.
    #[error("there is no such document")]
    NotFound,
    /// The document refers to others that do not exist.
    #[error("the document refers to others that do not exist")]
    UnknownReference(Vec<Fault>),
    /// Companies use this template.
    #[error("companies use this template")]
    InUse(Vec<(CompanyId, Arc<str>)>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A document as it rests: its canonical JSON (without secrets and what the server owns) and what the server knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The canonical JSON.
    pub json: Map<String, Value>,
    /// Its counter.
    pub rev: Rev,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// A company as it rests, its secrets unsealed.
#[derive(Debug, Clone)]
pub struct StoredCompany {
    /// The settings.
    pub document: Stored,
    /// The secrets.
    pub secrets: CompanySecrets,
}

impl StoredCompany {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<CompanyId> {
        self.document.json.get("_id")?.as_str()?.parse().ok()
    }
}

/// A company to be written: read, checked, its secrets merged.
#[derive(Debug, Clone)]
pub struct CompanyWrite {
    /// The typed settings; the store takes id, numbers and template references from them.
    pub company: Arc<Company>,
    /// Their canonical JSON.
    pub json: Map<String, Value>,
    /// All secrets after the write.
    pub secrets: CompanySecrets,
}

/// What a write left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The document's counter now.
    pub rev: Rev,
    /// The number of the change.
    pub seq: Seq,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written.
    pub updated_at: Timestamp,
}

/// Where a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<K> {
    /// The last key of the page before.
    pub after: Option<K>,
    /// At most that many.
    pub limit: usize,
}

/// Companies, by id.
#[async_trait]
pub trait CompanyStore: Send + Sync {
    /// One company.
    async fn company(&self, id: CompanyId) -> Result<Option<StoredCompany>, StoreError>;
    /// Companies in the order of their ids.
    async fn companies(&self, page: Page<CompanyId>) -> Result<Vec<StoredCompany>, StoreError>;
    /// The company that has this number.
    async fn company_by_number(&self, number: &str) -> Result<Option<CompanyId>, StoreError>;
    /// Makes a company. Its id and numbers must be free, its templates must exist.
    async fn insert_company(&self, write: CompanyWrite) -> Result<Written, WriteError>;
    /// Replaces a company whose revision is `expected`.
    async fn replace_company(&self, write: CompanyWrite, expected: Rev) -> Result<Written, WriteError>;
    /// Deletes a company with its Q&A and overlay; its calls, messages and ledger stay until retention ends.
    async fn delete_company(&self, id: CompanyId, expected: Option<Rev>) -> Result<Seq, WriteError>;
}

/// Templates, by id.
#[async_trait]
pub trait TemplateStore: Send + Sync {
    /// One template.
    async fn template(&self, id: TemplateId) -> Result<Option<Stored>, StoreError>;
    /// Templates in the order of their ids.
    async fn templates(&self, page: Page<TemplateId>) -> Result<Vec<Stored>, StoreError>;
    /// Makes a template whose id is free.
    async fn insert_template(&self, id: TemplateId, json: Map<String, Value>) -> Result<Written, WriteError>;
    /// Replaces a template whose revision is `expected`.
    async fn replace_template(
        &self,
        id: TemplateId,
        json: Map<String, Value>,
        expected: Rev,
    ) -> Result<Written, WriteError>;
    /// Deletes a template that no company refers to.
    async fn delete_template(&self, id: TemplateId, expected: Option<Rev>) -> Result<Seq, WriteError>;
}

pub use frontdesk_domain::documents::qna::Owner as QnaOwner;

/// Q&As, by owner and id.
#[async_trait]
pub trait QnaStore: Send + Sync {
    /// One Q&A.
    async fn qna(&self, owner: &QnaOwner, id: &QnaId) -> Result<Option<Stored>, StoreError>;
    /// An owner's Q&As in the order in which they were made.
    async fn qnas(&self, owner: &QnaOwner, page: Page<QnaId>) -> Result<Vec<Stored>, StoreError>;
    /// The trades that have Q&As, as they were first written, in the order of their keys: an export lists them.
    async fn qna_trades(&self) -> Result<Vec<TradeName>, StoreError>;
    /// Makes a Q&A whose id is free.
    async fn insert_qna(&self, owner: &QnaOwner, id: &QnaId, json: Map<String, Value>) -> Result<Written, WriteError>;
    /// Replaces a Q&A whose revision is `expected`.
    async fn replace_qna(
        &self,
        owner: &QnaOwner,
        id: &QnaId,
        json: Map<String, Value>,
        expected: Rev,
    ) -> Result<Written, WriteError>;
    /// Deletes a Q&A.
    async fn delete_qna(&self, owner: &QnaOwner, id: &QnaId, expected: Option<Rev>) -> Result<Seq, WriteError>;
}

/// Documents of which there is one each: a company's overlay, the safety rules, the prompts of a language.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Singleton {
    /// A company's additions.
    Overlay(CompanyId),
    /// The platform's safety rules; without one the embedded ones hold.
    Safety,
    /// The platform's prompts of a language; without one the embedded ones hold.
    Prompts(Arc<str>),
}

/// Overlay, safety rules and prompts.
#[async_trait]
pub trait SingletonStore: Send + Sync {
    /// The document, if one was put.
    async fn singleton(&self, which: &Singleton) -> Result<Option<Stored>, StoreError>;
    /// Puts it; with `expected`, only if its revision is that (0 = none yet).
    async fn put_singleton(
        &self,
        which: &Singleton,
        json: Map<String, Value>,
        expected: Option<Rev>,
    ) -> Result<Written, WriteError>;
    /// The languages that have stored prompts.
    async fn prompt_languages(&self) -> Result<Vec<Arc<str>>, StoreError>;
}

/// A company's settings as one read saw them.
#[derive(Debug, Clone)]
pub struct CompanySnapshot {
    /// Every change up to here is in.
    pub as_of: Seq,
    /// The company, if there is one.
    pub company: Option<StoredCompany>,
}

/// An owner's Q&As, as one read saw them.
#[derive(Debug, Clone, Default)]
pub struct QnaSetSnapshot {
    /// Grows with each change to the set, deletions included, and never falls; 0 if there never was a Q&A.
    pub rev: Rev,
    /// The Q&As in the order in which they were made.
    pub qnas: Vec<Stored>,
}

/// Tells one state of a document from all others that it ever had, also if it was deleted and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its revision.
    pub rev: Rev,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl Stamp {
    /// That of a stored document.
    #[must_use]
    pub const fn of(stored: &Stored) -> Self {
        Self {
            rev: stored.rev,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// Templates that whoever asks has read already. They are long, and many companies use the same ones.
pub type KnownTemplates = HashMap<TemplateId, Stamp>;

/// A template, as one read saw it.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateState {
    /// It is what whoever asked knows.
    Known,
    /// It may be another.
    Read(Stored),
}

/// What a company's knowledge is compiled from, as one read saw it.
#[derive(Debug, Clone, Default)]
pub struct KnowledgeSnapshot {
    /// Every change up to here is in.
    pub as_of: Seq,
    /// The enabled templates in effective order; a template that is gone is left out.
    pub templates: Vec<(TemplateId, TemplateState)>,
    /// The company's own Q&As.
    pub company_qna: QnaSetSnapshot,
    /// The Q&As of its trades, in the order of its trades.
    pub trade_qna: Vec<(TradeName, QnaSetSnapshot)>,
    /// Its additions.
    pub overlay: Option<Stored>,
}

/// Safety rules and prompts, as one read saw them.
#[derive(Debug, Clone, Default)]
pub struct PlatformSnapshot {
    /// Every change up to here is in.
    pub as_of: Seq,
    /// The stored safety rules.
    pub safety: Option<Stored>,
    /// The stored prompts by language.
    pub prompts: Vec<(Arc<str>, Stored)>,
}

/// All templates, as one read saw them.
#[derive(Debug, Clone, Default)]
pub struct CatalogueSnapshot {
    /// Every change up to here is in.
    pub as_of: Seq,
    /// The templates.
    pub templates: Vec<CatalogueTemplate>,
}

/// A template, and for whom it is used.
#[derive(Debug, Clone)]
pub struct CatalogueTemplate {
    /// Its id.
    pub id: TemplateId,
    /// The document.
    pub stored: Stored,
    /// The trades of each company that refers to it, each set of trades once.
    pub users: Vec<Vec<TradeName>>,
}

/// The reads of the call path: each sees one state of the store.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// A company's settings.
    async fn company_snapshot(&self, id: CompanyId) -> Result<CompanySnapshot, StoreError>;
    /// What a company's knowledge is compiled from.
    /// Templates that are still what is `known` of them may be left out.
    async fn knowledge_snapshot(
        &self,
        company: &Company,
        known: &KnownTemplates,
    ) -> Result<KnowledgeSnapshot, StoreError>;
    /// Safety rules and prompts.
    async fn platform_snapshot(&self) -> Result<PlatformSnapshot, StoreError>;
    /// All templates in the order of their ids, and for whom each is used.
    async fn catalogue_snapshot(&self) -> Result<CatalogueSnapshot, StoreError>;
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Changed {
    /// More than the store remembers: whoever asks must take everything for changed.
    Everything,
    /// A company's settings.
    Company(CompanyId),
    /// A template.
    Template(TemplateId),
    /// An owner's Q&A set.
    Qna(QnaOwner),
    /// An overlay, the safety rules or prompts.
    Singleton(Singleton),
}

/// The changes of the store, so that caches in other processes hear of them.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The number of the newest change.
    async fn newest(&self) -> Result<Seq, StoreError>;
    /// The changes after `seq`, oldest first; [`Changed::Everything`] stands for those that are no longer remembered.
    /// Reads nothing when nobody wrote since the last call.
    async fn changes_after(&self, seq: Seq) -> Result<Vec<(Seq, Changed)>, StoreError>;
}

/// One imported document.
#[derive(Debug, Clone)]
pub enum ImportItem {
    /// Written as a whole; secrets that it does not bring stay as they are.
    Company {
        /// The typed settings, as in [`CompanyWrite`].
        company: Arc<Company>,
        /// Their canonical JSON.
        json: Map<String, Value>,
        /// What is said of secrets: applied to those stored in the transaction that writes, so that none is lost that
        /// somebody else writes meanwhile.
        secrets: SecretChanges,
        /// What opens the month: spend and rotation.
        opening: Opening,
    },
    /// A template.
    Template(TemplateId, Map<String, Value>),
    /// A Q&A.
    Qna(QnaOwner, QnaId, Map<String, Value>),
    /// An overlay, the safety rules or prompts.
    Singleton(Singleton, Map<String, Value>),
}

/// Why an import was refused. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Items that cannot be written, by their index in the list.
    #[error("{} lines cannot be imported", .0.len())]
    Refused(Vec<(usize, Fault)>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes many documents at once, or none.
#[async_trait]
pub trait ImportStore: Send + Sync {
    /// Upserts all items by id in one transaction and checks references at the end.
    ///
    /// An opening spend becomes an `imported` ledger entry, once per company and month, if it was spent in the month
    /// that `now` lies in, in the company's zone.
    async fn import(&self, items: Vec<ImportItem>, now: Timestamp) -> Result<Vec<(Seq, Changed)>, ImportError>;
}

/// Whether the store answers and takes writes.
#[async_trait]
pub trait Ping: Send + Sync {
    /// Reads and writes something small.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A whole backend.
pub trait Backend:
    CompanyStore
    + TemplateStore
    + QnaStore
    + SingletonStore
    + SnapshotStore
    + ChangeFeed
    + ImportStore
    + TurnLog
    + CallLog
    + AnalyticsStore
    + MessageStore
    + AudioStore
    + RetentionStore
    + NotificationStore
    + OutboxStore
    + ContactStore
    + RotationStore
    + LedgerStore
    + LeaseStore
    + HealthStore
    + Ping
{
}

impl<T> Backend for T where
    T: CompanyStore
        + TemplateStore
        + QnaStore
        + SingletonStore
        + SnapshotStore
        + ChangeFeed
        + ImportStore
        + TurnLog
        + CallLog
        + AnalyticsStore
        + MessageStore
        + AudioStore
        + RetentionStore
        + NotificationStore
        + OutboxStore
        + ContactStore
        + RotationStore
        + LedgerStore
        + LeaseStore
        + HealthStore
        + Ping
{
}
