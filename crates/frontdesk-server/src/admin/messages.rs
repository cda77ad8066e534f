//! Messages and wishes to be called back.

use axum::{Json, extract::State};
use frontdesk_domain::{
    documents::{Fault, Faults},
    ids::MessageId,
    record::{Message, MessageState},
};
use serde_json::Value;

use super::{Answer, List, one_more};
use crate::{
    auth::CompanyScope,
    extract::{InPath, PatchBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists a company's messages, newest first.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/messages", tag = "messages",
    params(("state" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::MessageList)))]
pub(crate) async fn list_messages(
    State(app): State<App>,
    scope: CompanyScope,
    query: Query,
) -> Answer<Json<List<Message>>> {
    query.only(&["state", "limit", "cursor"])?;
    let state = query.read("state", "new or done", state)?;
    let page = query.page::<MessageId>(scope.id)?;
    let found = app.store.messages(scope.id, state, one_more(&page)).await?;
    Ok(List::of(
        found.into_iter().map(|message| (message.id, message)).collect(),
        page.limit,
        scope.id,
    ))
}

/// Marks a message as done or as new.
#[utoipa::path(patch, path = "/api/v1/companies/{companyId}/messages/{messageId}", tag = "messages",
    request_body(content = schema::MessageChange, content_type = "application/merge-patch+json"),
    responses((status = 200, body = schema::Message)))]
pub(crate) async fn patch_message(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<MessageId>,
    PatchBody(patch): PatchBody,
) -> Answer<Json<Message>> {
    let not_found = || Problem::not_found(Code::MessageNotFound, "message", id);
    let changed = app.store.set_message_state(scope.id, id, new_state(&patch)?).await?;
    Ok(Json(changed.ok_or_else(not_found)?))
}

fn state(text: &str) -> Option<MessageState> {
    match text {
        "new" => Some(MessageState::New),
        "done" => Some(MessageState::Done),
        _ => None,
    }
}

fn new_state(patch: &Value) -> Result<MessageState, Faults> {
    let fault = |pointer: String, detail: &str| {
        Faults(vec![Fault {
            pointer,
            detail: detail.to_owned(),
        }])
    };
    let Some(fields) = patch.as_object() else {
        return Err(fault(
            String::new(),
            "should be an object such as {\"state\": \"done\"}",
        ));
    };
    if let Some(other) = fields.keys().find(|name| *name != "state") {
        return Err(fault(format!("/{other}"), "cannot be changed; only `state` can"));
    }
    let wanted = fields.get("state").and_then(Value::as_str).and_then(state);
    wanted.ok_or_else(|| fault("/state".into(), "should be \"new\" or \"done\""))
}
