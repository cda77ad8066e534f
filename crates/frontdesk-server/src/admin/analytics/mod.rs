//! What calls did and what they cost. Every figure is defined in docs/analytics.md.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use frontdesk_domain::{
    analytics::{Miss, Slot},
    decision::Source,
    ids::{CompanyId, TurnId},
    ledger::Account,
    money::PicoUsd,
    time::{Date, TimeZone, Timestamp},
};
use frontdesk_store::ports::RollupScope;
use serde::Serialize;
use serde_json::Value;

use super::{Answer, filters, off_thread};
use crate::{
    auth::{CompanyScope, Operator},
    extract::Query,
    openapi::schema,
    problem::Problem,
    state::App,
};

mod alike;
mod counts;
mod missed;

use alike::Groups;
use counts::Counts;
use missed::Missed;

/// The longest range that is asked for at once, in days.
const DAYS: i64 = 400;

/// The range if none is asked for, in days, today included.
const USUAL_DAYS: i64 = 30;

/// So many turns that nothing matched are read at most, the newest.
const MISSES: usize = 20_000;

/// From when until when, and in whose days.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    from: Timestamp,
    to: Timestamp,
    zone: TimeZone,
}

/// The analytics of a company.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompanyAnalytics {
    company_id: CompanyId,
    from: Timestamp,
    to: Timestamp,
    timezone: Option<String>,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    missed: Missed,
}

/// The analytics of all companies together: counts alone, nobody's words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlatformAnalytics {
    from: Timestamp,
    to: Timestamp,
    timezone: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

/// Shows what a company's calls did and what they cost.
///
/// `from` and `to` are dates in the company's zone, or times that begin a quarter of an hour; at most 400 days; without
/// them the last 30 days. What callers said is shown while their turns are kept.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/analytics", tag = "analytics",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = schema::Analytics)))]
pub(crate) async fn show_analytics(
    State(app): State<App>,
    scope: CompanyScope,
    query: Query,
) -> Answer<Json<CompanyAnalytics>> {
    query.only(&["from", "to"])?;
    let field = |name: &str| scope.company.document.json.get(name);
    let range = range(&query, filters::zone_of(&scope.company), app.clock.now())?;
    let (from, to) = (Slot::of(range.from), Slot::of(range.to));
    let rollups = app.store.rollups(RollupScope::Company(scope.id), from, to).await?;
    let misses = app.store.misses(scope.id, range.from, range.to, MISSES).await?;
    let misses = as_charged(&app, scope.id, misses).await?;
    let language = field("voice").and_then(|voice| voice.get("language"));
    let language = language.and_then(Value::as_str).unwrap_or_default().to_owned();
    let timezone = field("timezone").and_then(Value::as_str).map(str::to_owned);
    let grouped = off_thread(move || {
        let groups = Groups::by_words(&misses, &language);
        (misses, groups)
    });
    let (misses, groups) = grouped.await?;
    let groups = groups.joined(app.flow.meanings()).await;
    let analytics = off_thread(move || CompanyAnalytics {
        company_id: scope.id,
        from: range.from,
        to: range.to,
        timezone,
        counts: Counts::of(&rollups, &range),
        missed: Missed::of(&misses, &groups, misses.len() < MISSES),
    });
    Ok(Json(analytics.await?))
}

/// The turns with what they were charged. Of an answer that came too late its record has the most that it could cost: the
/// bill came after the record, and only the ledger has it. What is held still stays as it was recorded.
async fn as_charged(app: &App, company: CompanyId, mut misses: Vec<Miss>) -> Answer<Vec<Miss>> {
    let is_paid_in_vain = |miss: &&Miss| miss.source == Source::Fallback && miss.cost_usd > PicoUsd::ZERO;
    let turns = misses.iter().filter(is_paid_in_vain).map(|miss| miss.turn_id.clone());
    let turns: Vec<TurnId> = turns.collect();
    if turns.is_empty() {
        return Ok(misses);
    }
    let charged = app.store.charged(Account::Company(company), turns).await?;
    let charged: BTreeMap<TurnId, PicoUsd> = charged.into_iter().collect();
    for miss in &mut misses {
        if let Some(amount) = charged.get(&miss.turn_id) {
            miss.cost_usd = *amount;
        }
    }
    Ok(misses)
}

/// Shows what the calls of all companies together did and what they cost, in days of UTC.
#[utoipa::path(get, path = "/api/v1/analytics", tag = "analytics",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = schema::PlatformAnalytics)))]
pub(crate) async fn show_platform_analytics(
    State(app): State<App>,
    _: Operator,
    query: Query,
) -> Answer<Json<PlatformAnalytics>> {
    query.only(&["from", "to"])?;
    let range = range(&query, TimeZone::UTC, app.clock.now())?;
    let (from, to) = (Slot::of(range.from), Slot::of(range.to));
    let rollups = app.store.rollups(RollupScope::Platform, from, to).await?;
    let analytics = off_thread(move || PlatformAnalytics {
        from: range.from,
        to: range.to,
        timezone: "UTC",
        counts: Counts::of(&rollups, &range),
    });
    Ok(Json(analytics.await?))
}

/// The range that is asked for: whole quarters of an hour, of which the roll-ups are.
fn range(query: &Query, zone: TimeZone, now: Timestamp) -> Answer<Range> {
    let (from, to) = filters::range(query, &zone)?;
    let midnight = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0));
    let today = zone.to_datetime(now).date();
    let to = to.unwrap_or_else(|| midnight(today.tomorrow().unwrap_or(today)).unwrap_or(now));
    let from = from.unwrap_or_else(|| {
        // Noon of the first day, whatever clocks did meanwhile.
        let noon = to.as_second() - (USUAL_DAYS - 1) * 86_400 - 43_200;
        let first = Timestamp::from_second(noon).map(|noon| zone.to_datetime(noon).date());
        first.and_then(midnight).unwrap_or(to)
    });
    for (name, at) in [("from", from), ("to", to)] {
        if Slot::of(at).start() != at {
            let detail = "should be a date, or a time that begins a quarter of an hour, such as 2026-11-01T08:15:00Z";
            return Err(Problem::parameter(name, detail));
        }
    }
    if from >= to {
        return Err(Problem::parameter("to", "should be later than `from`"));
    }
    // An hour more: a day on which clocks are put back has 25.
    if to.as_second() - from.as_second() > DAYS * 86_400 + 3_600 {
        return Err(Problem::parameter(
            "from",
            format!("should be at most {DAYS} days before `to`"),
        ));
    }
    Ok(Range { from, to, zone })
}
