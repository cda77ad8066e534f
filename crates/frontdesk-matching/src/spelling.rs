//! Near spellings: what a recogniser heard wrong, put right with the tenant's own words.
//!
//! A word index of deletions (`SymSpell`): two words at distance 1 share one of their forms with one letter left out, so a
//! repair costs a few look-ups and never a walk over the vocabulary. Long words are indexed with two letters left out as
//! well; of two errors all are found but two changed letters.

use crate::{
    hash::{self, Term, TermSet},
    language::{Class, Entry},
};

/// Shortest word that is repaired.
const SHORTEST: usize = 5;
/// Shortest word of a vocabulary that two errors may lead to.
const SHORTEST_FOR_TWO: usize = 8;
/// Longer words are names or noise.
const LONGEST: usize = 18;

/// The words of one piece of knowledge, found by what is left when letters are left out.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    words: Box<[(Box<str>, Entry)]>,
    /// Each form, by its upper hash half, and the word it was left of; sorted. A word of ten letters has 55 forms, so
    /// that every byte counts.
    forms: Box<[(u32, u32)]>,
    /// Where the forms begin whose hash begins with the bits of an index of this; one more at the end.
    begins: Box<[u32]>,
}

/// Collects the words of a [`Spelling`].
#[derive(Debug, Default)]
pub(crate) struct SpellingBuilder {
    words: Vec<(Box<str>, Entry)>,
    forms: Vec<(u32, u32)>,
}

impl SpellingBuilder {
    /// Adds a word that an utterance may have meant.
    pub(crate) fn add(&mut self, word: &str, entry: Entry) {
        if !is_repairable(word) || !entry.class.is_content() || entry.class.any(Class::WEAK) {
            return;
        }
        let Ok(index) = u32::try_from(self.words.len()) else {
            return;
        };
        let forms = &mut self.forms;
        each_deletion(word, word.len() >= SHORTEST_FOR_TWO, |form| {
            forms.push((upper(form), index));
        });
        self.words.push((word.into(), entry));
    }

    pub(crate) fn finish(mut self) -> Spelling {
        self.forms.sort_unstable();
        self.forms.dedup();
        // About eight forms for each beginning: one line of the processor's cache.
        let bits = (self.forms.len() / 8).max(1).ilog2();
        let begin = |beginning: u32| {
            let forms = self
                .forms
                .partition_point(|(form, _)| begins_with(*form, bits) < beginning);
            u32::try_from(forms).unwrap_or(u32::MAX)
        };
        Spelling {
            begins: (0..=1_u32 << bits).map(begin).collect(),
            words: self.words.into(),
            forms: self.forms.into(),
        }
    }
}

/// The upper half of a hash.
fn upper(hash: Term) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// The first bits of a form's hash half.
fn begins_with(form: u32, bits: u32) -> u32 {
    form.checked_shr(u32::BITS - bits).unwrap_or_default()
}

/// A word that was heard, with its forms.
pub(crate) struct Heard<'a> {
    word: &'a str,
    forms: [u32; LONGEST + 1],
}

impl<'a> Heard<'a> {
    /// `None` for what is never repaired.
    pub(crate) fn new(word: &'a str) -> Option<Self> {
        if !is_repairable(word) {
            return None;
        }
        let mut forms = [0; LONGEST + 1];
        let mut places = forms.iter_mut();
        each_deletion(word, false, |form| {
            if let Some(place) = places.next() {
                *place = upper(form);
            }
        });
        Some(Self { word, forms })
    }

    fn forms(&self) -> &[u32] {
        self.forms.get(..=self.word.len()).unwrap_or_default()
    }
}

/// The nearest word of several indexes; `None` when there is none, or two of different stems are equally near.
pub(crate) fn nearest<'a>(of: impl Iterator<Item = &'a Spelling>, heard: &Heard<'_>) -> Option<&'a Entry> {
    let mut nearest = Nearest::default();
    for spelling in of {
        spelling.consider(heard, &mut nearest);
    }
    nearest.best.filter(|_| !nearest.tied).map(|(_, entry)| entry)
}

/// What is nearest so far, in whatever order the words come.
#[derive(Default)]
struct Nearest<'a> {
    best: Option<(usize, &'a Entry)>,
    /// A word of another stem is as near.
    tied: bool,
}

impl<'a> Nearest<'a> {
    fn consider(&mut self, distance: usize, entry: &'a Entry) {
        match self.best {
            Some((least, _)) if distance > least => {}
            Some((least, known)) if distance == least => {
                if known.stem != entry.stem {
                    self.tied = true;
                } else if entry.exact < known.exact {
                    self.best = Some((distance, entry));
                }
            }
            _ => {
                *self = Self {
                    best: Some((distance, entry)),
                    tied: false,
                }
            }
        }
    }
}

