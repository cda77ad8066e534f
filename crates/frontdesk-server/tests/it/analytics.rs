//! Analytics are what the turns add up to, in the company's days; an erased caller is gone from them.

use std::sync::Arc;

use frontdesk_domain::{
    clock::Clock as _,
    confidence::Confidence,
    decision::{CandidateKind, FallbackKind, SkipReason, Source, Step, StepOutcome, Tier, TraceCandidate, TraceEntry},
    ids::{CompanyId, ObjectId, ScenarioId, TurnId},
    ledger::Usage,
    money::PicoUsd,
    record::{TurnOutcome, TurnRecord},
};
use frontdesk_store::ports::{Bill, LedgerStore as _, RetentionStore as _, TurnLog as _};
use serde_json::{Value, json};

use crate::{
    budget::hold,
    calls::{id_in, turn},
    support::TestApp,
};

fn step(step: Step, outcome: StepOutcome, near: Option<(&str, f64, f64)>, reason: Option<SkipReason>) -> TraceEntry {
    let candidates = near.iter().map(|(id, confidence, _)| TraceCandidate {
        id: (*id).into(),
        kind: CandidateKind::Scenario,
        confidence: Confidence::clamped(*confidence),
    });
    TraceEntry {
        step,
        tier: None,
        outcome,
        confidence: near.map(|(_, confidence, _)| Confidence::clamped(confidence)),
        threshold: near.map(|(_, _, threshold)| Confidence::clamped(threshold)),
        candidates: candidates.collect(),
        matched_words: Vec::new(),
        nearest_trigger: None,
        reason,
        micros: 1,
        cost_usd: frontdesk_domain::money::PicoUsd::ZERO,
    }
}

fn fallback(mut record: TurnRecord, near: (&str, f64, f64)) -> TurnRecord {
    record.decision.source = Source::Fallback;
    record.decision.fallback_type = Some(FallbackKind::NoMatchFound);
    record.outcome = TurnOutcome::Fallback;
    record.variation = Some(0);
    record.decision.trace = vec![
        step(Step::Tier1, StepOutcome::BelowThreshold, Some(near), None),
        step(Step::Llm, StepOutcome::Skipped, None, Some(SkipReason::Budget)),
    ];
    record
}

fn paid(mut record: TurnRecord, cost: &str) -> TurnRecord {
    record.decision.source = Source::Llm;
    record.decision.tier = Some(Tier::Llm);
    record.decision.scenario_id = Some(ScenarioId::new("prices"));
    record.decision.cost_usd = cost.parse().unwrap();
    record.decision.latency_micros = 900_000;
    record.tokens = Some(700);
    record.decision.trace = vec![step(Step::Llm, StepOutcome::Matched, None, None)];
    record
}

/// A company in India, half an hour off the full hours, with the turns of two days there.
async fn scene(app: &TestApp) -> String {
    app.clock.set("2026-11-27T12:00:00Z");
    let path = app.company("+15551234567").await;
    app.patch(&path, json!({ "timezone": "Asia/Kolkata" })).await.ok(200);
    let company: CompanyId = id_in(&path);
    let say =
        |call: &str, number: u32, at: &str, words: &str| turn(company, call, number, at, words, TurnOutcome::Answered);
    let mut greeted = say("CA1", 1, "2026-11-20T18:29:59Z", "");
    greeted.decision.source = Source::Conversation;
    greeted.outcome = TurnOutcome::Greeted;
    let mut ruled = say("CA1", 2, "2026-11-20T18:30:00Z", "when do you open");
    ruled.decision.tier = Some(Tier::Rules);
    ruled.decision.scenario_id = Some(ScenarioId::new("hours"));
    let turns = vec![
        greeted,
        ruled,
        fallback(
            say("CA1", 3, "2026-11-20T18:31:00Z", "do you install solar panels"),
            ("solar", 0.66, 0.70),
        ),
        fallback(
            say("CA1", 4, "2026-11-20T18:31:30Z", "solar panels installed please"),
            ("solar", 0.52, 0.70),
        ),
        fallback(
            say("CA2", 1, "2026-11-21T18:29:00Z", "i want to sell my boat"),
            ("hours", 0.20, 0.70),
        ),
        paid(
            say("CA2", 2, "2026-11-21T18:29:30Z", "what does a visit cost me"),
            "1.55",
        ),
        paid(say("CA3", 1, "2026-11-21T18:29:40Z", "what does a visit cost"), "1.55"),
    ];
    app.store.append_turns(Arc::new(turns)).await.unwrap();
    path
}

