//! Reading an utterance against a company's knowledge: which terms it has, where, and what they vote for.

mod repair;
mod voting;

use crate::{
    evidence::{Ground, Positions, Slot, class_factor, filler_factor, mark, share_of_one},
    hash::Term,
    knowledge::{Knowledge, Placed, Source, Spot},
    language::Class,
    lexicon::{Canonical, Rewording},
    patterns::Found,
    piece::{Having, Posting, TermInfo},
    words::{Reader, Word, counts_from},
};

/// How many units of a source are looked at closely.
pub(super) const LOOKED_AT: usize = 6;

/// A term of the utterance, as it was said or as it was meant.
#[derive(Debug, Clone, Copy)]
struct Seen {
    stem: Term,
    class: Class,
    at: u8,
    /// How much of a vote it has: a rewording of several words is one thing.
    vote: f32,
}

/// What the terms of the utterance say for one unit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Vote {
    generation: u32,
    /// Each term's weight times the share of its wordings that are this unit's.
    pub(super) votes: f32,
    /// The same for two words in a row.
    pub(super) pairs: f32,
    /// Weight of the terms that occur in the unit at all.
    pub(super) covered: f32,
    /// One of its patterns matches.
    pub(super) pattern: Option<Found>,
    /// It is looked at closely.
    chosen: bool,
    /// One of its negatives occurs.
    ruled_out: bool,
    last_term: u32,
}

impl Vote {
    /// Whether the utterance says what one of its patterns asks for.
    pub(super) fn has_pattern(&self) -> bool {
        self.pattern == Some(Found::Said)
    }

    /// What units are preselected by.
    pub(super) fn rank(&self) -> f32 {
        let pattern = if self.has_pattern() { 0.5 } else { 0.0 };
        self.votes + 0.5 * self.pairs + 0.1 * self.covered + pattern
    }
}

/// Buffers of a decision. Nothing in them outlives it but their capacity.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    generation: u32,
    reader: Reader,
    pub(super) words: Vec<Word>,
    rewording: Rewording,
    is_reworded: bool,
    seen: Vec<Seen>,
    slots: Vec<Vec<Slot>>,
    votes: Vec<Vote>,
    /// Units with a vote, in the order in which they got the first.
    pub(super) touched: Vec<u32>,
    pub(super) weights: Vec<f32>,
    before: Vec<f32>,
    pub(super) total: f32,
    pub(super) known: Positions,
    repaired: Positions,
    /// Where the term in work stands.
    spots: Vec<Spot>,
    /// For each position, the pieces that have its word, as bits; the pieces after the last bit share it.
    having: Vec<u64>,
    /// The units of each source that are looked at closely.
    pub(super) chosen: [[Option<u32>; LOOKED_AT]; Source::ALL.len()],
    /// The two units with the most votes.
    leaders: [(u32, f32); 2],
    found: Vec<(usize, Having)>,
    due: Vec<usize>,
    text: String,
    stem: String,
}

impl Scratch {
    /// Reads the words, what they mean in the company's terms, and what they rule out.
    pub(super) fn read(&mut self, knowledge: &Knowledge, utterance: &str) {
        self.begin(knowledge);
        let language = knowledge.language;
        self.reader.read(utterance, language, &mut self.words);
        knowledge.lexicon.mark_fillers(&mut self.words);
        self.is_reworded = knowledge.lexicon.reword(&self.words, &mut self.rewording);
        self.rule_out(knowledge);
    }

    /// Lets the words that were read vote.
    pub(super) fn weigh(&mut self, knowledge: &Knowledge, utterance: &str) {
        let from = counts_from(&self.words, knowledge.language);
        self.collect(from);
        self.look_up(knowledge, from);
        self.repair(knowledge, utterance, from);
        self.pairs(knowledge, from);
        self.weigh_positions(from);
        self.choose(knowledge);
        if self.patterns(knowledge, utterance, from) {
            self.choose(knowledge);
        }
        self.find_leaders();
    }

