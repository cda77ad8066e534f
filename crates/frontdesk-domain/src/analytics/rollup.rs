//! The counts of a quarter of an hour.

use std::{collections::BTreeMap, sync::Arc};

use super::{Bucket, Counter, Histogram, LlmStep, TurnFacts};
use crate::{decision::Source, money::PicoUsd};

/// What kind of thing answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnswerKind {
    /// A scenario of a template.
    Scenario,
    /// A Q&A.
    Qna,
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnswerKey {
    /// What it is.
    pub kind: AnswerKind,
    /// Its id.
    pub id: Arc<str>,
}

/// How often something answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    /// Turns that it answered.
    pub turns: i64,
    /// Of these, turns in which the LLM chose it.
    pub by_llm: i64,
    /// What these turns cost.
    pub cost: PicoUsd,
}

/// A stored roll-up that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a roll-up is cut short or of a newer version")]
pub struct Damaged;

/// The first byte of the stored form.
const VERSION: u8 = 1;

/// The most that one turn counts for, in pico-USD (9,007 USD) and in tokens. What a provider claims to have used may be any
/// number, and sums of millions of turns have to fit into an integer of 64 bits. The ledger has the amount itself.
const MOST_COST: i64 = 1 << 53;
const MOST_TOKENS: i64 = 1 << 40;

/// Counts of turns: of a quarter of an hour, or the sum of several.
///
/// Nothing in it is a caller's: no words, no number, no call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollup {
    /// By the counters' numbers, rising; none is 0.
    counts: Vec<(u16, i64)>,
    answers: BTreeMap<AnswerKey, Answers>,
}

impl Rollup {
    /// Counts one turn. This is what every figure of the analytics means.
    pub fn count(&mut self, turn: &TurnFacts<'_>) {
        self.bump(Counter::Turns, 1);
        self.bump(Counter::Calls, i64::from(turn.turn == 1));
        self.bump(Counter::Escalations, i64::from(turn.escalation.required));
        self.bump(Counter::Emergencies, i64::from(turn.emergency));
        let cost = turn.cost_usd.pico().min(MOST_COST);
        self.bump(Counter::Cost, cost);
        let tokens = turn.tokens.unwrap_or_default();
        self.bump(
            Counter::Tokens,
            i64::try_from(tokens).unwrap_or(i64::MAX).min(MOST_TOKENS),
        );
        self.bump(Counter::Source(turn.source), 1);
        if let Some(tier) = turn.tier {
            self.bump(Counter::Tier(tier), 1);
        }
        if let Some(kind) = turn.fallback_type {
            self.bump(Counter::Fallback(kind), 1);
        }
        self.bump(Counter::Outcome(turn.outcome), 1);
        let llm = turn.llm();
        if let Some(step) = llm {
            self.bump(Counter::Llm(step), 1);
        }
        let histogram = match llm {
            Some(step) if step.was_asked() => Histogram::Llm,
            _ => Histogram::Local,
        };
        self.bump(Counter::Latency(histogram, Bucket::of(turn.latency_micros)), 1);
        let scenario = turn.scenario_id.as_ref().map(|id| (AnswerKind::Scenario, id.shared()));
        let qna = turn.qna_id.as_ref().map(|id| (AnswerKind::Qna, id.shared()));
        if let Some((kind, id)) = scenario.or(qna) {
            let answers = self.answers.entry(AnswerKey { kind, id }).or_default();
            answers.turns += 1;
            answers.by_llm += i64::from(turn.source == Source::Llm);
            answers.cost = answers.cost + PicoUsd::from_pico(cost);
        }
    }

    fn bump(&mut self, counter: Counter, by: i64) {
        self.bump_code(counter.code(), by);
    }

