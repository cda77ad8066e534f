//! The demo data, and properties of all documents.

use std::{fs, path::Path};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError},
};
use serde_json::{Value, json};

use super::{
    Fault, Faults, Mode, Parsed,
    company::Company,
    import::{self, Item, Kind},
    overlay::Overlay,
    prompts::{EMBEDDED, PhraseName, PromptName, PromptTexts, Prompts},
    qna::{Owner, Qna},
    safety::SafetyRules,
    template::{Action, Template},
};
use crate::{ids::ObjectId, variables::Variables};

fn data(file: &str) -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../data/trades")
            .join(file),
    )
    .unwrap()
}

fn items(text: &str) -> Vec<Item> {
    import::read(text, || ObjectId::from_parts(0, [0; 8])).unwrap()
}

/// Canonical JSON of a document of any kind.
fn parse(kind: Kind, document: &Value, mode: Mode<'_>) -> Result<Value, Faults> {
    fn json<T>(parsed: Parsed<T>) -> Value {
        Value::Object(parsed.json)
    }
    match kind {
        Kind::Company => Company::parse(document, mode).map(json),
        Kind::Template => Template::parse(document, mode).map(json),
        Kind::Qna => Qna::parse_of_company(document, mode).map(|(_, parsed)| json(parsed)),
        Kind::TradeQna => Qna::parse_of_trade(document, mode).map(|(_, parsed)| json(parsed)),
        Kind::Overlay => Overlay::parse_owned(document, mode).map(|(_, parsed)| json(parsed)),
        Kind::Safety => SafetyRules::parse(document, mode).map(json),
        Kind::Prompts => Prompts::parse(document, mode).map(json),
    }
}

#[test]
fn the_demo_data_gets_in_and_reads_back_as_itself() {
    let files = [
        ("companies.jsonl", Kind::Company, 8 + 82),
        ("hvac.template.json", Kind::Template, 1),
        ("plumbing.template.json", Kind::Template, 1),
        ("universal.template.json", Kind::Template, 1),
        ("trades-qna.json", Kind::TradeQna, 24),
        ("safety.json", Kind::Safety, 1),
    ];
    for (file, first, count) in files {
        let items = items(&data(file));
        assert_eq!((items[0].kind, items.len()), (first, count), "{file}");
        for item in items {
            let json = parse(item.kind, &item.document, Mode::new_document()).unwrap();
            assert_eq!(parse(item.kind, &json, Mode::Stored).as_ref(), Ok(&json));
            assert_eq!(parse(item.kind, &item.document, Mode::Import).as_ref(), Ok(&json));
        }
    }
}

#[test]
fn the_embedded_prompts_have_every_text_in_three_tones_and_every_phrase() {
    let document: Value = serde_json::from_str(EMBEDDED).unwrap();
    let Parsed {
        value: prompts,
        unknown,
        notes,
        ..
    } = Prompts::parse(&document, Mode::Import).unwrap();
    assert_eq!((unknown, notes), (vec![], vec![]));
    let of_the_moment = [("first", "a"), ("second", "b"), ("number", "5 5 5")];
    let variables = Variables::new("Elm Street Dental".into(), [].into()).with(of_the_moment);
    for name in PromptName::ALL {
        for tone in ["friendly", "professional", "casual"] {
            let texts = prompts.texts.pick(*name, tone);
            assert!(!texts.is_empty(), "{name:?} in tone {tone}");
            for text in texts {
                text.render(&variables).unwrap();
            }
        }
    }
    for name in PhraseName::ALL {
        let phrases = prompts.phrases(*name);
        let distinct: std::collections::BTreeSet<_> = phrases.iter().collect();
        assert!(!phrases.is_empty() && distinct.len() == phrases.len(), "{name:?}");
    }
}

#[test]
fn who_is_silent_for_the_first_time_is_not_told_of_a_time_before() {
    for tone in ["default", "professional", "casual"] {
        for text in Prompts::embedded().texts.pick(PromptName::Silence, tone) {
            assert!(!text.text().to_lowercase().contains("still"), "{}", text.text());
        }
    }
}