    /// The words laid out for wordings to be compared with.
    pub(super) fn ground(&self) -> Ground<'_> {
        Ground {
            words: &self.words,
            weights: &self.weights,
            before: &self.before,
            repaired: &self.repaired,
            total: self.total,
            generation: self.generation,
        }
    }

    pub(super) fn slots(&self, piece: usize) -> &[Slot] {
        self.slots.get(piece).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn vote(&self, unit: u32) -> Vote {
        let vote = usize::try_from(unit)
            .ok()
            .and_then(|unit| self.votes.get(unit))
            .copied()
            .unwrap_or_default();
        if vote.generation == self.generation {
            vote
        } else {
            Vote::default()
        }
    }

    /// The most votes of any other unit, of whatever source.
    pub(super) fn rival(&self, unit: u32) -> f32 {
        let [(first, most), (_, second)] = self.leaders;
        if first == unit { second } else { most }
    }

    fn find_leaders(&mut self) {
        let mut leaders = [(u32::MAX, 0.0_f32); 2];
        for unit in &self.touched {
            let votes = self.vote(*unit).votes;
            let [first, second] = &mut leaders;
            if votes > first.1 {
                *second = *first;
                *first = (*unit, votes);
            } else if votes > second.1 {
                *second = (*unit, votes);
            }
        }
        self.leaders = leaders;
    }

    pub(super) fn is_ruled_out(&self, unit: u32) -> bool {
        self.vote(unit).ruled_out
    }

    /// The utterance in the company's technical terms; empty when it has no synonym.
    pub(super) fn reworded(&self) -> impl Iterator<Item = &Canonical> {
        let words = if self.is_reworded {
            self.rewording.words.as_slice()
        } else {
            &[]
        };
        words.iter()
    }

    fn begin(&mut self, knowledge: &Knowledge) {
        // Slots and votes of another generation count as empty, so nothing is cleared.
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.clear();
            self.votes.clear();
            self.generation = 1;
        }
        if self.slots.len() < knowledge.pieces.len() {
            self.slots.resize_with(knowledge.pieces.len(), Vec::new);
        }
        for (slots, placed) in self.slots.iter_mut().zip(&knowledge.pieces) {
            if slots.len() < placed.piece.terms.len() {
                slots.resize(placed.piece.terms.len(), Slot::default());
            }
        }
        if self.votes.len() < knowledge.units.len() {
            self.votes.resize(knowledge.units.len(), Vote::default());
        }
        self.seen.clear();
        self.touched.clear();
        self.weights.clear();
        self.having.clear();
        self.known = Positions::default();
        self.repaired = Positions::default();
    }

    fn collect(&mut self, from: usize) {
        for (at, word) in self.words.iter().enumerate().skip(from) {
            self.seen.push(Seen {
                stem: word.stem,
                class: word.class,
                at: position(at),
                vote: 1.0,
            });
        }
        if self.is_reworded {
            for canonical in self
                .rewording
                .words
                .iter()
                .filter(|canonical| canonical.replaced && canonical.start >= from)
            {
                let word = canonical.word;
                self.seen.push(Seen {
                    stem: word.stem,
                    class: word.class,
                    at: position(canonical.start),
                    vote: 0.5,
                });
            }
        }
    }

    fn look_up(&mut self, knowledge: &Knowledge, from: usize) {
        self.weights.resize(self.words.len(), 0.0);
        self.having.resize(self.words.len(), 0);
        for index in 0..self.seen.len() {
            if let Some(seen) = self.seen.get(index).copied() {
                self.look_up_term(knowledge, seen, index);
            }
        }
        // Words that stand for something else weigh as much as that, together.
        if self.is_reworded {
            let replaced = self
                .rewording
                .words
                .iter()
                .filter(|canonical| canonical.replaced && canonical.start >= from);
            for canonical in replaced {
                let others = canonical.start + 1..canonical.start + canonical.length;
                self.weights
                    .get_mut(others)
                    .into_iter()
                    .flatten()
                    .for_each(|weight| *weight = 0.0);
            }
        }
        // A filler that the company uses as a word is no filler when wordings are compared as a whole.
        for (at, word) in self.words.iter_mut().enumerate() {
            let means_something = word.class.is_content() && !word.class.any(Class::WEAK);
            if word.class.any(Class::FILLER) && means_something && crate::evidence::is_marked(&self.known, at) {
                word.class = word.class.base();
            }
        }
    }

    /// Finds a term in every piece, notes where it stands, and lets it vote. Returns whether any piece has it.
    fn look_up_term(&mut self, knowledge: &Knowledge, seen: Seen, index: usize) -> bool {
        let at = usize::from(seen.at);
        let mut value = None;
        self.spots.clear();
        self.spots.extend(knowledge.spots(seen.stem));
        let wordings = self.spots.iter().filter_map(|spot| knowledge.term(*spot));
        let share = share_of_one(wordings.map(|info| info.having.wordings).sum());
        for index_of_spot in 0..self.spots.len() {
            let Some(spot) = self.spots.get(index_of_spot).copied() else {
                break;
            };
            let Some(placed) = knowledge.pieces.get(spot.piece) else {
                continue;
            };
            let weight = placed.weights.get(spot.id).copied().unwrap_or_default();
            value = Some(weight);
            if let Some(having) = self.having.get_mut(at) {
                *having |= piece_bit(spot.piece);
            }
            let Some(slot) = self.slots.get_mut(spot.piece).and_then(|slots| slots.get_mut(spot.id)) else {
                continue;
            };
            let is_first = slot.generation != self.generation;
            if is_first {
                *slot = Slot {
                    generation: self.generation,
                    ..Slot::default()
                };
            }
            if let Some(place) = slot.at.get_mut(usize::from(slot.count)) {
                *place = seen.at;
                slot.count += 1;
            }
            if is_first && seen.class.is_content() {
                let term = crate::piece::index(index) + 1;
                let ballot = Ballot {
                    term,
                    weight: weight * seen.vote,
                    share,
                };
                if let Some(info) = placed.piece.terms.get(spot.id) {
                    vote_for(
                        &mut self.votes,
                        &mut self.touched,
                        self.generation,
                        placed,
                        info,
                        ballot,
                    );
                }
            }
        }
        let known = value.is_some();
        let value = value.unwrap_or_else(|| unknown_weight(seen.class));
        let factor = filler_factor(seen.class.any(Class::FILLER));
        if let Some(weight) = self.weights.get_mut(at) {
            *weight = weight.max(value * factor);
        }
        if known {
            mark(&mut self.known, seen.at);
        }
        known
    }

    fn rule_out(&mut self, knowledge: &Knowledge) {
        for placed in &knowledge.pieces {
            if placed.piece.negatives.is_empty() {
                continue;
            }
            let reworded = if self.is_reworded {
                self.rewording.words.as_slice()
            } else {
                &[]
            };
            for start in 0..self.words.len().max(reworded.len()) {
                let said = self
                    .words
                    .get(start..)
                    .unwrap_or_default()
                    .iter()
                    .map(|word| word.exact);
                let meant = reworded
                    .get(start..)
                    .unwrap_or_default()
                    .iter()
                    .map(|canonical| canonical.word.exact);
                let (votes, touched, generation) = (&mut self.votes, &mut self.touched, self.generation);
                let mut rule_out = |unit: u32| {
                    if let Some(vote) = touch(votes, touched, generation, placed.number(unit)) {
                        vote.ruled_out = true;
                    }
                };
                negatives_at(placed, said).for_each(&mut rule_out);
                negatives_at(placed, meant).for_each(&mut rule_out);
            }
        }
    }

    fn weigh_positions(&mut self, from: usize) {
        self.weights.iter_mut().take(from).for_each(|weight| *weight = 0.0);
        self.before.clear();
        let mut sum = 0.0;
        for weight in &self.weights {
            self.before.push(sum);
            sum += weight;
        }
        self.total = sum;
    }
}

