//! Tier 1: one pass over an utterance, which asks all pieces of a company's knowledge at once.
//!
//! The words are read once, reworded by the company's synonyms, repaired where a recogniser misheard, and looked up in each
//! piece. Each term votes for the units whose wordings have it; the few best units of each source are then looked at
//! closely, wording by wording, and their evidence becomes a probability. Thresholds are the caller's business.

mod reading;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use frontdesk_domain::{confidence::Confidence, documents::template::Action};

use crate::{
    calibration::Calibration,
    evidence::{Features, Ground, NoneFeatures, Overlap, Positions, float, is_marked, overlap, share},
    hash::Term,
    knowledge::{Knowledge, Place, Source},
    language::Class,
    lexicon::exact_sequence,
    piece::{Role, Target},
    words::Word,
};
use reading::{LOOKED_AT, Scratch};

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

/// What rules make of a unit that they did not propose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Said {
    /// The utterance says the contrary, or has one of its negative triggers.
    Contrary,
    /// It has no word of it.
    Nothing,
    /// It has something: the logarithm of the odds against "none of them".
    Something(f64),
}

impl Knowledge {
    /// What an utterance says of units, in their order, whatever rules would answer.
    pub(crate) fn said_of(&self, utterance: &str, units: impl Iterator<Item = u32>, said: &mut Vec<Said>) {
        said.clear();
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.read(self, utterance);
            scratch.weigh(self, utterance);
            let calibration = Calibration::embedded();
            let none = calibration.none(&scratch.none_features());
            for unit in units {
                said.push(judge(self, scratch, unit, |features| {
                    calibration.candidate(features) - none
                }));
            }
        });
    }
}

impl Knowledge {
    /// Everything that could answer, in ladder order: what the company switched off is left out.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let enabled = (0..).zip(&self.units).filter(|(_, place)| !place.disabled);
        enabled.map(|(unit, place)| Candidate::of_unit(unit, place.source))
    }

    /// Leaves out what an utterance in normal form rules out: it says the contrary, or has a negative trigger.
    pub fn retain_possible(&self, utterance: &str, candidates: &mut Vec<Candidate>) {
        let mut said = Vec::with_capacity(candidates.len());
        self.said_of(utterance, candidates.iter().map(|candidate| candidate.unit), &mut said);
        let mut said = said.into_iter();
        candidates.retain(|_| said.next().is_some_and(|said| said != Said::Contrary));
    }
}

fn judge(knowledge: &Knowledge, scratch: &Scratch, unit: u32, odds: impl Fn(&Features) -> f64) -> Said {
    let source = knowledge.source_of(unit);
    let Some(place) = knowledge.place(unit).filter(|_| !scratch.is_ruled_out(unit)) else {
        return Said::Contrary;
    };
    // In questions of many words a part of some wording is often denied; that is no contradiction of the meaning. Where
    // something would be done, it is: who says "don't book anything" is not booked.
    let target = knowledge.target(&Candidate::of_unit(unit, source));
    let acts = matches!(target, Some(Target::Scenario { scenario, .. }) if scenario.action != Action::None);
    let closest = closest_wordings(knowledge, scratch, place, &scratch.ground());
    if closest.is_err_and(|denied| acts || denied.entirely) {
        return Said::Contrary;
    }
    match features(knowledge, scratch, unit, source) {
        Some((features, _)) => Said::Something(odds(&features)),
        None => Said::Nothing,
    }
}

/// The features of a unit and the words it matched; `None` where the utterance says the contrary.
fn features(knowledge: &Knowledge, scratch: &Scratch, unit: u32, source: Source) -> Option<(Features, Positions)> {
    let place = knowledge.place(unit)?;
    let ground = scratch.ground();
    let closest = closest_wordings(knowledge, scratch, place, &ground).ok()?;
    let vote = scratch.vote(unit);
    let best = &closest.best;
    if best.common <= 0.0 && vote.votes <= 0.0 && !vote.pattern {
        return None;
    }
    let counted = ground.total.min(RAMBLE);
    let of = |is: Source| f64::from(u8::from(source == is));
    let features = [
        of(Source::CompanyQna),
        of(Source::TradeQna),
        of(Source::Template),
        f64::from(best.wording_covered),
        f64::from(best.utterance_covered),
        f64::from(best.harmony()),
        f64::from(best.order),
        f64::from(best.complete),
        f64::from(best.window_covered * best.complete),
        f64::from(closest.next),
        f64::from(share(vote.votes, counted)),
        f64::from((vote.votes / 2.0).min(1.5)),
        f64::from((vote.pairs / 2.0).min(1.5)),
        f64::from(share(vote.covered, counted)),
        f64::from(u8::from(vote.pattern)),
        f64::from(share(closest.keywords, counted)),
        f64::from(best.doubt),
        f64::from((best.common / 3.0).min(1.5)),
        f64::from(float(best.common_words.min(4)) / 4.0),
        f64::from(share(vote.votes, vote.covered)),
        f64::from(((vote.votes - scratch.rival(unit)) / counted.max(0.25)).clamp(-1.0, 1.0)),
        f64::from(((ground.total - best.common) / 5.0).min(1.5)),
        f64::from(best.wording_covered * best.utterance_covered),
    ];
    Some((features, best.positions))
}

