//! What the report and the doctor read from a running server.

use anyhow::Result;
use frontdesk_domain::{
    money::PicoUsd,
    time::{Date, MonthKey, TimeZone, Timestamp, zone},
};
use serde_json::Value;

use super::super::companies;
use crate::admin::{Admin, AdminError, text};

/// What is known of one company.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct Company {
    pub(in crate::commands) name: String,
    /// Its document.
    pub(in crate::commands) document: Value,
    /// Its month.
    pub(in crate::commands) budget: Value,
    /// Its analytics of the whole period.
    pub(in crate::commands) analytics: Value,
    /// Its analytics of the last 7 days.
    pub(in crate::commands) week: Value,
}

/// What is known of all.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct Evidence {
    pub(in crate::commands) now: Timestamp,
    /// Days in the period.
    pub(in crate::commands) days: i64,
    pub(in crate::commands) companies: Vec<Company>,
    /// How the LLM is; `None` if none is configured.
    pub(in crate::commands) llm: Option<Value>,
    pub(in crate::commands) notifications: Vec<Value>,
    /// Reads of caches that were answered from memory, and all; of the process that answered.
    pub(in crate::commands) cache: Option<(u64, u64)>,
}

impl Evidence {
    /// Reads it all.
    pub(in crate::commands) async fn gather(admin: &Admin, wanted: &[companies::Company], days: i64) -> Result<Self> {
        let now = frontdesk_domain::clock::Clock::now(&frontdesk_store::system::SystemClock);
        let mut all = Vec::new();
        for company in wanted {
            let path = format!("/api/v1/companies/{}", company.id);
            let document = admin.get(&path).await?;
            let zone = zone(text(&document, "timezone")).unwrap_or(TimeZone::UTC);
            let since = |days: i64| {
                let noon = now.as_second() - (days - 1) * 86_400;
                Timestamp::from_second(noon).map_or(Date::MIN, |at| zone.to_datetime(at).date())
            };
            all.push(Company {
                name: company.name.clone(),
                budget: admin.get(&format!("{path}/budget")).await?,
                analytics: admin.get(&format!("{path}/analytics?from={}", since(days))).await?,
                week: admin.get(&format!("{path}/analytics?from={}", since(7))).await?,
                document,
            });
        }
        let llm = match admin.get("/api/v1/llm/health").await {
            Ok(health) => Some(health),
            Err(AdminError::Problem { status: 404, .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            now,
            days,
            companies: all,
            llm,
            notifications: admin.list("/api/v1/notifications").await?,
            // It may have a listener of its own.
            cache: admin.text("/metrics").await.ok().as_deref().and_then(cache),
        })
    }
}

impl Company {
    /// What the document is called on the command line.
    pub(in crate::commands) fn id(&self) -> &str {
        text(&self.document, "_id")
    }

    /// Whether the month that counts began when the document says.
    pub(in crate::commands) fn month_is_announced(&self) -> Option<bool> {
        let reset = self
            .document
            .pointer("/aiAgentLogic/templateGatekeeper/lastResetDate")?;
        let reset: Timestamp = reset.as_str()?.parse().ok()?;
        let zone = zone(text(&self.document, "timezone")).unwrap_or(TimeZone::UTC);
        Some(MonthKey::of(reset, &zone).to_string() == text(&self.budget, "month"))
    }
}

/// A whole number of a document; 0 if it is none.
pub(in crate::commands) fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// An amount of a document; 0 if it is none.
pub(in crate::commands) fn usd(value: &Value, pointer: &str) -> PicoUsd {
    let amount = value.pointer(pointer).and_then(Value::as_str);
    amount.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A list of a document.
pub(in crate::commands) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A part of a whole in percent, such as `12.3 %`.
pub(in crate::commands) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "none".to_owned();
    }
    let tenths = (part.saturating_mul(2_000) / whole).div_ceil(2);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Hits and reads of all caches in the text of `/metrics`; `None` if there were none.
fn cache(metrics: &str) -> Option<(u64, u64)> {
    let sum = |name: &str| {
        let values = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_whole = rest.starts_with(['{', ' ']);
            let value = rest.rsplit(' ').next().filter(|_| is_whole)?;
            value.split('.').next()?.parse::<u64>().ok()
        });
        values.sum::<u64>()
    };
    let hits = sum(frontdesk_server::metrics::CACHE_HITS);
    let all = hits + sum(frontdesk_server::metrics::CACHE_MISSES);
    (all > 0).then_some((hits, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_hits_are_those_of_all_caches() {
        let metrics = "# HELP frontdesk_cache_hits_total Values\n\
            frontdesk_cache_hits_total{cache=\"settings\"} 90\nfrontdesk_cache_hits_total{cache=\"platform\"} 5\n\
            frontdesk_cache_misses_total{cache=\"settings\"} 5\nfrontdesk_cache_hits_total_other 7\n";
        assert_eq!(cache(metrics), Some((95, 100)));
        assert_eq!(cache("frontdesk_turns_total 1\n"), None);
    }

    #[test]
    fn percents_are_rounded_to_a_tenth() {
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(0, 5), "0.0 %");
        assert_eq!(percent(1, 0), "none");
    }
}
