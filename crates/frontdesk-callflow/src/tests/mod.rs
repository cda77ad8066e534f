//! The call flow over a real store.

mod scene;

use frontdesk_domain::{
    alert::AlertCode,
    call_state::CallState,
    confidence::Confidence,
    decision::{FallbackKind, Offer, SkipReason, Source, Step, StepOutcome, Tier},
    documents::{
        prompts::{EMBEDDED, Prompts},
        template::Action,
    },
    rotation,
};
use frontdesk_store::ports::{Singleton, SingletonStore as _};
use frontdesk_twilio::form::Form;
use scene::{COMPANY, DESTINATION, Scene, TEMPLATE, said, scenario};
use serde_json::{Value, json};

use crate::{Webhook, flow::Unanswerable, settings::EMERGENCY_SENTENCE};

#[tokio::test]
async fn a_call_is_greeted_and_then_answered() {
    let scene = Scene::new(json!({ "greeting": "Welcome to {companyName}." })).await;
    let mut call = scene.call("CA1");
    assert_eq!(said(&call.post(&[]).await), "Welcome to Acme Home Services.");
    let answer = call.says("what are your hours").await;
    assert_eq!(said(&answer), "We open at eight. Anything else I can do for you?");
    assert!(
        answer.contains("<Gather") && answer.contains("actionOnEmptyResult=\"true\""),
        "{answer}"
    );
    let records = scene.records("CA1", 2).await;
    let fields = |name: &str| records.iter().map(|record| record[name].clone()).collect::<Vec<_>>();
    assert_eq!(fields("turn"), [1, 2]);
    assert_eq!(fields("outcome"), ["greeted", "answered"]);
    assert_eq!(fields("source"), ["conversation", "template"]);
    assert_eq!(fields("scenarioId"), [json!(null), json!("hours")]);
}

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
            (Step::Tier2, StepOutcome::Skipped, Some(SkipReason::NotBuilt)),
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
async fn danger_is_answered_before_everything_whatever_is_switched_off() {
    for change in [
        json!({}),
        json!({ "status": "suspended" }),
        json!({ "status": "forward", "forwardNumber": "+19375550188" }),
        json!({ "aiAgentSettings": { "templateReferences": [] } }),
        json!({ "aiAgentLogic": { "thresholds": { "companyQnA": 1, "tradeQnA": 1 },
            "templateGatekeeper": { "enabled": false, "enableLLMFallback": false, "monthlyBudget": 0, "tier1Threshold": 1 } } }),
    ] {
        let scene = Scene::new(change.clone()).await;
        let document = scene.call("CA1").says("I smell gas in my kitchen").await;
        assert!(said(&document).contains("leave the building"), "{change} {document}");
        assert!(scene.alerts().contains(&AlertCode::EmergencyCall), "{change}");
        let decision = scene.decide("I smell gas in my kitchen").await;
        assert_eq!(
            (decision.source, decision.threshold),
            (Source::Safety, None),
            "{change}"
        );
        assert!(decision.emergency && decision.safety_id.is_some());
    }
}

#[tokio::test]
async fn danger_is_answered_although_the_company_cannot_be_loaded() {
    let scene = Scene::empty();
    let form: Form = [("CallSid", "CA1"), ("SpeechResult", "I smell gas in my kitchen")]
        .into_iter()
        .collect();
    for why in [
        Unanswerable::NoSuchCompany,
        Unanswerable::NotLoaded,
        Unanswerable::NotVerifiable,
    ] {
        let webhook = Webhook {
            route: crate::Route::Respond,
            deadline: tokio::time::Instant::now() + crate::settings::TURN_DEADLINE,
            target: "/",
            form: &form,
            arrived: frontdesk_domain::time::Timestamp::UNIX_EPOCH,
        };
        let document = scene
            .flow
            .respond_without_company(COMPANY.parse().ok(), &webhook, why)
            .await;
        assert!(said(&document).contains("leave the building"), "{why:?} {document}");
    }
    let emergencies = scene
        .alerts()
        .into_iter()
        .filter(|code| *code == AlertCode::EmergencyCall)
        .count();
    assert_eq!(emergencies, 2, "who cannot be verified calls out nobody");
}

