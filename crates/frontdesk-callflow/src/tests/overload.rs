//! More than one process does at once: everybody is answered, and a company waits behind its own callers only.

use std::time::Duration;

use frontdesk_domain::alert::AlertCode;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    document::{self, dialled, said},
    faults::{Fault, Part},
    llm::FOREIGN,
    scene::{COMPANY, DESTINATION, Scene, TEMPLATE},
    scripted::{Does, Scripted},
};
use crate::{Route, shares::AtOnce};

const OTHER: &str = "507f1f77bcf86cd799439012";

async fn busy(at_once: AtOnce) -> Scene {
    let provider = Scripted::new([Does::Hangs]);
    Scene::busy_with_llm(at_once, &provider, json!({})).await
}

/// The skipped reason of tier 3.
fn why_not_asked(record: &Value) -> Option<&str> {
    let trace = record["trace"].as_array().unwrap();
    trace.iter().find(|entry| entry["step"] == "llm")?["reason"].as_str()
}

#[tokio::test]
async fn who_comes_while_too_many_turns_are_decided_is_put_through() {
    let scene = busy(AtOnce {
        turns: 1,
        ..AtOnce::default()
    })
    .await;
    let waits = scene.call("CA1");
    let form = waits.form(&[("SpeechResult", FOREIGN)]);
    let slow = waits.post_form(Route::Respond, &waits.target, &form);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let shed = scene.call("CA2").says("what are your hours").await;
        let danger = scene.call("CA3").says("I smell gas in the kitchen").await;
        (shed, danger)
    };
    let (slow, (shed, danger)) = tokio::join!(slow, meanwhile);
    document::check(&slow);
    document::check(&shed);
    assert_eq!(dialled(&shed).as_deref(), Some(DESTINATION), "{shed}");
    assert!(said(&danger).contains("gas"), "danger is heard all the same: {danger}");
    let record = scene.records("CA2", 1).await.remove(0);
    assert_eq!(record["source"], "fallback");
    assert_eq!(
        (&record["trace"][1]["step"], &record["trace"][1]["reason"]),
        (&json!("tier1"), &json!("busy"))
    );
    assert_eq!(scene.flow.turns_at_once(), (0, 2));
    assert!(scene.alerts().contains(&AlertCode::RoutingError));
    let heard = scene.call("CA4").says("what are your hours").await;
    assert!(dialled(&heard).is_none(), "afterwards turns are decided again: {heard}");
}

#[tokio::test]
async fn a_company_asks_the_llm_so_often_at_once_and_others_as_ever() {
    let scene = busy(AtOnce {
        questions_per_company: 2,
        ..AtOnce::default()
    })
    .await;
    scene
        .company(
            OTHER,
            json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": 1 } },
                    "aiAgentSettings": { "templateReferences": [TEMPLATE] } }),
        )
        .await;
    let mut callers: Vec<_> = (0..4).map(|number| scene.call(&format!("CA{number}"))).collect();
    callers.push(scene.call("CB0").of_company(OTHER));
    let calls = callers.iter().map(|caller| async {
        let form = caller.form(&[("SpeechResult", FOREIGN)]);
        caller.post_form(Route::Respond, &caller.target, &form).await
    });
    for heard in join_all(calls).await {
        document::check(&heard);
    }
    let mut reasons = Vec::new();
    for number in 0..4 {
        let record = scene.records(&format!("CA{number}"), 1).await.remove(0);
        reasons.push(why_not_asked(&record).map(str::to_owned));
    }
    reasons.sort();
    let busy = || Some("busy".to_owned());
    assert_eq!(reasons, [None, None, busy(), busy()]);
    let other = scene.records_of(OTHER, "CB0", 1).await.remove(0);
    assert_eq!(
        why_not_asked(&other),
        None,
        "it was asked for, and did not answer in time"
    );
}

#[tokio::test]
async fn a_company_whose_callers_wait_for_the_store_keeps_no_other_waiting() {
    let provider = Scripted::new([Does::Hangs]);
    let at_once = AtOnce {
        store_per_company: 1,
        ..AtOnce::default()
    };
    let scene = Scene::busy_with_llm(at_once, &provider, json!({})).await;
    assert_eq!(scene.tenant(COMPANY).await.shares.store.available_permits(), 1);
    scene.breaks(Part::Rotation, Fault::Hangs);
    let callers: Vec<_> = (0..3).map(|number| scene.call(&format!("CA{number}"))).collect();
    let calls = callers.iter().map(|caller| async {
        let form = caller.form(&[("SpeechResult", FOREIGN)]);
        caller.post_form(Route::Respond, &caller.target, &form).await
    });
    for heard in join_all(calls).await {
        document::check(&heard);
    }
    assert_eq!(
        scene.tenant(COMPANY).await.shares.store.available_permits(),
        1,
        "whoever gives up gives its place back"
    );
}
