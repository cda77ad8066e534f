//! What was decided for one utterance, and why.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    confidence::Confidence,
    documents::template::Action,
    ids::{CompanyId, QnaId, SafetyId, ScenarioId},
    money::PicoUsd,
};

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The life-safety rules.
    Safety,
    /// The conversation itself: a greeting, a repetition, silence.
    Conversation,
    /// The company's own Q&A.
    CompanyQna,
    /// The trade's Q&A.
    TradeQna,
    /// A shared template.
    Template,
    /// The LLM, which chose a scripted answer.
    Llm,
    /// Nothing answered.
    Fallback,
}

/// How an answer was found: by rules (1), by meaning (2), by the LLM (3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Tier {
    /// Compiled rules, free.
    Rules,
    /// Local semantic matching, free.
    Semantic,
    /// The LLM, paid.
    Llm,
}

impl From<Tier> for u8 {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Rules => 1,
            Tier::Semantic => 2,
            Tier::Llm => 3,
        }
    }
}

impl TryFrom<u8> for Tier {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::Rules),
            2 => Ok(Self::Semantic),
            3 => Ok(Self::Llm),
            _ => Err("a tier is 1, 2 or 3"),
        }
    }
}

/// A step of the ladder, as the trace names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Life-safety rules.
    Safety,
    /// Answers to what was just asked, silence, repetition.
    Conversation,
    /// The company's own Q&A.
    CompanyQna,
    /// The trade's Q&A.
    TradeQna,
    /// Templates by rules.
    Tier1,
    /// Templates by meaning.
    Tier2,
    /// The LLM.
    Llm,
    /// The fallback.
    Fallback,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It answered.
    Matched,
    /// It has nothing that is sure enough.
    BelowThreshold,
    /// It was not asked.
    Skipped,
    /// It failed, and the next one was asked.
    Error,
}

/// Why a step was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// A dry run spends nothing.
    DryRun,
    /// Switched off for this company.
    Disabled,
    /// The month's budget is used up.
    Budget,
    /// The ledger cannot answer.
    Ledger,
    /// The breaker is open.
    CircuitOpen,
    /// The breaker waits for a probe.
    Suspect,
    /// No time is left.
    Deadline,
    /// This call has asked the LLM often enough.
    CallsPerCall,
    /// The model has no price.
    NoPrice,
    /// No model is there, or none is configured.
    NoModel,
    /// The caller said nothing.
    NoWords,
    /// All places are taken.
    Busy,
}

/// Which matcher stood behind tier 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// The encoder is loaded.
    Semantic,
    /// Words only.
    Lexical,
}

/// The kinds of fallback (DESIGN 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FallbackKind {
    /// A candidate was near its threshold.
    ClarificationNeeded,
    /// Nothing the company has is near.
    NoMatchFound,
    /// Something failed or ran out of time.
    TechnicalIssue,
    /// It is another trade's business.
    OutOfScope,
}

impl FallbackKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [
        Self::ClarificationNeeded,
        Self::NoMatchFound,
        Self::TechnicalIssue,
        Self::OutOfScope,
    ];

    /// Its name in `fallbackResponses` and on a decision.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClarificationNeeded => "clarificationNeeded",
            Self::NoMatchFound => "noMatchFound",
            Self::TechnicalIssue => "technicalIssue",
            Self::OutOfScope => "outOfScope",
        }
    }

    /// Its name in `lastUsedIndex`.
    #[must_use]
    pub const fn rotation_name(self) -> &'static str {
        match self {
            Self::ClarificationNeeded => "clarification",
            Self::NoMatchFound => "noMatch",
            Self::TechnicalIssue => "technical",
            Self::OutOfScope => "outOfScope",
        }
    }
}

/// A way out that a caller is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offer {
    /// A person.
    Transfer,
    /// A recorded message.
    Message,
    /// A call back.
    Callback,
}

/// Whether the caller needs a person, and what can be offered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Escalation {
    /// True after two misses in a row, on request for a person and on a technical issue.
    pub required: bool,
    /// What the company offers, in this order.
    pub offers: Vec<Offer>,
}

/// What kind of thing a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// A scenario of a template.
    Scenario,
    /// A Q&A.
    Qna,
    /// A category of the safety rules.
    Safety,
}

/// One thing that could answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceCandidate {
    /// Its id.
    pub id: Arc<str>,
    /// What it is.
    pub kind: CandidateKind,
    /// How sure the step was of it.
    pub confidence: Confidence,
}

/// What one step of the ladder found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    /// The step.
    pub step: Step,
    /// 1 or 2 where a source was asked by rules and by meaning.
    pub tier: Option<Tier>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Of its best candidate.
    pub confidence: Option<Confidence>,
    /// The threshold in force for that candidate.
    pub threshold: Option<Confidence>,
    /// At most five, best first.
    pub candidates: Vec<TraceCandidate>,
    /// The words of the utterance that matched the best candidate.
    pub matched_words: Vec<Arc<str>>,
    /// The wording of the best candidate that is nearest in meaning; null for rules.
    #[serde(default)]
    pub nearest_trigger: Option<Arc<str>>,
    /// Why it was skipped.
    pub reason: Option<SkipReason>,
    /// How long it took.
    pub micros: u32,
    /// What it cost.
    pub cost_usd: PicoUsd,
}

/// Which revisions of which documents decided.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// `rev` of the company.
    pub company: u64,
    /// `rev` of each template that was asked, by its id: the company's enabled ones that exist.
    pub templates: BTreeMap<Arc<str>, u64>,
    /// Revision of the company's own Q&A as a set, 0 if there never was one.
    pub company_qna: u64,
    /// The newest of the revisions of its trades' Q&A, each as a set; 0 if there never was one.
    pub trade_qna: u64,
    /// `rev` of the overlay, 0 without one.
    pub overlay: u64,
    /// `rev` of the safety rules, 0 for the embedded ones.
    pub safety: u64,
    /// `rev` of the prompts, 0 for the embedded ones.
    pub prompts: u64,
    /// The version of the program that decided.
    pub build: Arc<str>,
}

/// What was decided for one utterance, with its trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// For whom.
    pub company_id: CompanyId,
    /// What the caller said, redacted.
    pub utterance: Arc<str>,
    /// Its normal form.
    pub normalized: Arc<str>,
    /// Where the answer came from.
    pub source: Source,
    /// How it was found.
    pub tier: Option<Tier>,
    /// How sure the answering step was; 0 for a fallback.
    pub confidence: Confidence,
    /// The threshold in force at the step that answered.
    pub threshold: Option<Confidence>,
    /// The scenario that answered.
    pub scenario_id: Option<ScenarioId>,
    /// The Q&A that answered.
    pub qna_id: Option<QnaId>,
    /// The safety category that answered.
    pub safety_id: Option<SafetyId>,
    /// What is spoken.
    pub response: Arc<str>,
    /// What follows it.
    pub action: Action,
    /// An urgent matter: a safety category or a scenario marked `emergency`.
    pub emergency: bool,
    /// Which matcher stood behind tier 2.
    pub matcher: Matcher,
    /// The kind of fallback.
    pub fallback_type: Option<FallbackKind>,
    /// Whether the caller needs a person.
    pub escalation: Escalation,
    /// What it cost.
    pub cost_usd: PicoUsd,
    /// How long the decision took.
    pub latency_micros: u64,
    /// The revisions in force when it was decided, whether or not they had a say.
    pub versions: Arc<Versions>,
    /// One entry a step, in the order asked.
    pub trace: Vec<TraceEntry>,
}
