//! What a month's entries add up to.

use frontdesk_domain::{ledger::Spend, money::PicoUsd};
use rusqlite::{Connection, OptionalExtension as _, params};

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
