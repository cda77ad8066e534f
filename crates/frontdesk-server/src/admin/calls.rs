//! The call log.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse as _, Response},
};
use frontdesk_domain::{
    ids::{CallId, CompanyId},
    record::TurnOutcome,
    time::{TimeZone, Timestamp},
};
use frontdesk_store::ports::{CallCursor, CallFilter, Page, StoreError, StoredCall};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::header;
use serde::Serialize;
use serde_json::Value;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::CompanyScope,
    extract::{InPath, Query},
    openapi::schema,
    problem::{Code, Problem, chain},
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

/// So many calls are exported at once.
const EXPORTED_AT_ONCE: usize = 50;

/// Exports a company's calls with their turns as JSON lines, newest first: one call a line, as the list shows it.
///
/// Takes the filters of the list.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/calls/export", tag = "calls",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query), ("caller" = Option<String>, Query),
        ("outcome" = Option<String>, Query), ("q" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub(crate) async fn export_calls(State(app): State<App>, scope: CompanyScope, query: Query) -> Answer<Response> {
    query.only(&["from", "to", "caller", "outcome", "q"])?;
    let export = CallExport {
        filter: filter(&query, &filters::zone_of(&scope.company))?,
        app,
        company: scope.id,
        next: Next::First,
    };
    // The first part is read before the answer begins, so that a store that does not answer is a problem.
    let mut parts = Box::pin(stream::try_unfold(export, |export| async {
        export.next_part().await.inspect_err(|error| {
            tracing::error!(error = chain(error), "an export of calls ended before it was complete");
        })
    }));
    let first = parts.try_next().await?.unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"calls.jsonl\""),
    ];
    let parts = stream::once(async { Ok::<_, StoreError>(first) }).chain(parts);
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// An export of calls that goes on.
struct CallExport {
    app: App,
    company: CompanyId,
    filter: CallFilter,
    next: Next,
}

/// Where an export goes on.
enum Next {
    First,
    After(CallCursor),
    Done,
}

impl CallExport {
    /// The next lines; `None` after the last ones.
    async fn next_part(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let after = match std::mem::replace(&mut self.next, Next::Done) {
            Next::First => None,
            Next::After(call) => Some(call),
            Next::Done => return Ok(None),
        };
        let page = Page {
            after,
            limit: EXPORTED_AT_ONCE,
        };
        let calls = self.app.store.calls(self.company, &self.filter, page).await?;
        if let Some(last) = calls.last().filter(|_| calls.len() == EXPORTED_AT_ONCE) {
            self.next = Next::After(CallCursor {
                started_at: last.started_at,
                call_id: last.call_id.clone(),
            });
        }
        let mut lines = Vec::new();
        for call in calls {
            // A view of what was JSON in the store is JSON again.
            if serde_json::to_writer(&mut lines, &CallView::from(call)).is_ok() {
                lines.push(b'\n');
            }
        }
        Ok(Some((lines.into(), self)))
    }
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
