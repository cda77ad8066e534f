//! The conversation: greeting, silence, keys, phrases, a choice of two.

use serde_json::{Value, json};

use super::document::{attribute, dialled, hangs_up, outline, said};
use super::scene::{COMPANY, DESTINATION, Scene, TEMPLATE, scenario};

#[tokio::test]
async fn a_call_is_greeted_and_then_answered() {
    let scene = Scene::new(json!({ "greeting": "Welcome to {companyName}." })).await;
    let mut call = scene.call("CA1");
    assert_eq!(said(&call.post(&[]).await), "Welcome to Acme Home Services.");
    let answer = call.says("what are your hours").await;
    assert_eq!(said(&answer), "We open at eight. Anything else I can do for you?");
    assert!(
        answer.contains("<Gather") && answer.contains("actionOnEmptyResult=\"true\""),
        "{answer}"
    );
    let records = scene.records("CA1", 2).await;
    let fields = |name: &str| records.iter().map(|record| record[name].clone()).collect::<Vec<_>>();
    assert_eq!(fields("turn"), [1, 2]);
    assert_eq!(fields("outcome"), ["greeted", "answered"]);
    assert_eq!(fields("source"), ["conversation", "template"]);
    assert_eq!(fields("scenarioId"), [json!(null), json!("hours")]);
}

#[tokio::test]
async fn a_scenario_cools_down_within_its_call_only() {
    let scene = Scene::empty();
    let mut promo = scenario("promo", &["any specials"], "Ten percent off.");
    promo["cooldownSeconds"] = json!(60);
    scene.template(TEMPLATE, "HVAC", json!([promo])).await;
    scene.company(COMPANY, json!({})).await;
    let mut call = scene.call("CA1");
    let is_promo = |document: &str| said(document).starts_with("Ten percent off.");
    assert!(is_promo(&call.says("any specials").await));
    assert!(!is_promo(&call.says("any specials").await));
    assert!(is_promo(&scene.call("CA2").says("any specials").await));
    scene.pass(61);
    assert!(is_promo(&call.says("any specials").await));
}

#[tokio::test]
async fn words_that_can_be_cut_off_are_inside_the_gather_and_others_before_it() {
    let scene = Scene::new(json!({ "voice": { "bargeIn": true } })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(document.find("<Gather") < document.find("<Say"), "{document}");
    let scene = Scene::new(json!({ "voice": { "bargeIn": false } })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(document.find("<Say") < document.find("<Gather"), "{document}");
    assert!(
        document.ends_with("</Gather></Response>") || document.ends_with("/></Response>"),
        "{document}"
    );
}

/// Closed at all hours: nobody can be reached.
fn nobody() -> Value {
    json!({ "destinations": [{ "name": "Day", "number": DESTINATION, "hours": "sun 03:00-03:05" }] })
}

/// A company that offers only these.
fn offering(transfer: bool, message: bool, callback: bool) -> Value {
    json!({ "fallbackResponses": { "escalationOptions": {
        "offerTransfer": transfer, "offerMessage": message, "offerCallback": callback } } })
}

#[tokio::test]
async fn silence_is_asked_again_then_told_the_keys_then_put_through() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    let first = call.silence().await;
    assert!(
        said(&first).contains("How can I help you?") || said(&first).contains("hear"),
        "{first}"
    );
    assert!(
        first.contains("<Gather") && !said(&first).contains("press 1"),
        "{first}"
    );
    let second = call.silence().await;
    assert!(
        said(&second).contains("press 1") && said(&second).contains("or 2"),
        "{second}"
    );
    assert_ne!(said(&first), said(&second));
    let third = call.silence().await;
    assert_eq!(dialled(&third).as_deref(), Some(DESTINATION), "{third}");
    let records = scene.records("CA1", 4).await;
    let sources: Vec<_> = records.iter().map(|record| &record["source"]).collect();
    assert_eq!(sources, ["conversation"; 4]);
}

#[tokio::test]
async fn silence_without_anybody_there_ends_in_a_message_and_then_politely() {
    let scene = Scene::new(json!({ "transfer": nobody() })).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    call.silence().await;
    call.silence().await;
    let third = call.silence().await;
    assert!(!third.contains("<Dial") && third.contains("<Record"), "{third}");
    assert!(
        said(&third).contains("after the tone"),
        "the beep is announced: {third}"
    );
    // Nothing is said to the tone either: Twilio goes on to what follows the recording.
    let offer = call.silence().await;
    assert!(said(&offer).contains("call you back"), "{offer}");
    let end = call.silence().await;
    let end = if hangs_up(&end) { end } else { call.silence().await };
    assert!(hangs_up(&end) && said(&end).contains("oodbye"), "{end}");
}

#[tokio::test]
async fn silence_ends_politely_where_nothing_is_offered() {
    let change = json!({ "transfer": nobody(), "aiAgentLogic": offering(false, false, false) });
    let scene = Scene::new(change).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    call.silence().await;
    call.silence().await;
    let end = call.silence().await;
    assert!(hangs_up(&end) && said(&end).contains("oodbye"), "{end}");
    assert!(!end.contains("<Dial"), "{end}");
}

#[tokio::test]
async fn whoever_speaks_again_starts_the_silences_anew() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    call.silence().await;
    call.silence().await;
    call.says("what are your hours").await;
    let document = call.silence().await;
    assert!(
        document.contains("<Gather") && !said(&document).contains("press 1"),
        "{document}"
    );
}

