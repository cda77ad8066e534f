//! Rules of a platform's own compile through the same function.

use frontdesk_domain::documents::safety::SafetyRules;
use serde_json::json;

use super::SafetyMatcher;

fn rules(language: &str, categories: &serde_json::Value) -> SafetyRules {
    serde_json::from_value(json!({ "version": "1", "language": language, "categories": categories })).unwrap()
}

fn category(id: &str, priority: i32, mut more: serde_json::Value) -> serde_json::Value {
    let base = json!({
        "id": id, "name": id, "priority": priority, "action": "hangup",
        "sentence": "Get out.", "sentenceWithoutTransfer": "Get out.",
    });
    let fields = more.as_object_mut().unwrap();
    fields.extend(base.as_object().unwrap().clone());
    more
}

#[track_caller]
fn check(categories: &serde_json::Value, text: &str, expected: Option<(&str, &str)>) {
    let matcher = SafetyMatcher::compile(&rules("en-US", categories)).unwrap();
    let found = matcher.find(text);
    assert_eq!(
        found
            .as_ref()
            .map(|found| (found.category.id.as_str(), found.words(text))),
        expected,
        "{text}"
    );
    let plainly = matcher.find_plainly(text);
    assert_eq!(found, plainly, "{text}");
}

#[test]
fn the_highest_priority_decides_and_then_the_order() {
    let both = json!([
        category("low", 1, json!({"phrases": ["alpha"]})),
        category("first", 2, json!({"phrases": ["beta"]})),
        category("second", 2, json!({"phrases": ["beta", "gamma"]})),
    ]);
    check(&both, "alpha beta", Some(("first", "beta")));
    check(&both, "alpha gamma", Some(("second", "gamma")));
    check(&both, "alphabet", None);
}

#[test]
fn an_exclusion_takes_out_its_own_words_in_its_own_category() {
    let rules = json!([
        category("a", 2, json!({"phrases": ["smoke"], "exclusions": ["smoke test"]})),
        category("b", 1, json!({"phrases": ["test"]})),
    ]);
    check(&rules, "smoke test", Some(("b", "test")));
    check(&rules, "smoke test and smoke", Some(("a", "smoke")));
}

#[test]
fn an_exclusion_never_makes_a_word() {
    let rules = json!([category(
        "a",
        1,
        json!({"patterns": ["\\barm\\b"], "exclusionPatterns": ["fire", "cold.{0,5}"]})
    )]);
    check(&rules, "firearm", None);
    check(&rules, "cold alarm", None);
    check(&rules, "fire arm", Some(("a", "arm")));
}

#[test]
fn words_taken_out_do_not_join_their_neighbours() {
    let rules = json!([category(
        "a",
        1,
        json!({"phrases": ["no air"], "patterns": ["\\bno air\\b"], "exclusions": ["x"]})
    )]);
    check(&rules, "no x air", None);
}

#[test]
fn phrases_are_normalised_like_the_text() {
    let rules = json!([category("a", 1, json!({"phrases": ["Can’t BREATHE!"]}))]);
    check(&rules, "i can't breathe", Some(("a", "can't breathe")));
}

#[test]
fn rules_of_another_language_know_no_english_negation() {
    let document = rules(
        "es-US",
        &json!([category(
            "humo",
            1,
            json!({"phrases": ["hay humo"], "patterns": ["\\bniñ[oa]s?\\b.{0,20}\\batrapad[oa]s?\\b"]})
        )]),
    );
    let matcher = SafetyMatcher::compile(&document).unwrap();
    assert!(matcher.find("no hay humo").is_some());
    assert!(matcher.find("el niño está atrapado").is_some());
    assert!(matcher.find("ñatrapado niño").is_none());
}

#[test]
fn letters_of_other_scripts_are_letters() {
    let rules = json!([category("a", 1, json!({"phrases": ["co"], "patterns": ["\\bgas\\b"]}))]);
    check(&rules, "coït", None);
    check(&rules, "égas", None);
    check(&rules, "été gas", Some(("a", "gas")));
}

#[test]
fn every_unusable_rule_is_named() {
    let broken = rules(
        "en-US",
        &json!([category(
            "a",
            1,
            json!({
                "phrases": ["fine", "?!", "x".repeat(300)],
                "patterns": ["(", "a*", "Smoke", "\\bfine\\b", "(.{0,900}){0,900}", "(?=x)y", "a".repeat(20_000)],
                "exclusions": [" "],
                "exclusionPatterns": ["[z-a]"],
            })
        )]),
    );
    let faults = SafetyMatcher::compile(&broken).unwrap_err();
    let mut named: Vec<_> = faults.iter().map(|fault| (fault.field.name(), fault.index)).collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            ("exclusionPatterns", 0),
            ("exclusions", 0),
            ("patterns", 0),
            ("patterns", 1),
            ("patterns", 2),
            ("patterns", 4),
            ("patterns", 5),
            ("patterns", 6),
            ("phrases", 1),
            ("phrases", 2),
        ]
    );
    assert!(
        faults
            .iter()
            .all(|fault| fault.category.as_str() == "a" && !fault.reason.is_empty())
    );
    assert!(
        faults[0].to_string().contains("category `a`, phrases[1]"),
        "{}",
        faults[0]
    );
}

#[test]
fn no_rules_find_nothing() {
    let matcher = SafetyMatcher::compile(&rules("en-US", &json!([]))).unwrap();
    assert!(matcher.find("fire").is_none());
    assert!(SafetyMatcher::default().find("fire").is_none());
}
