//! Each mistake of research/matching.md section 1 and the field cases, as rules that hold here.

use std::sync::Arc;

use frontdesk_domain::documents::{overlay::Overlay, qna::Qna, template::Template};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Target,
    knowledge::{CompiledOverlay, CompiledQna, CompiledTemplate, Parts},
    language::Language,
    normal::normalize,
};

mod ladder;
mod negation;

fn template(document: &Value) -> Arc<CompiledTemplate> {
    let mut full = json!({ "_id": "66f0a1c0de0000000000a001", "name": "t", "trade": "t" });
    let object = full.as_object_mut().unwrap();
    object.extend(document.as_object().unwrap().clone());
    let scenarios = object.remove("scenarios").unwrap();
    object.insert(
        "categories".into(),
        json!([{ "id": "c", "name": "c", "scenarios": scenarios }]),
    );
    let template: Template = serde_json::from_value(full).unwrap();
    Arc::new(CompiledTemplate::new(&template, Language::english()))
}

fn scenario(id: &str, triggers: &[&str]) -> Value {
    json!({ "id": id, "name": id, "triggers": triggers, "fullReplies": ["Yes."] })
}

fn qna(entries: &[(&str, &str)]) -> Arc<CompiledQna> {
    let of = |(id, question): &(&str, &str)| json!({ "id": id, "question": question, "answer": "Yes." });
    let qna: Vec<Qna> = entries
        .iter()
        .map(|entry| serde_json::from_value(of(entry)).unwrap())
        .collect();
    Arc::new(CompiledQna::new(&qna, Language::english()))
}

fn knowledge(document: &Value) -> Knowledge {
    with(document, &Parts::default())
}

fn with(document: &Value, others: &Parts) -> Knowledge {
    Knowledge::new(
        &Parts {
            templates: vec![template(document)],
            ..others.clone()
        },
        Language::english(),
    )
}

/// A front desk with the scenarios that the tests below speak of; `more` fields go into the template.
fn front_desk(more: &Value) -> Value {
    let mut document = json!({ "scenarios": [
        { "id": "book", "name": "Book a visit", "triggers": ["i want to schedule a visit", "can you send a technician", "book an appointment"],
          "regexTriggers": ["\\bschedule\\b.{0,20}\\bvisit\\b"], "negativeTriggers": ["don't send anybody", "cancel my appointment"] },
        scenario("cancel", &["i want to cancel my appointment", "cancel my visit"]),
        scenario("no-heat", &["we have no heat", "the furnace is not working", "heater won't come on"]),
        scenario("not-cooling", &["ac not cooling", "the house won't cool down", "no cold air"]),
        scenario("works", &["the furnace is working", "the heat works fine"]),
        scenario("ice", &["there is ice on the coil", "my unit froze up"]),
        scenario("hours", &["what are your hours", "are you open on saturday", "when do you close"]),
        scenario("price", &["how much do you charge", "what is the price of a service call"]),
        scenario("monoxide", &["co detector installation", "where should a co detector go"]),
        scenario("lights", &["uv light replacement", "my uv lamp is dark"]),
        scenario("greeting", &["hello", "hi there"]),
        scenario("stop-running", &["the furnace stopped running", "it quit running"]),
        scenario("runs", &["the furnace won't stop running", "it never shuts off"]),
        scenario("faucet", &["the faucet drips", "my kitchen faucet is leaking"]),
        scenario("outside-unit", &["the outside unit is loud", "heat pump makes noise"]),
    ] });
    document
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    document
}

/// What answers at a threshold of 0.7.
fn answer(knowledge: &Knowledge, utterance: &str) -> Option<String> {
    let findings = knowledge.decide(&normalize(utterance));
    let outcome = crate::evaluation::walk(knowledge, &findings, [0.7; 3]);
    outcome.answer.map(|(_, id, _)| id)
}

#[track_caller]
fn check(utterance: &str, expected: Option<&str>) {
    assert_eq!(
        answer(&knowledge(&front_desk(&json!({}))), utterance).as_deref(),
        expected,
        "{utterance}"
    );
}

/// Whether it stands among the candidates at all.
fn is_candidate(knowledge: &Knowledge, utterance: &str, id: &str) -> bool {
    let findings = knowledge.decide(&normalize(utterance));
    let all = Source::ALL
        .into_iter()
        .flat_map(|source| findings.of(source))
        .chain(&findings.equal);
    all.into_iter()
        .any(|candidate| knowledge.target(candidate).is_some_and(|target| target.id() == id))
}

#[track_caller]
fn check_never(utterance: &str, id: &str) {
    assert!(
        !is_candidate(&knowledge(&front_desk(&json!({}))), utterance, id),
        "{utterance} gave {id}"
    );
}

const EVERYTHING_A_FILLER: [&str; 14] = [
    "not", "no", "what", "how", "can", "today", "open", "really", "is", "like", "um", "the", "you know", "hello",
];

