//! Reads the parts of a request; what cannot be read is a [`Problem`](crate::problem::Problem).

mod body;
mod conditions;
mod path;
mod query;

pub(crate) use body::{DOCUMENT_BYTES, IMPORT_BYTES, ImportBody, JsonBody, PatchBody};
pub(crate) use conditions::{Attempts, Conditions};
pub(crate) use path::{InPath, Language, path_parameter};
pub(crate) use query::{Cursor, Query};