#[test]
fn a_prompt_is_the_companys_else_the_languages_else_the_programs() {
    let texts = |text: &str, name: &str| json!({ "language": "es-US", "texts": { name: { "default": [text] } } });
    let prompts = |text: &str, name: &str| Prompts::parse(&texts(text, name), Mode::new_document()).unwrap();
    let own = prompts("own", "silence").value.texts;
    let language = prompts("language", "silence");
    let pick = |own: &PromptTexts, name| language.value.pick(own, name, "friendly")[0].text().to_string();
    assert_eq!(pick(&own, PromptName::Silence), "own");
    assert_eq!(pick(&PromptTexts::default(), PromptName::Silence), "language");
    assert_eq!(
        pick(&own, PromptName::Suspended),
        Prompts::embedded().texts.pick(PromptName::Suspended, "")[0]
            .text()
            .to_string()
    );
    assert!(
        language.notes.iter().any(|note| note.pointer == "/texts/suspended"),
        "{:?}",
        language.notes
    );
}

const COMPANY: &str = "507f1f77bcf86cd799439011";

fn example(kind: Kind) -> Value {
    match kind {
        Kind::Company => items(&data("companies.jsonl"))[0].document.clone(),
        Kind::Template => json!({
            "_id": COMPANY, "name": "Dental", "trade": "Dental", "fillerWords": ["um"], "synonymMap": { "tooth": ["chomper"] },
            "categories": [{ "id": "c", "name": "C", "scenarios": [
                { "id": "s-1", "name": "S", "triggers": ["hi"], "regexTriggers": ["^hi\\b"], "fullReplies": ["Hello."] }, { "id": "s-2", "name": "T" }
            ] }]
        }),
        Kind::Qna => {
            json!({ "id": "q-1", "companyId": COMPANY, "question": "Are you open?", "answer": "Yes.", "variants": ["open"] })
        }
        Kind::TradeQna => {
            json!({ "id": "q-1", "trade": "Dental", "question": "Does it hurt?", "answer": "No.", "keywords": ["hurt"] })
        }
        Kind::Overlay => json!({
            "companyId": COMPANY, "triggers": { "s-1": ["hello"] }, "negativeTriggers": {}, "synonymMap": {}, "fillerWords": [], "disabledScenarios": ["s-2"]
        }),
        Kind::Safety => {
            json!({ "categories": [{ "id": "fire", "name": "Fire", "sentence": "Get out.", "phrases": ["fire"], "patterns": ["\\bfire\\b"] }] })
        }
        Kind::Prompts => {
            json!({ "language": "en-US", "texts": { "silence": { "default": ["Hello?"] } }, "phrases": { "yes": ["yes"] } })
        }
    }
}

/// The one fault of a kind's example with a value put in.
#[track_caller]
fn refused(kind: Kind, at: &str, value: Value, pointer: &str, part: &str) {
    let mut document = example(kind);
    let (parent, name) = at.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        fields => fields[name] = value,
    }
    let Err(Faults(faults)) = parse(kind, &document, Mode::new_document()) else {
        panic!("{document} got in")
    };
    let [Fault { pointer: found, detail }] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert_eq!(found, pointer, "{detail}");
    assert!(detail.contains(part), "{detail}");
}

#[test]
fn names_and_labels_are_one_line() {
    let check = |kind, at: &str| refused(kind, at, json!("a\nb"), at, "one line");
    for at in [
        "/name",
        "/trade",
        "/version",
        "/categories/0/name",
        "/categories/0/scenarios/0/name",
    ] {
        check(Kind::Template, at);
    }
    check(Kind::Safety, "/version");
    check(Kind::Safety, "/categories/0/name");
    check(Kind::Prompts, "/version");
    check(Kind::TradeQna, "/trade");
}

#[test]
fn what_is_spoken_and_what_is_compared_may_have_several_lines() {
    for (kind, at) in [
        (Kind::Template, "/categories/0/scenarios/0/fullReplies/0"),
        (Kind::Template, "/categories/0/scenarios/0/triggers/0"),
        (Kind::Qna, "/answer"),
        (Kind::Qna, "/question"),
        (Kind::Safety, "/categories/0/sentence"),
        (Kind::Prompts, "/texts/silence/default/0"),
    ] {
        let mut document = example(kind);
        *document.pointer_mut(at).unwrap() = json!("one\r\n\ttwo");
        for mode in [Mode::new_document(), Mode::Import] {
            assert!(parse(kind, &document, mode).is_ok(), "{kind:?} {at}");
        }
    }
}

