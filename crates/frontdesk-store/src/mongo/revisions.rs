//! What the store keeps of a document beside its fields: revision and times.

use frontdesk_domain::time::Timestamp;
use mongodb::bson::{Document, doc};
use serde_json::{Map, Value};

use super::{
    failure::Trouble,
    values::{self, Fields as _, META, date, int},
};
use crate::ports::{Rev, Seq, Stamp, Stored, WriteError, Written};

pub(super) type Json = Map<String, Value>;

/// What is known of a document before a write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) rev: Rev,
    pub(super) created_at: Timestamp,
}

impl Before {
    pub(super) fn of(document: &Document, what: &str) -> Result<Self, Trouble> {
        let meta = document.part(META, what)?;
        Ok(Self {
            rev: meta.count("rev", what)?,
            created_at: meta.time("createdAt", what)?,
        })
    }
}

/// The revision and times that a write gives a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct After {
    pub(super) rev: Rev,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl After {
    pub(super) fn of(before: Option<Before>, now: Timestamp) -> Self {
        Self {
            rev: before.map_or(1, |before| before.rev + 1),
            created_at: before.map_or(now, |before| before.created_at),
            updated_at: now,
        }
    }

    /// What another store's document keeps.
    pub(super) const fn kept(stored: &Stored) -> Self {
        Self {
            rev: stored.rev,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }

    /// As it rests.
    pub(super) fn meta(self) -> Document {
        doc! {
            "rev": int(self.rev),
            "createdAt": date(self.created_at),
            "updatedAt": date(self.updated_at),
        }
    }

    pub(super) fn written(self, seq: Seq) -> Written {
        Written {
            rev: self.rev,
            seq,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// What is read of a document to know which state of it this is.
pub(super) fn fields() -> Document {
    doc! { META: 1 }
}

/// Which state of a document this is.
pub(super) fn stamp(document: &Document, what: &str) -> Result<Stamp, Trouble> {
    let meta = document.part(META, what)?;
    Ok(Stamp {
        rev: meta.count("rev", what)?,
        created_at: meta.time("createdAt", what)?,
        updated_at: meta.time("updatedAt", what)?,
    })
}

/// A document with what the store keeps of it.
pub(super) fn stored(document: Document, what: &str) -> Result<Stored, Trouble> {
    let Stamp {
        rev,
        created_at,
        updated_at,
    } = stamp(&document, what)?;
    Ok(Stored {
        json: values::fields(document, what)?,
        rev,
        created_at,
        updated_at,
    })
}

/// As [`stored`], of a document that rests under an id of the store's own.
pub(super) fn stored_apart(mut document: Document, what: &str) -> Result<Stored, Trouble> {
    document.remove("_id");
    stored(document, what)
}

/// Refuses a write to a document that is not there or not of the revision expected.
pub(super) fn expect(before: Option<Before>, expected: Option<Rev>) -> Result<Before, WriteError> {
    let before = before.ok_or(WriteError::NotFound)?;
    match expected {
        Some(expected) if expected != before.rev => Err(WriteError::Stale { current: before.rev }),
        _ => Ok(before),
    }
}

/// The limit of a page.
pub(super) fn limit(limit: usize) -> i64 {
    // Nothing is not everything, as it is for the server.
    i64::try_from(limit.max(1)).unwrap_or(i64::MAX)
}
