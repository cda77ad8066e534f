//! Questions with their answers, of companies and of trades.

use std::fmt::Write as _;

use axum::{Json, extract::State, response::Response};
use frontdesk_domain::{
    documents::{Mode, place_id, qna::Qna, trade::TradeName},
    ids::QnaId,
};
use frontdesk_store::ports::{QnaOwner, Stored};
use http::StatusCode;
use serde_json::{Map, Value};

use super::{Answer, Document, List, alike, given_or_new, key_of, one_more, strict};
use crate::{
    auth::{CompanyScope, Operator},
    extract::{Attempts, Conditions, InPath, JsonBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists a company's own Q&A, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/qna", tag = "Q&A",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::QnaList)))]
pub(crate) async fn list_qna(State(app): State<App>, scope: CompanyScope, query: Query) -> Answer<Json<List<Value>>> {
    list(&app, &QnaOwner::Company(scope.id), &query).await
}

/// Makes a Q&A of a company.
#[utoipa::path(post, path = "/api/v1/companies/{companyId}/qna", tag = "Q&A", request_body = schema::Qna,
    responses((status = 201, body = schema::Qna), (status = 409, body = schema::Problem)))]
pub(crate) async fn create_qna(
    State(app): State<App>,
    scope: CompanyScope,
    JsonBody(document): JsonBody,
) -> Answer<Response> {
    let at = format!("/api/v1/companies/{}/qna", scope.id);
    create(&app, &QnaOwner::Company(scope.id), &at, document).await
}

/// Shows a Q&A of a company.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/qna/{qnaId}", tag = "Q&A",
    responses((status = 200, body = schema::Qna), (status = 304)))]
pub(crate) async fn show_qna(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
) -> Answer<Response> {
    let stored = load(&app, &QnaOwner::Company(scope.id), &id).await?;
    Ok(Document::stored(stored).unless_known(&conditions))
}

/// Replaces a Q&A of a company.
#[utoipa::path(put, path = "/api/v1/companies/{companyId}/qna/{qnaId}", tag = "Q&A", request_body = schema::Qna,
    responses((status = 200, body = schema::Qna), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_qna(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    replace(&app, &QnaOwner::Company(scope.id), &id, &conditions, document).await
}

/// Deletes a Q&A of a company.
#[utoipa::path(delete, path = "/api/v1/companies/{companyId}/qna/{qnaId}", tag = "Q&A",
    responses((status = 204), (status = 412, body = schema::Problem)))]
pub(crate) async fn delete_qna(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
) -> Answer<StatusCode> {
    delete(&app, &QnaOwner::Company(scope.id), &id, &conditions).await
}

/// Lists the Q&A of a trade, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/trades/{trade}/qna", tag = "Q&A",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::QnaList)))]
pub(crate) async fn list_trade_qna(
    State(app): State<App>,
    _: Operator,
    InPath(trade): InPath<TradeName>,
    query: Query,
) -> Answer<Json<List<Value>>> {
    list(&app, &QnaOwner::Trade(trade), &query).await
}

/// Makes a Q&A of a trade: every company of the trade answers it.
#[utoipa::path(post, path = "/api/v1/trades/{trade}/qna", tag = "Q&A", request_body = schema::Qna,
    responses((status = 201, body = schema::Qna), (status = 409, body = schema::Problem)))]
pub(crate) async fn create_trade_qna(
    State(app): State<App>,
    _: Operator,
    InPath(trade): InPath<TradeName>,
    JsonBody(document): JsonBody,
) -> Answer<Response> {
    let at = format!("/api/v1/trades/{}/qna", percent_encoded(trade.as_str()));
    create(&app, &QnaOwner::Trade(trade), &at, document).await
}

/// Shows a Q&A of a trade.
#[utoipa::path(get, path = "/api/v1/trades/{trade}/qna/{qnaId}", tag = "Q&A",
    responses((status = 200, body = schema::Qna), (status = 304)))]
pub(crate) async fn show_trade_qna(
    State(app): State<App>,
    _: Operator,
    InPath(trade): InPath<TradeName>,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
) -> Answer<Response> {
    let stored = load(&app, &QnaOwner::Trade(trade), &id).await?;
    Ok(Document::stored(stored).unless_known(&conditions))
}

