//! Moving house: rows out, and rows of another store in.

use async_trait::async_trait;
use frontdesk_domain::{
    decision::FallbackKind,
    ids::{CallId, TurnId},
    ledger::{Account, LedgerEntry},
    record::Notification,
    time::Timestamp,
};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{
    IMPORT, SqliteStore, analytics, calls, companies,
    failure::damaged,
    ledger, qnas,
    rows::{self, After},
    singletons, templates,
};
use crate::{
    common::notices::is_still_to_be_told,
    ports::{
        CallPlace, Holdings, OldCall, OldDocument, OldRotation, OldTurn, RecordKeeper, RollupScope, SlotRollup,
        StoreError, Stored, StoredCompany, TransferStore,
    },
    seal::Sealer,
};

/// What another store's document keeps.
fn kept(stored: &Stored) -> After {
    After {
        rev: stored.rev,
        created_at: stored.created_at.as_microsecond(),
        updated_at: stored.updated_at.as_microsecond(),
    }
}

fn put_document(connection: &Connection, document: &OldDocument, sealer: &Sealer) -> rusqlite::Result<()> {
    match document {
        OldDocument::Template(id, stored) => templates::put(connection, *id, &stored.json, kept(stored)),
        OldDocument::Company(company, stored) => {
            let StoredCompany { document, secrets } = stored;
            companies::put(connection, company, &document.json, secrets, kept(document), sealer)
        }
        OldDocument::Qna(owner, id, stored) => qnas::put(connection, owner, id, &stored.json, kept(stored)),
        OldDocument::Singleton(which, stored) => singletons::put(connection, which, &stored.json, kept(stored)),
    }
    .map(drop)
}

fn put_call(connection: &Connection, old: &OldCall) -> rusqlite::Result<()> {
    let numbers = old.turns.iter().filter_map(|turn| turn.record.get("turn")?.as_i64());
    let call = calls::restore(connection, old, numbers.max().unwrap_or_default())?;
    let sql = "INSERT OR IGNORE INTO turns (call, turn_id, turn, at, words, record, document)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    for turn in &old.turns {
        let text = |name: &str| turn.record.get(name).and_then(Value::as_str).unwrap_or_default();
        let at: Timestamp = text("at")
            .parse()
            .map_err(|error| damaged(format_args!("the time of a turn of call {}", old.call), error))?;
        statement.execute(params![
            call,
            turn.turn_id.as_str(),
            turn.record.get("turn").and_then(Value::as_i64).unwrap_or_default(),
            at.as_microsecond(),
            calls::searchable([text("utterance"), text("response")]),
            rows::to_json(&turn.record)?,
            turn.document,
        ])?;
    }
    Ok(())
}

fn put_notification(connection: &Connection, notification: &Notification) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO notifications (id, code, company_id, severity, message, details, count, first_at,
            last_at, state, snoozed_until, changed_at, round_at, next_count, due_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?9, ?8, ?7 + 1, ?12)";
    let Notification {
        id,
        code,
        severity,
        company_id,
        message,
        details,
        count,
        first_at,
        last_at,
        state,
        snoozed_until,
        deliveries: _,
    } = notification;
    let due_at = is_still_to_be_told(notification).then(|| last_at.as_microsecond());
    connection.prepare_cached(sql)?.execute(params![
        id.to_string(),
        code.as_str(),
        company_id.map(|id| id.to_string()),
        rows::word_of(severity)?,
        message,
        rows::to_json(details)?,
        count,
        first_at.as_microsecond(),
        last_at.as_microsecond(),
        rows::word_of(state)?,
        snoozed_until.map(Timestamp::as_microsecond),
        due_at,
    ])?;
    Ok(())
}

/// The columns that [`read_call`] reads.
const CALL: &str = "number, company_id, call_id, caller, started_at, ending, ended_at, ended_as";

fn read_call(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<OldCall> {
    let number: i64 = row.get(0)?;
    let call = CallId::new(row.get_ref(2)?.as_str()?);
    let sql = "SELECT turn_id, record, document FROM turns WHERE call = ?1 ORDER BY turn, at, number";
    let mut statement = connection.prepare_cached(sql)?;
    let turns = statement.query_map([number], |turn| {
        Ok(OldTurn {
            turn_id: TurnId::new(turn.get_ref(0)?.as_str()?),
            record: rows::from_json(turn.get_ref(1)?.as_str()?, format_args!("a turn of call {call}"))?,
            document: turn.get(2)?,
        })
    })?;
    let turns = turns.collect::<rusqlite::Result<_>>()?;
    let company = row.get_ref(1)?.as_str()?;
    Ok(OldCall {
        place: CallPlace::from(number.to_string()),
        company: company.parse().map_err(|error| damaged("a call's company", error))?,
        call,
        from: row.get(3)?,
        started_at: rows::time(row.get(4)?)?,
        ending: row.get(5)?,
        ended_at: rows::optional_time(row.get(6)?)?,
        ended_as: row.get(7)?,
        turns,
    })
}

fn read_rotation(row: &Row<'_>) -> rusqlite::Result<OldRotation> {
    let kind = row.get_ref(1)?.as_str()?;
    Ok(OldRotation {
        company: row
            .get_ref(0)?
            .as_str()?
            .parse()
            .map_err(|error| damaged("a rotation's company", error))?,
        kind: FallbackKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| damaged("a rotation", "it is of no kind that there is"))?,
        next: row.get(2)?,
        last_spoken: row.get(3)?,
    })
}

