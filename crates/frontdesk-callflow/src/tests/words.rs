//! What is spoken, and what is never kept.

use frontdesk_domain::documents::prompts::{EMBEDDED, Prompts};
use frontdesk_domain::ids::CallId;
use frontdesk_store::ports::{Singleton, SingletonStore as _};
use frontdesk_twilio::form::Form;
use serde_json::{Value, json};

use super::document::{attribute, said};
use super::log;
use super::scene::{COMPANY, Scene, TEMPLATE, scenario};
use crate::Route;
use crate::flow::Run;
use crate::settings::EMERGENCY_SENTENCE;

#[tokio::test]
async fn every_word_that_is_spoken_stands_in_data() {
    let scene = Scene::new(json!({ "greeting": "Welcome." })).await;
    let mut prompts: Value = serde_json::from_str(EMBEDDED).unwrap();
    mark(&mut prompts["texts"]);
    let Value::Object(prompts) = prompts else {
        panic!("prompts are an object")
    };
    let language = Prompts::embedded().language.clone();
    scene
        .store
        .put_singleton(&Singleton::Prompts(language), prompts, None)
        .await
        .unwrap();
    let mut documents = Vec::new();
    let mut call = scene.call("CA1");
    documents.push(call.post(&[]).await);
    for words in ["the eagle told the parrot", "the parrot told the eagle"] {
        documents.push(call.says(words).await);
    }
    documents.push(scene.call("CA2").says("schedule a visit").await);
    documents.push(scene.call("CA3").says("let me talk to a person").await);
    let own = ["Welcome.", "One.", "Two.", "I can book that.", "I'll connect you."];
    for document in documents {
        let spoken = document
            .split("<Say")
            .skip(1)
            .filter_map(|part| part.split_once('>')?.1.split("</Say>").next());
        for text in spoken {
            assert!(
                own.contains(&text) || text.starts_with("Data: "),
                "{text:?} in {document}"
            );
        }
    }
}

/// Puts a mark in front of every text.
fn mark(texts: &mut Value) {
    match texts {
        Value::String(text) => *text = format!("Data: {text}"),
        Value::Array(texts) => texts.iter_mut().for_each(mark),
        Value::Object(texts) => texts.values_mut().for_each(mark),
        _ => {}
    }
}

#[tokio::test]
async fn numbers_that_must_not_be_kept_reach_neither_disk_nor_alert_nor_log() {
    log::read_along();
    let scene = Scene::new(json!({})).await;
    let mut documents = Vec::new();
    let mut call = scene.call("CA1");
    documents.push(
        call.says("my card number is 4539 1488 0343 6467 and the security code is 123")
            .await,
    );
    documents.push(
        call.says("four five three nine one four eight eight oh three four three six four six seven")
            .await,
    );
    let mut halves = scene.call("CA2");
    halves.says("my card number is 4539 1488").await;
    documents.push(halves.says("0343 6467").await);
    documents.push(halves.says("what did you say").await);
    documents.push(scene.call("CA3").post(&[("Digits", "4539148803436467")]).await);
    let mut keys = scene.call("CA4");
    keys.keys("45391488").await;
    documents.push(keys.keys("03436467").await);
    let mut mixed = scene.call("CA5");
    mixed.says("it is 4539 1488").await;
    documents.push(mixed.keys("03436467").await);
    for (sid, turns) in [("CA1", 2), ("CA2", 3), ("CA3", 1), ("CA4", 2), ("CA5", 2)] {
        scene.records(sid, turns).await;
    }
    // A caller may say a card where a time or a number is asked, and leave one in a message.
    let offers = json!({ "offerTransfer": false, "offerMessage": false, "offerCallback": true });
    let other = "507f1f77bcf86cd799439022";
    let change = json!({ "aiAgentLogic": { "fallbackResponses": { "escalationOptions": offers } } });
    scene.company(other, change).await;
    let mut callback = scene.call("CA6").of_company(other);
    for words in [
        "operator",
        "yes",
        "no",
        "4539 1488 0343 6467",
        "yes",
        "4539148803436467",
    ] {
        documents.push(callback.says(words).await);
    }
    let spoken = "card 4539 1488 0343 6467";
    let recording = [
        ("RecordingSid", "RE1"),
        ("RecordingDuration", "4"),
        ("TranscriptionText", spoken),
    ];
    documents.push(scene.call("CA7").message(&recording).await);
    assert_eq!(scene.messages().await.len(), 1);
    let mut kept = scene.alert_texts().into_bytes();
    kept.extend(documents.concat().into_bytes());
    // Some callers name themselves, and an operator may try words as a real turn.
    let mut named = scene.call("CA9").from("sip:4539148803436467@pbx.example");
    documents.push(named.says("schedule a visit").await);
    documents.push(
        named
            .message(&[("RecordingSid", "RE2"), ("RecordingDuration", "4")])
            .await,
    );
    let (company, ended) = (COMPANY.parse().unwrap(), CallId::new("CA10"));
    scene
        .flow
        .call_ended(company, ended, Some("sip:4539148803436467@pbx.example"), "completed");
    let tried = CallId::new("CA11");
    let routed = scene.flow.route(company, spoken, Some(tried), Run::Real).await.unwrap();
    assert!(routed.is_some());
    scene.records("CA11", 1).await;
    // What goes wrong is told, without what the caller said.
    let mut broken = scene.call("CA8");
    let target = format!("{}?s=tampered", broken.target);
    broken.target = target;
    broken.says("card 4539 1488 0343 6467").await;
    assert!(log::logged().contains("did not unseal"), "the log is read");
    kept.extend(log::logged().into_bytes());
    scene.shut_down().await;
    for file in std::fs::read_dir(scene.path()).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let kept = String::from_utf8_lossy(&kept);
    for secret in [
        "4539148803436467",
        "4539 1488 0343 6467",
        "0343 6467",
        "03436467",
        "4 6 7",
        "code is 123",
        "three four three six four",
    ] {
        assert!(!kept.contains(secret), "{secret} was kept");
    }
    assert!(kept.contains("[card number removed]"));
}

