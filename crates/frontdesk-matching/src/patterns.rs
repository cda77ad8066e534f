//! Regular expressions of scenarios: evidence, never proof.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use frontdesk_domain::documents::template::compile_trigger;
use regex::Regex;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::{
    language::{Class, Language},
    normal::normalize,
    words::Reader,
};

/// Literals of one pattern that the prefilter looks for; more say too little.
const LITERALS: usize = 64;

/// The patterns of one piece of knowledge. A pattern runs only where one of the literals that it needs occurs.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    all: Vec<Pattern>,
    literals: Option<AhoCorasick>,
    /// The pattern that needs a literal, by literal.
    needed_by: Vec<usize>,
    /// Patterns without literals.
    always: Vec<usize>,
}

/// What a text says of a pattern that matches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Denied,
    Said,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    unit: u32,
    /// It speaks itself of what does not happen: `\bwon'?t (start|run)\b`.
    negates: bool,
}

impl Patterns {
    /// Compiles the patterns of units. One that does not compile is left out: documents are checked where they are read.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = (&'a str, u32)>, language: &Language) -> Self {
        let mut made = Self::default();
        let mut literals: Vec<Vec<u8>> = Vec::new();
        for (pattern, unit) in patterns {
            let Ok(regex) = compile_trigger(pattern) else { continue };
            let index = made.all.len();
            match needed_literals(pattern) {
                Some(needed) => {
                    made.needed_by.extend(needed.iter().map(|_| index));
                    literals.extend(needed);
                }
                None => made.always.push(index),
            }
            let negates = negates(pattern, language);
            made.all.push(Pattern { regex, unit, negates });
        }
        made.literals = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .ascii_case_insensitive(true)
            .build(&literals)
            .ok();
        if made.literals.is_none() {
            made.always = (0..made.all.len()).collect();
        }
        made
    }

    /// Writes to `due` the patterns whose literals occur and whose unit is asked for, by their numbers.
    pub(crate) fn due(&self, text: &str, due: &mut Vec<usize>, is_asked: impl Fn(u32) -> bool) {
        due.clear();
        let wanted = |pattern: &usize| self.unit(*pattern).is_some_and(&is_asked);
        due.extend(self.always.iter().copied().filter(wanted));
        let Some(literals) = &self.literals else { return };
        for found in literals.find_overlapping_iter(text) {
            let Some(pattern) = self.needed_by.get(found.pattern().as_usize()).copied() else {
                continue;
            };
            if wanted(&pattern) && !due.contains(&pattern) {
                due.push(pattern);
            }
        }
    }

    /// The unit that a pattern belongs to.
    pub(crate) fn unit(&self, pattern: usize) -> Option<u32> {
        self.all.get(pattern).map(|pattern| pattern.unit)
    }

    /// What a text says of a pattern that matches: denied where every match is ("the tap is not leaking" does not leak).
    pub(crate) fn find(&self, pattern: usize, text: &str, denied: impl Fn(Range<usize>) -> bool) -> Option<Found> {
        let Pattern { regex, negates, .. } = self.all.get(pattern)?;
        let mut matches = regex.find_iter(text).peekable();
        matches.peek()?;
        let is_said = *negates || matches.any(|found| !denied(found.range()));
        Some(if is_said { Found::Said } else { Found::Denied })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Literals of which at least one stands in every text that the pattern matches.
fn needed_literals(pattern: &str) -> Option<Vec<Vec<u8>>> {
    let hir = regex_syntax::ParserBuilder::new().build().parse(pattern).ok()?;
    [ExtractKind::Prefix, ExtractKind::Suffix].into_iter().find_map(|kind| {
        let mut extractor = Extractor::new();
        extractor.kind(kind).limit_total(LITERALS);
        let sequence = extractor.extract(&hir);
        let literals: Vec<Vec<u8>> = sequence
            .literals()?
            .iter()
            .map(|literal| literal.as_bytes().to_vec())
            .collect();
        let telling = !literals.is_empty() && literals.iter().all(|literal| literal.len() >= 2);
        telling.then_some(literals)
    })
}

/// Whether a word of a negation or a failure stands in a pattern.
fn negates(pattern: &str, language: &Language) -> bool {
    // `isn'?t` is a word too.
    let plain: String = pattern.replace("\\b", " ").replace('?', "");
    let text = plain.replace(|c: char| !c.is_alphanumeric() && c != '\'', " ");
    let mut words = Vec::new();
    Reader::default().read(&normalize(&text), language, &mut words);
    let is_one = |class: Class| class.any(Class::NEGATION.with(Class::FAILURE));
    text.contains("n't") || words.iter().any(|word| is_one(word.class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], text: &str, expected: &[u32]) {
        let made = Patterns::new(
            patterns.iter().zip(0..).map(|(pattern, unit)| (*pattern, unit)),
            Language::english(),
        );
        let mut due = Vec::new();
        made.due(text, &mut due, |_| true);
        due.sort_unstable();
        let hits: Vec<u32> = due
            .into_iter()
            .filter(|pattern| made.find(*pattern, text, |_| false) == Some(Found::Said))
            .filter_map(|pattern| made.unit(pattern))
            .collect();
        assert_eq!(hits, expected, "{text}");
    }

    #[test]
    fn every_pattern_that_matches_is_found() {
        let patterns = [
            r"\b(book|make)\b.{0,20}\bvisit\b",
            r"^\w+ing$",
            r"\b(on and off|starts? and stops?)\b",
            "[a-z]x",
        ];
        check(&patterns, "i want to book a visit", &[0]);
        check(&patterns, "it starts and stops", &[2]);
        check(&patterns, "leaking", &[1]);
        check(&patterns, "axe", &[3]);
    }

    #[test]
    fn a_pattern_that_negates_is_known_by_its_words() {
        let of = |pattern| negates(pattern, Language::english());
        for pattern in [
            r"\bisn'?t cooling\b",
            r"\b(won't|will not) (start|run)\b",
            r"\b(does|do)n'?t work\b",
            r"\bno (heat|hot water)\b",
            r"\b(quit|stop(ped)?)\b",
        ] {
            assert!(of(pattern), "{pattern}");
        }
        for pattern in [
            r"\b(faucet|tap)\b.{0,20}\bleak(s|ing|y)?\b",
            r"\border \d+\b",
            r"^\w+ing$",
        ] {
            assert!(!of(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_broken_or_too_large_is_left_out() {
        check(&["(", "(?:a{1000}){1000}", "works"], "it works", &[2]);
    }
}
