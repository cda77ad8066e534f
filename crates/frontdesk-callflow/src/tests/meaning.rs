//! What is decided by meaning, where rules left the utterance open.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use frontdesk_domain::{
    alert::AlertCode,
    confidence::Confidence,
    decision::{Decision, FallbackKind, Matcher, SkipReason, Source, Step, StepOutcome, Tier, TraceEntry},
    ids::ScenarioId,
};
use serde_json::{Value, json};

use super::{
    concepts::{Concepts, Mood},
    scene::{COMPANY, Scene, TEMPLATE, scenario, scenarios},
};

async fn scene(encoder: &Arc<Concepts>, change: Value) -> Scene {
    let scene = Scene::with_encoder(encoder);
    scene.template(TEMPLATE, "HVAC", scenarios()).await;
    scene.company(COMPANY, change).await;
    scene.has_learnt().await;
    scene
}

fn tier_2(decision: &Decision) -> Vec<&TraceEntry> {
    let entries = decision.trace.iter();
    entries.filter(|entry| entry.tier == Some(Tier::Semantic)).collect()
}

fn scenario_of(decision: &Decision) -> Option<&str> {
    decision.scenario_id.as_ref().map(ScenarioId::as_str)
}

#[tokio::test]
async fn what_no_trigger_has_a_word_of_is_answered_by_its_meaning() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(
        (decision.source, decision.tier),
        (Source::Template, Some(Tier::Semantic)),
        "{decision:?}"
    );
    assert_eq!(scenario_of(&decision), Some("cooling"));
    assert_eq!(decision.matcher, Matcher::Semantic);
    assert!(decision.threshold.unwrap().get() > 0.599 && decision.confidence >= decision.threshold.unwrap());
    let entries = tier_2(&decision);
    let steps: Vec<_> = entries.iter().map(|entry| (entry.step, entry.outcome)).collect();
    assert_eq!(
        steps,
        [
            (Step::CompanyQna, StepOutcome::BelowThreshold),
            (Step::TradeQna, StepOutcome::BelowThreshold),
            (Step::Tier2, StepOutcome::Matched),
        ]
    );
    let nearest = entries[2].nearest_trigger.as_deref().unwrap();
    assert!(
        ["ac not cooling", "my air conditioner isn't cooling"].contains(&nearest),
        "{nearest}"
    );
}

#[tokio::test]
async fn what_rules_answer_costs_no_embedding_and_the_rest_one() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    let before = encoder.utterances.load(Ordering::SeqCst);
    scene.decide("what are your hours").await;
    scene.decide("so please when do you open then").await;
    assert_eq!(encoder.utterances.load(Ordering::SeqCst), before);
    scene.decide("the box hums like a sauna").await;
    scene.decide("the box hums like a sauna").await;
    assert_eq!(
        encoder.utterances.load(Ordering::SeqCst),
        before + 1,
        "it was heard before"
    );
}

#[tokio::test]
async fn a_negated_wish_is_not_that_wish_by_meaning_either() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    assert_eq!(
        scenario_of(&scene.decide("could you book somebody and send him").await),
        Some("book")
    );
    for words in [
        "do not schedule a visit",
        "please don't book an appointment",
        "don't book somebody",
    ] {
        let decision = scene.decide(words).await;
        assert_eq!(decision.source, Source::Fallback, "{words}: {decision:?}");
    }
}

#[tokio::test]
async fn what_is_disabled_or_cannot_be_spoken_is_not_answered_by_meaning() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    assert_ne!(
        scenario_of(&scene.decide("anything like a club").await),
        Some("plan"),
        "its price is not set"
    );
}

#[tokio::test]
async fn a_company_question_is_asked_by_meaning_before_the_template() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    scene.qna("does the parrot sing", "Yes, all day.").await;
    scene.has_learnt().await;
    let decision = scene.decide("an eagle by a river").await;
    assert_eq!(
        (decision.source, decision.tier),
        (Source::CompanyQna, Some(Tier::Semantic)),
        "{decision:?}"
    );
    assert_eq!(decision.threshold, Confidence::new(0.80));
}

#[tokio::test]
async fn without_the_gatekeeper_only_questions_are_asked_by_meaning() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(
        &encoder,
        json!({ "aiAgentLogic": { "templateGatekeeper": { "enabled": false } } }),
    )
    .await;
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(decision.source, Source::Fallback);
    let entries = tier_2(&decision);
    let last = entries.last().unwrap();
    assert_eq!((last.step, last.reason), (Step::Tier2, Some(SkipReason::Disabled)));
    assert_eq!(entries.len(), 3);
}

#[tokio::test]
async fn an_encoder_that_panics_costs_the_tier_and_not_the_call() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    encoder.is(Mood::Panics);
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(decision.fallback_type, Some(FallbackKind::TechnicalIssue));
    assert_eq!(tier_2(&decision).last().unwrap().outcome, StepOutcome::Error);
    assert_eq!(scene.raised(AlertCode::RoutingError), 1);
    assert_eq!(scene.flow.meanings().failures(), (1, 0));
    encoder.is(Mood::Well);
    assert_eq!(
        scenario_of(&scene.decide("the box hums like a sauna").await),
        Some("cooling")
    );
}

