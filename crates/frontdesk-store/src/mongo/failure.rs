//! What goes wrong inside, and how the ports say it.

use std::{error::Error, fmt, future::Future, time::Duration};

use futures_util::TryStreamExt as _;
use mongodb::{
    Cursor,
    bson::{Bson, Document},
    error::{ErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure},
};
use tokio::time;

use crate::{
    common::{cause::Cause, unreadable},
    ports::{ImportError, StoreError, WriteError},
};

/// The server refuses a second document of the same key.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// What the server says of a document that it never takes: a bad value or name of a field, one that its rules refuse, one
/// that is too large, or too large for an index.
const NEVER_TAKEN: [i32; 9] = [2, 9, 14, 52, 57, 121, 10_334, 17_280, 17_419];

/// Another transaction is in the way.
const WRITE_CONFLICT: i32 = 112;

/// Why a piece of work was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server or the way to it failed.
    Driver(mongodb::error::Error),
    /// A document holds what this version does not understand.
    Damaged { what: String, detail: String },
}

impl From<mongodb::error::Error> for Trouble {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Driver(error)
    }
}

/// `what` cannot be read.
pub(super) fn damaged(what: impl fmt::Display, detail: impl fmt::Display) -> Trouble {
    Trouble::Damaged {
        what: what.to_string(),
        detail: detail.to_string(),
    }
}

/// Leaves out what cannot be read, so that it stops nothing for all others.
pub(super) fn readable<T>(what: &str, id: Option<&Bson>, read: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match read {
        Ok(one) => Ok(Some(one)),
        Err(Trouble::Damaged { what: part, detail }) => {
            let id = id.map(ToString::to_string).unwrap_or_default();
            unreadable::note(what, &id, format_args!("{part}: {detail}"));
            Ok(None)
        }
        Err(trouble) => Err(trouble),
    }
}

/// So many documents are fetched at once where so many are wanted.
pub(super) fn batch(most: usize) -> u32 {
    u32::try_from(most).unwrap_or(u32::MAX).clamp(1, 1_000)
}

/// Documents as they are read, at most so many of those that can be read.
pub(super) async fn all_readable<T>(
    mut found: Cursor<Document>,
    most: usize,
    what: &str,
    read: impl Fn(&mut Document) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    let mut all = Vec::new();
    while all.len() < most
        && let Some(mut document) = found.try_next().await?
    {
        let one = read(&mut document);
        all.extend(readable(what, document.get("_id"), one)?);
    }
    Ok(all)
}

/// Why a write was not done: something failed, or it was refused.
#[derive(Debug)]
pub(super) enum Failure<R> {
    Trouble(Trouble),
    Refused(R),
}

impl<R> From<Trouble> for Failure<R> {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl<R> From<mongodb::error::Error> for Failure<R> {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Trouble(error.into())
    }
}