/// Replaces a Q&A of a trade.
#[utoipa::path(put, path = "/api/v1/trades/{trade}/qna/{qnaId}", tag = "Q&A", request_body = schema::Qna,
    responses((status = 200, body = schema::Qna), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_trade_qna(
    State(app): State<App>,
    _: Operator,
    InPath(trade): InPath<TradeName>,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    replace(&app, &QnaOwner::Trade(trade), &id, &conditions, document).await
}

/// Deletes a Q&A of a trade.
#[utoipa::path(delete, path = "/api/v1/trades/{trade}/qna/{qnaId}", tag = "Q&A",
    responses((status = 204), (status = 412, body = schema::Problem)))]
pub(crate) async fn delete_trade_qna(
    State(app): State<App>,
    _: Operator,
    InPath(trade): InPath<TradeName>,
    InPath(id): InPath<QnaId>,
    conditions: Conditions,
) -> Answer<StatusCode> {
    delete(&app, &QnaOwner::Trade(trade), &id, &conditions).await
}

async fn list(app: &App, owner: &QnaOwner, query: &Query) -> Answer<Json<List<Value>>> {
    query.only(&["limit", "cursor"])?;
    let list = match owner {
        QnaOwner::Company(company) => format!("company {company}"),
        QnaOwner::Trade(trade) => format!("trade {}", trade.key()),
    };
    let page = query.page::<QnaId>(&list)?;
    let found = app.store.qnas(owner, one_more(&page)).await?;
    let keyed = found
        .into_iter()
        .map(|qna| Ok((key_of::<QnaId>(&qna.json, "id")?, Document::stored(qna).into_json())));
    Ok(List::of(keyed.collect::<Answer<_>>()?, page.limit, &list))
}

async fn create(app: &App, owner: &QnaOwner, at: &str, mut document: Value) -> Answer<Response> {
    given_or_new(app, &mut document, "id");
    let (id, json) = read(&document, owner, Mode::new_document())?;
    let warnings = alike::in_qna(app, owner, &id, json.clone()).await?;
    let written = app.store.insert_qna(owner, &id, json.clone()).await;
    let written = written.map_err(|refused| Problem::refused(refused, Code::CompanyNotFound))?;
    let document = Document::written(json, written).warning(&warnings);
    Ok(document.created_at(&format!("{at}/{id}")))
}

async fn replace(
    app: &App,
    owner: &QnaOwner,
    id: &QnaId,
    conditions: &Conditions,
    mut document: Value,
) -> Answer<Document> {
    let mut attempts = Attempts::of(conditions);
    loop {
        let Stored { json, rev, .. } = load(app, owner, id).await?;
        conditions.check(rev)?;
        place_id(&mut document, "id", id.as_str())?;
        let (_, json) = read(&document, owner, strict(&Value::Object(json)))?;
        let warnings = alike::in_qna(app, owner, id, json.clone()).await?;
        match app.store.replace_qna(owner, id, json.clone(), rev).await {
            Ok(written) => return Ok(Document::written(json, written).warning(&warnings)),
            Err(refused) => attempts.again(refused, Code::QnaNotFound)?,
        }
    }
}

async fn delete(app: &App, owner: &QnaOwner, id: &QnaId, conditions: &Conditions) -> Answer<StatusCode> {
    let mut attempts = Attempts::of(conditions);
    loop {
        let rev = load(app, owner, id).await?.rev;
        conditions.check(rev)?;
        match app.store.delete_qna(owner, id, Some(rev)).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            Err(refused) => attempts.again(refused, Code::QnaNotFound)?,
        }
    }
}

async fn load(app: &App, owner: &QnaOwner, id: &QnaId) -> Answer<Stored> {
    let found = app.store.qna(owner, id).await?;
    found.ok_or_else(|| Problem::not_found(Code::QnaNotFound, "Q&A", id))
}

fn read(document: &Value, owner: &QnaOwner, mode: Mode<'_>) -> Answer<(QnaId, Map<String, Value>)> {
    let parsed = Qna::parse(document, owner, mode)?;
    Ok((parsed.value.id, parsed.json))
}

/// The text as a part of a path (RFC 3986).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