impl Spelling {
    /// All words of several indexes.
    pub(crate) fn combined<'a>(of: impl Iterator<Item = &'a Self>) -> Self {
        let mut builder = SpellingBuilder::default();
        let mut known = TermSet::default();
        for (word, entry) in of.flat_map(|spelling| &spelling.words) {
            if known.insert(entry.exact) {
                builder.add(word, *entry);
            }
        }
        builder.finish()
    }

    /// The words that this form may be left of.
    fn left_of(&self, form: u32) -> impl Iterator<Item = (&str, &Entry)> {
        let bits = self.begins.len().saturating_sub(1).max(1).ilog2();
        let at = usize::try_from(begins_with(form, bits)).unwrap_or_default();
        let bound = |at: usize| self.begins.get(at).and_then(|begin| usize::try_from(*begin).ok());
        let forms = bound(at)
            .zip(bound(at + 1))
            .and_then(|(begin, end)| self.forms.get(begin..end));
        let same = forms
            .unwrap_or_default()
            .iter()
            .filter(move |(other, _)| *other == form);
        same.filter_map(|(_, index)| self.word(*index))
    }

    /// Considers the words that are near enough.
    fn consider<'a>(&'a self, heard: &Heard<'_>, nearest: &mut Nearest<'a>) {
        if self.words.is_empty() {
            return;
        }
        for (candidate, entry) in heard.forms().iter().flat_map(|form| self.left_of(*form)) {
            let allowed = if candidate.len() >= SHORTEST_FOR_TWO { 2 } else { 1 };
            if let Some(distance) = distance(heard.word, candidate, allowed) {
                nearest.consider(distance, entry);
            }
        }
    }

    fn word(&self, index: u32) -> Option<(&str, &Entry)> {
        let (word, entry) = self.words.get(usize::try_from(index).ok()?)?;
        Some((word, entry))
    }
}

/// Only plain words are repaired: long enough to be told apart, no digits, no other script.
pub(crate) fn is_repairable(word: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&word.len()) && word.bytes().all(|letter| letter.is_ascii_lowercase())
}

/// The word itself and its forms with one letter left out, with two where `twice`.
fn each_deletion(word: &str, twice: bool, mut found: impl FnMut(Term)) {
    let (mut buffer, mut second_buffer) = ([0; LONGEST], [0; LONGEST]);
    found(bytes_term(word.as_bytes()));
    for left_out in 0..word.len() {
        let shorter = without(word.as_bytes(), left_out, &mut buffer);
        found(bytes_term(shorter));
        if twice {
            for also in left_out..shorter.len() {
                found(bytes_term(without(shorter, also, &mut second_buffer)));
            }
        }
    }
}

fn without<'a>(word: &[u8], left_out: usize, buffer: &'a mut [u8; LONGEST]) -> &'a [u8] {
    let kept = word.iter().enumerate().filter(|(at, _)| *at != left_out);
    let mut length = 0;
    for ((_, letter), place) in kept.zip(buffer.iter_mut()) {
        *place = *letter;
        length += 1;
    }
    buffer.get(..length).unwrap_or_default()
}

fn bytes_term(word: &[u8]) -> Term {
    std::str::from_utf8(word).map(hash::term).unwrap_or_default()
}

