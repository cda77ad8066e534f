//! Each webhook is answered once (DESIGN 4.14, 4.15; invariant 4).

use frontdesk_domain::ids::CallId;
use frontdesk_store::ports::CallLog as _;
use frontdesk_twilio::form::Form;
use serde_json::json;

use super::caller::Caller;
use super::document::{dialled, hangs_up, said};
use super::scene::{COMPANY, DESTINATION, Scene};
use crate::Route;

/// The same webhook so often, from as many threads.
fn at_once(caller: &Caller<'_>, times: usize, form: &Form) -> Vec<String> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let post = || runtime.block_on(caller.post_form(Route::Respond, &caller.target, form));
            let threads: Vec<_> = (0..times).map(|_| scope.spawn(post)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    })
}

async fn in_sequence(caller: &Caller<'_>, times: usize, form: &Form) -> Vec<String> {
    let mut documents = Vec::new();
    for _ in 0..times {
        documents.push(caller.post_form(Route::Respond, &caller.target, form).await);
    }
    documents
}

const WORDS: [(&str, &str); 2] = [("SpeechResult", "the eagle told the parrot"), ("Confidence", "0.4")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_webhook_has_one_record_and_the_same_bytes_however_often_it_comes() {
    let scene = Scene::new(json!({})).await;
    let mut posted = Vec::new();
    for has_nonce in [false, true] {
        for is_parallel in [false, true] {
            for times in 1..=10 {
                let mut caller = scene.call(&format!("CA-{has_nonce}-{is_parallel}-{times}"));
                if has_nonce {
                    caller.voice().await;
                }
                let form = caller.form(&WORDS);
                let documents = if is_parallel {
                    at_once(&caller, times, &form)
                } else {
                    in_sequence(&caller, times, &form).await
                };
                let what = format!("{has_nonce} {is_parallel} {times}");
                assert!(
                    documents.iter().all(|one| *one == documents[0]),
                    "{what}: {documents:?}"
                );
                // Later turns change nothing of it.
                let mut later = caller.clone();
                later.target = super::document::attribute(&documents[0], "Gather", "action").unwrap();
                later.says("what are your hours").await;
                let again = in_sequence(&caller, 1, &form).await;
                assert_eq!(again, documents[..1], "{what}");
                let turns = 2 + usize::from(has_nonce);
                assert_eq!(scene.records(&caller.sid, turns).await.len(), turns, "{what}");
                posted.push((caller.sid.clone(), caller.target.clone(), documents[0].clone(), turns));
            }
        }
    }
    let scene = scene.restarted().await;
    for remembers in [false, true] {
        if remembers {
            scene.flow.remember_the_day().await;
        }
        for (sid, target, document, turns) in &posted {
            let mut caller = scene.call(sid);
            caller.target.clone_from(target);
            let form = caller.form(&WORDS);
            assert_eq!(
                at_once(&caller, 2, &form),
                [document.clone(), document.clone()],
                "{sid}"
            );
            assert_eq!(scene.records(sid, *turns).await.len(), *turns, "{sid}");
        }
    }
}

#[tokio::test]
async fn the_order_of_parameters_is_nothing_to_a_webhook() {
    let scene = Scene::new(json!({})).await;
    let caller = scene.call("CA1");
    let post = async |form: &Form| caller.post_form(Route::Respond, &caller.target, form).await;
    let pairs = [
        ("SpeechResult", "the eagle"),
        ("From", "+15550100000"),
        ("CallSid", "CA1"),
        ("X", "1"),
    ];
    let first = post(&pairs.into_iter().collect()).await;
    let mut turned = pairs;
    turned.reverse();
    assert_eq!(post(&turned.into_iter().collect()).await, first);
    turned.swap(0, 2);
    assert_eq!(post(&turned.into_iter().collect()).await, first);
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
}

#[tokio::test]
async fn with_a_nonce_a_webhook_is_the_same_whatever_else_it_says() {
    let scene = Scene::new(json!({})).await;
    let mut caller = scene.call("CA1");
    caller.voice().await;
    let post = async |confidence: &str, words: &str| {
        let form = caller.form(&[("SpeechResult", words), ("Confidence", confidence)]);
        caller.post_form(Route::Respond, &caller.target, &form).await
    };
    let first = post("0.9", "the eagle told the parrot").await;
    assert_eq!(post("0.1", "the eagle told the parrot").await, first);
    assert_eq!(post("0.9", "what are your hours").await, first);
    assert_eq!(scene.records("CA1", 2).await.len(), 2);
}

#[tokio::test]
async fn the_same_words_in_a_new_turn_are_a_new_turn() {
    let scene = Scene::new(json!({})).await;
    let mut caller = scene.call("CA1");
    let first = caller.says("what are your hours").await;
    let second = caller.says("what are your hours").await;
    let third = caller.says("what are your hours").await;
    assert!(first != second && second != third);
    assert_eq!(scene.records("CA1", 3).await.len(), 3);
    // Another call says the same.
    assert_ne!(scene.call("CA2").says("what are your hours").await, first);
}

#[tokio::test]
async fn a_call_that_begins_twice_is_greeted_once() {
    let scene = Scene::new(json!({})).await;
    let first = scene.call("CA1").voice().await;
    assert_eq!(scene.call("CA1").voice().await, first);
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
    let blank = [("SpeechResult", "  "), ("Digits", "")];
    let first = scene.call("CA2").post(&blank).await;
    assert!(said(&first).contains("Acme Home Services"), "{first}");
    assert_eq!(scene.call("CA2").post(&blank).await, first);
    assert_eq!(scene.records("CA2", 1).await.len(), 1);
}

#[tokio::test]
async fn a_state_of_another_call_is_ignored_and_counted() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    let mut other = scene.call("CA2");
    other.target.clone_from(&call.target);
    let document = other.says("the parrot told the eagle").await;
    assert!(
        !document.contains("<Dial"),
        "the misses of another call do not count: {document}"
    );
    assert_eq!(scene.flow.unsealed_states(), 1);
}

