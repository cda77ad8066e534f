//! The call log.

use axum::{Json, extract::State};
use frontdesk_domain::{
    ids::CallId,
    record::TurnOutcome,
    time::{Date, TimeZone, Timestamp, instant, zone},
};
use frontdesk_store::ports::{CallCursor, CallFilter, StoredCall};
use serde::Serialize;
use serde_json::Value;

use super::{Answer, List, one_more};
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
    let zone = scope
        .company
        .document
        .json
        .get("timezone")
        .and_then(Value::as_str)
        .and_then(zone);
    let filter = filter(&query, &zone.unwrap_or(TimeZone::UTC))?;
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

/// A time whose offset begins with a plus that was not percent-encoded, and so arrived as a blank.
fn with_plus(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains('T') => format!("{time}+{offset}"),
        _ => text.to_owned(),
    }
}

fn filter(query: &Query, zone: &TimeZone) -> Answer<CallFilter> {
    const WHEN: &str = "a time such as 2026-11-01T08:00:00Z or a date such as 2026-11-01";
    let midnight = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let time = |text: &str| instant(text).or_else(|| instant(&with_plus(text)));
    // A time whose offset is wrong is no date, although it begins with one.
    let date = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-01".len());
    let from = query.read("from", WHEN, |text| time(text).or_else(|| midnight(date(text)?)))?;
    let to = query.read("to", WHEN, |text| {
        time(text).or_else(|| midnight(date(text)?.tomorrow().ok()?))
    })?;
    // A plus that was not percent-encoded arrives as a blank.
    let caller = query.read(
        "caller",
        "a number such as +15551234567, its plus written %2B",
        |text| {
            let number = text
                .strip_prefix(' ')
                .map_or_else(|| text.to_owned(), |digits| format!("+{digits}"));
            (number.len() <= 100).then_some(number)
        },
    )?;
    let outcome = query.read(
        "outcome",
        "one of greeted, answered, fallback, transfer, message, hangup",
        |text| {
            let known = serde_json::from_value::<TurnOutcome>(text.into());
            known.is_ok().then(|| text.to_owned())
        },
    )?;
    let words = query.read("q", "words of at most 200 characters", |text| {
        (text.chars().count() <= 200).then(|| text.to_owned())
    })?;
    Ok(CallFilter {
        from,
        to,
        caller,
        outcome,
        words,
    })
}
