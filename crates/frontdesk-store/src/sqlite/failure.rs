//! What goes wrong inside, and how the ports say it.

use std::{error::Error, fmt, sync::Arc};

use rusqlite::types::Type;

use crate::ports::StoreError;

/// Why a piece of work was not done: `SQLite` failed, or the work was refused.
#[derive(Debug)]
pub(super) enum Failure<R> {
    Sql(rusqlite::Error),
    Refused(R),
}

impl<R> From<rusqlite::Error> for Failure<R> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// A row that holds what this version does not understand.
#[derive(Debug)]
struct Damaged {
    what: String,
    detail: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

impl Error for Damaged {}

/// `what` cannot be read.
pub(super) fn damaged(what: impl fmt::Display, detail: impl fmt::Display) -> rusqlite::Error {
    let damaged = Damaged {
        what: what.to_string(),
        detail: detail.to_string(),
    };
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(damaged))
}

pub(super) fn store_error(action: &'static str, error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(column, kind, cause) => match cause.downcast::<Damaged>() {
            Ok(damaged) => StoreError::Unreadable {
                what: damaged.what,
                detail: damaged.detail,
            },
            Err(cause) => unavailable(action, rusqlite::Error::FromSqlConversionFailure(column, kind, cause)),
        },
        other => unavailable(action, other),
    }
}

pub(super) fn unavailable(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable {
        action,
        source: source.into(),
    }
}

/// An error of a transaction, for each of the jobs in it.
#[derive(Debug, Clone)]
pub(super) struct GroupFailure(pub(super) Arc<rusqlite::Error>);

impl fmt::Display for GroupFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for GroupFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