fn everything_a_filler() -> Knowledge {
    knowledge(&front_desk(&json!({ "fillerWords": EVERYTHING_A_FILLER })))
}

#[test]
fn fillers_never_remove_meaning() {
    let knowledge = everything_a_filler();
    for (utterance, expected) in [
        ("we have no heat", "no-heat"),
        ("um we have no heat", "no-heat"),
        ("ac not cooling", "not-cooling"),
        ("my ac is not cooling", "not-cooling"),
        ("how much do you charge", "price"),
        ("like what are your hours", "hours"),
        ("hello", "greeting"),
    ] {
        assert_eq!(answer(&knowledge, utterance).as_deref(), Some(expected), "{utterance}");
    }
    assert_ne!(answer(&knowledge, "we have heat").as_deref(), Some("no-heat"));
}

#[test]
fn a_trigger_of_fillers_alone_meets_itself() {
    let document = json!({ "fillerWords": ["you know", "like"], "scenarios": [scenario("a", &["you know like"]), scenario("b", &["other"])] });
    assert_eq!(answer(&knowledge(&document), "You know, like").as_deref(), Some("a"));
    assert_eq!(answer(&knowledge(&document), "like other").as_deref(), Some("b"));
}

#[test]
fn words_match_whole() {
    check_never("what is the price", "ice");
    check_never("i need service", "ice");
    assert!(!is_candidate(
        &knowledge(&json!({ "scenarios": [scenario("car", &["my car"])] })),
        "carbon monoxide",
        "car"
    ));
}

#[test]
fn synonyms_do_not_cascade_and_the_original_stays() {
    let synonyms = json!({ "synonymMap": { "air conditioner": ["ac"], "furnace": ["heating unit", "heater"] } });
    let knowledge = knowledge(&front_desk(&synonyms));
    assert_eq!(
        answer(&knowledge, "air conditioner not cooling").as_deref(),
        Some("not-cooling")
    );
    assert_eq!(answer(&knowledge, "ac not cooling").as_deref(), Some("not-cooling"));
    assert_eq!(
        answer(&knowledge, "the heating unit is not working").as_deref(),
        Some("no-heat")
    );
    assert!(
        !knowledge.decide("air conditioner not cooling").equal.is_empty(),
        "equal through a synonym"
    );
}

#[test]
fn terms_of_two_letters_count() {
    check("AC not cooling", Some("not-cooling"));
    check("a c not cooling", Some("not-cooling"));
    check("where should a CO detector go", Some("monoxide"));
    check("UV light replacement please", Some("lights"));
}

#[test]
fn one_word_is_an_utterance() {
    check("hello", Some("greeting"));
    let yes = knowledge(&json!({ "scenarios": [scenario("yes", &["yes"]), scenario("no", &["no"])] }));
    assert_eq!(answer(&yes, "Yes.").as_deref(), Some("yes"));
    assert_eq!(answer(&yes, "no").as_deref(), Some("no"));
}

#[test]
fn a_paraphrase_can_clear_every_threshold() {
    let knowledge = knowledge(&front_desk(&json!({})));
    let best = knowledge
        .decide("hi can you please send a technician out today")
        .of(Source::Template)
        .first()
        .copied()
        .unwrap();
    assert!(best.confidence.get() > 0.8, "{best:?}");
}

#[test]
fn long_utterances_differ_in_what_stands_late() {
    let start = "well i was standing in the kitchen this morning with my coffee and thought to myself";
    let knowledge = knowledge(&front_desk(&json!({})));
    assert_eq!(
        answer(&knowledge, &format!("{start} how much do you charge")).as_deref(),
        Some("price")
    );
    assert_eq!(
        answer(&knowledge, &format!("{start} i want to cancel my appointment")).as_deref(),
        Some("cancel")
    );
}

#[test]
fn near_spellings_are_repaired_with_the_tenants_words() {
    check("the fawcet drips", Some("faucet"));
    check("my kitchen facuet is leaking", Some("faucet"));
    check("the out side unit is loud", Some("outside-unit"));
    check("heatpump makes noise", Some("outside-unit"));
}

#[test]
fn a_common_word_is_never_repaired() {
    let knowledge = knowledge(
        &json!({ "scenarios": [scenario("drain", &["the drain is slow"]), scenario("other", &["the lamp"])] }),
    );
    assert!(is_candidate(&knowledge, "the drrain", "drain"));
    for utterance in ["the train", "the brain"] {
        assert!(!is_candidate(&knowledge, utterance, "drain"), "{utterance}");
    }
}

#[test]
fn writing_does_not_matter() {
    let document =
        json!({ "scenarios": [scenario("a", &["we don\u{2019}t have caf\u{e9} service"]), scenario("b", &["other"])] });
    let knowledge = knowledge(&document);
    for utterance in [
        "We don't have cafe\u{301} service!",
        "we\u{a0}don\u{2bc}t have caf\u{e9} ser\u{ad}vice",
        "\u{ff37}e don't have caf\u{e9}\u{200b} service",
        "we do not have caf\u{e9} service",
    ] {
        assert_eq!(knowledge.decide(&normalize(utterance)).equal.len(), 1, "{utterance}");
    }
}