struct Closest {
    best: Overlap,
    /// Mean harmony of the two wordings after it.
    next: f32,
    /// Weight of the keywords that the utterance has.
    keywords: f32,
}

/// What the utterance denies is closer to a unit than what it says.
struct Denied {
    /// It denies all the content of a wording, not a part of it.
    entirely: bool,
}

fn closest_wordings(
    knowledge: &Knowledge,
    scratch: &Scratch,
    place: &Place,
    ground: &Ground<'_>,
) -> Result<Closest, Denied> {
    let mut closest = Nearby::default();
    // With the wordings that negate another word: "no light" is "the light isn't on" if it is "we have no light".
    let mut loosely = Nearby::default();
    let mut denies_the_same = false;
    let mut contrary = Against::default();
    let mut denied = Against::default();
    let mut keywords = 0.0;
    let mut denied_keywords = 0.0;
    let own = Some((place.piece, place.unit));
    let added = place.addition.map(|unit| (knowledge.pieces.len() - 1, unit));
    for (at, unit) in own.into_iter().chain(added) {
        let Some(placed) = knowledge.pieces.get(at) else {
            continue;
        };
        let slots = scratch.slots(at);
        for form in placed.piece.forms_of(unit) {
            if form.role == Role::Name {
                continue;
            }
            let Some(over) = overlap(&placed.piece, form, &placed.weights, slots, ground) else {
                continue;
            };
            if form.role == Role::Keyword {
                if over.complete > 0.0 && over.wording_covered > 0.99 {
                    let weight = over.utterance_covered * ground.total;
                    if over.contradicts || over.denies_another_word {
                        denied_keywords += weight;
                    } else {
                        keywords += weight;
                    }
                }
            } else if over.contradicts {
                contrary.add(&over);
            } else {
                loosely.add(&over, form.reworded);
                if over.denies_another_word {
                    denied.add(&over);
                } else {
                    closest.add(&over, form.reworded);
                    denies_the_same |= over.denies_the_same;
                }
            }
        }
    }
    if denies_the_same {
        closest = loosely;
        keywords += denied_keywords;
    } else {
        contrary.join(&denied);
    }
    let strength = closest.best.strength();
    if contrary.most > strength {
        let entirely = contrary.most_entire > strength;
        return Err(Denied { entirely });
    }
    let [_, second, third] = closest.top;
    Ok(Closest {
        best: closest.best,
        next: f32::midpoint(second, third),
        keywords,
    })
}

/// The strongest wordings that the utterance denies.
#[derive(Default)]
struct Against {
    most: f32,
    /// Of those that say themselves what the utterance denies, with all their content in it.
    most_entire: f32,
}

impl Against {
    fn add(&mut self, over: &Overlap) {
        self.most = self.most.max(over.strength());
        if over.denies_it && over.complete > 0.0 {
            self.most_entire = self.most_entire.max(over.strength());
        }
    }

    fn join(&mut self, other: &Self) {
        self.most = self.most.max(other.most);
        self.most_entire = self.most_entire.max(other.most_entire);
    }
}

/// The best wordings of a unit so far.
#[derive(Default)]
struct Nearby {
    best: Overlap,
    top: [f32; 3],
}

impl Nearby {
    fn add(&mut self, over: &Overlap, reworded: bool) {
        insert(&mut self.top, over.harmony(), reworded);
        if over.strength() > self.best.strength() {
            self.best = *over;
        }
    }
}

/// Keeps the three highest. A rewording replaces the wording before it where it is higher, roughly: it is one wording.
fn insert(top: &mut [f32; 3], value: f32, reworded: bool) {
    let mut value = value;
    if reworded && top.contains(&value) {
        return;
    }
    for kept in top {
        if value > *kept {
            std::mem::swap(kept, &mut value);
        }
    }
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