fn day<'v>(analytics: &'v Value, date: &str) -> &'v Value {
    let days = analytics["byDay"].as_array().unwrap();
    days.iter().find(|day| day["date"] == date).unwrap()
}

#[tokio::test]
async fn days_are_the_companys_and_every_figure_is_its_turns() {
    let app = TestApp::start().await;
    let path = scene(&app).await;
    let shown = app
        .get(&format!("{path}/analytics?from=2026-11-20&to=2026-11-22"))
        .await
        .ok(200);
    assert_eq!(
        (&shown["from"], &shown["to"]),
        (&json!("2026-11-19T18:30:00Z"), &json!("2026-11-22T18:30:00Z"))
    );
    assert_eq!(
        (&shown["turns"], &shown["calls"], &shown["asked"]),
        (&json!(7), &json!(3), &json!(6))
    );
    assert_eq!((&shown["fallbacks"], &shown["fallbackRate"]), (&json!(3), &json!(0.5)));
    assert_eq!(
        (&shown["costUsd"], &shown["llm"]["tokens"]),
        (&json!("3.1"), &json!(1400))
    );
    assert_eq!(shown["tiers"], json!({ "1": 1, "2": 0, "3": 2, "none": 4 }));
    assert_eq!(
        (&shown["llm"]["answered"], &shown["llm"]["skipped"]["budget"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(shown["byFallbackType"]["noMatchFound"], 3);
    assert_eq!(shown["byOutcome"]["greeted"], 1);
    assert_eq!(shown["bySource"]["llm"], 2);
    let dates: Vec<_> = shown["byDay"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| &day["date"])
        .collect();
    assert_eq!(dates, ["2026-11-20", "2026-11-21", "2026-11-22"]);
    assert_eq!(day(&shown, "2026-11-20")["turns"], 1, "a second before midnight there");
    assert_eq!(day(&shown, "2026-11-21")["turns"], 6, "and all of the day after it");
    assert_eq!(
        day(&shown, "2026-11-22")["fallbackRate"],
        Value::Null,
        "nothing was asked"
    );
    let hours = shown["byHour"].as_array().unwrap();
    assert_eq!(
        (hours.len(), &hours[23]["turns"], &hours[0]["turns"]),
        (24, &json!(4), &json!(3))
    );
    let latency = &shown["latency"];
    assert_eq!(
        (&latency["withLlm"]["turns"], &latency["withoutLlm"]["turns"]),
        (&json!(2), &json!(5))
    );
    assert_eq!(latency["withoutLlm"]["p99Micros"], 7);
    let slow = latency["withLlm"]["p50Micros"].as_u64().unwrap();
    assert!((900_000..1_125_000).contains(&slow), "{slow}");
    assert_eq!(
        shown["byAnswer"],
        json!([
            { "kind": "scenario", "id": "prices", "turns": 2, "byLlm": 2, "costUsd": "3.1" },
            { "kind": "scenario", "id": "hours", "turns": 1, "byLlm": 0, "costUsd": "0" },
        ])
    );
    let usual = app.get(&format!("{path}/analytics")).await.ok(200);
    assert_eq!(
        (&usual["turns"], usual["byDay"].as_array().unwrap().len()),
        (&json!(7), 30)
    );
    let everybody = app.get("/api/v1/analytics?from=2026-11-20&to=2026-11-21").await.ok(200);
    assert_eq!((&everybody["turns"], &everybody["costUsd"]), (&json!(7), &json!("3.1")));
    assert_eq!(day(&everybody, "2026-11-20")["turns"], 4, "in days of UTC");
    assert_eq!(everybody["byAnswer"], json!([]));
    assert_eq!(everybody.get("unmatched"), None, "nobody's words");
}

#[tokio::test]
async fn what_nothing_matched_is_grouped_and_priced_and_weighed() {
    let app = TestApp::start().await;
    let path = scene(&app).await;
    let shown = app.get(&format!("{path}/analytics")).await.ok(200);
    assert_eq!((&shown["turnsKept"], &shown["isComplete"]), (&json!(5), &json!(true)));
    assert_eq!(shown["groupedBy"], "words", "there is no encoder");
    let unmatched = &shown["unmatched"];
    assert_eq!(
        (
            &unmatched[0]["turns"],
            &unmatched[0]["wordings"],
            &unmatched[0]["calls"]
        ),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(unmatched[0]["words"], "do you install solar panels");
    assert_eq!(unmatched[0]["examples"][0]["turnId"], "CA1-4");
    assert_eq!(unmatched[1]["words"], "i want to sell my boat");
    let spent = &shown["spendByMissingScenario"];
    assert_eq!(spent.as_array().unwrap().len(), 1);
    assert_eq!(
        spent[0]["advice"],
        "these 2 calls cost $3.1: add these wordings to the triggers of scenario prices"
    );
    let lines = shown["whatIf"].as_array().unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["threshold"].as_f64().unwrap(),
                line["instead"].as_f64().unwrap(),
                line["turns"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(0.7, 0.65, 1), (0.7, 0.6, 1), (0.7, 0.55, 1)]);
    assert_eq!(lines[0]["examples"][0]["candidate"], "solar");
    let spoken = json!([{ "fallbackType": "noMatchFound", "variation": 0, "turns": 3, "heardBefore": 1 }]);
    assert_eq!(shown["fallbackVariations"], spoken);
    assert_eq!(shown["fallbacksWithoutLlm"], json!({ "budget": 3 }));
}

#[tokio::test]
async fn an_answer_that_came_too_late_cost_what_the_ledger_says() {
    let app = TestApp::start().await;
    app.clock.set("2026-11-27T12:00:00Z");
    let path = app.company("+15551234567").await;
    hold(&app, &path).await;
    let at = "2026-11-27T11:00:00Z";
    let mut late = turn(id_in(&path), "CA1", 1, at, "sell me a boat", TurnOutcome::Fallback);
    late.turn_id = TurnId::new("turn");
    late.decision.source = Source::Fallback;
    late.decision.fallback_type = Some(FallbackKind::TechnicalIssue);
    late.decision.cost_usd = "0.25".parse().unwrap();
    late.decision.trace = vec![step(Step::Llm, StepOutcome::Error, None, None)];
    app.store.append_turns(Arc::new(vec![late])).await.unwrap();
    let advice = async || {
        let shown = app.get(&format!("{path}/analytics")).await.ok(200);
        shown["spendByMissingScenario"][0]["advice"].clone()
    };
    let most = "this call cost $0.25: add a scenario that answers this";
    assert_eq!(advice().await, most, "the bill is not known yet");
    let bill = Bill {
        usage: Some(Usage::default()),
        price: None,
        amount: "0.02".parse().unwrap(),
        overrun: PicoUsd::ZERO,
        at: app.clock.now(),
    };
    let entry = ObjectId::from_parts(7, [7; 8]).into();
    assert!(app.store.settle(entry, bill).await.unwrap());
    assert_eq!(advice().await, "this call cost $0.02: add a scenario that answers this");
}

#[tokio::test]
async fn without_calls_every_figure_is_nothing() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    for path in [format!("{path}/analytics"), "/api/v1/analytics".to_owned()] {
        let shown = app.get(&path).await.ok(200);
        assert_eq!(
            (&shown["turns"], &shown["costUsd"], &shown["fallbackRate"]),
            (&json!(0), &json!("0"), &Value::Null)
        );
        assert_eq!(shown["latency"]["all"]["p50Micros"], Value::Null);
        assert_eq!(shown["byDay"].as_array().unwrap().len(), 30);
    }
}

#[tokio::test]
async fn a_range_is_whole_quarters_of_at_most_400_days() {
    let app = TestApp::start().await;
    app.clock.set("2026-11-27T12:00:00Z");
    let path = app.company("+15551234567").await;
    for good in [
        "from=2025-10-24&to=2026-11-27",
        "from=2026-11-01T08:15:00Z&to=2026-11-01T08:30:00Z",
        "from=2026-11-27",
        "to=2020-01-01",
    ] {
        app.get(&format!("{path}/analytics?{good}")).await.ok(200);
    }
    for (bad, parameter) in [
        ("from=2025-10-23&to=2026-11-27", "from"),
        ("from=2026-11-02&to=2026-11-01", "to"),
        ("from=2026-11-01T08:16:00Z", "from"),
        ("to=2026-11-01T08:15:01Z", "to"),
        ("from=yesterday", "from"),
        ("days=3", "days"),
    ] {
        let refused = app.get(&format!("{path}/analytics?{bad}")).await;
        assert_eq!(refused.problem(422), "invalid-parameter", "{bad}");
        assert!(refused.text().contains(parameter), "{bad}: {}", refused.text());
    }
}

#[tokio::test]
async fn deleted_turns_take_their_words_along_and_leave_their_counts() {
    let app = TestApp::start().await;
    let path = scene(&app).await;
    let company = id_in(&path);
    while app
        .store
        .purge(company, "2026-11-21T00:00:00Z".parse().unwrap())
        .await
        .unwrap()
        .turns
        > 0
    {}
    let shown = app.get(&format!("{path}/analytics")).await;
    assert!(!shown.text().contains("solar"), "what was purged is not shown");
    let shown = shown.ok(200);
    assert_eq!(
        (&shown["turns"], &shown["fallbacks"], &shown["turnsKept"]),
        (&json!(7), &json!(3), &json!(3))
    );
}

#[tokio::test]
async fn an_erased_caller_is_gone_and_counted() {
    let app = TestApp::start().await;
    let path = scene(&app).await;
    let erase = async |caller: &str| app.post(&format!("{path}/erase"), json!({ "caller": caller })).await;
    let nothing = json!({ "calls": 0, "turns": 0, "messages": 0, "recordings": 0, "notifications": 0 });
    assert_eq!(
        erase("+15550002222").await.ok(200),
        nothing,
        "somebody who never called"
    );
    let mut erased = nothing.clone();
    (erased["calls"], erased["turns"]) = (json!(3), json!(7));
    assert_eq!(erase("+15550001111").await.ok(200), erased);
    assert_eq!(erase("+15550001111").await.ok(200), nothing, "again there is nothing");
    assert_eq!(app.get(&format!("{path}/calls")).await.ok(200)["items"], json!([]));
    let shown = app.get(&format!("{path}/analytics")).await.ok(200);
    assert_eq!((&shown["turns"], &shown["unmatched"]), (&json!(7), &json!([])));
    for bad in ["anonymous", "", "5551234", "+1 555 000 1111"] {
        assert_eq!(erase(bad).await.refused(), ["/caller"], "{bad}");
    }
    let other = app
        .post(&format!("{path}/erase"), json!({ "number": "+15550001111" }))
        .await;
    assert_eq!(other.refused(), ["/number"]);
}

#[tokio::test]
async fn an_export_of_calls_is_all_of_them_line_by_line() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let company = id_in(&path);
    let turns: Vec<_> = (0..120)
        .map(|call| {
            let at = format!("2026-11-20T12:{:02}:{:02}Z", call / 60, call % 60);
            turn(company, &format!("CA{call:03}"), 1, &at, "hello", TurnOutcome::Answered)
        })
        .collect();
    app.store.append_turns(Arc::new(turns)).await.unwrap();
    let export = app.get(&format!("{path}/calls/export")).await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = export
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<_> = lines
        .iter()
        .map(|call| call["callId"].as_str().unwrap().to_owned())
        .collect();
    let want: Vec<_> = (0..120).rev().map(|call| format!("CA{call:03}")).collect();
    assert_eq!(ids, want);
    assert_eq!(lines[0], app.get(&format!("{path}/calls/CA119")).await.ok(200));
    let some = app.get(&format!("{path}/calls/export?from=2026-11-20T12:01:58Z")).await;
    assert_eq!(some.text().lines().count(), 2);
    let none = app.get(&format!("{path}/calls/export?outcome=transfer")).await;
    assert_eq!((none.status, none.text()), (200, String::new()));
}