/// The number of letters put in, left out, changed or swapped with their neighbour, if at most `allowed`.
fn distance(left: &str, right: &str, allowed: usize) -> Option<usize> {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len().abs_diff(right.len()) > allowed || left.len() > LONGEST || right.len() > LONGEST {
        return None;
    }
    let mut before_last = [0_usize; LONGEST + 1];
    let mut last = [0_usize; LONGEST + 1];
    last.iter_mut().enumerate().for_each(|(at, cell)| *cell = at);
    for (row, letter) in left.iter().enumerate() {
        let mut next = [usize::MAX; LONGEST + 1];
        let mut to_the_left = row + 1;
        if let Some(first) = next.first_mut() {
            *first = to_the_left;
        }
        for (column, other) in right.iter().enumerate() {
            let change = last.get(column)? + usize::from(letter != other);
            let mut cost = change.min(last.get(column + 1)? + 1).min(to_the_left + 1);
            let swapped =
                row > 0 && column > 0 && left.get(row - 1) == Some(other) && right.get(column - 1) == Some(letter);
            if swapped {
                cost = cost.min(before_last.get(column - 1)? + 1);
            }
            *next.get_mut(column + 1)? = cost;
            to_the_left = cost;
        }
        before_last = last;
        last = next;
    }
    last.get(right.len()).copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::language::Language;

    fn look_up(word: &str) -> Entry {
        Language::english().look_up(word, hash::term(word), &mut String::new())
    }

    fn spelling<'w>(vocabulary: impl IntoIterator<Item = &'w str>) -> Spelling {
        let mut words = SpellingBuilder::default();
        for word in vocabulary {
            words.add(word, look_up(word));
        }
        words.finish()
    }

    /// The stem that the nearest word of several pieces has.
    fn meant<'a>(pieces: impl Iterator<Item = &'a Spelling>, word: &str) -> Option<Term> {
        nearest(pieces, &Heard::new(word)?).map(|entry| entry.stem)
    }

    #[track_caller]
    fn check(vocabulary: &[&str], word: &str, expected: Option<&str>) {
        let found = meant([spelling(vocabulary.iter().copied())].iter(), word);
        assert_eq!(found, expected.map(|word| look_up(word).stem), "{word}");
    }

    const WORDS: &[&str] = &[
        "faucet",
        "toilet",
        "schedule",
        "appointment",
        "drain",
        "drains",
        "train",
        "price",
    ];

    #[test]
    fn one_error_is_forgiven_from_five_letters_and_two_from_eight() {
        check(WORDS, "fawcet", Some("faucet"));
        check(WORDS, "toylet", Some("toilet"));
        check(WORDS, "skedule", Some("schedule"));
        check(WORDS, "apointmint", Some("appointment"));
        check(WORDS, "fowcit", None);
        check(WORDS, "pricy", Some("price"));
    }

    #[test]
    fn neighbours_that_swapped_are_one_error() {
        check(WORDS, "facuet", Some("faucet"));
    }

    #[test]
    fn short_words_and_numbers_are_not_repaired() {
        check(WORDS, "pric", None);
        check(WORDS, "pr1ce", None);
    }

    #[test]
    fn two_words_equally_near_are_no_repair() {
        check(WORDS, "grain", None);
    }

    #[test]
    fn every_word_of_a_vocabulary_of_any_size_is_found() {
        let all: Vec<String> = (0..300)
            .map(|number| format!("{:x}", 0xabc_def0_u64 * 7_919 + number * 104_729))
            .collect();
        let words: Vec<String> = all
            .iter()
            .map(|word| word.replace(|digit: char| digit.is_ascii_digit(), "x"))
            .collect();
        for size in [1, 2, 3, 17, 300] {
            let spelling = spelling(words.iter().take(size).map(String::as_str));
            for word in words.iter().take(size) {
                let found = spelling
                    .left_of(upper(hash::term(word)))
                    .any(|(found, _)| found == word);
                assert!(found, "{word} of {size}");
            }
        }
    }

    #[test]
    fn forms_of_one_word_are_no_tie() {
        check(WORDS, "drainz", Some("drains"));
    }

    #[test]
    fn a_tie_ends_where_a_word_is_nearer() {
        let words = ["scheduled", "schedulfo", "schedule"];
        check(&words, "schedul", Some("schedule"));
        check(&words[..2], "schedul", None);
    }

    #[test]
    fn a_tie_in_one_piece_is_a_tie_of_all() {
        let pieces = [spelling(["drains", "trains"]), spelling(["grainsxy"])];
        assert_eq!(meant(pieces.iter(), "grains"), None);
    }

    proptest! {
        /// Many pieces are asked as one vocabulary, few one by one.
        #[test]
        fn pieces_asked_one_by_one_and_as_one_say_the_same(
            pieces in prop::collection::vec(prop::collection::vec("[ab]{4,7}(s|ed|ing)?", 0..8), 1..5),
            heard in "[ab]{4,9}(s|ed)?",
        ) {
            let words = |piece: &Vec<String>| spelling(piece.iter().map(String::as_str));
            let one_by_one: Vec<Spelling> = pieces.iter().map(words).collect();
            let as_one = Spelling::combined(one_by_one.iter());
            let said = meant(one_by_one.iter(), &heard);
            prop_assert_eq!(said, meant([as_one].iter(), &heard));
            prop_assert_eq!(said, meant(one_by_one.iter().rev(), &heard));
            let backwards = spelling(pieces.iter().flatten().rev().map(String::as_str));
            prop_assert_eq!(said, meant([backwards].iter(), &heard));
        }
    }
}
