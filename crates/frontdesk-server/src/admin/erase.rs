//! Erasing a caller.

use axum::{Json, extract::State};
use frontdesk_domain::{documents::nearest, phone::PhoneNumber};
use frontdesk_store::ports::Erased;
use serde::Serialize;
use serde_json::Value;

use super::Answer;
use crate::{auth::CompanyScope, extract::JsonBody, openapi::schema, problem::Problem, state::App};

/// What was erased of a caller.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Erasure {
    calls: u64,
    turns: u64,
    messages: u64,
    recordings: u64,
    notifications: u64,
}

/// Erases a caller: the company's calls from this number with their turns and call states, the messages from it or with
/// it as the number to call back, their recordings, and what notifications say of these calls.
///
/// What was counted stays: it names nobody. Entries of the ledger stay: they name calls, no callers. Done again it erases
/// what has come since, usually nothing.
#[utoipa::path(post, path = "/api/v1/companies/{companyId}/erase", tag = "calls", request_body = schema::EraseRequest,
    responses((status = 200, body = schema::Erasure)))]
pub(crate) async fn erase(
    State(app): State<App>,
    scope: CompanyScope,
    JsonBody(body): JsonBody,
) -> Answer<Json<Erasure>> {
    let caller = read(&body)?;
    let mut all = Erased::default();
    // Batch by batch: between two of them calls write.
    loop {
        let batch = app.store.erase(scope.id, &caller).await?;
        if batch == Erased::default() {
            break;
        }
        all = all.and(batch);
    }
    let Erased {
        calls,
        turns,
        messages,
        recordings,
        notifications,
    } = all;
    tracing::info!(
        company.id = %scope.id, calls, turns, messages, recordings, notifications,
        "what was kept of a caller was erased by an operator"
    );
    Ok(Json(Erasure {
        calls,
        turns,
        messages,
        recordings,
        notifications,
    }))
}

fn read(body: &Value) -> Answer<String> {
    const CALLER: &str = "should be the caller's number in E.164, such as +15551234567";
    let Some(fields) = body.as_object() else {
        return Err(Problem::invalid(
            "",
            "should be an object such as {\"caller\": \"+15551234567\"}",
        ));
    };
    if let Some(name) = fields.keys().find(|name| *name != "caller") {
        let hint = nearest(name, ["caller"]).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Problem::invalid(
            format!("/{name}"),
            format!("unknown field `{name}`{hint}"),
        ));
    }
    let caller = fields.get("caller").and_then(Value::as_str).unwrap_or_default();
    // "anonymous" and the like are many callers, of whom one cannot be told from another.
    let number: PhoneNumber = caller.parse().map_err(|_| Problem::invalid("/caller", CALLER))?;
    Ok(number.to_string())
}
