//! The port of moving house: what one store holds, taken over by another as it is.
//!
//! Every step may be done again: what is there already stays, or is written once more the same. What a store counts for
//! itself is left behind: numbers of changes, leases, and what was learnt.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    decision::FallbackKind,
    documents::company::Company,
    ids::{CallId, CompanyId, QnaId, TemplateId, TurnId},
    ledger::{Account, LedgerEntry},
    record::Notification,
    time::Timestamp,
};
use serde_json::Value;

use super::{
    Backend, CallPlace, QnaOwner, RecordKeeper, RollupScope, Singleton, SlotRollup, StoreError, Stored, StoredCompany,
};

/// A document with its counter and times.
#[derive(Debug, Clone)]
pub enum OldDocument {
    /// A template.
    Template(TemplateId, Stored),
    /// A company: its typed settings, and what is stored of it.
    Company(Arc<Company>, StoredCompany),
    /// A Q&A. Those of an owner come in the order in which they were made.
    Qna(QnaOwner, QnaId, Stored),
    /// An overlay, the safety rules or prompts.
    Singleton(Singleton, Stored),
}

/// A turn as it rests.
#[derive(Debug, Clone, PartialEq)]
pub struct OldTurn {
    /// Its id.
    pub turn_id: TurnId,
    /// Its record.
    pub record: Value,
    /// The document that answered it.
    pub document: Option<Arc<str>>,
}

/// A call as it rests, with its turns in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct OldCall {
    /// Where it stands among all calls; pages go on after it.
    pub place: CallPlace,
    /// Of which company.
    pub company: CompanyId,
    /// Which call.
    pub call: CallId,
    /// The caller.
    pub from: Option<String>,
    /// When its first turn came.
    pub started_at: Timestamp,
    /// How its last turn ended.
    pub ending: String,
    /// When Twilio reported its end.
    pub ended_at: Option<Timestamp>,
    /// Twilio's word for how it ended.
    pub ended_as: Option<String>,
    /// Its turns.
    pub turns: Vec<OldTurn>,
}

/// Where the rotation of a company's fallbacks of a kind stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldRotation {
    /// Whose.
    pub company: CompanyId,
    /// Of which kind.
    pub kind: FallbackKind,
    /// The number that is next.
    pub next: u64,
    /// The variation that was spoken last.
    pub last_spoken: Option<u32>,
}

/// How much a store holds of everything that is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Companies.
    pub companies: u64,
    /// Templates.
    pub templates: u64,
    /// Q&As of all owners.
    pub qnas: u64,
    /// Overlays, safety rules and prompts.
    pub singletons: u64,
    /// Calls.
    pub calls: u64,
    /// Their turns.
    pub turns: u64,
    /// Messages and callbacks.
    pub messages: u64,
    /// Notifications.
    pub notifications: u64,
    /// Contacts.
    pub contacts: u64,
    /// Roll-ups of turns.
    pub rollups: u64,
    /// Entries of the ledger.
    pub entries: u64,
    /// What all months of all accounts have spent, in pico-USD.
    pub spent: i64,
    /// What they hold, in pico-USD.
    pub held: i64,
}

/// Gives what a store holds, and takes over what another one held. Nobody else writes meanwhile.
#[async_trait]
pub trait TransferStore: Send + Sync {
    /// Counts and sums.
    async fn holdings(&self) -> Result<Holdings, StoreError>;
    /// Calls of all companies, oldest first.
    async fn old_calls(&self, after: Option<CallPlace>, limit: usize) -> Result<Vec<OldCall>, StoreError>;
    /// Every rotation that has begun.
    async fn old_rotations(&self) -> Result<Vec<OldRotation>, StoreError>;
    /// Every account that has entries.
    async fn old_accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// Writes documents with their counters and times; templates come before the companies that refer to them.
    async fn restore_documents(&self, documents: Vec<OldDocument>) -> Result<(), StoreError>;
    /// Writes calls that are not there yet, and turns that are not. They are not counted: roll-ups come by themselves.
    async fn restore_calls(&self, calls: Vec<OldCall>) -> Result<(), StoreError>;
    /// Writes roll-ups as they are, whatever was there.
    async fn restore_rollups(&self, scope: RollupScope, rollups: Vec<SlotRollup>) -> Result<(), StoreError>;
    /// Writes notifications. What was sent of them stays behind; who was still to be told of one is told.
    async fn restore_notifications(&self, notifications: Vec<Notification>) -> Result<(), StoreError>;
    /// Sets rotations.
    async fn restore_rotations(&self, rotations: Vec<OldRotation>) -> Result<(), StoreError>;
    /// Writes closed entries of an account that are not there yet, and adds them to their months.
    async fn restore_entries(&self, account: Account, entries: Vec<LedgerEntry>) -> Result<(), StoreError>;
    /// Notes how long the records of companies are kept that are no more.
    async fn restore_retention(&self, keepers: Vec<RecordKeeper>) -> Result<(), StoreError>;
}

/// A backend that can move house.
pub trait Movable: Backend + TransferStore {}

impl<T: Backend + TransferStore> Movable for T {}
