//! The call log.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use frontdesk_domain::{
    analytics::TurnFacts,
    fnv::fnv1a,
    ids::{CallId, CompanyId, TurnId},
    record::{TurnOutcome, TurnRecord},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::{
    ADMIN, SqliteStore, analytics,
    failure::damaged,
    rotations,
    rows::{self, Bound, Conditions, limit},
};
use crate::ports::{
    CallCursor, CallEnd, CallFilter, CallLog, CallPlace, GivenAnswer, OldCall, Page, Recalled, StoreError, StoredCall,
    TurnLog, TurnsOfCall,
};

fn append(connection: &Connection, turns: &[TurnRecord]) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO turns (call, turn_id, turn, at, words, record, document)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut json = Vec::with_capacity(4_096);
    let mut stored = Vec::with_capacity(turns.len());
    for turns in turns_of_calls(turns) {
        let call = note_call(connection, &turns)?;
        for turn in turns {
            json.clear();
            serde_json::to_writer(&mut json, turn)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            let record = std::str::from_utf8(&json).map_err(|error| damaged("a turn record", error))?;
            let TurnRecord {
                turn_id,
                turn: number,
                at,
                decision,
                document,
                ..
            } = turn;
            let inserted = statement.execute(params![
                call,
                turn_id.as_str(),
                number,
                at.as_microsecond(),
                searchable([&decision.utterance, &decision.response]),
                record,
                document,
            ])?;
            // What is there already is counted already.
            if inserted > 0 {
                stored.push((connection.last_insert_rowid(), TurnFacts::from(turn)));
            }
        }
    }
    analytics::count(connection, &stored)?;
    rotations::note_spoken(connection, turns)
}

/// What was said, as searches compare it.
pub(super) fn searchable(texts: [&str; 2]) -> String {
    texts.join("\n").to_lowercase()
}

/// The turns of each call; never none.
fn turns_of_calls(turns: &[TurnRecord]) -> Vec<Vec<&TurnRecord>> {
    let mut calls: BTreeMap<_, Vec<&TurnRecord>> = BTreeMap::new();
    for turn in turns {
        calls
            .entry((turn.decision.company_id, &turn.call_id))
            .or_default()
            .push(turn);
    }
    calls.into_values().collect()
}

/// A short key of a call.
fn key_of(company: &str, call: &str) -> i64 {
    fnv1a(company.bytes().chain(call.bytes())).cast_signed()
}

fn number_of(connection: &Connection, company: &str, call: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT number FROM calls WHERE key = ?1 AND company_id = ?2 AND call_id = ?3";
    let key = key_of(company, call);
    connection
        .prepare_cached(sql)?
        .query_row(params![key, company, call], |row| row.get(0))
        .optional()
}

/// The number of a stored turn's row.
pub(super) fn number_of_turn(
    connection: &Connection,
    company: CompanyId,
    call: &CallId,
    turn: &TurnId,
) -> rusqlite::Result<Option<i64>> {
    let Some(call) = number_of(connection, &company.to_string(), call.as_str())? else {
        return Ok(None);
    };
    connection
        .prepare_cached("SELECT number FROM turns WHERE call = ?1 AND turn_id = ?2")?
        .query_row(params![call, turn.as_str()], |row| row.get(0))
        .optional()
}

/// Notes in a call's row what its turns say of it. Gives the call's number.
fn note_call(connection: &Connection, turns: &[&TurnRecord]) -> rusqlite::Result<Option<i64>> {
    let Some(last) = turns.iter().max_by_key(|turn| turn.turn) else {
        return Ok(None);
    };
    let (company, call) = (last.decision.company_id.to_string(), last.call_id.as_str());
    let started_at = turns.iter().map(|turn| turn.at.as_microsecond()).min();
    let caller = turns.iter().find_map(|turn| turn.from.as_deref());
    let ending = rows::word_of(last.outcome)?;
    if let Some(number) = number_of(connection, &company, call)? {
        let sql = "UPDATE calls SET
                started_at = min(started_at, ?2),
                caller = ifnull(caller, ?3),
                ending = iif(?5 >= last_turn, ?4, ending),
                last_turn = max(last_turn, ?5)
            WHERE number = ?1";
        connection
            .prepare_cached(sql)?
            .execute(params![number, started_at, caller, ending, last.turn])?;
        return Ok(Some(number));
    }
    let sql = "INSERT INTO calls (key, company_id, call_id, started_at, caller, ending, last_turn)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let key = key_of(&company, call);
    connection
        .prepare_cached(sql)?
        .execute(params![key, company, call, started_at, caller, ending, last.turn])?;
    Ok(Some(connection.last_insert_rowid()))
}

