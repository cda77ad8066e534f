//! The ledger: each step moves an entry and the sums of its month in one transaction of the writing thread.

mod audit;
mod entries;

use async_trait::async_trait;
use frontdesk_domain::{
    documents::company::{Company, Opening},
    ids::{CompanyId, LedgerEntryId},
    ledger::{Account, EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
    time::{MonthKey, TimeZone, Timestamp},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use tracing::error;

use super::{CALL_PATH, SqliteStore, rows};
use crate::ports::{Audit, Bill, Hold, LedgerFilter, LedgerStore, Page, Reserved, StoreError};

/// The account of whoever runs the installation, as rows name it.
const PLATFORM: &str = "platform";

/// So many holds are charged at once.
const REAPED: i64 = 500;

/// An account, as rows name it.
fn named(account: Account) -> String {
    match account {
        Account::Company(id) => id.to_string(),
        Account::Platform => PLATFORM.to_owned(),
    }
}

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
    let inserted = connection.prepare_cached(sql)?.execute(values)?;
    if inserted > 0 {
        shift(connection, &account, &month, spend.pico(), 0)?;
    }
    Ok(())
}

/// Moves the sums of a month.
fn shift(connection: &Connection, account: &str, month: &str, spent: i64, held: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ledger_months (account, month, spent, held) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET spent = spent + ?3, held = held + ?4";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![account, month, spent, held]).map(drop)
}

fn spend_of(connection: &Connection, account: &str, month: &str) -> rusqlite::Result<Spend> {
    let sql = "SELECT spent, held FROM ledger_months WHERE account = ?1 AND month = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([account, month], |row| {
        Ok(Spend {
            spent: PicoUsd::from_pico(row.get(0)?),
            held: PicoUsd::from_pico(row.get(1)?),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// What a company may spend this month, as its document says at this instant.
fn limit_of(connection: &Connection, company: CompanyId) -> rusqlite::Result<PicoUsd> {
    let sql =
        "SELECT json_extract(json, '$.aiAgentLogic.templateGatekeeper.monthlyBudget') FROM companies WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<Option<String>> = statement
        .query_row([company.to_string()], |row| row.get(0))
        .optional()?;
    Ok(found.flatten().and_then(|text| text.parse().ok()).unwrap_or_default())
}

fn reserve(connection: &Connection, hold: &Hold) -> rusqlite::Result<Reserved> {
    let (account, month) = (named(hold.account), hold.month.to_string());
    let sql = "SELECT kind FROM ledger WHERE account = ?1 AND turn_id = ?2 AND attempt = ?3 AND (kind = 'overrun') = 0";
    let known = connection
        .prepare_cached(sql)?
        .query_row(params![account, hold.turn.as_str(), hold.attempt], |row| {
            rows::word(row.get_ref(0)?.as_str()?, "the kind of a ledger entry")
        });
    if let Some(kind) = known.optional()? {
        return Ok(Reserved::Known(kind));
    }
    let limit = match hold.account {
        Account::Company(company) => limit_of(connection, company)?,
        Account::Platform => hold.cap,
    };
    let spend = spend_of(connection, &account, &month)?;
    let fits = limit > PicoUsd::ZERO && hold.amount >= PicoUsd::ZERO && hold.amount <= spend.available(limit);
    if !fits {
        return Ok(Reserved::Refused(spend, limit));
    }
    entries::insert_held(connection, hold, &account, &month)?;
    shift(connection, &account, &month, 0, hold.amount.pico())?;
    let spend = Spend {
        held: spend.held + hold.amount,
        ..spend
    };
    Ok(Reserved::Granted(spend, limit))
}

/// Ends a hold, if it is still one: it becomes an entry of this kind, charged with this much.
fn close(
    connection: &Connection,
    id: &str,
    kind: EntryKind,
    amount: impl FnOnce(i64) -> i64,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let sql = "SELECT account, month, hold FROM ledger WHERE id = ?1 AND kind = 'held'";
    let held = connection.prepare_cached(sql)?.query_row([id], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, i64>(2)?,
        ))
    });
    let Some((account, month, hold)) = held.optional()? else {
        return Ok(false);
    };
    let amount = amount(hold);
    let sql = "UPDATE ledger SET kind = ?2, amount = ?3, closed_at = ?4, lease_until = NULL WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![id, kind.as_str(), amount, at.as_microsecond()])?;
    shift(connection, &account, &month, amount, -hold)?;
    Ok(true)
}

fn settle(connection: &Connection, id: &str, bill: &Bill) -> rusqlite::Result<bool> {
    let within = |hold: i64| {
        let amount = bill.amount.pico().clamp(0, hold);
        if amount != bill.amount.pico() {
            error!(entry.id = %id, bill = %bill.amount, "a bill is not within its hold, which is charged instead");
        }
        amount
    };
    let is_settled = close(connection, id, EntryKind::Settled, within, bill.at)?;
    if is_settled {
        entries::note_bill(connection, id, bill)?;
    }
    if bill.overrun > PicoUsd::ZERO {
        let month = MonthKey::of(bill.at, &TimeZone::UTC).to_string();
        if entries::insert_overrun(connection, id, bill, &month)? {
            shift(connection, PLATFORM, &month, bill.overrun.pico(), 0)?;
        }
    }
    Ok(is_settled)
}

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn reserve(&self, hold: Hold) -> Result<Reserved, StoreError> {
        // Work that was begun is done although nobody waits for it any more; the reaper then charges it.
        self.record("hold an amount", CALL_PATH, move |connection| {
            reserve(connection, &hold)
        })
        .await
    }

    async fn settle(&self, id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError> {
        self.record("settle a bill", CALL_PATH, move |connection| {
            settle(connection, &id.to_string(), &bill)
        })
        .await
    }

    async fn void(&self, id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError> {
        self.record("let a hold go", CALL_PATH, move |connection| {
            close(connection, &id.to_string(), EntryKind::Void, |_| 0, at)
        })
        .await
    }

    async fn reap(&self, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError> {
        let before = now.as_microsecond();
        let due = self
            .read("look for holds that nobody settled", move |connection| {
                let sql = "SELECT 1 FROM ledger WHERE kind = 'held' AND lease_until < ?1 LIMIT 1";
                connection.prepare_cached(sql)?.exists([before])
            })
            .await?;
        if !due {
            return Ok(Vec::new());
        }
        self.record("charge holds that nobody settled", CALL_PATH, move |connection| {
            let due = entries::due(connection, before, REAPED)?;
            let mut reaped = Vec::with_capacity(due.len());
            for id in due {
                if close(connection, &id, EntryKind::Orphan, |hold| hold, now)? {
                    reaped.extend(entries::one(connection, &id)?);
                }
            }
            Ok(reaped)
        })
        .await
    }

    async fn spend(&self, account: Account, month: MonthKey) -> Result<Spend, StoreError> {
        self.read("read a budget", move |connection| {
            spend_of(connection, &named(account), &month.to_string())
        })
        .await
    }

    async fn entries(
        &self,
        account: Account,
        filter: LedgerFilter,
        page: Page<LedgerEntryId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.read("read the ledger", move |connection| {
            entries::list(connection, &named(account), filter, page)
        })
        .await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        self.read("check the ledger", audit::audit).await
    }
}
