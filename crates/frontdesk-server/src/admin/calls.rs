//! The call log.

use axum::{Json, extract::State};
use frontdesk_domain::{
    ids::CallId,
    record::TurnOutcome,
    time::{TimeZone, Timestamp},
};
use frontdesk_store::ports::{CallCursor, CallFilter, StoredCall};
use serde::Serialize;
use serde_json::Value;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::CompanyScope,
    extract::{InPath, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// A call as operators see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallView {
    call_id: CallId,
    from: Option<String>,
    started_at: Timestamp,
    ending: String,
    ended_at: Option<Timestamp>,
    ended_as: Option<String>,
    turns: Vec<Value>,
}

impl From<StoredCall> for CallView {
    fn from(call: StoredCall) -> Self {
        let StoredCall {
            call_id,
            from,
            started_at,
            ending,
            ended_at,
            ended_as,
            turns,
        } = call;
        Self {
            call_id,
            from,
            started_at,
            ending,
            ended_at,
            ended_as,
            turns,
        }
    }
}

/// Lists a company's calls, newest first.
///
/// `from` and `to` are times (RFC 3339) or dates in the company's zone, `to` is exclusive for a time and inclusive for a
/// date; `caller` is the number as Twilio names it, `outcome` how the call ended, `q` a part of what was said.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/calls", tag = "calls",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query), ("caller" = Option<String>, Query),
        ("outcome" = Option<String>, Query), ("q" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::CallList)))]
pub(crate) async fn list_calls(
    State(app): State<App>,
    scope: CompanyScope,
    query: Query,
) -> Answer<Json<List<CallView>>> {
    query.only(&["from", "to", "caller", "outcome", "q", "limit", "cursor"])?;
    let page = query.page::<CallCursor>(scope.id)?;
    let filter = filter(&query, &filters::zone_of(&scope.company))?;
    let found = app.store.calls(scope.id, &filter, one_more(&page)).await?;
    let keyed = found.into_iter().map(|call| {
        let key = CallCursor {
            started_at: call.started_at,
            call_id: call.call_id.clone(),
        };
        (key, CallView::from(call))
    });
    Ok(List::of(keyed.collect(), page.limit, scope.id))
}

/// Shows a call with its turns, oldest first.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/calls/{callId}", tag = "calls",
    responses((status = 200, body = schema::Call)))]
pub(crate) async fn show_call(
    State(app): State<App>,
    scope: CompanyScope,
    InPath(id): InPath<CallId>,
) -> Answer<Json<CallView>> {
    let call = app.store.call(scope.id, &id).await?;
    let call = call.ok_or_else(|| Problem::not_found(Code::CallNotFound, "call", id))?;
    Ok(Json(call.into()))
}

fn filter(query: &Query, zone: &TimeZone) -> Answer<CallFilter> {
    let outcome = query.read(
        "outcome",
        "one of greeted, answered, fallback, transfer, message, hangup",
        |text| {
            let known = serde_json::from_value::<TurnOutcome>(text.into());
            known.is_ok().then(|| text.to_owned())
        },
    )?;
    let (from, to) = filters::range(query, zone)?;
    Ok(CallFilter {
        from,
        to,
        caller: filters::caller(query)?,
        outcome,
        words: filters::words(query)?,
    })
}
