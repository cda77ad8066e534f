//! The month's budget of a company, and its ledger.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use frontdesk_domain::{
    ids::LedgerEntryId,
    ledger::{Account, EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
    time::{Date, MonthKey, TimeZone, Timestamp},
};
use frontdesk_store::ports::{LedgerFilter, StoredCompany};
use http::header;
use serde::Serialize;
use serde_json::Value;

use super::{Answer, List, filters, one_more};
use crate::{
    auth::CompanyScope,
    extract::{Cursor as _, Query},
    openapi::schema,
    problem::Problem,
    state::App,
};

/// What a company may spend this month, and what it has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Budget {
    /// The month, in the company's zone.
    month: MonthKey,
    /// What it may spend; 0 if it set none.
    limit: PicoUsd,
    /// What is charged.
    spent: PicoUsd,
    /// What is held for requests under way.
    held: PicoUsd,
    /// What is left; below 0 where the limit was lowered.
    available: PicoUsd,
    /// The day on which it runs out if the month goes on as it began; null if it lasts, or nothing is spent yet.
    forecast: Option<Date>,
}

/// Shows what a company may spend on the LLM this month, and what it has.
///
/// `forecast` is the day on which the budget runs out if the month goes on as it began; null if it lasts.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/budget", tag = "budget",
    responses((status = 200, body = schema::Budget)))]
pub(crate) async fn show_budget(State(app): State<App>, scope: CompanyScope, query: Query) -> Answer<Json<Budget>> {
    query.only(&[])?;
    let zone = filters::zone_of(&scope.company);
    let now = app.clock.now();
    let month = MonthKey::of(now, &zone);
    let spend = app.store.spend(Account::Company(scope.id), month).await?;
    let limit = limit_of(&scope.company);
    Ok(Json(Budget {
        month,
        limit,
        spent: spend.spent,
        held: spend.held,
        available: spend.available(limit),
        forecast: forecast(spend, limit, now, &zone),
    }))
}

fn limit_of(company: &StoredCompany) -> PicoUsd {
    let set = company
        .document
        .json
        .get("aiAgentLogic")
        .and_then(|logic| logic.pointer("/templateGatekeeper/monthlyBudget"));
    set.and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// The day on which a budget runs out, if what is left is spent as fast as what was.
fn forecast(spend: Spend, limit: PicoUsd, now: Timestamp, zone: &TimeZone) -> Option<Date> {
    let today = zone.to_datetime(now).date();
    let left = spend.available(limit);
    if spend.spent <= PicoUsd::ZERO {
        return None;
    }
    if left <= PicoUsd::ZERO {
        return Some(today);
    }
    let month_began = zone.to_timestamp(today.first_of_month().at(0, 0, 0, 0)).ok()?;
    let elapsed = i128::from((now.as_second() - month_began.as_second()).max(1));
    let lasts = elapsed * i128::from(left.pico()) / i128::from(spend.spent.pico());
    let end = now.as_second().checked_add(i64::try_from(lasts).ok()?)?;
    let day = zone.to_datetime(Timestamp::from_second(end).ok()?).date();
    (day <= today.last_of_month()).then_some(day)
}

/// Lists the entries of a company's ledger, newest first.
///
/// `month` is such as 2026-11; `kind` is settled, held, void, orphan, overrun or imported; `format=csv` gives a table with
/// amounts in USD, and the cursor of the next page in the header `X-Next-Cursor`.
#[utoipa::path(get, path = "/api/v1/companies/{companyId}/ledger", tag = "budget",
    params(("month" = Option<String>, Query), ("kind" = Option<String>, Query), ("format" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, content((schema::LedgerEntryList = "application/json"), (String = "text/csv")))))]
