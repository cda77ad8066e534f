//! The fallback rate of each company over the last hour (DESIGN 4.9), judged by one process for all.
//!
//! It is read from the roll-ups, so that it is right after a restart and with several instances, and costs nobody who
//! stores a turn anything. What is open already stands in the store as well: whoever judges next goes on from there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode},
    analytics::Slot,
    health::Hysteresis,
    ids::CompanyId,
    time::Timestamp,
};
use frontdesk_server::{
    health::{Check, Concern, Health},
    metrics::FALLBACK_RATE_HIGH,
};
use frontdesk_store::ports::{FallbackCount, StoreError, Unresolved};
use serde_json::json;

use super::{JUDGED, LASTS, Surroundings, show};

/// What is counted, and what has begun of the quarter of an hour before it.
const HOUR: Duration = Duration::from_hours(1);

/// Fewer turns than this say nothing.
const TURNS: u64 = 20;

/// More than so many percent are told.
const HIGH: u64 = 15;

/// Fewer than so many percent are healthy.
const HEALTHY: u64 = 10;

/// What is to be done about a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Too many of its callers hear a fallback.
    Raise(FallbackCount),
    /// They do no longer.
    Resolve(CompanyId),
}

/// What is to be done, given the counts of the last hour and what is open.
fn judge(counts: &[FallbackCount], open: &[Unresolved], now: Timestamp) -> Vec<Verdict> {
    let open: BTreeMap<CompanyId, Timestamp> = open
        .iter()
        .filter_map(|one| Some((one.company?, one.last_at)))
        .collect();
    let is_older = |at: Timestamp, than: Duration| now.duration_since(at).unsigned_abs() >= than && at < now;
    let mut verdicts = Vec::new();
    for count in counts {
        let percent = count.fallbacks * 100;
        match open.get(&count.company) {
            None if percent > HIGH * count.turns => verdicts.push(Verdict::Raise(*count)),
            Some(last) if percent > HIGH * count.turns && is_older(*last, LASTS) => {
                verdicts.push(Verdict::Raise(*count));
            }
            Some(_) if percent < HEALTHY * count.turns => verdicts.push(Verdict::Resolve(count.company)),
            _ => {}
        }
    }
    for (company, last) in open {
        // Too few turns to judge by: over when none of the hour that was told of is left.
        let is_counted = counts.iter().any(|count| count.company == company);
        if !is_counted && is_older(last, HOUR) {
            verdicts.push(Verdict::Resolve(company));
        }
    }
    verdicts
}

/// Whether callers hear answers.
pub(super) struct FallbackRateCheck {
    around: Arc<Surroundings>,
    /// What was raised by this process and may still be on its way to the store.
    raised: Mutex<BTreeMap<CompanyId, Timestamp>>,
}

/// What was raised is in the store after so long, or the store does not answer.
const ON_THE_WAY: Duration = Duration::from_mins(1);

impl FallbackRateCheck {
    pub(super) fn new(around: Arc<Surroundings>) -> Self {
        Self {
            around,
            raised: Mutex::default(),
        }
    }

