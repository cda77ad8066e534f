//! Learning: a shared head once for a sequence of templates and trade Q&A, and each company's own beside it.

use std::sync::Arc;

use super::{
    crowding::{self, Crowding},
    dense::{halved, quantised},
    embedding::Embedding,
    grams::{Gram, GramReader},
    head::{Head, Vocabulary, bounds, rarity},
    means::means,
    rows::{ALWAYS, Rows, lexical_scale},
    scene::Scene,
    solver::{Examples, Postings, Problem, width},
    wordings::{OwnUnit, OwnWordings, SharedWordings, UnitWordings},
};
use crate::{normal::normalize, piece::index};

/// How much examples count against small weights.
const CARE: f32 = 20.0;
/// More logits than these are not learnt but taken from the mean of a class: time and memory stay bounded.
const MOST_LOGITS: usize = 2_000_000;

/// More logits than these are not kept of the shared wordings: 32 MB.
pub(super) const MOST_BACKGROUND: usize = 8_000_000;

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
    pub(super) examples: Rows,
    /// The unit of each example.
    pub(super) units: Vec<u32>,
    /// What the shared head says: a row of all units for each example.
    pub(super) logits: Vec<f32>,
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
    pub(super) fn right(&self) -> Vec<Option<u16>> {
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
        let all = wordings.texts().count();
        let apart = head.slots().saturating_mul(all).div_ceil(MOST_BACKGROUND).max(1);
        let chosen = wordings.texts().step_by(apart);
        let examples = Rows::read(chosen, embeddings, |gram| head.rarity_of(gram))?;
        let units = (0..).zip(&wordings.units);
        let units = units.flat_map(|(at, unit)| unit.texts.iter().map(move |_| at));
        let units: Vec<u32> = units.step_by(apart).collect();
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

/// The logarithm of the sum of exponentials.
pub(super) fn log_sum(logits: impl Iterator<Item = f32> + Clone) -> f32 {
    let highest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    if highest == f32::NEG_INFINITY {
        return -1e30;
    }
    highest + logits.map(|logit| super::dense::exp(logit - highest)).sum::<f32>().ln()
}
