//! What is known of a language: its closed word classes, contractions and irregular forms. Data, never a trade's words.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    hash::{self, Term, TermMap, TermSet},
    normal::normalize,
    stem,
};

/// What a word does in a sentence; a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Class(u16);

impl Class {
    /// Closed-class words: they carry grammar, not content.
    pub(crate) const FUNCTION: Self = Self(1);
    /// `not`, `no`, `never` …
    pub(crate) const NEGATION: Self = Self(1 << 1);
    /// `stop`, `fail`, `barely` …: what follows does not happen.
    pub(crate) const FAILURE: Self = Self(1 << 2);
    /// A negation that can also stand alone, as an answer.
    pub(crate) const PARTICLE: Self = Self(1 << 3);
    /// `what`, `how` …
    pub(crate) const QUESTION: Self = Self(1 << 4);
    /// Determiners.
    pub(crate) const ARTICLE: Self = Self(1 << 5);
    /// Subjects of a new clause.
    pub(crate) const PRONOUN: Self = Self(1 << 6);
    /// `is`, `can`, `will` …
    pub(crate) const AUXILIARY: Self = Self(1 << 7);
    /// Where a clause ends.
    pub(crate) const BOUNDARY: Self = Self(1 << 8);
    /// Verbs whose negation is meant for the clause that follows ("I don't think it works").
    pub(crate) const OPINION: Self = Self(1 << 9);
    /// Courtesies and hesitations.
    pub(crate) const COURTESY: Self = Self(1 << 10);
    /// Content words that say little.
    pub(crate) const WEAK: Self = Self(1 << 11);
    /// Second half of a contraction that a recogniser wrote as two words.
    pub(crate) const TAIL: Self = Self(1 << 12);
    /// Stands in the scope of a negation.
    pub(crate) const NEGATED: Self = Self(1 << 13);
    /// Stands in the scope of a failure.
    pub(crate) const FAILED: Self = Self(1 << 14);
    /// On a filler list of the tenant.
    pub(crate) const FILLER: Self = Self(1 << 15);

    /// Whether it has any of these bits.
    pub(crate) const fn any(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// With these bits as well.
    pub(crate) const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    /// What the word is by itself, wherever it stands.
    pub(crate) const fn base(self) -> Self {
        Self(self.0 & !(Self::NEGATED.0 | Self::FAILED.0 | Self::FILLER.0))
    }

    /// A word that names something, be it little.
    pub(crate) const fn is_content(self) -> bool {
        !self.any(Self::FUNCTION)
    }

    /// Words that no filler list can take away.
    pub(crate) const fn is_protected(self) -> bool {
        self.any(Self(Self::NEGATION.0 | Self::QUESTION.0 | Self::FAILURE.0))
    }
}

/// One word after its contraction is resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) exact: Term,
    pub(crate) stem: Term,
    pub(crate) class: Class,
}

/// The closed classes of one language, ready to look words up.
#[derive(Debug, Default)]
pub struct Language {
    entries: TermMap<Entry>,
    contractions: TermMap<Box<[Entry]>>,
    split_contractions: TermMap<Box<[Entry]>>,
    retractions: TermMap<Vec<Box<[Term]>>>,
    common: TermSet,
    stems: bool,
}

#[derive(Debug, Default, Deserialize)]
struct LanguageData {
    stemmer: Option<String>,
    contractions: BTreeMap<String, String>,
    negations: Vec<String>,
    failures: Vec<String>,
    particles: Vec<String>,
    questions: Vec<String>,
    articles: Vec<String>,
    pronouns: Vec<String>,
    auxiliaries: Vec<String>,
    boundaries: Vec<String>,
    opinions: Vec<String>,
    others: Vec<String>,
    courtesies: Vec<String>,
    weak: Vec<String>,
    retractions: Vec<String>,
    irregular: BTreeMap<String, String>,
}

static ENGLISH: LazyLock<Language> =
    LazyLock::new(|| Language::read(include_str!("../data/en.json"), include_str!("../data/en.words.txt")));
static NEUTRAL: LazyLock<Language> = LazyLock::new(Language::default);