#[tokio::test]
async fn the_menu_is_understood_by_key_and_by_words() {
    for (press, speak, is_person) in [("1", "one", true), ("2", "the second one", false), ("0", "one", true)] {
        let scene = Scene::new(json!({})).await;
        for by_key in [true, false] {
            let mut call = scene.call(&format!("CA-{by_key}"));
            call.voice().await;
            call.silence().await;
            call.silence().await;
            let document = if by_key {
                call.keys(press).await
            } else {
                call.says(speak).await
            };
            assert_eq!(dialled(&document).is_some(), is_person, "{press} {document}");
            assert!(outline(&document).contains("Record"), "{press} {document}");
        }
    }
}

#[tokio::test]
async fn zero_is_a_person_at_any_time_and_nonsense_keys_are_explained() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    let document = call.keys("7").await;
    assert!(
        said(&document).contains("press 1") && document.contains("<Gather"),
        "{document}"
    );
    let document = call.keys("0").await;
    assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{document}");
}

#[tokio::test]
async fn whoever_presses_only_nonsense_is_led_to_an_end() {
    let change = json!({ "transfer": nobody(), "aiAgentLogic": offering(true, false, false) });
    let scene = Scene::new(change).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    for _ in 0..5 {
        let document = call.keys("9").await;
        if hangs_up(&document) {
            return;
        }
    }
    panic!("the call goes on for ever");
}

#[tokio::test]
async fn keys_that_are_understood_are_no_silences() {
    let scene = Scene::new(json!({ "transfer": nobody(), "aiAgentLogic": offering(true, false, true) })).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    let offer = call.says("operator").await;
    assert!(said(&offer).contains("call you back"), "{offer}");
    call.keys("1").await;
    let document = call.silence().await;
    assert!(document.contains("<Gather"), "one silence ends nothing: {document}");
    call.keys("1").await;
    assert!(
        scene.messages().await[0].callback_time.is_none(),
        "the time was not asked yet"
    );
    call.says("tomorrow at nine").await;
    let messages = scene.messages().await;
    assert_eq!((messages.len(), messages[0].callback_time.is_some()), (1, true));
}

#[tokio::test]
async fn repeat_says_the_last_answer_again_and_asks_what_it_asked() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("what are your hours").await;
    for words in ["can you repeat that please", "say that again"] {
        let again = call.says(words).await;
        assert!(said(&again).contains("We open at eight."), "{again}");
        assert!(said(&again).to_lowercase().contains("anything else"), "{again}");
    }
    let end = call.says("no thanks").await;
    assert!(hangs_up(&end), "what was asked is still asked: {end}");
    // After a restart the answer is in the store.
    let mut call = scene.call("CA2");
    call.says("what are your hours").await;
    scene.records("CA2", 1).await;
    let target = call.target.clone();
    let scene = scene.restarted().await;
    let mut call = scene.call("CA2");
    call.target = target;
    let again = call.says("pardon").await;
    assert!(said(&again).contains("We open at eight."), "{again}");
}

