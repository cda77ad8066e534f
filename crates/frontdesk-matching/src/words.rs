//! Reading a text into words: contractions resolved, stems taken, scopes of negation marked, what was taken back dropped.

use crate::{
    hash::{self, Term},
    language::{Class, Entry, Language},
};

/// At most this many words of an utterance are considered: of a longer one the first and the last half of them.
///
/// A caller comes to the point at the beginning or at the end; the limit keeps the time of a decision bounded.
const MAX_WORDS: usize = 240;

/// Words after resolving contractions; positions fit a byte.
const MAX_POSITIONS: usize = 255;

/// How many content words a negation reaches.
const NEGATION_REACH: u8 = 3;
/// How many content words the determiner `no`, or a failure, reaches.
const SHORT_REACH: u8 = 2;

/// One word of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub(crate) exact: Term,
    pub(crate) stem: Term,
    pub(crate) class: Class,
    /// Bytes of the normal form that it came from.
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Buffers for reading; reused between utterances.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    stem: String,
}

impl Reader {
    /// Replaces `words` by those of a normal form.
    pub(crate) fn read(&mut self, text: &str, language: &Language, words: &mut Vec<Word>) {
        words.clear();
        if text.len() < MAX_WORDS {
            // It cannot have that many words.
            self.read_part(text, 0, language, words);
            mark_scopes(words);
            return;
        }
        let half = MAX_WORDS / 2;
        let front_end = text.match_indices(' ').nth(half - 1).map_or(text.len(), |(at, _)| at);
        let (front, rest) = text.split_at_checked(front_end).unwrap_or((text, ""));
        self.read_part(front, 0, language, words);
        let back_start = rest.rmatch_indices(' ').nth(half - 1).map_or(0, |(at, _)| at);
        let back = rest.get(back_start..).unwrap_or_default();
        self.read_part(back, front_end + back_start, language, words);
        words.truncate(MAX_POSITIONS);
        mark_scopes(words);
    }

    fn read_part(&mut self, part: &str, offset: usize, language: &Language, words: &mut Vec<Word>) {
        // The word before this one, where it began in `words`, and its hash: for contractions in two halves.
        let mut before: Option<(usize, u32, Term)> = None;
        let mut at = offset;
        for text in part.split(' ') {
            let (start, end) = (position(at), position(at + text.len()));
            at += text.len() + 1;
            if text.is_empty() {
                continue;
            }
            let exact = hash::term(text);
            if language.is_tail(exact)
                && let Some((index, first, head)) = before
                && let Some(expansion) = language.split_contraction(head, exact)
            {
                words.truncate(index);
                words.extend(expansion.iter().map(|entry| word(entry, first, end)));
                before = None;
                continue;
            }
            before = Some((words.len(), start, exact));
            match language.contraction(exact) {
                Some(expansion) => words.extend(expansion.iter().map(|entry| word(entry, start, end))),
                None => words.push(word(&language.look_up(text, exact, &mut self.stem), start, end)),
            }
        }
    }
}

const fn word(entry: &Entry, start: u32, end: u32) -> Word {
    Word {
        exact: entry.exact,
        stem: entry.stem,
        class: entry.class,
        start,
        end,
    }
}

