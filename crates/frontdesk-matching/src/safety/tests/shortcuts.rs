//! The automaton's shortcuts lose nothing and long texts cost no more than their length.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// Words of all rules, and words that carry no danger.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words: Vec<String> = Vec::new();
    for category in EMBEDDED.categories() {
        let sources = category
            .phrases
            .iter()
            .chain(&category.exclusions)
            .chain(&category.patterns)
            .chain(&category.exclusion_patterns);
        for source in sources {
            let bare = source.replace("\\b", " ").replace('?', "");
            words.extend(
                bare.split(|c: char| !(c.is_alphanumeric() || c == '\''))
                    .filter(|word| word.len() > 1)
                    .map(str::to_owned),
            );
        }
    }
    words.extend(
        "i the a my it is we no not don't without or but and today please can you come été 24 7"
            .split(' ')
            .map(str::to_owned),
    );
    words.sort();
    words.dedup();
    words
});

fn phrase() -> impl Strategy<Value = String> {
    let phrases: Vec<String> = EMBEDDED
        .categories()
        .iter()
        .flat_map(|category| category.phrases.iter().chain(&category.exclusions).cloned())
        .collect();
    prop::sample::select(phrases)
}

fn word_mix() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => prop::sample::select(WORDS.clone()),
        1 => phrase(),
        1 => prop::sample::select(vec!["no".to_owned(), "don't smell".to_owned(), "there's no".to_owned(), "or".to_owned()]),
    ];
    prop::collection::vec(word, 1..25).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn the_prefilter_loses_no_match(text in word_mix()) {
        let text = normalize(&text);
        prop_assert_eq!(EMBEDDED.find(&text), EMBEDDED.find_plainly(&text));
    }

    #[test]
    fn any_text_is_searched_without_a_panic(text in any::<String>()) {
        let _ = EMBEDDED.find(&text);
        let _ = EMBEDDED.find(&normalize(&text));
    }

    #[test]
    fn a_phrase_speaks_wherever_it_stands(before in "(please come today )?", after in "( thank you)?", at in any::<prop::sample::Index>()) {
        let all: Vec<_> = EMBEDDED.categories().iter().flat_map(|category| category.phrases.iter().map(move |phrase| (category, phrase))).collect();
        let (category, phrase) = all[at.index(all.len())];
        let text = normalize(&format!("{before}{phrase}{after}"));
        let found = EMBEDDED.find(&text);
        prop_assert!(found.as_ref().is_some_and(|found| found.category.priority >= category.priority), "{} {:?}", text, found);
    }
}

#[test]
fn ten_thousand_words_are_searched() {
    let harmless = "please come and look at the kitchen sink today ".repeat(1_000);
    assert_eq!(EMBEDDED.find(harmless.trim()), None);
    let ambiguous = "my mother has no gas smell or water near the heater panel but not the outlet ".repeat(600);
    let _ = EMBEDDED.find(ambiguous.trim());
    let foreign = "été gas ".repeat(5_000);
    let _ = EMBEDDED.find(foreign.trim());
    let late = format!("{harmless} and the furnace is on fire");
    assert_eq!(EMBEDDED.find(&late).unwrap().category.id.as_str(), "smoke-fire");
}
