//! Turns that no scripted match answered: a fallback was spoken, or the LLM was paid to choose.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{LlmStep, TurnFacts};
use crate::{
    confidence::Confidence,
    decision::{CandidateKind, FallbackKind, SkipReason, Source, Step, StepOutcome, Tier},
    ids::{CallId, QnaId, ScenarioId, TurnId},
    money::PicoUsd,
    time::Timestamp,
};

/// So many letters of what was said are kept beside the record.
const LETTERS: usize = 300;

/// A candidate that was not sure enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The step that had it.
    pub step: Step,
    /// 1 or 2 where a source was asked by rules and by meaning.
    pub tier: Option<Tier>,
    /// The best candidate.
    pub id: Arc<str>,
    /// What it is.
    pub kind: CandidateKind,
    /// How sure the step was of it.
    pub confidence: Confidence,
    /// The threshold that it did not reach.
    pub threshold: Confidence,
}

/// A turn that no scripted match answered, short enough to read thousands of.
///
/// It is kept and deleted together with the turn's record, because it holds the caller's words (redacted).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Miss {
    /// Of which call.
    pub call_id: CallId,
    /// Which webhook.
    pub turn_id: TurnId,
    /// When it came.
    pub at: Timestamp,
    /// What was said, redacted; its first 300 letters.
    pub utterance: Arc<str>,
    /// Its normal form; the first 300 letters.
    pub normalized: Arc<str>,
    /// `llm` or `fallback`.
    pub source: Source,
    /// The kind of fallback.
    pub fallback_type: Option<FallbackKind>,
    /// Which of the company's own variations of it was spoken.
    pub variation: Option<u32>,
    /// The scenario that the LLM chose.
    pub scenario_id: Option<ScenarioId>,
    /// The Q&A that the LLM chose.
    pub qna_id: Option<QnaId>,
    /// Why the LLM was not asked.
    pub llm_skipped: Option<SkipReason>,
    /// Whether the LLM was asked.
    pub llm_asked: bool,
    /// What it cost.
    pub cost_usd: PicoUsd,
    /// The best candidate of each step that was not sure enough.
    pub near: Vec<NearMiss>,
}

impl Miss {
    /// What is kept of this turn; `None` if a scripted match answered it.
    #[must_use]
    pub fn of(turn: &TurnFacts<'_>) -> Option<Self> {
        if !matches!(turn.source, Source::Fallback | Source::Llm) {
            return None;
        }
        let below = turn.trace.iter().filter(|entry| {
            let by_match = matches!(
                entry.step,
                Step::CompanyQna | Step::TradeQna | Step::Tier1 | Step::Tier2
            );
            by_match && entry.outcome == StepOutcome::BelowThreshold
        });
        let near = below.filter_map(|entry| {
            let best = entry.candidates.first()?;
            Some(NearMiss {
                step: entry.step,
                tier: entry.tier,
                id: Arc::clone(&best.id),
                kind: best.kind,
                confidence: entry.confidence?,
                threshold: entry.threshold?,
            })
        });
        let llm = turn.llm();
        Some(Self {
            call_id: turn.call_id.clone(),
            turn_id: turn.turn_id.clone(),
            at: turn.at,
            utterance: cut(&turn.utterance),
            normalized: cut(&turn.normalized),
            source: turn.source,
            fallback_type: turn.fallback_type,
            variation: turn.variation,
            scenario_id: turn.scenario_id.clone(),
            qna_id: turn.qna_id.clone(),
            llm_skipped: match llm {
                Some(LlmStep::Skipped(reason)) => Some(reason),
                _ => None,
            },
            llm_asked: llm.is_some_and(LlmStep::was_asked),
            cost_usd: turn.cost_usd,
            near: near.collect(),
        })
    }
}

fn cut(text: &Arc<str>) -> Arc<str> {
    match text.char_indices().nth(LETTERS).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => beginning.into(),
        None => Arc::clone(text),
    }
}
