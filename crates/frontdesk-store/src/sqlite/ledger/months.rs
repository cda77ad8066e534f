//! What a month's entries add up to.

use frontdesk_domain::{
    ids::CompanyId,
    ledger::{Account, Spend},
    money::PicoUsd,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    ports::Page,
    sqlite::{failure::damaged, rows::limit},
};

/// The sums of an account's month; nothing if it has no entry yet.
pub(super) fn read(connection: &Connection, account: &str, month: &str) -> rusqlite::Result<Spend> {
    let sql = "SELECT spent, held FROM ledger_months WHERE account = ?1 AND month = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row([account, month], |row| {
            Ok(Spend {
                spent: PicoUsd::from_pico(row.get(0)?),
                held: PicoUsd::from_pico(row.get(1)?),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The sums of a month of each company that has spent something in it, by id.
pub(super) fn of_companies(
    connection: &Connection,
    month: &str,
    page: Page<CompanyId>,
) -> rusqlite::Result<Vec<(CompanyId, Spend)>> {
    let sql = "SELECT account, spent, held FROM ledger_months
        WHERE month = ?1 AND account > ?2 AND account <> ?3 AND spent > 0 ORDER BY account LIMIT ?4";
    let after = page.after.map(|after| after.to_string()).unwrap_or_default();
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![month, after, Account::Platform.to_string(), limit(page.limit)];
    let months = statement.query_map(values, |row| {
        let account = row.get_ref(0)?.as_str()?;
        let company: Result<CompanyId, _> = account.parse();
        let company = company.map_err(|error| damaged("the account of a month", error))?;
        let spend = Spend {
            spent: PicoUsd::from_pico(row.get(1)?),
            held: PicoUsd::from_pico(row.get(2)?),
        };
        Ok((company, spend))
    })?;
    months.collect()
}

/// Adds pico-USD to the sums of an account's month, and gives them as they are then.
pub(super) fn add(
    connection: &Connection,
    account: &str,
    month: &str,
    spent: i64,
    held: i64,
) -> rusqlite::Result<Spend> {
    let before = read(connection, account, month)?;
    // Not in SQL, which would make a float of a sum that is too large.
    let spent = before.spent.pico().saturating_add(spent);
    let held = before.held.pico().saturating_add(held);
    let sql = "INSERT INTO ledger_months (account, month, spent, held) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET spent = excluded.spent, held = excluded.held";
    connection
        .prepare_cached(sql)?
        .execute(params![account, month, spent, held])?;
    Ok(Spend {
        spent: PicoUsd::from_pico(spent),
        held: PicoUsd::from_pico(held),
    })
}
