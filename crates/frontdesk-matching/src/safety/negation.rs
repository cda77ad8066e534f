//! English negation: which words a "no" or a "not" governs.
//!
//! A negation reaches over words that carry no danger themselves ("no *sign of* …", "don't *smell any* …", "I don't
//! *think it's* …") to the first word that says something, and over the rest of a danger phrase that begins there; "or"
//! carries it on. Everything else, it leaves alone: in "I'm not sure if it's gas" it governs "sure", in "not kidding,
//! there's smoke" "kidding". Where a "no" may as well be an answer ("no, gas is leaking"), it governs nothing. Neither does
//! a negation that the sentence takes back: by an end ("never smelled gas until today"), by what is over but not well ("no
//! longer … but"), by a second negation ("can't say I don't …") or by what would be otherwise ("wouldn't call if I didn't …").

use std::ops::Range;

use super::{rules::PhraseHit, text::merge};

/// The most bytes of a phrase.
pub(super) const LONGEST_PHRASE: usize = 200;

/// How a negation reaches its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// "no": a noun follows, or it is an answer.
    Noun,
    /// "not", "don't", "nobody", "without": a clause follows.
    Clause,
    /// "never", which also stresses: "I've never smelled gas like this".
    Never,
    /// "can't": only what cannot be perceived is absent; "we can't stop the fire" is no denial.
    Perception,
}

/// What a word does as a negation.
fn reach(word: &str) -> Option<Reach> {
    Some(match word {
        "no" => Reach::Noun,
        "never" => Reach::Never,
        "not" | "isn't" | "isnt" | "aren't" | "arent" | "wasn't" | "wasnt" | "weren't" | "werent" | "don't"
        | "dont" | "doesn't" | "doesnt" | "didn't" | "didnt" | "hasn't" | "hasnt" | "haven't" | "havent" | "hadn't"
        | "hadnt" | "ain't" | "aint" | "nobody" | "nobody's" | "noone" | "nothing" | "nothing's" | "none"
        | "without" | "neither" | "nor" => Reach::Clause,
        "can't" | "cant" | "cannot" | "couldn't" | "couldnt" => Reach::Perception,
        _ => return None,
    })
}

/// Whether a text holds a negation of its own, so that it is danger as it stands: "not breathing", "won't wake up".
pub(super) fn names_negation(text: &str) -> bool {
    text.split(' ')
        .any(|word| reach(word).is_some() || matches!(word, "won't" | "wont" | "wouldn't" | "wouldnt" | "stopped"))
}

/// [`names_negation`] of a pattern's source.
pub(super) fn pattern_names_negation(source: &str) -> bool {
    let bare = source.replace("\\b", " ").replace('?', "");
    let words = bare.split(|letter: char| !(letter.is_alphabetic() || letter == '\''));
    words.into_iter().any(names_negation)
}

fn is_perception(word: &str) -> bool {
    matches!(
        word,
        "smell"
            | "smells"
            | "smelling"
            | "smelled"
            | "smelt"
            | "see"
            | "sees"
            | "seeing"
            | "seen"
            | "saw"
            | "hear"
            | "hears"
            | "hearing"
            | "heard"
            | "notice"
            | "noticed"
            | "feel"
            | "feels"
            | "feeling"
            | "felt"
            | "detect"
            | "detected"
            | "find"
            | "found"
            | "spot"
    )
}

/// Words between a negation and what it governs, after "no".
fn is_light_before_noun(word: &str) -> bool {
    matches!(
        word,
        "sign"
            | "signs"
            | "smell"
            | "smells"
            | "odor"
            | "trace"
            | "evidence"
            | "hint"
            | "whiff"
            | "kind"
            | "sort"
            | "of"
            | "more"
            | "longer"
            | "actual"
            | "real"
            | "visible"
            | "obvious"
            | "active"
            | "such"
            | "other"
            | "any"
            | "further"
            | "apparent"
    )
}

/// Words between a negation and what it governs, inside a clause.
fn is_light_in_clause(word: &str) -> bool {
    is_light_before_noun(word)
        || is_perception(word)
        || matches!(
            word,
            "a" | "an"
                | "the"
                | "some"
                | "even"
                | "really"
                | "actually"
                | "currently"
                | "also"
                | "yet"
                | "exactly"
                | "necessarily"
                | "anything"
                | "anyone"
                | "anybody"
                | "is"
                | "are"
                | "was"
                | "were"
                | "be"
                | "been"
                | "being"
                | "have"
                | "has"
                | "had"
                | "having"
                | "got"
                | "get"
                | "getting"
                | "in"
                | "on"
                | "at"
                | "from"
                | "like"
                | "to"
                | "seem"
                | "seems"
                | "appear"
                | "look"
                | "looks"
                | "showing"
                | "reporting"
        )
}

fn is_opinion(word: &str) -> bool {
    matches!(word, "think" | "believe" | "suspect" | "thinking")
}