    fn bump_code(&mut self, code: u16, by: i64) {
        if by == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => {
                let Some((_, count)) = self.counts.get_mut(at) else {
                    return;
                };
                *count = count.saturating_add(by);
                if *count == 0 {
                    self.counts.remove(at);
                }
            }
            Err(at) => self.counts.insert(at, (code, by)),
        }
    }

    /// Adds another one's counts.
    pub fn add(&mut self, other: &Self) {
        for (code, count) in &other.counts {
            self.bump_code(*code, *count);
        }
        for (key, more) in &other.answers {
            let answers = self.answers.entry(key.clone()).or_default();
            answers.turns += more.turns;
            answers.by_llm += more.by_llm;
            answers.cost = answers.cost + more.cost;
        }
    }

    /// The same counts without what answered, of which there may be any number: so much is kept of all companies
    /// together.
    #[must_use]
    pub fn without_answers(&self) -> Self {
        Self {
            counts: self.counts.clone(),
            answers: BTreeMap::new(),
        }
    }

    /// A count; 0 if nothing was counted.
    #[must_use]
    pub fn get(&self, counter: Counter) -> i64 {
        self.by_code(counter.code())
    }

    fn by_code(&self, code: u16) -> i64 {
        let found = self.counts.binary_search_by_key(&code, |(code, _)| *code);
        found
            .ok()
            .and_then(|at| self.counts.get(at))
            .map_or(0, |(_, count)| *count)
    }

    /// What was spent.
    #[must_use]
    pub fn cost(&self) -> PicoUsd {
        PicoUsd::from_pico(self.get(Counter::Cost))
    }

    /// Turns that were to be answered from what the company knows: all but those that the conversation itself settled.
    #[must_use]
    pub fn asked(&self) -> i64 {
        self.get(Counter::Turns) - self.get(Counter::Source(Source::Conversation))
    }

    /// Turns that ended in a fallback.
    #[must_use]
    pub fn fallbacks(&self) -> i64 {
        self.get(Counter::Source(Source::Fallback))
    }

    /// Turns by what the LLM's step came to.
    #[must_use]
    pub fn llm(&self, step: LlmStep) -> i64 {
        self.get(Counter::Llm(step))
    }

    /// The turns in each bucket of these histograms together, in rising order; buckets without turns are left out.
    #[must_use]
    pub fn latencies(&self, of: &[Histogram]) -> Vec<(Bucket, u64)> {
        let buckets = (0..Bucket::COUNT).filter_map(Bucket::from_index);
        let counted = buckets.map(|bucket| {
            let turns = of
                .iter()
                .map(|histogram| self.get(Counter::Latency(*histogram, bucket)));
            (bucket, u64::try_from(turns.sum::<i64>()).unwrap_or(0))
        });
        counted.filter(|(_, turns)| *turns > 0).collect()
    }

    /// What answered how often.
    #[must_use]
    pub const fn answers(&self) -> &BTreeMap<AnswerKey, Answers> {
        &self.answers
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether each count is at most the other's.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.counts.iter().all(|(code, count)| *count <= other.by_code(*code))
    }

    /// The counts by the counters' numbers.
    #[must_use]
    pub fn codes(&self) -> &[(u16, i64)] {
        &self.counts
    }

    /// Puts a roll-up together from what [`codes`](Self::codes) and [`answers`](Self::answers) gave.
    #[must_use]
    pub fn from_parts(
        counts: impl IntoIterator<Item = (u16, i64)>,
        answers: impl IntoIterator<Item = (AnswerKey, Answers)>,
    ) -> Self {
        let mut rollup = Self {
            counts: Vec::new(),
            answers: answers
                .into_iter()
                .filter(|(_, answers)| *answers != Answers::default())
                .collect(),
        };
        for (code, count) in counts {
            rollup.bump_code(code, count);
        }
        rollup
    }

    /// The stored form: numbers of seven bits a byte, differences where they rise.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.counts.len() * 3 + self.answers.len() * 40);
        bytes.push(VERSION);
        push(&mut bytes, self.counts.len() as u64);
        let mut before = 0;
        for (code, count) in &self.counts {
            push(&mut bytes, u64::from(code - before));
            push_signed(&mut bytes, *count);
            before = *code;
        }
        push(&mut bytes, self.answers.len() as u64);
        for (key, answers) in &self.answers {
            bytes.push(match key.kind {
                AnswerKind::Scenario => b's',
                AnswerKind::Qna => b'q',
            });
            push(&mut bytes, key.id.len() as u64);
            bytes.extend_from_slice(key.id.as_bytes());
            for number in [answers.turns, answers.by_llm, answers.cost.pico()] {
                push_signed(&mut bytes, number);
            }
        }
        bytes
    }

    /// Reads the stored form and adds it.
    ///
    /// # Errors
    /// It is none, or of a newer version.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return Err(Damaged);
        }
        let mut code = 0_u16;
        for _ in 0..reader.number()? {
            let step = u16::try_from(reader.number()?).map_err(|_| Damaged)?;
            code = code.checked_add(step).ok_or(Damaged)?;
            let count = reader.signed()?;
            self.bump_code(code, count);
        }
        for _ in 0..reader.number()? {
            let kind = match reader.byte()? {
                b's' => AnswerKind::Scenario,
                b'q' => AnswerKind::Qna,
                _ => return Err(Damaged),
            };
            let id = reader.text()?.into();
            let answers = self.answers.entry(AnswerKey { kind, id }).or_default();
            answers.turns += reader.signed()?;
            answers.by_llm += reader.signed()?;
            answers.cost = answers.cost + PicoUsd::from_pico(reader.signed()?);
        }
        if reader.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

/// Small numbers of either sign are short.
fn push_signed(bytes: &mut Vec<u8>, number: i64) {
    push(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn text(&mut self) -> Result<&'b str, Damaged> {
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Damaged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_rollup() -> impl Strategy<Value = Rollup> {
        let counts = prop::collection::vec((0_u16..500, -5_i64..1 << 50), 0..40);
        let answers = prop::collection::btree_map(
            (any::<bool>(), "[a-zé]{0,12}"),
            (1_i64..99, 0_i64..99, any::<i64>()),
            0..6,
        );
        (counts, answers).prop_map(|(counts, answers)| {
            let answers = answers.into_iter().map(|((is_qna, id), (turns, by_llm, cost))| {
                let kind = if is_qna { AnswerKind::Qna } else { AnswerKind::Scenario };
                let cost = PicoUsd::from_pico(cost);
                (AnswerKey { kind, id: id.into() }, Answers { turns, by_llm, cost })
            });
            Rollup::from_parts(counts, answers)
        })
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_as_it_was(rollup in any_rollup()) {
            let mut read = Rollup::default();
            read.add_bytes(&rollup.to_bytes()).unwrap();
            prop_assert_eq!(&read, &rollup);
            let again = Rollup::from_parts(rollup.codes().iter().copied(), rollup.answers().clone());
            prop_assert_eq!(again, rollup);
        }

        #[test]
        fn what_is_cut_short_is_refused(rollup in any_rollup(), cut in any::<prop::sample::Index>()) {
            let bytes = rollup.to_bytes();
            let cut = cut.index(bytes.len());
            prop_assert_eq!(Rollup::default().add_bytes(&bytes[..cut]), Err(Damaged));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            _ = Rollup::default().add_bytes(&bytes);
        }

        #[test]
        fn the_order_of_adding_does_not_matter(a in any_rollup(), b in any_rollup()) {
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.add(&b);
            ba.add_bytes(&a.to_bytes()).unwrap();
            prop_assert_eq!(ab.codes(), ba.codes());
        }
    }
}
