//! What speaks for a unit: how its wordings lie over the words of an utterance.

use crate::{
    language::Class,
    piece::{Form, Piece, Token},
    words::Word,
};

/// Features of a candidate, in the order of [`FEATURES`].
pub type Features = [f64; FEATURES.len()];
/// Features of "none of them", in the order of [`NONE_FEATURES`].
pub type NoneFeatures = [f64; NONE_FEATURES.len()];

/// The names of a candidate's features, as they stand in the file of coefficients.
pub const FEATURES: [&str; 23] = [
    "companyQna",
    "tradeQna",
    "template",
    "wordingCovered",
    "utteranceCovered",
    "harmony",
    "order",
    "complete",
    "window",
    "nextWordings",
    "votes",
    "votesTotal",
    "pairs",
    "unitCovers",
    "pattern",
    "keywords",
    "doubt",
    "commonWeight",
    "commonWords",
    "exclusive",
    "lead",
    "left",
    "product",
];

/// The names of the features of "none of them".
pub const NONE_FEATURES: [&str; 5] = ["always", "length", "unknown", "fewWords", "foreign"];

/// A share of the utterance's weight that a negation may govern before a wording without one is contradicted.
const CONTRADICTION: f32 = 0.25;
/// In a ramble only this many words before the first common word, and after the last, count against a wording.
const REACH_BACK: u8 = 4;
const REACH_ON: u8 = 6;
/// Words apart that still count as one after the other.
const GAP: u8 = 3;

/// How much a term says in one company: rare terms say more.
pub(crate) fn weight_of(units: usize, in_units: u32, class: Class, filler: bool) -> f32 {
    relative_rarity(units, in_units) * class_factor(class) * filler_factor(filler && !class.is_protected())
}

/// What one wording's share of a term is that so many have.
pub(crate) fn share_of_one(in_wordings: u32) -> f32 {
    1.0 / (float(in_wordings) + 0.5)
}

/// Rarity on one scale for companies of every size: 1 for what a single unit has.
pub(crate) fn relative_rarity(units: usize, in_units: u32) -> f32 {
    rarity(units, in_units) / rarity(units, 1).max(0.5)
}

/// Inverse document frequency as in BM25: positive, and nearly 0 for what everything has.
fn rarity(units: usize, in_units: u32) -> f32 {
    let (units, having) = (float(u32::try_from(units).unwrap_or(u32::MAX)), float(in_units));
    (1.0 + (units - having + 0.5).max(0.0) / (having + 0.5)).ln()
}

pub(crate) const fn class_factor(class: Class) -> f32 {
    if class.any(Class::COURTESY) {
        0.1
    } else if class.any(Class::FUNCTION) {
        0.4
    } else if class.any(Class::WEAK) {
        0.5
    } else {
        1.0
    }
}

pub(crate) const fn filler_factor(filler: bool) -> f32 {
    if filler { 0.15 } else { 1.0 }
}

/// Exact up to 65,535; counts of words, wordings and units are clamped there.
pub(crate) fn float(count: u32) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// Where a term stands in the utterance.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slot {
    pub(crate) generation: u32,
    pub(crate) count: u8,
    pub(crate) at: [u8; 3],
}

/// Positions of an utterance, as bits.
pub(crate) type Positions = [u64; 4];

pub(crate) fn mark(positions: &mut Positions, at: u8) {
    if let Some(bits) = positions.get_mut(usize::from(at >> 6)) {
        *bits |= 1 << (at & 63);
    }
}

pub(crate) fn is_marked(positions: &Positions, at: usize) -> bool {
    positions.get(at >> 6).is_some_and(|bits| bits >> (at & 63) & 1 == 1)
}

/// The utterance as a wording is laid over it.
pub(crate) struct Ground<'a> {
    pub(crate) words: &'a [Word],
    /// Weight of each position, and the sum of those before it.
    pub(crate) weights: &'a [f32],
    pub(crate) before: &'a [f32],
    pub(crate) repaired: &'a Positions,
    pub(crate) total: f32,
    pub(crate) generation: u32,
}

impl Ground<'_> {
    /// The weight of the words from one position to another.
    fn stretch(&self, first: u8, last: u8) -> f32 {
        let before = |at: usize| self.before.get(at).copied().unwrap_or(self.total);
        before(usize::from(last) + 1) - before(usize::from(first))
    }

    /// Whether the word here has only its stem in common with a wording's ("start", "starting"), and stands for nothing else.
    fn is_another_form(&self, at: usize, of: &Word) -> bool {
        self.words
            .get(at)
            .is_some_and(|word| word.stem == of.stem && word.exact != of.exact)
    }

    /// Whether the word here names something rather than says what it does: "no start", "from the start".
    fn is_noun(&self, at: usize) -> bool {
        const OF_VERBS: Class = Class::AUXILIARY
            .with(Class::PRONOUN)
            .with(Class::QUESTION)
            .with(Class::BOUNDARY)
            .with(Class::COURTESY);
        let before = at.checked_sub(1).and_then(|before| self.words.get(before));
        before.is_some_and(|Word { class, .. }| {
            class.any(Class::FUNCTION)
                && !class.any(OF_VERBS)
                && (class.any(Class::PARTICLE) || !class.any(Class::NEGATION))
        })
    }
}

