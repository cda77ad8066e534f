//! Collects what each step found.

use std::{sync::Arc, time::Instant};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{SkipReason, Step, StepOutcome, Tier, TraceCandidate, TraceEntry},
    money::PicoUsd,
};

/// The trace of one turn, written step by step.
pub(crate) struct Trace {
    entries: Vec<TraceEntry>,
    since: Instant,
}

/// What a step found, as the trace shows it.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) tier: Option<Tier>,
    pub(crate) confidence: Option<Confidence>,
    pub(crate) threshold: Option<Confidence>,
    pub(crate) candidates: Vec<TraceCandidate>,
    pub(crate) matched_words: Vec<Arc<str>>,
    pub(crate) nearest_trigger: Option<Arc<str>>,
    pub(crate) cost: PicoUsd,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(8),
            since: Instant::now(),
        }
    }

    /// Notes a step that was asked.
    pub(crate) fn asked(&mut self, step: Step, outcome: StepOutcome, found: Found) {
        let Found {
            tier,
            confidence,
            threshold,
            candidates,
            matched_words,
            nearest_trigger,
            cost,
        } = found;
        let micros = self.lap();
        self.entries.push(TraceEntry {
            step,
            tier,
            outcome,
            confidence,
            threshold,
            candidates,
            matched_words,
            nearest_trigger,
            reason: None,
            micros,
            cost_usd: cost,
        });
    }

    /// Notes a step that was not asked.
    pub(crate) fn skipped(&mut self, step: Step, tier: Option<Tier>, reason: SkipReason) {
        self.asked(
            step,
            StepOutcome::Skipped,
            Found {
                tier,
                ..Found::default()
            },
        );
        if let Some(entry) = self.entries.last_mut() {
            entry.reason = Some(reason);
        }
    }

    /// What all steps cost together.
    pub(crate) fn cost(&self) -> PicoUsd {
        let costs = self.entries.iter().map(|entry| entry.cost_usd);
        costs.fold(PicoUsd::ZERO, |sum, cost| sum + cost)
    }

    pub(crate) fn into_entries(self) -> Vec<TraceEntry> {
        self.entries
    }

    /// Microseconds since the last step.
    fn lap(&mut self) -> u32 {
        let now = Instant::now();
        let micros = now.duration_since(self.since).as_micros();
        self.since = now;
        u32::try_from(micros).unwrap_or(u32::MAX)
    }
}
