//! Wordings as numbers: their embeddings, and their words and letters.

use super::{
    grams::{Gram, GramReader},
    head::Vocabulary,
    solver::Examples,
    train::{Embeddings, NotTrained},
};
use crate::{normal::normalize, piece::index};

/// How much words and letters count beside an embedding.
const LEXICAL: f32 = 0.5;
/// The same where there is no embedding; the smaller factor costs words alone 1.6 points.
const LEXICAL_ALONE: f32 = 1.0;
/// The number beside an embedding that is the same in every example, so that a class can be likelier than another.
pub(super) const ALWAYS: f32 = 0.3;

/// Wordings as numbers.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) dimension: usize,
    pub(super) dense: Vec<f32>,
    pub(super) starts: Vec<usize>,
    pub(super) grams: Vec<(Gram, f32)>,
}

pub(super) const fn lexical_scale(dimension: usize) -> f32 {
    if dimension == 0 { LEXICAL_ALONE } else { LEXICAL }
}

impl Rows {
    pub(super) fn read<'t>(
        texts: impl Iterator<Item = &'t str>,
        embeddings: Option<Embeddings<'_>>,
        rarity: impl Fn(Gram) -> f32,
    ) -> Result<Self, NotTrained> {
        let mut rows = Self {
            starts: vec![0],
            ..Self::default()
        };
        let mut reader = GramReader::default();
        let mut grams = Vec::new();
        for (at, text) in texts.enumerate() {
            if let Some(embeddings) = embeddings {
                let missing = || NotTrained::NoEmbedding(text.to_owned());
                let embedding = embeddings(text).ok_or_else(missing)?;
                if at == 0 {
                    rows.dimension = embedding.as_slice().len();
                }
                if embedding.as_slice().len() != rows.dimension {
                    return Err(missing());
                }
                rows.dense.extend_from_slice(embedding.as_slice());
            }
            reader.read(&normalize(text), &rarity, &mut grams);
            rows.grams.extend_from_slice(&grams);
            rows.starts.push(rows.grams.len());
        }
        Ok(rows)
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(super) fn dense_row(&self, at: usize) -> &[f32] {
        let start = at * self.dimension;
        self.dense.get(start..start + self.dimension).unwrap_or_default()
    }

    pub(super) fn grams_of(&self, at: usize) -> &[(Gram, f32)] {
        let bound = |at: usize| self.starts.get(at).copied().unwrap_or_default();
        self.grams.get(bound(at)..bound(at + 1)).unwrap_or_default()
    }

    /// Appends these to what is learnt from; only features of the vocabulary count.
    pub(super) fn add_to(&self, examples: &mut Examples, vocabulary: &Vocabulary) {
        if examples.starts.is_empty() {
            examples.starts.push(0);
        }
        let scale = lexical_scale(self.dimension);
        for at in 0..self.count() {
            examples.dense.extend_from_slice(self.dense_row(at));
            examples.dense.push(ALWAYS);
            for (gram, value) in self.grams_of(at) {
                if let Some(feature) = vocabulary.find(*gram) {
                    examples.cells.push((index(feature), scale * value));
                }
            }
            examples.starts.push(examples.cells.len());
        }
    }
}