#[tokio::test]
async fn whatever_a_signed_webhook_holds_a_sentence_is_spoken() {
    let scene = Scene::new(json!({})).await;
    let long = "word ".repeat(10_000);
    let odd = [
        "",
        " ",
        "🙂🙂",
        "\0",
        "\u{202e}olleh",
        "<Dial>+1900</Dial>",
        "'; DROP TABLE turns; --",
        "{companyName}",
        &long,
        "ﬁre\u{ad}place",
        "\u{301}\u{301}",
        "a".repeat(60_000).as_str(),
    ]
    .map(str::to_owned);
    for words in &odd {
        let mut call = scene.call("CA1");
        let document = call.post(&[("SpeechResult", words), ("Confidence", "abc")]).await;
        assert!(
            !said(&document).trim().is_empty() && document.len() <= 65_536,
            "{words:.40} {document:.300}"
        );
        assert!(!document.contains("<Dial>+1900"), "{document:.300}");
    }
    let form: Form = [("SpeechResult", "what are your hours")].into_iter().collect();
    let nobody = scene.call("CA1");
    let document = nobody.post_form(Route::Respond, &nobody.target.clone(), &form).await;
    assert!(said(&document).starts_with(EMERGENCY_SENTENCE), "{document}");
}

#[tokio::test]
async fn a_company_without_templates_is_silent_to_nobody() {
    let scene = Scene::new(json!({ "aiAgentSettings": { "templateReferences": [] }, "greeting": "{unset}" })).await;
    assert!(!said(&scene.call("CA1").post(&[]).await).is_empty());
    let document = scene.call("CA2").says("what are your hours").await;
    assert_eq!(said(&document), "One.");
}

#[tokio::test]
async fn hints_stay_within_what_twilio_takes_however_much_a_company_knows() {
    let scene = Scene::empty();
    let long = "flange".repeat(30);
    let name = |number: usize| if number < 20 { long.as_str() } else { "flange" };
    let triggers: Vec<String> = (0..900)
        .map(|number| format!("{}{number} part, zq{number}x", name(number)))
        .collect();
    let triggers: Vec<&str> = triggers.iter().map(String::as_str).collect();
    let scenarios: Vec<Value> = triggers
        .chunks(30)
        .enumerate()
        .map(|(number, triggers)| scenario(&format!("s{number}"), triggers, "Yes."))
        .collect();
    scene.template(TEMPLATE, "HVAC", json!(scenarios)).await;
    scene.company(COMPANY, json!({})).await;
    let document = scene.call("CA1").voice().await;
    let hints = attribute(&document, "Gather", "hints").unwrap();
    assert!(hints.split(',').count() > 1, "{hints}");
}
