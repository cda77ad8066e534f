//! Synonyms and fillers of a template, or of all that a company uses.

use frontdesk_domain::documents::template::SynonymMap;

use crate::{
    hash::{self, Term, TermMap},
    language::{Class, Language},
    normal::normalize,
    words::{Reader, Word},
};

/// Which words mean the same and which mean nothing.
///
/// Fillers only lower the weight of words, and never that of a negation or a question word.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    entries: Vec<Synonym>,
    by_first: TermMap<Vec<usize>>,
    fillers: TermMap<Vec<Box<[Term]>>>,
}

#[derive(Debug)]
struct Synonym {
    from: Box<[Term]>,
    /// The technical term; `None` for a technical term itself, inside which nothing is replaced.
    to: Option<Box<[Word]>>,
}

/// A run of words and what it is replaced by.
#[derive(Debug, Clone, Copy)]
struct Found {
    start: usize,
    length: usize,
    entry: usize,
}

/// A word of the canonical wording, with the words of the original that it stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canonical {
    pub(crate) word: Word,
    pub(crate) start: usize,
    pub(crate) length: usize,
    /// Whether it differs from the original.
    pub(crate) replaced: bool,
}

/// Buffers for rewording; reused between utterances.
#[derive(Debug, Default)]
pub(crate) struct Rewording {
    found: Vec<Found>,
    pub(crate) words: Vec<Canonical>,
}

impl Lexicon {
    /// Adds synonyms and fillers. What was added first wins.
    pub(crate) fn add(&mut self, synonyms: &SynonymMap, fillers: &[String], language: &Language) {
        let mut reader = Reader::default();
        let mut read = |text: &str| {
            let mut words = Vec::new();
            reader.read(&normalize(text), language, &mut words);
            words
        };
        for (technical, aliases) in synonyms {
            let to = read(technical);
            for alias in aliases {
                let from = read(alias);
                if !from.iter().map(|word| word.stem).eq(to.iter().map(|word| word.stem)) {
                    self.insert(&from, Some(to.clone().into()));
                }
            }
            self.insert(&to, None);
        }
        for filler in fillers {
            let words = read(filler);
            if let Some(first) = words.first()
                && !words.iter().any(|word| word.class.is_protected())
            {
                let exact: Box<[Term]> = words.iter().map(|word| word.exact).collect();
                let list = self.fillers.entry(first.exact).or_default();
                if !list.contains(&exact) {
                    list.push(exact);
                }
            }
        }
    }

    fn insert(&mut self, from: &[Word], to: Option<Box<[Word]>>) {
        let Some(first) = from.first() else { return };
        let terms: Box<[Term]> = from.iter().map(|word| word.stem).collect();
        let list = self.by_first.entry(first.stem).or_default();
        let known = list
            .iter()
            .copied()
            .find(|entry| self.entries.get(*entry).is_some_and(|known| known.from == terms));
        match known.and_then(|entry| self.entries.get_mut(entry)) {
            // An alias of one template may be a technical term of another: there it is still an alias.
            Some(known) if known.to.is_none() => known.to = to,
            Some(_) => {}
            None => {
                list.push(self.entries.len());
                self.entries.push(Synonym { from: terms, to });
            }
        }
    }

    /// Whether an alias or a filler begins with this word.
    pub(crate) fn may_begin(&self, stem: Term, exact: Term) -> bool {
        let is_alias = |entry: &usize| self.entries.get(*entry).is_some_and(|synonym| synonym.to.is_some());
        self.by_first
            .get(&stem)
            .is_some_and(|entries| entries.iter().any(is_alias))
            || self.fillers.contains_key(&exact)
    }

    /// Whether the word alone is a filler.
    pub(crate) fn is_filler(&self, exact: Term) -> bool {
        self.fillers
            .get(&exact)
            .is_some_and(|phrases| phrases.iter().any(|phrase| phrase.len() == 1))
    }

    /// Rewords in one pass, longest first, so nothing cascades. Returns whether anything was replaced.
    pub(crate) fn reword(&self, words: &[Word], out: &mut Rewording) -> bool {
        out.found.clear();
        out.words.clear();
        if self.entries.is_empty() {
            return false;
        }
        for (start, word) in words.iter().enumerate() {
            for entry in self.by_first.get(&word.stem).into_iter().flatten() {
                let Some(from) = self.entries.get(*entry).map(|synonym| &synonym.from) else {
                    continue;
                };
                let rest = words.get(start..).unwrap_or_default();
                if rest.len() >= from.len() && rest.iter().zip(from).all(|(word, term)| word.stem == *term) {
                    out.found.push(Found {
                        start,
                        length: from.len(),
                        entry: *entry,
                    });
                }
            }
        }
        if !out.found.iter().any(|found| self.replacement(*found).is_some()) {
            return false;
        }
        out.found
            .sort_unstable_by_key(|found| (usize::MAX - found.length, found.start));
        let mut kept = 0;
        for index in 0..out.found.len() {
            let Some(found) = out.found.get(index).copied() else {
                break;
            };
            let before = out.found.get(..kept).unwrap_or_default();
            let free = before
                .iter()
                .all(|other| found.start + found.length <= other.start || other.start + other.length <= found.start);
            if free {
                out.found.swap(kept, index);
                kept += 1;
            }
        }
        out.found.truncate(kept);
        out.found.sort_unstable_by_key(|found| found.start);
        self.write(words, out)
    }

