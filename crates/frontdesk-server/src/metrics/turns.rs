//! What is counted of turns and alerts on their way into the store, so that counting costs no caller anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    decision::{Decision, FallbackKind, Source, Tier},
    record::{TurnOutcome, TurnRecord},
};
use frontdesk_store::ports::{CallEnd, StoreError, TurnLog};
use tracing::info;

use super::{DECISION_SECONDS, FALLBACKS, LLM_COST, LLM_TOKENS, TURNS};

/// Counts turns on their way into the call log.
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
        turns.iter().for_each(count);
        Ok(())
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        self.0.end_calls(ends).await
    }
}

fn count(turn: &TurnRecord) {
    let Decision {
        source,
        tier,
        latency_micros,
        fallback_type,
        cost_usd,
        ..
    } = &turn.decision;
    let (source, tier) = (source_label(*source), tier_label(*tier));
    metrics::counter!(TURNS, "source" => source, "tier" => tier, "outcome" => outcome_label(turn.outcome)).increment(1);
    let took = Duration::from_micros(*latency_micros).as_secs_f64();
    metrics::histogram!(DECISION_SECONDS, "source" => source, "tier" => tier).record(took);
    if let Some(kind) = fallback_type {
        metrics::counter!(FALLBACKS, "kind" => kind.as_str()).increment(1);
    }
    if let Ok(cost) = u64::try_from(cost_usd.pico())
        && cost > 0
    {
        metrics::counter!(LLM_COST).increment(cost);
    }
    if let Some(tokens) = turn.tokens {
        metrics::counter!(LLM_TOKENS).increment(tokens);
    }
    log(turn, source, tier);
}

/// One line a turn, by its ids: what was said stands in the record, for those who may read it.
fn log(turn: &TurnRecord, source: &'static str, tier: &'static str) {
    let decision = &turn.decision;
    info!(
        company.id = %decision.company_id,
        call.id = %turn.call_id,
        turn.id = %turn.turn_id,
        turn = turn.turn,
        source,
        tier,
        outcome = outcome_label(turn.outcome),
        fallback = decision.fallback_type.map(FallbackKind::as_str),
        decision_micros = decision.latency_micros,
        cost_usd = %decision.cost_usd,
        "turn {} of call `{}` was answered by {source}",
        turn.turn,
        turn.call_id
    );
}

/// So that a rate can be told from the first one on.
pub(super) fn begin_at_zero() {
    for kind in FallbackKind::ALL {
        metrics::counter!(FALLBACKS, "kind" => kind.as_str()).absolute(0);
    }
    metrics::counter!(LLM_COST).absolute(0);
    metrics::counter!(LLM_TOKENS).absolute(0);
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

const fn outcome_label(outcome: TurnOutcome) -> &'static str {
    match outcome {
        TurnOutcome::Greeted => "greeted",
        TurnOutcome::Answered => "answered",
        TurnOutcome::Fallback => "fallback",
        TurnOutcome::Transfer => "transfer",
        TurnOutcome::Message => "message",
        TurnOutcome::Hangup => "hangup",
    }
}

/// Counts alerts by their code and hands them on.
pub struct CountedNotifier {
    inner: Arc<dyn Notifier>,
    counts: Vec<(AlertCode, AtomicU64)>,
}

impl CountedNotifier {
    /// Counts what goes to this notifier.
    #[must_use]
    pub fn new(inner: Arc<dyn Notifier>) -> Self {
        let counts = AlertCode::ALL.iter().map(|code| (*code, AtomicU64::new(0)));
        Self {
            inner,
            counts: counts.collect(),
        }
    }

    /// How many there were of each code.
    pub fn counts(&self) -> impl Iterator<Item = (AlertCode, u64)> {
        let counts = self.counts.iter();
        counts.map(|(code, count)| (*code, count.load(Ordering::Relaxed)))
    }
}

impl Notifier for CountedNotifier {
    fn raise(&self, alert: Alert) {
        if let Some((_, count)) = self.counts.iter().find(|(code, _)| *code == alert.code) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.raise(alert);
    }
}
