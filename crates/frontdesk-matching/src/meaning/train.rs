//! Learning: a shared head once for a sequence of templates and trade Q&A, and each company's own beside it.

use std::sync::Arc;

use super::{
    crowding::{self, Crowding},
    dense::{halved, quantised},
    embedding::Embedding,
    grams::{Gram, GramReader},
    head::{Head, Vocabulary, bounds, rarity},
    solver::{Examples, Postings, Problem, width},
    wordings::{OwnUnit, OwnWordings, SharedWordings, UnitWordings},
};
use crate::{normal::normalize, piece::index};

/// How much words and letters count beside an embedding.
const LEXICAL: f32 = 0.5;
/// The same where there is no embedding; the smaller factor costs words alone 1.6 points.
const LEXICAL_ALONE: f32 = 1.0;
/// The number beside an embedding that is the same in every example, so that a class can be likelier than another.
const ALWAYS: f32 = 0.3;
/// How much examples count against small weights.
const CARE: f32 = 20.0;
/// More logits than these are not learnt but taken from the mean of a class: time and memory stay bounded.
const MOST_LOGITS: usize = 2_000_000;
/// The factor of a mean then.
const STEEPNESS: f32 = 15.0;

/// Gives the embedding of a text; all have the same length.
pub type Embeddings<'a> = &'a dyn Fn(&str) -> Option<Arc<Embedding>>;

/// Why there is no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTrained {
    /// What is learnt from has changed meanwhile, or the process ends.
    #[error("stopped")]
    Stopped,
    /// An embedding is missing, or is not as long as the others.
    #[error("no embedding of {0:?}")]
    NoEmbedding(String),
    /// A class is numbered with 16 bits.
    #[error("{0} scenarios and Q&As are more than can be told apart")]
    TooMany(usize),
}

/// Learnt from what companies share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedHead {
    pub(super) head: Head,
}

/// Learnt from what is a company's own, beside a shared head.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnHead {
    pub(super) head: Head,
    /// For each slot, the shared unit whose logit it changes.
    pub(super) changes: Vec<Option<u32>>,
    /// The texts of those, for the trace.
    pub(super) added: Vec<Box<str>>,
    /// How crowded the company's wordings are, shared and own.
    pub(super) crowding: Crowding,
}

/// The shared wordings as examples, for learning the own heads of any number of companies against them.
#[derive(Debug, Default)]
pub struct Background {
    examples: Rows,
    /// The unit of each example.
    units: Vec<u32>,
    /// What the shared head says: a row of all units for each example.
    pub(super) logits: Vec<f32>,
}

/// Wordings as numbers.
#[derive(Debug, Default)]
struct Rows {
    dimension: usize,
    dense: Vec<f32>,
    starts: Vec<usize>,
    grams: Vec<(Gram, f32)>,
}

const fn lexical_scale(dimension: usize) -> f32 {
    if dimension == 0 { LEXICAL_ALONE } else { LEXICAL }
}

impl Rows {
    fn read<'t>(
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

    fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn dense_row(&self, at: usize) -> &[f32] {
        let start = at * self.dimension;
        self.dense.get(start..start + self.dimension).unwrap_or_default()
    }

    fn grams_of(&self, at: usize) -> &[(Gram, f32)] {
        let bound = |at: usize| self.starts.get(at).copied().unwrap_or_default();
        self.grams.get(bound(at)..bound(at + 1)).unwrap_or_default()
    }

