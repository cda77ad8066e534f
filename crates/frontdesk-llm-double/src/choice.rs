//! The sensible answer: which offered key shares most words with the caller.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{request::Asked, schema};

/// The key for "nothing of this".
const NONE: &str = "none";

/// Words that say nothing about what somebody wants, or belong to the frame around the caller's words. Of English,
/// as the demo data is; words of less than three letters are never compared.
const STOP_WORDS: [&str; 93] = [
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
    "words",
    "would",
    "yes",
    "you",
    "your",
];

/// Stems of what callers say whatever they want, so that alone they speak for no answer. Sorted.
const VAGUE: [&str; 57] = [
    "again", "anybod", "anyon", "around", "back", "bad", "better", "com", "day", "everybod", "everyon", "fin", "find",
    "happen", "hear", "help", "hold", "hom", "hous", "keep", "leav", "listen", "long", "main", "mean", "menu", "minut",
    "morn", "new", "next", "night", "old", "peopl", "person", "phon", "plac", "right", "somebod", "someon", "speak",
    "start", "stil", "stop", "sur", "tak", "talk", "thing", "think", "tim", "toda", "tomorrow", "tonight", "try",
    "want", "way", "week", "work",
];

/// Words that deny what follows, up to [`DENIES`] words or the end of the clause.
const NEGATIONS: [&str; 19] = [
    "ain't", "aren't", "didn't", "doesn't", "don't", "dont", "hadn't", "hasn't", "haven't", "isn't", "never", "no",
    "nobody", "not", "nothing", "wasn't", "weren't", "without", "neither",
];

/// Where what is denied ends.
const CLAUSES: [&str; 5] = ["although", "because", "but", "so", "though"];

/// So many words are denied by a negation.
const DENIES: usize = 4;

/// Stands before a word that is denied: it is shared with those who deny it too.
const DENIED: char = '!';

/// A word that so many keys have at most is rare.
const RARE: usize = 2;

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

