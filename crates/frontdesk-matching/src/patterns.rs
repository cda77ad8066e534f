//! Regular expressions of scenarios: evidence, never proof.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use frontdesk_domain::documents::template::compile_trigger;
use regex::Regex;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Literals of one pattern that the prefilter looks for; more say too little.
const LITERALS: usize = 64;

/// The patterns of one piece of knowledge. A pattern runs only where one of the literals that it needs occurs.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// Each with its unit.
    all: Vec<(Regex, u32)>,
    literals: Option<AhoCorasick>,
    /// The pattern that needs a literal, by literal.
    needed_by: Vec<usize>,
    /// Patterns without literals.
    always: Vec<usize>,
}

impl Patterns {
    /// Compiles the patterns of units. One that does not compile is left out: documents are checked where they are read.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
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
            made.all.push((regex, unit));
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
        self.all.get(pattern).map(|(_, unit)| *unit)
    }

    /// Whether a pattern matches.
    pub(crate) fn is_match(&self, pattern: usize, text: &str) -> bool {
        self.all.get(pattern).is_some_and(|(regex, _)| regex.is_match(text))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], text: &str, expected: &[u32]) {
        let made = Patterns::new(patterns.iter().zip(0..).map(|(pattern, unit)| (*pattern, unit)));
        let mut due = Vec::new();
        made.due(text, &mut due, |_| true);
        due.sort_unstable();
        let hits: Vec<u32> = due
            .into_iter()
            .filter(|pattern| made.is_match(*pattern, text))
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
    fn a_pattern_that_is_broken_or_too_large_is_left_out() {
        check(&["(", "(?:a{1000}){1000}", "works"], "it works", &[2]);
    }
}
