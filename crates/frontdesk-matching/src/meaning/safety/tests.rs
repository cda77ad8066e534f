use serde_json::{Value, json};

use super::*;
use crate::safety::{EMBEDDED, embedded_rules};

const TRAIN: &str = include_str!("../../../../../data/safety/utterances.train.jsonl");
const TEST: &str = include_str!("../../../../../data/safety/utterances.test.jsonl");

/// Two dangers, of which the first has an exclusion.
fn rules() -> SafetyRules {
    let category = |id: &str, priority: i32, phrase: &str, exclusion: &str| {
        json!({ "id": id, "name": id, "priority": priority, "action": "transfer", "sentence": "Go.",
            "sentenceWithoutTransfer": "Go.", "phrases": [phrase], "exclusions": [exclusion] })
    };
    let categories = [
        category("heat", 1, "red hot", "red hot deal"),
        category("wet", 2, "drowning", "drowning in paper"),
    ];
    serde_json::from_value(json!({ "version": "1", "language": "en-US", "categories": categories })).unwrap()
}

/// The lessons of [`rules`]: each danger has a direction of its own, what is harmless another.
fn taught(threshold: f64) -> (SafetyMatcher, SafetyByMeaning) {
    let rules = rules();
    let examples = SafetyExamples {
        language: "en".to_owned(),
        dangers: BTreeMap::from([("heat".to_owned(), vec!["it glows".to_owned()])]),
        harmless: vec!["what time is it".to_owned()],
        ..SafetyExamples::default()
    };
    let lessons = lessons(&rules, &examples);
    let texts: Vec<_> = lessons
        .iter()
        .map(|lesson| (lesson.text.as_str(), lesson.danger))
        .collect();
    assert_eq!(
        texts,
        [("drowning", Some(0)), ("it glows", Some(1)), ("what time is it", None)]
    );
    let embeddings = [along(0), along(1), along(2)];
    let coefficients = SafetyCoefficients {
        care: 100.0,
        scale: 1.0,
        threshold,
        ..SafetyCoefficients::default()
    };
    let meaning = SafetyByMeaning::learn(&lessons, &embeddings, &coefficients, &|| false).unwrap();
    (SafetyMatcher::compile(&rules).unwrap(), meaning)
}

fn along(axis: usize) -> Embedding {
    let mut numbers = vec![0.0; 3];
    numbers[axis] = 1.0;
    Embedding::new(numbers).unwrap()
}

#[track_caller]
fn check(text: &str, embedding: &Embedding, expected: Option<(&str, &str)>) {
    let (matcher, meaning) = taught(0.5);
    let found = meaning.decide(&matcher, text, embedding);
    let found = found
        .as_ref()
        .map(|danger| (danger.category.id.as_str(), danger.nearest));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_danger_is_told_with_its_nearest_lesson() {
    check("the pipe is glaring", &along(1), Some(("heat", "it glows")));
    check("she went under", &along(0), Some(("wet", "drowning")));
    check("is it four yet", &along(2), None);
}

#[test]
fn an_exclusion_binds_its_own_danger_only() {
    check("a red hot deal it is", &along(1), None);
    check("we are drowning in paper", &along(0), None);
    check(
        "we are drowning in paper and it glares",
        &along(1),
        Some(("heat", "it glows")),
    );
}

#[test]
fn what_is_denied_is_not_meant() {
    check("it is not red hot", &along(1), None);
    check("nobody is drowning", &along(0), None);
    check(
        "nobody is drowning but it glares",
        &along(1),
        Some(("heat", "it glows")),
    );
}

#[test]
fn the_threshold_is_asked() {
    let (matcher, meaning) = taught(0.999_999);
    assert_eq!(meaning.decide(&matcher, "it glares", &along(1)), None);
}

#[test]
fn nothing_is_decided_without_lessons_or_for_other_numbers() {
    let mut rules = rules();
    rules.language = "de-DE".into();
    assert_eq!(lessons(&rules, &EXAMPLES), [], "examples of another language");
    rules.language = "en-US".into();
    rules.categories.clear();
    let none = lessons(&rules, &EXAMPLES);
    assert_eq!(none, []);
    assert!(SafetyByMeaning::learn(&none, &[], &COEFFICIENTS, &|| false).is_none());
    let (matcher, meaning) = taught(0.5);
    let other = Embedding::new(vec![1.0, 0.0]).unwrap();
    assert_eq!(meaning.decide(&matcher, "it glares", &other), None);
    assert_eq!(meaning.decide(&SafetyMatcher::default(), "it glares", &along(1)), None);
}

#[test]
fn learning_stops_when_told() {
    let lessons = [Some(0), None].map(|danger| Lesson {
        text: "x".to_owned(),
        danger,
    });
    let embeddings = [along(0), along(1)];
    assert!(SafetyByMeaning::learn(&lessons, &embeddings, &COEFFICIENTS, &|| true).is_none());
    assert!(SafetyByMeaning::learn(&lessons, &embeddings[..1], &COEFFICIENTS, &|| false).is_none());
    assert!(SafetyByMeaning::learn(&lessons, &embeddings, &COEFFICIENTS, &|| false).is_some());
}

#[test]
fn the_embedded_coefficients_and_examples_load() {
    let coefficients = &*COEFFICIENTS;
    assert!(coefficients.threshold > 0.5 && coefficients.threshold < 1.0);
    assert!(coefficients.scale > 0.0 && coefficients.care > 0.0);
    assert_eq!(coefficients.model_sha256.len(), 64);
    for category in EMBEDDED.categories() {
        let examples = EXAMPLES.dangers.get(category.id.as_str()).map_or(0, Vec::len);
        assert!(examples >= 20, "{}: {examples}", category.id);
    }
    assert!(EXAMPLES.harmless.len() >= 1_000);
    let taught = lessons(&embedded_rules().unwrap(), &EXAMPLES);
    let is_taught = |text: &str| taught.iter().any(|lesson| lesson.text == text);
    let measured = labelled(TEST).into_iter();
    let known: Vec<_> = measured.filter(|(text, danger)| *danger && is_taught(text)).collect();
    assert_eq!(known, [], "what measures must not teach");
}

/// Texts in normal form, and whether each tells of a danger.
fn labelled(lines: &str) -> Vec<(String, bool)> {
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (
                normalize(line["utterance"].as_str().unwrap()),
                line["expect"]["source"] == "safety",
            )
        })
        .collect()
}

/// Dangers heard and false alarms of the rules alone.
fn heard(lines: &str) -> (usize, usize) {
    let heard = labelled(lines)
        .into_iter()
        .filter(|(text, _)| EMBEDDED.find(text).is_some());
    let (dangers, alarms): (Vec<_>, Vec<_>) = heard.partition(|(_, danger)| *danger);
    (dangers.len(), alarms.len())
}

#[test]
fn rules_alone_hear_what_they_heard() {
    let (dangers, alarms) = heard(TRAIN);
    assert!(dangers >= 485 && alarms == 0, "train: {dangers}, {alarms}");
    let (dangers, alarms) = heard(TEST);
    assert!(dangers >= 40 && alarms <= 2, "test: {dangers}, {alarms}");
}
