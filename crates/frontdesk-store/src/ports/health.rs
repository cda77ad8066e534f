//! The ports of health: what checks found, which instances there are, and what they judge companies by.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    alert::AlertCode,
    analytics::Slot,
    health::HealthState,
    ids::{CompanyId, HealthEntryId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Page, StoreError};

/// A point in the history of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthEntry {
    /// Its id; ids grow with time. An entry is kept once.
    pub id: HealthEntryId,
    /// Which process looked.
    pub instance: Arc<str>,
    /// Which check.
    pub check: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What was believed then.
    pub state: HealthState,
    /// In a few words.
    pub detail: Arc<str>,
    /// Whether the state changed then; else it is a sample of one that lasts.
    pub is_change: bool,
}

/// Which entries are listed; absent parts let everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthFilter {
    /// Of this check.
    pub check: Option<Arc<str>>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// What an instance believes of one of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartHealth {
    /// The check's name.
    pub name: Arc<str>,
    /// What is believed; none before the first reading.
    pub state: Option<HealthState>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// In a few words.
    pub detail: Arc<str>,
    /// The alert that stands for its trouble, if one does.
    pub code: Option<AlertCode>,
    /// What to do about its trouble.
    pub fix: Arc<str>,
}

/// How an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceHealth {
    /// Which process.
    pub instance: Arc<str>,
    /// How often it has written, from 1.
    pub beat: u64,
    /// When it wrote last, by its own clock.
    pub at: Timestamp,
    /// Its parts.
    pub parts: Vec<PartHealth>,
}

/// How often callers of a company heard a fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackCount {
    /// Which company.
    pub company: CompanyId,
    /// Its turns that were to be answered from what it knows ([`Rollup::asked`](frontdesk_domain::analytics::Rollup::asked)).
    pub turns: u64,
    /// Of these, those that a fallback answered.
    pub fallbacks: u64,
}

/// A notification that is not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Of what.
    pub code: AlertCode,
    /// To whom.
    pub company: Option<CompanyId>,
    /// The newest alert's details.
    pub details: Value,
    /// When the newest alert came.
    pub last_at: Timestamp,
}

/// What checks found, and what they look at.
#[async_trait]
pub trait HealthStore: Send + Sync {
    /// Adds to the history; an entry that is there already stays as it is.
    async fn keep_health(&self, entries: Vec<HealthEntry>) -> Result<(), StoreError>;
    /// The history, newest first.
    async fn health_history(
        &self,
        filter: &HealthFilter,
        page: Page<HealthEntryId>,
    ) -> Result<Vec<HealthEntry>, StoreError>;
    /// Deletes a batch of the history from before `before`, and instances that have not written since; how many.
    async fn purge_health(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Notes how an instance is, in place of what it wrote before.
    async fn put_instance(&self, health: InstanceHealth) -> Result<(), StoreError>;
    /// Forgets an instance: its process ends.
    async fn remove_instance(&self, instance: &str) -> Result<(), StoreError>;
    /// The instances that have written since, in the order of their names.
    async fn instances(&self, since: Timestamp) -> Result<Vec<InstanceHealth>, StoreError>;
    /// The fallbacks of every company that had at least so many turns in the quarters from `from` on, in the order of the
    /// companies: from the roll-ups, so that no turn is read and none costs more to store.
    async fn fallback_counts(&self, from: Slot, turns: u64) -> Result<Vec<FallbackCount>, StoreError>;
    /// The notifications of these codes that are not resolved.
    async fn unresolved(&self, codes: &[AlertCode]) -> Result<Vec<Unresolved>, StoreError>;
    /// What time it is by the store's own clock; none where that is this machine's.
    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError>;
}
