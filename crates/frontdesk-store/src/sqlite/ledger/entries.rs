//! Entries as rows.

use frontdesk_domain::{
    ids::{CallId, LedgerEntryId, TurnId},
    ledger::{Account, LedgerEntry},
    money::PicoUsd,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter, types::ToSql};

use super::PLATFORM;
use crate::{
    ports::{Bill, Hold, LedgerFilter, Page},
    sqlite::{
        failure::damaged,
        rows::{self, Bound, Conditions},
    },
};

const COLUMNS: &str =
    "id, month, turn_id, call_id, attempt, kind, model, prompt_tokens, cached_tokens, cache_write_tokens,
    completion_tokens, price_row, hold, amount, at, closed_at, account";

/// An entry, from a row of these columns.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<(String, LedgerEntry)> {
    let price: Option<String> = row.get(11)?;
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let entry = LedgerEntry {
        id: parsed(row, 0, "a ledger entry's id")?,
        month: parsed(row, 1, "a ledger entry's month")?,
        turn_id: text(2)?.map(|id| TurnId::new(&id)),
        call_id: text(3)?.map(|id| CallId::new(&id)),
        attempt: row.get(4)?,
        kind: rows::word(row.get_ref(5)?.as_str()?, "the kind of a ledger entry")?,
        model: text(6)?.map(Into::into),
        prompt_tokens: tokens(row, 7)?,
        cached_tokens: tokens(row, 8)?,
        cache_write_tokens: tokens(row, 9)?,
        completion_tokens: tokens(row, 10)?,
        price_row: price.map(|price| rows::from_json(&price, "a price")).transpose()?,
        hold: row.get::<_, Option<i64>>(12)?.map(PicoUsd::from_pico),
        amount: PicoUsd::from_pico(row.get(13)?),
        at: rows::time(row.get(14)?)?,
        closed_at: rows::optional_time(row.get(15)?)?,
    };
    Ok((row.get(16)?, entry))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(row: &Row<'_>, at: usize, what: &str) -> rusqlite::Result<T> {
    row.get_ref(at)?.as_str()?.parse().map_err(|error| damaged(what, error))
}

/// Tokens rest as signed numbers: what is beyond them is as absurd as the bound.
fn tokens(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    let tokens: Option<i64> = row.get(at)?;
    Ok(tokens.map(|tokens| u64::try_from(tokens).unwrap_or_default()))
}

fn at_rest(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

pub(super) fn insert_held(connection: &Connection, hold: &Hold, account: &str, month: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ledger (id, account, month, turn_id, call_id, attempt, kind, model, price_row, hold, amount, at, lease_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'held', ?7, ?8, ?9, ?9, ?10, ?11)";
    let values = params![
        hold.id.to_string(),
        account,
        month,
        hold.turn.as_str(),
        hold.call.as_str(),
        hold.attempt,
        &*hold.model,
        rows::to_json(&*hold.price)?,
        hold.amount.pico(),
        hold.at.as_microsecond(),
        hold.lease_until.as_microsecond(),
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Notes how a bill came about.
pub(super) fn note_bill(connection: &Connection, id: &str, bill: &Bill) -> rusqlite::Result<()> {
    let usage = bill.usage.unwrap_or_default();
    let told = |tokens: u64| bill.usage.map(|_| at_rest(tokens));
    let price = bill.price.as_ref().map(|price| rows::to_json(&**price)).transpose()?;
    let sql =
        "UPDATE ledger SET prompt_tokens = ?2, cached_tokens = ?3, cache_write_tokens = ?4, completion_tokens = ?5,
        price_row = coalesce(?6, price_row) WHERE id = ?1";
    let values = params![
        id,
        told(usage.prompt),
        told(usage.cached),
        told(usage.cache_write),
        told(usage.completion),
        price
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Posts what a bill is beyond its hold to the platform, once. Its id is that of the hold, counted down by one in the
/// random part that tells processes apart, which no other id of this process has.
pub(super) fn insert_overrun(connection: &Connection, id: &str, bill: &Bill, month: &str) -> rusqlite::Result<bool> {
    let usage = bill.usage.unwrap_or_default();
    let price = bill.price.as_ref().map(|price| rows::to_json(&**price)).transpose()?;
    let sql = "INSERT INTO ledger (id, account, month, turn_id, call_id, attempt, kind, model, prompt_tokens, cached_tokens,
            cache_write_tokens, completion_tokens, price_row, amount, at, closed_at)
        SELECT ?2, ?3, ?4, turn_id, call_id, attempt, 'overrun', model, ?5, ?6, ?7, ?8, coalesce(?9, price_row), ?10, ?11, ?11
        FROM ledger WHERE id = ?1
        ON CONFLICT DO NOTHING";
    let values = params![
        id,
        beside(id),
        PLATFORM,
        month,
        at_rest(usage.prompt),
        at_rest(usage.cached),
        at_rest(usage.cache_write),
        at_rest(usage.completion),
        price,
        bill.overrun.pico(),
        bill.at.as_microsecond(),
    ];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

/// Another id of the same second: that of a process whose random part has its first digit turned.
fn beside(id: &str) -> String {
    let mut digits: Vec<char> = id.chars().collect();
    if let Some(digit) = digits.get_mut(8) {
        let turned = digit.to_digit(16).unwrap_or_default() ^ 8;
        *digit = char::from_digit(turned, 16).unwrap_or('0');
    }
    digits.into_iter().collect()
}

/// The ids of holds whose lease ended.
pub(super) fn due(connection: &Connection, before: i64, limit: i64) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT id FROM ledger WHERE kind = 'held' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map([before, limit], |row| row.get(0))?;
    ids.collect()
}

pub(super) fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<(Account, LedgerEntry)>> {
    let sql = format!("SELECT {COLUMNS} FROM ledger WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let Some((account, entry)) = statement.query_row([id], entry).optional()? else {
        return Ok(None);
    };
    let account = if account == PLATFORM {
        Account::Platform
    } else {
        Account::Company(
            account
                .parse()
                .map_err(|error| damaged("a ledger entry's account", error))?,
        )
    };
    Ok(Some((account, entry)))
}

pub(super) fn list(
    connection: &Connection,
    account: &str,
    filter: LedgerFilter,
    page: Page<LedgerEntryId>,
) -> rusqlite::Result<Vec<LedgerEntry>> {
    let mut conditions = Conditions::default();
    if let Some(month) = filter.month {
        conditions.and("month = ?", [Box::new(month.to_string()) as Bound]);
    }
    if let Some(kind) = filter.kind {
        conditions.and("kind = ?", [Box::new(kind.as_str()) as Bound]);
    }
    if let Some(after) = page.after {
        conditions.and("id < ?", [Box::new(after.to_string()) as Bound]);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM ledger WHERE account = ?{} ORDER BY id DESC LIMIT {}",
        conditions.sql,
        rows::limit(page.limit)
    );
    let account: &dyn ToSql = &account;
    let values = std::iter::once(account).chain(conditions.values());
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map(params_from_iter(values), |row| Ok(entry(row)?.1))?;
    found.collect()
}

/// Reads every entry, with its account.
pub(super) fn each(connection: &Connection, mut visit: impl FnMut(String, LedgerEntry)) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM ledger ORDER BY account, month");
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (account, entry) = entry(row)?;
        visit(account, entry);
    }
    Ok(())
}