#[test]
fn every_fault_of_a_template_is_named() {
    let check = |at: &str, value, part: &str| refused(Kind::Template, at, value, at, part);
    let first = "/categories/0/scenarios/0";
    check("/_id", json!("x"), "24 hexadecimal digits");
    check("/categories", json!({}), "should be a list, not an object");
    check(&format!("{first}/id"), json!("a b"), "letters, digits, dots");
    check(&format!("{first}/id"), json!(null), "should be an id of letters");
    check(&format!("{first}/status"), json!("Live"), "did you mean \"live\"?");
    check(
        &format!("{first}/replyStrategy"),
        json!("quickThenLong"),
        "did you mean \"quickThenFull\"?",
    );
    check(
        &format!("{first}/action"),
        json!("dial"),
        "\"none\", \"transfer\", \"takeMessage\", \"hangup\"",
    );
    check(
        &format!("{first}/triggers"),
        json!(vec!["x"; 201]),
        "should have 0 to 200 items, not 201",
    );
    check(
        &format!("{first}/triggers/0"),
        json!("x".repeat(501)),
        "1 to 500 characters, not of 501",
    );
    check(&format!("{first}/regexTriggers/0"), json!("(?=x)"), "look-around");
    check(&format!("{first}/regexTriggers/0"), json!("(a"), "unclosed group");
    check(
        &format!("{first}/regexTriggers/0"),
        json!("\\w{40}"),
        "too large once compiled",
    );
    check(
        &format!("{first}/regexTriggers/0"),
        json!("(\\w{1,200}){1,200}"),
        "too large once compiled",
    );
    check(
        &format!("{first}/cooldownSeconds"),
        json!(-1),
        "from 0 to 86400, not -1",
    );
    check(&format!("{first}/minConfidence"), json!(70), "from 0 to 1, not 70");
    check(&format!("{first}/emergency"), json!(1), "true or false");
    check(&format!("{first}/trigers"), json!([]), "did you mean `triggers`?");
    check("/synonymMap/tooth", json!("chomper"), "should be a list, not text");
    refused(
        Kind::Template,
        "/categories/0/scenarios/1/id",
        json!("s-1"),
        "/categories/0/scenarios/1/id",
        "repeats \"s-1\" of `/categories/0/scenarios/0/id`",
    );
}

#[test]
fn a_template_has_at_most_5000_scenarios() {
    let category = |c: usize| {
        let scenarios: Vec<Value> = (0..1_001).map(|s| json!({ "id": format!("s-{c}-{s}") })).collect();
        json!({ "id": format!("c-{c}"), "scenarios": scenarios })
    };
    let categories: Vec<Value> = (0..5).map(category).collect();
    refused(
        Kind::Template,
        "/categories",
        json!(categories),
        "/categories",
        "at most 5000 scenarios, not 5005",
    );
}

#[test]
fn every_fault_of_the_other_documents_is_named() {
    let check = |kind, at: &str, value, part: &str| refused(kind, at, value, at, part);
    check(Kind::Qna, "/id", json!("a/b"), "letters, digits");
    check(Kind::Qna, "/question", json!(""), "1 to 500 characters");
    check(Kind::Qna, "/answer", json!(null), "1 to 2000 characters");
    check(Kind::Qna, "/active", json!("true"), "true or false");
    check(Kind::Qna, "/trade", json!("Dental"), "unknown field `trade`");
    check(Kind::Qna, "/companyId", json!("x"), "24 hexadecimal digits");
    check(Kind::TradeQna, "/trade", json!(" "), "name of a trade");
    check(Kind::Overlay, "/triggers/a b", json!([]), "no id of a scenario");
    check(Kind::Overlay, "/disabledScenarios", json!("s"), "a list");
    check(Kind::Safety, "/categories", json!([]), "1 to 200 items");
    check(Kind::Safety, "/categories/0/sentence", json!(null), "should be text");
    check(
        Kind::Safety,
        "/categories/0/patterns/0",
        json!("["),
        "no regular expression",
    );
    check(Kind::Safety, "/categories/0/action", json!("call"), "should be one of");
    check(Kind::Prompts, "/language", json!("English!"), "en-US");
    check(Kind::Prompts, "/texts/silence", json!([]), "an object");
    check(
        Kind::Prompts,
        "/texts/silence/very friendly",
        json!(["x"]),
        "name of a tone",
    );
    check(Kind::Prompts, "/texts/goodby", json!({}), "did you mean `goodbye`?");
    check(Kind::Prompts, "/phrases/yes", json!("yes"), "a list");
}