/// Notes the end of a call. One without turns gets a row of its own.
fn note_end(connection: &Connection, end: &CallEnd) -> rusqlite::Result<()> {
    let company = end.company.to_string();
    let at = end.at.as_microsecond();
    if let Some(number) = number_of(connection, &company, end.call.as_str())? {
        let sql = "UPDATE calls SET ended_at = ?2, ended_as = ?3, caller = ifnull(caller, ?4)
            WHERE number = ?1 AND ended_at IS NULL";
        let mut statement = connection.prepare_cached(sql)?;
        return statement.execute(params![number, at, end.status, end.from]).map(drop);
    }
    let sql = "INSERT INTO calls (key, company_id, call_id, started_at, caller, ending, last_turn, ended_at, ended_as)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?4, ?7)";
    let key = key_of(&company, end.call.as_str());
    connection.prepare_cached(sql)?.execute(params![
        key,
        company,
        end.call.as_str(),
        at,
        end.from,
        rows::word_of(TurnOutcome::Hangup)?,
        end.status,
    ])?;
    Ok(())
}

/// The number of a call of another store, which gets a row if it has none.
pub(super) fn restore(connection: &Connection, old: &OldCall, last_turn: i64) -> rusqlite::Result<i64> {
    let (company, call) = (old.company.to_string(), old.call.as_str());
    if let Some(number) = number_of(connection, &company, call)? {
        return Ok(number);
    }
    let sql = "INSERT INTO calls (key, company_id, call_id, started_at, caller, ending, last_turn, ended_at, ended_as)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    connection.prepare_cached(sql)?.execute(params![
        key_of(&company, call),
        company,
        call,
        old.started_at.as_microsecond(),
        old.from,
        old.ending,
        last_turn,
        old.ended_at.map(Timestamp::as_microsecond),
        old.ended_as,
    ])?;
    Ok(connection.last_insert_rowid())
}

/// The columns that [`read_call`] reads.
const CALL: &str = "number, call_id, caller, started_at, ending, ended_at, ended_as";

/// Reads a row of [`CALL`], and the call's turns.
fn read_call(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    let number: i64 = row.get(0)?;
    let call_id = CallId::new(row.get_ref(1)?.as_str()?);
    let mut statement =
        connection.prepare_cached("SELECT record FROM turns WHERE call = ?1 ORDER BY turn, at, number")?;
    let turns = statement.query_map([number], |turn| {
        rows::from_json(turn.get_ref(0)?.as_str()?, format_args!("a turn of call {call_id}"))
    })?;
    let turns = turns.collect::<rusqlite::Result<_>>()?;
    Ok(StoredCall {
        call_id,
        from: row.get(2)?,
        started_at: rows::time(row.get(3)?)?,
        ending: row.get(4)?,
        ended_at: rows::optional_time(row.get(5)?)?,
        ended_as: row.get(6)?,
        turns,
    })
}

fn conditions(filter: &CallFilter, after: Option<CallCursor>) -> Conditions {
    fn one(value: impl ToSql + Send + 'static) -> [Bound; 1] {
        [Box::new(value)]
    }
    let CallFilter {
        from,
        to,
        caller,
        outcome,
        words,
    } = filter.clone();
    let mut conditions = Conditions::default();
    if let Some(from) = from {
        conditions.and("started_at >= ?", one(from.as_microsecond()));
    }
    if let Some(to) = to {
        conditions.and("started_at < ?", one(to.as_microsecond()));
    }
    if let Some(caller) = caller {
        conditions.and("caller = ?", one(caller));
    }
    if let Some(outcome) = outcome {
        conditions.and("ending = ?", one(outcome));
    }
    if let Some(CallCursor { started_at, call_id }) = after {
        let place: [Bound; 2] = [
            Box::new(started_at.as_microsecond()),
            Box::new(call_id.as_str().to_owned()),
        ];
        conditions.and("(started_at, call_id) < (?, ?)", place);
    }
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        let sql = "EXISTS (SELECT 1 FROM turns WHERE turns.call = calls.number AND instr(turns.words, ?) > 0)";
        conditions.and(sql, one(words.to_lowercase()));
    }
    conditions
}

#[async_trait]
impl TurnLog for SqliteStore {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.record("keep turn records", ADMIN, move |connection| append(connection, &turns))
            .await
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        self.record("note that calls have ended", ADMIN, move |connection| {
            ends.iter().try_for_each(|end| note_end(connection, end))
        })
        .await
    }
}