#[tokio::test]
async fn an_unknown_company_apologises_and_tells_the_operator() {
    let scene = Scene::empty();
    let form: Form = [("CallSid", "CA1"), ("SpeechResult", "hello")].into_iter().collect();
    let webhook = Webhook {
        route: crate::Route::Respond,
        deadline: tokio::time::Instant::now() + crate::settings::TURN_DEADLINE,
        target: "/",
        form: &form,
        arrived: frontdesk_domain::time::Timestamp::UNIX_EPOCH,
    };
    let document = scene
        .flow
        .respond_without_company(None, &webhook, Unanswerable::NoSuchCompany)
        .await;
    assert!(
        said(&document).contains("can't take your call") && document.contains("<Hangup/>"),
        "{document}"
    );
    assert_eq!(scene.alerts(), [AlertCode::CompanyNotFound]);
}

#[tokio::test]
async fn a_suspended_company_says_so_and_a_forwarding_one_dials() {
    let scene = Scene::new(json!({ "status": "suspended" })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(
        said(&document).contains("isn't taking calls") && document.contains("<Hangup/>"),
        "{document}"
    );
    let scene = Scene::new(json!({ "status": "forward", "forwardNumber": "+19375550188" })).await;
    let document = scene.call("CA1").post(&[]).await;
    assert!(
        document.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial"),
        "{document}"
    );
    assert!(document.contains(">+19375550188</Number>"), "{document}");
}

#[tokio::test]
async fn an_action_is_carried_out() {
    let scene = Scene::new(json!({})).await;
    let message = scene.call("CA1").says("schedule a visit").await;
    let action = format!("action=\"/api/twilio/message/{COMPANY}?s=");
    assert!(
        message.contains("<Record") && message.contains(&action) && !message.contains("<Gather"),
        "{message}"
    );
    let transfer = scene.call("CA2").says("let me talk to a person").await;
    let dial = transfer.find(&format!(">{DESTINATION}</Number>")).expect(&transfer);
    assert!(
        transfer[dial..].contains("<Record"),
        "what follows the dial is the message: {transfer}"
    );
    let bye = scene.call("CA3").says("goodbye then").await;
    assert!(
        bye.ends_with("<Hangup/></Response>") && !bye.contains("<Gather"),
        "{bye}"
    );
}

#[tokio::test]
async fn a_transfer_goes_to_the_first_destination_that_is_open_and_else_becomes_a_message() {
    let closed = json!({ "name": "Day", "number": "+19375550101", "hours": "sat 09:00-10:00" });
    let open = json!({ "name": "On call", "number": "+19375550102", "hours": "mon-fri 08:00-18:00" });
    let scene = Scene::new(json!({ "transfer": { "destinations": [closed, open] } })).await;
    let document = scene.call("CA1").says("let me talk to a person").await;
    assert!(
        document.contains(">+19375550102</Number>") && !document.contains("+19375550101"),
        "{document}"
    );
    let scene = Scene::new(json!({ "transfer": { "destinations": [closed] } })).await;
    let document = scene.call("CA1").says("let me talk to a person").await;
    assert!(
        !document.contains("<Dial") && document.contains("<Record"),
        "{document}"
    );
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
async fn every_word_that_is_spoken_stands_in_data() {
    let scene = Scene::new(json!({ "greeting": "Welcome." })).await;
    let mut prompts: Value = serde_json::from_str(EMBEDDED).unwrap();
    mark(&mut prompts["texts"]);
    let Value::Object(prompts) = prompts else {
        panic!("prompts are an object")
    };
    let language = Prompts::embedded().language.clone();
    scene
        .store
        .put_singleton(&Singleton::Prompts(language), prompts, None)
        .await
        .unwrap();
    let mut documents = Vec::new();
    let mut call = scene.call("CA1");
    documents.push(call.post(&[]).await);
    for words in ["the eagle told the parrot", "the parrot told the eagle"] {
        documents.push(call.says(words).await);
    }
    documents.push(scene.call("CA2").says("schedule a visit").await);
    documents.push(scene.call("CA3").says("let me talk to a person").await);
    let own = ["Welcome.", "One.", "Two.", "I can book that.", "I'll connect you."];
    for document in documents {
        let spoken = document
            .split("<Say")
            .skip(1)
            .filter_map(|part| part.split_once('>')?.1.split("</Say>").next());
        for text in spoken {
            assert!(
                own.contains(&text) || text.starts_with("Data: "),
                "{text:?} in {document}"
            );
        }
    }
}

/// Puts a mark in front of every text.
fn mark(texts: &mut Value) {
    match texts {
        Value::String(text) => *text = format!("Data: {text}"),
        Value::Array(texts) => texts.iter_mut().for_each(mark),
        Value::Object(texts) => texts.values_mut().for_each(mark),
        _ => {}
    }
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
async fn a_scenario_cools_down_within_its_call_only() {
    let scene = Scene::empty();
    let mut promo = scenario("promo", &["any specials"], "Ten percent off.");
    promo["cooldownSeconds"] = json!(60);
    scene.template(TEMPLATE, "HVAC", json!([promo])).await;
    scene.company(COMPANY, json!({})).await;
    let mut call = scene.call("CA1");
    let is_promo = |document: &str| said(document).starts_with("Ten percent off.");
    assert!(is_promo(&call.says("any specials").await));
    assert!(!is_promo(&call.says("any specials").await));
    assert!(is_promo(&scene.call("CA2").says("any specials").await));
    scene.pass(61);
    assert!(is_promo(&call.says("any specials").await));
}

#[tokio::test]
async fn words_that_can_be_cut_off_are_inside_the_gather_and_others_before_it() {
    let scene = Scene::new(json!({ "voice": { "bargeIn": true } })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(document.find("<Gather") < document.find("<Say"), "{document}");
    let scene = Scene::new(json!({ "voice": { "bargeIn": false } })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(document.find("<Say") < document.find("<Gather"), "{document}");
    assert!(
        document.ends_with("</Gather></Response>") || document.ends_with("/></Response>"),
        "{document}"
    );
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
async fn the_same_webhook_is_recorded_once() {
    let scene = Scene::new(json!({})).await;
    for _ in 0..3 {
        let mut call = scene.call("CA1");
        call.says("what are your hours").await;
    }
    let mut call = scene.call("CA1");
    call.says("when do you open").await;
    assert_eq!(scene.records("CA1", 2).await.len(), 2);
}

#[tokio::test]
async fn numbers_that_must_not_be_kept_reach_neither_disk_nor_alert() {
    let scene = Scene::new(json!({})).await;
    let mut call = scene.call("CA1");
    call.says("my card number is 4539 1488 0343 6467 and the security code is 123")
        .await;
    call.says("four five three nine one four eight eight oh three four three six four six seven")
        .await;
    let mut halves = scene.call("CA2");
    halves.says("my card number is 4539 1488").await;
    halves.says("0343 6467").await;
    scene.call("CA3").post(&[("Digits", "4539148803436467")]).await;
    for (sid, turns) in [("CA1", 2), ("CA2", 2), ("CA3", 1)] {
        scene.records(sid, turns).await;
    }
    scene.shut_down().await;
    let mut kept = scene.alert_texts().into_bytes();
    for file in std::fs::read_dir(scene.path()).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let kept = String::from_utf8_lossy(&kept);
    for secret in [
        "4539148803436467",
        "4539 1488 0343 6467",
        "0343 6467",
        "code is 123",
        "three four three six four",
    ] {
        assert!(!kept.contains(secret), "{secret} was kept");
    }
    assert!(kept.contains("[card number removed]"));
}

#[tokio::test]
async fn whatever_a_signed_webhook_holds_a_sentence_is_spoken() {
    let scene = Scene::new(json!({})).await;
    let long = "word ".repeat(10_000);
    let odd = [
        "",
        " ",
        "🙂🙂",
        "\0",
        "\u{202e}olleh",
        "<Dial>+1900</Dial>",
        "'; DROP TABLE turns; --",
        "{companyName}",
        &long,
        "ﬁre\u{ad}place",
        "\u{301}\u{301}",
        "a".repeat(60_000).as_str(),
    ]
    .map(str::to_owned);
    for words in &odd {
        let mut call = scene.call("CA1");
        let document = call.post(&[("SpeechResult", words), ("Confidence", "abc")]).await;
        assert!(
            !said(&document).trim().is_empty() && document.len() <= 65_536,
            "{words:.40} {document:.300}"
        );
        assert!(!document.contains("<Dial>+1900"), "{document:.300}");
    }
    let form: Form = [("SpeechResult", "what are your hours")].into_iter().collect();
    let document = scene.call("CA1").post_form(&form).await;
    assert!(
        said(&document).starts_with(&EMERGENCY_SENTENCE.replace('\'', "&apos;"))
            || said(&document).starts_with(EMERGENCY_SENTENCE),
        "{document}"
    );
}

#[tokio::test]
async fn a_company_without_templates_is_silent_to_nobody() {
    let scene = Scene::new(json!({ "aiAgentSettings": { "templateReferences": [] }, "greeting": "{unset}" })).await;
    assert!(!said(&scene.call("CA1").post(&[]).await).is_empty());
    let document = scene.call("CA2").says("what are your hours").await;
    assert_eq!(said(&document), "One.");
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
