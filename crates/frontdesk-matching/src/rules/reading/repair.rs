//! Words that a recogniser heard wrong: as two, as one, or with a wrong letter.

use super::{Scratch, Seen, position};
use crate::{
    evidence::{is_marked, mark},
    hash,
    knowledge::Knowledge,
    language::{Class, Entry, Language},
    spelling::{Heard, is_repairable},
    words::Word,
};

/// Words that stand alone: "my ac" is not "myac".
const NEVER_JOINED: Class = Class::ARTICLE
    .with(Class::PRONOUN)
    .with(Class::AUXILIARY)
    .with(Class::NEGATION)
    .with(Class::QUESTION)
    .with(Class::BOUNDARY)
    .with(Class::COURTESY);
/// Longer words are not made of two.
const LONGEST_JOINED: usize = 24;

impl Scratch {
    /// Looks for words that were heard as two, as one, or with a wrong letter.
    pub(super) fn repair(&mut self, knowledge: &Knowledge, utterance: &str, from: usize) {
        for at in from..self.words.len() {
            let Some(word) = self.words.get(at).copied() else { break };
            let Some(spelled) = slice(utterance, word) else {
                continue;
            };
            let is_known = is_marked(&self.known, at);
            if let Some(next) = self.words.get(at + 1).copied()
                && let Some(following) = slice(utterance, next)
            {
                let next_known = is_marked(&self.known, at + 1) && next.class.is_content();
                let letters = (spelled.len() == 1, following.len() == 1);
                let worth_it = match letters {
                    (false, false) => {
                        (!is_known || !next_known || !word.class.is_content())
                            && (word.class.is_content() || next.class.is_content())
                            && !word.class.any(NEVER_JOINED)
                            && !next.class.any(NEVER_JOINED)
                    }
                    (true, true) => true,
                    _ => false,
                };
                if worth_it && spelled.len() + following.len() <= LONGEST_JOINED {
                    self.text.clear();
                    self.text.push_str(spelled);
                    self.text.push_str(following);
                    self.try_joined(knowledge, at);
                }
            }
            if !is_known && word.class.is_content() && is_repairable(spelled) && knowledge.language.knows_words() {
                self.try_near(knowledge, word, spelled, at);
            }
        }
    }

    fn try_joined(&mut self, knowledge: &Knowledge, at: usize) {
        let exact = hash::term(&self.text);
        let entry = knowledge.language.look_up(&self.text, exact, &mut self.stem);
        if entry.class.is_content()
            && self.add_meant(knowledge, entry, at)
            && let Some(weight) = self.weights.get_mut(at + 1)
            && !is_marked(&self.known, at + 1)
        {
            *weight = 0.0;
        }
    }

    fn try_near(&mut self, knowledge: &Knowledge, word: Word, spelled: &str, at: usize) {
        let entry = Entry {
            exact: word.exact,
            stem: word.stem,
            class: word.class,
        };
        if knowledge.language.is_common(&entry) {
            return;
        }
        if self.try_split(knowledge, knowledge.language, spelled, at) {
            return;
        }
        let nearest = Heard::new(spelled).and_then(|heard| knowledge.nearest(&heard));
        if let Some(meant) = nearest.copied()
            && self.add_meant(knowledge, meant, at)
        {
            mark(&mut self.repaired, position(at));
        }
    }

    /// "heatpump": two words that the company has in a row.
    fn try_split(&mut self, knowledge: &Knowledge, language: &Language, spelled: &str, at: usize) -> bool {
        for cut in 3..spelled.len().saturating_sub(2) {
            let Some((left, right)) = spelled.split_at_checked(cut) else {
                continue;
            };
            let first = language.look_up(left, hash::term(left), &mut self.stem);
            let second = language.look_up(right, hash::term(right), &mut self.stem);
            let pair = hash::pair(first.stem, second.stem);
            if knowledge
                .pieces
                .iter()
                .any(|placed| placed.piece.pairs.contains_key(&pair))
            {
                let one = self.add_meant(knowledge, first, at);
                return self.add_meant(knowledge, second, at) || one;
            }
        }
        false
    }

    /// Adds a term that was not said but meant, if the company has it.
    fn add_meant(&mut self, knowledge: &Knowledge, entry: Entry, at: usize) -> bool {
        let scope = self.words.get(at).map(|word| word.class).unwrap_or_default();
        let class = if scope.any(Class::NEGATED) {
            entry.class.with(Class::NEGATED)
        } else {
            entry.class
        };
        let seen = Seen {
            stem: entry.stem,
            class,
            at: position(at),
            vote: 0.8,
        };
        if !knowledge.has(entry.stem) {
            return false;
        }
        if let Some(weight) = self.weights.get_mut(at)
            && !is_marked(&self.known, at)
        {
            *weight = 0.0;
        }
        self.seen.push(seen);
        self.look_up_term(knowledge, seen, self.seen.len() - 1)
    }
}

fn slice(text: &str, word: Word) -> Option<&str> {
    text.get(usize::try_from(word.start).ok()?..usize::try_from(word.end).ok()?)
}
