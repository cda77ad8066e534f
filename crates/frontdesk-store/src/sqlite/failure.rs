//! What goes wrong inside, and how the ports say it.

use std::{error::Error, fmt, sync::Arc};

use rusqlite::{ErrorCode, types::Type};
use tokio::time::error::Elapsed;

use super::place::Moved;
use crate::{common::cause::Cause, ports::StoreError};

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

/// Whether only this row cannot be read, and others can.
pub(super) fn is_damaged(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::FromSqlConversionFailure(_, _, cause) => cause.is::<Damaged>(),
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    }
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

/// What a failure of this backend says of what was to be written; `None` if it is none of its own.
pub(crate) fn cause(source: &(dyn Error + 'static)) -> Option<Cause> {
    if source.is::<GroupFailure>() || source.is::<Elapsed>() {
        return Some(Cause::Passing);
    }
    Some(match source.downcast_ref::<rusqlite::Error>()? {
        rusqlite::Error::ToSqlConversionFailure(_) => Cause::Lasting,
        error => match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Cause::Lasting,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted,
            ) => Cause::Passing,
            _ => Cause::Unknown,
        },
    })
}

/// Why nothing of a transaction holds, for each of the jobs in it.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum GroupFailure {
    #[error(transparent)]
    Sql(Arc<rusqlite::Error>),
    #[error(transparent)]
    Moved(#[from] Moved),
    /// Some errors, such as a full disk, end the transaction of all by themselves.
    #[error("a write of the same transaction ended it: {cause}")]
    Ended { cause: String },
}

impl From<rusqlite::Error> for GroupFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}
