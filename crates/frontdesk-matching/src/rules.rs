//! Tier 1: one pass over an utterance, which asks all pieces of a company's knowledge at once.
//!
//! The words are read once, reworded by the company's synonyms, repaired where a recogniser misheard, and looked up in each
//! piece. Each term votes for the units whose wordings have it; the few best units of each source are then looked at
//! closely, wording by wording, and their evidence becomes a probability. Thresholds are the caller's business.

mod closest;
mod judging;
mod reading;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use frontdesk_domain::confidence::Confidence;

use crate::{
    calibration::Calibration,
    evidence::{Features, NoneFeatures, Positions, float, is_marked, share},
    hash::Term,
    knowledge::{Knowledge, Source},
    language::Class,
    lexicon::exact_sequence,
    words::Word,
};
use judging::features;
use reading::{LOOKED_AT, Scratch};

pub(crate) use judging::Said;

/// Weight of an utterance, in words that a single unit has, above which it rambles: more words count no more against a unit.
const RAMBLE: f32 = 5.0;
/// How many candidates of a source are given.
const CANDIDATES: usize = 5;

/// Something that could answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its number in the knowledge that was asked; [`Knowledge::target`] says what it stands for.
    pub unit: u32,
    /// The source it belongs to.
    pub source: Source,
    /// The probability that it is right.
    pub confidence: Confidence,
    positions: Positions,
}

impl Candidate {
    /// A unit without evidence, to look it up.
    #[must_use]
    pub fn of_unit(unit: u32, source: Source) -> Self {
        Self {
            unit,
            source,
            confidence: Confidence::NONE,
            positions: Positions::default(),
        }
    }

    /// The same, as sure as another measure says.
    #[must_use]
    pub(crate) const fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }
}

/// What rules found for one utterance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// What the utterance equals after normalisation, in ladder order, with confidence 1.
    pub equal: Vec<Candidate>,
    candidates: Vec<Candidate>,
    /// The byte range of each word that was considered.
    words: Vec<(u32, u32)>,
}

impl Findings {
    /// The candidates of a source, best first, at most five; those that are equal are among them.
    #[must_use]
    pub fn of(&self, source: Source) -> &[Candidate] {
        let start = self.candidates.partition_point(|candidate| candidate.source < source);
        let end = self.candidates.partition_point(|candidate| candidate.source <= source);
        self.candidates.get(start..end).unwrap_or_default()
    }

    /// The words of the utterance that matched a candidate; `utterance` is the one that was decided.
    #[must_use]
    pub fn matched_words<'a>(&self, candidate: &Candidate, utterance: &'a str) -> Vec<&'a str> {
        let mut words = Vec::new();
        let mut until = 0;
        for (at, (start, end)) in self.words.iter().enumerate() {
            let range = usize::try_from(*start).ok().zip(usize::try_from(*end).ok());
            if is_marked(&candidate.positions, at)
                && *start >= until
                && let Some(word) = range.and_then(|(start, end)| utterance.get(start..end))
            {
                words.extend(word.split(' '));
                until = *end;
            }
        }
        words
    }
}

/// The evidence for each unit that was looked at: what coefficients are fitted on.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Source, unit and features.
    pub candidates: Vec<(Source, u32, Features)>,
    /// The features of "none of them".
    pub none: NoneFeatures,
}

thread_local! {
    /// Buffers, so that a decision allocates its findings only.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Knowledge {
    /// Decides one utterance in normal form: everything that equals it, and nothing else then; otherwise of each source
    /// the best candidates.
    #[must_use]
    pub fn decide(&self, utterance: &str) -> Findings {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.read(self, utterance);
            let equal = equal(self, scratch);
            if equal.is_empty() {
                scratch.weigh(self, utterance);
                findings(self, scratch, Calibration::embedded(), equal)
            } else {
                Findings {
                    candidates: equal.clone(),
                    equal,
                    words: words(scratch),
                }
            }
        })
    }

    /// Weighs the best candidates of each source even if something equals the utterance.
    #[must_use]
    pub fn weigh(&self, utterance: &str) -> Findings {
        self.weigh_with(utterance, Calibration::embedded())
    }

    /// Weighs with other coefficients than those of the build.
    #[must_use]
    pub fn weigh_with(&self, utterance: &str, calibration: &Calibration) -> Findings {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.read(self, utterance);
            scratch.weigh(self, utterance);
            let equal = equal(self, scratch);
            findings(self, scratch, calibration, equal)
        })
    }

    /// The evidence that [`Knowledge::decide`] judges, for fitting and for explaining.
    #[must_use]
    pub fn evidence(&self, utterance: &str) -> Evidence {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.read(self, utterance);
            scratch.weigh(self, utterance);
            let mut evidence = Evidence {
                candidates: Vec::new(),
                none: scratch.none_features(),
            };
            for (source, chosen) in Source::ALL.into_iter().zip(scratch.chosen) {
                for unit in chosen.into_iter().flatten() {
                    if let Some((features, _)) = features(self, scratch, unit, source) {
                        evidence.candidates.push((source, unit, features));
                    }
                }
            }
            evidence
        })
    }
}

