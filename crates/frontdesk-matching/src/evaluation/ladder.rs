//! The ladder of one business, as its callers meet it: safety, what is equal, rules source by source, then meaning.
//!
//! What depends on a call (repeat, goodbye, what was just asked) is no part of it.

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Matcher, Tier},
    documents::template::{ReplyStrategy, Scenario},
    redaction::redact_field,
    variables::{Variables, Wording},
};
use serde::{Deserialize, Serialize};

use super::{data::Business, label::LabelSource};
use crate::{knowledge::Source, normal::normalize, piece::Target, rules::Candidate, safety::SafetyMatcher};

/// Thresholds of the platform, where scenario, company and template set none: tier 1, tier 2.
pub const PLATFORM_THRESHOLDS: [f64; 2] = [0.70, 0.60];

/// An answer, or what came nearest to one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Where it comes from; never `None`.
    pub source: LabelSource,
    /// The id of the scenario, Q&A or safety category.
    pub id: String,
    /// 1 by rules, 2 by meaning; `None` for the safety rules.
    pub tier: Option<u8>,
    /// How sure the matcher is.
    pub confidence: f64,
    /// The threshold that was in force; `None` for the safety rules.
    pub threshold: Option<f64>,
}

/// What was decided for an utterance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// What answers.
    pub answer: Option<Answer>,
    /// If nothing does, what came nearest: by meaning if that was asked, else by rules.
    pub nearest: Option<Answer>,
}

/// Thresholds in place of those of the company and its templates. A scenario's own still wins, as on a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Of the company's own Q&A.
    #[serde(rename = "companyQnA")]
    pub company_qna: f64,
    /// Of the trades' Q&A.
    #[serde(rename = "tradeQnA")]
    pub trade_qna: f64,
    /// Of templates by rules.
    #[serde(rename = "tier1Threshold")]
    pub tier1: f64,
    /// Of templates by meaning.
    #[serde(rename = "tier2Threshold")]
    pub tier2: f64,
}

/// What an utterance may mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meant {
    /// A danger that the rules have no words for: its category and how sure that is.
    pub danger: Option<(String, f64)>,
    /// Candidates in ladder order, of each source the best first.
    pub candidates: Vec<Candidate>,
}

/// Tier 2 of one business. It is asked only when rules left the utterance open.
pub trait ByMeaning {
    /// What stands behind it.
    fn matcher(&self) -> Matcher;
    /// What an utterance may mean: as it was said after redaction, and in normal form.
    fn ask(&self, utterance: &str, normalized: &str) -> Meant;
}

/// The ladder of one business.
#[derive(Clone, Copy)]
pub struct Ladder<'b> {
    business: &'b Business,
    safety: &'b SafetyMatcher,
    thresholds: Option<Thresholds>,
    meaning: Option<&'b dyn ByMeaning>,
}

impl std::fmt::Debug for Ladder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ladder")
            .field("business", &self.business.company.name)
            .field("thresholds", &self.thresholds)
            .field("by_meaning", &self.meaning.is_some())
            .finish_non_exhaustive()
    }
}

impl<'b> Ladder<'b> {
    /// The ladder by rules alone.
    #[must_use]
    pub const fn new(business: &'b Business, safety: &'b SafetyMatcher) -> Self {
        Self {
            business,
            safety,
            thresholds: None,
            meaning: None,
        }
    }

    /// Puts these thresholds in place of the company's, if there are any.
    #[must_use]
    pub const fn with_thresholds(mut self, thresholds: Option<Thresholds>) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Asks meaning as well, if there is any.
    #[must_use]
    pub const fn with_meaning(mut self, meaning: Option<&'b dyn ByMeaning>) -> Self {
        self.meaning = meaning;
        self
    }

    /// Decides an utterance as a caller said it.
    #[must_use]
    pub fn decide(&self, utterance: &str) -> Decided {
        let words = redact_field(utterance);
        let normalized = normalize(&words);
        if let Some(found) = self.safety.find(&normalized) {
            return danger(found.category.id.as_str(), None, 1.0);
        }
        let knowledge = &self.business.knowledge;
        let mut findings = knowledge.decide(&normalized);
        let speakable = |candidate: &&Candidate| self.threshold_to_speak(candidate, Tier::Rules).is_some();
        if let Some(equal) = findings.equal.iter().find(speakable) {
            return Decided {
                answer: self.answer(equal, Tier::Rules, 1.0),
                nearest: None,
            };
        }
        if !findings.equal.is_empty() {
            findings = knowledge.weigh(&normalized);
        }
        let by_rules = self.walk(Source::ALL.map(|source| findings.of(source)), Tier::Rules);
        let Some(meaning) = self.meaning.filter(|_| by_rules.answer.is_none()) else {
            return by_rules;
        };
        let meant = meaning.ask(&words, &normalized);
        if let Some((category, confidence)) = meant.danger {
            return danger(&category, Some(2), confidence);
        }
        let is_asked =
            |candidate: &&Candidate| candidate.source != Source::Template || self.business.company.gatekeeper.enabled;
        let of = |source: Source| -> Vec<Candidate> {
            let candidates = meant.candidates.iter().filter(is_asked);
            candidates
                .filter(|candidate| candidate.source == source)
                .copied()
                .collect()
        };
        let candidates = Source::ALL.map(of);
        let by_meaning = self.walk(candidates.each_ref().map(Vec::as_slice), Tier::Semantic);
        Decided {
            nearest: by_meaning.nearest.or(by_rules.nearest),
            ..by_meaning
        }
    }

