//! The sensible answer: which offered key shares most words with the caller.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{request::Asked, schema};

/// The key for "nothing of this".
const NONE: &str = "none";

/// Words that say nothing about what somebody wants, or belong to the frame around the caller's words. Of English,
/// as the demo data is; words of less than three letters are never compared.
const STOP_WORDS: [&str; 92] = [
    "about",
    "all",
    "also",
    "and",
    "any",
    "anything",
    "are",
    "around",
    "ask",
    "because",
    "been",
    "but",
    "call",
    "caller",
    "can",
    "could",
    "did",
    "does",
    "doing",
    "don",
    "for",
    "from",
    "get",
    "give",
    "going",
    "good",
    "got",
    "had",
    "has",
    "have",
    "hello",
    "her",
    "here",
    "hey",
    "him",
    "his",
    "how",
    "into",
    "its",
    "just",
    "know",
    "let",
    "like",
    "look",
    "looking",
    "make",
    "may",
    "maybe",
    "more",
    "much",
    "need",
    "not",
    "now",
    "okay",
    "one",
    "our",
    "out",
    "please",
    "really",
    "said",
    "say",
    "says",
    "she",
    "should",
    "some",
    "something",
    "tell",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "they",
    "this",
    "was",
    "well",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "will",
    "with",
    "would",
    "yes",
    "you",
    "your",
];

/// What the double says about a caller's words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) choice: String,
    pub(crate) out_of_scope: bool,
    /// From 0 to 1, two decimals.
    pub(crate) confidence: f64,
}

impl Verdict {
    /// Nothing of what was offered.
    pub(crate) fn none(out_of_scope: bool) -> Self {
        Self {
            choice: NONE.to_owned(),
            out_of_scope,
            confidence: 0.9,
        }
    }

    /// The properties of an answer by their names.
    pub(crate) fn properties(&self) -> Map<String, Value> {
        let named = [
            ("choice", json!(self.choice)),
            ("outOfScope", json!(self.out_of_scope)),
            ("confidence", json!(self.confidence)),
        ];
        named
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The offered key whose lines share most distinct words with the caller; of equals the one whose shared words fewer
/// keys have, then the first. None shares a word: `none`.
pub(crate) fn choose(asked: &Asked, schema: &Value) -> Verdict {
    let caller = content_words(asked.caller_words());
    let lines = asked.system_lines();
    let offered = schema::offered(schema).into_iter().filter(|key| *key != NONE);
    let offers: Vec<(&str, BTreeSet<String>)> = offered.map(|key| (key, words_of(key, &lines))).collect();
    let holders = |word: &String| offers.iter().filter(|(_, words)| words.contains(word)).count();
    let mut best: Option<(&str, usize, usize)> = None;
    for (key, words) in &offers {
        let shared: Vec<&String> = caller.intersection(words).collect();
        let commonness: usize = shared.iter().map(|word| holders(word)).sum();
        let is_better =
            best.is_none_or(|(_, most, least)| shared.len() > most || (shared.len() == most && commonness < least));
        if !shared.is_empty() && is_better {
            best = Some((key, shared.len(), commonness));
        }
    }
    best.map_or_else(
        || Verdict::none(false),
        |(key, shared, _)| Verdict {
            choice: key.to_owned(),
            out_of_scope: false,
            confidence: confidence(shared, caller.len()),
        },
    )
}

/// From 0.62 to 0.95 by the share of the caller's words that were found.
fn confidence(shared: usize, all: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let share = number(shared) / number(all.max(1));
    ((0.62 + 0.33 * share) * 100.0).round() / 100.0
}

/// The words of the lines that begin with a key, or else of those that have it anywhere.
fn words_of(key: &str, lines: &[&str]) -> BTreeSet<String> {
    let leading: Vec<&&str> = lines.iter().filter(|line| begins_with(line, key)).collect();
    let lines = if leading.is_empty() {
        lines.iter().filter(|line| has(line, key)).collect()
    } else {
        leading
    };
    lines.into_iter().flat_map(|line| content_words(line)).collect()
}

fn begins_with(line: &str, key: &str) -> bool {
    let rest = line.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    rest.strip_prefix(key)
        .is_some_and(|after| !after.starts_with(is_of_key))
}

/// Whether a key stands in a line as a whole: `q1` does not stand in `q10`.
fn has(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + key.len()..).unwrap_or_default();
        !before.ends_with(is_of_key) && !after.starts_with(is_of_key)
    })
}

