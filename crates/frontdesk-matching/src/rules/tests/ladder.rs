//! Which of several sources and documents answers, and whose additions hold where.

use super::*;

#[test]
fn of_two_equal_triggers_priority_decides_and_then_the_order() {
    let equal = |first: i32, second: i32| {
        let mut one = scenario("first", &["same words"]);
        let mut two = scenario("second", &["same words"]);
        one["priority"] = first.into();
        two["priority"] = second.into();
        answer(&knowledge(&json!({ "scenarios": [one, two] })), "same words").unwrap()
    };
    assert_eq!(equal(1, 2), "second");
    assert_eq!(equal(2, 1), "first");
    assert_eq!(equal(1, 1), "first");
}

#[test]
fn an_equal_company_qna_comes_before_an_equal_trigger() {
    let others = Parts {
        company_qna: Some(qna(&[("own", "What are your hours?")])),
        trade_qna: vec![qna(&[("trade", "What are your hours")])],
        ..Parts::default()
    };
    let knowledge = with(&front_desk(&json!({})), &others);
    let findings = knowledge.decide("what are your hours");
    let ids: Vec<&str> = findings
        .equal
        .iter()
        .filter_map(|equal| knowledge.target(equal))
        .map(Target::id)
        .collect();
    assert_eq!(ids, ["own", "trade", "hours"]);
    assert!(
        findings
            .equal
            .iter()
            .all(|equal| equal.confidence == Confidence::CERTAIN)
    );
}

#[test]
fn synonyms_and_fillers_of_the_templates_hold_for_qna() {
    let others = Parts {
        company_qna: Some(qna(&[("ac", "Do you fix the ac?"), ("pet", "Are pets fine?")])),
        ..Parts::default()
    };
    let more = json!({ "synonymMap": { "air conditioner": ["ac", "chiller"] }, "fillerWords": ["kindly"] });
    let knowledge = with(&front_desk(&more), &others);
    for utterance in ["do you fix the chiller", "kindly do you fix the air conditioner"] {
        assert_eq!(knowledge.decide(utterance).equal.len(), 1, "{utterance}");
    }
}

#[test]
fn a_companys_overlay_changes_its_own_answers_only() {
    let shared = template(&front_desk(&json!({})));
    let overlay: Overlay = serde_json::from_value(json!({
        "triggers": { "hours": ["is the shop up"] }, "negativeTriggers": { "price": ["discount"] },
        "synonymMap": { "furnace": ["boiler"] }, "fillerWords": ["bless"], "disabledScenarios": ["ice"] }))
    .unwrap();
    let parts = Parts {
        templates: vec![shared],
        ..Parts::default()
    };
    let plain = Knowledge::new(&parts, Language::english());
    let own = Parts {
        overlay: Some(Arc::new(CompiledOverlay::new(&overlay))),
        ..parts
    };
    let own = Knowledge::new(&own, Language::english());
    for (utterance, with_overlay) in [
        ("is the shop up", Some("hours")),
        ("the boiler is not working", Some("no-heat")),
        ("bless is the shop up", Some("hours")),
    ] {
        assert_eq!(answer(&own, utterance).as_deref(), with_overlay, "{utterance}");
        assert!(plain.decide(utterance).equal.is_empty(), "{utterance}");
    }
    assert_eq!(answer(&own, "there is ice on the coil"), None);
    assert_eq!(answer(&own, "how much do you charge after the discount"), None);
    assert_eq!(answer(&plain, "there is ice on the coil").as_deref(), Some("ice"));
}

#[test]
fn only_live_scenarios_and_active_questions_answer() {
    let mut draft = scenario("draft", &["same words"]);
    draft["status"] = "draft".into();
    assert_eq!(answer(&knowledge(&json!({ "scenarios": [draft] })), "same words"), None);
    let question = json!({ "id": "q", "question": "same words", "answer": "Yes.", "active": false });
    let silent = CompiledQna::new(&[serde_json::from_value(question).unwrap()], Language::english());
    let parts = Parts {
        company_qna: Some(Arc::new(silent)),
        ..Parts::default()
    };
    assert_eq!(answer(&Knowledge::new(&parts, Language::english()), "same words"), None);
}
