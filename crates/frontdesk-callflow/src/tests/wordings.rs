//! Words that fit: what is announced is done, and what is offered is there.

use serde_json::{Value, json};

use super::document::{dialled, hangs_up, said};
use super::scene::{COMPANY, DESTINATION, Scene, TEMPLATE, scenario};

/// A company that offers only these, and whether somebody can be reached.
fn company(is_reachable: bool, [transfer, message, callback]: [bool; 3], fallbacks: &Value) -> Value {
    let hours = if is_reachable { "always" } else { "sun 03:00-03:05" };
    let mut company = json!({
        "transfer": { "destinations": [{ "name": "Day", "number": DESTINATION, "hours": hours }] },
        "aiAgentLogic": { "fallbackResponses": { "escalationOptions": {
            "offerTransfer": transfer, "offerMessage": message, "offerCallback": callback } } },
    });
    frontdesk_domain::documents::merge_patch(&mut company["aiAgentLogic"]["fallbackResponses"], fallbacks);
    company
}

#[tokio::test]
async fn the_keys_that_are_told_do_something() {
    for (is_reachable, offers, tells) in [
        (true, [true; 3], [true, true]),
        (true, [true, false, true], [true, false]),
        (true, [false, true, true], [false, true]),
        (false, [true; 3], [false, true]),
        (false, [true, false, false], [false, false]),
    ] {
        let scene = Scene::new(company(is_reachable, offers, &json!({}))).await;
        let mut call = scene.call("CA1");
        call.voice().await;
        call.silence().await;
        let menu = said(&call.silence().await);
        assert_eq!([menu.contains('1'), menu.contains('2')], tells, "{offers:?} {menu}");
        let mut other = scene.call("CA2");
        other.voice().await;
        let explained = said(&other.keys("7").await);
        assert_eq!(
            [explained.contains('1'), explained.contains('2')],
            tells,
            "{offers:?} {explained}"
        );
        assert!(explained.contains("that key"), "{explained}");
    }
}

#[tokio::test]
async fn in_every_tone_a_key_is_told_only_where_it_does_something() {
    for tone in ["professional", "casual", "friendly"] {
        let mut change = company(false, [true, true, false], &json!({ "toneProfile": tone }));
        let scene = Scene::new(change.clone()).await;
        let mut call = scene.call("CA1");
        call.voice().await;
        call.silence().await;
        let menu = said(&call.silence().await);
        assert!(menu.contains("press 2") && !menu.contains('1'), "{tone} {menu}");
        change["prompts"] = json!({ "menu": { "default": ["Press 1 for Denise, or 2 for a message."] } });
        let scene = Scene::new(change).await;
        let mut call = scene.call("CA1");
        call.voice().await;
        call.silence().await;
        let menu = said(&call.silence().await);
        assert!(!menu.contains("Denise") && menu.contains("press 2"), "{tone} {menu}");
    }
}

#[tokio::test]
async fn a_company_keeps_its_own_menu_where_all_of_it_is_there() {
    let mut change = company(true, [true; 3], &json!({}));
    change["prompts"] = json!({ "menu": { "default": ["Press 1 for Denise."] } });
    let scene = Scene::new(change).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    call.silence().await;
    assert_eq!(said(&call.silence().await), "Press 1 for Denise.");
}

#[tokio::test]
async fn who_is_silent_where_only_a_call_back_is_offered_is_asked_for_that() {
    let scene = Scene::new(company(false, [true, false, true], &json!({}))).await;
    for agrees in [true, false] {
        let mut call = scene.call(&format!("CA-{agrees}"));
        call.voice().await;
        call.silence().await;
        let offer = call.silence().await;
        assert!(said(&offer).contains("call you back"), "{offer}");
        if agrees {
            assert!(said(&call.keys("1").await).contains("calling from"));
        } else {
            assert!(hangs_up(&call.silence().await));
        }
    }
}

/// What a caller hears who is not understood for the second time.
async fn second_miss(scene: &Scene) -> String {
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    call.says("the parrot told the eagle").await
}

const TAKEN: &str = "That's one for our office. Would you like to leave a message?";
const PROMISED: &str = "I'm not sure about that one. I can take your name and number.";
const CONNECTED: &str = "I don't know. Let me connect you.";

