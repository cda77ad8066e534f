//! Templates with their scenarios.

use axum::{Json, extract::State, response::Response};
use frontdesk_domain::{
    documents::{Faults, Mode, merge_patch, place_id, template::Template},
    ids::TemplateId,
};
use frontdesk_store::ports::Stored;
use http::StatusCode;
use serde_json::Value;

use super::{Answer, Document, List, alike, given_or_new, key_of, off_thread, one_more, strict};
use crate::{
    auth::Operator,
    extract::{Attempts, Conditions, InPath, JsonBody, PatchBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists the templates, in the order of their ids.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::TemplateList)))]
pub(crate) async fn list_templates(State(app): State<App>, _: Operator, query: Query) -> Answer<Json<List<Value>>> {
    query.only(&["limit", "cursor"])?;
    let page = query.page::<TemplateId>("")?;
    let found = app.store.templates(one_more(&page)).await?;
    let keyed = found.into_iter().map(|template| {
        Ok((
            key_of::<TemplateId>(&template.json, "_id")?,
            Document::stored(template).into_json(),
        ))
    });
    Ok(List::of(keyed.collect::<Answer<_>>()?, page.limit, ""))
}

/// Makes a template. A free `_id` that it brings is kept.
#[utoipa::path(post, path = "/api/v1/templates", tag = "templates", request_body = schema::Template,
    responses((status = 201, body = schema::Template), (status = 409, body = schema::Problem)))]
pub(crate) async fn create_template(
    State(app): State<App>,
    _: Operator,
    JsonBody(mut document): JsonBody,
) -> Answer<Response> {
    given_or_new(&app, &mut document, "_id");
    let parsed = off_thread(move || Template::parse(&document, Mode::new_document())).await??;
    let id = parsed.value.id;
    let warnings = alike::in_template(parsed.json.clone()).await?;
    let written = app.store.insert_template(id, parsed.json.clone()).await;
    let written = written.map_err(|refused| Problem::refused(refused, Code::TemplateNotFound))?;
    let document = Document::written(parsed.json, written).warning(&warnings);
    Ok(document.created_at(&format!("/api/v1/templates/{id}")))
}

/// Shows a template.
#[utoipa::path(get, path = "/api/v1/templates/{templateId}", tag = "templates",
    responses((status = 200, body = schema::Template), (status = 304)))]
pub(crate) async fn show_template(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<TemplateId>,
    conditions: Conditions,
) -> Answer<Response> {
    let document = Document::stored(load(&app, id).await?);
    Ok(document.unless_known(&conditions))
}

/// Replaces a template.
#[utoipa::path(put, path = "/api/v1/templates/{templateId}", tag = "templates", request_body = schema::Template,
    responses((status = 200, body = schema::Template), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_template(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<TemplateId>,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    change(&app, id, &conditions, |_| document.clone()).await
}

/// Changes a template by JSON Merge Patch (RFC 7396). Lists, such as categories, are replaced as a whole.
#[utoipa::path(patch, path = "/api/v1/templates/{templateId}", tag = "templates",
    request_body(content = schema::Template, content_type = "application/merge-patch+json"),
    responses((status = 200, body = schema::Template), (status = 412, body = schema::Problem)))]
pub(crate) async fn patch_template(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<TemplateId>,
    conditions: Conditions,
    PatchBody(patch): PatchBody,
) -> Answer<Document> {
    let patched = |stored: &Value| {
        let mut document = stored.clone();
        merge_patch(&mut document, &patch);
        document
    };
    change(&app, id, &conditions, patched).await
}

/// Deletes a template that no company uses.
#[utoipa::path(delete, path = "/api/v1/templates/{templateId}", tag = "templates",
    responses((status = 204), (status = 409, body = schema::Problem), (status = 412, body = schema::Problem)))]
pub(crate) async fn delete_template(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<TemplateId>,
    conditions: Conditions,
) -> Answer<StatusCode> {
    let mut attempts = Attempts::of(&conditions);
    loop {
        let rev = load(&app, id).await?.rev;
        conditions.check(rev)?;
        match app.store.delete_template(id, Some(rev)).await {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            Err(refused) => attempts.again(refused, Code::TemplateNotFound)?,
        }
    }
}

async fn load(app: &App, id: TemplateId) -> Answer<Stored> {
    let found = app.store.template(id).await?;
    found.ok_or_else(|| Problem::not_found(Code::TemplateNotFound, "template", id))
}

/// Writes what `next` makes of the stored document; again if somebody else changed it in between.
async fn change(
    app: &App,
    id: TemplateId,
    conditions: &Conditions,
    next: impl Fn(&Value) -> Value + Send,
) -> Answer<Document> {
    let mut attempts = Attempts::of(conditions);
    loop {
        let Stored { json, rev, .. } = load(app, id).await?;
        conditions.check(rev)?;
        let before = Value::Object(json);
        let document = next(&before);
        let json = off_thread(move || read(id, document, &before)).await??;
        let warnings = alike::in_template(json.clone()).await?;
        match app.store.replace_template(id, json.clone(), rev).await {
            Ok(written) => return Ok(Document::written(json, written).warning(&warnings)),
            Err(refused) => attempts.again(refused, Code::TemplateNotFound)?,
        }
    }
}

fn read(id: TemplateId, mut document: Value, before: &Value) -> Result<serde_json::Map<String, Value>, Faults> {
    place_id(&mut document, "_id", &id.to_string())?;
    Ok(Template::parse(&document, strict(before))?.json)
}