/// A wording laid over an utterance.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four findings about negation that do not exclude each other"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overlap {
    /// Share of the wording that the utterance has.
    pub(crate) wording_covered: f32,
    /// Share of the utterance that the wording has.
    pub(crate) utterance_covered: f32,
    /// The same within the stretch from the first to the last common word.
    pub(crate) window_covered: f32,
    /// Share of the wording in its longest run in order.
    pub(crate) order: f32,
    /// All its content is there, and it has some.
    pub(crate) complete: f32,
    /// Share of what they have in common that was repaired, or governed by a failure on one side only.
    pub(crate) doubt: f32,
    /// One negates what the other does not.
    pub(crate) contradicts: bool,
    /// The utterance negates what the wording says.
    pub(crate) denies_it: bool,
    /// Both negate, the utterance a word that the wording does not: "no engine", "the engine isn't starting".
    pub(crate) denies_another_word: bool,
    /// Both negate the same word.
    pub(crate) denies_the_same: bool,
    /// Weight of the common words in the utterance.
    pub(crate) common: f32,
    /// Common words with content of their own.
    pub(crate) common_words: u32,
    pub(crate) positions: Positions,
}

impl Overlap {
    /// Harmonic mean of both coverages, raised by order: what wordings of one unit are compared by.
    pub(crate) fn harmony(&self) -> f32 {
        let sum = self.wording_covered + self.utterance_covered;
        if sum <= 0.0 {
            0.0
        } else {
            2.0 * self.wording_covered * self.utterance_covered / sum
        }
    }

    pub(crate) fn strength(&self) -> f32 {
        self.harmony() + 0.3 * self.order * self.wording_covered + 0.2 * self.window_covered * self.complete
    }
}

/// Lays a wording over the utterance, word by word, in order where it can; `None` where they have no content in common.
pub(crate) fn overlap(
    piece: &Piece,
    form: &Form,
    weights: &[f32],
    slots: &[Slot],
    ground: &Ground<'_>,
) -> Option<Overlap> {
    let tokens = piece.tokens_of(form);
    let slot = |token: &Token| {
        usize::try_from(token.id)
            .ok()
            .and_then(|id| slots.get(id))
            .copied()
            .unwrap_or_default()
    };
    let heard = |token: &Token| slot(token).generation == ground.generation;
    if !tokens
        .iter()
        .any(|token| (token.class.is_content() || !form.has_content) && heard(token))
    {
        return None;
    }
    let words = piece.words_of(form);
    let mut sums = Sums::default();
    let mut positions = Positions::default();
    let (mut run, mut best_run) = (0.0_f32, 0.0_f32);
    let mut previous: Option<u8> = None;
    let (mut first, mut last) = (u8::MAX, 0);
    for (token, word) in tokens.iter().zip(words) {
        let weight = usize::try_from(token.id)
            .ok()
            .and_then(|id| weights.get(id))
            .copied()
            .unwrap_or_default();
        let class = token.class;
        let is_content = class.is_content();
        sums.total += weight;
        if is_content {
            sums.content += weight;
        }
        let slot = slot(token);
        if slot.generation != ground.generation {
            continue;
        }
        let Some((at, spoken)) = place(slot, previous, class, ground) else {
            continue;
        };
        sums.matched += weight;
        let follows = previous.is_some_and(|previous| at >= previous && at - previous <= GAP);
        run = if follows { run + weight } else { weight };
        best_run = best_run.max(run);
        previous = Some(at);
        (first, last) = (first.min(at), last.max(at));
        if !is_marked(&positions, usize::from(at)) {
            mark(&mut positions, at);
            sums.common += ground.weights.get(usize::from(at)).copied().unwrap_or_default();
        }
        if is_content {
            sums.content_matched += weight;
            sums.words += u32::from(!class.any(Class::WEAK));
            let is_another_form = ground.is_another_form(usize::from(at), word);
            sums.judge(class, spoken, form, weight);
            sums.only_as_noun = sums.words <= 1 && is_another_form && ground.is_noun(usize::from(at));
            if is_marked(ground.repaired, usize::from(at)) {
                sums.doubt += weight;
            }
        }
    }
    sums.into_overlap(form, positions, (first, last), best_run, ground)
}

