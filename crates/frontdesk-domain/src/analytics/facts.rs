//! What is read of a turn to count it: from the record that is being stored, or from the stored one.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;

use super::LlmStep;
use crate::{
    decision::{FallbackKind, Source, Step, Tier, TraceEntry},
    ids::{CallId, CompanyId, QnaId, ScenarioId, TurnId},
    money::PicoUsd,
    record::{TurnOutcome, TurnRecord},
    time::Timestamp,
};

/// The steps that a turn's decision went through.
pub type TurnTrace<'r> = Cow<'r, [TraceEntry]>;

/// The part of a turn's record that is counted. Reads from the record's stored JSON as well.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnFacts<'r> {
    /// Whose turn.
    pub company_id: CompanyId,
    /// Of which call.
    pub call_id: CallId,
    /// Which webhook.
    pub turn_id: TurnId,
    /// Which of the call, from 1.
    pub turn: u32,
    /// When it came.
    pub at: Timestamp,
    /// What was said, redacted.
    pub utterance: Arc<str>,
    /// Its normal form.
    pub normalized: Arc<str>,
    /// What answered.
    pub source: Source,
    /// How it was found.
    pub tier: Option<Tier>,
    /// The scenario that answered.
    pub scenario_id: Option<ScenarioId>,
    /// The Q&A that answered.
    pub qna_id: Option<QnaId>,
    /// The kind of fallback.
    pub fallback_type: Option<FallbackKind>,
    /// Which of the company's own variations of it was spoken.
    #[serde(default)]
    pub variation: Option<u32>,
    /// Whether the caller needs a person.
    pub escalation: Escalated,
    /// Whether it was urgent.
    #[serde(default)]
    pub emergency: bool,
    /// What it cost.
    pub cost_usd: PicoUsd,
    /// How long the decision took.
    pub latency_micros: u64,
    /// Tokens paid for.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// How it ended.
    pub outcome: TurnOutcome,
    /// The steps.
    pub trace: TurnTrace<'r>,
}

/// The part of an escalation that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Escalated {
    /// Whether the caller needs a person.
    pub required: bool,
}

impl TurnFacts<'_> {
    /// What the LLM's step came to; `None` if the turn never came to it.
    #[must_use]
    pub fn llm(&self) -> Option<LlmStep> {
        let mut asked = self.trace.iter().filter(|entry| entry.step == Step::Llm);
        asked.find_map(|entry| LlmStep::of(entry.outcome, entry.reason))
    }
}

impl<'r> From<&'r TurnRecord> for TurnFacts<'r> {
    fn from(record: &'r TurnRecord) -> Self {
        let decision = &record.decision;
        Self {
            company_id: decision.company_id,
            call_id: record.call_id.clone(),
            turn_id: record.turn_id.clone(),
            turn: record.turn,
            at: record.at,
            utterance: Arc::clone(&decision.utterance),
            normalized: Arc::clone(&decision.normalized),
            source: decision.source,
            tier: decision.tier,
            scenario_id: decision.scenario_id.clone(),
            qna_id: decision.qna_id.clone(),
            fallback_type: decision.fallback_type,
            variation: record.variation,
            escalation: Escalated {
                required: decision.escalation.required,
            },
            emergency: decision.emergency,
            cost_usd: decision.cost_usd,
            latency_micros: decision.latency_micros,
            tokens: record.tokens,
            outcome: record.outcome,
            trace: Cow::Borrowed(&decision.trace),
        }
    }
}
