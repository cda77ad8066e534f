//! What a step answers.

use std::sync::Arc;

use frontdesk_domain::{
    call_state::Question,
    confidence::Confidence,
    decision::{Escalation, FallbackKind, Source, Tier},
    documents::template::Action,
    ids::{QnaId, SafetyId, ScenarioId},
};

use crate::llm::Consulted;

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    Safety(SafetyId),
    /// What the company's status says before it is asked.
    Status,
    Conversation,
    /// A scenario that the caller chose from two.
    ChosenScenario(ScenarioId),
    /// A Q&A that the caller chose from two.
    ChosenQna(QnaId),
    CompanyQna(QnaId),
    TradeQna(QnaId),
    Scenario(ScenarioId),
    Fallback(FallbackKind),
}

impl AnsweredBy {
    pub(crate) const fn source(&self) -> Source {
        match self {
            Self::Safety(_) => Source::Safety,
            Self::Status | Self::Conversation | Self::ChosenScenario(_) | Self::ChosenQna(_) => Source::Conversation,
            Self::CompanyQna(_) => Source::CompanyQna,
            Self::TradeQna(_) => Source::TradeQna,
            Self::Scenario(_) => Source::Template,
            Self::Fallback(_) => Source::Fallback,
        }
    }

    pub(crate) const fn scenario(&self) -> Option<&ScenarioId> {
        match self {
            Self::Scenario(id) | Self::ChosenScenario(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) const fn qna(&self) -> Option<&QnaId> {
        match self {
            Self::CompanyQna(id) | Self::TradeQna(id) | Self::ChosenQna(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) const fn safety(&self) -> Option<&SafetyId> {
        match self {
            Self::Safety(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) const fn fallback(&self) -> Option<FallbackKind> {
        match self {
            Self::Fallback(kind) => Some(*kind),
            _ => None,
        }
    }
}

/// The answer of the step that was sure enough.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) by: AnsweredBy,
    pub(crate) tier: Option<Tier>,
    pub(crate) confidence: Confidence,
    pub(crate) threshold: Option<Confidence>,
    /// What is spoken.
    pub(crate) response: Arc<str>,
    pub(crate) action: Action,
    pub(crate) emergency: bool,
    pub(crate) escalation: Escalation,
    /// The number that the rotation gave.
    pub(crate) rotation: Option<u64>,
    /// The variation of the fallback that was chosen.
    pub(crate) variation: Option<usize>,
    /// Which catalogue of other trades' templates was asked.
    pub(crate) catalogue: Option<u64>,
    /// What is said after the response, before listening.
    pub(crate) follow: Option<Arc<str>>,
    /// What the caller is asked.
    pub(crate) asks: Question,
    /// How it is spoken and waited for.
    pub(crate) pace: Pace,
    /// Said beside the matter: who wants the last words again means those before it.
    pub(crate) is_aside: bool,
    /// What became of asking the LLM, if it was asked.
    pub(crate) consulted: Option<Box<Consulted>>,
}

/// How an answer is spoken and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pace {
    #[default]
    Usual,
    /// With pauses between sentences.
    Slow,
    /// The caller needs a moment: they are waited for longer.
    Patient,
}

impl Answer {
    /// An answer that no matcher had to be sure of.
    pub(crate) fn certain(by: AnsweredBy, response: Arc<str>, action: Action) -> Self {
        Self {
            by,
            tier: None,
            confidence: Confidence::CERTAIN,
            threshold: None,
            response,
            action,
            emergency: false,
            escalation: Escalation::default(),
            rotation: None,
            variation: None,
            catalogue: None,
            follow: None,
            asks: Question::None,
            pace: Pace::Usual,
            is_aside: false,
            consulted: None,
        }
    }

    /// Followed by a question.
    pub(crate) fn asking(mut self, asks: Question, follow: Option<Arc<str>>) -> Self {
        self.asks = asks;
        self.follow = follow;
        self
    }
}