/// The occurrence that continues what was placed before it, with the same negation if there is a choice.
fn place(slot: Slot, previous: Option<u8>, class: Class, ground: &Ground<'_>) -> Option<(u8, Class)> {
    let spoken = |at: u8| {
        ground
            .words
            .get(usize::from(at))
            .map(|word| word.class)
            .unwrap_or_default()
    };
    let agrees = |at: u8| spoken(at).any(Class::NEGATED) == class.any(Class::NEGATED);
    if let [at, ..] = slot.at
        && slot.count == 1
    {
        return Some((at, spoken(at)));
    }
    let occurrences = slot.at.iter().copied().take(usize::from(slot.count));
    let chosen = occurrences.min_by_key(|at| {
        let behind = previous.is_some_and(|previous| *at < previous);
        (!agrees(*at), behind, *at)
    })?;
    Some((chosen, spoken(chosen)))
}

#[derive(Default)]
struct Sums {
    total: f32,
    matched: f32,
    content: f32,
    content_matched: f32,
    /// Governed by a negation in the utterance, by none in the wording.
    contradicted: f32,
    doubt: f32,
    /// Governed by a negation in the utterance alone, whatever else the wording negates.
    denied: f32,
    /// A matched word is negated in the wording; in the utterance.
    negated_in_wording: f32,
    negated_in_utterance: bool,
    /// A matched word is negated in the wording, or fails there.
    meets_the_negation: bool,
    /// All that was heard of the wording is another form of one word, and names a thing.
    only_as_noun: bool,
    words: u32,
    /// Weight of the utterance's words that the wording has.
    common: f32,
}

impl Sums {
    fn judge(&mut self, wording: Class, spoken: Class, form: &Form, weight: f32) {
        let (negated, failed) = (spoken.any(Class::NEGATED), spoken.any(Class::FAILED));
        let both = negated && failed;
        if wording.any(Class::NEGATED) && wording.any(Class::FAILED) {
            // "Won't stop running" runs: "doesn't run" and "stopped running" are the opposite.
            if negated != failed {
                self.contradicted += weight;
                self.denied += weight;
            }
            return;
        }
        self.negated_in_utterance |= negated || failed;
        if wording.any(Class::NEGATED) {
            self.negated_in_wording += weight;
        } else if negated && !failed {
            self.denied += weight;
        }
        self.meets_the_negation |= wording.any(Class::NEGATED.with(Class::FAILED));
        let plain = !form.classes.any(Class::NEGATION.with(Class::FAILURE));
        // "Won't stop running" is the opposite of "stopped running".
        let opposite = both && form.classes.any(Class::FAILURE) && !form.classes.any(Class::NEGATION);
        if negated && !failed && plain || opposite {
            self.contradicted += weight;
        } else if !negated && (failed && plain || !failed && wording.any(Class::FAILED)) {
            self.doubt += weight;
        }
    }

    fn into_overlap(
        self,
        form: &Form,
        positions: Positions,
        (first, last): (u8, u8),
        run: f32,
        ground: &Ground<'_>,
    ) -> Option<Overlap> {
        if self.matched <= 0.0 || self.total <= 0.0 {
            return None;
        }
        let common = self.common;
        let around = ground.stretch(first.saturating_sub(REACH_BACK), last.saturating_add(REACH_ON));
        let stretch = ground.stretch(first, last);
        let missing_negation =
            form.classes.any(Class::NEGATION) && self.negated_in_wording > 0.0 && !self.negated_in_utterance;
        let content = self.content_matched.max(f32::EPSILON);
        let both_negate = self.negated_in_wording > 0.0 && self.negated_in_utterance;
        // "No start" is not "the engine isn't starting".
        let denies_a_noun = both_negate && self.only_as_noun && self.content_matched < self.content * 0.999;
        let denies_it = self.contradicted / content > CONTRADICTION;
        let contradicts = missing_negation || denies_a_noun || denies_it;
        Some(Overlap {
            wording_covered: self.matched / self.total,
            utterance_covered: share(common, around),
            window_covered: share(common, stretch),
            order: run / self.total,
            complete: if self.content > 0.0 && self.content_matched >= self.content * 0.999 {
                1.0
            } else {
                0.0
            },
            common,
            common_words: self.words,
            doubt: (self.doubt / content).min(1.0),
            contradicts,
            denies_it,
            denies_another_word: !contradicts && !self.meets_the_negation && self.denied / content > CONTRADICTION,
            denies_the_same: !contradicts && both_negate,
            positions,
        })
    }
}

pub(crate) fn share(part: f32, whole: f32) -> f32 {
    if whole <= 0.0 {
        0.0
    } else {
        (part / whole).clamp(0.0, 1.0)
    }
}
