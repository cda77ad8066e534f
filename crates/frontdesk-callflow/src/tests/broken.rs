//! Whatever breaks, the caller hears a sentence and has a way out, in time (invariant 3).

use std::time::Duration;

use frontdesk_domain::alert::AlertCode;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::callback::{only_callback, wants_it};
use super::document::{self, dialled, said};
use super::faults::{Fault, Part};
use super::scene::{DESTINATION, Scene};
use crate::{Route, settings::EMERGENCY_SENTENCE};

const NONSENSE: [(&str, &str); 1] = [("SpeechResult", "the eagle told the parrot")];

#[tokio::test]
async fn duplicates_wait_for_a_first_answer_that_is_slow() {
    let scene = Scene::new(json!({})).await;
    scene.call("CA0").voice().await;
    scene.breaks(Part::Rotation, Fault::Hangs);
    let caller = scene.call("CA1");
    let form = caller.form(&NONSENSE);
    let begun = Instant::now();
    let all = (0..10).map(|_| caller.post_form(Route::Respond, &caller.target, &form));
    let documents = join_all(all).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(documents.iter().all(|one| *one == documents[0]), "{documents:?}");
    document::check(&documents[0]);
    scene.breaks(Part::Rotation, Fault::None);
    assert_eq!(
        caller.post_form(Route::Respond, &caller.target, &form).await,
        documents[0]
    );
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_duplicate_waits_no_longer_than_its_deadline() {
    let scene = Scene::new(json!({})).await;
    scene.call("CA0").voice().await;
    scene.breaks(Part::Rotation, Fault::Hangs);
    let caller = scene.call("CA1");
    let mut hasty = caller.clone();
    hasty.patience = Duration::from_millis(150);
    let form = caller.form(&NONSENSE);
    let late = async {
        let begun = Instant::now();
        let document = hasty.post_form(Route::Respond, &hasty.target, &form).await;
        (document, begun.elapsed())
    };
    let (first, (late, took)) = tokio::join!(caller.post_form(Route::Respond, &caller.target, &form), late);
    assert!(took < Duration::from_millis(600), "{took:?}");
    assert!(said(&late).starts_with(EMERGENCY_SENTENCE), "{late}");
    document::check(&late);
    assert_eq!(caller.post_form(Route::Respond, &caller.target, &form).await, first);
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_first_that_is_broken_off_leaves_the_turn_to_the_next() {
    let scene = Scene::new(json!({})).await;
    scene.call("CA0").voice().await;
    scene.breaks(Part::Rotation, Fault::Hangs);
    let caller = scene.call("CA1");
    let form = caller.form(&NONSENSE);
    let first = caller.post_form(Route::Respond, &caller.target, &form);
    assert!(tokio::time::timeout(Duration::from_millis(100), first).await.is_err());
    scene.breaks(Part::Rotation, Fault::None);
    let second = caller.post_form(Route::Respond, &caller.target, &form).await;
    assert!(second.contains("<Gather"), "{second}");
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_turn_that_is_not_decided_in_time_gets_the_emergency_document_and_a_record() {
    // A wish to be called back is kept within its turn, and waited for longer than this turn has.
    let scene = Scene::new(only_callback()).await;
    let mut caller = scene.call("CA1");
    wants_it(&mut caller).await;
    caller.says("yes").await;
    scene.breaks(Part::Messages, Fault::Hangs);
    caller.patience = Duration::from_millis(200);
    let mut again = caller.clone();
    let begun = Instant::now();
    let document = caller.says("at noon").await;
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(said(&document).starts_with(EMERGENCY_SENTENCE), "{document}");
    assert!(document.contains("<Record"), "nobody is there: {document}");
    let records = scene.records("CA1", 4).await;
    assert_eq!(records[3]["fallbackType"], "technicalIssue");
    assert_eq!(records[3]["escalation"]["required"], true);
    assert!(scene.alerts().contains(&AlertCode::RoutingError));
    assert_eq!(again.says("at noon").await, document, "the same webhook");
}

/// What is spoken is still to be written when the number of the rotation has been waited for.
#[tokio::test]
async fn a_fallback_is_spoken_in_time_although_its_rotation_does_not_answer() {
    let scene = Scene::new(json!({})).await;
    scene.call("CA0").voice().await;
    scene.breaks(Part::Rotation, Fault::Hangs);
    let mut caller = scene.call("CA1");
    caller.patience = Duration::from_millis(700);
    let document = caller.post(&NONSENSE).await;
    assert!(
        document.contains("<Gather"),
        "the emergency document has none: {document}"
    );
    assert_eq!(scene.records("CA1", 1).await[0]["source"], "fallback");
}

#[tokio::test]
async fn a_panic_gets_the_emergency_document_and_a_record() {
    let scene = Scene::new(json!({})).await;
    scene.breaks(Part::Rotation, Fault::Panics);
    let document = scene.call("CA1").post(&NONSENSE).await;
    assert!(said(&document).starts_with(EMERGENCY_SENTENCE), "{document}");
    assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{document}");
    assert_eq!(scene.records("CA1", 1).await[0]["fallbackType"], "technicalIssue");
    assert!(scene.alerts().contains(&AlertCode::RoutingError));
    scene.breaks(Part::Rotation, Fault::None);
    assert_eq!(scene.call("CA1").post(&NONSENSE).await, document, "the same webhook");
    assert!(scene.call("CA2").post(&NONSENSE).await.contains("<Gather"));
}

#[tokio::test]
async fn a_panic_outside_the_decision_still_says_a_sentence_and_frees_the_turn() {
    let scene = Scene::new(json!({})).await;
    scene.breaks(Part::Recall, Fault::Panics);
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(said(&document).starts_with(EMERGENCY_SENTENCE), "{document}");
    scene.breaks(Part::Recall, Fault::None);
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(said(&document).starts_with("We open at eight."), "{document}");
}

#[tokio::test]
async fn a_panic_outside_the_decision_dials_nobody_twice() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    let document = call.says("let me talk to a person").await;
    assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{document}");
    scene.breaks(Part::Recall, Fault::Panics);
    let document = call.dial_result(&[("DialCallStatus", "busy")]).await;
    assert!(said(&document).starts_with(EMERGENCY_SENTENCE), "{document}");
    assert_eq!(dialled(&document), None, "{document}");
    assert!(document.contains("<Record"), "{document}");
}

#[tokio::test]
async fn a_store_that_does_not_say_what_it_knows_costs_a_second_and_no_answer() {
    let scene = Scene::new(json!({})).await;
    scene.call("CA0").voice().await;
    for fault in [Fault::Hangs, Fault::Fails] {
        scene.breaks(Part::Recall, fault);
        let begun = Instant::now();
        let document = scene.call(&format!("CA-{fault:?}")).says("what are your hours").await;
        assert!(said(&document).starts_with("We open at eight."), "{document}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn while_records_cannot_be_stored_calls_go_on_and_the_records_come_later() {
    let scene = Scene::new(json!({})).await;
    scene.breaks(Part::Turns, Fault::Fails);
    let mut call = scene.call("CA1");
    let before = call.clone();
    let first = call.says("the eagle told the parrot").await;
    call.says("what are your hours").await;
    assert_eq!(before.at(&scene).says("the eagle told the parrot").await, first);
    scene.breaks(Part::Turns, Fault::None);
    assert_eq!(scene.records("CA1", 2).await.len(), 2);
}
