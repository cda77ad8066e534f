//! What is kept of a recorded message.

use frontdesk_twilio::form::Form;
use serde_json::json;

use super::caller::CALLER;
use super::scene::{COMPANY, Scene};
use crate::Route;

/// The report that a recording is done, which does not name the caller.
fn report(call: &str, recording: &str) -> Form {
    [
        ("CallSid", call),
        ("RecordingSid", recording),
        ("RecordingDuration", "5"),
        ("RecordingStatus", "completed"),
    ]
    .into_iter()
    .collect()
}

#[tokio::test]
async fn a_message_that_only_its_report_tells_of_has_the_callers_number() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("schedule a visit").await;
    scene.records("CA1", 1).await;
    let target = format!("/api/twilio/message/{COMPANY}");
    let document = call.post_form(Route::Message, &target, &report("CA1", "RE1")).await;
    assert!(document.ends_with("<Response/>"), "{document}");
    let messages = scene.messages().await;
    assert_eq!(messages[0].from.as_deref(), Some(CALLER));
}

#[tokio::test]
async fn a_message_of_a_call_that_nobody_knows_is_kept_without_a_number() {
    let scene = Scene::new(json!({})).await;
    let target = format!("/api/twilio/message/{COMPANY}");
    let call = scene.call("CA2");
    call.post_form(Route::Message, &target, &report("CA2", "RE2")).await;
    let messages = scene.messages().await;
    assert_eq!((messages.len(), messages[0].from.as_deref()), (1, None));
}
