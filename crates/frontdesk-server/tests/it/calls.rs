//! The call log and messages.

use std::sync::Arc;

use frontdesk_domain::{
    call_state::CallState,
    confidence::Confidence,
    decision::{
        CandidateKind, Decision, Escalation, Matcher, SkipReason, Source, Step, StepOutcome, TraceCandidate,
        TraceEntry, Versions,
    },
    documents::template::Action,
    ids::{CallId, CompanyId, MessageId, TurnId},
    money::PicoUsd,
    record::{AudioState, Message, MessageKind, MessageState, ReplayInputs, TurnOutcome, TurnRecord},
};
use frontdesk_store::ports::{MessageStore as _, TurnLog as _};
use serde_json::{Value, json};

use crate::support::TestApp;

pub(crate) fn id_in(path: &str) -> CompanyId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// A turn in which the caller said that.
pub(crate) fn turn(
    company: CompanyId,
    call: &str,
    turn: u32,
    at: &str,
    words: &str,
    outcome: TurnOutcome,
) -> TurnRecord {
    TurnRecord {
        turn_id: TurnId::new(&format!("{call}-{turn}")),
        call_id: CallId::new(call),
        turn,
        at: at.parse().unwrap(),
        from: Some("+15550001111".into()),
        speech_confidence: Some(0.9),
        digits: None,
        decision: Decision {
            company_id: company,
            utterance: words.into(),
            normalized: words.to_lowercase().into(),
            source: Source::Template,
            tier: None,
            confidence: Confidence::CERTAIN,
            threshold: None,
            scenario_id: None,
            qna_id: None,
            safety_id: None,
            response: "Yes.".into(),
            action: Action::None,
            emergency: false,
            matcher: Matcher::Lexical,
            fallback_type: None,
            escalation: Escalation::default(),
            cost_usd: PicoUsd::ZERO,
            latency_micros: 7,
            versions: Arc::new(Versions::default()),
            trace: Vec::new(),
        },
        variation: None,
        tokens: None,
        outcome,
        replay: ReplayInputs {
            call_state: CallState::default(),
            rotation: None,
            catalogue: None,
            llm: None,
        },
        document: None,
    }
}

async fn three_calls(app: &TestApp, company: CompanyId) {
    let turns = vec![
        turn(
            company,
            "CA1",
            1,
            "2026-11-20T12:00:00Z",
            "Good morning",
            TurnOutcome::Greeted,
        ),
        turn(
            company,
            "CA1",
            2,
            "2026-11-20T12:01:00Z",
            "A leaking Faucet",
            TurnOutcome::Answered,
        ),
        turn(
            company,
            "CA2",
            1,
            "2026-11-21T04:30:00Z",
            "a person please",
            TurnOutcome::Transfer,
        ),
        turn(
            company,
            "CA3",
            1,
            "2026-11-22T12:00:00Z",
            "goodbye",
            TurnOutcome::Hangup,
        ),
    ];
    app.store.append_turns(Arc::new(turns)).await.unwrap();
}

fn call_ids(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["callId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_call_has_its_turns_and_its_ending() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    three_calls(&app, id_in(&path)).await;
    let call = app.get(&format!("{path}/calls/CA1")).await.ok(200);
    assert_eq!((&call["callId"], &call["ending"]), (&json!("CA1"), &json!("answered")));
    assert_eq!(
        (&call["startedAt"], &call["from"]),
        (&json!("2026-11-20T12:00:00Z"), &json!("+15550001111"))
    );
    let turns = call["turns"].as_array().unwrap();
    assert_eq!(
        (turns.len(), &turns[1]["utterance"], &turns[1]["turn"]),
        (2, &json!("A leaking Faucet"), &json!(2))
    );
    assert_eq!(turns[0]["scenarioId"], Value::Null, "absent is null");
    assert_eq!(
        app.get(&format!("{path}/calls/CA9")).await.problem(404),
        "call-not-found"
    );
}

#[tokio::test]
async fn a_call_is_not_found_under_another_company() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.company("+15551234567").await, app.company("+15551234568").await);
    three_calls(&app, id_in(&theirs)).await;
    assert_eq!(
        app.get(&format!("{ours}/calls/CA1")).await.problem(404),
        "call-not-found"
    );
    assert_eq!(app.get(&format!("{ours}/calls")).await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn calls_are_listed_newest_first_and_filtered() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    app.patch(&path, json!({ "timezone": "America/New_York" }))
        .await
        .ok(200);
    three_calls(&app, id_in(&path)).await;
    for (query, want) in [
        ("", vec!["CA3", "CA2", "CA1"]),
        ("?limit=2", vec!["CA3", "CA2"]),
        ("?q=faucet", vec!["CA1"]),
        ("?outcome=transfer", vec!["CA2"]),
        ("?from=2026-11-21T00:00:00Z", vec!["CA3", "CA2"]),
        ("?to=2026-11-21T00:00:00Z", vec!["CA1"]),
        ("?to=2026-11-21T02:00:00%2B02:00", vec!["CA1"]),
        ("?to=2026-11-21T02:00:00+02:00", vec!["CA1"]),
        // 04:30 UTC on the 21st is the evening of the 20th in New York.
        ("?from=2026-11-20&to=2026-11-20", vec!["CA2", "CA1"]),
        ("?from=2026-11-21", vec!["CA3"]),
        ("?caller=%2B15550001111&limit=1", vec!["CA3"]),
        ("?caller=+15550001111&limit=1", vec!["CA3"]),
        ("?caller=%2B15550009999", vec![]),
    ] {
        let page = app.get(&format!("{path}/calls{query}")).await.ok(200);
        assert_eq!(call_ids(&page), want, "{query}");
    }
    let first = app.get(&format!("{path}/calls?limit=2")).await.ok(200);
    let next = first["nextCursor"].as_str().unwrap();
    let second = app.get(&format!("{path}/calls?limit=2&cursor={next}")).await.ok(200);
    assert_eq!((call_ids(&second), &second["nextCursor"]), (vec!["CA1"], &Value::Null));
}

