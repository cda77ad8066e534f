//! Notifications: what operators are told, grouped by code and company.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use frontdesk_domain::{
    alert::{AlertCode, Severity},
    ids::NotificationId,
    record::{Notification, NotificationState},
    runbook,
    time::{TimeZone, Timestamp, instant},
};
use frontdesk_store::ports::{NotificationChange, NotificationChanged, NotificationFilter};
use serde::Serialize;
use serde_json::Value;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::Operator,
    extract::{InPath, JsonBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// A snooze is at most so long.
const LONGEST_SNOOZE_MINUTES: i64 = 30 * 24 * 60;

/// A notification, and what helps.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotificationView {
    #[serde(flatten)]
    notification: Notification,
    fix: &'static str,
    runbook: String,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        Self {
            fix: runbook::fix(notification.code),
            runbook: runbook::path(notification.code),
            notification,
        }
    }
}

/// Lists the notifications, newest first.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "notifications",
    params(("state" = Option<String>, Query), ("code" = Option<String>, Query), ("severity" = Option<String>, Query),
        ("companyId" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::NotificationList)))]
pub(crate) async fn list_notifications(
    State(app): State<App>,
    _: Operator,
    query: Query,
) -> Answer<Json<List<NotificationView>>> {
    query.only(&[
        "state",
        "code",
        "severity",
        "companyId",
        "from",
        "to",
        "limit",
        "cursor",
    ])?;
    let filter = filter(&query)?;
    let page = query.page::<NotificationId>("")?;
    let found = app.store.notifications(&filter, one_more(&page)).await?;
    let found = found.into_iter();
    Ok(List::of(
        found
            .map(|notification| (notification.id, notification.into()))
            .collect(),
        page.limit,
        "",
    ))
}

fn filter(query: &Query) -> Answer<NotificationFilter> {
    let (from, to) = filters::range(query, &TimeZone::UTC)?;
    Ok(NotificationFilter {
        state: query.read("state", "open, acknowledged or resolved", word::<NotificationState>)?,
        code: query.read(
            "code",
            "an alert code such as PRODUCTION_AI_LLM_DOWN",
            word::<AlertCode>,
        )?,
        severity: query.read("severity", "INFO, WARNING or CRITICAL", word::<Severity>)?,
        company: query.read("companyId", "a company's id, of 24 hexadecimal digits", |text| {
            text.parse().ok()
        })?,
        from,
        to,
    })
}

/// A member of a closed set, from its word.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

/// Marks a notification as seen: nobody is told of it any more.
#[utoipa::path(post, path = "/api/v1/notifications/{notificationId}/acknowledge", tag = "notifications",
    responses((status = 200, body = schema::Notification)))]
pub(crate) async fn acknowledge_notification(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<NotificationId>,
) -> Answer<Json<NotificationView>> {
    change(&app, id, NotificationChange::Acknowledge).await
}

/// Silences a notification for a while. If it is raised after that, everybody is told anew.
#[utoipa::path(post, path = "/api/v1/notifications/{notificationId}/snooze", tag = "notifications",
    request_body = schema::Snooze,
    responses((status = 200, body = schema::Notification), (status = 409, body = schema::Problem)))]
pub(crate) async fn snooze_notification(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<NotificationId>,
    JsonBody(body): JsonBody,
) -> Answer<Json<NotificationView>> {
    let until = snoozed_until(&body, app.clock.now())?;
    change(&app, id, NotificationChange::Snooze(until)).await
}

/// Marks a notification as over. Alerts that come later open a new one.
#[utoipa::path(post, path = "/api/v1/notifications/{notificationId}/resolve", tag = "notifications",
    responses((status = 200, body = schema::Notification)))]
pub(crate) async fn resolve_notification(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<NotificationId>,
) -> Answer<Json<NotificationView>> {
    change(&app, id, NotificationChange::Resolve).await
}

/// Opens a notification again: everybody is told anew.
#[utoipa::path(post, path = "/api/v1/notifications/{notificationId}/reopen", tag = "notifications",
    responses((status = 200, body = schema::Notification), (status = 409, body = schema::Problem)))]
pub(crate) async fn reopen_notification(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<NotificationId>,
) -> Answer<Json<NotificationView>> {
    change(&app, id, NotificationChange::Reopen).await
}

/// Shows what to do about an alert code, in Markdown.
#[utoipa::path(get, path = "/api/v1/runbooks/{alertCode}", tag = "notifications",
    responses((status = 200, content_type = "text/markdown")))]
pub(crate) async fn show_runbook(
    State(app): State<App>,
    _: Operator,
    InPath(code): InPath<AlertCode>,
) -> Answer<Response> {
    let text = runbook::filled_in(code, app.notices.support_contact.as_deref());
    let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, markdown)], text).into_response())
}

async fn change(app: &App, id: NotificationId, change: NotificationChange) -> Answer<Json<NotificationView>> {
    match app.store.change_notification(id, change).await? {
        NotificationChanged::Done(notification) => Ok(Json((*notification).into())),
        NotificationChanged::NotFound => Err(Problem::not_found(Code::NotificationNotFound, "notification", id)),
        NotificationChanged::IsResolved => Err(Problem::new(
            Code::NotificationResolved,
            "this notification is resolved, and what is over cannot be snoozed",
        )),
        NotificationChanged::AnotherIsOpen => Err(Problem::new(
            Code::AnotherNotificationOpen,
            "a newer notification of the same code and company is not resolved",
        )),
    }
}

/// `{ "until": time }` or `{ "minutes": number }`.
fn snoozed_until(body: &Value, now: Timestamp) -> Answer<Timestamp> {
    let Some(fields) = body.as_object() else {
        return Err(Problem::invalid("", "should be an object with `until` or `minutes`"));
    };
    if let Some(unknown) = fields.keys().find(|name| !matches!(name.as_str(), "until" | "minutes")) {
        return Err(Problem::invalid(
            format!("/{unknown}"),
            "unknown field; the fields here are until, minutes",
        ));
    }
    let latest = now + in_minutes(LONGEST_SNOOZE_MINUTES);
    match (fields.get("until"), fields.get("minutes")) {
        (Some(until), None) => {
            let until = until.as_str().and_then(instant);
            until.filter(|until| *until > now && *until <= latest).ok_or_else(|| {
                Problem::invalid(
                    "/until",
                    "should be a time in the next 30 days, such as \"2026-11-01T08:00:00Z\"",
                )
            })
        }
        (None, Some(minutes)) => {
            let minutes = minutes.as_i64();
            let minutes = minutes.filter(|minutes| (1..=LONGEST_SNOOZE_MINUTES).contains(minutes));
            minutes.map(|minutes| now + in_minutes(minutes)).ok_or_else(|| {
                let detail = format!("should be a whole number from 1 to {LONGEST_SNOOZE_MINUTES}");
                Problem::invalid("/minutes", detail)
            })
        }
        _ => Err(Problem::invalid("", "should have one of `until` and `minutes`")),
    }
}

fn in_minutes(minutes: i64) -> std::time::Duration {
    std::time::Duration::from_mins(minutes.unsigned_abs())
}
