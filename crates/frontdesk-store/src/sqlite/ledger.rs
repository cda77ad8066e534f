//! The ledger's table. For now it holds what imports open months with.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::company::{Company, Opening},
    ids::{CompanyId, LedgerEntryId},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, failure::damaged, rows};
use crate::ports::{ImportedSpend, SpendStore, StoreError};

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
    if spend <= PicoUsd::ZERO || MonthKey::of(last_reset, &company.time_zone) != month {
        return Ok(());
    }
    let sql = "INSERT INTO ledger (id, account, month, kind, amount, at) VALUES (?1, ?2, ?3, 'imported', ?4, ?5)
        ON CONFLICT (account, month) WHERE kind = 'imported' DO NOTHING";
    let (account, month) = (company.id.to_string(), month.to_string());
    let values = params![id.to_string(), account, month, spend.pico(), now.as_microsecond()];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

#[async_trait]
impl SpendStore for SqliteStore {
    async fn imported_spend(&self, company: CompanyId, month: &MonthKey) -> Result<Option<ImportedSpend>, StoreError> {
        let month = *month;
        self.read("read the ledger", move |connection| {
            let sql = "SELECT id, amount, at FROM ledger WHERE account = ?1 AND month = ?2 AND kind = 'imported'";
            let found = connection
                .prepare_cached(sql)?
                .query_row([company.to_string(), month.to_string()], |row| {
                    Ok(ImportedSpend {
                        id: row
                            .get_ref(0)?
                            .as_str()?
                            .parse()
                            .map_err(|error| damaged("a ledger entry's id", error))?,
                        month,
                        amount: PicoUsd::from_pico(row.get(1)?),
                        at: rows::time(row.get(2)?)?,
                    })
                });
            found.optional()
        })
        .await
    }
}
