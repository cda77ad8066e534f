//! Probes, documentation and numbers.

use serde_json::json;

use axum::body::Body;
use http::Request;

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
