//! Limits against abuse: each ends in a transfer where there is one, else a polite word (DESIGN 7).

use frontdesk_domain::ids::CallId;
use serde_json::{Value, json};

use super::document::{dialled, hangs_up, said};
use super::scene::{COMPANY, DESTINATION, Scene};
use crate::{
    flow::Run,
    limits::{Limit, Limits},
};

fn nobody() -> Value {
    json!({ "transfer": { "destinations": [] } })
}

fn reached(scene: &Scene) -> Vec<(Limit, u64)> {
    scene
        .flow
        .limits_reached()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn ends(scene: &Scene, sid: &str) {
    scene
        .flow
        .call_ended(COMPANY.parse().unwrap(), CallId::new(sid), None, "completed");
}

fn is_refused(document: &str) -> bool {
    hangs_up(document) && said(document).contains("call again later")
}

const TURNS: Limits = Limits {
    turns_per_call: 3,
    ..Limits::NONE
};
const SECONDS: Limits = Limits {
    seconds_per_call: 60,
    ..Limits::NONE
};
const CALLER: Limits = Limits {
    calls_per_caller_per_hour: 2,
    ..Limits::NONE
};
const AT_ONCE: Limits = Limits {
    concurrent_calls_per_company: 2,
    ..Limits::NONE
};

#[tokio::test]
async fn a_call_has_so_many_turns() {
    let scene = Scene::limited(TURNS, nobody()).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    call.says("what are your hours").await;
    assert!(call.says("what are your hours").await.contains("<Gather"));
    assert!(is_refused(&call.says("what are your hours").await));
    assert_eq!(reached(&scene), [(Limit::TurnsPerCall, 1)]);
    assert!(
        scene.call("CA2").voice().await.contains("<Gather"),
        "another call is another one"
    );
}

#[tokio::test]
async fn a_call_lasts_so_long() {
    let scene = Scene::limited(SECONDS, nobody()).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    scene.pass(60);
    assert!(call.says("what are your hours").await.contains("<Gather"));
    scene.pass(1);
    assert!(is_refused(&call.says("what are your hours").await));
    assert_eq!(reached(&scene), [(Limit::SecondsPerCall, 1)]);
}

#[tokio::test]
async fn a_caller_calls_so_often_within_an_hour() {
    let scene = Scene::limited(CALLER, nobody()).await;
    for sid in ["CA1", "CA2"] {
        let mut call = scene.call(sid);
        assert!(call.voice().await.contains("<Gather"));
        assert!(
            call.says("what are your hours").await.contains("<Gather"),
            "one call counts once"
        );
        ends(&scene, sid);
    }
    let mut third = scene.call("CA3");
    assert!(is_refused(&third.voice().await));
    assert!(is_refused(&third.says("what are your hours").await), "it stays so");
    assert!(
        reached(&scene)
            .iter()
            .all(|(limit, _)| *limit == Limit::CallsPerCallerPerHour)
    );
    let other = scene.call("CA4").from("+15550100001").voice().await;
    assert!(other.contains("<Gather"), "another caller has calls of their own");
    scene.pass(3_601);
    assert!(scene.call("CA5").voice().await.contains("<Gather"), "an hour later");
}

#[tokio::test]
async fn callers_who_withhold_their_number_have_no_bucket() {
    let scene = Scene::limited(CALLER, nobody()).await;
    for (number, from) in ["anonymous", "+266696687", "", "client:web", "sip:a@example.test"]
        .into_iter()
        .cycle()
        .take(20)
        .enumerate()
    {
        let document = scene.call(&format!("CA{number}")).from(from).voice().await;
        assert!(document.contains("<Gather"), "{from} {document}");
    }
    assert_eq!(reached(&scene), []);
}

#[tokio::test]
async fn a_company_has_so_many_calls_at_once_and_a_report_frees_a_place() {
    let scene = Scene::limited(AT_ONCE, nobody()).await;
    for sid in ["CA1", "CA2"] {
        assert!(scene.call(sid).voice().await.contains("<Gather"));
    }
    assert!(is_refused(&scene.call("CA3").voice().await));
    assert_eq!(reached(&scene), [(Limit::ConcurrentCallsPerCompany, 1)]);
    let other = "507f1f77bcf86cd799439022";
    scene.company(other, json!({})).await;
    let there = scene.call("CA9").of_company(other).voice().await;
    assert!(there.contains("<Gather"), "another company has places of its own");
    // It is reported once, twice, and for a call that was never heard of.
    for sid in ["CA1", "CA1", "CA3", "CA8"] {
        ends(&scene, sid);
    }
    assert!(scene.call("CA4").voice().await.contains("<Gather"));
    assert!(is_refused(&scene.call("CA5").voice().await), "one place was freed");
}

#[tokio::test]
async fn a_lost_report_frees_a_place_ten_minutes_after_the_last_sign() {
    let scene = Scene::limited(AT_ONCE, nobody()).await;
    let mut call = scene.call("CA1");
    call.voice().await;
    scene.call("CA2").voice().await;
    scene.pass(300);
    call.says("what are your hours").await;
    scene.pass(301);
    assert!(
        scene.call("CA3").voice().await.contains("<Gather"),
        "nothing was heard of CA2"
    );
    assert!(is_refused(&scene.call("CA4").voice().await), "CA1 gave a sign");
}

#[tokio::test]
async fn a_call_that_is_put_through_keeps_its_place_while_it_may_last() {
    let scene = Scene::limited(AT_ONCE, json!({})).await;
    for sid in ["CA1", "CA2"] {
        let mut call = scene.call(sid);
        assert!(dialled(&call.says("operator").await).is_some());
    }
    scene.pass(3_600);
    let document = scene.call("CA3").voice().await;
    assert_eq!(
        dialled(&document).as_deref(),
        Some(DESTINATION),
        "over the limit: {document}"
    );
    assert_eq!(reached(&scene), [(Limit::ConcurrentCallsPerCompany, 1)]);
    scene.pass(14_400);
    assert!(scene.call("CA4").voice().await.contains("<Gather"));
}

#[tokio::test]
async fn a_call_that_was_not_put_through_counts_on_for_ten_minutes() {
    let scene = Scene::limited(AT_ONCE, json!({})).await;
    for sid in ["CA1", "CA2"] {
        let mut call = scene.call(sid);
        assert!(dialled(&call.says("operator").await).is_some());
        call.dial_result(&[("DialCallStatus", "no-answer")]).await;
    }
    scene.pass(601);
    assert!(
        scene.call("CA3").voice().await.contains("<Gather"),
        "nothing was heard of either since"
    );
}

#[tokio::test]
async fn a_call_that_was_hung_up_frees_its_place() {
    let scene = Scene::limited(AT_ONCE, json!({})).await;
    for sid in ["CA1", "CA2"] {
        let mut call = scene.call(sid);
        call.voice().await;
        assert!(hangs_up(&call.says("goodbye").await));
    }
    assert!(
        scene.call("CA3").voice().await.contains("<Gather"),
        "no report was needed"
    );
}

#[tokio::test]
async fn each_limit_ends_in_a_transfer_where_there_is_one() {
    for (limits, limit) in [
        (TURNS, Limit::TurnsPerCall),
        (SECONDS, Limit::SecondsPerCall),
        (CALLER, Limit::CallsPerCallerPerHour),
        (AT_ONCE, Limit::ConcurrentCallsPerCompany),
    ] {
        let scene = Scene::limited(limits, json!({})).await;
        scene.call("CA1").voice().await;
        scene.call("CA2").voice().await;
        let mut call = scene.call("CA3");
        let mut document = call.voice().await;
        if !document.contains("<Dial") {
            for _ in 0..2 {
                call.says("what are your hours").await;
            }
            scene.pass(61);
            document = call.says("what are your hours").await;
        }
        assert_eq!(dialled(&document).as_deref(), Some(DESTINATION), "{limit:?} {document}");
        assert!(!said(&document).is_empty());
        assert_eq!(reached(&scene), [(limit, 1)]);
        let document = call.dial_result(&[("DialCallStatus", "busy")]).await;
        assert!(document.contains("<Record"), "{limit:?} {document}");
    }
}

#[tokio::test]
async fn what_an_operator_tries_is_no_call_that_goes_on() {
    let scene = Scene::limited(AT_ONCE, nobody()).await;
    for _ in 0..5 {
        let tried = scene
            .flow
            .route(COMPANY.parse().unwrap(), "what are your hours", None, Run::Real)
            .await
            .unwrap();
        assert!(tried.is_some());
    }
    assert!(scene.call("CA1").voice().await.contains("<Gather"));
    assert_eq!(reached(&scene), []);
}

#[tokio::test]
async fn no_limit_is_in_force_at_zero() {
    let scene = Scene::limited(Limits::NONE, nobody()).await;
    for number in 0..60 {
        assert!(scene.call(&format!("CA{number}")).voice().await.contains("<Gather"));
    }
    let mut call = scene.call("CA0");
    for _ in 0..70 {
        scene.pass(60);
        assert!(call.says("what are your hours").await.contains("<Gather"));
    }
    assert_eq!(reached(&scene), []);
}

#[tokio::test]
async fn danger_is_answered_over_every_limit() {
    let limits = Limits {
        turns_per_call: 1,
        seconds_per_call: 1,
        calls_per_caller_per_hour: 1,
        concurrent_calls_per_company: 1,
    };
    let scene = Scene::limited(limits, nobody()).await;
    scene.call("CA0").voice().await;
    let mut call = scene.call("CA1");
    call.voice().await;
    scene.pass(10);
    let document = call.says("I smell gas in my kitchen").await;
    assert!(said(&document).contains("leave the building"), "{document}");
}

#[tokio::test]
async fn a_limit_is_reached_once_by_a_webhook_that_comes_again() {
    let scene = Scene::limited(AT_ONCE, nobody()).await;
    for sid in ["CA1", "CA2"] {
        scene.call(sid).voice().await;
    }
    let first = scene.call("CA3").voice().await;
    assert_eq!(scene.call("CA3").voice().await, first);
    assert_eq!(reached(&scene), [(Limit::ConcurrentCallsPerCompany, 1)]);
}

#[tokio::test]
async fn a_dry_run_is_no_call() {
    let scene = Scene::limited(AT_ONCE, nobody()).await;
    for _ in 0..10 {
        assert_eq!(
            &*scene.decide("what are your hours").await.response,
            "We open at eight."
        );
    }
    assert_eq!(reached(&scene), []);
}
