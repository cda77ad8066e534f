//! Rules of all categories, compiled into one automaton and one regular expression a pattern.

use std::{collections::HashMap, ops::Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use frontdesk_domain::{documents::safety::SafetyCategory, ids::SafetyId};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{ParserBuilder, hir::Hir};

use super::{
    Masked, View, literals, negation,
    text::{apart, is_edge, merge, whole_words},
};
use crate::normal::normalize;

/// The most bytes of a compiled pattern.
const SIZE_LIMIT: usize = 4 << 20;
/// The most bytes of a pattern's source.
const SOURCE_LIMIT: usize = 16 << 10;
/// How deep groups may be nested.
const NEST_LIMIT: u32 = 50;

/// A field of a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafetyField {
    /// `phrases`
    Phrases,
    /// `patterns`
    Patterns,
    /// `exclusions`
    Exclusions,
    /// `exclusionPatterns`
    ExclusionPatterns,
}

impl SafetyField {
    /// Its wire name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Phrases => "phrases",
            Self::Patterns => "patterns",
            Self::Exclusions => "exclusions",
            Self::ExclusionPatterns => "exclusionPatterns",
        }
    }
}

/// A phrase or pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("category `{category}`, {}[{index}]: {reason}", field.name())]
pub struct SafetyFault {
    /// The category.
    pub category: SafetyId,
    /// The field.
    pub field: SafetyField,
    /// The position in that field, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

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
        let bytes = text.as_bytes();
        for found in self.automaton.as_ref()?.find_overlapping_iter(bytes) {
            let span = found.start()..found.end();
            let (left, right) = (is_edge(bytes, span.start), is_edge(bytes, span.end));
            for meaning in self.meanings.get(found.pattern().as_usize()).into_iter().flatten() {
                any |= self.note(*meaning, &span, (left, right), &mut hits);
            }
        }
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
        self.rules
            .patterns
            .iter()
            .enumerate()
            .filter_map(move |(index, pattern)| {
                let asked = pattern.category == self.category && pattern.is_exclusion == exclusions;
                (asked && hits.may_match(index, pattern)).then_some(pattern)
            })
    }
}

/// Collects entries of the automaton, patterns and faults.
struct Builder {
    entries: HashMap<Vec<u8>, Vec<Meaning>>,
    patterns: Vec<Pattern>,
    faults: Vec<SafetyFault>,
    reads_ascii: bool,
    negates: bool,
}

impl Builder {
    fn new(categories: &[SafetyCategory], negates: bool) -> Self {
        let mut sources = categories
            .iter()
            .flat_map(|category| category.patterns.iter().chain(&category.exclusion_patterns));
        let reads_ascii = sources.all(|source| source.is_ascii() && parse(source, false).is_ok());
        Self {
            entries: HashMap::new(),
            patterns: Vec::new(),
            faults: Vec::new(),
            reads_ascii,
            negates,
        }
    }

    fn fault(&mut self, category: &SafetyCategory, field: SafetyField, index: usize, reason: impl Into<String>) {
        self.faults.push(SafetyFault {
            category: category.id.clone(),
            field,
            index,
            reason: reason.into(),
        });
    }

    fn phrases(&mut self, index: usize, category: &SafetyCategory) {
        for (field, phrases) in [
            (SafetyField::Phrases, &category.phrases),
            (SafetyField::Exclusions, &category.exclusions),
        ] {
            for (at, phrase) in phrases.iter().enumerate() {
                let normal = normalize(phrase);
                if normal.is_empty() {
                    self.fault(category, field, at, "holds no word");
                    continue;
                }
                if normal.len() > negation::LONGEST_PHRASE {
                    self.fault(
                        category,
                        field,
                        at,
                        format!("is longer than {} bytes", negation::LONGEST_PHRASE),
                    );
                    continue;
                }
                let names_negation = self.negates && negation::names_negation(&normal);
                let meaning = match field {
                    SafetyField::Phrases => Meaning::Phrase {
                        category: index,
                        names_negation,
                    },
                    _ => Meaning::Exclusion { category: index },
                };
                self.entries.entry(normal.into_bytes()).or_default().push(meaning);
            }
        }
    }

    fn patterns(&mut self, index: usize, category: &SafetyCategory) {
        for (field, sources) in [
            (SafetyField::Patterns, &category.patterns),
            (SafetyField::ExclusionPatterns, &category.exclusion_patterns),
        ] {
            for (at, source) in sources.iter().enumerate() {
                if let Err(reason) = self.pattern(index, source, field == SafetyField::ExclusionPatterns) {
                    self.fault(category, field, at, reason);
                }
            }
        }
    }

    fn pattern(&mut self, category: usize, source: &str, is_exclusion: bool) -> Result<(), String> {
        if source.len() > SOURCE_LIMIT {
            return Err(format!("is longer than {SOURCE_LIMIT} bytes"));
        }
        let hir = parse(source, !self.reads_ascii).map_err(|error| error.to_string())?;
        if hir.properties().minimum_len().unwrap_or_default() == 0 {
            return Err("matches a text without any word".to_owned());
        }
        if needs_capitals(&hir) {
            return Err("asks for a capital letter, and the text has none".to_owned());
        }
        let regex = RegexBuilder::new(source)
            .unicode(!self.reads_ascii)
            .size_limit(SIZE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|error| error.to_string())?;
        let pattern = self.patterns.len();
        let clauses = literals::clauses(&hir);
        for (clause, literals) in clauses.iter().enumerate() {
            for literal in literals {
                let clause = u8::try_from(clause).unwrap_or_default();
                let (left, right) = (literal.left.is_word(), literal.right.is_word());
                let meaning = Meaning::Needed {
                    pattern,
                    clause,
                    left,
                    right,
                };
                self.entries.entry(literal.bytes.clone()).or_default().push(meaning);
            }
        }
        let all = (0..clauses.len()).fold(0, |bits: u8, clause| bits | 1 << clause);
        let names_negation = self.negates && negation::pattern_names_negation(source);
        self.patterns.push(Pattern {
            category,
            regex,
            is_exclusion,
            names_negation,
            clauses: all,
        });
        Ok(())
    }

    fn finish(self, categories: usize) -> Result<Rules, Vec<SafetyFault>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (words, meanings): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let always = self
            .patterns
            .iter()
            .filter(|pattern| pattern.clauses == 0 && !pattern.is_exclusion);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            // Texts are short and candidates many: looking for rare bytes first costs more than it saves.
            .prefilter(false)
            .build(&words)
            .or_else(|_| AhoCorasick::new(&words));
        Ok(Rules {
            // The embedded rules build; larger ones than any automaton can hold are refused by their document's limits.
            automaton: automaton.ok(),
            #[cfg(test)]
            entries: words
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
            meanings,
            always: always.map(|pattern| pattern.category).collect(),
            patterns: self.patterns,
            categories,
            reads_ascii: self.reads_ascii,
            negates: self.negates,
        })
    }
}

fn parse(source: &str, unicode: bool) -> Result<Hir, Box<regex_syntax::Error>> {
    ParserBuilder::new()
        .unicode(unicode)
        .utf8(false)
        .nest_limit(NEST_LIMIT)
        .build()
        .parse(source)
        .map_err(Box::new)
}

/// Whether a literal of the pattern is in capitals.
fn needs_capitals(hir: &Hir) -> bool {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(u8::is_ascii_uppercase),
        HirKind::Repetition(repetition) => needs_capitals(&repetition.sub),
        HirKind::Capture(capture) => needs_capitals(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(needs_capitals),
        _ => false,
    }
}