/// Units with a negative trigger that begins here.
fn negatives_at<'a>(
    placed: &'a Placed,
    terms: impl Iterator<Item = Term> + Clone + 'a,
) -> impl Iterator<Item = u32> + 'a {
    let first = terms.clone().next();
    let phrases = first
        .and_then(|first| placed.piece.negatives.get(&first))
        .into_iter()
        .flatten();
    phrases.filter_map(move |(phrase, unit)| {
        let here = terms.clone().take(phrase.len());
        here.eq(phrase.iter().copied()).then_some(*unit)
    })
}

/// A term's vote.
#[derive(Debug, Clone, Copy)]
struct Ballot {
    /// Which term, so that it covers a unit once.
    term: u32,
    weight: f32,
    /// Of it for each wording that has the term.
    share: f32,
}

fn vote_for(
    votes: &mut [Vote],
    touched: &mut Vec<u32>,
    generation: u32,
    placed: &Placed,
    info: &TermInfo,
    ballot: Ballot,
) {
    for (unit, count) in numbered(placed, info) {
        let Some(vote) = touch(votes, touched, generation, unit) else {
            continue;
        };
        vote.votes += ballot.weight * f32::from(count) * ballot.share;
        if vote.last_term != ballot.term {
            vote.covered += ballot.weight;
            vote.last_term = ballot.term;
        }
    }
}

fn numbered<'a>(placed: &'a Placed, info: &TermInfo) -> impl Iterator<Item = (u32, u16)> + 'a {
    placed
        .piece
        .postings_of(info.having)
        .iter()
        .map(|Posting { unit, count }| (placed.number(*unit), *count))
}

fn touch<'a>(votes: &'a mut [Vote], touched: &mut Vec<u32>, generation: u32, unit: u32) -> Option<&'a mut Vote> {
    let vote = votes.get_mut(usize::try_from(unit).ok()?)?;
    if vote.generation != generation {
        *vote = Vote {
            generation,
            ..Vote::default()
        };
        touched.push(unit);
    }
    Some(vote)
}

/// A word that the company does not have weighs as much as one that a single unit has.
const fn unknown_weight(class: Class) -> f32 {
    if class.is_content() { class_factor(class) } else { 0.0 }
}

/// The bit of a piece; a company with more than 64 pieces shares the last one, which costs only time.
const fn piece_bit(piece: usize) -> u64 {
    1 << if piece > 63 { 63 } else { piece }
}

fn position(at: usize) -> u8 {
    u8::try_from(at).unwrap_or(u8::MAX)
}
