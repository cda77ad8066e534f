//! Probes, documentation and numbers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::body::Body;
use frontdesk_domain::{
    decision::{FallbackKind, Source},
    ids::{CompanyId, ObjectId},
    record::{TurnOutcome, TurnRecord},
};
use frontdesk_server::metrics::CountedLog;
use frontdesk_store::ports::{CallEnd, StoreError, TurnLog};
use http::Request;
use serde_json::json;

use crate::support::TestApp;

async fn without_token(app: &TestApp, path: &str) -> crate::support::Reply {
    app.send(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn ready_means_that_calls_may_come() {
    let app = TestApp::start().await;
    // The first poll of the change feed takes a moment; until then the process is degraded, and takes calls.
    let ready = loop {
        let answer = without_token(&app, "/readyz").await.ok(200);
        if answer["status"] == "ready" {
            break answer;
        }
        assert_eq!(answer["status"], "degraded");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&ready["status"], &ready["matcher"], &ready["training"]),
        (&json!("ready"), &json!("lexical"), &json!(0))
    );
    assert_eq!(
        (&ready["checks"][0]["name"], &ready["checks"][0]["status"]),
        (&json!("store"), &json!("ok"))
    );
    app.lifecycle.set_draining();
    assert_eq!(without_token(&app, "/readyz").await.ok(503)["status"], "draining");
    assert_eq!(without_token(&app, "/healthz").await.status, 200, "alive to the end");
}

#[tokio::test]
async fn the_documentation_needs_no_token_and_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let page = without_token(&app, "/api/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    let html = page.text();
    assert_eq!(without_token(&app, "/api/docs/").await.text(), html);
    let mut loaded = 0;
    for part in html
        .split(['"', '\''])
        .filter(|part| matches!(part.rsplit_once('.'), Some((_, "js" | "css"))))
    {
        assert!(!part.contains("//"), "{part} is elsewhere");
        let file = without_token(&app, &format!("/api/docs/{}", part.trim_start_matches("./"))).await;
        assert_eq!(file.status, 200, "{part}");
        loaded += 1;
    }
    assert!(loaded >= 4, "{html}");
    assert!(html.contains("<base href=\"/api/docs/\">"));
    let initializer = without_token(&app, "/api/docs/swagger-initializer.js").await.text();
    assert!(
        initializer.contains("/api/openapi.json") && !initializer.contains("petstore"),
        "{initializer}"
    );
}

#[tokio::test]
async fn numbers_need_the_token() {
    let app = TestApp::start().await;
    assert_eq!(without_token(&app, "/metrics").await.problem(401), "unauthorized");
    app.get("/api/v1/companies").await.ok(200);
    let numbers = app.get("/metrics").await;
    assert!(
        numbers
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let line = "frontdesk_admin_requests_total{method=\"GET\",path=\"/api/v1/companies\",status=\"200\"}";
    assert!(numbers.text().contains(line), "{}", numbers.text());
}

#[tokio::test]
async fn a_listener_of_its_own_shows_numbers_without_a_token() {
    let app = TestApp::start().await;
    let router = frontdesk_server::router::metrics_router(app.app.clone());
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// A call log that keeps nothing.
struct NoLog;

#[async_trait]
impl TurnLog for NoLog {
    async fn append_turns(&self, _: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn end_calls(&self, _: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A turn of a company of its own; one of three is a fallback.
fn turn_of(number: u32) -> TurnRecord {
    let company = CompanyId::from(ObjectId::from_parts(number, [0; 8]));
    let at = "2026-11-25T12:00:00Z";
    let mut turn = crate::calls::turn(company, &format!("CA{number}"), 1, at, "hello", TurnOutcome::Answered);
    turn.decision.latency_micros = u64::from(number) % 5_000;
    if number.is_multiple_of(3) {
        turn.decision.source = Source::Fallback;
        turn.decision.fallback_type = Some(FallbackKind::NoMatchFound);
    }
    turn
}

#[tokio::test]
async fn ten_thousand_companies_make_no_more_series_than_one_and_are_shown_within_20_ms() {
    let app = TestApp::start().await;
    let log = CountedLog::new(Arc::new(NoLog));
    log.append_turns(Arc::new(vec![turn_of(0), turn_of(1)])).await.unwrap();
    let of_turns = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("frontdesk_turns_total{"));
        lines
            .filter(|line| line.contains("source=\"template\"") || line.contains("source=\"fallback\""))
            .count()
    };
    let before = app.get("/metrics").await.text();
    log.append_turns(Arc::new((0..10_000).map(turn_of).collect()))
        .await
        .unwrap();
    let mut fastest = Duration::MAX;
    let mut after = String::new();
    for _ in 0..10 {
        let began = Instant::now();
        after = app.get("/metrics").await.text();
        fastest = fastest.min(began.elapsed());
    }
    assert_eq!(of_turns(&before), of_turns(&after), "{after}");
    assert!(after.lines().count() < 1_000, "{after}");
    println!("/metrics took {fastest:?} for {} lines", after.lines().count());
    // Not optimised, and beside other tests: the fastest of ten.
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
}
