//! The call log.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use frontdesk_domain::{
    fnv::fnv1a,
    ids::{CallId, CompanyId},
    record::TurnRecord,
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::{
    ADMIN, SqliteStore,
    failure::damaged,
    rotations,
    rows::{self, Bound, Conditions, limit},
};
use crate::ports::{CallCursor, CallFilter, CallLog, Page, StoreError, StoredCall};

fn append(connection: &Connection, turns: &[TurnRecord]) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO turns (call, turn_id, turn, company_id, at, outcome, source, words, record)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut json = Vec::with_capacity(4_096);
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
                outcome,
                ..
            } = turn;
            statement.execute(params![
                call,
                turn_id.as_str(),
                number,
                decision.company_id.to_string(),
                at.as_microsecond(),
                rows::word_of(outcome)?,
                rows::word_of(decision.source)?,
                searchable([&decision.utterance, &decision.response]),
                record,
            ])?;
        }
    }
    rotations::note_spoken(connection, turns)
}

/// What was said, as searches compare it.
fn searchable(texts: [&str; 2]) -> String {
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

/// Reads a row of `number, call_id, caller, started_at, ending`, and the call's turns.
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
impl CallLog for SqliteStore {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.record("keep turn records", ADMIN, move |connection| append(connection, &turns))
            .await
    }

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
                "SELECT number, call_id, caller, started_at, ending FROM calls WHERE company_id = ?{}
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
            let sql = "SELECT number, call_id, caller, started_at, ending FROM calls WHERE number = ?1";
            connection
                .prepare_cached(sql)?
                .query_row([number], |row| read_call(connection, row))
                .optional()
        })
        .await
    }
}
