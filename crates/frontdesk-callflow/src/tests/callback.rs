//! A wish to be called back: kept as soon as its number is settled, before it is promised, and kept once.

use frontdesk_domain::{alert::AlertCode, record::MessageKind};
use serde_json::{Value, json};

use super::caller::{CALLER, Caller};
use super::document::{hangs_up, said};
use super::faults::{Fault, Part};
use super::scene::{DESTINATION, Scene};

/// Nobody can be reached, no message is taken: what is left is a call back.
pub(super) fn only_callback() -> Value {
    json!({
        "transfer": { "destinations": [{ "name": "Day", "number": DESTINATION, "hours": "sun 03:00-03:05" }] },
        "aiAgentLogic": { "fallbackResponses": { "escalationOptions": {
            "offerTransfer": true, "offerMessage": false, "offerCallback": true } } },
    })
}

const PROMISE: &str = "will call you back";

/// Asks for a person and takes the call back that is offered instead.
pub(super) async fn wants_it(call: &mut Caller<'_>) -> String {
    let offer = call.says("operator").await;
    assert!(said(&offer).contains("call you back?"), "{offer}");
    call.says("yes please").await
}

#[tokio::test]
async fn the_number_that_the_caller_calls_from_is_kept_with_the_time() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    let asked = wants_it(&mut call).await;
    assert!(said(&asked).contains("calling from"), "{asked}");
    let asked = call.says("yes").await;
    assert!(said(&asked).contains("ime"), "when: {asked}");
    let thanks = call.says("tomorrow after nine").await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].kind, MessageKind::Callback);
    assert_eq!(kept[0].callback_number.as_deref(), Some(CALLER));
    assert_eq!(kept[0].callback_time.as_deref(), Some("tomorrow after nine"));
    assert_eq!(kept[0].from.as_deref(), Some(CALLER));
    assert_eq!(scene.raised(AlertCode::MessageTaken), 1);
    assert!(hangs_up(&call.says("no").await));
}

#[tokio::test]
async fn who_hangs_up_at_the_last_question_is_called_back_all_the_same() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    assert_eq!(scene.messages().await.len(), 0, "which number is not settled");
    let asked = call.says("yes").await;
    assert!(said(&asked).contains("ime"), "when: {asked}");
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].kind, MessageKind::Callback);
    assert_eq!(kept[0].callback_number.as_deref(), Some(CALLER));
    assert_eq!(kept[0].callback_time, None);
    assert_eq!(scene.raised(AlertCode::MessageTaken), 1);
    let mut call = scene.call("CA2");
    wants_it(&mut call).await;
    call.says("no").await;
    call.keys("9375550142").await;
    assert_eq!(scene.messages().await.len(), 1, "which number is not settled");
    call.keys("1").await;
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 2);
    let mut numbers = kept.iter().map(|kept| kept.callback_number.as_deref());
    assert!(numbers.any(|number| number == Some("+19375550142")), "{kept:?}");
}

#[tokio::test]
async fn the_time_goes_into_the_wish_that_is_there() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    let first = scene.messages().await;
    // After a moment, and at another instance.
    scene.pass(20);
    call.says("hold on").await;
    let beside = scene.beside();
    let thanks = call.at(&beside).says("tomorrow after nine").await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    let kept = scene.messages().await;
    let mut want = first[0].clone();
    want.callback_time = Some("tomorrow after nine".into());
    assert_eq!(kept, [want]);
    assert_eq!(scene.raised(AlertCode::MessageTaken), 1);
    assert_eq!(beside.raised(AlertCode::MessageTaken), 0);
}

#[tokio::test]
async fn a_time_that_is_not_on_disk_is_not_promised() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    scene.breaks(Part::Messages, Fault::Fails);
    let document = call.says("at noon").await;
    assert!(!said(&document).contains(PROMISE), "{document}");
    assert!(document.contains("<Record"), "a way out: {document}");
    assert_eq!(scene.messages().await.len(), 1, "the wish stays");
}

#[tokio::test]
async fn what_is_asked_instead_of_a_time_is_no_time() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    let document = call.says("what are your hours").await;
    assert!(said(&document).starts_with("We open at eight."), "{document}");
    let mut call = scene.call("CA2");
    wants_it(&mut call).await;
    call.says("yes").await;
    let document = call.says("give me a person").await;
    assert!(
        said(&document).contains("call you back?"),
        "nobody is there: {document}"
    );
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|kept| kept.callback_time.is_none()), "{kept:?}");
    // Who agrees once more in the same call has one wish.
    call.says("yes").await;
    call.says("yes").await;
    let thanks = call.says("at noon").await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 2);
    assert_eq!(kept.iter().filter(|kept| kept.callback_time.is_some()).count(), 1);
}

