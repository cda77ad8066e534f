//! The platform's life-safety rules.

use axum::{extract::State, response::Response};
use frontdesk_domain::documents::{Fault, Faults, safety::SafetyRules};
use frontdesk_matching::safety::{EMBEDDED_JSON, SafetyMatcher};
use frontdesk_store::ports::{Singleton, Stored};
use serde_json::{Map, Value};

use super::{Answer, Document, off_thread, prompts::embedded, strict};
use crate::{
    auth::Operator,
    extract::{Attempts, Conditions, JsonBody},
    openapi::schema,
    problem::Code,
    state::App,
};

/// Shows the safety rules in force; the built-in ones, of revision 0, if none were put.
#[utoipa::path(get, path = "/api/v1/safety", tag = "platform",
    responses((status = 200, body = schema::SafetyRules), (status = 304)))]
pub(crate) async fn show_safety(State(app): State<App>, _: Operator, conditions: Conditions) -> Answer<Response> {
    let document = match app.store.singleton(&Singleton::Safety).await? {
        Some(stored) => Document::stored(stored),
        None => embedded("the built-in safety rules", EMBEDDED_JSON)?,
    };
    Ok(document.unless_known(&conditions))
}

/// Replaces the safety rules, for all companies and from the next turn on.
#[utoipa::path(put, path = "/api/v1/safety", tag = "platform", request_body = schema::SafetyRules,
    responses((status = 200, body = schema::SafetyRules), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_safety(
    State(app): State<App>,
    _: Operator,
    conditions: Conditions,
    JsonBody(document): JsonBody,
) -> Answer<Document> {
    let mut attempts = Attempts::of(&conditions);
    loop {
        let (before, rev) = match app.store.singleton(&Singleton::Safety).await? {
            Some(Stored { json, rev, .. }) => (Value::Object(json), rev),
            None => (Value::Null, 0),
        };
        conditions.check(rev)?;
        let document = document.clone();
        let json = off_thread(move || compiled(&document, strict(&before))).await??;
        match app
            .store
            .put_singleton(&Singleton::Safety, json.clone(), Some(rev))
            .await
        {
            Ok(written) => return Ok(Document::written(json, written)),
            Err(refused) => attempts.again(refused, Code::Internal)?,
        }
    }
}

/// The canonical JSON of rules that compile.
fn compiled(document: &Value, mode: frontdesk_domain::documents::Mode<'_>) -> Result<Map<String, Value>, Faults> {
    let parsed = SafetyRules::parse(document, mode)?;
    compile(&parsed.value)?;
    Ok(parsed.json)
}

/// Refuses rules that do not compile: they could not be always on.
pub(crate) fn compile(rules: &SafetyRules) -> Result<(), Faults> {
    let Err(refused) = SafetyMatcher::compile(rules) else {
        return Ok(());
    };
    let faults = refused.into_iter().map(|fault| {
        let category = rules
            .categories
            .iter()
            .position(|category| category.id == fault.category)
            .unwrap_or_default();
        let pointer = format!("/categories/{category}/{}/{}", fault.field.name(), fault.index);
        Fault {
            pointer,
            detail: fault.reason,
        }
    });
    Err(Faults(faults.collect()))
}