impl Language {
    /// The data of a BCP 47 tag such as `en-US`; a language without data has no classes, contractions or stems.
    #[must_use]
    pub fn of_tag(tag: &str) -> &'static Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") {
            &ENGLISH
        } else {
            &NEUTRAL
        }
    }

    /// English.
    #[must_use]
    pub fn english() -> &'static Self {
        &ENGLISH
    }

    fn read(json: &str, words: &str) -> Self {
        // The file is embedded; a test holds that it parses.
        let data: LanguageData = serde_json::from_str(json).unwrap_or_default();
        let mut language = Self {
            stems: data.stemmer.as_deref() == Some("english"),
            ..Self::default()
        };
        for (word, base) in &data.irregular {
            let stem = language.stem(base);
            language.entries.insert(
                hash::term(word),
                Entry {
                    exact: hash::term(word),
                    stem,
                    class: Class::default(),
                },
            );
        }
        let function = [
            (&data.negations, Class::NEGATION),
            (&data.particles, Class::PARTICLE),
            (&data.questions, Class::QUESTION),
            (&data.articles, Class::ARTICLE),
            (&data.pronouns, Class::PRONOUN),
            (&data.auxiliaries, Class::AUXILIARY),
            (&data.boundaries, Class::BOUNDARY),
            (&data.others, Class::FUNCTION),
            (&data.courtesies, Class::COURTESY),
        ];
        for (list, class) in function {
            for word in list {
                language.classify(word, class.with(Class::FUNCTION));
            }
        }
        let content = [
            (&data.failures, Class::FAILURE),
            (&data.opinions, Class::OPINION.with(Class::WEAK)),
            (&data.weak, Class::WEAK),
        ];
        for (list, class) in content {
            for word in list {
                language.classify_forms(word, class, &data.irregular);
            }
        }
        for (short, long) in &data.contractions {
            let expansion: Box<[Entry]> = long.split(' ').map(|word| language.entry(word)).collect();
            if let Some((head, tail)) = short.split_once('\'') {
                let tail_term = hash::term(tail);
                language
                    .split_contractions
                    .insert(hash::pair(hash::term(head), tail_term), expansion.clone());
                let entry = language.entry(tail);
                language.entries.insert(
                    tail_term,
                    Entry {
                        class: entry.class.with(Class::TAIL),
                        ..entry
                    },
                );
            }
            language.contractions.insert(hash::term(short), expansion);
        }
        for phrase in &data.retractions {
            let terms: Box<[Term]> = normalize(phrase).split(' ').map(hash::term).collect();
            if let Some(first) = terms.first().copied() {
                language.retractions.entry(first).or_default().push(terms);
            }
        }
        language.common = words.lines().map(|word| language.stem(word)).collect();
        language
    }

    /// A function word is its own stem: "does" is not "doe".
    fn classify(&mut self, word: &str, class: Class) {
        let exact = hash::term(word);
        let entry = self.entries.entry(exact).or_insert(Entry {
            exact,
            stem: exact,
            class,
        });
        entry.class = entry.class.with(class);
        entry.stem = exact;
    }

    fn classify_forms(&mut self, word: &str, class: Class, irregular: &BTreeMap<String, String>) {
        let stem = self.stem(word);
        let doubled = word
            .chars()
            .last()
            .map(|last| format!("{word}{last}"))
            .unwrap_or_default();
        let short = word.strip_suffix('e').unwrap_or(word);
        let regular = ["s", "es", "ing", "ed", "d"]
            .into_iter()
            .flat_map(|ending| [word, short, doubled.as_str()].map(|base| format!("{base}{ending}")));
        let forms = irregular
            .iter()
            .filter(|(_, base)| *base == word)
            .map(|(form, _)| form.clone());
        for form in std::iter::once(word.to_owned()).chain(regular).chain(forms) {
            let exact = hash::term(&form);
            if form == word || self.entries.contains_key(&exact) || self.stem(&form) == stem {
                let entry = self.entries.entry(exact).or_insert(Entry { exact, stem, class });
                entry.class = entry.class.with(class);
            }
        }
    }

    fn entry(&self, word: &str) -> Entry {
        let exact = hash::term(word);
        self.entries.get(&exact).copied().unwrap_or_else(|| Entry {
            exact,
            stem: self.stem(word),
            class: Class::default(),
        })
    }

    fn stem(&self, word: &str) -> Term {
        let mut buffer = String::new();
        self.stem_with(word, &mut buffer)
    }

    fn stem_with(&self, word: &str, buffer: &mut String) -> Term {
        if !self.stems {
            return hash::term(word);
        }
        stem::english(word, buffer);
        hash::term(buffer)
    }

    /// The word itself, when it is no contraction.
    pub(crate) fn look_up(&self, word: &str, exact: Term, buffer: &mut String) -> Entry {
        if let Some(entry) = self.entries.get(&exact) {
            return *entry;
        }
        let stem = self.stem_with(word, buffer);
        let exact = word.strip_suffix("'s").map_or(exact, hash::term);
        Entry {
            exact,
            stem,
            class: Class::default(),
        }
    }

    /// What a contraction stands for.
    pub(crate) fn contraction(&self, exact: Term) -> Option<&[Entry]> {
        self.contractions.get(&exact).map(AsRef::as_ref)
    }

    /// What two words stand for that are a contraction without its apostrophe.
    pub(crate) fn split_contraction(&self, head: Term, tail: Term) -> Option<&[Entry]> {
        self.split_contractions.get(&hash::pair(head, tail)).map(AsRef::as_ref)
    }

    /// Whether the word can be the second half of a split contraction.
    pub(crate) fn is_tail(&self, exact: Term) -> bool {
        self.entries
            .get(&exact)
            .is_some_and(|entry| entry.class.any(Class::TAIL))
    }

    /// The phrases that take back what was said before, by their first word.
    pub(crate) fn retractions(&self, first: Term) -> &[Box<[Term]>] {
        self.retractions.get(&first).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a stem is that of a common word.
    pub(crate) fn is_common(&self, entry: &Entry) -> bool {
        self.common.contains(&entry.stem) || self.entries.contains_key(&entry.exact)
    }

    /// Whether a word, in its normal form, is an everyday one or one of the closed classes.
    #[must_use]
    pub fn knows(&self, word: &str) -> bool {
        self.is_common(&self.entry(word))
    }

    /// Whether common words are known at all; without them nothing is repaired.
    pub(crate) fn knows_words(&self) -> bool {
        !self.common.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_language_parses() {
        let data: LanguageData = serde_json::from_str(include_str!("../data/en.json")).expect("en.json parses");
        assert!(data.negations.len() > 5 && data.contractions.len() > 50);
        assert!(ENGLISH.common.len() > 10_000);
    }

    #[test]
    fn a_language_without_data_has_no_classes() {
        let german = Language::of_tag("de-DE");
        assert!(
            german
                .look_up("not", hash::term("not"), &mut String::new())
                .class
                .is_content()
        );
        assert!(!german.knows_words());
    }

    #[test]
    fn forms_of_a_failure_are_failures() {
        for form in ["stop", "stopped", "stopping", "quits", "refused", "failing"] {
            let entry = ENGLISH.look_up(form, hash::term(form), &mut String::new());
            assert!(entry.class.any(Class::FAILURE), "{form}");
        }
    }
}