fn position(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Marks the words that a negation or a failure governs.
///
/// A scope runs forward and ends after a few content words, at a clause boundary, or where a new subject begins. Verbs of
/// opinion pass it on: "I don't think it works" negates "works".
fn mark_scopes(words: &mut [Word]) {
    let mut negated = Scope::default();
    let mut failed = Scope::default();
    let mut previous = Class::default();
    for index in 0..words.len() {
        let next = words.get(index + 1).map(|word| word.class);
        let Some(word) = words.get_mut(index) else { break };
        let class = word.class;
        let opens_clause = class.any(Class::BOUNDARY.with(Class::QUESTION))
            || class.any(Class::AUXILIARY) && next.is_some_and(|next| next.any(Class::PRONOUN));
        for (scope, mark) in [(&mut negated, Class::NEGATED), (&mut failed, Class::FAILED)] {
            if opens_clause || class.any(Class::PRONOUN) && !std::mem::take(&mut scope.passes_on) {
                scope.left = 0;
            }
            if scope.left > 0 {
                word.class = word.class.with(mark);
                if class.any(Class::OPINION) {
                    scope.passes_on = true;
                } else if class.is_content() && !class.any(Class::WEAK) {
                    scope.left -= 1;
                    scope.passes_on = false;
                }
            }
        }
        if class.any(Class::NEGATION) && !is_particle(class, next) && !is_negative_question(previous, next) {
            let left = if class.any(Class::PARTICLE) {
                SHORT_REACH
            } else {
                NEGATION_REACH
            };
            negated = Scope { left, passes_on: false };
        }
        if class.any(Class::FAILURE) {
            failed = Scope {
                left: SHORT_REACH,
                passes_on: false,
            };
        }
        previous = class;
    }
}

#[derive(Default)]
struct Scope {
    /// Content words that it still reaches.
    left: u8,
    /// Whether the next subject does not end it.
    passes_on: bool,
}

/// "No, the heat is out": an answer, not a negation of what follows.
fn is_particle(class: Class, next: Option<Class>) -> bool {
    const CLAUSE: Class = Class::ARTICLE
        .with(Class::PRONOUN)
        .with(Class::QUESTION)
        .with(Class::AUXILIARY)
        .with(Class::BOUNDARY)
        .with(Class::COURTESY)
        .with(Class::NEGATION);
    class.any(Class::PARTICLE) && next.is_none_or(|next| next.any(CLAUSE))
}

/// "Can't you send someone": a request.
fn is_negative_question(previous: Class, next: Option<Class>) -> bool {
    previous.any(Class::AUXILIARY) && next.is_some_and(|next| next.any(Class::PRONOUN))
}

/// Where what counts begins: after the words that a later phrase took back ("… actually no, never mind").
pub(crate) fn counts_from(words: &[Word], language: &Language) -> usize {
    let mut from = 0;
    for (index, word) in words.iter().enumerate().skip(1) {
        let takes_back = language.retractions(word.exact).iter().any(|phrase| {
            let rest = words.get(index..).unwrap_or_default();
            rest.len() >= phrase.len() && rest.iter().zip(phrase).all(|(word, term)| word.exact == *term)
        });
        if takes_back {
            from = index;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::normalize;

    fn read(text: &str) -> (String, Vec<Word>) {
        let text = normalize(text);
        let mut words = Vec::new();
        Reader::default().read(&text, Language::english(), &mut words);
        (text, words)
    }

    /// The words that a negation governs.
    #[track_caller]
    fn check_negated(text: &str, expected: &str) {
        let (text, words) = read(text);
        let negated: Vec<&str> = words
            .iter()
            .filter(|word| word.class.any(Class::NEGATED) && word.class.is_content())
            .map(|word| &text[word.start as usize..word.end as usize])
            .collect();
        assert_eq!(negated.join(" "), expected, "{text}");
    }

    #[test]
    fn contractions_mean_what_they_stand_for() {
        let terms = |text| read(text).1.into_iter().map(|word| word.exact).collect::<Vec<_>>();
        for text in [
            "it isn't cooling",
            "it isn t cooling",
            "it isnt cooling",
            "it isn\u{2019}t cooling",
        ] {
            assert_eq!(terms(text), terms("it is not cooling"), "{text}");
        }
        assert_eq!(terms("it won't start"), terms("it will not start"));
        assert_eq!(terms("cannot"), terms("can not"));
        assert_eq!(terms("the neighbor's"), terms("the neighbor"));
    }

    #[test]
    fn a_negation_governs_its_clause_only() {
        check_negated("please do not schedule a visit", "schedule visit");
        check_negated("I would not say the furnace is working", "say furnace working");
        check_negated("I don't think it is working", "think working");
        check_negated("the furnace isn't really working", "working");
        check_negated("we have no heat, can you send someone", "heat");
        check_negated("it is not a pipe but the drain leaks", "pipe");
    }

    #[test]
    fn an_answer_or_a_negative_question_negates_nothing() {
        check_negated("no, the furnace is loud", "");
        check_negated("can't you send a technician", "");
        check_negated("why don't you come out", "");
    }

    #[test]
    fn a_retraction_takes_back_what_came_before() {
        let counted = |text| {
            let (text, words) = read(text);
            let from = counts_from(&words, Language::english());
            text[words[from].start as usize..].to_owned()
        };
        assert_eq!(
            counted("I want to book, actually no, never mind, cancel that"),
            "never mind cancel that"
        );
        assert_eq!(
            counted("never mind the noise, it leaks"),
            "never mind the noise it leaks"
        );
    }

    #[test]
    fn a_very_long_text_keeps_its_beginning_and_its_end() {
        let text = format!("first {} last", "word ".repeat(10_000));
        let (text, words) = read(&text);
        assert!(words.len() <= MAX_POSITIONS);
        let slice = |word: &Word| &text[word.start as usize..word.end as usize];
        assert_eq!(words.first().map(slice), Some("first"));
        assert_eq!(words.last().map(slice), Some("last"));
    }
}
