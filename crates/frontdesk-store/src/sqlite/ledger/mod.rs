//! The ledger: entries, and in the same transactions what they add up to.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::company::{Company, Opening},
    ids::{CompanyId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};
use rusqlite::{Connection, params};

use super::{ADMIN, CALL_PATH, IMPORT, SqliteStore};
use crate::ports::{Audit, Bill, Hold, LedgerFilter, LedgerStore, Page, Reserved, StoreError};

mod audit;
mod entries;
mod months;
mod steps;

/// Opens a company's current month with what an import says was spent, if that is of this month.
///
/// A month is opened once: while it has an `imported` entry, a later import changes nothing.
pub(super) fn open(
    connection: &Connection,
    id: LedgerEntryId,
    company: &Company,
    opening: &Opening,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (Some(spend), Some(last_reset)) = (opening.current_spend, opening.last_reset) else {
        return Ok(());
    };
    let month = MonthKey::of(now, &company.time_zone);
    if spend <= PicoUsd::ZERO || MonthKey::of_reset(last_reset, &company.time_zone) != month {
        return Ok(());
    }
    let sql = "INSERT INTO ledger (id, account, month, kind, amount, at) VALUES (?1, ?2, ?3, 'imported', ?4, ?5)
        ON CONFLICT (account, month) WHERE kind = 'imported' DO NOTHING";
    let (account, month) = (Account::Company(company.id).to_string(), month.to_string());
    let values = params![id.to_string(), &account, &month, spend.pico(), now.as_microsecond()];
    let opened = connection.prepare_cached(sql)?.execute(values)?;
    if opened > 0 {
        months::add(connection, &account, &month, spend.pico(), 0)?;
    }
    Ok(())
}

/// Writes an entry of another store, and adds it to its month; one that is there already stays as it is.
pub(super) fn restore(connection: &Connection, account: Account, entry: &LedgerEntry) -> rusqlite::Result<()> {
    let account = account.to_string();
    if entries::restore(connection, &account, entry)? {
        let (spent, held) = match entry.kind {
            EntryKind::Held => (0, entry.amount.pico()),
            _ => (entry.amount.pico(), 0),
        };
        months::add(connection, &account, &entry.month.to_string(), spent, held)?;
    }
    Ok(())
}

/// Work that somebody asked for and no longer waits for is either not begun or done in full. So a hold of which nobody
/// heard is charged when its lease ends, and one whose bill was not written is charged in full.
#[async_trait]
impl LedgerStore for SqliteStore {
    async fn reserve(&self, hold: Hold) -> Result<Reserved, StoreError> {
        self.record("hold an amount", CALL_PATH, move |connection| {
            steps::reserve(connection, &hold)
        })
        .await
    }

    async fn settle(&self, id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError> {
        let overrun = LedgerEntryId::from(self.ids.make());
        self.record("settle a bill", ADMIN, move |connection| {
            steps::settle(connection, id, &bill, overrun)
        })
        .await
    }

    async fn void(&self, id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError> {
        self.record("let a hold go", ADMIN, move |connection| {
            steps::void(connection, id, at)
        })
        .await
    }

    async fn reap(&self, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError> {
        // Usually nothing is due, and then nothing is written.
        let is_any_due = self.read("find holds whose lease has ended", move |connection| {
            entries::is_any_due(connection, now)
        });
        if !is_any_due.await? {
            return Ok(Vec::new());
        }
        self.record("charge holds whose lease has ended", ADMIN, move |connection| {
            steps::reap(connection, now)
        })
        .await
    }

    async fn spend(&self, account: Account, month: MonthKey) -> Result<Spend, StoreError> {
        self.read("read what a month has taken", move |connection| {
            months::read(connection, &account.to_string(), &month.to_string())
        })
        .await
    }

    async fn spends(&self, month: MonthKey, page: Page<CompanyId>) -> Result<Vec<(CompanyId, Spend)>, StoreError> {
        self.read("read what a month has taken of each company", move |connection| {
            months::of_companies(connection, &month.to_string(), page)
        })
        .await
    }

    async fn charged(&self, account: Account, turns: Vec<TurnId>) -> Result<Vec<(TurnId, PicoUsd)>, StoreError> {
        self.read("read what turns were charged", move |connection| {
            entries::charged(connection, &account.to_string(), turns)
        })
        .await
    }

    async fn entries(
        &self,
        account: Account,
        filter: LedgerFilter,
        page: Page<LedgerEntryId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.read("list the ledger", move |connection| {
            entries::list(connection, &account.to_string(), filter, page)
        })
        .await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        self.admin_readers.run("add up the ledger", IMPORT, audit::audit).await
    }
}
