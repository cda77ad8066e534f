//! Asking: what an utterance means, of a company's units.

use std::cell::RefCell;

use frontdesk_domain::confidence::Confidence;

use super::{
    Meaning,
    confidence::{Coefficients, Features},
    crowding::Crowding,
    embedding::Embedding,
    grams::{Gram, GramReader},
    head::Head,
    train::log_sum,
    wordings::of_target,
};
use crate::{
    knowledge::{Knowledge, Source},
    piece::index,
    rules::{Candidate, Said},
};

/// How many candidates of a source are given.
const CANDIDATES: usize = 5;
/// The logit of a unit that cannot answer.
const ABSENT: f32 = -1e30;
/// How many nearest wordings are averaged.
const NEAREST: usize = 5;
/// Logarithms of probabilities and differences of logits are clamped here.
const FAR: f64 = 8.0;

/// Something that could answer by its meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meant {
    /// The unit with its confidence.
    pub candidate: Candidate,
    /// The cosine of the nearest wording; 0 if words alone decide.
    pub cosine: f32,
    /// What the confidence was made of.
    pub features: Features,
    nearest: Nearest,
}

/// Which wording is nearest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Nearest {
    /// Its place among the wordings of its unit; among the company's own of it if it is one of them.
    wording: u32,
    /// The slot of the own head.
    own: Option<u32>,
}

/// What an utterance may mean, by source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meanings {
    candidates: Vec<Meant>,
}

impl Meanings {
    /// The candidates of a source, best first, at most five.
    #[must_use]
    pub fn of(&self, source: Source) -> &[Meant] {
        let start = self.candidates.partition_point(|meant| meant.candidate.source < source);
        let end = self
            .candidates
            .partition_point(|meant| meant.candidate.source <= source);
        self.candidates.get(start..end).unwrap_or_default()
    }

    /// All candidates, in ladder order.
    #[must_use]
    pub fn all(&self) -> &[Meant] {
        &self.candidates
    }
}

#[derive(Default)]
struct Scratch {
    reader: GramReader,
    grams: Vec<(Gram, f32)>,
    /// Of all units of the company.
    logits: Vec<f32>,
    own: Vec<f32>,
    looked_at: Vec<LookedAt>,
    said: Vec<Said>,
    cosines: Vec<f32>,
}

#[derive(Clone, Copy)]
struct LookedAt {
    unit: u32,
    source: Source,
    logit: f32,
    cosine: f32,
    nearest: Nearest,
}

