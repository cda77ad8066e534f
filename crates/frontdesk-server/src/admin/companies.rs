//! Companies.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use frontdesk_domain::{
    decision::FallbackKind,
    documents::{
        Faults, Mode, Parsed,
        company::{Company, CompanyDocument, CompanySecrets},
        place_id,
    },
    ids::CompanyId,
    ledger::Account,
    time::{MonthKey, TimeZone, zone},
};
use frontdesk_store::ports::{CompanyWrite, StoreError, StoredCompany};
use http::StatusCode;
use serde_json::{Map, Value};

use super::{Answer, Document, List, given_or_new, key_of, one_more, prompts, stored, strict};
use crate::{
    auth::{CompanyScope, Operator},
    extract::{Attempts, Conditions, JsonBody, PatchBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists the companies, in the order of their ids.
#[utoipa::path(get, path = "/api/v1/companies", tag = "companies",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::CompanyList)))]
pub(crate) async fn list_companies(State(app): State<App>, _: Operator, query: Query) -> Answer<Json<List<Value>>> {
    query.only(&["limit", "cursor"])?;
    let page = query.page::<CompanyId>("")?;
    let mut found = Vec::with_capacity(page.limit + 1);
    for company in app.store.companies(one_more(&page)).await? {
        let id: CompanyId = key_of(&company.document.json, "_id")?;
        found.push((id, view(&app, company).await?.into_json()));
    }
    Ok(List::of(found, page.limit, ""))
}

/// Makes a company. A free `_id` that it brings is kept.
#[utoipa::path(post, path = "/api/v1/companies", tag = "companies", request_body = schema::Company,
    responses((status = 201, body = schema::Company), (status = 409, body = schema::Problem)))]
pub(crate) async fn create_company(
    State(app): State<App>,
    _: Operator,
    JsonBody(document): JsonBody,
) -> Answer<Response> {
    let company = create(&app, document).await?;
    let location = format!("/api/v1/companies/{}", company.0);
    Ok(company.1.created_at(&location))
}

/// Shows a company: never its secrets, but whether they are set.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}", tag = "companies",
    responses((status = 200, body = schema::Company), (status = 304)))]
pub(crate) async fn show_company(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
) -> Answer<Response> {
    let document = view(&app, scope.company).await?;
    Ok(document.unless_known(&conditions))
}

/// Replaces a company. Secrets that are left out stay as they are.
#[utoipa::path(put, path = "/api/v1/companies/{companyId}", tag = "companies", request_body = schema::Company,
    responses((status = 200, body = schema::Company), (status = 409, body = schema::Problem), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_company(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    change(&app, scope, &conditions, |_| Ok(document.clone())).await
}

/// Changes a company by JSON Merge Patch (RFC 7396).
#[utoipa::path(patch, path = "/api/v1/companies/{companyId}", tag = "companies",
    request_body(content = schema::Company, content_type = "application/merge-patch+json"),
    responses((status = 200, body = schema::Company), (status = 409, body = schema::Problem), (status = 412, body = schema::Problem)))]
pub(crate) async fn patch_company(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
    PatchBody(patch): PatchBody,
) -> Answer<Document> {
    change(&app, scope, &conditions, |stored| Company::patched(stored, &patch)).await
}

/// Deletes a company with its Q&A and overlay. Its calls and messages stay until their retention ends.
#[utoipa::path(delete, path = "/api/v1/companies/{companyId}", tag = "companies",
    responses((status = 204), (status = 412, body = schema::Problem)))]
pub(crate) async fn delete_company(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
) -> Answer<StatusCode> {
    let mut attempts = Attempts::of(&conditions);
    let mut rev = scope.company.document.rev;
    loop {
        conditions.check(rev)?;
        match app.store.delete_company(scope.id, Some(rev)).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            Err(refused) => attempts.again(refused, Code::CompanyNotFound)?,
        }
        rev = load(&app, scope.id).await?.document.rev;
    }
}

async fn load(app: &App, id: CompanyId) -> Answer<StoredCompany> {
    let found = app.store.company(id).await?;
    found.ok_or_else(|| Problem::not_found(Code::CompanyNotFound, "company", id))
}

