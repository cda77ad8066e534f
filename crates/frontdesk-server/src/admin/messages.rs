//! Messages and wishes to be called back.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use frontdesk_domain::{
    documents::{Fault, Faults},
    ids::MessageId,
    record::{AudioState, Message, MessageKind, MessageState},
};
use frontdesk_store::ports::{Audio, MessageFilter};
use http::header;
use serde_json::Value;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::CompanyScope,
    extract::{InPath, PatchBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists a company's messages, newest first.
///
/// `from` and `to` are times (RFC 3339) or dates in the company's zone, `to` is exclusive for a time and inclusive for a
/// date; `caller` is who called or who is to be called back, `q` a part of the transcript or of the time to call back.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/messages", tag = "messages",
    params(("state" = Option<String>, Query), ("kind" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("caller" = Option<String>, Query),
        ("q" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::MessageList)))]
pub(crate) async fn list_messages(
    State(app): State<App>,
    scope: CompanyScope,
    query: Query,
) -> Answer<Json<List<Message>>> {
    query.only(&["state", "kind", "from", "to", "caller", "q", "limit", "cursor"])?;
    let page = query.page::<MessageId>(scope.id)?;
    let (from, to) = filters::range(&query, &filters::zone_of(&scope.company))?;
    let filter = MessageFilter {
        state: query.read("state", "new or done", state)?,
        kind: query.read("kind", "message or callback", kind)?,
        from,
        to,
        caller: filters::caller(&query)?,
        words: filters::words(&query)?,
    };
    let found = app.store.messages(scope.id, &filter, one_more(&page)).await?;
    Ok(List::of(
        found.into_iter().map(|message| (message.id, message)).collect(),
        page.limit,
        scope.id,
    ))
}

/// Gives the audio of a recorded message.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/messages/{messageId}/audio", tag = "messages",
    responses((status = 200, body = Vec<u8>, content_type = "audio/*")))]
pub(crate) async fn show_audio(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<MessageId>,
) -> Answer<Response> {
    let found = app.store.audio(scope.id, id).await?;
    let found = found.ok_or_else(|| Problem::not_found(Code::MessageNotFound, "message", id))?;
    let Some(Audio { content_type, bytes }) = found.audio else {
        let detail = match found.state {
            AudioState::None => {
                "the message has no recording: it is a wish to be called back, or was not recorded at Twilio"
            }
            AudioState::Due | AudioState::Stored => {
                "the recording is still to be fetched from Twilio; that is tried for ten minutes"
            }
            AudioState::Failed => {
                "the recording could not be fetched from Twilio and is not tried any more; `recordingUrl` says where it is"
            }
        };
        return Err(Problem::new(Code::AudioNotFound, detail));
    };
    let headers = [
        (header::CONTENT_TYPE, &*content_type),
        // A caller's voice stays in no cache, and no browser takes it for something else.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, bytes).into_response())
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

fn kind(text: &str) -> Option<MessageKind> {
    match text {
        "message" => Some(MessageKind::Message),
        "callback" => Some(MessageKind::Callback),
        _ => None,
    }
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