#[tokio::test]
async fn who_steers_the_call_names_no_time() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    let asked = call.says("yes").await;
    for words in ["can you repeat that", "hold on"] {
        call.says(words).await;
        assert_eq!(scene.messages().await[0].callback_time, None, "{words}");
    }
    let again = call.says("can you repeat that").await;
    assert!(
        said(&again).contains(said(&asked).as_str()) || said(&again).contains("ime"),
        "{again}"
    );
    let thanks = call.says("tomorrow after nine").await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    assert_eq!(
        scene.messages().await[0].callback_time.as_deref(),
        Some("tomorrow after nine")
    );
}

#[tokio::test]
async fn who_names_no_time_is_called_back_all_the_same() {
    let scene = Scene::new(only_callback()).await;
    for (sid, words) in [("CA1", "no"), ("CA2", "that's all thank you goodbye")] {
        let mut call = scene.call(sid);
        wants_it(&mut call).await;
        call.says("yes").await;
        let thanks = call.says(words).await;
        assert!(said(&thanks).contains(PROMISE), "{words}: {thanks}");
    }
    let kept = scene.messages().await;
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|kept| kept.callback_time.is_none()), "{kept:?}");
}

#[tokio::test]
async fn another_number_is_said_or_typed_and_read_back() {
    let scene = Scene::new(only_callback()).await;
    for (sid, is_typed) in [("CA1", true), ("CA2", false)] {
        let mut call = scene.call(sid);
        wants_it(&mut call).await;
        let asked = call.says("no, another one").await;
        assert!(said(&asked).contains("digit by digit"), "{asked}");
        assert!(!asked.contains("numDigits=\"1\""), "a number has more digits: {asked}");
        let read_back = if is_typed {
            call.keys("9375550142").await
        } else {
            call.says("nine three seven five five five oh one four two").await
        };
        assert!(said(&read_back).contains("9 3 7, 5 5 5, 0 1 4 2"), "{read_back}");
        if is_typed {
            call.keys("1").await;
        } else {
            call.says("yes that's right").await;
        }
        let thanks = call.says("any time").await;
        assert!(said(&thanks).contains(PROMISE), "{thanks}");
    }
    let numbers: Vec<_> = scene
        .messages()
        .await
        .into_iter()
        .map(|kept| kept.callback_number)
        .collect();
    assert_eq!(numbers, [Some("+19375550142".into()), Some("+19375550142".into())]);
}

#[tokio::test]
async fn a_number_that_is_said_at_once_is_read_back() {
    let scene = Scene::new(only_callback()).await;
    let table = [
        "937 555 0188",
        "nope use 937 555 0188",
        "the other number, 9 3 7, 5 5 5, 0 1 8 8",
        "no, change it to (937) 555-0188",
        "no I want you to call nine three seven five five five oh one eight eight",
        "yes, but at area code 937 then five five five oh one eight eight",
    ];
    for (number, words) in table.into_iter().enumerate() {
        let mut call = scene.call(&format!("CA{number}"));
        wants_it(&mut call).await;
        let read_back = call.says(words).await;
        assert!(
            said(&read_back).contains("9 3 7, 5 5 5, 0 1 8 8"),
            "{words}: {read_back}"
        );
        assert_eq!(scene.messages().await.len(), number, "not yet confirmed");
        call.says("yes").await;
    }
    let kept = scene.messages().await;
    assert_eq!(kept.len(), table.len());
    let is_it = |number: Option<&str>| number == Some("+19375550188");
    assert!(
        kept.iter().all(|kept| is_it(kept.callback_number.as_deref())),
        "{kept:?}"
    );
    // Less than a number is none.
    let mut call = scene.call("CA");
    wants_it(&mut call).await;
    let asked = call.says("no 937").await;
    assert!(said(&asked).contains("digit by digit"), "{asked}");
}

#[tokio::test]
async fn a_number_that_is_wrong_three_times_becomes_a_message() {
    let mut change = only_callback();
    change["aiAgentLogic"]["fallbackResponses"]["escalationOptions"]["offerMessage"] = json!(true);
    let scene = Scene::new(change).await;
    for (sid, wrong) in [("CA1", "12"), ("CA2", "")] {
        let mut call = scene.call(sid);
        // A message that was left empty is followed by the offer.
        let document = call.says("operator").await;
        assert!(document.contains("<Record"), "{document}");
        call.message(&[("RecordingSid", "RE0"), ("RecordingDuration", "0")])
            .await;
        call.says("yes").await;
        let mut document = call.says("no").await;
        for time in 1..=3 {
            assert!(document.contains("<Gather"), "{time} {document}");
            document = if wrong.is_empty() {
                call.silence().await
            } else {
                call.keys(wrong).await
            };
        }
        assert!(
            document.contains("<Record") && !document.contains("<Gather"),
            "{document}"
        );
    }
    assert_eq!(scene.messages().await.len(), 0);
}