fn words(scratch: &Scratch) -> Vec<(u32, u32)> {
    scratch.words.iter().map(|word| (word.start, word.end)).collect()
}

fn findings(knowledge: &Knowledge, scratch: &Scratch, calibration: &Calibration, equal: Vec<Candidate>) -> Findings {
    let mut found = Findings {
        equal,
        candidates: Vec::with_capacity(Source::ALL.len() * CANDIDATES),
        words: words(scratch),
    };
    let none = calibration.none(&scratch.none_features());
    for (source, chosen) in Source::ALL.into_iter().zip(scratch.chosen) {
        let start = found.candidates.len();
        let mut log_odds = [f64::NEG_INFINITY; LOOKED_AT];
        let mut seen: [Option<(u32, Positions)>; LOOKED_AT] = [None; LOOKED_AT];
        for ((unit, place), value) in chosen.into_iter().zip(&mut seen).zip(&mut log_odds) {
            let Some(unit) = unit else { continue };
            if let Some((features, positions)) = features(knowledge, scratch, unit, source) {
                *place = Some((unit, positions));
                *value = calibration.candidate(&features);
            }
        }
        Calibration::probabilities(none, &mut log_odds);
        for (place, probability) in seen.iter().zip(log_odds) {
            let Some((unit, positions)) = *place else { continue };
            let is_equal = found.equal.iter().any(|candidate| candidate.unit == unit);
            let confidence = if is_equal {
                Confidence::CERTAIN
            } else {
                Confidence::clamped(probability.min(0.999))
            };
            found.candidates.push(Candidate {
                unit,
                source,
                confidence,
                positions,
            });
        }
        let of_source = found.candidates.get_mut(start..).unwrap_or_default();
        of_source.sort_by(|left, right| {
            let (first, second) = (left.confidence.get(), right.confidence.get());
            second
                .total_cmp(&first)
                .then_with(|| ladder_order(knowledge, left).cmp(&ladder_order(knowledge, right)))
        });
        found.candidates.truncate(start + CANDIDATES);
    }
    found
}

/// Ladder order; of two in one source the one of higher priority, then the one listed first.
fn ladder_order(knowledge: &Knowledge, candidate: &Candidate) -> (Source, i64, u32) {
    let priority = knowledge
        .target(candidate)
        .map_or(0, |target| i64::from(target.priority()));
    (candidate.source, -priority, candidate.unit)
}

/// The units that the utterance equals: as it is, without fillers, and reworded.
fn equal(knowledge: &Knowledge, scratch: &Scratch) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let wordings = scratch.whole_wordings();
    let mut positions = Positions::default();
    (0..=u8::MAX)
        .zip(&scratch.words)
        .for_each(|(at, _)| crate::evidence::mark(&mut positions, at));
    for place in &knowledge.pieces {
        let units = wordings
            .iter()
            .filter_map(|sequence| place.piece.equal.get(sequence))
            .flatten();
        for unit in units.map(|unit| place.number(*unit)) {
            let allowed = knowledge.place(unit).is_some_and(|place| !place.disabled) && !scratch.is_ruled_out(unit);
            if allowed && !found.iter().any(|candidate| candidate.unit == unit) {
                let source = knowledge.place(unit).map_or(place.source, |place| place.source);
                found.push(Candidate {
                    unit,
                    source,
                    confidence: Confidence::CERTAIN,
                    positions,
                });
            }
        }
    }
    found.sort_by_key(|candidate| ladder_order(knowledge, candidate));
    found
}

/// The share of the utterance's content that no piece knows, and how many words it has.
fn unknown_share(words: &[Word], weights: &[f32], known: &Positions) -> (f32, u32, u32) {
    let (mut unknown, mut total, mut content, mut foreign) = (0.0, 0.0, 0, 0);
    for (at, (word, weight)) in words.iter().zip(weights).enumerate() {
        total += weight;
        if word.class.is_content() {
            content += 1;
            if !is_marked(known, at) {
                unknown += weight;
                foreign += u32::from(!word.class.any(Class::WEAK));
            }
        }
    }
    (share(unknown, total), content, foreign)
}

impl Scratch {
    fn none_features(&self) -> NoneFeatures {
        let (unknown, content, foreign) = unknown_share(&self.words, &self.weights, &self.known);
        [
            1.0,
            f64::from((1.0 + self.total).ln()),
            f64::from(unknown),
            f64::from(1.0 / (1.0 + float(content))),
            f64::from(float(foreign.min(5)) / 5.0),
        ]
    }

    /// The hashes of the utterance as a whole: as it is, without fillers, and both reworded.
    fn whole_wordings(&self) -> [Term; 4] {
        let is_bare = |word: &&Word| word.class.is_protected() || !word.class.any(Class::COURTESY.with(Class::FILLER));
        let all = &self.words;
        let bare = all.iter().filter(is_bare);
        let reworded = self.reworded().map(|canonical| &canonical.word);
        let reworded_bare = self.reworded().map(|canonical| &canonical.word).filter(is_bare);
        [
            exact_sequence(all),
            exact_sequence(bare),
            exact_sequence(reworded),
            exact_sequence(reworded_bare),
        ]
    }
}
