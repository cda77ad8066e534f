//! The documents of DESIGN section 3, parsed: a value of one of these types is right.
//!
//! Parsing gives three things at once: the typed value, the canonical JSON (every known field present,
//! absent ones `null` or their default, unknown ones kept, no secret in it) and the unknown fields. A
//! document that is refused names every fault, each with its JSON pointer and what would be right.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use reader::unwrap;

pub mod company;
pub mod contact;
pub mod existing;
pub mod import;
mod merge;
mod nearest;
pub mod overlay;
pub mod prompts;
pub mod qna;
mod reader;
pub mod safety;
pub mod template;
#[cfg(test)]
mod tests;
pub mod trade;

pub use merge::merge_patch;
pub use nearest::nearest;

/// What is wrong at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901); a missing field is pointed to where it would stand.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// Everything that is wrong with a document; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Fault { pointer, detail }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}`{pointer}` {detail}")?;
        }
        Ok(())
    }
}

impl Faults {
    fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![Fault {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }
}

/// Gives a document its id: sets the field if it is absent or null, and accepts an equal one.
///
/// # Errors
/// The document is no object, or names another id.
pub fn place_id(document: &mut Value, name: &'static str, id: &str) -> Result<(), Faults> {
    let Some(fields) = document.as_object_mut() else {
        return Err(Faults::one("", "should be an object"));
    };
    match fields.get(name) {
        None | Some(Value::Null) => _ = fields.insert(name.into(), id.into()),
        Some(given)
            if unwrap(given)
                .as_str()
                .is_some_and(|given| given.eq_ignore_ascii_case(id)) => {}
        Some(_) => {
            return Err(Faults::one(
                format!("/{name}"),
                format!("should be \"{id}\" as in the path, or be left out"),
            ));
        }
    }
    Ok(())
}

/// The owner that a document names.
fn owner_of<T>(document: &Value, name: &str, should: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Faults> {
    if !document.is_object() {
        return Err(Faults::one("", "should be an object"));
    }
    let given = document.get(name).map(unwrap);
    let owner = given.as_deref().and_then(Value::as_str).and_then(read);
    owner.ok_or_else(|| Faults::one(format!("/{name}"), format!("should be {should}")))
}

/// Reads a document that names its owner itself, and names the faults of both.
fn with_owner<O, T>(owner: Result<O, Faults>, parsed: Result<Parsed<T>, Faults>) -> Result<(O, Parsed<T>), Faults> {
    match (owner, parsed) {
        (Ok(owner), Ok(parsed)) => Ok((owner, parsed)),
        (Ok(_), Err(faults)) | (Err(faults), Ok(_)) => Err(faults),
        (Err(Faults(mut faults)), Err(Faults(more))) => {
            // What is no object is said once.
            faults.extend(more.into_iter().filter(|fault| !fault.pointer.is_empty()));
            Err(Faults(faults))
        }
    }
}

/// A field that this version does not know. It is kept and written back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// Where it stands.
    pub pointer: String,
    /// The known name nearest to it, if one is near.
    pub nearest: Option<String>,
}

/// How a document is read.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// POST, PUT and PATCH: a field that is unknown and did not stand in the document before is a fault.
    Strict {
        /// The stored document, `Value::Null` if there is none.
        known_before: &'a Value,
    },
    /// Import: unknown fields are kept and listed, `MongoDB` Extended JSON is accepted, as is what is plainly meant.
    Import,
    /// Reading back the canonical JSON of a document that got in.
    Stored,
}

impl Mode<'static> {
    /// A new document.
    #[must_use]
    pub const fn new_document() -> Self {
        Self::Strict {
            known_before: &Value::Null,
        }
    }
}

/// A document that got in.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<T> {
    /// Its typed value.
    pub value: T,
    /// Its canonical JSON: without secrets and without what the server owns.
    pub json: Map<String, Value>,
    /// Its unknown fields.
    pub unknown: Vec<Unknown>,
    /// What an operator should know about how it was read.
    pub notes: Vec<Fault>,
}