#[tokio::test]
async fn a_number_that_the_caller_corrects_is_asked_again() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("no").await;
    call.keys("9375550141").await;
    let again = call.says("no that's wrong").await;
    assert!(said(&again).contains("digit by digit"), "{again}");
    call.keys("9375550142").await;
    call.keys("1").await;
    call.says("at noon").await;
    assert_eq!(
        scene.messages().await[0].callback_number.as_deref(),
        Some("+19375550142")
    );
}

#[tokio::test]
async fn whoever_withholds_the_number_is_asked_for_one() {
    for from in ["anonymous", "+266696687", "", "client:web"] {
        let scene = Scene::new(only_callback()).await;
        let mut call = scene.call("CA1").from(from);
        let asked = wants_it(&mut call).await;
        assert!(said(&asked).contains("digit by digit"), "{from}: {asked}");
    }
}

#[tokio::test]
async fn a_time_may_be_left_open_by_silence() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    let thanks = call.silence().await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    assert_eq!(scene.messages().await[0].callback_time, None);
}

#[tokio::test]
async fn a_wish_is_kept_once_however_often_its_webhook_comes() {
    let scene = Scene::new(only_callback()).await;
    let beside = scene.beside();
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    let mut again = call.clone();
    let mut elsewhere = call.at(&beside);
    // A process that died before its records were stored leaves nothing but the wish.
    scene.breaks(Part::Turns, Fault::Fails);
    let thanks = call.says("at noon").await;
    assert_eq!(again.says("at noon").await, thanks);
    assert!(said(&elsewhere.says("at noon").await).contains(PROMISE));
    assert_eq!(scene.messages().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_promised_that_is_not_on_disk() {
    for fault in [Fault::Fails, Fault::Hangs, Fault::Panics] {
        let scene = Scene::new(only_callback()).await;
        let mut call = scene.call("CA1");
        wants_it(&mut call).await;
        scene.breaks(Part::Messages, fault);
        let document = call.says("yes").await;
        assert!(!document.contains("<Gather"), "no time is asked: {fault:?} {document}");
        assert!(
            document.contains("<Record") || document.contains("<Dial"),
            "a way out: {document}"
        );
        assert!(scene.alerts().contains(&AlertCode::RoutingError), "{fault:?}");
        assert_eq!(scene.raised(AlertCode::MessageTaken), 0, "{fault:?}");
        scene.breaks(Part::Messages, Fault::None);
        assert_eq!(scene.messages().await.len(), 0);
    }
}

#[tokio::test]
async fn a_scenario_that_wants_a_person_leads_to_a_call_back_where_nobody_is_there_and_no_message_is_offered() {
    let mut change = only_callback();
    change["transfer"] = json!({ "destinations": [] });
    change["aiAgentLogic"]["fallbackResponses"]["escalationOptions"]["offerTransfer"] = json!(true);
    let scene = Scene::new(change).await;
    let mut call = scene.call("CA1");
    let document = call.says("let me talk to a person").await;
    assert!(said(&document).contains("nobody could take your call"), "{document}");
    assert!(
        said(&document).ends_with("or say no or press 2.") && !document.contains("<Record"),
        "{document}"
    );
    call.says("yes").await;
    call.says("yes").await;
    let thanks = call.says("at noon").await;
    assert!(said(&thanks).contains(PROMISE), "{thanks}");
    assert_eq!(scene.messages().await.len(), 1);
}

#[tokio::test]
async fn no_call_back_is_no_call_back() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    call.says("operator").await;
    let document = call.keys("2").await;
    assert!(document.contains("<Gather"), "{document}");
    assert!(hangs_up(&call.says("no").await));
    assert_eq!(scene.messages().await.len(), 0);
}

#[tokio::test]
async fn a_question_instead_of_an_answer_is_answered() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    let document = call.says("what are your hours").await;
    assert!(said(&document).starts_with("We open at eight."), "{document}");
    let mut call = scene.call("CA2");
    wants_it(&mut call).await;
    call.says("no").await;
    let document = call.says("what are your hours").await;
    assert!(said(&document).starts_with("We open at eight."), "{document}");
    // "To" sounds like a digit.
    let mut call = scene.call("CA3");
    wants_it(&mut call).await;
    call.says("no").await;
    let document = call.says("i want to talk to a person").await;
    assert!(said(&document).contains("call you back?"), "{document}");
}

#[tokio::test]
async fn danger_is_heard_whatever_was_asked() {
    let scene = Scene::new(only_callback()).await;
    let mut call = scene.call("CA1");
    wants_it(&mut call).await;
    call.says("yes").await;
    let document = call.says("right now, I smell gas in my kitchen").await;
    assert!(said(&document).contains("leave the building"), "{document}");
    assert_eq!(scene.messages().await[0].callback_time, None);
}
