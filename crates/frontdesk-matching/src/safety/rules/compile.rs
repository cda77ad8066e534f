//! Compiling rules: phrases into entries of the automaton, patterns into regular expressions, and what refuses them.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use frontdesk_domain::{documents::safety::SafetyCategory, ids::SafetyId};
use regex::bytes::RegexBuilder;
use regex_syntax::{ParserBuilder, hir::Hir};

use super::{
    super::{literals, negation},
    Meaning, Pattern, Rules,
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

/// Collects entries of the automaton, patterns and faults.
pub(super) struct Builder {
    entries: HashMap<Vec<u8>, Vec<Meaning>>,
    patterns: Vec<Pattern>,
    faults: Vec<SafetyFault>,
    reads_ascii: bool,
    negates: bool,
}

impl Builder {
    pub(super) fn new(categories: &[SafetyCategory], negates: bool) -> Self {
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

    pub(super) fn phrases(&mut self, index: usize, category: &SafetyCategory) {
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

    pub(super) fn patterns(&mut self, index: usize, category: &SafetyCategory) {
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

    pub(super) fn finish(self, categories: usize) -> Result<Rules, Vec<SafetyFault>> {
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
