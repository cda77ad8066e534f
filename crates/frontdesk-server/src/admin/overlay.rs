//! A company's own additions to the templates it uses.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use frontdesk_domain::{
    documents::{Fault, Mode, nearest, overlay::Overlay},
    ids::TemplateId,
};
use frontdesk_store::ports::{Singleton, StoreError, Stored};
use serde_json::{Map, Value, json};

use super::{Answer, Document, alike, strict};
use crate::{
    auth::CompanyScope,
    extract::{Attempts, Conditions, JsonBody},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Shows a company's overlay; an empty one of revision 0 if none was put.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/overlay", tag = "overlay",
    responses((status = 200, body = schema::Overlay), (status = 304)))]
pub(crate) async fn show_overlay(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
) -> Answer<Response> {
    let document = match app.store.singleton(&Singleton::Overlay(scope.id)).await? {
        Some(stored) => Document::stored(stored),
        None => Document::embedded(Overlay::parse(&json!({}), scope.id, Mode::new_document())?.json),
    };
    Ok(document.unless_known(&conditions))
}

/// Replaces a company's overlay. The scenarios that it names are those of the company's templates.
#[utoipa::path(put, path = "/api/v1/companies/{companyId}/overlay", tag = "overlay", request_body = schema::Overlay,
    responses((status = 200, body = schema::Overlay), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_overlay(
    State(app): State<App>,
    scope: CompanyScope,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    let which = Singleton::Overlay(scope.id);
    let scenarios = scenarios_of(&app, &scope.company.document.json).await?;
    let mut attempts = Attempts::of(&conditions);
    loop {
        let (before, rev) = match app.store.singleton(&which).await? {
            Some(Stored { json, rev, .. }) => (Value::Object(json), rev),
            None => (Value::Null, 0),
        };
        conditions.check(rev)?;
        let json = Overlay::parse(&document, scope.id, strict(&before))?.json;
        let unknown = unknown_scenarios(&json, &before, &scenarios);
        if !unknown.is_empty() {
            return Err(Problem::unknown_references(unknown));
        }
        let warnings = alike::in_overlay(&app, &scope.company.document.json, json.clone()).await?;
        match app.store.put_singleton(&which, json.clone(), Some(rev)).await {
            Ok(written) => return Ok(Document::written(json, written).warning(&warnings)),
            Err(refused) => attempts.again(refused, Code::CompanyNotFound)?,
        }
    }
}

/// The templates that a company refers to, disabled ones included.
pub(crate) fn templates_of(company: &Map<String, Value>) -> Vec<TemplateId> {
    let references = company
        .get("aiAgentSettings")
        .and_then(|settings| settings.get("templateReferences"));
    let references = references.and_then(Value::as_array).into_iter().flatten();
    references
        .filter_map(|reference| {
            reference
                .as_str()
                .or_else(|| reference.get("templateId")?.as_str())?
                .parse()
                .ok()
        })
        .collect()
}

/// The ids of the scenarios of a template.
pub(crate) fn scenarios_in(template: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let categories = template
        .get("categories")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let scenarios = categories
        .filter_map(|category| category.get("scenarios").and_then(Value::as_array))
        .flatten();
    scenarios.filter_map(|scenario| scenario.get("id")?.as_str())
}

async fn scenarios_of(app: &App, company: &Map<String, Value>) -> Result<BTreeSet<String>, StoreError> {
    let mut scenarios = BTreeSet::new();
    for id in templates_of(company) {
        if let Some(template) = app.store.template(id).await? {
            scenarios.extend(scenarios_in(&template.json).map(str::to_owned));
        }
    }
    Ok(scenarios)
}

/// Scenarios that an overlay names and no template of its company has. Those that stood in it before may stay: their
/// template has changed since, and the overlay must still be editable.
pub(crate) fn unknown_scenarios(overlay: &Map<String, Value>, before: &Value, known: &BTreeSet<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |pointer: String, id: &str, stood_before: bool| {
        if !known.contains(id) && !stood_before {
            let hint = nearest(id, known.iter().map(String::as_str)).map(|near| format!("; did you mean \"{near}\"?"));
            let detail = format!(
                "no template of this company has a scenario \"{id}\"{}",
                hint.unwrap_or_default()
            );
            faults.push(Fault { pointer, detail });
        }
    };
    for field in ["triggers", "negativeTriggers"] {
        for id in overlay
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
        {
            let stood_before = before.get(field).is_some_and(|field| field.get(id).is_some());
            check(format!("/{field}/{id}"), id, stood_before);
        }
    }
    let disabled = |overlay: Option<&Value>| -> Vec<String> {
        let ids = overlay.and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    };
    let disabled_before = disabled(before.get("disabledScenarios"));
    for (index, id) in disabled(overlay.get("disabledScenarios")).iter().enumerate() {
        check(format!("/disabledScenarios/{index}"), id, disabled_before.contains(id));
    }
    faults
}
