//! The call log.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CallId, CompanyId},
    record::TurnRecord,
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};
use serde_json::Value;

use super::{
    ADMIN, SqliteStore,
    failure::damaged,
    rows::{self, Bound, Conditions, limit},
};
use crate::ports::{CallCursor, CallFilter, CallLog, Page, StoreError, StoredCall};

fn append(connection: &Connection, turns: &[TurnRecord]) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO turns
            (company_id, call_id, turn_id, turn, at, caller, outcome, source, words, record)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut json = Vec::with_capacity(4_096);
    for turn in turns {
        json.clear();
        serde_json::to_writer(&mut json, turn)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let record = std::str::from_utf8(&json).map_err(|error| damaged("a turn record", error))?;
        let TurnRecord {
            turn_id,
            call_id,
            turn: number,
            at,
            from,
            decision,
            outcome,
            ..
        } = turn;
        statement.execute(params![
            decision.company_id.to_string(),
            call_id.as_str(),
            turn_id.as_str(),
            number,
            at.as_microsecond(),
            from,
            rows::word_of(outcome)?,
            rows::word_of(decision.source)?,
            searchable([&decision.utterance, &decision.response]),
            record,
        ])?;
    }
    turns_of_calls(turns)
        .into_iter()
        .try_for_each(|turns| note_call(connection, &turns))
}

/// What was said, as searches compare it.
fn searchable(texts: [&str; 2]) -> String {
    texts.join("\n").to_lowercase()
}

/// The turns of each call.
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

/// Notes in a call's row what its turns say of it.
fn note_call(connection: &Connection, turns: &[&TurnRecord]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO calls (company_id, call_id, started_at, caller, ending, last_turn)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (company_id, call_id) DO UPDATE SET
            started_at = min(started_at, excluded.started_at),
            caller = ifnull(caller, excluded.caller),
            ending = iif(excluded.last_turn >= last_turn, excluded.ending, ending),
            last_turn = max(last_turn, excluded.last_turn)";
    let Some(last) = turns.iter().max_by_key(|turn| turn.turn) else {
        return Ok(());
    };
    connection.prepare_cached(sql)?.execute(params![
        last.decision.company_id.to_string(),
        last.call_id.as_str(),
        turns.iter().map(|turn| turn.at.as_microsecond()).min(),
        turns.iter().find_map(|turn| turn.from.as_deref()),
        rows::word_of(last.outcome)?,
        last.turn,
    ])?;
    Ok(())
}

/// Reads a row of `call_id, caller, started_at, ending`.
fn read_call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    Ok(StoredCall {
        call_id: CallId::new(row.get_ref(0)?.as_str()?),
        from: row.get(1)?,
        started_at: rows::time(row.get(2)?)?,
        ending: row.get(3)?,
        turns: Vec::new(),
    })
}

fn turns_of(connection: &Connection, company: CompanyId, call: &CallId) -> rusqlite::Result<Vec<Value>> {
    let sql = "SELECT record FROM turns WHERE company_id = ?1 AND call_id = ?2 ORDER BY turn, at, number";
    let mut statement = connection.prepare_cached(sql)?;
    let turns = statement.query_map([&company.to_string(), call.as_str()], |row| {
        rows::from_json(row.get_ref(0)?.as_str()?, format_args!("a turn of call {call}"))
    })?;
    turns.collect()
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
        let sql = "EXISTS (SELECT 1 FROM turns WHERE turns.company_id = calls.company_id
            AND turns.call_id = calls.call_id AND instr(turns.words, ?) > 0)";
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
                "SELECT call_id, caller, started_at, ending FROM calls WHERE company_id = ?{}
                ORDER BY started_at DESC, call_id DESC LIMIT ?",
                conditions.sql
            );
            let id = company.to_string();
            let values = [&id as &dyn ToSql]
                .into_iter()
                .chain(conditions.values())
                .chain([&limit as &dyn ToSql]);
            let mut statement = connection.prepare_cached(&sql)?;
            let calls = statement.query_map(params_from_iter(values), read_call)?;
            calls
                .map(|call| {
                    let call = call?;
                    Ok(StoredCall {
                        turns: turns_of(connection, company, &call.call_id)?,
                        ..call
                    })
                })
                .collect()
        })
        .await
    }

    async fn call(&self, company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError> {
        let call = call.clone();
        self.read("read a call", move |connection| {
            let sql = "SELECT call_id, caller, started_at, ending FROM calls WHERE company_id = ?1 AND call_id = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement
                .query_row([&company.to_string(), call.as_str()], read_call)
                .optional()?;
            let with_turns = |found| {
                Ok(StoredCall {
                    turns: turns_of(connection, company, &call)?,
                    ..found
                })
            };
            found.map(with_turns).transpose()
        })
        .await
    }
}