#[tokio::test]
async fn repeat_keeps_the_offer_that_followed_the_answer() {
    let scene = Scene::new(json!({ "transfer": nobody(), "aiAgentLogic": offering(true, false, true) })).await;
    let mut call = scene.call("CA1");
    let offer = call.says("operator").await;
    assert!(said(&offer).contains("call you back"), "{offer}");
    let again = call.says("what did you say").await;
    assert!(said(&again).contains("call you back"), "{again}");
    assert_eq!(said(&again).matches("call you back").count(), 1, "{again}");
    assert!(said(&call.says("yes").await).contains("calling from"));
}

#[tokio::test]
async fn at_the_very_beginning_there_is_nothing_to_repeat() {
    let scene = Scene::new(json!({})).await;
    let document = scene.call("CA1").says("repeat that").await;
    assert!(said(&document).contains("haven't said anything"), "{document}");
}

#[tokio::test]
async fn slower_pauses_between_sentences_now_and_later() {
    let scene = Scene::new(json!({ "greeting": "Welcome. How can I help you?" })).await;
    let mut call = scene.call("CA1");
    assert!(!call.voice().await.contains("<Pause"));
    let slow = call.says("can you slow down").await;
    assert!(said(&slow).contains("Welcome."), "{slow}");
    assert!(slow.contains("<Pause"), "{slow}");
    let later = call.says("what are your hours").await;
    assert!(later.contains("<Pause"), "{later}");
}

#[tokio::test]
async fn hold_on_waits_longer_once_and_is_no_miss() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    let usual: u32 = attribute(&call.says("the eagle told the parrot").await, "Gather", "timeout")
        .unwrap()
        .parse()
        .unwrap();
    let wait = call.says("hold on a second").await;
    let longer: u32 = attribute(&wait, "Gather", "timeout").unwrap().parse().unwrap();
    assert!(longer > usual, "{wait}");
    assert_eq!(scene.records("CA1", 3).await[2]["replay"]["callState"]["m"], 1);
    let answer = call.says("what are your hours").await;
    assert!(said(&answer).starts_with("We open at eight."), "{answer}");
    let mut again = scene.call("CA2");
    again.voice().await;
    again.says("hold on").await;
    let second = again.says("hold on").await;
    let second: u32 = attribute(&second, "Gather", "timeout").unwrap().parse().unwrap();
    assert_eq!(second, usual, "it waits once");
}

#[tokio::test]
async fn a_person_is_dialled_when_asked_for() {
    let scene = Scene::new(json!({})).await;
    for (sid, words) in [
        ("CA1", "operator"),
        ("CA2", "put me through please"),
        ("CA3", "representative"),
    ] {
        let document = scene.call(sid).says(words).await;
        assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{words} {document}");
        let record = &scene.records(sid, 1).await[0];
        assert_eq!(
            (&record["source"], &record["outcome"]),
            (&json!("conversation"), &json!("transfer"))
        );
        assert_eq!(record["escalation"]["required"], true);
    }
    let document = scene.call("CA4").says("I don't want to talk to a person").await;
    assert!(!document.contains("<Dial"), "{document}");
}

#[tokio::test]
async fn a_scenario_with_its_own_reply_wins_over_the_phrase() {
    let scene = Scene::empty();
    let mut person = scenario(
        "own",
        &["talk to a person", "say that again"],
        "Denise will be right with you.",
    );
    person["action"] = json!("transfer");
    let bye = scenario("bye", &["have a good day"], "You too. We open at eight tomorrow.");
    scene.template(TEMPLATE, "HVAC", json!([person, bye])).await;
    scene.company(COMPANY, json!({})).await;
    let document = scene.call("CA1").says("talk to a person").await;
    assert!(said(&document).starts_with("Denise"), "{document}");
    assert_eq!(scene.records("CA1", 1).await[0]["source"], "template");
    let document = scene.call("CA2").says("have a good day").await;
    assert!(
        said(&document).starts_with("You too.") && document.contains("<Gather"),
        "{document}"
    );
}

#[tokio::test]
async fn a_wrong_number_and_a_goodbye_end_the_call_in_words() {
    let scene = Scene::new(json!({})).await;
    for (sid, words) in [
        ("CA1", "sorry I have the wrong number"),
        ("CA2", "okay thank you bye"),
        ("CA3", "goodbye"),
    ] {
        let document = scene.call(sid).says(words).await;
        assert!(
            hangs_up(&document) && said(&document).to_lowercase().contains("bye"),
            "{words} {document}"
        );
        assert_eq!(scene.records(sid, 1).await[0]["outcome"], "hangup");
    }
}

