//! The outbox: what is to be sent to contacts, was sent, and could not be sent.

use axum::{Json, extract::State};
use frontdesk_domain::{
    ids::DeliveryId,
    notice::{Delivery, DeliveryState},
};
use frontdesk_store::ports::DeliveryFilter;

use super::{Answer, List, one_more};
use crate::{
    auth::Operator,
    extract::{InPath, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists deliveries, newest first; `?state=dead` are those that could not be sent.
#[utoipa::path(get, path = "/api/v1/outbox", tag = "notifications",
    params(("state" = Option<String>, Query), ("contactId" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::DeliveryList)))]
pub(crate) async fn list_outbox(State(app): State<App>, _: Operator, query: Query) -> Answer<Json<List<Delivery>>> {
    query.only(&["state", "contactId", "limit", "cursor"])?;
    let state = |text: &str| DeliveryState::ALL.into_iter().find(|state| state.as_str() == text);
    let filter = DeliveryFilter {
        state: query.read("state", "pending, sent or dead", state)?,
        contact: query.read("contactId", "a contact's id, of 24 hexadecimal digits", |text| {
            text.parse().ok()
        })?,
    };
    let page = query.page::<DeliveryId>("")?;
    let found = app.store.deliveries(filter, one_more(&page)).await?;
    let keyed = found.into_iter().map(|delivery| (delivery.id, delivery));
    Ok(List::of(keyed.collect(), page.limit, ""))
}

/// Sends a delivery again, whatever became of it.
#[utoipa::path(post, path = "/api/v1/outbox/{deliveryId}/resend", tag = "notifications",
    responses((status = 200, body = schema::Delivery)))]
pub(crate) async fn resend_delivery(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<DeliveryId>,
) -> Answer<Json<Delivery>> {
    let resent = app.store.resend(id).await?;
    resent
        .map(Json)
        .ok_or_else(|| Problem::not_found(Code::DeliveryNotFound, "delivery", id))
}
