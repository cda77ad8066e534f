//! Numbers for Prometheus.
//!
//! Whoever counts uses the `metrics` facade with the names below; queues and caches count themselves and are read when
//! somebody looks.

use std::{sync::Arc, time::Duration};

use frontdesk_callflow::{CallFlow, llm};
use frontdesk_domain::{clock::Clock, decision, health::HealthState};
use frontdesk_store::{
    cache::CachedStore,
    leader::Leadership,
    queue::{AlertQueue, TurnQueue},
    tasks::TaskSet,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::health::Monitor;

mod process;
mod turns;

pub use turns::{CountedLog, CountedNotifier};

/// Recorded turns, by `source`, `tier` (`none` without one) and `outcome`.
pub const TURNS: &str = "frontdesk_turns_total";
/// How long decisions took, in seconds, by `source` and `tier`.
pub const DECISION_SECONDS: &str = "frontdesk_decision_seconds";
/// How long callers waited for a turn's whole webhook, in seconds.
pub const TURN_SECONDS: &str = "frontdesk_turn_seconds";
/// Fallbacks that callers heard, by `kind`.
pub const FALLBACKS: &str = "frontdesk_fallbacks_total";
/// What turns paid the LLM, in pico-USD: whole numbers, as the ledger has them.
pub const LLM_COST: &str = "frontdesk_llm_cost_pico_usd_total";
/// Tokens that turns paid for.
pub const LLM_TOKENS: &str = "frontdesk_llm_tokens_total";
/// Requests to the LLM, by `result`.
pub const LLM_ATTEMPTS: &str = "frontdesk_llm_attempts_total";
/// What is believed of each `check`: 0 ok, 1 degraded, 2 down; none before it was asked.
pub const HEALTH: &str = "frontdesk_health_state";
/// 1 while this process does what one does for all.
pub const LEADER: &str = "frontdesk_leader";
/// 1, with the `version` that runs.
pub const BUILD: &str = "frontdesk_build_info";
/// Companies of which more than 15 % of the turns of the last hour were fallbacks; 0 where another process judges.
pub const FALLBACK_RATE_HIGH: &str = "frontdesk_companies_fallback_rate_high";
/// Companies whose budget is told to be used up; 0 where another process judges.
pub const BUDGETS_USED_UP: &str = "frontdesk_companies_budget_used_up";
/// Companies that were told to have spent four fifths of their budget; 0 where another process judges.
pub const BUDGETS_NEARLY_SPENT: &str = "frontdesk_companies_budget_nearly_spent";
/// Alerts, by `code`.
pub const ALERTS: &str = "frontdesk_alerts_total";
/// Messages to contacts, by `kind` of channel and `result`: `sent` or `failed`. Each attempt counts.
pub const DELIVERIES: &str = "frontdesk_deliveries_total";
/// Alerts that wait to be stored.
pub const ALERTS_WAITING: &str = "frontdesk_alerts_waiting";
/// Webhooks that were refused, because of their signature or because they could not be read.
pub const REFUSALS: &str = "frontdesk_webhooks_refused_total";
/// Requests of the admin API, by `method`, `path` and `status`.
pub const ADMIN_REQUESTS: &str = "frontdesk_admin_requests_total";
/// Turn records that wait to be stored.
pub const TURNS_WAITING: &str = "frontdesk_turn_records_waiting";
/// Turn records on disk.
pub const TURNS_STORED: &str = "frontdesk_turn_records_stored_total";
/// Turn records that were let go because the queue was full.
pub const TURNS_DROPPED: &str = "frontdesk_turn_records_dropped_total";
/// Turn records that the store refuses for good, and that are kept in a file.
pub const TURNS_REJECTED: &str = "frontdesk_turn_records_rejected_total";
/// Turn records that waited for this process in files, because the store did not take them before an earlier one ended.
pub const TURNS_RECOVERED: &str = "frontdesk_turn_records_recovered_total";
/// Alerts raised.
pub const ALERTS_RAISED: &str = "frontdesk_alerts_raised_total";
/// Alerts that were let go because too many waited: the least severe, of these the oldest.
pub const ALERTS_DROPPED: &str = "frontdesk_alerts_dropped_total";

/// States of calls that came back and could not be unsealed: made with another key, cut off or forged.
pub const STATES_UNSEALED: &str = "frontdesk_call_states_unsealed_total";

/// Turns that are being decided now.
pub const TURNS_RUNNING: &str = "frontdesk_turns_running";
/// Turns that were put through without being decided, because too many were being decided.
pub const TURNS_SHED: &str = "frontdesk_turns_shed_total";

/// 1 while the encoder stands behind tier 2, 0 while words alone do.
pub const MATCHER_SEMANTIC: &str = "frontdesk_matcher_semantic";
/// Companies whose answers are still being learnt.
pub const TRAINING: &str = "frontdesk_companies_training";

/// Values that caches served from memory, by `cache`.
pub const CACHE_HITS: &str = "frontdesk_cache_hits_total";
/// Values that had to be loaded first, by `cache`.
pub const CACHE_MISSES: &str = "frontdesk_cache_misses_total";
/// Old values served because the store could not answer, by `cache`.
pub const CACHE_STALE: &str = "frontdesk_cache_stale_total";
/// Values in memory, by `cache`.
pub const CACHE_ENTRIES: &str = "frontdesk_cache_entries";

/// Bounds of [`DECISION_SECONDS`]: rules take microseconds, meaning milliseconds, an LLM seconds.
const DECISION_BOUNDS: [f64; 14] = [
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1.0, 4.0,
];

/// Samples of histograms are folded so often, whether anybody looks or not.
const UPKEEP: Duration = Duration::from_secs(5);

type Publish = Arc<dyn Fn() + Send + Sync>;

/// What `/metrics` shows.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    publish: Vec<Publish>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Collects what this process counts from now on.
    ///
    /// # Errors
    /// Something else collects already.
    pub fn install(tasks: &TaskSet) -> Result<Self, BuildError> {
        let decisions = Matcher::Full(DECISION_SECONDS.to_owned());
        let turns = Matcher::Full(TURN_SECONDS.to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(decisions, &DECISION_BOUNDS)?
            .set_buckets_for_metric(turns, &DECISION_BOUNDS)?;
        let handle = builder.install_recorder()?;
        describe();
        begin_at_zero();
        let (folded, mut stopping) = (handle.clone(), tasks.stopping());
        tasks.spawn("fold histograms", async move {
            while tokio::time::timeout(UPKEEP, stopping.wait()).await.is_err() {
                folded.run_upkeep();
            }
        });
        Ok(Self {
            handle,
            publish: Vec::new(),
        })
    }

    /// Calls `publish` before each look, so that it can set what it counts by itself.
    #[must_use]
    pub fn with(mut self, publish: impl Fn() + Send + Sync + 'static) -> Self {
        self.publish.push(Arc::new(publish));
        self
    }

    /// Shows the queue of turn records.
    #[must_use]
    pub fn with_turns(self, queue: TurnQueue) -> Self {
        self.with(move || {
            let counts = queue.counts();
            metrics::gauge!(TURNS_WAITING).set(f64::from(u32::try_from(queue.waiting()).unwrap_or(u32::MAX)));
            metrics::counter!(TURNS_STORED).absolute(counts.stored);
            metrics::counter!(TURNS_DROPPED).absolute(counts.dropped);
            metrics::counter!(TURNS_REJECTED).absolute(counts.rejected);
            metrics::counter!(TURNS_RECOVERED).absolute(counts.recovered);
        })
    }

    /// Shows the queue of alerts.
    #[must_use]
    pub fn with_alerts(self, queue: AlertQueue) -> Self {
        self.with(move || {
            let counts = queue.counts();
            metrics::counter!(ALERTS_RAISED).absolute(counts.raised);
            metrics::counter!(ALERTS_DROPPED).absolute(counts.dropped);
            let waiting = u32::try_from(counts.waiting).unwrap_or(u32::MAX);
            metrics::gauge!(ALERTS_WAITING).set(f64::from(waiting));
        })
    }

    /// Shows what the call path counts by itself.
    #[must_use]
    pub fn with_flow(self, flow: Arc<CallFlow>) -> Self {
        self.with(move || {
            metrics::counter!(STATES_UNSEALED).absolute(flow.unsealed_states());
            let (running, shed) = flow.turns_at_once();
            metrics::gauge!(TURNS_RUNNING).set(f64::from(u32::try_from(running).unwrap_or(u32::MAX)));
            metrics::counter!(TURNS_SHED).absolute(shed);
            let is_semantic = flow.meanings().matcher() == decision::Matcher::Semantic;
            metrics::gauge!(MATCHER_SEMANTIC).set(if is_semantic { 1.0 } else { 0.0 });
            let training = u32::try_from(flow.meanings().training()).unwrap_or(u32::MAX);
            metrics::gauge!(TRAINING).set(f64::from(training));
            for (result, count) in flow.llm().attempts() {
                metrics::counter!(LLM_ATTEMPTS, "result" => result).absolute(count);
            }
        })
    }

    /// Shows alerts by their codes.
    #[must_use]
    pub fn with_codes(self, notifier: Arc<CountedNotifier>) -> Self {
        self.with(move || {
            for (code, count) in notifier.counts() {
                metrics::counter!(ALERTS, "code" => code.as_str()).absolute(count);
            }
        })
    }

    /// Shows what is believed of the parts of this process.
    #[must_use]
    pub fn with_health(self, monitor: Arc<Monitor>) -> Self {
        self.with(move || {
            for (check, state) in monitor.states() {
                let value = match state {
                    None => continue,
                    Some(HealthState::Ok) => 0.0,
                    Some(HealthState::Degraded) => 1.0,
                    Some(HealthState::Down) => 2.0,
                };
                metrics::gauge!(HEALTH, "check" => check).set(value);
            }
        })
    }

    /// Shows whether this process works for all, and what the system knows of it.
    #[must_use]
    pub fn with_process(self, leadership: Leadership, clock: Arc<dyn Clock>) -> Self {
        metrics::gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        self.with(move || {
            metrics::gauge!(LEADER).set(if leadership.is_held() { 1.0 } else { 0.0 });
            process::publish(clock.now().as_duration().as_secs_f64());
        })
    }

    /// Shows the caches.
    #[must_use]
    pub fn with_caches(self, store: Arc<CachedStore>) -> Self {
        self.with(move || {
            for (cache, counts) in store.counts() {
                metrics::counter!(CACHE_HITS, "cache" => cache).absolute(counts.hits);
                metrics::counter!(CACHE_MISSES, "cache" => cache).absolute(counts.misses);
                metrics::counter!(CACHE_STALE, "cache" => cache).absolute(counts.stale);
                let entries = u32::try_from(counts.entries).unwrap_or(u32::MAX);
                metrics::gauge!(CACHE_ENTRIES, "cache" => cache).set(f64::from(entries));
            }
        })
    }

    /// The text of `/metrics`.
    pub(crate) fn render(&self) -> String {
        for publish in &self.publish {
            publish();
        }
        self.handle.render()
    }
}

/// So that a rate can be told from the first one on.
fn begin_at_zero() {
    metrics::counter!(REFUSALS).absolute(0);
    for gauge in [FALLBACK_RATE_HIGH, BUDGETS_USED_UP, BUDGETS_NEARLY_SPENT] {
        metrics::gauge!(gauge).set(0.0);
    }
    for result in llm::RESULTS {
        metrics::counter!(LLM_ATTEMPTS, "result" => result).absolute(0);
    }
    turns::begin_at_zero();
}

fn describe() {
    metrics::describe_counter!(TURNS, "recorded turns by source, tier and outcome");
    metrics::describe_histogram!(
        TURN_SECONDS,
        metrics::Unit::Seconds,
        "how long callers waited for a turn"
    );
    metrics::describe_counter!(FALLBACKS, "fallbacks that callers heard, by kind");
    metrics::describe_counter!(LLM_COST, "what turns paid the LLM, in pico-USD");
    metrics::describe_counter!(LLM_TOKENS, "tokens that turns paid for");
    metrics::describe_counter!(LLM_ATTEMPTS, "requests to the LLM by result");
    metrics::describe_gauge!(HEALTH, "what is believed of each check: 0 ok, 1 degraded, 2 down");
    metrics::describe_gauge!(LEADER, "1 while this process does what one does for all");
    metrics::describe_gauge!(BUILD, "1, with the version that runs");
    metrics::describe_gauge!(
        FALLBACK_RATE_HIGH,
        "companies with more than 15 % fallbacks in the last hour"
    );
    metrics::describe_gauge!(BUDGETS_USED_UP, "companies whose LLM budget is used up");
    metrics::describe_gauge!(
        BUDGETS_NEARLY_SPENT,
        "companies that have spent four fifths of their LLM budget"
    );
    metrics::describe_counter!(ALERTS, "alerts by code");
    metrics::describe_counter!(DELIVERIES, "attempts to tell contacts, by channel and result");
    metrics::describe_gauge!(ALERTS_WAITING, "alerts that wait to be stored");
    process::describe();
    metrics::describe_histogram!(DECISION_SECONDS, metrics::Unit::Seconds, "how long decisions took");
    metrics::describe_counter!(REFUSALS, "webhooks refused because of their signature or form");
    metrics::describe_counter!(ADMIN_REQUESTS, "requests of the admin API by method, path and status");
    metrics::describe_counter!(CACHE_HITS, "values that a cache served from memory");
    metrics::describe_counter!(CACHE_MISSES, "values that had to be loaded first");
    metrics::describe_counter!(CACHE_STALE, "old values served because the store could not answer");
    metrics::describe_gauge!(CACHE_ENTRIES, "values in memory");
    metrics::describe_gauge!(TURNS_WAITING, "turn records that wait to be stored");
    metrics::describe_counter!(TURNS_STORED, "turn records on disk");
    metrics::describe_counter!(TURNS_DROPPED, "turn records let go because the queue was full");
    metrics::describe_counter!(
        TURNS_REJECTED,
        "turn records that the store refuses for good, kept in a file"
    );
    metrics::describe_counter!(TURNS_RECOVERED, "turn records that waited in files for this process");
    metrics::describe_counter!(STATES_UNSEALED, "states of calls that could not be unsealed");
    metrics::describe_gauge!(TURNS_RUNNING, "turns that are being decided");
    metrics::describe_counter!(
        TURNS_SHED,
        "turns put through undecided because too many were being decided"
    );
    metrics::describe_gauge!(MATCHER_SEMANTIC, "1 while the encoder stands behind tier 2");
    metrics::describe_gauge!(TRAINING, "companies whose answers are still being learnt");
    metrics::describe_counter!(ALERTS_RAISED, "alerts raised");
    metrics::describe_counter!(ALERTS_DROPPED, "alerts let go because too many waited");
}
