//! What was learnt: a weight for every number of an embedding and for every feature of the wordings of a class.

use std::ops::Range;

use super::{
    dense::{dot_bytes, dot_halves, whole},
    grams::Gram,
};

/// Features that begin alike are looked through one by one; so many are in a bucket on average.
const IN_A_BUCKET: usize = 8;

/// Features by hash: sorted, with a table of where the hashes that begin alike begin.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Vocabulary {
    features: Vec<Gram>,
    buckets: Vec<u32>,
    shift: u32,
}

impl Vocabulary {
    /// Of features in order, each once.
    pub(super) fn new(features: Vec<Gram>) -> Self {
        let bits = (features.len() / IN_A_BUCKET)
            .next_power_of_two()
            .trailing_zeros()
            .clamp(1, 24);
        let shift = Gram::BITS - bits;
        let begin = |bucket: u32| features.partition_point(|feature| feature >> shift < bucket);
        let buckets = (0..=1 << bits).map(|bucket| u32::try_from(begin(bucket)).unwrap_or(u32::MAX));
        Self {
            buckets: buckets.collect(),
            shift,
            features,
        }
    }

    pub(super) fn features(&self) -> &[Gram] {
        &self.features
    }

    pub(super) fn find(&self, gram: Gram) -> Option<usize> {
        let bucket = usize::try_from(gram.checked_shr(self.shift)?).ok()?;
        let bound = |at: usize| usize::try_from(*self.buckets.get(at)?).ok();
        let (start, end) = (bound(bucket)?, bound(bucket + 1)?);
        let within = self.features.get(start..end)?;
        within.iter().position(|feature| *feature == gram).map(|at| start + at)
    }
}

/// The learnt part of a head and the wordings' embeddings. Classes are called slots here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Head {
    /// Numbers of an embedding; 0 if words alone decide.
    pub(super) dimension: usize,
    /// How many wordings the rarity of features was counted in; 0 if another head counts it.
    pub(super) documents: u32,
    pub(super) vocabulary: Vocabulary,
    /// Of each feature, if they are counted here.
    pub(super) rarity: Vec<f32>,
    /// Where the postings of each feature begin, one more than there are.
    pub(super) starts: Vec<u32>,
    pub(super) slots: Vec<u16>,
    /// Of each posting, the upper half.
    pub(super) weights: Vec<u16>,
    /// A row of `dimension` for each slot, upper halves.
    pub(super) dense: Vec<u16>,
    pub(super) bias: Vec<f32>,
    /// Hash of the id of each slot's unit.
    pub(super) identities: Vec<u64>,
    /// Where the wordings of each slot begin, one more than there are.
    pub(super) wordings: Vec<u32>,
    /// A row of `dimension` for each wording, in steps.
    pub(super) rows: Vec<i8>,
    pub(super) steps: Vec<f32>,
    /// Cosine of each wording to the nearest of its own unit, below -1 for none.
    pub(super) near: Vec<f32>,
    /// Cosine of each wording to the nearest of any other unit, below -1 for none.
    pub(super) cross: Vec<f32>,
}

impl Head {
    pub(super) fn slots(&self) -> usize {
        self.bias.len()
    }

    /// How rare a feature is among the wordings: its weight in a text.
    pub(super) fn rarity_of(&self, gram: Gram) -> f32 {
        let known = self.vocabulary.find(gram).and_then(|at| self.rarity.get(at));
        known.copied().unwrap_or_else(|| rarity(self.documents, 0))
    }

    /// The wordings of a slot.
    pub(super) fn wordings_of(&self, slot: usize) -> Range<usize> {
        bounds(&self.wordings, slot)
    }

    /// Adds each slot's logit to its place in `out`.
    pub(super) fn logits(&self, embedding: &[f32], grams: &[(Gram, f32)], out: &mut [f32]) {
        let rows = self.dense.chunks_exact(self.dimension.max(1));
        for ((cell, bias), row) in out
            .iter_mut()
            .zip(&self.bias)
            .zip(rows.chain(std::iter::repeat(&[][..])))
        {
            *cell += bias + dot_halves(embedding, row);
        }
        for (gram, value) in grams {
            let Some(feature) = self.vocabulary.find(*gram) else {
                continue;
            };
            let range = bounds(&self.starts, feature);
            let slots = self.slots.get(range.clone()).unwrap_or_default();
            for (slot, weight) in slots.iter().zip(self.weights.get(range).unwrap_or_default()) {
                if let Some(cell) = out.get_mut(usize::from(*slot)) {
                    *cell += value * whole(*weight);
                }
            }
        }
    }

    /// The cosine of an embedding to each wording of a slot.
    pub(super) fn cosines(&self, slot: usize, embedding: &[f32]) -> impl Iterator<Item = f32> {
        let range = self.wordings_of(slot);
        let bytes = range.start * self.dimension..range.end * self.dimension;
        let rows = self.rows.get(bytes).unwrap_or_default();
        let steps = self.steps.get(range).unwrap_or_default();
        rows.chunks_exact(self.dimension.max(1))
            .zip(steps)
            .map(move |(row, step)| step * dot_bytes(embedding, row))
    }

    /// Bytes on the heap.
    pub(super) fn size(&self) -> usize {
        let words = self.vocabulary.features.capacity() + self.vocabulary.buckets.capacity() + self.rarity.capacity();
        let more = self.starts.capacity() + self.bias.capacity() + self.wordings.capacity() + self.steps.capacity();
        let halves = self.slots.capacity() + self.weights.capacity() + self.dense.capacity();
        let crowding = self.near.capacity() + self.cross.capacity();
        4 * (words + more + crowding) + 2 * halves + 8 * self.identities.capacity() + self.rows.capacity()
    }

    pub(super) fn shrink(&mut self) {
        self.slots.shrink_to_fit();
        self.weights.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.dense.shrink_to_fit();
        self.steps.shrink_to_fit();
        self.bias.shrink_to_fit();
        self.wordings.shrink_to_fit();
        self.identities.shrink_to_fit();
        self.vocabulary.features.shrink_to_fit();
    }
}

/// Inverse document frequency, smooth.
pub(super) fn rarity(documents: u32, having: u32) -> f32 {
    let float = |count: u32| f32::from(u16::try_from(count).unwrap_or(u16::MAX));
    ((1.0 + float(documents)) / (1.0 + float(having))).ln().max(0.0) + 1.0
}

pub(super) fn bounds(starts: &[u32], at: usize) -> Range<usize> {
    let bound = |at: usize| {
        starts
            .get(at)
            .and_then(|at| usize::try_from(*at).ok())
            .unwrap_or_default()
    };
    bound(at)..bound(at.saturating_add(1)).max(bound(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_found_and_no_other() {
        let features: Vec<Gram> = (0..1_000_u32).map(|at| at.wrapping_mul(4_294_967)).collect();
        let vocabulary = Vocabulary::new(features.clone());
        for (at, feature) in features.iter().enumerate() {
            assert_eq!(vocabulary.find(*feature), Some(at));
            assert_eq!(vocabulary.find(feature + 1), None);
        }
        assert_eq!(Vocabulary::new(Vec::new()).find(7), None);
        assert_eq!(Vocabulary::default().find(7), None);
        assert_eq!(Vocabulary::new(vec![u32::MAX]).find(u32::MAX), Some(0));
    }
}