/// What may open the clause that an opinion is about.
fn opens_clause(word: &str) -> bool {
    matches!(
        word,
        "it's"
            | "its"
            | "it"
            | "that's"
            | "that"
            | "this"
            | "there's"
            | "theres"
            | "there"
            | "he's"
            | "she's"
            | "i'm"
            | "he"
            | "she"
            | "i"
            | "we"
            | "anyone"
            | "anybody"
    )
}

/// Whether a "no" after this word belongs to the noun behind it.
fn makes_determiner(word: &str) -> bool {
    is_perception(word)
        || matches!(
            word,
            "there's"
                | "theres"
                | "there"
                | "is"
                | "was"
                | "are"
                | "were"
                | "be"
                | "been"
                | "have"
                | "has"
                | "had"
                | "got"
                | "with"
                | "and"
                | "or"
                | "but"
                | "i've"
                | "we've"
        )
}

/// Whether this word makes the noun before it the subject of a statement.
fn is_finite(word: &str) -> bool {
    matches!(
        word,
        "is" | "are"
            | "was"
            | "were"
            | "has"
            | "have"
            | "keeps"
            | "started"
            | "starts"
            | "came"
            | "comes"
            | "everywhere"
            | "all"
    )
}

/// What a noun does after "just": "no, gas just started leaking", not "no gas, just no heat".
fn is_told_after_just(word: &str) -> bool {
    matches!(
        word,
        "started"
            | "starts"
            | "began"
            | "came"
            | "comes"
            | "got"
            | "hit"
            | "went"
            | "is"
            | "was"
            | "keeps"
            | "kept"
            | "blew"
            | "broke"
            | "burst"
            | "caught"
            | "filled"
            | "poured"
            | "rolled"
            | "shot"
            | "leaked"
            | "leaking"
            | "pouring"
            | "coming"
            | "hissing"
            | "escaping"
            | "filling"
            | "spewing"
            | "spraying"
            | "venting"
            | "burning"
            | "everywhere"
    )
}

/// Words that end what was not so: "until today".
fn ends_denial(word: &str) -> bool {
    matches!(word, "until" | "till" | "til" | "unless" | "except")
}

/// What "until" says of an appointment and not of a danger.
fn is_date_to_come(word: &str) -> bool {
    matches!(
        word,
        "monday"
            | "tuesday"
            | "wednesday"
            | "thursday"
            | "friday"
            | "saturday"
            | "sunday"
            | "tomorrow"
            | "next"
            | "later"
    )
}

/// Where another clause begins, which says nothing of the one before.
fn begins_clause(word: &str) -> bool {
    matches!(
        word,
        "so" | "and"
            | "but"
            | "can"
            | "could"
            | "will"
            | "would"
            | "please"
            | "just"
            | "wait"
            | "i"
            | "i'm"
            | "i'll"
            | "we"
            | "it"
            | "it's"
    )
}

/// Who or what stands between "if" or "say" and the negation.
fn is_subject(word: &str) -> bool {
    matches!(
        word,
        "i" | "we" | "you" | "he" | "she" | "they" | "it" | "it's" | "there" | "there's" | "theres" | "was" | "were"
    )
}

/// Words of which a clause is the object: "can't say", "not that", "don't tell me".
fn reports(word: &str) -> bool {
    matches!(
        word,
        "say" | "saying" | "tell" | "telling" | "pretend" | "claim" | "think" | "believe" | "like" | "mean" | "that"
    )
}

/// Words that turn "never" into stress.
fn stresses(word: &str) -> bool {
    matches!(word, "like" | "this" | "that" | "so" | "such" | "before" | "strong")
}

/// A word and where it stands.
type Word<'t> = (&'t str, usize);

/// The ranges of the text that a negation takes away. `phrases` are the danger phrases in the text, by their ends.
pub(super) fn governed(text: &str, phrases: &[PhraseHit]) -> Vec<Range<usize>> {
    let words: Vec<Word<'_>> = cut(text).collect();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut next = 0;
    while let Some((word, _)) = words.get(next) {
        let at = next;
        next += 1;
        let Some(reach) = reach(word) else { continue };
        let Some(mut range) = reached(&words, at, reach) else {
            continue;
        };
        if is_doubled(&words, at) || is_contrary_to_fact(&words, at) || is_over(&words, at, &range) {
            continue;
        }
        loop {
            extend(&mut range, phrases);
            // "no smoke or fire"
            let behind = words.partition_point(|(_, start)| *start < range.end);
            ranges.push(range);
            let goes_on = words.get(behind).is_some_and(|(word, _)| matches!(*word, "or" | "nor"));
            match goes_on.then(|| chain(&words, behind + 1, is_light_in_clause)).flatten() {
                Some(more) => range = more,
                None => break,
            }
        }
    }
    merge(ranges)
}

fn cut(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    text.split(' ').filter_map(move |word| {
        let start = at;
        at += word.len() + 1;
        (!word.is_empty()).then_some((word, start))
    })
}

