//! How the parts are, on every instance, and how they were.

use std::sync::Arc;

use axum::{Json, extract::State};
use frontdesk_domain::{
    alert::AlertCode,
    health::HealthState,
    ids::HealthEntryId,
    time::{TimeZone, Timestamp},
};
use frontdesk_store::ports::{HealthEntry, HealthFilter, PartHealth};
use serde::Serialize;
use tokio::time::timeout;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::Operator,
    extract::Query,
    health::{GONE, OTHERS_WAIT},
    openapi::schema,
    state::App,
};

/// A part of an instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartView {
    name: Arc<str>,
    /// `unknown` before the first reading.
    status: &'static str,
    /// Since when; null while it is unknown.
    since: Option<Timestamp>,
    detail: Arc<str>,
    /// The alert that stands for its trouble.
    code: Option<AlertCode>,
    /// What to do; null while nothing is wrong.
    fix: Option<Arc<str>>,
}

impl From<PartHealth> for PartView {
    fn from(part: PartHealth) -> Self {
        let PartHealth {
            name,
            state,
            since,
            detail,
            code,
            fix,
        } = part;
        let is_trouble = state.is_some_and(|state| state != HealthState::Ok);
        Self {
            name,
            status: state.map_or("unknown", HealthState::as_str),
            since,
            detail,
            code,
            fix: (is_trouble && !fix.is_empty()).then_some(fix),
        }
    }
}

/// An instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceView {
    instance: Arc<str>,
    /// When it said so, by its own clock.
    at: Timestamp,
    checks: Vec<PartView>,
}

/// How everything is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthView {
    /// The worst of all checks of all instances: `ok`, `degraded` or `down`.
    status: &'static str,
    /// The instance that answers.
    instance: Arc<str>,
    checks: Vec<PartView>,
    /// The other instances that use the store; null while the store does not tell.
    others: Option<Vec<InstanceView>>,
}

/// Shows how the parts of this instance are, and those of the others on the same store.
#[utoipa::path(get, path = "/api/v1/health", tag = "health", responses((status = 200, body = schema::Health)))]
pub(crate) async fn show_health(State(app): State<App>, _: Operator) -> Answer<Json<HealthView>> {
    let own = app.monitor().parts();
    let now = app.clock.now();
    let since = now.checked_sub(GONE).unwrap_or(now);
    // What this instance knows of itself is shown although the store is away.
    let told = timeout(OTHERS_WAIT, app.store.instances(since)).await;
    let others = told.ok().and_then(Result::ok).map(|all| {
        let others = all
            .into_iter()
            .filter(|other| other.instance != *app.monitor().instance());
        others.collect::<Vec<_>>()
    });
    let parts_of_others = others.iter().flatten().flat_map(|other| &other.parts);
    let states = own.iter().chain(parts_of_others).filter_map(|part| part.state);
    let worst = states.max().unwrap_or(HealthState::Ok);
    Ok(Json(HealthView {
        status: worst.as_str(),
        instance: Arc::clone(app.monitor().instance()),
        checks: own.into_iter().map(PartView::from).collect(),
        others: others.map(|others| {
            let others = others.into_iter().map(|other| InstanceView {
                instance: other.instance,
                at: other.at,
                checks: other.parts.into_iter().map(PartView::from).collect(),
            });
            others.collect()
        }),
    }))
}

/// A point in the history of a check.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryView {
    id: HealthEntryId,
    at: Timestamp,
    instance: Arc<str>,
    check: Arc<str>,
    status: &'static str,
    detail: Arc<str>,
    /// Whether the state changed then; else it is a sample of one that lasts.
    changed: bool,
}

impl From<HealthEntry> for EntryView {
    fn from(entry: HealthEntry) -> Self {
        let HealthEntry {
            id,
            instance,
            check,
            at,
            state,
            detail,
            is_change,
        } = entry;
        Self {
            id,
            at,
            instance,
            check,
            status: state.as_str(),
            detail,
            changed: is_change,
        }
    }
}

/// Lists what checks found in the last 30 days, newest first: changes, and a sample each ten minutes.
#[utoipa::path(get, path = "/api/v1/health/history", tag = "health",
    params(("check" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::HealthHistory)))]
pub(crate) async fn list_health(State(app): State<App>, _: Operator, query: Query) -> Answer<Json<List<EntryView>>> {
    query.only(&["check", "from", "to", "limit", "cursor"])?;
    let page = query.page::<HealthEntryId>("")?;
    let (from, to) = filters::range(&query, &TimeZone::UTC)?;
    let check = query.read("check", "the name of a check", |text| {
        (text.len() <= 100).then(|| Arc::from(text))
    })?;
    let filter = HealthFilter { check, from, to };
    let found = app.store.health_history(&filter, one_more(&page)).await?;
    let found = found.into_iter().map(|entry| (entry.id, EntryView::from(entry)));
    Ok(List::of(found.collect(), page.limit, ""))
}
