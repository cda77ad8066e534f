//! Two close candidates that nothing decided: a spoken choice (DESIGN 4.7).

use serde_json::{Value, json};

use super::caller::Caller;
use super::document::said;
use super::scene::{COMPANY, Scene, TEMPLATE, scenario};

async fn scene(names: [&str; 2]) -> Scene {
    let scene = Scene::empty();
    let named = |id: &str, name: &str, trigger: &str, reply: &str| -> Value {
        let mut made = scenario(id, &[trigger], reply);
        made["name"] = json!(name);
        made
    };
    let scenarios = json!([
        named(
            "repair",
            names[0],
            "estimate for a water heater repair",
            "We repair heaters."
        ),
        named(
            "change",
            names[1],
            "estimate for a water heater replacement",
            "We replace heaters."
        ),
    ]);
    scene.template(TEMPLATE, "HVAC", scenarios).await;
    scene.company(COMPANY, json!({})).await;
    scene
}

const NAMES: [&str; 2] = ["a repair of your heater", "a replacement of your heater"];
const EITHER: &str = "estimate for a water heater";

async fn asked<'s>(scene: &'s Scene, sid: &str) -> (Caller<'s>, String) {
    let mut call = scene.call(sid);
    let document = call.says(EITHER).await;
    (call, document)
}

#[tokio::test]
async fn a_choice_is_understood_by_key_by_place_and_by_name() {
    let scene = scene(NAMES).await;
    let (_, document) = asked(&scene, "CA0").await;
    for part in [NAMES[0], NAMES[1], "press 1", "press 2"] {
        assert!(said(&document).contains(part), "{part}: {document}");
    }
    assert!(document.contains("numDigits=\"1\""), "{document}");
    let answers = ["We repair heaters.", "We replace heaters."];
    for (number, (says, keys, want)) in [
        (None, Some("1"), 0),
        (None, Some("2"), 1),
        (Some("one"), None, 0),
        (Some("the second one please"), None, 1),
        (Some("2."), None, 1),
        (Some("press one"), None, 0),
        (Some("the repair"), None, 0),
        (Some("um a replacement"), None, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let sid = format!("CA1-{number}");
        let (mut call, _) = asked(&scene, &sid).await;
        let document = match (says, keys) {
            (Some(words), _) => call.says(words).await,
            (_, keys) => call.keys(keys.unwrap()).await,
        };
        assert!(
            said(&document).starts_with(answers[want]),
            "{says:?} {keys:?} {document}"
        );
        let record = &scene.records(&sid, 2).await[1];
        assert_eq!(record["source"], "conversation");
        assert_eq!(record["scenarioId"], ["repair", "change"][want]);
    }
}

#[tokio::test]
async fn neither_goes_on_with_another_question() {
    let scene = scene(NAMES).await;
    let (mut call, _) = asked(&scene, "CA1").await;
    let document = call.says("neither of those").await;
    assert!(
        document.contains("<Gather") && !said(&document).contains("press 1"),
        "{document}"
    );
    // The choice is no longer asked.
    let document = call.says("one").await;
    assert!(!said(&document).contains("We repair"), "{document}");
}

#[tokio::test]
async fn silence_keeps_the_choice() {
    let scene = scene(NAMES).await;
    let (mut call, _) = asked(&scene, "CA1").await;
    call.silence().await;
    let document = call.keys("2").await;
    assert!(said(&document).starts_with("We replace"), "{document}");
}

#[tokio::test]
async fn danger_wins_over_a_choice() {
    let scene = scene(NAMES).await;
    let (mut call, _) = asked(&scene, "CA1").await;
    let document = call.says("one, and I smell gas in my kitchen").await;
    assert!(said(&document).contains("leave the building"), "{document}");
}

#[tokio::test]
async fn things_of_one_name_are_no_choice() {
    let scene = scene(["your heater", "Your heater!"]).await;
    let (_, document) = asked(&scene, "CA1").await;
    assert!(!said(&document).contains("press 1"), "{document}");
}

#[tokio::test]
async fn what_is_said_instead_of_choosing_is_answered() {
    let scene = scene(NAMES).await;
    let (mut call, _) = asked(&scene, "CA1").await;
    let document = call.says("estimate for a water heater replacement").await;
    assert!(said(&document).starts_with("We replace"), "{document}");
    let (mut call, _) = asked(&scene, "CA2").await;
    let document = call.says("the eagle told the parrot").await;
    assert!(!said(&document).contains("heaters."), "{document}");
}
