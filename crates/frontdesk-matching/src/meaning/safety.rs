//! Dangers told in words that no rule has: asked only when the safety rules found nothing.
//!
//! Example sentences (`data/safety.examples.en-US.json`), dangers and harmless ones, are the [`lessons`]; a danger that
//! has none is taught by its phrases. From their embeddings a multinomial logistic regression learns each danger against
//! what is harmless, once for a platform. The summed probability of all dangers is mapped to a confidence by coefficients that
//! were fitted out of fold (`data/safety.meaning.json`), and a danger is told at the threshold that was chosen there.
//!
//! Exclusions and negation bind as they do for rules ([`SafetyMatcher::withheld`]): the probability of a danger that the
//! utterance excludes or denies is taken out of the sum before the threshold is asked.

use std::{collections::BTreeMap, sync::LazyLock};

use frontdesk_domain::documents::safety::{SafetyCategory, SafetyRules};
use serde::{Deserialize, Serialize};

use super::{
    dense::dot,
    embedding::Embedding,
    solver::{Examples, Postings, Problem, width},
};
use crate::{
    normal::normalize,
    safety::{SafetyMatcher, by_priority},
};

/// Probabilities nearer than this to 0 or 1 are as good as that.
const SURE: f64 = 1e-9;

/// A text that dangers are learnt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// In normal form.
    pub text: String,
    /// Which danger it tells of, by its position in [`SafetyMatcher::categories`]; `None` for a harmless one.
    pub danger: Option<usize>,
}

/// Example sentences in one language.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SafetyExamples {
    /// Where they are from.
    pub provenance: String,
    /// Such as `en`.
    pub language: String,
    /// By the id of the category. One that the rules in force lack is not learnt.
    pub dangers: BTreeMap<String, Vec<String>>,
    /// What callers say who are in no danger, near misses foremost.
    pub harmless: Vec<String>,
}

/// What turns a logit into a confidence, and from which confidence on a danger is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SafetyCoefficients {
    /// What they were fitted on, and how.
    pub provenance: String,
    /// The sha256 of the encoder's weights, in hex. They mean nothing for another encoder.
    pub model_sha256: String,
    /// How much the lessons count against small weights.
    pub care: f32,
    /// Factor of the log-odds.
    pub scale: f64,
    /// Added to the scaled log-odds.
    pub shift: f64,
    /// From 0 to 1.
    pub threshold: f64,
}

/// The examples that the build carries.
pub static EXAMPLES: LazyLock<SafetyExamples> = LazyLock::new(|| {
    // The file is embedded; a test holds that it parses.
    serde_json::from_str(include_str!("../../data/safety.examples.en-US.json")).unwrap_or_default()
});

/// The coefficients that the build carries. Were they broken, no danger would be told by meaning; a test holds that they
/// are not.
pub static COEFFICIENTS: LazyLock<SafetyCoefficients> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/safety.meaning.json")).unwrap_or(SafetyCoefficients {
        threshold: f64::INFINITY,
        ..SafetyCoefficients::default()
    })
});

/// What these rules and examples teach. Empty where the examples are of another language than the rules, because
/// without harmless ones there is nothing to tell dangers from.
///
/// Embed the texts in this order and give both to [`SafetyByMeaning::learn`].
#[must_use]
pub fn lessons(rules: &SafetyRules, examples: &SafetyExamples) -> Vec<Lesson> {
    let same_language = |language: &str| examples.language.get(..2).is_some_and(|own| language.starts_with(own));
    if !same_language(&rules.language) {
        return Vec::new();
    }
    let mut lessons = Vec::new();
    for (index, category) in by_priority(rules).iter().enumerate() {
        // A phrase is a piece of what callers say; whole sentences teach better, and phrases beside them do harm.
        let sentences = examples.dangers.get(category.id.as_str()).unwrap_or(&category.phrases);
        lessons.extend(sentences.iter().map(|text| Lesson {
            text: normalize(text),
            danger: Some(index),
        }));
    }
    if !lessons.is_empty() {
        lessons.extend(examples.harmless.iter().map(|text| Lesson {
            text: normalize(text),
            danger: None,
        }));
    }
    lessons
}

/// Dangers as an encoder sees them, learnt from [`lessons`]. Costs one row of weights a danger, and the embeddings of
/// the dangers, from which the nearest is named.
#[derive(Debug, Clone)]
pub struct SafetyByMeaning {
    /// A row for each danger, then one for what is harmless.
    rows: Vec<Box<[f32]>>,
    /// The lessons that are dangers.
    dangers: Vec<(Lesson, Embedding)>,
    coefficients: SafetyCoefficients,
}

/// A danger that an utterance means.
#[derive(Debug, Clone, PartialEq)]
pub struct MeantDanger<'m> {
    /// The danger.
    pub category: &'m SafetyCategory,
    /// From the threshold to 1: how likely it is that the caller tells of some danger.
    pub confidence: f64,
    /// The lesson of this danger that is nearest.
    pub nearest: &'m str,
}

