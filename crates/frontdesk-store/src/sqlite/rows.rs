//! Documents and times, as rows hold them.

use std::fmt;

use frontdesk_domain::time::Timestamp;
use rusqlite::{Row, Rows, types::ToSql};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::failure::{damaged, is_damaged};
use crate::{
    common::unreadable,
    ports::{Rev, Seq, Stored, WriteError, Written},
};

pub(super) type Json = Map<String, Value>;

/// A document from a row that begins with `json, rev, created_at, updated_at`.
pub(super) fn stored(row: &Row<'_>, what: impl fmt::Display) -> rusqlite::Result<Stored> {
    Ok(Stored {
        json: from_json(row.get_ref(0)?.as_str()?, what)?,
        rev: row.get(1)?,
        created_at: time(row.get(2)?)?,
        updated_at: time(row.get(3)?)?,
    })
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str, what: impl fmt::Display) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| damaged(what, error))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn time(microseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|error| damaged("a time", error))
}

pub(super) fn optional_time(microseconds: Option<i64>) -> rusqlite::Result<Option<Timestamp>> {
    microseconds.map(time).transpose()
}

/// A closed set of words, from its word.
pub(super) fn word<T: DeserializeOwned>(text: &str, what: &str) -> rusqlite::Result<T> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| damaged(what, error))
}

/// The word of a member of a closed set.
pub(super) fn word_of<T: Serialize>(value: T) -> rusqlite::Result<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(damaged("a word", "it is written as something else")),
    }
}

/// What is known of a document before a write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) rev: Rev,
    pub(super) created_at: i64,
}

impl Before {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            rev: row.get(0)?,
            created_at: row.get(1)?,
        })
    }
}

/// The revision and times that a write gives a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct After {
    pub(super) rev: Rev,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

impl After {
    pub(super) fn of(before: Option<Before>, now: Timestamp) -> Self {
        let now = now.as_microsecond();
        match before {
            None => Self {
                rev: 1,
                created_at: now,
                updated_at: now,
            },
            Some(before) => Self {
                rev: before.rev + 1,
                created_at: before.created_at,
                updated_at: now,
            },
        }
    }

    pub(super) fn written(self, seq: Seq) -> rusqlite::Result<Written> {
        Ok(Written {
            rev: self.rev,
            seq,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// Refuses a write to a document that is not there or not of the revision expected.
pub(super) fn expect(before: Option<Before>, expected: Option<Rev>) -> Result<Before, WriteError> {
    let before = before.ok_or(WriteError::NotFound)?;
    match expected {
        Some(expected) if expected != before.rev => Err(WriteError::Stale { current: before.rev }),
        _ => Ok(before),
    }
}

/// A value of a condition.
pub(super) type Bound = Box<dyn ToSql + Send>;

/// `AND …` conditions with their values.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) sql: String,
    values: Vec<Bound>,
}

impl Conditions {
    /// Adds a condition; each `?` in it stands for the next value.
    pub(super) fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Bound>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| &**value as &dyn ToSql)
    }
}

/// Reads rows with an `id`, at most so many of those that can be read; the others are left out.
pub(super) fn readable<T>(
    mut rows: Rows<'_>,
    most: usize,
    what: &str,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        match read(row) {
            Ok(one) => found.push(one),
            Err(error) if is_damaged(&error) => {
                let id = row.get_ref("id")?.as_str().unwrap_or("without an id");
                unreadable::note(what, id, &error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The limit of a page, for SQL.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
