//! Entries as rows hold them.

use std::{fmt, str::FromStr, sync::Arc};

use frontdesk_domain::{
    ids::{CallId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry},
    money::PicoUsd,
    time::Timestamp,
};
use rusqlite::{Connection, Row, params_from_iter, types::ToSql};

use crate::{
    ports::{LedgerFilter, Page},
    sqlite::{
        failure::damaged,
        rows::{self, Bound, Conditions, from_json, limit},
    },
};

/// The columns that [`read`] reads.
const ENTRY: &str = "account, id, month, turn_id, call_id, attempt, kind, model, prompt_tokens, cached_tokens,
    cache_write_tokens, completion_tokens, price_row, hold, amount, at, closed_at";

fn read(row: &Row<'_>) -> rusqlite::Result<(Account, LedgerEntry)> {
    let id: LedgerEntryId = parsed(row, 1, "a ledger entry's id")?;
    let price_row = row.get_ref(12)?.as_str_or_null()?;
    let price_row = price_row.map(|text| from_json(text, format_args!("the price of ledger entry {id}")));
    let entry = LedgerEntry {
        id,
        month: parsed(row, 2, "a ledger entry's month")?,
        turn_id: row.get_ref(3)?.as_str_or_null()?.map(TurnId::new),
        call_id: row.get_ref(4)?.as_str_or_null()?.map(CallId::new),
        attempt: row.get(5)?,
        kind: rows::word(row.get_ref(6)?.as_str()?, "a ledger entry's kind")?,
        model: row.get::<_, Option<Arc<str>>>(7)?,
        prompt_tokens: row.get(8)?,
        cached_tokens: row.get(9)?,
        cache_write_tokens: row.get(10)?,
        completion_tokens: row.get(11)?,
        price_row: price_row.transpose()?,
        hold: row.get::<_, Option<i64>>(13)?.map(PicoUsd::from_pico),
        amount: PicoUsd::from_pico(row.get(14)?),
        at: rows::time(row.get(15)?)?,
        closed_at: rows::optional_time(row.get(16)?)?,
    };
    Ok((parsed(row, 0, "a ledger entry's account")?, entry))
}

fn parsed<T: FromStr<Err: fmt::Display>>(row: &Row<'_>, column: usize, what: &str) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| damaged(what, error))
}

/// An account's entries, newest first.
pub(super) fn list(
    connection: &Connection,
    account: &str,
    filter: LedgerFilter,
    page: Page<LedgerEntryId>,
) -> rusqlite::Result<Vec<LedgerEntry>> {
    let LedgerFilter { month, kind } = filter;
    let mut conditions = Conditions::default();
    let equal = |text: String| [Box::new(text) as Bound];
    if let Some(month) = month {
        conditions.and("month = ?", equal(month.to_string()));
    }
    if let Some(kind) = kind {
        conditions.and("kind = ?", equal(kind.as_str().to_owned()));
    }
    if let Some(after) = page.after {
        conditions.and("id < ?", equal(after.to_string()));
    }
    let sql = format!(
        "SELECT {ENTRY} FROM ledger WHERE account = ?{} ORDER BY id DESC LIMIT ?",
        conditions.sql
    );
    let rows = limit(page.limit);
    let values = [&account as &dyn ToSql]
        .into_iter()
        .chain(conditions.values())
        .chain([&rows as &dyn ToSql]);
    let mut statement = connection.prepare_cached(&sql)?;
    let entries = statement.query_map(params_from_iter(values), |row| read(row).map(|(_, entry)| entry))?;
    entries.collect()
}

/// Writes an entry as it is; `false` if it is there already. One that is still held may be charged at once.
pub(super) fn restore(connection: &Connection, account: &str, entry: &LedgerEntry) -> rusqlite::Result<bool> {
    let sql = format!(
        "INSERT OR IGNORE INTO ledger ({ENTRY}, lease_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
    );
    let LedgerEntry {
        id,
        month,
        turn_id,
        call_id,
        attempt,
        kind,
        model,
        prompt_tokens,
        cached_tokens,
        cache_write_tokens,
        completion_tokens,
        price_row,
        hold,
        amount,
        at,
        closed_at,
    } = entry;
    let lease_until = (*kind == EntryKind::Held).then(|| at.as_microsecond());
    let written = connection.prepare_cached(&sql)?.execute(rusqlite::params![
        account,
        id.to_string(),
        month.to_string(),
        turn_id.as_ref().map(TurnId::as_str),
        call_id.as_ref().map(CallId::as_str),
        attempt,
        kind.as_str(),
        model,
        prompt_tokens,
        cached_tokens,
        cache_write_tokens,
        completion_tokens,
        price_row.as_ref().map(rows::to_json).transpose()?,
        hold.map(PicoUsd::pico),
        amount.pico(),
        at.as_microsecond(),
        closed_at.map(Timestamp::as_microsecond),
        lease_until,
    ])?;
    Ok(written > 0)
}

const DUE: &str = "kind = 'held' AND lease_until < ?1";

/// Whether the lease of any hold ended before `now`.
pub(super) fn is_any_due(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM ledger WHERE {DUE}");
    connection.prepare_cached(&sql)?.exists([now.as_microsecond()])
}

/// The first `limit` holds whose lease ended before `now`, with their accounts.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: i64,
) -> rusqlite::Result<Vec<(Account, LedgerEntry)>> {
    let sql = format!("SELECT {ENTRY} FROM ledger WHERE {DUE} ORDER BY lease_until, id LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let due = statement.query_map([now.as_microsecond(), limit], read)?;
    due.collect()
}

/// The kind of the entry that an attempt of a turn has.
pub(super) fn kind_of(
    connection: &Connection,
    account: &str,
    turn: &TurnId,
    attempt: u32,
) -> rusqlite::Result<Option<EntryKind>> {
    let sql = "SELECT kind FROM ledger
        WHERE account = ?1 AND turn_id = ?2 AND attempt = ?3 AND turn_id IS NOT NULL AND kind <> 'overrun'";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(rusqlite::params![account, turn.as_str(), attempt])?;
    let kind = |row: &Row<'_>| rows::word(row.get_ref(0)?.as_str()?, "a ledger entry's kind");
    found.next()?.map(kind).transpose()
}

/// What each of these turns was charged, of those that have entries of which none is held.
pub(super) fn charged(
    connection: &Connection,
    account: &str,
    turns: Vec<TurnId>,
) -> rusqlite::Result<Vec<(TurnId, PicoUsd)>> {
    let sql = "SELECT kind = 'held', amount FROM ledger
        WHERE account = ?1 AND turn_id = ?2 AND turn_id IS NOT NULL AND kind <> 'overrun'";
    let mut statement = connection.prepare_cached(sql)?;
    let mut charged = Vec::new();
    for turn in turns {
        let attempts = statement.query_map([account, turn.as_str()], |row| {
            Ok((row.get::<_, bool>(0)?, PicoUsd::from_pico(row.get(1)?)))
        })?;
        let attempts: Vec<(bool, PicoUsd)> = attempts.collect::<rusqlite::Result<_>>()?;
        if !attempts.is_empty() && attempts.iter().all(|(is_held, _)| !is_held) {
            let sum = attempts.iter().fold(PicoUsd::ZERO, |sum, (_, amount)| sum + *amount);
            charged.push((turn, sum));
        }
    }
    Ok(charged)
}