#[test]
fn a_pattern_is_evidence_and_no_proof() {
    let document = front_desk(&json!({}));
    let with_pattern = knowledge(&document);
    let without = serde_json::to_string(&document)
        .unwrap()
        .replace("\\\\bschedule\\\\b.{0,20}\\\\bvisit\\\\b", "zzz");
    let without = knowledge(&serde_json::from_str(&without).unwrap());
    let confidence = |knowledge: &Knowledge| {
        knowledge.decide("schedule some visit").of(Source::Template)[0]
            .confidence
            .get()
    };
    assert!(confidence(&with_pattern) > confidence(&without));
    assert!(confidence(&with_pattern) < 1.0);
}

#[test]
fn a_scenario_of_patterns_alone_can_be_found() {
    let document = json!({ "scenarios": [
        { "id": "p", "name": "", "triggers": [], "regexTriggers": ["\\border \\d+\\b"] }, scenario("other", &["other things"])] });
    assert!(is_candidate(&knowledge(&document), "where is order 4711", "p"));
}

#[test]
fn matched_words_are_the_callers_own() {
    let knowledge = knowledge(&front_desk(&json!({ "synonymMap": { "air conditioner": ["ac"] } })));
    let utterance = normalize("So my AC isn't cooling right");
    let findings = knowledge.decide(&utterance);
    let best = findings.of(Source::Template).first().unwrap();
    assert_eq!(findings.matched_words(best, &utterance), ["ac", "isn't", "cooling"]);
}

#[test]
fn nothing_known_and_nothing_said_find_nothing() {
    assert!(
        Knowledge::new(&Parts::default(), Language::english())
            .decide("hello")
            .of(Source::Template)
            .is_empty()
    );
    check("", None);
    check("\u{1f600}\u{1f600}", None);
}

#[test]
fn ten_thousand_words_are_decided() {
    let long = normalize(&format!(
        "{} how much do you charge",
        "blah the noise of words ".repeat(2_000)
    ));
    let knowledge = knowledge(&front_desk(&json!({})));
    assert!(is_candidate(&knowledge, &long, "price"));
}

#[test]
fn the_same_utterance_gives_the_same_findings() {
    let document = front_desk(&json!({}));
    let utterance = "the ac is loud and my unit froze up, how much is a visit";
    let first = knowledge(&document).decide(utterance);
    for _ in 0..20 {
        assert_eq!(knowledge(&document).decide(utterance), first);
    }
}

proptest! {
    #[test]
    fn any_text_is_decided_within_the_unit_interval(text in "\\PC{0,60}") {
        let knowledge = everything_a_filler();
        let findings = knowledge.decide(&normalize(&text));
        // Also of text that is not in normal form.
        let raw = knowledge.decide(&text);
        for source in Source::ALL {
            for candidate in findings.of(source).iter().chain(raw.of(source)) {
                prop_assert!((0.0..=1.0).contains(&candidate.confidence.get()));
            }
            let sum: f64 = findings.of(source).iter().map(|candidate| candidate.confidence.get()).filter(|one| *one < 1.0).sum();
            prop_assert!(sum <= 1.0 + 1e-9);
            let sorted = findings.of(source).is_sorted_by(|left, right| left.confidence >= right.confidence);
            prop_assert!(sorted && findings.of(source).len() <= CANDIDATES);
        }
    }

    #[test]
    fn known_words_in_any_order_are_decided(words in prop::collection::vec(
        prop::sample::select(vec!["not", "no", "the", "furnace", "is", "working", "don't", "ac", "a", "c", "never", "mind", "stop", "visit", "t", "isn"]), 0..30))
    {
        let knowledge = everything_a_filler();
        let text = words.join(" ");
        let findings = knowledge.decide(&text);
        prop_assert_eq!(&findings, &knowledge.decide(&text));
        for candidate in findings.of(Source::Template) {
            prop_assert!((0.0..=1.0).contains(&candidate.confidence.get()));
            let matched = findings.matched_words(candidate, &text);
            prop_assert!(matched.iter().all(|word| text.split(' ').any(|said| said == *word)));
        }
    }
}

#[test]
fn one_word_of_thanks_is_not_all_of_them() {
    let knowledge = knowledge(&json!({ "scenarios": [
        scenario("goodbye", &["thanks for your help", "thank you so much"]),
        scenario("no-heat", &["we have no heat"]),
    ] }));
    assert_eq!(answer(&knowledge, "thanks for your help").as_deref(), Some("goodbye"));
    for utterance in ["help", "I need help", "okay help me please"] {
        assert!(knowledge.decide(&normalize(utterance)).equal.is_empty(), "{utterance}");
    }
}