impl SafetyByMeaning {
    /// Learns; takes about a second. `None` if `stop` said so, if the numbers of lessons and embeddings or the lengths of
    /// embeddings differ, or if there is no danger or nothing harmless among the lessons.
    ///
    /// `embeddings` are those of the lessons' texts, in their order, by the encoder that `coefficients` name.
    #[must_use]
    pub fn learn(
        lessons: &[Lesson],
        embeddings: &[Embedding],
        coefficients: &SafetyCoefficients,
        stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let inner = embeddings.first()?.as_slice().len();
        let alike = embeddings.iter().all(|embedding| embedding.as_slice().len() == inner);
        let dangers = lessons.iter().filter_map(|lesson| lesson.danger).max()? + 1;
        let harmless = lessons.iter().any(|lesson| lesson.danger.is_none());
        if lessons.len() != embeddings.len() || !alike || !harmless {
            return None;
        }
        let mut examples = Examples {
            inner: inner + 1,
            starts: vec![0; lessons.len() + 1],
            ..Examples::default()
        };
        for embedding in embeddings {
            examples.dense.extend_from_slice(embedding.as_slice());
            // The constant that makes a class likelier whatever is said.
            examples.dense.push(1.0);
        }
        let right: Vec<Option<u16>> = lessons
            .iter()
            .map(|lesson| u16::try_from(lesson.danger.unwrap_or(dangers)).ok())
            .collect();
        let classes = dangers + 1;
        let problem = Problem {
            examples: &examples,
            postings: &Postings::new(0, &[]),
            classes,
            right: &right,
            rest: &[],
            base: &[],
            care: coefficients.care,
        };
        let weights = problem.solve(stop)?;
        let rows = (0..classes)
            .map(|class| weights.iter().skip(class).step_by(width(classes)).copied().collect())
            .collect();
        let taught = lessons.iter().zip(embeddings);
        let told = taught.filter(|(lesson, _)| lesson.danger.is_some());
        Some(Self {
            rows,
            dangers: told
                .map(|(lesson, embedding)| (lesson.clone(), embedding.clone()))
                .collect(),
            coefficients: coefficients.clone(),
        })
    }

    /// The danger that an utterance in normal form means, if any. To be asked when [`SafetyMatcher::find`] found none.
    ///
    /// `matcher` is compiled from the rules that were learnt; of others, nothing is found.
    #[must_use]
    pub fn decide<'m>(
        &'m self,
        matcher: &'m SafetyMatcher,
        normalized: &str,
        embedding: &Embedding,
    ) -> Option<MeantDanger<'m>> {
        if self.rows.len() > matcher.categories().len() + 1 {
            return None;
        }
        let withheld = matcher.withheld(normalized);
        let (likeliest, log_odds) = self.weigh(&withheld, embedding)?;
        let confidence = self.confidence(log_odds);
        if confidence < self.coefficients.threshold {
            return None;
        }
        let own = self
            .dangers
            .iter()
            .filter(|(lesson, _)| lesson.danger == Some(likeliest));
        let (nearest, _) =
            own.max_by(|(_, one), (_, other)| one.cosine(embedding).total_cmp(&other.cosine(embedding)))?;
        Some(MeantDanger {
            category: matcher.categories().get(likeliest)?,
            confidence,
            nearest: &nearest.text,
        })
    }

    /// The likeliest danger that is not withheld, and the log-odds that it is one of these. `None` when all are withheld,
    /// or for an embedding of another encoder.
    #[must_use]
    pub fn weigh(&self, withheld: &[bool], embedding: &Embedding) -> Option<(usize, f64)> {
        let numbers = embedding.as_slice();
        let logits: Option<Vec<f64>> = self
            .rows
            .iter()
            .map(|row| {
                let (constant, weights) = row.split_last()?;
                (weights.len() == numbers.len()).then(|| f64::from(dot(weights, numbers) + constant))
            })
            .collect();
        let logits = logits?;
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
        let (_, dangers) = powers.split_last()?;
        let open = dangers
            .iter()
            .enumerate()
            .filter(|(index, _)| withheld.get(*index) == Some(&false));
        let (likeliest, _) = open.clone().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let sum = open.map(|(_, power)| power).sum::<f64>() / powers.iter().sum::<f64>();
        let sum = sum.clamp(SURE, 1.0 - SURE);
        Some((likeliest, (sum / (1.0 - sum)).ln()))
    }

    /// How likely a danger is at these log-odds.
    fn confidence(&self, log_odds: f64) -> f64 {
        let scaled = self.coefficients.scale * log_odds + self.coefficients.shift;
        1.0 / (1.0 + (-scaled).exp())
    }
}

#[cfg(test)]
mod tests;