#[async_trait]
impl CallLog for SqliteStore {
    async fn calls(
        &self,
        company: CompanyId,
        filter: &CallFilter,
        page: Page<CallCursor>,
    ) -> Result<Vec<StoredCall>, StoreError> {
        let conditions = conditions(filter, page.after);
        let limit = limit(page.limit);
        self.read("list calls", move |connection| {
            let sql = format!(
                "SELECT {CALL} FROM calls WHERE company_id = ?{}
                ORDER BY started_at DESC, call_id DESC LIMIT ?",
                conditions.sql
            );
            let id = company.to_string();
            let values = [&id as &dyn ToSql]
                .into_iter()
                .chain(conditions.values())
                .chain([&limit as &dyn ToSql]);
            let mut statement = connection.prepare_cached(&sql)?;
            let calls = statement.query_map(params_from_iter(values), |row| read_call(connection, row))?;
            calls.collect()
        })
        .await
    }

    async fn call(&self, company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError> {
        let call = call.clone();
        self.read("read a call", move |connection| {
            let Some(number) = number_of(connection, &company.to_string(), call.as_str())? else {
                return Ok(None);
            };
            let sql = format!("SELECT {CALL} FROM calls WHERE number = ?1");
            connection
                .prepare_cached(&sql)?
                .query_row([number], |row| read_call(connection, row))
                .optional()
        })
        .await
    }

    async fn recall(
        &self,
        company: CompanyId,
        call: &CallId,
        turn: &TurnId,
        since: Timestamp,
    ) -> Result<Option<Recalled>, StoreError> {
        let (call, turn) = (call.clone(), turn.clone());
        self.read_for_turn("recall a call", move |connection| {
            let Some(number) = number_of(connection, &company.to_string(), call.as_str())? else {
                return Ok(None);
            };
            let sql = "SELECT document, record ->> '$.response' FROM turns
                WHERE call = ?1 AND turn_id = ?2 AND at >= ?3";
            let values = params![number, turn.as_str(), since.as_microsecond()];
            let mut statement = connection.prepare_cached(sql)?;
            let answer = statement.query_row(values, |row| {
                Ok(GivenAnswer {
                    document: row.get(0)?,
                    response: row.get(1)?,
                })
            });
            let answer = answer.optional()?;
            let sql = "SELECT ended_at IS NOT NULL, (SELECT document FROM turns
                    WHERE turns.call = calls.number AND document IS NOT NULL ORDER BY turn DESC, at DESC LIMIT 1)
                FROM calls WHERE number = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let recalled = statement.query_row([number], |row| {
                Ok(Recalled {
                    answer,
                    has_ended: row.get(0)?,
                    last_document: row.get(1)?,
                })
            });
            recalled.optional()
        })
        .await
    }

    async fn turns_since(
        &self,
        since: Timestamp,
        before: Option<CallPlace>,
        limit: usize,
    ) -> Result<Vec<TurnsOfCall>, StoreError> {
        let limit = rows::limit(limit);
        self.read("read the ids of turns", move |connection| {
            let calls = "SELECT number, company_id, call_id, ended_at IS NOT NULL FROM calls
                WHERE number < ?1 AND started_at >= ?2 ORDER BY number DESC LIMIT ?3";
            // The index alone answers this, so that no record is read.
            let turns = "SELECT turn_id FROM turns WHERE call = ?1";
            let mut calls = connection.prepare_cached(calls)?;
            let mut turns = connection.prepare_cached(turns)?;
            // A place is the number of a call's row.
            let before = before.map(|place| place.parse::<i64>());
            let before = before
                .transpose()
                .map_err(|error| damaged("the place of a call", error))?;
            let values = params![before.unwrap_or(i64::MAX), since.as_microsecond(), limit];
            let found = calls.query_map(values, |row| {
                let number: i64 = row.get(0)?;
                let ids = turns.query_map([number], |turn| Ok(TurnId::new(turn.get_ref(0)?.as_str()?)))?;
                let company = row.get_ref(1)?.as_str()?;
                Ok(TurnsOfCall {
                    place: number.to_string().into(),
                    company: company.parse().map_err(|error| damaged("a call's company", error))?,
                    call: CallId::new(row.get_ref(2)?.as_str()?),
                    has_ended: row.get(3)?,
                    turns: ids.collect::<rusqlite::Result<_>>()?,
                })
            })?;
            found.collect()
        })
        .await
    }
}