#[tokio::test]
async fn a_dry_run_is_decided_and_not_recorded() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let qna = json!({ "question": "who owns the shop", "answer": "Denise owns it." });
    app.post(&format!("{path}/qna"), qna.clone()).await.ok(201);
    let decision = app.route(&path, json!({ "utterance": "Who owns the shop?" })).await;
    assert_eq!(
        (&decision["source"], &decision["response"]),
        (&json!("company_qna"), &json!("Denise owns it."))
    );
    assert_eq!(
        (&decision["confidence"], &decision["scenarioId"]),
        (&json!(1.0), &Value::Null)
    );
    assert_eq!(app.get(&format!("{path}/calls")).await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn an_edit_is_what_the_next_decision_uses() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let qna = json!({ "id": "q", "question": "who owns the shop", "answer": "Owner zero." });
    app.post(&format!("{path}/qna"), qna).await.ok(201);
    for number in 0..20 {
        let answer = format!("Owner {number}.");
        app.put(
            &format!("{path}/qna/q"),
            json!({ "question": "who owns the shop", "answer": answer }),
        )
        .await
        .ok(200);
        let decision = app.route(&path, json!({ "utterance": "who owns the shop" })).await;
        assert_eq!(decision["response"], answer);
    }
}

#[tokio::test]
async fn a_real_turn_is_recorded_in_the_call_that_is_named() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let asked = json!({ "utterance": "hello", "callId": "CA77", "dryRun": false });
    app.route(&path, asked).await;
    let call = loop {
        let call = app.get(&format!("{path}/calls/CA77")).await;
        if call.status == 200 {
            break call.json();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(
        (&call["turns"][0]["utterance"], &call["turns"][0]["turn"]),
        (&json!("hello"), &json!(1))
    );
}

#[tokio::test]
async fn recorded_turns_are_counted_by_source_and_tier() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    app.route(&path, json!({ "utterance": "hello", "dryRun": false })).await;
    let wanted = [
        "frontdesk_turns_total{source=\"fallback\",tier=\"none\"} 1",
        "frontdesk_decision_seconds_count 1",
        "frontdesk_turn_records_stored_total 1",
        "frontdesk_turn_records_waiting 0",
        "frontdesk_alerts_raised_total",
        "frontdesk_cache_misses_total{cache=",
    ];
    let mut numbers = String::new();
    for _ in 0..500 {
        numbers = app.get("/metrics").await.text();
        if wanted.iter().all(|line| numbers.contains(line)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{wanted:?} in\n{numbers}");
}

fn trial(threshold: f64) -> Value {
    json!({ "companyQnA": threshold, "tradeQnA": threshold, "tier1Threshold": threshold, "tier2Threshold": threshold })
}

#[tokio::test]
async fn a_dry_run_tries_thresholds_and_changes_none() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let question = json!({ "question": "do you work on saturdays", "answer": "Until noon." });
    let made = app.post(&format!("{company}/qna"), question).await;
    assert_eq!(made.status, 201);
    let route = async |thresholds: Value| {
        let body =
            json!({ "utterance": "hello I wonder whether you do work on a saturday or two", "thresholds": thresholds });
        app.route(&company, body).await
    };
    let before = route(Value::Null).await;
    let (low, high) = (route(trial(0.0)).await, route(trial(1.0)).await);
    assert_eq!(low["source"], "company_qna", "{low}");
    assert_eq!(high["source"], "fallback", "{high}");
    assert_eq!(
        high["trace"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["threshold"] == 1.0)
            .count(),
        1,
        "{high}"
    );
    assert_eq!(route(Value::Null).await["source"], before["source"]);
}

#[tokio::test]
async fn a_question_that_is_no_question_is_pointed_to() {
    let app = TestApp::start().await;
    let route = format!("{}/route", app.company("+15551234567").await);
    for (body, pointer) in [
        (json!({}), "/utterance"),
        (json!({ "utterance": 5 }), "/utterance"),
        (json!({ "utterance": "x", "dryrun": false }), "/dryrun"),
        (json!({ "utterance": "x", "dryRun": "no" }), "/dryRun"),
        (json!({ "utterance": "x", "callId": "" }), "/callId"),
        (
            json!({ "utterance": "x", "thresholds": { "companyQnA": 1 } }),
            "/thresholds",
        ),
        (
            json!({ "utterance": "x", "dryRun": false, "thresholds": trial(0.5) }),
            "/thresholds",
        ),
        (json!({ "utterance": "x", "thresholds": trial(1.5) }), "/thresholds"),
        (json!("x"), ""),
    ] {
        assert_eq!(app.post(&route, body).await.refused(), [pointer]);
    }
    assert_eq!(
        app.post("/api/v1/companies/507f1f77bcf86cd799439011/route", json!({}))
            .await
            .problem(404),
        "company-not-found"
    );
}

pub(crate) fn message(company: CompanyId, id: &str) -> Message {
    Message {
        id: id.parse::<MessageId>().unwrap(),
        company_id: company,
        call_id: CallId::new("CA1"),
        kind: MessageKind::Message,
        from: Some("+15550001111".into()),
        callback_number: None,
        callback_time: None,
        recording_sid: Some(format!("RE{id}").into()),
        recording_url: None,
        recording_seconds: Some(4),
        audio: AudioState::None,
        transcript: None,
        state: MessageState::New,
        at: "2026-11-20T12:01:00Z".parse().unwrap(),
    }
}

/// A call with a trace and a message.
pub(crate) async fn seed(app: &TestApp, company: CompanyId) {
    let mut record = turn(
        company,
        "CA1",
        1,
        "2026-11-20T12:00:00Z",
        "hello",
        TurnOutcome::Fallback,
    );
    record.decision.trace.push(TraceEntry {
        step: Step::Safety,
        tier: None,
        outcome: StepOutcome::Skipped,
        confidence: None,
        threshold: None,
        candidates: vec![TraceCandidate {
            id: "x".into(),
            kind: CandidateKind::Safety,
            confidence: Confidence::CERTAIN,
        }],
        matched_words: Vec::new(),
        nearest_trigger: None,
        reason: Some(SkipReason::NoWords),
        micros: 1,
        cost_usd: PicoUsd::ZERO,
    });
    app.store.append_turns(Arc::new(vec![record])).await.unwrap();
    app.store
        .put_message(message(company, "65f123456789abcdef012345"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_message_is_listed_and_marked_as_done() {
    let app = TestApp::start().await;
    let (path, other) = (app.company("+15551234567").await, app.company("+15551234568").await);
    let id = "65f123456789abcdef012345";
    app.store.put_message(message(id_in(&path), id)).await.unwrap();
    let listed = app.get(&format!("{path}/messages?state=new")).await.ok(200);
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["recordingUrl"]),
        (&json!(id), &Value::Null)
    );
    let at = format!("{path}/messages/{id}");
    assert_eq!(
        app.patch(&at, json!({ "state": "done" })).await.ok(200)["state"],
        "done"
    );
    assert_eq!(
        app.get(&format!("{path}/messages?state=new")).await.ok(200)["items"],
        json!([])
    );
    assert_eq!(app.patch(&at, json!({ "state": "lost" })).await.refused(), ["/state"]);
    assert_eq!(
        app.patch(&at, json!({ "transcript": "x" })).await.refused(),
        ["/transcript"]
    );
    let foreign = format!("{other}/messages/{id}");
    assert_eq!(
        app.patch(&foreign, json!({ "state": "done" })).await.problem(404),
        "message-not-found"
    );
    let unknown = format!("{path}/messages/nonsense");
    assert_eq!(
        app.patch(&unknown, json!({ "state": "done" })).await.problem(404),
        "message-not-found"
    );
}