#[tokio::test]
async fn before_a_way_out_no_other_one_is_offered_and_nothing_is_asked() {
    for (wording, is_reachable, offers, want) in [
        (TAKEN, true, [true; 3], "That's one for our office. "),
        (TAKEN, false, [true; 3], "That's one for our office. "),
        (TAKEN, false, [false, false, true], "That's one for our office. "),
        (PROMISED, true, [true; 3], "I'm not sure about that one. "),
        (PROMISED, false, [true; 3], PROMISED),
        (PROMISED, false, [false, false, true], "I'm not sure about that one. "),
        (CONNECTED, true, [true; 3], CONNECTED),
        (CONNECTED, false, [true; 3], "I don't know. "),
        (CONNECTED, false, [false, false, true], "I don't know. "),
    ] {
        let mut change = company(is_reachable, offers, &json!({ "noMatchFound": [] }));
        change["prompts"] = json!({ "noMatchFound": { "default": [wording] } });
        let scene = Scene::new(change).await;
        let document = second_miss(&scene).await;
        let heard = said(&document);
        let next = heard.strip_prefix(want).map(str::trim_start).unwrap_or_default();
        let begins = if dialled(&document).is_some() {
            ["Please hold", "One moment"]
        } else if document.contains("<Record") {
            ["Please leave", "After the tone"]
        } else {
            ["Would you like someone to call", "Shall we call"]
        };
        assert!(begins.iter().any(|begin| next.starts_with(begin)), "{want}: {heard}");
        assert_eq!(dialled(&document).is_some(), is_reachable, "{heard}");
        let records = scene.records("CA1", 2).await;
        assert_eq!(records[1]["response"], want.trim_end(), "the record has what was said");
    }
}

#[tokio::test]
async fn a_companys_own_variation_is_spoken_as_it_is_written() {
    for is_reachable in [true, false] {
        let scene = Scene::new(company(is_reachable, [true; 3], &json!({ "noMatchFound": [TAKEN] }))).await;
        let heard = said(&second_miss(&scene).await);
        assert!(heard.starts_with(TAKEN), "{heard}");
        assert_eq!(scene.records("CA1", 2).await[1]["response"], TAKEN);
    }
}

#[tokio::test]
async fn where_there_is_no_way_out_the_variation_is_spoken_as_it_is() {
    let scene = Scene::new(company(true, [false; 3], &json!({ "noMatchFound": [TAKEN] }))).await;
    assert_eq!(said(&second_miss(&scene).await), TAKEN);
}

/// A company with a scenario that says that it repeats, and with words of its own for it that are no known phrase.
async fn repeating() -> Scene {
    let scene = Scene::empty();
    let triggers = [
        "can you repeat that",
        "say that again please",
        "zigzag the last bit for grandma",
    ];
    let again = scenario("again", &triggers, "Sure, here it is again.");
    let wait = scenario(
        "wait",
        &["hold on a second", "just a moment", "zigzag while grandma looks"],
        "Take your time.",
    );
    let hours = scenario(
        "hours",
        &["what are your hours", "say that again what are your hours"],
        "We open at eight.",
    );
    scene.template(TEMPLATE, "HVAC", json!([again, wait, hours])).await;
    scene.company(COMPANY, json!({})).await;
    scene
}

#[tokio::test]
async fn a_scenario_that_says_that_it_repeats_repeats_whatever_words_led_to_it() {
    let scene = repeating().await;
    let mut call = scene.call("CA1");
    call.says("what are your hours").await;
    for words in ["zigzag the last bit for grandma", "can you repeat that"] {
        let again = said(&call.says(words).await);
        assert!(
            again.starts_with("Sure, here it is again. We open at eight."),
            "{words} {again}"
        );
        assert!(again.to_lowercase().contains("anything else"), "{words} {again}");
    }
    assert!(hangs_up(&call.says("no thanks").await), "what was asked is still asked");
    assert_eq!(scene.records("CA1", 2).await[1]["scenarioId"], "again");
}

#[tokio::test]
async fn nothing_is_announced_again_in_a_call_in_which_nothing_was_said() {
    let scene = repeating().await;
    let document = scene.call("CA1").says("zigzag the last bit for grandma").await;
    assert!(said(&document).contains("haven't said anything"), "{document}");
    assert!(!said(&document).contains("here it is"), "{document}");
}

#[tokio::test]
async fn a_scenario_that_says_that_it_waits_waits_whatever_words_led_to_it() {
    let scene = repeating().await;
    let mut call = scene.call("CA1");
    call.says("what are your hours").await;
    let wait = call.says("zigzag while grandma looks").await;
    assert_eq!(said(&wait), "Take your time.");
    assert!(wait.contains("timeout=\"20\""), "{wait}");
    assert!(hangs_up(&call.says("no thanks").await), "what was asked is still asked");
}

#[tokio::test]
async fn an_answer_to_a_question_beside_such_a_phrase_is_that_answer_alone() {
    let scene = repeating().await;
    let mut call = scene.call("CA1");
    call.voice().await;
    let answer = said(&call.says("say that again what are your hours").await);
    assert!(answer.starts_with("We open at eight."), "{answer}");
    assert!(
        answer.to_lowercase().contains("anything else") && !answer.contains("Acme"),
        "the greeting is not said again: {answer}"
    );
}
