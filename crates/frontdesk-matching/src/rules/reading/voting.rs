//! Two words in a row, patterns, and which units are looked at closely.

use std::ops::Range;

use super::{LOOKED_AT, Scratch, touch};
use crate::{
    evidence::{class_factor, relative_rarity, share_of_one},
    hash::{self, Term},
    knowledge::{Knowledge, Source},
    language::Class,
    words::Word,
};

/// Units with less than this share of the most votes are not looked at.
const NEGLIGIBLE: f32 = 0.2;
/// Two words in a row that more units than this have, and that are so common, such as "do i", tell none of them apart.
const MANY: u32 = 64;
const COMMON: f32 = 0.2;
/// Bytes that patterns see: about as many as the words that are considered.
const LONGEST_FOR_PATTERNS: usize = 2_000;

impl Scratch {
    pub(super) fn pairs(&mut self, knowledge: &Knowledge, from: usize) {
        for index in from + 1..self.words.len() {
            if let (Some(first), Some(second)) = (self.words.get(index - 1), self.words.get(index)) {
                let pair = hash::pair(first.stem, second.stem);
                let factor = class_factor(first.class).max(class_factor(second.class));
                let having = |at: usize| self.having.get(at).copied().unwrap_or_default();
                let both = having(index - 1) & having(index);
                if both != 0 {
                    self.vote_pair(knowledge, pair, factor, both);
                }
            }
        }
        if !self.is_reworded {
            return;
        }
        for index in 1..self.rewording.words.len() {
            let two = (self.rewording.words.get(index - 1), self.rewording.words.get(index));
            let (Some(first), Some(second)) = two else { break };
            if (first.replaced || second.replaced) && first.start >= from {
                let pair = hash::pair(first.word.stem, second.word.stem);
                let having = |at: usize| self.having.get(at).copied().unwrap_or_default();
                let both = having(first.start) & having(second.start);
                self.vote_pair(knowledge, pair, 0.5, both);
            }
        }
    }

    fn vote_pair(&mut self, knowledge: &Knowledge, pair: Term, factor: f32, pieces: u64) {
        let (mut in_units, mut in_wordings) = (0, 0);
        self.found.clear();
        for (piece, placed) in knowledge.pieces.iter().enumerate() {
            if pieces & super::piece_bit(piece) == 0 {
                continue;
            }
            if let Some(having) = placed.piece.pairs.get(&pair) {
                in_units += having.units;
                in_wordings += having.wordings;
                self.found.push((piece, *having));
            }
        }
        if in_units == 0 {
            return;
        }
        let share = share_of_one(in_wordings);
        let rarity = relative_rarity(knowledge.units.len(), in_units);
        if in_units > MANY && rarity < COMMON {
            return;
        }
        let value = rarity * factor;
        for (piece, having) in &self.found {
            let Some(placed) = knowledge.pieces.get(*piece) else {
                continue;
            };
            for posting in placed.piece.postings_of(*having) {
                let unit = placed.number(posting.unit);
                if let Some(vote) = touch(&mut self.votes, &mut self.touched, self.generation, unit) {
                    vote.pairs += value * f32::from(posting.count) * share;
                }
            }
        }
    }

    /// Tries the patterns whose literals occur: of the units looked at, and of units that have nothing but patterns.
    /// Returns whether one of these was found.
    pub(super) fn patterns(&mut self, knowledge: &Knowledge, utterance: &str, from: usize) -> bool {
        let mut others = false;
        // What was taken back is no evidence.
        let start = if from == 0 {
            0
        } else {
            self.words.get(from).map_or(0, |word| index(word.start))
        };
        let counted = utterance.get(start..).unwrap_or_default();
        let counted = counted
            .get(..counted.floor_char_boundary(LONGEST_FOR_PATTERNS))
            .unwrap_or(counted);
        for placed in &knowledge.pieces {
            let patterns = &placed.piece.patterns;
            if patterns.is_empty() {
                continue;
            }
            let (votes, words) = (&self.votes, &self.words);
            let denied = |range: Range<usize>| denies(words, start + range.start..start + range.end);
            let generation = self.generation;
            patterns.due(counted, &mut self.due, |unit| {
                let vote = usize::try_from(placed.number(unit))
                    .ok()
                    .and_then(|number| votes.get(number));
                vote.is_some_and(|vote| vote.generation == generation && vote.chosen)
                    || placed.piece.forms_of(unit).len() <= 1
            });
            for pattern in &self.due {
                let Some(unit) = patterns.unit(*pattern) else { continue };
                let Some(found) = patterns.find(*pattern, counted, denied) else {
                    continue;
                };
                if let Some(vote) = touch(&mut self.votes, &mut self.touched, generation, placed.number(unit)) {
                    vote.pattern = vote.pattern.max(Some(found));
                    others |= !vote.chosen;
                }
            }
        }
        others
    }

    /// The units of each source with the most votes, in no particular order but always the same.
    pub(super) fn choose(&mut self, knowledge: &Knowledge) {
        let mut best: [[Option<(f32, u32)>; LOOKED_AT]; Source::ALL.len()] = [[None; LOOKED_AT]; Source::ALL.len()];
        for unit in &self.touched {
            let vote = self.vote(*unit);
            let Some(of_source) = best.get_mut(knowledge.source_of(*unit).index()) else {
                continue;
            };
            let rank = vote.rank();
            // Most units end here, before anything else of them is read.
            let is_behind = of_source.last().copied().flatten().is_some_and(|(last, _)| rank < last);
            if is_behind || vote.ruled_out || rank <= 0.0 {
                continue;
            }
            if knowledge.place(*unit).is_none_or(|place| place.disabled) {
                continue;
            }
            let mut entry = Some((rank, *unit));
            for kept in of_source.iter_mut() {
                let is_better = match (&entry, &*kept) {
                    (Some(entry), Some(kept)) => entry.0 > kept.0 || entry.0 >= kept.0 && entry.1 < kept.1,
                    (entry, None) => entry.is_some(),
                    (None, Some(_)) => false,
                };
                if is_better {
                    std::mem::swap(kept, &mut entry);
                }
            }
        }
        self.chosen = best.map(|of_source| {
            let most = of_source.first().copied().flatten().map_or(0.0, |(rank, _)| rank);
            of_source.map(|entry| {
                entry
                    .filter(|(rank, _)| *rank >= most * NEGLIGIBLE)
                    .map(|(_, unit)| unit)
            })
        });
        for unit in self.chosen.iter().flatten().flatten() {
            if let Some(vote) = usize::try_from(*unit).ok().and_then(|unit| self.votes.get_mut(unit)) {
                vote.chosen = true;
            }
        }
    }
}

/// Whether what this range begins or ends with does not happen: "not leaking", "stopped leaking".
fn denies(words: &[Word], range: Range<usize>) -> bool {
    // A pattern may begin or end within a word.
    let inside = |word: &&Word| range.start < index(word.end) && index(word.start) < range.end;
    let is_denied = |word: &Word| word.class.any(Class::NEGATED) != word.class.any(Class::FAILED);
    let mut content = words.iter().filter(inside).filter(|word| word.class.is_content());
    let (first, last) = (content.next(), content.next_back());
    first.into_iter().chain(last).any(is_denied)
}

fn index(byte: u32) -> usize {
    usize::try_from(byte).unwrap_or(usize::MAX)
}