/// What the negation at `at` governs.
fn reached(words: &[Word<'_>], at: usize, reach: Reach) -> Option<Range<usize>> {
    let word = |index: usize| words.get(index).map(|(word, _)| *word);
    let from = at + 1;
    match reach {
        // "no one" is "nobody".
        Reach::Noun if matches!(word(from), Some("one" | "body" | "one's")) => {
            chain(words, from + 1, is_light_in_clause)
        }
        Reach::Noun => {
            let before = at.checked_sub(1).and_then(word);
            let range = chain(words, from, is_light_before_noun)?;
            let behind = words.partition_point(|(_, start)| *start < range.end);
            let tells = match word(behind) {
                Some("just") => word(behind + 1).is_some_and(is_told_after_just),
                finite => finite.is_some_and(is_finite),
            };
            let is_answer = !before.is_some_and(makes_determiner) && tells;
            (!is_answer).then_some(range)
        }
        Reach::Clause => chain(words, from, is_light_in_clause),
        Reach::Never => {
            let range = chain(words, from, is_light_in_clause)?;
            let behind = words.partition_point(|(_, start)| *start < range.end);
            (!(behind..behind + 3).filter_map(word).any(stresses)).then_some(range)
        }
        Reach::Perception => word(from)
            .is_some_and(is_perception)
            .then(|| chain(words, from, is_light_in_clause))
            .flatten(),
    }
}

/// Whether another negation takes this one back: "can't not smell", "not that I don't", "can't say there's no".
fn is_doubled(words: &[Word<'_>], at: usize) -> bool {
    let mut before = words.iter().take(at).rev().map(|(word, _)| *word).take(6);
    let mut reported = words.get(at).is_some_and(|(word, _)| *word == "not");
    for word in before.by_ref() {
        match reach(word) {
            // A "no" in front is an answer.
            Some(negation) => return reported && negation != Reach::Noun,
            None if reports(word) => reported = true,
            None if is_subject(word) || matches!(word, "me" | "to") => {}
            None => return false,
        }
    }
    false
}

/// Whether the negation is only supposed: "I wouldn't call if I didn't smell gas".
fn is_contrary_to_fact(words: &[Word<'_>], at: usize) -> bool {
    let mut before = words.iter().take(at).rev().map(|(word, _)| *word).take(4);
    if before.find(|word| !is_subject(word)) != Some("if") {
        return false;
    }
    let word = |index: usize| words.get(index).map(|(word, _)| *word);
    (0..words.len()).any(|index| {
        let would = match word(index) {
            Some("wouldn't" | "wouldnt") => return true,
            Some("would") => match (index.checked_sub(1).and_then(word), word(index + 1)) {
                (_, Some("not")) => return true,
                (Some("i" | "we"), _) | (_, Some("i" | "we")) => true,
                _ => false,
            },
            Some("i'd" | "we'd") => true,
            _ => false,
        };
        would && (index + 1..index + 5).filter_map(word).any(bothers)
    })
}

/// What a caller would not do without a reason.
fn bothers(word: &str) -> bool {
    matches!(
        word,
        "call" | "calling" | "called" | "bother" | "bothering" | "phone" | "phoning" | "worry" | "worried" | "say"
    )
}

/// Whether what was not so is so now, or was so and is not well: "until today", "no longer … but".
fn is_over(words: &[Word<'_>], at: usize, range: &Range<usize>) -> bool {
    let word = |index: usize| words.get(index).map(|(word, _)| *word);
    let behind = words.partition_point(|(_, start)| *start < range.end);
    let was_so = word(at + 1) == Some("longer")
        || word(behind) == Some("anymore")
        || (word(behind) == Some("any") && word(behind + 1) == Some("more"));
    if was_so {
        return words
            .iter()
            .skip(behind)
            .any(|(word, _)| matches!(*word, "but" | "though" | "still"));
    }
    let own = (behind..behind + 6).map_while(|index| Some((index, word(index).filter(|word| !begins_clause(word))?)));
    for (index, word_behind) in own {
        let next = word(index + 1);
        if ends_denial(word_behind) {
            return !next.is_some_and(is_date_to_come);
        }
        if word_behind == "before" {
            return matches!(next, Some("today" | "now" | "this"));
        }
    }
    false
}

/// From `from` over light words to the first that says something.
fn chain(words: &[Word<'_>], from: usize, is_light: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let (_, start) = *words.get(from)?;
    let mut end = start;
    let mut after_opinion = false;
    for (word, at) in words.get(from..)? {
        end = at + word.len();
        if is_opinion(word) {
            after_opinion = true;
        } else if !(is_light(word) || after_opinion && opens_clause(word)) {
            break;
        }
    }
    Some(start..end)
}

/// A danger phrase that begins inside what is governed is governed to its end.
fn extend(range: &mut Range<usize>, phrases: &[PhraseHit]) {
    let from = phrases.partition_point(|hit| hit.span.end <= range.start);
    for hit in phrases.iter().skip(from) {
        if hit.span.end > range.end + LONGEST_PHRASE {
            break;
        }
        if !hit.names_negation && range.contains(&hit.span.start) {
            range.end = range.end.max(hit.span.end);
        }
    }
}
