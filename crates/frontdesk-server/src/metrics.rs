//! Numbers for Prometheus.
//!
//! Whoever counts uses the `metrics` facade with the names below; queues and caches count themselves and are read when
//! somebody looks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_callflow::CallFlow;
use frontdesk_domain::{
    decision::{self, Decision, Source, Tier},
    record::TurnRecord,
};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CallEnd, StoreError, TurnLog},
    queue::{AlertQueue, TurnQueue},
    tasks::TaskSet,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Recorded turns, by `source` and `tier` (`none` without one).
pub const TURNS: &str = "frontdesk_turns_total";
/// How long decisions took, in seconds.
pub const DECISION_SECONDS: &str = "frontdesk_decision_seconds";
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
/// Alerts raised.
pub const ALERTS_RAISED: &str = "frontdesk_alerts_raised_total";
/// Alerts that were let go because too many waited.
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
        let builder = PrometheusBuilder::new().set_buckets_for_metric(decisions, &DECISION_BOUNDS)?;
        let handle = builder.install_recorder()?;
        describe();
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
        })
    }

    /// Shows the queue of alerts.
    #[must_use]
    pub fn with_alerts(self, queue: AlertQueue) -> Self {
        self.with(move || {
            let counts = queue.counts();
            metrics::counter!(ALERTS_RAISED).absolute(counts.raised);
            metrics::counter!(ALERTS_DROPPED).absolute(counts.dropped);
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

/// Counts turns on their way into the call log, so that counting costs no caller anything.
pub struct CountedLog(Arc<dyn TurnLog>);

impl CountedLog {
    /// Counts what this log stores.
    #[must_use]
    pub fn new(log: Arc<dyn TurnLog>) -> Self {
        Self(log)
    }
}

#[async_trait]
impl TurnLog for CountedLog {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        self.0.append_turns(Arc::clone(&turns)).await?;
        for turn in turns.iter() {
            let Decision {
                source,
                tier,
                latency_micros,
                ..
            } = &turn.decision;
            metrics::counter!(TURNS, "source" => source_label(*source), "tier" => tier_label(*tier)).increment(1);
            metrics::histogram!(DECISION_SECONDS).record(Duration::from_micros(*latency_micros).as_secs_f64());
        }
        Ok(())
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        self.0.end_calls(ends).await
    }
}

const fn source_label(source: Source) -> &'static str {
    match source {
        Source::Safety => "safety",
        Source::Conversation => "conversation",
        Source::CompanyQna => "company_qna",
        Source::TradeQna => "trade_qna",
        Source::Template => "template",
        Source::Llm => "llm",
        Source::Fallback => "fallback",
    }
}

const fn tier_label(tier: Option<Tier>) -> &'static str {
    match tier {
        None => "none",
        Some(Tier::Rules) => "1",
        Some(Tier::Semantic) => "2",
        Some(Tier::Llm) => "3",
    }
}

fn describe() {
    metrics::describe_counter!(TURNS, "recorded turns by source and tier");
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
