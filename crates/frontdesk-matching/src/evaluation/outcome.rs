//! What the ladder answered to a labelled utterance.

use serde::Serialize;

use super::{
    label::{Label, LabelSource, Labelled},
    ladder::{Answer, Decided},
};

/// A labelled utterance and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The company that was called.
    pub company: String,
    /// What was said.
    pub utterance: String,
    /// What answers it.
    pub expect: Label,
    /// Another answer that is right as well.
    pub second: Option<Label>,
    /// What kind of utterance it is.
    pub tags: Vec<String>,
    /// What answered.
    pub answer: Option<Answer>,
    /// What came nearest, if nothing answered.
    pub nearest: Option<Answer>,
    /// As labelled; of what nothing answers: nothing did.
    pub right: bool,
    /// Right, or the caller's other wish.
    pub right_with_second: bool,
    /// The same utterance as it was spoken, before the recogniser: whether that was right.
    pub spoken_right: Option<bool>,
    /// How long it took to decide, in microseconds.
    pub micros: Option<f64>,
}

impl Outcome {
    /// Compares a decision with its label.
    #[must_use]
    pub fn new(labelled: &Labelled, decided: Decided) -> Self {
        let right = is_right(&labelled.expect, decided.answer.as_ref());
        let second = labelled.second.as_ref();
        Self {
            company: labelled.company.clone(),
            utterance: labelled.utterance.clone(),
            expect: labelled.expect.clone(),
            second: labelled.second.clone(),
            tags: labelled.tags.clone(),
            right,
            right_with_second: right || second.is_some_and(|second| is_right(second, decided.answer.as_ref())),
            answer: decided.answer,
            nearest: decided.nearest,
            spoken_right: None,
            micros: None,
        }
    }

    /// Adds what the ladder decides on the same words before a recogniser heard them.
    #[must_use]
    pub fn with_spoken(mut self, decided: &Decided) -> Self {
        self.spoken_right = Some(is_right(&self.expect, decided.answer.as_ref()));
        self
    }

    /// Adds how long the decision took.
    #[must_use]
    pub const fn with_micros(mut self, micros: f64) -> Self {
        self.micros = Some(micros);
        self
    }

    /// Whether it tells of a danger.
    #[must_use]
    pub fn is_danger(&self) -> bool {
        self.expect.source == LabelSource::Safety
    }

    /// Whether nothing that the business has answers it.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.expect.source == LabelSource::None
    }

    /// Whether an answer was given that neither of the caller's wishes asked for.
    #[must_use]
    pub const fn is_wrongly_answered(&self) -> bool {
        self.answer.is_some() && !self.right_with_second
    }

    /// What answered, else what came nearest; safety rules are certain and no candidates.
    #[must_use]
    pub fn best(&self) -> Option<&Answer> {
        let best = self.answer.as_ref().or(self.nearest.as_ref());
        best.filter(|best| best.source != LabelSource::Safety)
    }

    /// Whether the best candidate is as labelled, whatever its confidence.
    #[must_use]
    pub fn is_best_right(&self) -> bool {
        self.best().is_some_and(|best| self.expect.is(best.source, &best.id))
    }
}

fn is_right(label: &Label, answer: Option<&Answer>) -> bool {
    match answer {
        Some(answer) => label.is(answer.source, &answer.id),
        None => label.source == LabelSource::None,
    }
}
