//! Rules of all categories, compiled into one automaton and one regular expression a pattern.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use frontdesk_domain::documents::safety::SafetyCategory;
use regex::bytes::Regex;

use super::{
    Masked, View,
    text::{apart, is_edge, merge, whole_words},
};
use compile::Builder;

mod compile;

pub use compile::{SafetyFault, SafetyField};

/// What an entry of the automaton stands for.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// A phrase of a category.
    Phrase { category: usize, names_negation: bool },
    /// An exclusion of a category.
    Exclusion { category: usize },
    /// A word that a pattern needs.
    Needed {
        pattern: usize,
        clause: u8,
        left: bool,
        right: bool,
    },
}

/// A pattern and when it is worth trying.
#[derive(Debug)]
struct Pattern {
    category: usize,
    regex: Regex,
    is_exclusion: bool,
    names_negation: bool,
    /// The set of its clauses, one bit each.
    clauses: u8,
}

/// Where a phrase stands.
#[derive(Debug, Clone)]
pub(super) struct PhraseHit {
    category: usize,
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// Whether it is danger as it stands.
    pub(super) names_negation: bool,
}

/// What the automaton found.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// Phrases of all categories, by where they end.
    pub(super) phrases: Vec<PhraseHit>,
    exclusions: Vec<(usize, Range<usize>)>,
    /// The clauses of each pattern that are met.
    met: Vec<u8>,
    /// Whether a category has a phrase or a pattern to try.
    touched: Vec<bool>,
}

impl Hits {
    /// Whether there is anything to try in a category.
    pub(super) fn touches(&self, category: usize) -> bool {
        self.touched.get(category).copied().unwrap_or_default()
    }

    fn may_match(&self, index: usize, pattern: &Pattern) -> bool {
        self.met.get(index).is_some_and(|met| *met == pattern.clauses)
    }
}

/// All rules, compiled.
#[derive(Debug, Default)]
pub(super) struct Rules {
    automaton: Option<AhoCorasick>,
    /// What each entry of the automaton stands for.
    meanings: Vec<Vec<Meaning>>,
    #[cfg(test)]
    entries: Vec<String>,
    /// By category.
    patterns: Vec<Pattern>,
    categories: usize,
    reads_ascii: bool,
    negates: bool,
    /// Categories with a danger pattern that needs no fixed word.
    always: Vec<usize>,
}

/// The rules of one category.
#[derive(Debug, Clone, Copy)]
pub(super) struct CategoryRules<'r> {
    rules: &'r Rules,
    category: usize,
}

impl Rules {
    pub(super) fn compile(categories: &[SafetyCategory], negates: bool) -> Result<Self, Vec<SafetyFault>> {
        let mut builder = Builder::new(categories, negates);
        for (index, category) in categories.iter().enumerate() {
            builder.phrases(index, category);
            builder.patterns(index, category);
        }
        builder.finish(categories.len())
    }

    /// Whether patterns see letters of other scripts as one ASCII letter.
    pub(super) fn reads_ascii(&self) -> bool {
        self.reads_ascii
    }

    /// Whether the language's negation is known.
    pub(super) fn negates(&self) -> bool {
        self.negates
    }

    /// Where the patterns of a category are.
    fn patterns_of(&self, category: usize) -> Range<usize> {
        let before = |limit: usize| self.patterns.partition_point(|pattern| pattern.category < limit);
        before(category)..before(category.saturating_add(1))
    }

