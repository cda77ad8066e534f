//! `/api/openapi.json` and `/api/docs`: the description of the API and a page to read it, without anything from
//! elsewhere on the web.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::header;
use utoipa_swagger_ui::Config;

use crate::problem::{Code, Problem};

/// The page loads its own files only and talks to this server only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::new(["/api/openapi.json"])
        .persist_authorization(false)
        .doc_expansion("none")
        .validator_url("none");
    Arc::new(config)
});

/// The page.
pub(crate) async fn page() -> Response {
    file("index.html")
}

/// What the page loads.
pub(crate) async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    let Ok(Some(found)) = utoipa_swagger_ui::serve(path, Arc::clone(&CONFIG)) else {
        return Problem::new(Code::UnknownPath, "the documentation has no such file").into_response();
    };
    let mut bytes = found.bytes.into_owned();
    if path == "index.html"
        && let Ok(html) = std::str::from_utf8(&bytes)
    {
        // The page is at /api/docs, its files are below.
        bytes = html
            .replacen("<head>", "<head>\n    <base href=\"/api/docs/\">", 1)
            .into_bytes();
    }
    let headers = [
        (header::CONTENT_TYPE, found.content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, bytes).into_response()
}
