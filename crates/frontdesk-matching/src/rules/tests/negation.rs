//! What a caller denies, takes back or rules out.

use super::*;

#[test]
fn a_negated_request_is_not_that_request() {
    for apostrophe in ['\'', '\u{2019}', '\u{2bc}', '\u{2018}'] {
        check_never(&format!("Please don{apostrophe}t schedule a visit"), "book");
    }
    check_never("please do not schedule a visit", "book");
    check_never("i never said to book an appointment", "book");
    check("i want to schedule a visit", Some("book"));
}

#[test]
fn a_negated_state_is_not_that_state() {
    let knowledge = everything_a_filler();
    for utterance in [
        "The furnace isn't really working",
        "the furnace isn t working",
        "I would not say the furnace is working",
        "i don't think the furnace is working",
        "the furnace is not working",
        "the furnace is no longer working",
    ] {
        assert!(!is_candidate(&knowledge, utterance, "works"), "{utterance}");
    }
    assert_ne!(
        answer(&knowledge, "the heat is not really working again").as_deref(),
        Some("works")
    );
    assert_eq!(answer(&knowledge, "the furnace is working").as_deref(), Some("works"));
    check_never("the furnace is working", "no-heat");
}

#[test]
fn a_trigger_that_is_negative_meets_a_negation() {
    check("my ac isn't cooling", Some("not-cooling"));
    check("the ac is not cooling", Some("not-cooling"));
    check("we got no heat", Some("no-heat"));
    check("heater will not come on", Some("no-heat"));
    check_never("the ac is cooling", "not-cooling");
}

#[test]
fn what_will_not_stop_is_the_opposite_of_what_stopped() {
    check_never("the furnace won't stop running", "stop-running");
    check("the furnace won't stop running", Some("runs"));
    check("the furnace stopped running", Some("stop-running"));
    let toilet = knowledge(&json!({ "scenarios": [scenario("runs-on", &["the toilet won't stop running"])] }));
    for contrary in ["my toilet does not run", "the toilet stopped running"] {
        assert!(!is_candidate(&toilet, contrary, "runs-on"), "{contrary}");
    }
    assert!(is_candidate(&toilet, "the toilet keeps running", "runs-on"));
}

#[test]
fn a_pattern_is_no_evidence_of_what_is_denied() {
    let mut leak = scenario("leak", &["my faucet is dripping"]);
    leak["regexTriggers"] = json!(["\\bfaucet\\b.{0,20}\\bleak(s|ing)?\\b"]);
    let mut dead = scenario("dead", &["the outlet has no power"]);
    dead["regexTriggers"] = json!(["\\boutlets?\\b.{0,20}\\b(isn'?t|not) work(ing)?\\b"]);
    let knowledge = knowledge(&json!({ "scenarios": [leak, dead] }));
    assert_eq!(answer(&knowledge, "my faucet is leaking").as_deref(), Some("leak"));
    assert_eq!(
        answer(&knowledge, "the tub is not leaking but the faucet is leaking").as_deref(),
        Some("leak")
    );
    for contrary in ["my faucet is not leaking", "my faucet stopped leaking"] {
        assert_eq!(answer(&knowledge, contrary), None, "{contrary}");
    }
    assert!(is_candidate(&knowledge, "the outlet by the sink isn't working", "dead"));
}

#[test]
fn a_request_taken_back_is_not_that_request() {
    check_never(
        "I want to schedule a visit, actually no, never mind, cancel that",
        "book",
    );
    check_never("can you send a technician? oh forget it", "book");
    check("never mind, can you send a technician", Some("book"));
}

#[test]
fn a_negative_trigger_speaks_against_its_own_scenario_only() {
    for utterance in [
        "Cancel my appointment",
        "please cancel my appointment and book an appointment",
    ] {
        check_never(utterance, "book");
    }
    check("i want to cancel my appointment", Some("cancel"));
    // Written with an apostrophe, said without.
    check_never("do not send anybody to book an appointment", "book");
}

#[test]
fn a_negative_trigger_binds_an_equal_utterance() {
    let document = json!({ "scenarios": [
        { "id": "a", "name": "a", "triggers": ["close my account"], "negativeTriggers": ["my account"] }] });
    assert_eq!(answer(&knowledge(&document), "close my account"), None);
}

/// A boiler among other scenarios; its trigger negates what the boiler does.
fn boiler() -> Knowledge {
    knowledge(&front_desk(&json!({ "scenarios": [
        scenario("boiler", &["my boiler isn't firing", "boiler pressure keeps dropping"]),
        scenario("no-heat", &["we have no heat", "the heat isn't on"]),
        scenario("not-cooling", &["ac not cooling"]),
        scenario("hours", &["what are your hours"]),
    ] })))
}

#[test]
fn what_is_denied_is_no_evidence_for_a_trigger_that_denies_something_else() {
    let knowledge = boiler();
    for utterance in [
        "no fire",
        "there's no fire",
        "I am not on fire",
        "nothing is on fire",
        "without a fire",
        "no boiler",
        "I don't have a boiler",
        "it is not the boiler",
        "no boiler pressure",
    ] {
        assert!(!is_candidate(&knowledge, utterance, "boiler"), "{utterance}");
    }
}

#[test]
fn a_trigger_that_denies_the_same_is_met_in_other_forms_too() {
    let knowledge = boiler();
    for (utterance, expected) in [
        ("my boiler isn't firing", "boiler"),
        ("the boiler won't fire", "boiler"),
        ("the boiler does not even fire", "boiler"),
        ("it isn't firing", "boiler"),
        ("it won't fire", "boiler"),
        ("no heat", "no-heat"),
        ("there is no heat", "no-heat"),
        ("not cooling", "not-cooling"),
        ("it won't cool", "not-cooling"),
    ] {
        assert!(is_candidate(&knowledge, utterance, expected), "{utterance}");
    }
    assert_eq!(answer(&knowledge, "no heat").as_deref(), Some("no-heat"));
    assert_eq!(answer(&knowledge, "the boiler won't fire").as_deref(), Some("boiler"));
}

#[test]
fn a_keyword_that_is_denied_is_no_evidence() {
    let at = crate::evidence::FEATURES
        .iter()
        .position(|name| *name == "keywords")
        .unwrap();
    let entry = |question: &str, keyword: &str| {
        let entry = json!({ "id": "q", "question": question, "answer": "Yes.", "keywords": [keyword] });
        let compiled = CompiledQna::new(&[serde_json::from_value::<Qna>(entry).unwrap()], Language::english());
        let parts = Parts {
            company_qna: Some(Arc::new(compiled)),
            ..Parts::default()
        };
        Knowledge::new(&parts, Language::english())
    };
    let weight = |knowledge: &Knowledge, utterance: &str| {
        let evidence = knowledge.evidence(&normalize(utterance)).candidates;
        evidence.first().map_or(0.0, |(_, _, features)| features[at])
    };
    let heating = entry("do you work on hydronic heating", "boiler");
    assert!(weight(&heating, "I have a boiler but i want heating") > 0.0);
    assert!(weight(&heating, "I don't have a boiler but i want heating") <= 0.0);
    let no_heat = entry("what if we have no heat", "heat");
    assert!(weight(&no_heat, "there is no heat") > 0.0, "the question denies it too");
}