    pub(super) fn category(&self, category: usize) -> CategoryRules<'_> {
        CategoryRules { rules: self, category }
    }

    /// One pass over the text; `None` when no rule can match it.
    pub(super) fn prefilter(&self, text: &str) -> Option<Hits> {
        let mut hits = Hits::default();
        let mut any = !self.always.is_empty();
        if any {
            hits.met = vec![0; self.patterns.len()];
        }
        any |= self.scan(text, &mut hits)?;
        if !any {
            return None;
        }
        hits.touched = vec![false; self.categories];
        let tried = self
            .patterns
            .iter()
            .enumerate()
            .filter(|(index, pattern)| hits.may_match(*index, pattern));
        let danger = tried
            .filter(|(_, pattern)| !pattern.is_exclusion)
            .map(|(_, pattern)| pattern.category);
        let spoken = hits.phrases.iter().map(|hit| hit.category);
        for category in danger.chain(spoken).collect::<Vec<_>>() {
            if let Some(touched) = hits.touched.get_mut(category) {
                *touched = true;
            }
        }
        hits.touched.contains(&true).then_some(hits)
    }

    /// Notes all that stands in the text; says whether a danger could follow. `None` without an automaton.
    fn scan(&self, text: &str, hits: &mut Hits) -> Option<bool> {
        let mut any = false;
        let bytes = text.as_bytes();
        for found in self.automaton.as_ref()?.find_overlapping_iter(bytes) {
            let span = found.start()..found.end();
            let (left, right) = (is_edge(bytes, span.start), is_edge(bytes, span.end));
            for meaning in self.meanings.get(found.pattern().as_usize()).into_iter().flatten() {
                any |= self.note(*meaning, &span, (left, right), hits);
            }
        }
        Some(any)
    }

    /// All that stands in a text, its exclusions too where no danger could follow.
    pub(super) fn all_hits(&self, text: &str) -> Option<Hits> {
        let mut hits = Hits {
            met: vec![0; self.patterns.len()],
            ..Hits::default()
        };
        self.scan(text, &mut hits)?;
        Some(hits)
    }

    /// Takes note of what was found; says whether a danger could follow from it.
    fn note(&self, meaning: Meaning, span: &Range<usize>, (left, right): (bool, bool), hits: &mut Hits) -> bool {
        match meaning {
            Meaning::Phrase {
                category,
                names_negation,
            } if left && right => {
                hits.phrases.push(PhraseHit {
                    category,
                    span: span.clone(),
                    names_negation,
                });
                true
            }
            Meaning::Exclusion { category } if left && right => {
                hits.exclusions.push((category, span.clone()));
                false
            }
            Meaning::Needed {
                pattern,
                clause,
                left: needs_left,
                right: needs_right,
            } if (left || !needs_left) && (right || !needs_right) => {
                if hits.met.is_empty() {
                    hits.met = vec![0; self.patterns.len()];
                }
                let Some(met) = hits.met.get_mut(pattern) else {
                    return false;
                };
                *met |= 1 << clause;
                self.patterns
                    .get(pattern)
                    .is_some_and(|rule| *met == rule.clauses && !rule.is_exclusion)
            }
            _ => false,
        }
    }

    /// The phrases and exclusions in a text, with every pattern to be tried.
    #[cfg(test)]
    pub(super) fn every_hit(&self, text: &str) -> Hits {
        let mut hits = Hits::default();
        let bytes = text.as_bytes();
        for (entry, meanings) in self.automaton_entries() {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(entry)).map(|at| at + from) {
                let span = at..at + entry.len();
                let edges = (is_edge(bytes, span.start), is_edge(bytes, span.end));
                for meaning in meanings
                    .iter()
                    .filter(|meaning| !matches!(meaning, Meaning::Needed { .. }))
                {
                    self.note(*meaning, &span, edges, &mut hits);
                }
                from = at + entry.chars().next().map_or(1, char::len_utf8);
            }
        }
        hits.phrases.sort_by_key(|hit| (hit.span.end, hit.span.start));
        hits.met = self.patterns.iter().map(|pattern| pattern.clauses).collect();
        hits
    }

    #[cfg(test)]
    fn automaton_entries(&self) -> impl Iterator<Item = (&str, &Vec<Meaning>)> {
        self.entries.iter().map(String::as_str).zip(&self.meanings)
    }
}

impl<'r> CategoryRules<'r> {
    /// Where this category's danger stands in the text.
    pub(super) fn search(self, view: &View<'_>, hits: &Hits, governed: &[Range<usize>]) -> Option<Range<usize>> {
        let blanks = self.blanks(view, hits);
        let phrase = hits
            .phrases
            .iter()
            .filter(|hit| hit.category == self.category && apart(&hit.span, &blanks))
            .filter(|hit| hit.names_negation || apart(&hit.span, governed))
            .map(|hit| hit.span.clone())
            .min_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        if phrase.is_some() {
            return phrase;
        }
        let plain = Masked::of(view.bytes(), &blanks);
        let affirmed = Masked::of(plain.bytes(), governed);
        self.tried(hits, false).find_map(|pattern| {
            let text = if pattern.names_negation { &plain } else { &affirmed };
            pattern.regex.find(text.bytes()).map(|found| found.range())
        })
    }

    /// Whether the text names what this category excludes, or names its danger only to deny it. Asked when
    /// [`Self::search`] found nothing: a danger that still stands in the text is one that was denied.
    pub(super) fn is_withheld(self, view: &View<'_>, hits: &Hits) -> bool {
        let named = hits.phrases.iter().any(|hit| hit.category == self.category);
        named
            || !self.blanks(view, hits).is_empty()
            || self
                .tried(hits, false)
                .any(|pattern| pattern.regex.is_match(view.bytes()))
    }

    /// What the exclusions blank out.
    fn blanks(self, view: &View<'_>, hits: &Hits) -> Vec<Range<usize>> {
        let own = hits
            .exclusions
            .iter()
            .filter(|(category, _)| *category == self.category);
        let mut blanks: Vec<_> = own.map(|(_, span)| span.clone()).collect();
        for pattern in self.tried(hits, true) {
            let found = pattern
                .regex
                .find_iter(view.bytes())
                .map(|found| whole_words(view.bytes(), found.range()));
            blanks.extend(found.filter(|words| !words.is_empty()));
        }
        merge(blanks)
    }

    fn tried(self, hits: &Hits, exclusions: bool) -> impl Iterator<Item = &'r Pattern> {
        let Range { start, end } = self.rules.patterns_of(self.category);
        let patterns = self.rules.patterns.get(start..end).unwrap_or_default();
        (start..).zip(patterns).filter_map(move |(index, pattern)| {
            let asked = pattern.is_exclusion == exclusions && hits.may_match(index, pattern);
            asked.then_some(pattern)
        })
    }
}