#[test]
fn the_path_says_whose_a_question_is() {
    let mut question = example(Kind::TradeQna);
    let parse = |question: &Value, trade: &str| {
        Qna::parse(
            question,
            &Owner::Trade(super::trade::TradeName::new(trade)),
            Mode::new_document(),
        )
    };
    assert!(parse(&question, "dental").is_ok());
    let Faults(faults) = parse(&question, "Legal").unwrap_err();
    assert_eq!(faults[0].pointer, "/trade");
    question.as_object_mut().unwrap().remove("trade");
    assert_eq!(parse(&question, "Legal").unwrap().json["trade"], "Legal");
}

#[test]
fn a_question_without_an_owner_has_its_other_faults_named_too() {
    let Err(Faults(faults)) = Qna::parse_of_company(&json!({ "id": "q", "question": "Open?" }), Mode::Import) else {
        panic!("it got in")
    };
    assert_eq!(
        faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(),
        ["/companyId", "/answer"]
    );
}

#[test]
fn a_danger_needs_words_and_says_its_sentence_either_way() {
    let rules = SafetyRules::parse(&example(Kind::Safety), Mode::new_document()).unwrap();
    assert_eq!(rules.value.categories[0].action, Action::Transfer);
    assert_eq!(rules.json["categories"][0]["sentenceWithoutTransfer"], "Get out.");
    let mut silent = example(Kind::Safety);
    silent["categories"][0]["phrases"] = json!([]);
    silent["categories"][0]["patterns"] = json!([]);
    let Faults(faults) = SafetyRules::parse(&silent, Mode::new_document()).unwrap_err();
    assert_eq!(faults[0].pointer, "/categories/0/phrases");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
        prop_oneof![Just("$oid"), Just("$date"), Just("$numberLong")].prop_map(|name| json!({ name: "5" })),
    ];
    let names = || {
        prop_oneof![
            Just("id".to_owned()),
            Just("name".to_owned()),
            Just("a/~b".to_owned()),
            "[a-zA-Z$]{1,8}"
        ]
    };
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names(), inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Every pointer into a value.
fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, item)| walk(item, &format!("{at}/{index}"), all)),
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, item)| walk(item, &format!("{at}/{name}"), all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all
}

/// What holds of a document whatever is in it.
fn holds(kind: Kind, document: &Value) -> Result<(), TestCaseError> {
    for mode in [Mode::new_document(), Mode::Import] {
        match parse(kind, document, mode) {
            Ok(json) => {
                let again = parse(kind, &json, Mode::Stored);
                prop_assert_eq!(again.as_ref(), Ok(&json), "the canonical JSON reads as itself");
            }
            Err(Faults(faults)) => {
                prop_assert!(!faults.is_empty());
                for Fault { pointer, detail } in faults {
                    prop_assert!(!detail.is_empty());
                    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let resolves = document.pointer(&pointer).is_some();
                    let is_missing = document.pointer(parent).is_some_and(Value::is_object);
                    prop_assert!(resolves || is_missing, "{} does not resolve: {}", pointer, detail);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(256) })]

    #[test]
    fn arbitrary_json_is_read_or_refused_with_pointers_that_resolve(document in any_json()) {
        for kind in Kind::ALL {
            holds(*kind, &document)?;
        }
    }

    #[test]
    fn a_document_with_anything_put_in_is_read_or_refused(
        kind in prop::sample::select(Kind::ALL), at in any::<prop::sample::Index>(), value in any_json(), more in any_json(),
    ) {
        let mut document = example(kind);
        let all = pointers(&document);
        if let (Some(fields), Some(new)) = (document.as_object_mut(), more.as_object()) {
            fields.extend(new.clone());
        }
        if let Some(place) = document.pointer_mut(at.get::<String>(&all)) {
            *place = value;
        }
        holds(kind, &document)?;
    }

    #[test]
    fn any_text_is_taken_apart_or_refused(text in "\\PC{0,40}|[\\[\\]{}\",:a\n ]{0,40}") {
        let made = import::read(&text, || ObjectId::from_parts(0, [0; 8]));
        if let Err(faults) = made {
            let lines = text.matches('\n').count() + 1;
            prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line)), "{faults:?}");
        }
    }
}