/// Whether a write was refused because its key is taken.
pub(super) fn is_taken(error: &mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(errors) => {
            let is_confirmed = errors.write_concern_error.is_none();
            is_confirmed
                && errors
                    .write_errors
                    .iter()
                    .flatten()
                    .all(|error| error.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}

/// Whether a transaction may succeed when it is done again.
pub(super) fn is_passing(error: &mongodb::error::Error) -> bool {
    let code = match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::InsertMany(errors) => errors.write_errors.iter().flatten().map(|error| error.code).next(),
        _ => None,
    };
    error.contains_label(TRANSIENT_TRANSACTION_ERROR) || code == Some(WRITE_CONFLICT)
}

/// An error of the driver, without what the server quotes of the documents concerned.
///
/// A log holds no phone number, and the server names the value of a key that is taken.
#[derive(Debug)]
pub(super) struct Unquoted {
    text: String,
    cause: Cause,
}

impl fmt::Display for Unquoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Unquoted {}

pub(super) fn unquoted(error: &mongodb::error::Error) -> Unquoted {
    let of_code = |code: i32, name: &str| match name {
        "" => format!("the server refuses with code {code}"),
        name => format!("the server refuses with code {code} ({name})"),
    };
    let text = match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => {
            of_code(error.code, error.code_name.as_deref().unwrap_or_default())
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => of_code(error.code, &error.code_name),
        ErrorKind::Command(error) => of_code(error.code, &error.code_name),
        ErrorKind::InsertMany(errors) => {
            let first = errors.write_errors.iter().flatten().next();
            first.map_or_else(
                || "the server did not confirm a write".to_owned(),
                |error| of_code(error.code, error.code_name.as_deref().unwrap_or_default()),
            )
        }
        _ => error.to_string(),
    };
    Unquoted {
        text,
        cause: cause_of(error),
    }
}

/// Whether what was to be written is to blame.
fn cause_of(error: &mongodb::error::Error) -> Cause {
    let by_code = |code: i32| {
        if NEVER_TAKEN.contains(&code) {
            Cause::Lasting
        } else {
            Cause::Unknown
        }
    };
    match &*error.kind {
        // The driver sends no document that no server takes.
        ErrorKind::InvalidArgument { .. } => Cause::Lasting,
        ErrorKind::Write(WriteFailure::WriteError(error)) => by_code(error.code),
        ErrorKind::Command(error) => by_code(error.code),
        ErrorKind::InsertMany(errors) => {
            let codes = errors.write_errors.iter().flatten().map(|error| error.code);
            // Those that are there already are no trouble.
            let mut troubles = codes.filter(|code| *code != DUPLICATE_KEY);
            troubles.next().map_or(Cause::Unknown, by_code)
        }
        ErrorKind::Bson(_) | ErrorKind::BulkWrite(_) => Cause::Unknown,
        _ => Cause::Passing,
    }
}

/// What a failure of this backend says of what was to be written; `None` if it is none of its own.
pub(crate) fn cause(source: &(dyn Error + 'static)) -> Option<Cause> {
    if source.is::<Late>() {
        return Some(Cause::Passing);
    }
    source.downcast_ref::<Unquoted>().map(|unquoted| unquoted.cause)
}

/// What is late.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

pub(super) fn late(action: &'static str, deadline: Duration) -> StoreError {
    StoreError::Unavailable {
        action,
        source: Box::new(Late(deadline)),
    }
}

pub(super) fn store_error(action: &'static str, trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Driver(error) => StoreError::Unavailable {
            action,
            source: Box::new(unquoted(&error)),
        },
        Trouble::Damaged { what, detail } => StoreError::Unreadable { what, detail },
    }
}

/// Waits for work, and no longer than `deadline`: the driver itself may wait for much longer.
pub(super) async fn within<T>(
    action: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, Trouble>> + Send,
) -> Result<T, StoreError> {
    // Not on the caller's stack: what the driver awaits is large.
    match time::timeout(deadline, Box::pin(work)).await {
        Ok(done) => done.map_err(|trouble| store_error(action, trouble)),
        Err(_) => Err(late(action, deadline)),
    }
}

/// A refusal that also says why the store failed.
pub(super) trait Refusal: Send {
    fn of_store(error: StoreError) -> Self;
}

impl Refusal for WriteError {
    fn of_store(error: StoreError) -> Self {
        error.into()
    }
}

impl Refusal for StoreError {
    fn of_store(error: StoreError) -> Self {
        error
    }
}

impl Refusal for ImportError {
    fn of_store(error: StoreError) -> Self {
        error.into()
    }
}

/// As [`within`], for work that may be refused.
pub(super) async fn write_within<T, R: Refusal>(
    action: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, Failure<R>>> + Send,
) -> Result<T, R> {
    match time::timeout(deadline, Box::pin(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Failure::Refused(refusal))) => Err(refusal),
        Ok(Err(Failure::Trouble(trouble))) => Err(R::of_store(store_error(action, trouble))),
        Err(_) => Err(R::of_store(late(action, deadline))),
    }
}
