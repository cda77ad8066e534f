//! The table of contents: every route of the server.

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Method, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    admin::{
        budget, calls, companies, contacts, export, health, import, llm, messages, notification_stream, notifications,
        outbox, overlay, prompts, qna, route, safety, templates,
    },
    docs,
    extract::{DOCUMENT_BYTES, IMPORT_BYTES},
    metrics, openapi, probes,
    problem::{Code, Problem},
    state::App,
};

/// All routes. `voice` are the voice routes, which have rules of their own: no JSON, no token, signatures instead.
///
/// # Errors
/// The `OpenAPI` document cannot be put together, which a test excludes.
pub fn router(app: App, voice: Router) -> Result<Router, serde_json::Error> {
    let (admin, annotated) = admin().split_for_parts();
    let document = openapi::document(&annotated)?.to_string();
    let described = move || async move { ([(header::CONTENT_TYPE, "application/json")], document) };
    let pages = Router::new()
        .route("/api/openapi.json", get(described))
        .route("/api/docs", get(docs::page))
        // As some browsers and people write it.
        .route("/api/docs/", get(docs::page))
        .route("/api/docs/{*file}", get(docs::asset));
    let router = admin
        .merge(pages)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(count))
        .with_state(app)
        .merge(voice)
        .fallback(unknown_path);
    Ok(router)
}

/// `/metrics` without a token, for a listener that only the monitoring reaches.
pub fn metrics_router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(probes::show_metrics_openly))
        .with_state(app)
}

/// The admin API and the probes. Each handler's annotation names its method and path; tests walk them all.
fn admin() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // /healthz, /readyz, /metrics
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::readyz))
        .routes(routes!(probes::show_metrics))
        // /api/v1/companies
        .routes(routes!(companies::list_companies, companies::create_company))
        .routes(routes!(
            companies::show_company,
            companies::replace_company,
            companies::patch_company,
            companies::delete_company
        ))
        // /api/v1/companies/{companyId}/…
        .routes(routes!(qna::list_qna, qna::create_qna))
        .routes(routes!(qna::show_qna, qna::replace_qna, qna::delete_qna))
        .routes(routes!(overlay::show_overlay, overlay::replace_overlay))
        .routes(routes!(route::route))
        .routes(routes!(calls::list_calls))
        .routes(routes!(calls::show_call))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::patch_message))
        .routes(routes!(messages::show_audio))
        .routes(routes!(budget::show_budget))
        .routes(routes!(budget::list_ledger))
        // /api/v1/trades/{trade}/qna
        .routes(routes!(qna::list_trade_qna, qna::create_trade_qna))
        .routes(routes!(
            qna::show_trade_qna,
            qna::replace_trade_qna,
            qna::delete_trade_qna
        ))
        // /api/v1/templates
        .routes(routes!(templates::list_templates, templates::create_template))
        .routes(routes!(
            templates::show_template,
            templates::replace_template,
            templates::patch_template,
            templates::delete_template
        ))
        // /api/v1/safety, /api/v1/prompts/{language}
        .routes(routes!(safety::show_safety, safety::replace_safety))
        .routes(routes!(prompts::show_prompts, prompts::replace_prompts))
        // /api/v1/notifications
        .routes(routes!(notifications::list_notifications))
        .routes(routes!(notification_stream::stream_notifications))
        .routes(routes!(notifications::acknowledge_notification))
        .routes(routes!(notifications::snooze_notification))
        .routes(routes!(notifications::resolve_notification))
        .routes(routes!(notifications::reopen_notification))
        .routes(routes!(notifications::show_runbook))
        // /api/v1/contacts, /api/v1/outbox
        .routes(routes!(contacts::list_contacts, contacts::create_contact))
        .routes(routes!(contacts::replace_contact, contacts::delete_contact))
        .routes(routes!(contacts::test_contact))
        .routes(routes!(outbox::list_outbox))
        .routes(routes!(outbox::resend_delivery))
        // /api/v1/health
        .routes(routes!(health::show_health))
        .routes(routes!(health::list_health))
        // /api/v1/llm
        .routes(routes!(llm::show_llm_health))
        .routes(routes!(llm::test_connection))
        // /api/v1/export
        .routes(routes!(export::export))
        .layer(DefaultBodyLimit::max(DOCUMENT_BYTES))
        // /api/v1/import
        .merge(
            OpenApiRouter::new()
                .routes(routes!(import::import))
                .layer(DefaultBodyLimit::max(IMPORT_BYTES)),
        )
}

async fn unknown_path(request: Request) -> Response {
    let path = request.uri().path();
    let detail = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => format!("there is nothing at {path}; paths have no slash at the end"),
        _ => format!("there is nothing at {path}"),
    };
    Problem::new(Code::UnknownPath, detail).into_response()
}

async fn method_not_allowed(request: Request) -> Response {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(Code::MethodNotAllowed, detail).into_response()
}

/// Methods that are none of HTTP's own are one, so that nobody makes series by inventing some.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts requests of the admin API. The path is the route's, so that ids make no series of their own.
async fn count(request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned())
        .unwrap_or_default();
    let method = method_label(request.method());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    ::metrics::counter!(metrics::ADMIN_REQUESTS, "method" => method, "path" => path, "status" => status).increment(1);
    response
}
