//! The port of the ledger: holds, bills, and what they add up to (DESIGN 4.1 to 4.3).

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CallId, CompanyId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry, PriceRow, Spend, Usage},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};

use super::{Page, StoreError};

/// What is to be held for one attempt of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// The id of the entry.
    pub id: LedgerEntryId,
    /// Who pays.
    pub account: Account,
    /// The month that pays.
    pub month: MonthKey,
    /// The turn that asks. A turn holds once an attempt, however often it comes.
    pub turn: TurnId,
    /// The call of that turn.
    pub call: CallId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The most that it can cost.
    pub amount: PicoUsd,
    /// What the account may spend this month, for the platform's. A company's is its `monthlyBudget` as the store has
    /// it at that instant: no cache has a say.
    pub cap: PicoUsd,
    /// The model that is asked.
    pub model: Arc<str>,
    /// Its price.
    pub price: Arc<PriceRow>,
    /// Now.
    pub at: Timestamp,
    /// From then on, whoever did not settle is charged in full.
    pub lease_until: Timestamp,
}

/// What became of a wish to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// It is held. The account's month with it, and its limit.
    Granted(Spend, PicoUsd),
    /// It does not fit: the account's month as it is, and its limit.
    Refused(Spend, PicoUsd),
    /// This attempt of the turn has an entry already: a process died with it, or another one has it.
    Known(EntryKind),
}

/// What is charged for a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// What the provider says it used; none: the whole hold is charged.
    pub usage: Option<Usage>,
    /// The price by which the amount was derived, where it is not that of the hold.
    pub price: Option<Arc<PriceRow>>,
    /// What is charged; at most the hold.
    pub amount: PicoUsd,
    /// What the provider bills beyond the hold; the platform pays it.
    pub overrun: PicoUsd,
    /// When it came.
    pub at: Timestamp,
}

/// Which entries are listed; absent parts let everything through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Of this month.
    pub month: Option<MonthKey>,
    /// Of this kind.
    pub kind: Option<EntryKind>,
}

/// Sums that are not what the entries add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The account: a company's id, or `platform`.
    pub account: String,
    /// The month.
    pub month: String,
    /// What is wrong: which figure, what it is, what it should be.
    pub detail: String,
}

/// What a check of the whole ledger found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// How many entries were added up.
    pub entries: u64,
    /// How many months of accounts.
    pub months: u64,
    /// What is wrong; empty if all is right.
    pub drifts: Vec<Drift>,
}

/// The ledger. Every operation is one atomic step on disk, over all processes that use the store.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Holds an amount if spent + held + amount ≤ limit at that instant.
    async fn reserve(&self, hold: Hold) -> Result<Reserved, StoreError>;
    /// Charges a hold. `false` if it is no longer held: it was charged in full meanwhile, or settled before; then
    /// nothing is changed but that an overrun beyond it is noted.
    async fn settle(&self, id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError>;
    /// Lets a hold go uncharged. `false` if it is no longer held.
    async fn void(&self, id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError>;
    /// Charges every hold in full whose lease ended before `now`; says which, with their accounts.
    async fn reap(&self, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError>;
    /// What a month has taken so far.
    async fn spend(&self, account: Account, month: MonthKey) -> Result<Spend, StoreError>;
    /// What a month has taken of each company that has spent something in it, in the order of their ids.
    async fn spends(&self, month: MonthKey, page: Page<CompanyId>) -> Result<Vec<(CompanyId, Spend)>, StoreError>;
    /// What each of these turns was charged, all its attempts together, in this order. Turns without an entry are left
    /// out, and so are those of which something is still held.
    async fn charged(&self, account: Account, turns: Vec<TurnId>) -> Result<Vec<(TurnId, PicoUsd)>, StoreError>;
    /// An account's entries, newest first.
    async fn entries(
        &self,
        account: Account,
        filter: LedgerFilter,
        page: Page<LedgerEntryId>,
    ) -> Result<Vec<LedgerEntry>, StoreError>;
    /// Adds every entry up again, and derives every settled amount from its tokens and price.
    async fn audit(&self) -> Result<Audit, StoreError>;
}