fn is_of_key(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '-' || letter == '_'
}

/// The distinct words that say something, as their stems.
fn content_words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphabetic());
    let telling = words.filter(|word| word.chars().count() >= 3 && !STOP_WORDS.contains(word));
    telling.map(stem).collect()
}

/// A crude stem: without the ending of a plural, a past or a progressive form, as long as three letters stay.
fn stem(word: &str) -> String {
    let without = |word: &str, ending: &str| {
        let rest = word.strip_suffix(ending)?;
        (rest.chars().count() >= 3).then(|| rest.to_owned())
    };
    let endings = ["ies", "ing", "ed", "es", "s"];
    let mut stem = endings
        .iter()
        .find_map(|ending| without(word, ending))
        .unwrap_or_else(|| word.to_owned());
    for vowel in ["e", "y"] {
        stem = without(&stem, vowel).unwrap_or(stem);
    }
    let mut letters = stem.chars().rev();
    let is_doubled = stem.len() > 3 && letters.next() == letters.next();
    if is_doubled {
        stem.pop();
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "Choose one of these.\n\
        - q1: Opening hours; \"when are you open\", \"what are your hours\"; We are open from eight to five.\n\
        - q10: Senior discount; \"is there a discount for seniors\"; Seniors get ten percent off.\n\
        - leak-repair: Leaking pipe; \"my pipe is leaking\"; We can repair that today.\n\
        - price-repair: Prices; \"what does a repair cost\"; A repair costs ninety dollars.";

    fn chosen(words: &str) -> (String, f64) {
        let schema = json!({"properties": {"choice": {"enum": ["q1", "q10", "leak-repair", "price-repair", "none"]}}});
        let body = json!({"model": "m", "messages": [
            {"role": "system", "content": SYSTEM}, {"role": "user", "content": words}]});
        let asked = Asked::read(body.to_string().as_bytes()).unwrap();
        let verdict = choose(&asked, &schema);
        assert!(!verdict.out_of_scope);
        (verdict.choice, verdict.confidence)
    }

    #[test]
    fn the_key_that_shares_most_words_is_chosen() {
        let check = |words, key: &str, confidence: f64| {
            assert_eq!(chosen(words), (key.to_owned(), confidence), "{words}");
        };
        check("are you OPEN?", "q1", 0.95);
        check("Do you have a senior discount", "q10", 0.95);
        check("my pipes leaked all over the kitchen", "leak-repair", 0.79);
        check("what would repairing cost me", "price-repair", 0.95);
        check("I want to sell you insurance", "none", 0.9);
        check("", "none", 0.9);
    }

    #[test]
    fn of_equals_the_rarer_words_win_then_the_first() {
        // `open` is only in q1's line, `repair` in those of two keys.
        assert_eq!(chosen("repair open").0, "q1");
        assert_eq!(chosen("repair").0, "leak-repair");
    }

    #[test]
    fn a_key_inside_another_is_another_key() {
        let lines = SYSTEM.lines().collect::<Vec<_>>();
        assert!(words_of("q10", &lines).contains("discount"));
        assert!(!words_of("q1", &lines).contains("discount"));
        assert!(has("see (q1)", "q1") && !has("see q10, q1-b", "q1"));
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            ["leak", "leaks", "leaking"],
            ["price", "prices", "pricing"],
            ["stop", "stopped", "stopping"],
            ["emergency", "emergencies", "emergency"],
        ] {
            let stems: BTreeSet<String> = forms.iter().map(|word| stem(word)).collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
    }

    #[test]
    fn stop_words_are_sorted_and_once() {
        assert!(STOP_WORDS.is_sorted_by(|a, b| a < b));
    }
}