impl SqliteStore {
    /// A write of a store that is moved, in one transaction.
    async fn restore<F>(&self, action: &'static str, work: F) -> Result<(), StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    {
        self.record(action, IMPORT, work).await
    }
}

#[async_trait]
impl TransferStore for SqliteStore {
    async fn holdings(&self) -> Result<Holdings, StoreError> {
        self.read("count what it holds", |connection| {
            let count = |table: &str| {
                let sql = format!("SELECT count(*) FROM {table}");
                connection.query_row(&sql, [], |row| row.get(0))
            };
            let sql = "SELECT ifnull(sum(spent), 0), ifnull(sum(held), 0) FROM ledger_months";
            let (spent, held) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Holdings {
                companies: count("companies")?,
                templates: count("templates")?,
                qnas: count("qnas")?,
                singletons: count("singletons")?,
                calls: count("calls")?,
                turns: count("turns")?,
                messages: count("messages")?,
                notifications: count("notifications")?,
                contacts: count("contacts")?,
                rollups: count("rollups")?,
                entries: count("ledger")?,
                spent,
                held,
            })
        })
        .await
    }

    async fn old_calls(&self, after: Option<CallPlace>, limit: usize) -> Result<Vec<OldCall>, StoreError> {
        let limit = rows::limit(limit);
        self.read("read calls", move |connection| {
            let after = after.map_or(Ok(i64::MIN), |place| place.parse());
            let after = after.map_err(|error| damaged("the place of a call", error))?;
            let sql = format!("SELECT {CALL} FROM calls WHERE number > ?1 ORDER BY number LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let calls = statement.query_map(params![after, limit], |row| read_call(connection, row))?;
            calls.collect()
        })
        .await
    }

    async fn old_rotations(&self) -> Result<Vec<OldRotation>, StoreError> {
        self.read("read rotations", |connection| {
            let sql = "SELECT company_id, kind, next, last_spoken FROM rotations ORDER BY company_id, kind";
            connection.prepare_cached(sql)?.query_map([], read_rotation)?.collect()
        })
        .await
    }

    async fn old_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read("read the accounts of the ledger", |connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT account FROM ledger ORDER BY account")?;
            let accounts = statement.query_map([], |row| {
                let account = row.get_ref(0)?.as_str()?;
                account
                    .parse()
                    .map_err(|error| damaged("a ledger entry's account", error))
            })?;
            accounts.collect()
        })
        .await
    }

    async fn restore_documents(&self, documents: Vec<OldDocument>) -> Result<(), StoreError> {
        let sealer = self.sealer.clone();
        self.restore("take over documents", move |connection| {
            documents
                .iter()
                .try_for_each(|document| put_document(connection, document, &sealer))
        })
        .await
    }

    async fn restore_calls(&self, calls: Vec<OldCall>) -> Result<(), StoreError> {
        self.restore("take over calls", move |connection| {
            calls.iter().try_for_each(|call| put_call(connection, call))
        })
        .await
    }

    async fn restore_notifications(&self, notifications: Vec<Notification>) -> Result<(), StoreError> {
        self.restore("take over notifications", move |connection| {
            notifications
                .iter()
                .try_for_each(|notification| put_notification(connection, notification))
        })
        .await
    }

    async fn restore_rollups(&self, scope: RollupScope, rollups: Vec<SlotRollup>) -> Result<(), StoreError> {
        self.restore("take over roll-ups", move |connection| {
            let sql = "INSERT OR REPLACE INTO rollups (scope, slot, thinned, counts) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = connection.prepare_cached(sql)?;
            for old in &rollups {
                let values = params![
                    analytics::key_of(scope),
                    old.slot.number(),
                    old.thinned,
                    old.rollup.to_bytes()
                ];
                statement.execute(values)?;
            }
            Ok(())
        })
        .await
    }

    async fn restore_rotations(&self, rotations: Vec<OldRotation>) -> Result<(), StoreError> {
        self.restore("take over rotations", move |connection| {
            let sql = "INSERT OR REPLACE INTO rotations (company_id, kind, next, last_spoken) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = connection.prepare_cached(sql)?;
            for rotation in &rotations {
                let company = rotation.company.to_string();
                let values = params![company, rotation.kind.as_str(), rotation.next, rotation.last_spoken];
                statement.execute(values)?;
            }
            Ok(())
        })
        .await
    }

    async fn restore_entries(&self, account: Account, entries: Vec<LedgerEntry>) -> Result<(), StoreError> {
        self.restore("take over the ledger", move |connection| {
            entries
                .iter()
                .try_for_each(|entry| ledger::restore(connection, account, entry))
        })
        .await
    }

    async fn restore_retention(&self, keepers: Vec<RecordKeeper>) -> Result<(), StoreError> {
        self.restore("take over how long records are kept", move |connection| {
            let sql = "INSERT OR REPLACE INTO deleted_companies (company_id, retention_days)
                SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM companies WHERE id = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            for keeper in &keepers {
                statement.execute(params![keeper.company.to_string(), keeper.retention_days])?;
            }
            Ok(())
        })
        .await
    }
}