    /// What is open in the store, and what was raised a moment ago.
    fn known(&self, mut open: Vec<Unresolved>, now: Timestamp) -> Vec<Unresolved> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.retain(|_, at| now.duration_since(*at).unsigned_abs() < ON_THE_WAY);
        let is_stored = |company: CompanyId| open.iter().any(|one| one.company == Some(company));
        let waiting = raised.iter().filter(|(company, _)| !is_stored(**company));
        let waiting = waiting.map(|(company, at)| Unresolved {
            code: AlertCode::FallbackRateHigh,
            company: Some(*company),
            details: json!({}),
            last_at: *at,
        });
        let waiting: Vec<Unresolved> = waiting.collect();
        open.extend(waiting);
        open
    }

    async fn judged(&self) -> Result<Health, StoreError> {
        let around = &self.around;
        let now = around.clock.now();
        let from = Slot::of(now.checked_sub(HOUR).unwrap_or(now));
        let counts = around.store.fallback_counts(from, TURNS).await?;
        let open = around.store.unresolved(&[AlertCode::FallbackRateHigh]).await?;
        let open = self.known(open, now);
        for verdict in judge(&counts, &open, now) {
            match verdict {
                Verdict::Raise(count) => self.raise(count, now).await,
                Verdict::Resolve(company) => {
                    let code = AlertCode::FallbackRateHigh;
                    around.store.resolve_open(code, Some(company), now).await?;
                }
            }
        }
        let high = counts
            .iter()
            .filter(|count| count.fallbacks * 100 > HIGH * count.turns)
            .count();
        let judged = counts.len();
        show(FALLBACK_RATE_HIGH, high);
        Ok(if high == 0 {
            Health::well(format!("none of {judged} companies above {HIGH} %"))
        } else {
            Health::degraded(format!("{high} of {judged} companies above {HIGH} %"))
        })
    }

    async fn raise(&self, count: FallbackCount, now: Timestamp) {
        let FallbackCount {
            company,
            turns,
            fallbacks,
        } = count;
        let name = self.around.name(company).await;
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.insert(company, now);
        drop(raised);
        self.around.notifier.raise(Alert {
            code: AlertCode::FallbackRateHigh,
            company: Some(company),
            message: format!("callers of {name} heard a fallback in {fallbacks} of {turns} turns within an hour"),
            details: json!({ "turns": turns, "fallbacks": fallbacks, "percent": fallbacks * 100 / turns.max(1) }),
        });
    }
}

#[async_trait]
impl Check for FallbackRateCheck {
    fn name(&self) -> &'static str {
        "fallbackRate"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: JUDGED,
            // What is judged has a patience of its own.
            hysteresis: Hysteresis::NONE,
            ..Concern::silent(
                "see what callers of these companies said that nothing answered, and add scenarios or Q&As for it",
            )
        }
    }

    async fn health(&self) -> Health {
        if !self.around.leadership.is_held() {
            show(FALLBACK_RATE_HIGH, 0);
            return Health::well("another instance judges");
        }
        let judged = self.judged().await;
        judged.unwrap_or_else(|_| Health::degraded("cannot be judged: the store does not answer"))
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::ids::ObjectId;

    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn company(number: u32) -> CompanyId {
        ObjectId::from_parts(number, [0; 8]).into()
    }

    fn count(fallbacks: u64, turns: u64) -> FallbackCount {
        FallbackCount {
            company: company(1),
            turns,
            fallbacks,
        }
    }

    /// What is done about a company with these counts whose alert came so long ago, if one did.
    fn check(count: Option<FallbackCount>, raised: Option<Duration>, want: &[Verdict]) {
        let now: Timestamp = NOW.parse().unwrap();
        let open = raised.map(|ago| Unresolved {
            code: AlertCode::FallbackRateHigh,
            company: Some(company(1)),
            details: json!({}),
            last_at: now.checked_sub(ago).unwrap(),
        });
        let (counts, open): (Vec<_>, Vec<_>) = (count.into_iter().collect(), open.into_iter().collect());
        assert_eq!(judge(&counts, &open, now), want, "{counts:?} {open:?}");
    }

    #[test]
    fn more_than_15_percent_are_raised_and_less_than_10_resolve_it() {
        let recent = Some(Duration::from_secs(30));
        check(Some(count(3, 20)), None, &[]);
        check(Some(count(4, 20)), None, &[Verdict::Raise(count(4, 20))]);
        check(Some(count(16, 100)), None, &[Verdict::Raise(count(16, 100))]);
        // In between it stays as it is.
        check(Some(count(12, 100)), None, &[]);
        check(Some(count(12, 100)), recent, &[]);
        check(Some(count(10, 100)), recent, &[]);
        check(Some(count(9, 100)), recent, &[Verdict::Resolve(company(1))]);
        check(Some(count(9, 100)), None, &[]);
    }

    #[test]
    fn what_lasts_is_raised_again_now_and_then() {
        check(Some(count(30, 100)), Some(Duration::from_secs(599)), &[]);
        check(Some(count(30, 100)), Some(LASTS), &[Verdict::Raise(count(30, 100))]);
    }

    #[test]
    fn too_few_turns_leave_it_as_it_is_for_an_hour() {
        check(None, Some(Duration::from_mins(59)), &[]);
        check(None, Some(HOUR), &[Verdict::Resolve(company(1))]);
        check(None, None, &[]);
    }
}
