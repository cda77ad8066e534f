//! The port of what is counted of calls.

use async_trait::async_trait;
use frontdesk_domain::{
    analytics::{Miss, Rollup, Slot},
    ids::CompanyId,
    time::Timestamp,
};

use super::StoreError;

/// Whose turns a roll-up counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RollupScope {
    /// Those of all companies together, without what answered them.
    Platform,
    /// Those of one company.
    Company(CompanyId),
}

/// The counts of a quarter of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRollup {
    /// Which quarter.
    pub slot: Slot,
    /// Whether some of its turns are deleted: it cannot be counted again.
    pub thinned: bool,
    /// The counts.
    pub rollup: Rollup,
}

/// What an erasure has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Calls.
    pub calls: u64,
    /// Turns of these calls, with the call states in them.
    pub turns: u64,
    /// Messages and wishes to be called back.
    pub messages: u64,
    /// Recordings of these messages that were kept here or still to be fetched.
    pub recordings: u64,
    /// Notifications that named one of these calls, or the caller, and do so no more.
    pub notifications: u64,
}

impl Erased {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            turns: self.turns + other.turns,
            messages: self.messages + other.messages,
            recordings: self.recordings + other.recordings,
            notifications: self.notifications + other.notifications,
        }
    }
}

/// Roll-ups and misses. Each turn that [`TurnLog::append_turns`](super::TurnLog::append_turns) stores is counted exactly
/// once, however often it is handed over: in one transaction with it, or after a mark on it before anybody reads.
#[async_trait]
pub trait AnalyticsStore: Send + Sync {
    /// Counts turns that are stored and not counted yet, in a backend whose storing leaves that for later. Whoever reads
    /// counts below need not ask for it: it only keeps them from having to wait.
    async fn count_turns(&self) -> Result<(), StoreError>;
    /// The roll-ups of the quarters from `from` on and before `to`, oldest first; quarters without turns have none.
    async fn rollups(&self, scope: RollupScope, from: Slot, to: Slot) -> Result<Vec<SlotRollup>, StoreError>;
    /// The companies that have roll-ups.
    async fn counted_companies(&self) -> Result<Vec<CompanyId>, StoreError>;
    /// A company's turns from `from` on and before `to` that no scripted match answered, newest first, at most `limit`.
    async fn misses(
        &self,
        company: CompanyId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Miss>, StoreError>;
    /// Replaces a roll-up that is still as `seen` (`None`: there is none) and not thinned; whether it was.
    async fn replace_rollup(
        &self,
        scope: RollupScope,
        slot: Slot,
        seen: Option<&Rollup>,
        counted: Rollup,
    ) -> Result<bool, StoreError>;
    /// Adds misses that are missing beside their turns; how many there were.
    async fn restore_misses(&self, company: CompanyId, misses: Vec<Miss>) -> Result<u64, StoreError>;
    /// Deletes what is kept of a caller: the calls from this number with their turns and misses, the messages from it or
    /// with it as the number to call back, their audio, and what notifications say of these calls. Roll-ups stay. One
    /// batch that keeps no other write waiting for long; nothing deleted means that nothing is left.
    async fn erase(&self, company: CompanyId, caller: &str) -> Result<Erased, StoreError>;
}