#[tokio::test]
async fn a_state_of_another_company_is_ignored_and_counted() {
    let other = "507f1f77bcf86cd799439022";
    let scene = Scene::new(json!({})).await;
    scene.company(other, json!({})).await;
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    let (_, query) = call.target.split_once('?').unwrap();
    let mut there = scene.call("CA1").of_company(other);
    there.target = format!("{}?{query}", there.target);
    let document = there.says("the parrot told the eagle").await;
    assert!(!document.contains("<Dial"), "{document}");
    assert_eq!(scene.flow.unsealed_states(), 1);
    let there = scene
        .store
        .call(other.parse().unwrap(), &CallId::new("CA1"))
        .await
        .unwrap();
    assert!(there.is_none_or(|call| call.turns.len() == 1), "no turn crosses over");
}

#[tokio::test]
async fn a_call_whose_state_was_tampered_with_goes_on_from_the_copy() {
    let mut scene = Scene::new(json!({})).await;
    for restarts in [false, true] {
        let sid = format!("CA-{restarts}");
        let mut call = scene.call(&sid);
        call.says("the eagle told the parrot").await;
        let tampered = format!("{}x", call.target);
        scene.records(&sid, 1).await;
        if restarts {
            scene = scene.restarted().await;
        }
        let before = scene.flow.unsealed_states();
        let mut call = scene.call(&sid);
        call.target = tampered;
        let mut again = call.clone();
        let document = call.says("the parrot told the eagle").await;
        assert_eq!(
            dialled(&document).as_deref(),
            Some(DESTINATION),
            "the copy remembers the miss before: {document}"
        );
        assert_eq!(scene.flow.unsealed_states(), before + 1);
        assert_eq!(
            again.says("the parrot told the eagle").await,
            document,
            "the same webhook"
        );
        assert_eq!(scene.records(&sid, 2).await.len(), 2);
    }
}

#[tokio::test]
async fn two_instances_leave_one_record() {
    let scene = Scene::new(json!({})).await;
    let beside = scene.beside();
    let mut call = scene.call("CA1");
    call.voice().await;
    let mut there = call.at(&beside);
    let here = call.says("the eagle told the parrot").await;
    super::document::check(&there.says("the eagle told the parrot").await);
    assert!(here.contains("<Gather"));
    scene.shut_down().await;
    beside.shut_down().await;
    assert_eq!(scene.records("CA1", 2).await.len(), 2);
}

#[tokio::test]
async fn any_instance_continues_any_call() {
    let scene = Scene::new(json!({})).await;
    let beside = scene.beside();
    let mut call = scene.call("CA1");
    call.says("the eagle told the parrot").await;
    let document = call.at(&beside).says("the parrot told the eagle").await;
    assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{document}");
}

#[tokio::test]
async fn what_comes_after_the_end_of_a_call_is_hung_up() {
    let mut scene = Scene::new(json!({})).await;
    let company = COMPANY.parse().unwrap();
    let mut call = scene.call("CA1");
    let first = call.says("the eagle told the parrot").await;
    let (target, sid) = (call.target.clone(), CallId::new("CA1"));
    scene.flow.call_ended(company, sid, None, "completed");
    for restarts in [false, true] {
        if restarts {
            scene = scene.restarted().await;
        }
        let mut call = scene.call("CA1");
        call.target.clone_from(&target);
        let document = call.says("what are your hours").await;
        assert!(hangs_up(&document) && !said(&document).contains("eight"), "{document}");
        let again = scene.call("CA1").says("the eagle told the parrot").await;
        assert_eq!(again, first, "what was answered before the end has its answer");
        scene.shut_down().await;
        assert_eq!(scene.records("CA1", 1).await.len(), 1, "nothing was decided");
        scene = scene.restarted().await;
    }
}

#[tokio::test]
async fn a_message_and_the_result_of_a_dial_are_stored_after_the_end_as_well() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("let me talk to a person").await;
    scene
        .flow
        .call_ended(COMPANY.parse().unwrap(), CallId::new("CA1"), None, "completed");
    let document = call.dial_result(&[("DialCallStatus", "no-answer")]).await;
    assert!(
        hangs_up(&document),
        "nobody is dialled for a caller who is gone: {document}"
    );
    let document = call
        .message(&[("RecordingSid", "RE1"), ("RecordingDuration", "4")])
        .await;
    assert!(hangs_up(&document), "{document}");
    assert_eq!(scene.messages().await.len(), 1);
    assert_eq!(scene.records("CA1", 2).await.len(), 2, "the dial's result is a turn");
}
