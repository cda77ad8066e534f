//! What changes the ledger. Each function is one step: its entries and the sums of their months change together.

use frontdesk_domain::{
    ids::LedgerEntryId,
    ledger::{Account, EntryKind, LedgerEntry, Spend, Usage},
    money::PicoUsd,
    time::{MonthKey, TimeZone, Timestamp},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{entries, months};
use crate::{
    common::bills::chargeable,
    ports::{Bill, Hold, Reserved},
    sqlite::{failure::damaged, rows},
};

/// So many holds are charged in full at once at most.
const REAPED_AT_ONCE: i64 = 500;

pub(super) fn reserve(connection: &Connection, hold: &Hold) -> rusqlite::Result<Reserved> {
    let (account, month) = (hold.account.to_string(), hold.month.to_string());
    if let Some(kind) = entries::kind_of(connection, &account, &hold.turn, hold.attempt)? {
        return Ok(Reserved::Known(kind));
    }
    let limit = match hold.account {
        Account::Company(_) => monthly_budget(connection, &account)?,
        Account::Platform => hold.cap,
    };
    let before = months::read(connection, &account, &month)?;
    if !fits(before, hold.amount, limit) {
        return Ok(Reserved::Refused(before, limit));
    }
    insert(connection, hold, &account, &month)?;
    let after = months::add(connection, &account, &month, 0, hold.amount.pico())?;
    Ok(Reserved::Granted(after, limit))
}

/// A company's limit as its document has it now. Nothing if it sets none, or is no more.
fn monthly_budget(connection: &Connection, company: &str) -> rusqlite::Result<PicoUsd> {
    let sql = "SELECT json ->> '$.aiAgentLogic.templateGatekeeper.monthlyBudget' FROM companies WHERE id = ?1";
    let what = || format!("the monthly budget of company {company}");
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([company])?;
    let Some(row) = found.next()? else {
        return Ok(PicoUsd::ZERO);
    };
    let text = row.get_ref(0)?.as_str_or_null();
    match text.map_err(|error| damaged(what(), error))? {
        Some(text) => text.parse().map_err(|error| damaged(what(), error)),
        None => Ok(PicoUsd::ZERO),
    }
}

/// Whether an amount may be held besides what the month has taken. A limit of nothing holds nothing, not even a hold
/// of nothing.
fn fits(spend: Spend, amount: PicoUsd, limit: PicoUsd) -> bool {
    let taken = i128::from(spend.spent.pico()) + i128::from(spend.held.pico());
    let fits = taken + i128::from(amount.pico()) <= i128::from(limit.pico());
    fits && amount >= PicoUsd::ZERO && limit > PicoUsd::ZERO
}

fn insert(connection: &Connection, hold: &Hold, account: &str, month: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ledger
            (id, account, month, turn_id, call_id, attempt, kind, model, price_row, hold, amount, at, lease_until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'held', ?7, ?8, ?9, ?9, ?10, ?11)";
    let values = params![
        hold.id.to_string(),
        account,
        month,
        hold.turn.as_str(),
        hold.call.as_str(),
        hold.attempt,
        hold.model,
        rows::to_json(&hold.price)?,
        hold.amount.pico(),
        hold.at.as_microsecond(),
        hold.lease_until.as_microsecond(),
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// What a hold takes of which month.
struct Held {
    account: String,
    month: String,
    hold: PicoUsd,
}

/// The entry, if it is still held.
fn held(connection: &Connection, id: &str) -> rusqlite::Result<Option<Held>> {
    let sql = "SELECT account, month, amount FROM ledger WHERE id = ?1 AND kind = 'held'";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([id], |row| {
        Ok(Held {
            account: row.get(0)?,
            month: row.get(1)?,
            hold: PicoUsd::from_pico(row.get(2)?),
        })
    });
    found.optional()
}

impl Held {
    /// Lets the hold go and takes `amount` instead.
    fn charge(&self, connection: &Connection, amount: PicoUsd) -> rusqlite::Result<()> {
        let released = self.hold.pico().saturating_neg();
        months::add(connection, &self.account, &self.month, amount.pico(), released).map(drop)
    }
}

pub(super) fn settle(
    connection: &Connection,
    id: LedgerEntryId,
    bill: &Bill,
    overrun_id: LedgerEntryId,
) -> rusqlite::Result<bool> {
    let id_text = id.to_string();
    let price = bill.price.as_ref().map(rows::to_json).transpose()?;
    let held = held(connection, &id_text)?;
    if let Some(held) = &held {
        let amount = chargeable(id, bill, held.hold);
        write_bill(connection, &id_text, bill, amount, price.as_deref())?;
        held.charge(connection, amount)?;
    }
    if bill.overrun > PicoUsd::ZERO {
        book_overrun(connection, &id_text, bill, overrun_id, price.as_deref())?;
    }
    Ok(held.is_some())
}

fn write_bill(
    connection: &Connection,
    id: &str,
    bill: &Bill,
    amount: PicoUsd,
    price: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "UPDATE ledger SET kind = 'settled', amount = ?2, prompt_tokens = ?3, cached_tokens = ?4,
            cache_write_tokens = ?5, completion_tokens = ?6, price_row = ifnull(?7, price_row), closed_at = ?8
        WHERE id = ?1";
    let tokens = |of: fn(Usage) -> u64| bill.usage.map(|usage| storable(of(usage)));
    let values = params![
        id,
        amount.pico(),
        tokens(|usage| usage.prompt),
        tokens(|usage| usage.cached),
        tokens(|usage| usage.cache_write),
        tokens(|usage| usage.completion),
        price,
        bill.at.as_microsecond(),
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// An absurd number of tokens, so that it does not keep a bill from being written.
fn storable(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

/// Notes what is billed beyond a hold, once for each attempt of a turn. The platform pays it.
fn book_overrun(
    connection: &Connection,
    id: &str,
    bill: &Bill,
    overrun_id: LedgerEntryId,
    price: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ledger
            (id, account, month, turn_id, call_id, attempt, kind, model, price_row, amount, at, closed_at)
        SELECT ?2, ?3, ?4, turn_id, call_id, attempt, 'overrun', model, ifnull(?5, price_row), ?6, ?7, ?7
        FROM ledger WHERE id = ?1 AND attempt IS NOT NULL
        ON CONFLICT (account, turn_id, attempt) WHERE kind = 'overrun' DO NOTHING";
    let account = Account::Platform.to_string();
    let month = MonthKey::of(bill.at, &TimeZone::UTC).to_string();
    let overrun = bill.overrun.pico();
    let at = bill.at.as_microsecond();
    let values = params![id, overrun_id.to_string(), account, month, price, overrun, at];
    let booked = connection.prepare_cached(sql)?.execute(values)?;
    if booked > 0 {
        months::add(connection, &account, &month, overrun, 0)?;
    }
    Ok(())
}

pub(super) fn void(connection: &Connection, id: LedgerEntryId, at: Timestamp) -> rusqlite::Result<bool> {
    let id = id.to_string();
    let Some(held) = held(connection, &id)? else {
        return Ok(false);
    };
    let sql = "UPDATE ledger SET kind = 'void', amount = 0, closed_at = ?2 WHERE id = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![id, at.as_microsecond()])?;
    held.charge(connection, PicoUsd::ZERO)?;
    Ok(true)
}

pub(super) fn reap(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(Account, LedgerEntry)>> {
    let mut due = entries::due(connection, now, REAPED_AT_ONCE)?;
    let mut statement = connection.prepare_cached("UPDATE ledger SET kind = 'orphan', closed_at = ?2 WHERE id = ?1")?;
    for (account, entry) in &mut due {
        statement.execute(params![entry.id.to_string(), now.as_microsecond()])?;
        let held = Held {
            account: account.to_string(),
            month: entry.month.to_string(),
            hold: entry.amount,
        };
        held.charge(connection, held.hold)?;
        entry.kind = EntryKind::Orphan;
        entry.closed_at = Some(now);
    }
    Ok(due)
}
