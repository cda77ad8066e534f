//! Errors of the admin API: `application/problem+json` (RFC 9457).
//!
//! [`Code`] is the registry; docs/problems.md describes each code, and a test holds the two together. A failure of the
//! store is logged where it becomes a problem, and nowhere else.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use frontdesk_domain::documents::{Fault, Faults, import::LineFault};
use frontdesk_store::ports::{StoreError, WriteError};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

mod code;
#[cfg(test)]
mod tests;

pub use code::Code;

/// The content type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem(Box<Body>);

#[derive(Debug)]
struct Body {
    code: Code,
    detail: String,
    errors: Vec<ProblemError>,
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemView<'a> {
    /// Names the kind of problem; `urn:frontdesk:problem:` and the code.
    r#type: String,
    /// The same for each occurrence.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The stable name of the problem; docs/problems.md describes each.
    code: &'static str,
    /// What is wrong this time.
    detail: &'a str,
    /// What helps.
    help: &'static str,
    /// Single faults; empty where the detail says it all.
    errors: &'a [ProblemError],
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemError {
    /// The line of an import, from 1; null otherwise.
    pub line: Option<usize>,
    /// The query parameter; null for faults of a body.
    pub parameter: Option<String>,
    /// The place in the body (RFC 6901); null for faults of a query parameter.
    pub pointer: Option<String>,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl From<Fault> for ProblemError {
    fn from(fault: Fault) -> Self {
        Self {
            line: None,
            parameter: None,
            pointer: Some(fault.pointer),
            detail: fault.detail,
        }
    }
}

impl From<LineFault> for ProblemError {
    fn from(fault: LineFault) -> Self {
        Self {
            line: Some(fault.line),
            parameter: None,
            pointer: Some(fault.pointer),
            detail: fault.detail,
        }
    }
}

impl Problem {
    /// A problem that its detail explains.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Body {
            code,
            detail: detail.into(),
            errors: Vec::new(),
        }))
    }

    /// Adds single faults.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = impl Into<ProblemError>>) -> Self {
        self.0.errors.extend(errors.into_iter().map(Into::into));
        self
    }

    /// Which problem it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Something with that name is not there.
    pub(crate) fn not_found(code: Code, what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(code, format!("there is no {what} `{name}` here"))
    }

    /// A query parameter is wrong.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let error = ProblemError {
            line: None,
            parameter: Some(name.to_owned()),
            pointer: None,
            detail: detail.clone(),
        };
        Self::new(Code::InvalidParameter, format!("`{name}` {detail}")).with_errors([error])
    }

    /// One place of the body is wrong.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Faults(vec![Fault {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
        .into()
    }

    /// The body refers to what does not exist.
    pub(crate) fn unknown_references(faults: Vec<Fault>) -> Self {
        let detail = Faults(faults.clone()).to_string();
        Self::new(Code::UnknownReference, detail).with_errors(faults)
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        let detail = match faults.0.as_slice() {
            [fault] if fault.pointer.is_empty() => format!("the document {}", fault.detail),
            [fault] => format!("`{}` {}", fault.pointer, fault.detail),
            all => format!("the document has {} faults", all.len()),
        };
        Self::new(Code::InvalidDocument, detail).with_errors(faults.0)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let reason = chain(&error);
        match error {
            StoreError::Unavailable { action, .. } => {
                tracing::error!(
                    error = reason,
                    action,
                    "the store does not answer a request of the admin API"
                );
                Self::new(
                    Code::StoreUnavailable,
                    format!("the store cannot {action} at the moment"),
                )
            }
            StoreError::Unreadable { what, .. } => {
                tracing::error!(error = reason, what, "a stored document cannot be read");
                Self::new(Code::Internal, format!("{what} in the store cannot be read"))
            }
        }
    }
}

impl Problem {
    /// A write was refused; `missing` is the code for a document that is not there.
    pub(crate) fn refused(error: WriteError, missing: Code) -> Self {
        match error {
            WriteError::Taken { pointer, detail } => {
                let code = if pointer.starts_with("/phone") {
                    Code::PhoneTaken
                } else {
                    Code::IdTaken
                };
                Self::new(code, detail.clone()).with_errors([Fault { pointer, detail }])
            }
            WriteError::Stale { current } => Self::stale(current),
            WriteError::NotFound => Self::new(missing, "it was deleted in the meantime"),
            WriteError::UnknownReference(faults) => Self::unknown_references(faults),
            WriteError::InUse(companies) => {
                let names: Vec<String> = companies.iter().map(|(_, name)| name.to_string()).collect();
                let errors = companies.iter().map(|(id, name)| ProblemError {
                    line: None,
                    parameter: None,
                    pointer: None,
                    detail: format!("company {id} ({name}) uses this template"),
                });
                Self::new(Code::TemplateInUse, format!("it is used by {}", names.join(", "))).with_errors(errors)
            }
            WriteError::Store(error) => error.into(),
        }
    }

    /// `If-Match` named another revision than the current one.
    pub(crate) fn stale(current: u64) -> Self {
        Self::new(Code::StaleRevision, format!("the document's revision is {current}"))
    }
}

/// The error with its causes, once each.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Body { code, detail, errors } = *self.0;
        let view = ProblemView {
            r#type: format!("urn:frontdesk:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            code: code.as_str(),
            detail: &detail,
            help: code.help(),
            errors: &errors,
        };
        let mut response = (code.status(), Json(view)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match code {
            Code::Unauthorized => {
                let challenge = HeaderValue::from_static("Bearer realm=\"frontdesk\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Code::StoreUnavailable => _ = headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => {}
        }
        response
    }
}