thread_local! {
    /// Buffers, so that a question allocates its answer only.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Meaning {
    /// What an utterance in normal form may mean. A head that was learnt with embeddings needs the utterance's, of the
    /// same encoder, and says nothing without it. `knowledge` is what the heads were learnt from.
    #[must_use]
    pub fn ask(&self, knowledge: &Knowledge, utterance: &str, embedding: Option<&Embedding>) -> Meanings {
        self.ask_with(knowledge, utterance, embedding, Coefficients::embedded())
    }

    /// Asks with other coefficients than those of the build.
    #[must_use]
    pub fn ask_with(
        &self,
        knowledge: &Knowledge,
        utterance: &str,
        embedding: Option<&Embedding>,
        coefficients: &Coefficients,
    ) -> Meanings {
        let dimension = self.dimension();
        let numbers = match embedding.map(Embedding::as_slice) {
            _ if dimension == 0 => &[],
            Some(numbers) if numbers.len() == dimension => numbers,
            _ => return Meanings::default(),
        };
        if utterance.is_empty() || !self.is_of(knowledge) {
            return Meanings::default();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { reader, grams, .. } = scratch;
            let counts = self.counts();
            reader.read(utterance, |gram| counts.rarity_of(gram), grams);
            self.logits(knowledge, numbers, scratch);
            self.look_at(knowledge, numbers, scratch);
            let units = scratch.looked_at.iter().map(|looked| looked.unit);
            knowledge.said_of(utterance, units, &mut scratch.said);
            self.judge(scratch, coefficients)
        })
    }

    /// The wording of a candidate that was nearest; `None` if words alone decide.
    #[must_use]
    pub fn nearest_wording<'k>(&'k self, knowledge: &'k Knowledge, meant: &Meant) -> Option<&'k str> {
        if self.dimension() == 0 {
            return None;
        }
        let at = usize::try_from(meant.nearest.wording).ok()?;
        if let Some(text) = meant.nearest.own.and_then(|slot| self.own.added_text(slot, at)) {
            return Some(text);
        }
        of_target(knowledge.target(&meant.candidate)?).nth(at)
    }

    /// The head that counted how rare features are.
    fn counts(&self) -> &Head {
        if self.shared.head.documents > 0 {
            &self.shared.head
        } else {
            &self.own.head
        }
    }

    fn logits(&self, knowledge: &Knowledge, numbers: &[f32], scratch: &mut Scratch) {
        let Scratch { grams, logits, own, .. } = scratch;
        let units = knowledge.units.len();
        let qna = self.own.qna();
        logits.clear();
        logits.resize(units, 0.0);
        own.clear();
        own.resize(self.own.head.slots(), 0.0);
        self.shared
            .head
            .logits(numbers, grams, logits.get_mut(qna..).unwrap_or_default());
        self.own.head.logits(numbers, grams, own);
        for (slot, (logit, change)) in own.iter().zip(&self.own.changes).enumerate() {
            let unit = change.map_or(slot, |shared| {
                usize::try_from(shared).map_or(usize::MAX, |shared| qna + shared)
            });
            if let Some(cell) = logits.get_mut(unit) {
                *cell += logit;
            }
        }
        for (unit, (logit, place)) in logits.iter_mut().zip(&knowledge.units).enumerate() {
            if place.disabled || !self.is_learnt(unit) {
                *logit = ABSENT;
            }
        }
    }

    /// Whether anything was learnt of a unit.
    fn is_learnt(&self, unit: usize) -> bool {
        self.slots_of(unit)
            .any(|(head, slot, _)| !head.wordings_of(slot).is_empty())
    }

    /// The slots in which wordings of a unit are, with the number of that of the own head.
    fn slots_of(&self, unit: usize) -> impl Iterator<Item = (&Head, usize, Option<u32>)> {
        let shared = unit.checked_sub(self.own.qna());
        let own = match shared {
            None => Some(unit),
            Some(shared) => self.own.changing(index(shared)),
        };
        let own = own.map(|slot| (&self.own.head, slot, Some(index(slot))));
        shared
            .map(|slot| (&self.shared.head, slot, None))
            .into_iter()
            .chain(own)
    }

    /// Chooses the best of each source.
    fn look_at(&self, knowledge: &Knowledge, numbers: &[f32], scratch: &mut Scratch) {
        let Scratch {
            logits,
            looked_at,
            cosines,
            ..
        } = scratch;
        looked_at.clear();
        cosines.clear();
        for source in Source::ALL {
            let start = looked_at.len();
            for (unit, (logit, place)) in (0..).zip(logits.iter().zip(&knowledge.units)) {
                if place.source != source || *logit <= ABSENT {
                    continue;
                }
                let best = looked_at.get(start..).unwrap_or_default();
                let rank = best.partition_point(|known| known.logit >= *logit);
                if rank < CANDIDATES {
                    let looked = LookedAt {
                        unit,
                        source,
                        logit: *logit,
                        cosine: 0.0,
                        nearest: Nearest::default(),
                    };
                    looked_at.insert(start + rank, looked);
                    looked_at.truncate(start + CANDIDATES);
                }
            }
        }
        if numbers.is_empty() {
            return;
        }
        for looked in looked_at {
            looked.cosine = -1.0;
            let unit = usize::try_from(looked.unit).unwrap_or(usize::MAX);
            for (head, slot, own) in self.slots_of(unit) {
                for (wording, cosine) in (0..).zip(head.cosines(slot, numbers)) {
                    cosines.push(cosine);
                    if cosine > looked.cosine {
                        looked.cosine = cosine;
                        looked.nearest = Nearest { wording, own };
                    }
                }
            }
        }
    }

    fn judge(&self, scratch: &mut Scratch, coefficients: &Coefficients) -> Meanings {
        let Scratch {
            logits,
            looked_at,
            said,
            cosines,
            ..
        } = scratch;
        // What is ruled out keeps its share of the probability: nothing becomes surer because something else is denied.
        let all = log_sum(logits.iter().copied().filter(|logit| *logit > ABSENT));
        cosines.sort_unstable_by(|left, right| right.total_cmp(left));
        cosines.truncate(NEAREST);
        let nearest = mean(cosines);
        let mut meanings = Meanings {
            candidates: Vec::with_capacity(looked_at.len()),
        };
        for (looked, said) in looked_at.iter().zip(said.iter()) {
            let rules = match said {
                Said::Contrary => continue,
                Said::Nothing => -6.0,
                Said::Something(odds) => odds.clamp(-6.0, 6.0),
            };
            let others = || looked_at.iter().filter(|other| other.unit != looked.unit);
            let rival = others().map(|other| other.logit).fold(f32::NEG_INFINITY, f32::max);
            let beside = others().map(|other| other.cosine).fold(0.0, f32::max);
            let unit = self.crowding_of(looked.unit);
            let is = |source: Source| f64::from(u8::from(looked.source == source));
            let clamped = |value: f32| f64::from(value).clamp(-FAR, FAR);
            let features = [
                1.0,
                clamped(looked.logit - all),
                clamped(looked.logit - rival),
                clamped(looked.logit),
                f64::from(looked.cosine),
                f64::from(looked.cosine - beside),
                f64::from(nearest),
                rules,
                f64::from(self.own.crowding.own),
                f64::from(self.own.crowding.cross),
                f64::from(self.own.crowding.apart),
                f64::from(unit.own - unit.cross),
                is(Source::CompanyQna),
                is(Source::TradeQna),
            ];
            let confidence = coefficients.probability(self.dimension() == 0, &features);
            meanings.candidates.push(Meant {
                candidate: Candidate::of_unit(looked.unit, looked.source)
                    .with_confidence(Confidence::clamped(confidence.min(0.999))),
                cosine: looked.cosine,
                features,
                nearest: looked.nearest,
            });
        }
        meanings.candidates.sort_by(|left, right| {
            let surer = right
                .candidate
                .confidence
                .get()
                .total_cmp(&left.candidate.confidence.get());
            let first = left.candidate.source.cmp(&right.candidate.source);
            first.then(surer).then(left.candidate.unit.cmp(&right.candidate.unit))
        });
        meanings
    }

    fn crowding_of(&self, unit: u32) -> Crowding {
        let unit = usize::try_from(unit).unwrap_or(usize::MAX);
        let of = |of: fn(&Head) -> &[f32]| {
            self.slots_of(unit)
                .flat_map(move |(head, slot, _)| of(head).get(head.wordings_of(slot)).unwrap_or_default())
                .copied()
        };
        Crowding::mean(of(|head| &head.near), of(|head| &head.cross))
    }
}

fn mean(values: &[f32]) -> f32 {
    let count = f32::from(u16::try_from(values.len()).unwrap_or(u16::MAX));
    if count > 0.0 {
        values.iter().sum::<f32>() / count
    } else {
        0.0
    }
}