    /// The first source in ladder order with a candidate that clears its threshold and can be spoken.
    fn walk(&self, sources: [&[Candidate]; 3], tier: Tier) -> Decided {
        let mut nearest: Option<(&Candidate, f64)> = None;
        for candidates in sources {
            for candidate in candidates {
                let confidence = candidate.confidence.get();
                let clears = self
                    .threshold_to_speak(candidate, tier)
                    .is_some_and(|threshold| confidence >= threshold);
                if clears {
                    return Decided {
                        answer: self.answer(candidate, tier, confidence),
                        nearest: None,
                    };
                }
            }
            if let Some(best) = candidates.first()
                && nearest.is_none_or(|(_, known)| best.confidence.get() > known)
            {
                nearest = Some((best, best.confidence.get()));
            }
        }
        Decided {
            answer: None,
            nearest: nearest.and_then(|(candidate, confidence)| self.answer(candidate, tier, confidence)),
        }
    }

    fn answer(&self, candidate: &Candidate, tier: Tier, confidence: f64) -> Option<Answer> {
        let target = self.business.knowledge.target(candidate)?;
        Some(Answer {
            source: candidate.source.into(),
            id: target.id().to_owned(),
            tier: Some(tier.into()),
            confidence,
            threshold: Some(self.threshold(target, candidate.source, tier)),
        })
    }

    /// The threshold of a candidate; `None` if nothing of it can be spoken.
    fn threshold_to_speak(&self, candidate: &Candidate, tier: Tier) -> Option<f64> {
        let target = self.business.knowledge.target(candidate)?;
        let variables = &self.business.company.variables;
        let can_be_spoken = match target {
            Target::Qna(qna) => qna.answer.is_complete(variables),
            Target::Scenario { scenario, .. } => has_reply(scenario, variables),
        };
        can_be_spoken.then(|| self.threshold(target, candidate.source, tier))
    }

    /// The threshold in force: the scenario's own, else the company's, the template's, the platform's.
    fn threshold(&self, target: &Target, source: Source, tier: Tier) -> f64 {
        let company = &self.business.company;
        let [tier1, tier2] = PLATFORM_THRESHOLDS;
        match target {
            Target::Qna(_) if source == Source::TradeQna => self
                .thresholds
                .map_or(company.thresholds.trade_qna.get(), |set| set.trade_qna),
            Target::Qna(_) => self
                .thresholds
                .map_or(company.thresholds.company_qna.get(), |set| set.company_qna),
            Target::Scenario { template, scenario } => {
                let of_template = self.business.template_thresholds.get(template).copied();
                let [of_template1, of_template2] = of_template.unwrap_or_default();
                let (platform, set, company, template) = match tier {
                    Tier::Rules => (
                        tier1,
                        self.thresholds.map(|set| set.tier1),
                        company.gatekeeper.tier1_threshold,
                        of_template1,
                    ),
                    Tier::Semantic | Tier::Llm => (
                        tier2,
                        self.thresholds.map(|set| set.tier2),
                        company.gatekeeper.tier2_threshold,
                        of_template2,
                    ),
                };
                if !self.business.company.gatekeeper.enabled {
                    return platform;
                }
                let company = company.or(template).map(Confidence::get);
                let own = scenario.min_confidence.map(Confidence::get);
                own.or(set).or(company).unwrap_or(platform)
            }
        }
    }
}

fn danger(category: &str, tier: Option<u8>, confidence: f64) -> Decided {
    Decided {
        answer: Some(Answer {
            source: LabelSource::Safety,
            id: category.to_owned(),
            tier,
            confidence,
            threshold: None,
        }),
        nearest: None,
    }
}

/// Whether a scenario has a reply that names no variable which is not set.
fn has_reply(scenario: &Scenario, variables: &Variables) -> bool {
    let any = |replies: &[Wording]| replies.iter().any(|reply| reply.is_complete(variables));
    let (quick, full) = (&scenario.quick_replies, &scenario.full_replies);
    match scenario.reply_strategy {
        ReplyStrategy::Full => any(full),
        ReplyStrategy::Quick => any(quick),
        ReplyStrategy::Auto | ReplyStrategy::QuickThenFull => any(full) || any(quick),
    }
}