    fn write(&self, words: &[Word], out: &mut Rewording) -> bool {
        let mut replaced = false;
        let mut at = 0;
        for found in &out.found {
            let plain = words.iter().enumerate().take(found.start).skip(at);
            out.words.extend(plain.map(|(start, word)| Canonical {
                word: *word,
                start,
                length: 1,
                replaced: false,
            }));
            at = found.start;
            if let Some(to) = self.replacement(*found)
                && let (Some(first), Some(last)) = (words.get(at), words.get(at + found.length - 1))
            {
                // The scope of a negation holds for what stands in its place.
                let scope = first.class.any(Class::NEGATED).then_some(Class::NEGATED).into_iter();
                let scope = scope.chain(first.class.any(Class::FAILED).then_some(Class::FAILED));
                let scope = scope.fold(Class::default(), Class::with);
                out.words.extend(to.iter().map(|word| Canonical {
                    word: Word {
                        class: word.class.with(scope),
                        start: first.start,
                        end: last.end,
                        ..*word
                    },
                    start: found.start,
                    length: found.length,
                    replaced: true,
                }));
                at += found.length;
                replaced = true;
            }
        }
        let plain = words.iter().enumerate().skip(at);
        out.words.extend(plain.map(|(start, word)| Canonical {
            word: *word,
            start,
            length: 1,
            replaced: false,
        }));
        replaced
    }

    fn replacement(&self, found: Found) -> Option<&[Word]> {
        self.entries.get(found.entry)?.to.as_deref()
    }

    /// Marks the words that stand on a filler list.
    pub(crate) fn mark_fillers(&self, words: &mut [Word]) {
        if self.fillers.is_empty() {
            return;
        }
        for start in 0..words.len() {
            let Some(first) = words.get(start) else { break };
            for phrase in self.fillers.get(&first.exact).into_iter().flatten() {
                let Some(run) = words.get_mut(start..start + phrase.len()) else {
                    continue;
                };
                if run.iter().zip(phrase).all(|(word, term)| word.exact == *term) {
                    for word in run {
                        word.class = word.class.with(Class::FILLER);
                    }
                }
            }
        }
    }
}

/// The hash of words in a row, exact, for equality.
pub(crate) fn exact_sequence<'a>(words: impl IntoIterator<Item = &'a Word>) -> Term {
    hash::sequence(words.into_iter().map(|word| word.exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon(synonyms: &[(&str, &[&str])]) -> Lexicon {
        let map = synonyms
            .iter()
            .map(|(technical, aliases)| {
                (
                    (*technical).to_owned(),
                    aliases.iter().map(|alias| (*alias).to_owned()).collect(),
                )
            })
            .collect();
        let mut lexicon = Lexicon::default();
        lexicon.add(&map, &[], Language::english());
        lexicon
    }

    #[track_caller]
    fn check(synonyms: &[(&str, &[&str])], text: &str, expected: &str) {
        let read = |text: &str| {
            let mut words = Vec::new();
            Reader::default().read(&normalize(text), Language::english(), &mut words);
            words
        };
        let mut out = Rewording::default();
        let changed = lexicon(synonyms).reword(&read(text), &mut out);
        let stems: Vec<Term> = out.words.iter().map(|canonical| canonical.word.stem).collect();
        let expected: Vec<Term> = read(expected).iter().map(|word| word.stem).collect();
        assert_eq!(
            if changed {
                stems
            } else {
                read(text).iter().map(|word| word.stem).collect()
            },
            expected,
            "{text}"
        );
    }

    const COOLING: &[(&str, &[&str])] = &[
        ("air conditioner", &["ac", "a c", "air"]),
        ("unit", &["ac unit", "air handler"]),
    ];

    #[test]
    fn synonyms_do_not_cascade() {
        check(COOLING, "my ac is out", "my air conditioner is out");
        check(COOLING, "my a c is out", "my air conditioner is out");
    }

    #[test]
    fn an_alias_is_not_replaced_inside_a_technical_term() {
        check(COOLING, "the air conditioner is loud", "the air conditioner is loud");
    }

    #[test]
    fn the_longest_alias_wins() {
        check(COOLING, "the ac unit is loud", "the unit is loud");
    }

    #[test]
    fn an_alias_is_a_whole_word() {
        check(&[("vent", &["ice"])], "price of service", "price of service");
    }

    #[test]
    fn a_filler_never_takes_a_negation_or_a_question_word() {
        let mut lexicon = Lexicon::default();
        let fillers = ["not", "no", "what", "how", "like", "you know what", "you know"].map(str::to_owned);
        lexicon.add(&SynonymMap::new(), &fillers, Language::english());
        let mut words = Vec::new();
        Reader::default().read("you know it is like not what", Language::english(), &mut words);
        lexicon.mark_fillers(&mut words);
        let marked: Vec<bool> = words.iter().map(|word| word.class.any(Class::FILLER)).collect();
        assert_eq!(marked, [true, true, false, false, true, false, false]);
    }
}
