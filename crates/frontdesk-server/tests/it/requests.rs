//! What is the same for all requests: tokens, bodies, paths, methods, parameters.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::support::{TOKEN, TestApp};

#[tokio::test]
async fn a_token_is_needed_and_must_be_right() {
    let app = TestApp::start().await;
    for token in [
        None,
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer wrong"),
        Some(TOKEN),
        Some("Basic b3BlcmF0b3I6"),
    ] {
        let mut request = Request::get("/api/v1/companies");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let refused = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(refused.problem(401), "unauthorized", "{token:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"frontdesk\""));
    }
}

#[tokio::test]
async fn without_a_token_nothing_of_the_request_is_judged() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    for path in [
        "/api/v1/companies/507f1f77bcf86cd799439011",
        "/api/v1/companies/x",
        &company,
    ] {
        let request = Request::put(path)
            .header(header::CONTENT_TYPE, "text/html")
            .body(Body::from("{"))
            .unwrap();
        assert_eq!(app.send(request).await.problem(401), "unauthorized");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_apart_from_a_wrong_document() {
    let app = TestApp::start().await;
    let send = |media: &'static str, body: &'static str| {
        let request = Request::post("/api/v1/companies")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::CONTENT_TYPE, media);
        app.send(request.body(Body::from(body)).unwrap())
    };
    for body in ["", "{", "{\"name\": }", "\u{1}", "{} {}"] {
        assert_eq!(
            send("application/json", body).await.problem(400),
            "malformed-json",
            "{body}"
        );
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(app.import(&deep).await.problem(422), "import-refused");
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
        "",
    ] {
        assert_eq!(
            send(media, "{}").await.problem(415),
            "unsupported-media-type",
            "{media}"
        );
    }
    for body in ["{}", "[]", "null", "7"] {
        assert_eq!(
            send("application/json; charset=utf-8", body).await.problem(422),
            "invalid-document",
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let huge = json!({ "name": "x".repeat(9 << 20) });
    assert_eq!(
        app.post("/api/v1/companies", huge.clone()).await.problem(413),
        "body-too-large"
    );
    assert_eq!(
        app.import(&huge.to_string()).await.problem(422),
        "import-refused",
        "an import may be larger"
    );
}

#[tokio::test]
async fn a_patch_has_a_content_type_of_its_own() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let patch = json!({ "greeting": "Hi." });
    for (media, status) in [
        ("application/merge-patch+json", 200),
        ("application/json", 200),
        ("text/plain", 415),
    ] {
        let reply = app
            .call("PATCH", &company, &[("content-type", media)], Some(&patch))
            .await;
        assert_eq!(reply.status, status, "{media}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/companies/",
        "/healthz/",
        "/api/docs/nothing.js",
    ] {
        let reply = app.get(path).await;
        assert_eq!(reply.problem(404), "unknown-path", "{path}");
        assert_eq!(reply.header("location"), None, "nothing is redirected");
    }
    let refused = app.delete("/api/v1/companies").await;
    assert_eq!(refused.problem(405), "method-not-allowed");
    let allowed = refused.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(app.post("/healthz", json!({})).await.problem(405), "method-not-allowed");
}

#[tokio::test]
async fn parameters_are_checked() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    for (path, parameter) in [
        ("/api/v1/companies?limit=0", "limit"),
        ("/api/v1/companies?limit=201", "limit"),
        ("/api/v1/companies?cursor=nonsense", "cursor"),
        ("/api/v1/companies?page=2", "page"),
        ("/api/v1/templates?limit=1&limit=2", "limit"),
        (&format!("{company}/calls?from=yesterday"), "from"),
        (&format!("{company}/calls?from=2026-11-01T08:00:00%2B25:00"), "from"),
        (&format!("{company}/calls?to=2026-11-01T08:00:00%2B25:00"), "to"),
        (&format!("{company}/calls?to=2026-11-01T08:00:00+25:00"), "to"),
        (&format!("{company}/calls?to=2026-11-01T25:00:00Z"), "to"),
        (&format!("{company}/calls?to=2026-13-01"), "to"),
        (&format!("{company}/calls?outcome=lost"), "outcome"),
        (&format!("{company}/messages?state=old"), "state"),
    ] {
        let refused = app.get(path).await;
        assert_eq!(refused.problem(422), "invalid-parameter", "{path}");
        assert_eq!(refused.refused(), [parameter]);
    }
}

#[tokio::test]
async fn a_cursor_of_another_companys_list_is_refused() {
    let app = TestApp::start().await;
    let (one, other) = (app.company("+15551234567").await, app.company("+15551234568").await);
    for question in ["who", "when"] {
        let qna = json!({ "question": question, "answer": "Now." });
        app.post(&format!("{one}/qna"), qna.clone()).await.ok(201);
        app.post("/api/v1/trades/dental/qna", qna).await.ok(201);
    }
    let lists = [
        format!("{one}/qna"),
        "/api/v1/trades/Dental/qna".to_owned(),
        "/api/v1/companies".to_owned(),
    ];
    for list in &lists {
        let page = app.get(&format!("{list}?limit=1")).await.ok(200);
        let cursor = page["nextCursor"].as_str().unwrap();
        assert_eq!(app.get(&format!("{list}?cursor={cursor}")).await.status, 200, "{list}");
        let others = [
            format!("{other}/qna"),
            format!("{one}/messages"),
            format!("{other}/calls"),
        ];
        for another in lists.iter().filter(|another| *another != list).chain(&others) {
            let refused = app.get(&format!("{another}?cursor={cursor}")).await;
            assert_eq!(refused.problem(422), "invalid-parameter", "{another} after {list}");
        }
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_a_get_without_body() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let head = app.call("HEAD", &company, &[], None).await;
    assert_eq!(
        (head.status, head.body.len(), head.header("etag")),
        (200, 0, Some("\"1\""))
    );
}

#[tokio::test]
async fn a_problem_reads_as_it_is_documented() {
    let app = TestApp::start().await;
    let refused = app.post("/api/v1/companies", json!({ "name": "Acme" })).await;
    let (_, after) = include_str!("../../../../docs/problems.md")
        .split_once("```json\n")
        .unwrap();
    let (example, _) = after.split_once("```").unwrap();
    assert_eq!(
        refused.json(),
        serde_json::from_str::<serde_json::Value>(example).unwrap()
    );
}