#[tokio::test]
async fn a_turn_does_not_wait_for_a_slow_encoder() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    encoder.is(Mood::Slow);
    let decision = scene.decide("the box hums like a sauna").await;
    let last = *tier_2(&decision).last().unwrap();
    assert_eq!((last.step, last.reason), (Step::Tier2, Some(SkipReason::Deadline)));
    assert_eq!(scene.flow.meanings().failures(), (0, 1));
    assert_eq!(decision.fallback_type, Some(FallbackKind::TechnicalIssue));
}

#[tokio::test]
async fn who_finds_all_places_taken_is_answered_without_the_tier() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    encoder.is(Mood::Slow);
    let all = (0..60).map(|number| {
        let scene = &scene;
        async move { scene.decide(&format!("the box hums like sauna {number}")).await }
    });
    let decided = futures_util::future::join_all(all).await;
    let busy = decided
        .iter()
        .flat_map(tier_2)
        .filter(|entry| entry.reason == Some(SkipReason::Busy))
        .count();
    assert!(busy > 0);
    encoder.is(Mood::Well);
}

#[tokio::test]
async fn a_restart_computes_nothing_again_and_an_edit_only_what_is_new() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    let wordings = encoder.wordings.load(Ordering::SeqCst);
    assert!(wordings > 0);
    let scene = scene.restarted().await;
    scene.has_learnt().await;
    assert_eq!(encoder.wordings.load(Ordering::SeqCst), wordings, "heads are on disk");
    scene.qna("does the parrot know the eagle", "Yes.").await;
    scene.has_learnt().await;
    assert_eq!(
        encoder.wordings.load(Ordering::SeqCst),
        wordings + 1,
        "one question is new"
    );
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(scenario_of(&decision), Some("cooling"));
}

/// The usual scenarios, and one more with these triggers.
fn with_one_more(triggers: &[&str]) -> Value {
    let mut all = scenarios();
    all.as_array_mut()
        .unwrap()
        .push(scenario("more", triggers, "One more."));
    all
}

#[tokio::test]
async fn learning_is_given_up_for_the_next_edit() {
    let encoder = Arc::<Concepts>::default();
    encoder.is(Mood::Stuck);
    let scene = Scene::with_encoder(&encoder);
    scene.template(TEMPLATE, "HVAC", scenarios()).await;
    scene.company(COMPANY, json!({})).await;
    scene.tenant(COMPANY).await;
    for edit in 1..=2 {
        // Until it is at work for the company as it is now.
        let waited = async {
            while encoder.begun.load(Ordering::SeqCst) < edit {
                scene.tenant(COMPANY).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waited).await.unwrap();
        scene
            .edit_template(
                TEMPLATE,
                "HVAC",
                with_one_more(&[&format!("the parrot sings {edit} times")]),
            )
            .await;
        let edited = async {
            while encoder.stopped.load(Ordering::SeqCst) < edit {
                scene.tenant(COMPANY).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), edited)
            .await
            .expect("the work for what is gone goes on");
    }
    assert_eq!(
        encoder.wordings.load(Ordering::SeqCst),
        0,
        "nothing was computed for nobody"
    );
    encoder.is(Mood::Well);
    scene.has_learnt().await;
    let decision = scene.decide("the river and the eagle").await;
    assert_eq!(scenario_of(&decision), Some("more"), "the last edit answers");
}

#[tokio::test]
async fn a_template_that_is_edited_again_and_again_costs_what_is_new_each_time() {
    const EDITS: usize = 30;
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    let before = encoder.wordings.load(Ordering::SeqCst);
    for edit in 0..EDITS {
        scene
            .edit_template(
                TEMPLATE,
                "HVAC",
                with_one_more(&[&format!("the parrot sings {edit} times")]),
            )
            .await;
        let decision = scene.decide("schedule a visit").await;
        assert_eq!(scenario_of(&decision), Some("book"), "rules answer all the while");
        assert!(
            scene.flow.meanings().training() <= 3,
            "what is gone is not waited for: {}",
            scene.flow.meanings().training()
        );
    }
    scene.has_learnt().await;
    // The new trigger, and the name of the new scenario once.
    let computed = encoder.wordings.load(Ordering::SeqCst) - before;
    assert!(
        computed <= EDITS + 1,
        "{computed} wordings were embedded for {EDITS} edits"
    );
    let decision = scene.decide("the river and the eagle").await;
    assert_eq!(scenario_of(&decision), Some("more"));
}

#[tokio::test]
async fn the_first_turn_after_an_edit_is_decided_by_its_words() {
    let encoder = Arc::<Concepts>::default();
    let scene = scene(&encoder, json!({})).await;
    // Embedding takes for ever; words need none.
    encoder.is(Mood::Stuck);
    scene.qna("does the parrot sing", "Yes, all day.").await;
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(decision.matcher, Matcher::Lexical);
    for entry in tier_2(&decision) {
        assert_eq!((entry.outcome, entry.reason), (StepOutcome::BelowThreshold, None));
    }
    encoder.is(Mood::Well);
}

#[tokio::test]
async fn until_meaning_is_learnt_words_alone_decide_and_say_so() {
    let scene = Scene::new(json!({})).await;
    let decision = scene.decide("the box hums like a sauna").await;
    assert_eq!(decision.matcher, Matcher::Lexical);
    assert_eq!(tier_2(&decision)[0].reason, Some(SkipReason::NoModel));
}