#[tokio::test]
async fn anything_else_is_answered_by_no_and_yes_in_words_and_keys() {
    let scene = Scene::new(json!({})).await;
    for (number, (words, key, ends)) in [
        ("no", "2", true),
        ("nope, that's all", "2", true),
        ("great, thanks", "2", true),
        ("yes please", "1", false),
    ]
    .into_iter()
    .enumerate()
    {
        for by_key in [true, false] {
            let mut call = scene.call(&format!("CA{number}-{by_key}"));
            call.says("what are your hours").await;
            let document = if by_key {
                call.keys(key).await
            } else {
                call.says(words).await
            };
            assert_eq!(hangs_up(&document), ends, "{words} {document}");
            assert_eq!(document.contains("<Gather"), !ends, "{words} {document}");
        }
    }
    let mut asked = std::collections::BTreeSet::new();
    let mut call = scene.call("CA9");
    for words in ["what are your hours", "when do you open", "what are your hours"] {
        asked.insert(said(&call.says(words).await).replace("We open at eight.", ""));
    }
    assert!(asked.len() > 1, "the question varies: {asked:?}");
}

#[tokio::test]
async fn a_wish_after_anything_else_is_no_no() {
    let scene = Scene::empty();
    let heat = scenario("heat", &["no heat", "there is no heat"], "Sorry it's cold in there.");
    let hours = scenario("hours", &["what are your hours"], "We open at eight.");
    scene.template(TEMPLATE, "HVAC", json!([heat, hours])).await;
    scene.company(COMPANY, json!({})).await;
    let mut call = scene.call("CA1");
    call.says("what are your hours").await;
    let document = call.says("no heat").await;
    assert!(said(&document).starts_with("Sorry it's cold"), "{document}");
    // Without a scenario for it, it is not understood; it is no goodbye.
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("what are your hours").await;
    let document = call.says("no heat upstairs").await;
    assert!(!hangs_up(&document), "{document}");
}

#[tokio::test]
async fn a_bare_yes_or_no_answers_nothing_that_was_not_asked() {
    let scene = Scene::new(json!({})).await;
    for words in ["yes", "no", "one"] {
        let mut call = scene.call(&format!("CA-{words}"));
        call.says("the eagle told the parrot").await;
        let document = call.says(words).await;
        assert!(!hangs_up(&document), "{words} {document}");
        let record = &scene.records(&call.sid, 2).await[1];
        assert_eq!(record["source"], "fallback", "{words} {record}");
    }
}

#[tokio::test]
async fn after_hours_the_greeting_says_so() {
    let change = json!({ "greeting": "Welcome.", "hours": "mon-fri 08:00-18:00",
        "holidays": [{ "date": "2026-11-26", "hours": "closed" }] });
    let scene = Scene::new(change).await;
    for (sid, time, is_open) in [
        ("CA1", "2026-11-25T17:00:00Z", true),
        ("CA2", "2026-11-25T22:59:00Z", true),
        ("CA3", "2026-11-25T23:01:00Z", false),
        ("CA4", "2026-11-26T17:00:00Z", false),
        ("CA5", "2026-11-28T17:00:00Z", false),
    ] {
        scene.is_at(time);
        let greeting = said(&scene.call(sid).voice().await);
        assert!(greeting.starts_with("Welcome."), "{time} {greeting}");
        assert_eq!(greeting == "Welcome.", is_open, "{time} {greeting}");
    }
}

#[tokio::test]
async fn the_tone_is_heard() {
    for (tone, words) in [("casual", "Anything else?"), ("professional", "assist you")] {
        let scene = Scene::new(json!({ "aiAgentLogic": { "fallbackResponses": { "toneProfile": tone } } })).await;
        let mut call = scene.call("CA1");
        let mut heard = said(&call.says("what are your hours").await);
        heard.push_str(&said(&call.says("what are your hours").await));
        assert!(heard.contains(words), "{tone} {heard}");
    }
}

#[tokio::test]
async fn who_only_agrees_is_asked_for_more() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    for words in ["great", "Okay, perfect!", "alright then"] {
        let document = call.says(words).await;
        let heard = said(&document);
        assert!(
            heard.contains("what else can I do") || heard.contains("What do you need"),
            "{words}: {heard}"
        );
        assert!(!hangs_up(&document), "{words}");
    }
    for record in scene.records("CA1", 4).await.iter().skip(1) {
        assert_eq!(record["source"], "conversation", "{record}");
    }
}