/// The offered key that shares most distinct words with the caller, if they are [`evidence`]; of equals the one whose shared
/// words fewer keys have, then the first. There is none: `none`, as a cautious model says.
pub(crate) fn choose(asked: &Asked, schema: &Value) -> Verdict {
    let caller = content_words(asked.caller_words());
    let lines = asked.system_lines();
    let offered = schema::offered(schema).into_iter().filter(|key| *key != NONE);
    let offers: Vec<Offer<'_>> = offered.map(|key| Offer::read(key, &lines)).collect();
    let holders = |word: &String| offers.iter().filter(|offer| offer.words.contains(word)).count();
    let mut best: Option<(&str, usize, usize)> = None;
    for offer in &offers {
        let shared: Vec<&String> = caller.intersection(&offer.words).collect();
        if !is_evidence(&shared, &caller, offer.is_danger, holders) {
            continue;
        }
        let commonness: usize = shared.iter().map(|word| holders(word)).sum();
        let is_better =
            best.is_none_or(|(_, most, least)| shared.len() > most || (shared.len() == most && commonness < least));
        if is_better {
            best = Some((offer.key, shared.len(), commonness));
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

/// Something that may be chosen.
struct Offer<'k> {
    key: &'k str,
    words: BTreeSet<String>,
    /// Whether its line is that of a danger.
    is_danger: bool,
}

impl<'k> Offer<'k> {
    /// From the lines that begin with its key, or else from those that have it anywhere.
    fn read(key: &'k str, lines: &[&str]) -> Self {
        let leading: Vec<&str> = lines.iter().copied().filter(|line| begins_with(line, key)).collect();
        let own = if leading.is_empty() {
            lines.iter().copied().filter(|line| has(line, key)).collect()
        } else {
            leading
        };
        Self {
            key,
            words: own.iter().flat_map(|line| content_words(line)).collect(),
            is_danger: own
                .iter()
                .any(|line| line.split('|').nth(1).is_some_and(|kind| kind.trim() == "danger")),
        }
    }
}

/// Whether shared words say that a caller wants this: two of them that are a third of what the caller said or more, or one
/// that hardly another key has, where the caller said no other that tells anything ("do you sell boats" is about boats). A
/// danger needs two, and half. Words that callers say whatever they want count only beside others.
fn is_evidence(
    shared: &[&String],
    caller: &BTreeSet<String>,
    is_danger: bool,
    holders: impl Fn(&String) -> usize,
) -> bool {
    let tells = |word: &String| !VAGUE.contains(&word.trim_start_matches(DENIED));
    let mut telling = shared.iter().filter(|word| tells(word));
    let Some(first) = telling.next() else { return false };
    let covers = |part: usize| shared.len() * part >= caller.len();
    match (is_danger, telling.next()) {
        (true, second) => second.is_some() && covers(2),
        (false, Some(_)) => covers(3),
        (false, None) if shared.len() > 1 => covers(2),
        (false, None) => caller.iter().filter(|word| tells(word)).count() == 1 && holders(first) <= RARE,
    }
}

/// From 0.62 to 0.95 by the share of the caller's words that were found.
fn confidence(shared: usize, all: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let share = number(shared) / number(all.max(1));
    ((0.62 + 0.33 * share) * 100.0).round() / 100.0
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

/// The distinct words that say something, as their stems; what is denied has [`DENIED`] in front.
fn content_words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let mut words = BTreeSet::new();
    for clause in
        lower.split(|letter: char| !(letter.is_alphanumeric() || letter == '\'' || letter == '-' || letter == ' '))
    {
        let mut denied = 0_usize;
        for spoken in clause.split(|letter: char| !(letter.is_alphanumeric() || letter == '\'')) {
            let spoken = spoken.trim_matches('\'');
            if spoken.is_empty() {
                continue;
            }
            if NEGATIONS.contains(&spoken) {
                denied = DENIES;
                continue;
            }
            if CLAUSES.contains(&spoken) {
                denied = 0;
            }
            for word in spoken.split(|letter: char| !letter.is_alphabetic()) {
                if word.chars().count() >= 3 && !STOP_WORDS.contains(&word) {
                    let mark = if denied > 0 { "!" } else { "" };
                    words.insert(format!("{mark}{}", stem(word)));
                }
            }
            denied = denied.saturating_sub(1);
        }
    }
    words
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
        assert_eq!(chosen("open hours repair costs").0, "q1");
        assert_eq!(chosen("repair").0, "leak-repair");
    }

    const DEMO: &str = "Entries:\n\
        gas | danger | Gas leak | \"smell gas\", \"leave the house\" | Leave the house now, do not go back, and call 911.\n\
        flood | danger | Water near electricity | \"the main breaker is under water\" | Turn off the main.\n\
        harm | danger | Thoughts of suicide | \"nobody is listening\" | Please call 988: someone will listen.\n\
        trapped | danger | Trapped | \"somebody is stuck, help\" | Somebody will help.\n\
        greet | scenario | Greeting | \"hello\", \"talk to a person\" | Hi there, what can I do for you?\n\
        sorry | scenario | Apology | \"you speak too fast\" | I am sorry.\n\
        move | scenario | Reschedule | \"move my visit to tomorrow\" | Sure, tomorrow works.\n\
        plan | scenario | Maintenance plan | \"schedule a maintenance visit\" | We visit twice a year.\n\
        senior | question | Do you have a senior discount? | \"is there a discount for seniors\" | Ten percent off.";

    #[test]
    fn little_is_no_evidence() {
        let check = |words: &str, key: &str| {
            let keys = [
                "gas", "flood", "harm", "trapped", "greet", "sorry", "move", "plan", "senior", "none",
            ];
            let schema = json!({"properties": {"choice": {"enum": keys}}});
            let user = format!("The caller's words: {}", Value::from(words));
            let body = json!({"model": "m", "messages": [
                {"role": "system", "content": DEMO}, {"role": "user", "content": user}]});
            let asked = Asked::read(body.to_string().as_bytes()).unwrap();
            assert_eq!(choose(&asked, &schema).choice, key, "{words}");
        };
        for words in [
            "go back",
            "main menu",
            "you're not listening",
            "somebody help",
            "can I speak spanish",
            "call me tomorrow",
            "please don't schedule a visit",
            "I don't want to talk to a person",
            "gas",
            "is the water in my town any good for coffee machines",
            "I never asked for a maintenance plan",
            "no senior discount for me",
            "a discount on boats",
        ] {
            check(words, "none");
        }
        check("I smell gas in the house", "gas");
        check("can you move my visit", "move");
        check("schedule a maintenance visit", "plan");
        check("are there discounts", "senior");
        check("not a visit but a senior discount", "senior");
    }

    #[test]
    fn what_is_denied_is_another_word() {
        let words = |text: &str| content_words(text).into_iter().collect::<Vec<_>>();
        assert_eq!(words("it's not cooling"), ["!cool"]);
        assert_eq!(words("no. cooling"), ["cool"]);
        assert_eq!(words("don\u{2019}t cool, but heat"), ["!cool", "heat"]);
    }

    #[test]
    fn a_key_inside_another_is_another_key() {
        let lines = SYSTEM.lines().collect::<Vec<_>>();
        assert!(Offer::read("q10", &lines).words.contains("discount"));
        assert!(!Offer::read("q1", &lines).words.contains("discount"));
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
        assert!(VAGUE.is_sorted_by(|a, b| a < b));
    }
}
