//! Notifications: what operators are told, grouped by code and company.

use axum::{Json, extract::State};
use frontdesk_domain::{ids::NotificationId, record::Notification};
use frontdesk_store::ports::{NotificationChange, NotificationChanged, NotificationFilter};

use super::{Answer, List, one_more};
use crate::{
    auth::Operator,
    extract::{InPath, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists the notifications, newest first.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "notifications",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::NotificationList)))]
pub(crate) async fn list_notifications(
    State(app): State<App>,
    _: Operator,
    query: Query,
) -> Answer<Json<List<Notification>>> {
    query.only(&["limit", "cursor"])?;
    let page = query.page::<NotificationId>("")?;
    let found = app
        .store
        .notifications(&NotificationFilter::default(), one_more(&page))
        .await?;
    Ok(List::of(
        found
            .into_iter()
            .map(|notification| (notification.id, notification))
            .collect(),
        page.limit,
        "",
    ))
}

/// Marks a notification as seen.
#[utoipa::path(post, path = "/api/v1/notifications/{notificationId}/acknowledge", tag = "notifications",
    responses((status = 200, body = schema::Notification)))]
pub(crate) async fn acknowledge_notification(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<NotificationId>,
) -> Answer<Json<Notification>> {
    match app
        .store
        .change_notification(id, NotificationChange::Acknowledge)
        .await?
    {
        NotificationChanged::Done(notification) => Ok(Json(*notification)),
        _ => Err(Problem::not_found(Code::NotificationNotFound, "notification", id)),
    }
}
