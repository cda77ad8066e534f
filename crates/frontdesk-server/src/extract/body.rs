//! Bodies: JSON documents, merge patches, imports.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::problem::{Code, Problem};

/// The most bytes of a document.
pub(crate) const DOCUMENT_BYTES: usize = 8 << 20;

/// The most bytes of an import.
pub(crate) const IMPORT_BYTES: usize = 64 << 20;

/// A JSON document (`application/json` or a type that ends in `+json`).
pub(crate) struct JsonBody(pub(crate) Value);

/// A JSON Merge Patch (`application/merge-patch+json` or `application/json`).
pub(crate) struct PatchBody(pub(crate) Value);

/// JSON lines or a JSON document, in UTF-8.
pub(crate) struct ImportBody(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let readable = |media: &str| media == "application/json" || is_json_suffix(media);
        expect_media(request.headers(), readable, "application/json")?;
        Ok(Self(json(&bytes(request, state).await?)?))
    }
}

impl<S: Send + Sync> FromRequest<S> for PatchBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let readable = |media: &str| matches!(media, "application/merge-patch+json" | "application/json");
        expect_media(request.headers(), readable, "application/merge-patch+json")?;
        Ok(Self(json(&bytes(request, state).await?)?))
    }
}

impl<S: Send + Sync> FromRequest<S> for ImportBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        const READABLE: [&str; 6] = [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/json",
            "text/plain",
            "application/octet-stream",
        ];
        expect_media(
            request.headers(),
            |media| READABLE.contains(&media),
            "application/x-ndjson",
        )?;
        let body = bytes(request, state).await?;
        let text = String::from_utf8(body.into());
        text.map(Self).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error
                .as_bytes()
                .iter()
                .take(valid)
                .filter(|byte| **byte == b'\n')
                .count();
            Problem::new(Code::MalformedJson, format!("line {line} is not UTF-8"))
        })
    }
}

/// `application/anything+json`, but no patch of another kind.
fn is_json_suffix(media: &str) -> bool {
    media.ends_with("+json") && !media.contains("patch")
}

fn expect_media(headers: &HeaderMap, readable: impl Fn(&str) -> bool, wanted: &str) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?"));
    let media = given
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if readable(&media) {
        return Ok(());
    }
    let detail = match given {
        Some(given) => format!("the Content-Type should be {wanted}, not {given}"),
        None => format!("the Content-Type is missing; it should be {wanted}"),
    };
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Code::BodyTooLarge, "the body is larger than this path takes")
        } else {
            Problem::new(Code::MalformedJson, "the body ended before it was complete")
        }
    })
}

fn json(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Err(Problem::new(Code::MalformedJson, "the body is empty"));
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(Code::MalformedJson, format!("the body is no JSON: {error}")))
}
