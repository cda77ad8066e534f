//! The admin API, one module a resource.
//!
//! A handler takes a permission, reads its arguments and answers; what happens in between is a function below it.
//! Ids, times and revisions are made here or in the store, never taken from a body.

use std::fmt::Display;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use frontdesk_domain::documents::{Fault, Mode};
use frontdesk_store::ports::{Page, Rev, StoreError, Stored, Written};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    extract::{Conditions, Cursor},
    problem::{Code, Problem},
    state::App,
};

mod alike;
pub(crate) mod budget;
pub(crate) mod calls;
pub(crate) mod companies;
pub(crate) mod contacts;
pub(crate) mod export;
mod filters;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod llm;
pub(crate) mod messages;
pub(crate) mod notification_stream;
pub(crate) mod notifications;
pub(crate) mod outbox;
pub(crate) mod overlay;
pub(crate) mod prompts;
pub(crate) mod qna;
pub(crate) mod route;
pub(crate) mod safety;
pub(crate) mod templates;

/// What most handlers answer.
pub(crate) type Answer<T> = Result<T, Problem>;

/// A document with its revision as entity tag.
pub(crate) struct Document {
    json: Map<String, Value>,
    rev: Rev,
}

impl Document {
    /// What is stored, with what the server knows of it.
    pub(crate) fn stored(stored: Stored) -> Self {
        let Stored {
            mut json,
            rev,
            created_at,
            updated_at,
        } = stored;
        json.insert("rev".into(), rev.into());
        // An import may have brought the time at which the document was made elsewhere.
        json.entry("createdAt").or_insert_with(|| created_at.to_string().into());
        json.insert("updatedAt".into(), updated_at.to_string().into());
        Self { json, rev }
    }

    /// What was just written.
    pub(crate) fn written(json: Map<String, Value>, written: Written) -> Self {
        Self::stored(stored(json, written))
    }

    /// With what whoever wrote it should look at.
    pub(crate) fn warning(mut self, warnings: &[Fault]) -> Self {
        if !warnings.is_empty() {
            self.json.insert("warnings".into(), json!(warnings));
        }
        self
    }

    /// What stands in until somebody puts a document: revision 0, no times.
    pub(crate) fn embedded(mut json: Map<String, Value>) -> Self {
        json.insert("rev".into(), 0.into());
        json.insert("createdAt".into(), Value::Null);
        json.insert("updatedAt".into(), Value::Null);
        Self { json, rev: 0 }
    }

    /// The document for a list.
    pub(crate) fn into_json(self) -> Value {
        Value::Object(self.json)
    }

    /// 304 without a body if the client has this revision, else the document.
    pub(crate) fn unless_known(self, conditions: &Conditions) -> Response {
        if conditions.has(self.rev) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(self.rev))]).into_response();
        }
        self.into_response()
    }

    /// 201 with the place of the new document.
    pub(crate) fn created_at(self, location: &str) -> Response {
        let location = HeaderValue::from_str(location);
        let mut response = (StatusCode::CREATED, self).into_response();
        if let Ok(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// What a write left behind, as a later read will see it.
pub(crate) fn stored(json: Map<String, Value>, written: Written) -> Stored {
    Stored {
        json,
        rev: written.rev,
        created_at: written.created_at,
        updated_at: written.updated_at,
    }
}

fn etag(rev: Rev) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{rev}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(header::ETAG, etag(self.rev))], Json(self.json)).into_response()
    }
}

/// Does what may take a while on a thread that answers no calls.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(error = %error, "a request of the admin API failed");
        Problem::new(Code::Internal, "the request could not be done")
    })
}

/// How a change of a stored document is read: what stood in it before may stay.
pub(crate) fn strict(stored: &Value) -> Mode<'_> {
    Mode::Strict { known_before: stored }
}

/// A page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The page of `limit` items of the owner's list, out of up to one more, which tells that there is a next page.
    pub(crate) fn of<K: Cursor>(mut found: Vec<(K, T)>, limit: usize, owner: impl Display) -> Json<Self> {
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|(key, _)| key.seal(owner));
        Json(Self {
            items: found.into_iter().map(|(_, item)| item).collect(),
            next_cursor,
        })
    }
}

/// The id of a stored document, as the key of a list.
pub(crate) fn key_of<K: Cursor>(json: &Map<String, Value>, field: &str) -> Result<K, StoreError> {
    let key = json.get(field).and_then(Value::as_str).and_then(K::read);
    key.ok_or_else(|| StoreError::Unreadable {
        what: format!("a document of {}", K::LIST),
        detail: format!("no `{field}`"),
    })
}

/// Gives a new document an id if it brings none.
pub(crate) fn given_or_new(app: &App, document: &mut Value, field: &str) {
    if let Some(fields) = document.as_object_mut()
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.into(), app.ids.make().to_string().into());
    }
}

/// The page with one more item than asked for.
pub(crate) fn one_more<K: Clone>(page: &Page<K>) -> Page<K> {
    Page {
        after: page.after.clone(),
        limit: page.limit + 1,
    }
}