pub(crate) async fn list_ledger(State(app): State<App>, scope: CompanyScope, query: Query) -> Answer<Response> {
    query.only(&["month", "kind", "format", "limit", "cursor"])?;
    let page = query.page::<LedgerEntryId>(scope.id)?;
    let filter = LedgerFilter {
        month: query.read("month", "a month such as 2026-11", |text| text.parse().ok())?,
        kind: query.read("kind", "settled, held, void, orphan, overrun or imported", kind)?,
    };
    let is_csv = query.read("format", "json or csv", |text| match text {
        "json" => Some(false),
        "csv" => Some(true),
        _ => None,
    })?;
    let mut entries = app
        .store
        .entries(Account::Company(scope.id), filter, one_more(&page))
        .await?;
    if is_csv != Some(true) {
        let keyed = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        return Ok(List::of(keyed, page.limit, scope.id).into_response());
    }
    let has_more = entries.len() > page.limit;
    entries.truncate(page.limit);
    let next = entries.last().filter(|_| has_more).map(|entry| entry.id.seal(scope.id));
    let table = csv(&entries).map_err(|_| Problem::parameter("format", "cannot be written as a table"))?;
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], table).into_response();
    if let Some(next) = next.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert("x-next-cursor", next);
    }
    Ok(response)
}

fn kind(text: &str) -> Option<EntryKind> {
    EntryKind::ALL.into_iter().find(|kind| kind.as_str() == text)
}

/// A table; no field of an entry can hold a comma, a quote or a line break but ids from outside, which are quoted.
fn csv(entries: &[LedgerEntry]) -> Result<String, std::fmt::Error> {
    let mut table = String::from(
        "id,month,at,closedAt,kind,callId,turnId,attempt,model,promptTokens,cachedTokens,cacheWriteTokens,completionTokens,priceRow,holdUsd,amountUsd\r\n",
    );
    for entry in entries {
        let fields = [
            entry.id.to_string(),
            entry.month.to_string(),
            entry.at.to_string(),
            shown(entry.closed_at.as_ref()),
            entry.kind.as_str().to_owned(),
            shown(entry.call_id.as_ref()),
            shown(entry.turn_id.as_ref()),
            shown(entry.attempt.as_ref()),
            shown(entry.model.as_ref()),
            shown(entry.prompt_tokens.as_ref()),
            shown(entry.cached_tokens.as_ref()),
            shown(entry.cache_write_tokens.as_ref()),
            shown(entry.completion_tokens.as_ref()),
            shown(entry.price_row.as_ref().map(|row| &row.id)),
            shown(entry.hold.as_ref()),
            entry.amount.to_string(),
        ];
        let quoted: Vec<_> = fields.iter().map(|field| quote(field)).collect();
        write!(table, "{}\r\n", quoted.join(","))?;
    }
    Ok(table)
}

fn shown(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// A field of a table. One that a spreadsheet would take for a formula is made a text.
fn quote(field: &str) -> String {
    let is_formula =
        field.starts_with(['=', '+', '@', '\t']) || (field.starts_with('-') && field.parse::<f64>().is_err());
    let field = if is_formula {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(spent: i64, limit: i64, now: &str, want: Option<&str>) {
        let spend = Spend {
            spent: PicoUsd::from_pico(spent),
            held: PicoUsd::ZERO,
        };
        let day = forecast(spend, PicoUsd::from_pico(limit), at(now), &TimeZone::UTC);
        assert_eq!(day.map(|day| day.to_string()).as_deref(), want);
    }

    #[test]
    fn a_budget_runs_out_when_it_is_spent_as_fast_as_it_was() {
        check(100, 200, "2026-11-11T00:00:00Z", Some("2026-11-21"));
        check(100, 300, "2026-11-11T00:00:00Z", None);
        check(0, 200, "2026-11-11T00:00:00Z", None);
        check(200, 200, "2026-11-11T00:00:00Z", Some("2026-11-11"));
        check(1, i64::MAX, "2026-11-01T00:00:00Z", None);
    }

    #[test]
    fn no_field_is_a_formula() {
        assert_eq!(quote("CA1"), "CA1");
        assert_eq!(quote("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(quote("-0.5"), "-0.5");
        assert_eq!(quote("-1+1"), "'-1+1");
        assert_eq!(quote("a,b"), "\"a,b\"");
    }
}
