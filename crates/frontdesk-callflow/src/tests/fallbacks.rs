//! What callers hear who were not understood.

use frontdesk_domain::call_state::CallState;
use frontdesk_domain::decision::{FallbackKind, Offer};
use frontdesk_domain::rotation;
use serde_json::json;

use super::document::said;
use super::scene::{DESTINATION, Scene};

#[tokio::test]
async fn fallbacks_take_turns_over_calls_and_never_repeat_within_one() {
    let scene = Scene::new(json!({})).await;
    let mut heard = Vec::new();
    for sid in ["CA1", "CA2", "CA3", "CA4"] {
        heard.push(said(&scene.call(sid).says("the eagle told the parrot").await));
    }
    assert_eq!(heard, ["One.", "Two.", "Three.", "One."]);
    let mut call = scene.call("CA5");
    let first = said(&call.says("the eagle told the parrot").await);
    let second = call.says("the parrot told the eagle").await;
    assert!(!said(&second).starts_with(&first), "{second}");
}

#[tokio::test]
async fn a_call_hears_another_variation_although_the_counter_has_come_round() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    assert_eq!(said(&call.says("the eagle told the parrot").await), "One.");
    for sid in ["CA2", "CA3"] {
        scene.call(sid).says("the eagle told the parrot").await;
    }
    let second = said(&call.says("the parrot told the eagle").await);
    assert!(
        second.starts_with("Two."),
        "the counter is at 3, which is the first again: {second}"
    );
}

#[tokio::test]
async fn a_record_holds_what_a_replay_of_its_rotation_needs() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    scene.call("CA2").says("the eagle told the parrot").await;
    call.says("the parrot told the eagle").await;
    for (number, record) in scene.records("CA1", 2).await.iter().enumerate() {
        let state: CallState = serde_json::from_value(record["replay"]["callState"].clone()).unwrap();
        let rotation = record["replay"]["rotation"].as_u64().unwrap();
        assert_eq!(
            (state.turn, usize::from(state.misses)),
            (u32::try_from(number).unwrap(), number)
        );
        let chosen = rotation::choose(rotation, 3, state.heard(FallbackKind::NoMatchFound)).unwrap();
        let spoken = ["One.", "Two.", "Three."][chosen.index];
        assert_eq!(record["response"], spoken, "{record}");
        assert_eq!(record["variation"], chosen.index);
    }
}

#[tokio::test]
async fn two_misses_in_a_row_lead_to_a_person() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    let first = call.says("the eagle told the parrot").await;
    assert!(!first.contains("<Dial") && first.contains("<Gather"), "{first}");
    let second = call.says("the parrot told the eagle").await;
    assert!(second.contains(&format!(">{DESTINATION}</Number>")), "{second}");
    let records = scene.records("CA1", 2).await;
    assert_eq!(records[0]["escalation"]["required"], false);
    assert_eq!(
        records[1]["escalation"],
        json!({ "required": true, "offers": ["transfer", "message", "callback"] })
    );
    assert_eq!(records[1]["outcome"], "transfer");
}

#[tokio::test]
async fn an_answer_between_two_misses_starts_the_count_again() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    call.says("what are your hours").await;
    let document = call.says("the parrot told the eagle").await;
    assert!(!document.contains("<Dial"), "{document}");
}

#[tokio::test]
async fn only_what_the_company_offers_is_offered() {
    let none = json!({ "offerTransfer": false, "offerMessage": true, "offerCallback": false });
    let scene = Scene::new(json!({ "aiAgentLogic": { "fallbackResponses": { "escalationOptions": none } } })).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    let document = call.says("the parrot told the eagle").await;
    assert!(
        !document.contains("<Dial") && document.contains("<Record"),
        "{document}"
    );
    assert_eq!(scene.decide("the eagle").await.escalation.offers, [Offer::Message]);
}

#[tokio::test]
async fn a_company_without_fallbacks_speaks_those_of_its_language() {
    let empty = json!({ "clarificationNeeded": [], "noMatchFound": [], "technicalIssue": [], "outOfScope": [] });
    let scene = Scene::new(json!({ "aiAgentLogic": { "fallbackResponses": empty } })).await;
    let decision = scene.decide("the eagle told the parrot").await;
    assert!(
        decision.response.contains("our team") || decision.response.contains("someone"),
        "{}",
        decision.response
    );
}

/// A company with one fallback, and the ways out that it offers.
async fn with_fallback(sentence: &str, offers: [bool; 3]) -> Scene {
    let [transfer, message, callback] = offers;
    Scene::new(json!({ "aiAgentLogic": { "fallbackResponses": {
        "noMatchFound": [sentence],
        "escalationOptions": { "offerTransfer": transfer, "offerMessage": message, "offerCallback": callback },
    } } }))
    .await
}

#[tokio::test]
async fn a_bare_yes_takes_what_the_fallback_offered_in_its_own_words() {
    for (sentence, verb) in [
        (
            "That's one for our office. Would you like to leave a message?",
            "<Record",
        ),
        (
            "I'm not sure about that one. I can take your name and number.",
            "<Record",
        ),
        ("I don't know. Shall I connect you?", "<Dial"),
        ("I don't know. Shall we call you back?", "number you"),
    ] {
        let scene = with_fallback(sentence, [true; 3]).await;
        let mut call = scene.call("CA1");
        assert!(said(&call.says("the eagle told the parrot").await).starts_with(sentence));
        let taken = call.says("yes please").await;
        assert!(taken.contains(verb), "{sentence}: {taken}");
        assert_eq!(scene.records("CA1", 2).await[1]["source"], "conversation");
    }
}

#[tokio::test]
async fn who_declines_the_offer_is_asked_what_else_there_is() {
    let scene = with_fallback("Would you like to leave a message?", [true; 3]).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    let declined = call.says("no thanks").await;
    assert!(
        declined.contains("<Gather") && !declined.contains("<Record"),
        "{declined}"
    );
    assert_eq!(scene.records("CA1", 2).await[1]["source"], "conversation");
}

#[tokio::test]
async fn what_the_company_does_not_offer_is_not_taken_by_a_yes() {
    let scene = with_fallback("Would you like to leave a message?", [false; 3]).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    call.says("yes please").await;
    assert_eq!(scene.records("CA1", 2).await[1]["source"], "fallback");
}