    /// Appends these to what is learnt from; only features of the vocabulary count.
    fn add_to(&self, examples: &mut Examples, vocabulary: &Vocabulary) {
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

/// What a class is made of before anything is learnt.
fn outline(units: &[&UnitWordings], counted_here: bool) -> Result<(Head, Postings), NotTrained> {
    let mut reader = GramReader::default();
    let mut having: Vec<(Gram, u16)> = Vec::new();
    let mut head = Head::default();
    let mut documents = 0_u32;
    head.wordings.push(0);
    for (slot, unit) in units.iter().enumerate() {
        let slot = u16::try_from(slot).map_err(|_| NotTrained::TooMany(units.len()))?;
        for text in &unit.texts {
            documents += 1;
            having.extend(reader.distinct(&normalize(text)).iter().map(|gram| (*gram, slot)));
        }
        head.wordings.push(documents);
        head.identities.push(unit.identity);
    }
    having.sort_unstable();
    let mut features = Vec::new();
    let mut postings: Vec<(u32, u16)> = Vec::new();
    for run in having.chunk_by(|left, right| left.0 == right.0) {
        let feature = index(features.len());
        features.extend(run.first().map(|(gram, _)| *gram));
        if counted_here {
            head.rarity.push(rarity(documents, index(run.len())));
        }
        let slots = run.chunk_by(|left, right| left.1 == right.1);
        postings.extend(slots.filter_map(|same| same.first()).map(|(_, slot)| (feature, *slot)));
    }
    if counted_here {
        head.documents = documents;
    }
    let postings = Postings::new(features.len(), &postings);
    head.vocabulary = Vocabulary::new(features);
    Ok((head, postings))
}

impl Head {
    /// The class of each wording.
    fn right(&self) -> Vec<Option<u16>> {
        (0..self.identities.len())
            .flat_map(|slot| bounds(&self.wordings, slot).map(move |_| u16::try_from(slot).ok()))
            .collect()
    }

    /// Keeps what was learnt, and the wordings as they are compared with.
    fn keep(&mut self, rows: &Rows, postings: Postings, learnt: &[f32]) {
        let classes = self.identities.len();
        let width = width(classes);
        self.dimension = rows.dimension;
        let (dense, lexical) = learnt
            .split_at_checked((rows.dimension + 1) * width)
            .unwrap_or_default();
        let column = |slot: usize| dense.iter().skip(slot).step_by(width.max(1));
        for slot in 0..classes {
            self.dense
                .extend(column(slot).take(rows.dimension).map(|value| halved(*value)));
            self.bias
                .push(ALWAYS * column(slot).nth(rows.dimension).copied().unwrap_or_default());
        }
        let scale = lexical_scale(rows.dimension);
        self.weights = lexical.iter().map(|value| halved(scale * value)).collect();
        self.starts = postings.starts;
        self.slots = postings.slots;
        if rows.dimension > 0 {
            for at in 0..rows.count() {
                let step = quantised(rows.dense_row(at), &mut self.rows);
                self.steps.push(step);
            }
        }
        self.shrink();
    }
}

/// Where there are too many classes and examples: the mean of a class in place of what would be learnt.
fn means(problem: &Problem<'_>, stop: &dyn Fn() -> bool) -> Result<Vec<f32>, NotTrained> {
    let width = width(problem.classes);
    let inner = problem.examples.inner;
    let mut weights = vec![0.0; problem.weights()];
    let mut counts = vec![0_u32; problem.classes];
    let slots = || problem.right.iter().flatten().map(|slot| usize::from(*slot));
    slots().for_each(|slot| {
        if let Some(count) = counts.get_mut(slot) {
            *count += 1;
        }
    });
    let share = |slot: usize| {
        let count = counts.get(slot).copied().unwrap_or(1).max(1);
        STEEPNESS / f32::from(u16::try_from(count).unwrap_or(u16::MAX))
    };
    let (dense, lexical) = weights.split_at_mut_checked(inner * width).unwrap_or_default();
    let rows = problem.examples.dense.chunks_exact(inner.max(1)).zip(problem.right);
    for (at, (row, right)) in rows.enumerate() {
        if at % 1024 == 0 && stop() {
            return Err(NotTrained::Stopped);
        }
        let Some(slot) = right.map(usize::from) else { continue };
        // The last number is the same everywhere and says nothing.
        let numbers = row.iter().take(inner.saturating_sub(1));
        for (cell, value) in dense.iter_mut().skip(slot).step_by(width).zip(numbers) {
            *cell += share(slot) * value;
        }
        let bounds = |at: usize| problem.examples.starts.get(at).copied().unwrap_or_default();
        let cells = problem
            .examples
            .cells
            .get(bounds(at)..bounds(at + 1))
            .unwrap_or_default();
        for (feature, value) in cells {
            let range = problem.postings.of(*feature);
            let having = problem.postings.slots.get(range.clone()).unwrap_or_default();
            let here = u16::try_from(slot)
                .ok()
                .and_then(|slot| having.binary_search(&slot).ok());
            if let Some(cell) = here.and_then(|here| lexical.get_mut(range.start + here)) {
                *cell += share(slot) * value;
            }
        }
    }
    Ok(weights)
}

fn learn(problem: &Problem<'_>, stop: &dyn Fn() -> bool) -> Result<Vec<f32>, NotTrained> {
    if problem.examples.count().saturating_mul(width(problem.classes)) > MOST_LOGITS {
        means(problem, stop)
    } else {
        problem.solve(stop).ok_or(NotTrained::Stopped)
    }
}

impl SharedHead {
    /// Learns from shared wordings, with embeddings or by words alone.
    ///
    /// # Errors
    /// When told to stop, when an embedding is missing, or for more than 65,535 units.
    pub fn train(
        wordings: &SharedWordings,
        embeddings: Option<Embeddings<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, NotTrained> {
        let (mut head, postings) = outline(&wordings.units.iter().collect::<Vec<_>>(), true)?;
        let rows = Rows::read(wordings.texts(), embeddings, |gram| head.rarity_of(gram))?;
        let mut examples = Examples {
            inner: rows.dimension + 1,
            ..Examples::default()
        };
        rows.add_to(&mut examples, &head.vocabulary);
        let right = head.right();
        let problem = Problem {
            examples: &examples,
            postings: &postings,
            classes: head.identities.len(),
            right: &right,
            rest: &[],
            base: &[],
            care: CARE,
        };
        let learnt = learn(&problem, stop)?;
        head.keep(&rows, postings, &learnt);
        (head.near, head.cross) = crowding::of_shared(&rows.dense, rows.dimension, &right, stop)?;
        Ok(Self { head })
    }

    /// Whether it was learnt by words alone.
    #[must_use]
    pub fn is_lexical(&self) -> bool {
        self.head.dimension == 0
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.size()
    }

    /// What own heads are learnt against; of very many wordings evenly chosen ones. Worth keeping while several companies are learnt, no longer.
    ///
    /// # Errors
    /// When an embedding is missing.
    pub fn background(
        &self,
        wordings: &SharedWordings,
        embeddings: Option<Embeddings<'_>>,
    ) -> Result<Background, NotTrained> {
        let head = &self.head;
        let examples = Rows::read(wordings.texts(), embeddings, |gram| head.rarity_of(gram))?;
        let units = (0..).zip(&wordings.units);
        let units: Vec<u32> = units
            .flat_map(|(at, unit)| unit.texts.iter().map(move |_| at))
            .collect();
        let mut logits = vec![0.0; head.slots() * examples.count()];
        for (at, row) in logits.chunks_exact_mut(head.slots().max(1)).enumerate() {
            head.logits(examples.dense_row(at), examples.grams_of(at), row);
        }
        Ok(Background {
            examples,
            units,
            logits,
        })
    }
}

impl OwnHead {
    /// Learns what is a company's own, beside the shared head that `background` was made with.
    ///
    /// # Errors
    /// When told to stop, when an embedding is missing, or for more than 65,535 units.
    pub fn train(
        wordings: &OwnWordings,
        shared: &SharedHead,
        background: &Background,
        embeddings: Option<Embeddings<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, NotTrained> {
        let units: Vec<&UnitWordings> = wordings.units.iter().map(|unit| &unit.wordings).collect();
        let (mut head, postings) = outline(&units, shared.head.documents == 0)?;
        let rarity_of = |gram: Gram| {
            if shared.head.documents == 0 {
                head.rarity_of(gram)
            } else {
                shared.head.rarity_of(gram)
            }
        };
        let rows = Rows::read(wordings.texts(), embeddings, rarity_of)?;
        let changes: Vec<Option<u32>> = wordings.units.iter().map(|unit| unit.shared).collect();
        let is_added = |unit: &&OwnUnit| unit.shared.is_some();
        let added = wordings.units.iter().filter(is_added);
        let added = added.flat_map(|unit| unit.wordings.texts.iter().map(|text| text.as_str().into()));
        let added: Vec<Box<str>> = added.collect();
        let crowding = Crowding::new(
            &shared.head,
            (&background.examples.dense, &background.units),
            &rows.dense,
            &mut head,
            &changes,
            rows.dimension.max(background.examples.dimension),
        );
        if rows.count() == 0 {
            head.keep(
                &rows,
                postings,
                &vec![0.0; (rows.dimension + 1) * width(head.identities.len())],
            );
            return Ok(Self {
                head,
                changes,
                added,
                crowding,
            });
        }
        let scene = Scene::new(wordings, &changes, shared, background, &rows, &head);
        let problem = Problem {
            examples: &scene.examples,
            postings: &postings,
            classes: head.identities.len(),
            right: &scene.right,
            rest: &scene.rest,
            base: &scene.base,
            care: CARE,
        };
        let learnt = learn(&problem, stop)?;
        head.keep(&rows, postings, &learnt);
        Ok(Self {
            head,
            changes,
            added,
            crowding,
        })
    }

    /// How many of the slots are the company's own Q&A.
    pub(super) fn qna(&self) -> usize {
        self.changes.partition_point(Option::is_none)
    }

    /// The slot that changes a shared unit.
    pub(super) fn changing(&self, shared: u32) -> Option<usize> {
        let qna = self.qna();
        let changes = self.changes.get(qna..)?;
        changes.binary_search(&Some(shared)).ok().map(|at| qna + at)
    }

    /// The text of a company's own trigger.
    pub(super) fn added_text(&self, slot: u32, wording: usize) -> Option<&str> {
        let slot = usize::try_from(slot).ok()?;
        let before = self.head.wordings_of(self.qna()).start;
        let at = self.head.wordings_of(slot).start.checked_sub(before)? + wording;
        let is_added = self.changes.get(slot)?.is_some();
        is_added.then(|| self.added.get(at).map(AsRef::as_ref))?
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts: usize = self.added.iter().map(|text| text.len() + 16).sum();
        self.head.size() + texts + 8 * self.changes.capacity()
    }
}

/// Own examples, then the shared ones that answer at this company, with what the shared head says of each.
struct Scene {
    examples: Examples,
    right: Vec<Option<u16>>,
    rest: Vec<f32>,
    base: Vec<f32>,
}

impl Scene {
    fn new(
        wordings: &OwnWordings,
        changes: &[Option<u32>],
        shared: &SharedHead,
        background: &Background,
        rows: &Rows,
        head: &Head,
    ) -> Self {
        let mut scene = Self {
            examples: Examples {
                inner: rows.dimension + 1,
                ..Examples::default()
            },
            right: head.right(),
            rest: Vec::new(),
            base: Vec::new(),
        };
        rows.add_to(&mut scene.examples, &head.vocabulary);
        let units = shared.head.slots();
        let width = width(changes.len());
        let slot_of = |unit: usize| {
            changes
                .iter()
                .position(|change| change.map(usize::try_from) == Some(Ok(unit)))
        };
        let slots: Vec<Option<usize>> = (0..units).map(slot_of).collect();
        let is_disabled = |unit: u32| wordings.disabled.binary_search(&unit).is_ok();
        let answers: Vec<bool> = (0..index(units)).map(|unit| !is_disabled(unit)).collect();
        let mut add = |logits: &[f32]| {
            let stays = |unit: &usize| {
                slots.get(*unit).copied().flatten().is_none() && answers.get(*unit).copied().unwrap_or_default()
            };
            let all = (0..units).filter(stays).filter_map(|unit| logits.get(unit).copied());
            scene.rest.push(log_sum(all));
            let start = scene.base.len();
            scene.base.resize(start + width, 0.0);
            for (unit, slot) in slots.iter().enumerate() {
                let cell = slot.and_then(|slot| scene.base.get_mut(start + slot));
                if let Some((cell, logit)) = cell.zip(logits.get(unit)) {
                    *cell = *logit;
                }
            }
        };
        let mut logits = vec![0.0; units];
        for at in 0..rows.count() {
            logits.fill(0.0);
            shared.head.logits(rows.dense_row(at), rows.grams_of(at), &mut logits);
            add(&logits);
        }
        let theirs = background.logits.chunks_exact(units.max(1)).zip(&background.units);
        let mut kept = Rows {
            dimension: background.examples.dimension,
            starts: vec![0],
            ..Rows::default()
        };
        for (at, (logits, unit)) in theirs.enumerate().filter(|(_, (_, unit))| !is_disabled(**unit)) {
            add(logits);
            let slot = usize::try_from(*unit)
                .ok()
                .and_then(|unit| slots.get(unit).copied().flatten());
            scene.right.push(slot.and_then(|slot| u16::try_from(slot).ok()));
            kept.dense.extend_from_slice(background.examples.dense_row(at));
            kept.grams.extend_from_slice(background.examples.grams_of(at));
            kept.starts.push(kept.grams.len());
        }
        kept.add_to(&mut scene.examples, &head.vocabulary);
        scene
    }
}

/// The logarithm of the sum of exponentials.
pub(super) fn log_sum(logits: impl Iterator<Item = f32> + Clone) -> f32 {
    let highest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    if highest == f32::NEG_INFINITY {
        return -1e30;
    }
    highest + logits.map(|logit| super::dense::exp(logit - highest)).sum::<f32>().ln()
}
