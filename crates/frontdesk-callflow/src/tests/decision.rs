//! What is decided, and why.

use frontdesk_domain::confidence::Confidence;
use frontdesk_domain::decision::{FallbackKind, SkipReason, Source, Step, StepOutcome, Tier};
use frontdesk_domain::documents::template::Action;
use serde_json::json;

use super::scene::{Scene, scenario};

#[tokio::test]
async fn what_equals_a_trigger_wins_whatever_the_threshold() {
    let gatekeeper = json!({ "aiAgentLogic": { "templateGatekeeper": { "tier1Threshold": 1.0 } } });
    let scene = Scene::new(gatekeeper).await;
    let decision = scene.decide("When do you OPEN?").await;
    assert_eq!((decision.source, decision.tier), (Source::Template, Some(Tier::Rules)));
    assert_eq!(
        (decision.confidence.get(), decision.threshold.unwrap().get()),
        (1.0, 1.0)
    );
}

#[tokio::test]
async fn a_company_question_that_is_equal_beats_the_template() {
    let scene = Scene::new(json!({})).await;
    scene.qna("What are your hours?", "Nine to five, as always.").await;
    let decision = scene.decide("what are your hours").await;
    assert_eq!(decision.source, Source::CompanyQna);
    assert_eq!(&*decision.response, "Nine to five, as always.");
}

#[tokio::test]
async fn each_step_that_was_not_asked_says_why() {
    let scene = Scene::new(json!({})).await;
    let decision = scene.decide("tell me about the eagle and the river").await;
    let steps: Vec<_> = decision
        .trace
        .iter()
        .map(|entry| (entry.step, entry.outcome, entry.reason))
        .collect();
    assert_eq!(
        steps,
        [
            (Step::Safety, StepOutcome::BelowThreshold, None),
            (Step::Conversation, StepOutcome::BelowThreshold, None),
            (Step::CompanyQna, StepOutcome::BelowThreshold, None),
            (Step::TradeQna, StepOutcome::BelowThreshold, None),
            (Step::Tier1, StepOutcome::BelowThreshold, None),
            (Step::Tier2, StepOutcome::Skipped, Some(SkipReason::NoModel)),
            (Step::Llm, StepOutcome::Skipped, Some(SkipReason::DryRun)),
            (Step::Fallback, StepOutcome::Matched, None),
        ]
    );
}

#[tokio::test]
async fn a_negated_wish_is_not_that_wish() {
    let scene = Scene::new(json!({})).await;
    for words in ["please don’t schedule a visit", "do not schedule a visit"] {
        assert_ne!(
            scene.decide(words).await.scenario_id.map(|id| id.to_string()),
            Some("book".into()),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_reply_with_an_unset_variable_is_never_spoken() {
    let scene = Scene::new(json!({})).await;
    let decision = scene.decide("tell me about the plan").await;
    assert_eq!(decision.source, Source::Fallback);
    let scene = Scene::new(json!({ "variables": { "planPrice": "$17" } })).await;
    assert_eq!(&*scene.decide("tell me about the plan").await.response, "It costs $17.");
}

#[tokio::test]
async fn a_dry_run_peeks_at_the_rotation_and_records_nothing() {
    let scene = Scene::new(json!({})).await;
    for _ in 0..3 {
        assert_eq!(&*scene.decide("the eagle told the parrot").await.response, "One.");
    }
    assert_eq!(scene.alerts(), [], "a dry run tells nobody");
}

#[tokio::test]
async fn another_trades_business_is_out_of_scope() {
    let scene = Scene::new(json!({})).await;
    let other = "65f123000000000000000002";
    scene
        .template(
            other,
            "Dental",
            json!([scenario("crown", &["my crown fell off"], "Come in today.")]),
        )
        .await;
    let decision = scene.decide("my crown fell off").await;
    assert_eq!(decision.fallback_type, Some(FallbackKind::OutOfScope));
    assert_eq!(&*decision.response, "We do not do that.");
    // A company of other trades uses it as well: it is made for everybody, and evidence of nothing.
    let change = json!({ "industryType": "Bakery", "aiAgentSettings": { "templateReferences": [other] } });
    scene.company("507f1f77bcf86cd799439022", change).await;
    assert_eq!(
        scene.decide("my crown fell off").await.fallback_type,
        Some(FallbackKind::NoMatchFound)
    );
}

#[tokio::test]
async fn with_the_gatekeeper_disabled_tier_1_answers_at_the_platforms_threshold() {
    let gatekeeper = json!({ "enabled": false, "tier1Threshold": 0.99 });
    let scene = Scene::new(json!({ "aiAgentLogic": { "templateGatekeeper": gatekeeper } })).await;
    let decision = scene.decide("what are your hours").await;
    assert_eq!(decision.source, Source::Template);
    assert_eq!(decision.threshold, Confidence::new(0.70));
    let missed = scene.decide("the eagle told the parrot").await;
    let reasons: Vec<_> = missed.trace.iter().filter_map(|entry| entry.reason).collect();
    assert_eq!(reasons, [SkipReason::Disabled, SkipReason::Disabled]);
}

#[tokio::test]
async fn an_edit_is_what_the_next_turn_hears() {
    let scene = Scene::new(json!({})).await;
    assert_eq!(scene.decide("who owns the shop").await.source, Source::Fallback);
    scene.qna("who owns the shop", "Denise does.").await;
    assert_eq!(&*scene.decide("who owns the shop").await.response, "Denise does.");
}

#[tokio::test]
async fn the_same_input_gives_the_same_decision() {
    let scene = Scene::new(json!({})).await;
    let untimed = |mut decision: frontdesk_domain::decision::Decision| {
        decision.latency_micros = 0;
        decision.trace.iter_mut().for_each(|entry| entry.micros = 0);
        decision
    };
    for words in [
        "when do you open up",
        "is my ac not cooling",
        "the eagle told the parrot",
        "i smell gas",
    ] {
        let first = untimed(scene.decide(words).await);
        for _ in 0..5 {
            assert_eq!(untimed(scene.decide(words).await), first, "{words}");
        }
    }
    assert_eq!(scene.decide("goodbye then").await.action, Action::Hangup);
}