async fn create(app: &App, mut document: Value) -> Answer<(CompanyId, Document)> {
    given_or_new(app, &mut document, "_id");
    let parsed = Company::parse(&document, Mode::new_document())?;
    let write = checked(app, parsed, &CompanySecrets::default()).await?;
    let written = app.store.insert_company(write.clone()).await;
    let written = written.map_err(|refused| Problem::refused(refused, Code::CompanyNotFound))?;
    let company = StoredCompany {
        document: stored(write.json, written),
        secrets: write.secrets,
    };
    Ok((write.company.id, view(app, company).await?))
}

/// Writes what `next` makes of the stored document; again if somebody else changed it in between.
async fn change(
    app: &App,
    scope: CompanyScope,
    conditions: &Conditions,
    next: impl Fn(&Value) -> Result<Value, Faults> + Send,
) -> Answer<Document> {
    let mut attempts = Attempts::of(conditions);
    let mut company = scope.company;
    loop {
        let rev = company.document.rev;
        conditions.check(rev)?;
        let before = Value::Object(company.document.json);
        let mut document = next(&before)?;
        place_id(&mut document, "_id", &scope.id.to_string())?;
        let parsed = Company::parse(&document, strict(&before))?;
        let write = checked(app, parsed, &company.secrets).await?;
        match app.store.replace_company(write.clone(), rev).await {
            Ok(written) => {
                let company = StoredCompany {
                    document: stored(write.json, written),
                    secrets: write.secrets,
                };
                return Ok(view(app, company).await?);
            }
            Err(refused) => attempts.again(refused, Code::CompanyNotFound)?,
        }
        company = load(app, scope.id).await?;
    }
}

/// The write of a company whose secrets are merged and whose language has prompts.
async fn checked(app: &App, parsed: Parsed<CompanyDocument>, before: &CompanySecrets) -> Answer<CompanyWrite> {
    let CompanyDocument {
        company,
        secrets,
        opening: _,
    } = parsed.value;
    let language = &company.voice.language;
    let languages = prompts::languages(app).await?;
    if !languages.contains(&**language) {
        return Err(Problem::invalid(
            "/voice/language",
            prompts::no_prompts(language, &languages),
        ));
    }
    Ok(CompanyWrite {
        secrets: secrets.apply(before)?,
        company: Arc::new(company),
        json: parsed.json,
    })
}

/// A company as operators see it: without secrets, with what the ledger and the rotation say.
async fn view(app: &App, company: StoredCompany) -> Result<Document, StoreError> {
    let StoredCompany { mut document, secrets } = company;
    secrets.mark(&mut document.json);
    add_server_owned(app, &mut document.json).await?;
    Ok(Document::stored(document))
}

/// Shows this month's spend and the variations spoken last, each where the document of the seed has it.
pub(crate) async fn add_server_owned(app: &App, company: &mut Map<String, Value>) -> Result<(), StoreError> {
    let id: CompanyId = key_of(company, "_id")?;
    let zone = company
        .get("timezone")
        .and_then(Value::as_str)
        .and_then(zone)
        .unwrap_or(TimeZone::UTC);
    let now = app.clock.now();
    let month = MonthKey::of(now, &zone);
    let spend = app.store.spend(Account::Company(id), month).await?.spent.to_string();
    let first_day = zone.to_datetime(now).date().first_of_month();
    let month_begins = zone
        .to_timestamp(first_day.at(0, 0, 0, 0))
        .ok()
        .map(|at| at.to_string());
    let spoken = app.store.last_spoken(id).await?;
    let last_used = FallbackKind::ALL.iter().map(|kind| {
        let index = spoken
            .iter()
            .find(|(spoken, _)| spoken == kind)
            .map(|(_, index)| *index);
        (kind.rotation_name().to_owned(), Value::from(index))
    });
    let last_used: Map<String, Value> = last_used.collect();
    let Some(logic) = company.get_mut("aiAgentLogic") else {
        return Ok(());
    };
    if let Some(gatekeeper) = logic.get_mut("templateGatekeeper").and_then(Value::as_object_mut) {
        gatekeeper.insert("currentSpend".into(), spend.into());
        gatekeeper.insert("lastResetDate".into(), month_begins.into());
    }
    if let Some(fallback) = logic.get_mut("fallbackResponses").and_then(Value::as_object_mut) {
        fallback.insert("lastUsedIndex".into(), last_used.into());
    }
    Ok(())
}
