//! Notifications.

use frontdesk_domain::{
    alert::{Alert, AlertCode},
    ids::NotificationId,
};
use frontdesk_store::ports::{NotificationStore as _, RaisedAlert};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::TestApp;

const NOTIFICATIONS: &str = "/api/v1/notifications";

pub(crate) async fn raise(app: &TestApp, id: &str, code: AlertCode, count: u64) {
    let at = "2026-11-25T12:00:00Z".parse().unwrap();
    let alert = Alert {
        code,
        company: None,
        message: "something happened".into(),
        details: json!({ "stage": "TIER_1" }),
    };
    let id: NotificationId = id.parse().unwrap();
    app.store
        .raise(vec![RaisedAlert {
            id,
            alert,
            count,
            first_at: at,
            last_at: at,
            told: Vec::new(),
        }])
        .await
        .unwrap();
}

#[tokio::test]
async fn alerts_of_one_code_are_one_notification() {
    let app = TestApp::start().await;
    raise(&app, "65f123456789abcdef012345", AlertCode::RoutingError, 2).await;
    raise(&app, "65f123456789abcdef012346", AlertCode::RoutingError, 3).await;
    raise(&app, "65f123456789abcdef012347", AlertCode::MessageTaken, 1).await;
    let listed = app.get(NOTIFICATIONS).await.ok(200);
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let grouped = items
        .iter()
        .find(|item| item["code"] == "PRODUCTION_AI_ROUTING_ERROR")
        .unwrap();
    assert_eq!(
        (&grouped["count"], &grouped["severity"], &grouped["state"]),
        (&json!(5), &json!("CRITICAL"), &json!("open"))
    );
    assert_eq!(
        (&grouped["companyId"], &grouped["snoozedUntil"], &grouped["deliveries"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn a_notification_is_acknowledged() {
    let app = TestApp::start().await;
    let id = "65f123456789abcdef012345";
    raise(&app, id, AlertCode::LlmDown, 1).await;
    let acknowledged = app
        .call("POST", &format!("{NOTIFICATIONS}/{id}/acknowledge"), &[], None)
        .await
        .ok(200);
    assert_eq!(acknowledged["state"], "acknowledged");
    assert_eq!(
        app.get(NOTIFICATIONS).await.ok(200)["items"][0]["state"],
        "acknowledged"
    );
    for unknown in ["65f123456789abcdef999999", "nonsense"] {
        let path = format!("{NOTIFICATIONS}/{unknown}/acknowledge");
        assert_eq!(
            app.call("POST", &path, &[], None).await.problem(404),
            "notification-not-found"
        );
    }
}

fn path(id: &str, action: &str) -> String {
    format!("{NOTIFICATIONS}/{id}/{action}")
}

#[tokio::test]
async fn a_notification_is_snoozed_resolved_and_reopened() {
    let app = TestApp::start().await;
    let id = "65f123456789abcdef012345";
    raise(&app, id, AlertCode::LlmDown, 1).await;
    let snoozed = app.post(&path(id, "snooze"), json!({ "minutes": 30 })).await.ok(200);
    assert_eq!(snoozed["snoozedUntil"], "2026-11-25T12:30:00Z");
    let until = json!({ "until": "2026-11-25T13:00:00Z" });
    let snoozed = app.post(&path(id, "snooze"), until).await.ok(200);
    assert_eq!(snoozed["snoozedUntil"], "2026-11-25T13:00:00Z");
    for (body, pointer) in [
        (json!({}), ""),
        (json!([]), ""),
        (json!({ "minutes": 0 }), "/minutes"),
        (json!({ "minutes": "5" }), "/minutes"),
        (json!({ "until": "2026-11-25T11:00:00Z" }), "/until"),
        (json!({ "until": "soon" }), "/until"),
        (json!({ "untill": 5 }), "/untill"),
    ] {
        assert_eq!(app.post(&path(id, "snooze"), body).await.refused(), [pointer]);
    }
    let resolved = app.call("POST", &path(id, "resolve"), &[], None).await.ok(200);
    assert_eq!(
        (&resolved["state"], &resolved["snoozedUntil"]),
        (&json!("resolved"), &Value::Null)
    );
    let over = app.post(&path(id, "snooze"), json!({ "minutes": 30 })).await;
    assert_eq!(over.problem(409), "notification-resolved");
    raise(&app, "65f123456789abcdef012346", AlertCode::LlmDown, 1).await;
    let second = app.call("POST", &path(id, "reopen"), &[], None).await;
    assert_eq!(second.problem(409), "another-notification-open");
    app.call("POST", &path("65f123456789abcdef012346", "resolve"), &[], None)
        .await
        .ok(200);
    let reopened = app.call("POST", &path(id, "reopen"), &[], None).await.ok(200);
    assert_eq!(reopened["state"], "open");
    for action in ["resolve", "reopen"] {
        let unknown = app
            .call("POST", &path("65f123456789abcdef999999", action), &[], None)
            .await;
        assert_eq!(unknown.problem(404), "notification-not-found");
    }
}

#[tokio::test]
async fn notifications_are_filtered_and_bad_filters_named() {
    let app = TestApp::start().await;
    raise(&app, "65f123456789abcdef012345", AlertCode::LlmDown, 1).await;
    raise(&app, "65f123456789abcdef012346", AlertCode::MessageTaken, 1).await;
    let codes = async |query: &str| {
        let listed = app.get(&format!("{NOTIFICATIONS}?{query}")).await.ok(200);
        let items = listed["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("severity=INFO").await, ["PRODUCTION_AI_MESSAGE_TAKEN"]);
    assert_eq!(
        codes("code=PRODUCTION_AI_LLM_DOWN&state=open").await,
        ["PRODUCTION_AI_LLM_DOWN"]
    );
    assert!(codes("state=resolved").await.is_empty());
    assert!(codes("companyId=65f123456789abcdef999999").await.is_empty());
    assert_eq!(codes("from=2026-11-25&to=2026-11-25").await.len(), 2);
    assert!(codes("to=2026-11-24").await.is_empty());
    for bad in [
        "state=closed",
        "code=NOBODY_REGISTERED_IT",
        "severity=critical",
        "companyId=x",
        "from=soon",
        "stat=open",
    ] {
        let name = bad.split('=').next().unwrap();
        assert_eq!(
            app.get(&format!("{NOTIFICATIONS}?{bad}")).await.refused(),
            [name],
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_notification_says_what_helps() {
    let app = TestApp::start().await;
    raise(&app, "65f123456789abcdef012345", AlertCode::LlmDown, 1).await;
    let shown = app.get(NOTIFICATIONS).await.ok(200)["items"][0].clone();
    assert!(shown["fix"].as_str().unwrap().contains("test-connection"), "{shown}");
    let runbook = app.get(shown["runbook"].as_str().unwrap()).await;
    assert_eq!(runbook.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert!(runbook.text().starts_with("# PRODUCTION_AI_LLM_DOWN"));
    assert!(runbook.text().contains("support@example.com"));
    assert_eq!(
        app.get("/api/v1/runbooks/NOBODY_REGISTERED_IT").await.problem(404),
        "runbook-not-found"
    );
}

/// The next event of a stream, without the comments between them.
async fn event(body: &mut axum::body::Body) -> String {
    let read = async {
        loop {
            let frame = body.frame().await.unwrap().unwrap();
            let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
            if !text.starts_with(':') {
                return text;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), read)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_stream_tells_what_is_new_and_what_changes() {
    let app = TestApp::start().await;
    let listen = async |last: Option<&str>| {
        let mut request = http::Request::get(format!("{NOTIFICATIONS}/stream"))
            .header("authorization", format!("Bearer {}", crate::support::TOKEN));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        app.open(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let opened = listen(None).await;
    assert_eq!(opened.headers()["content-type"], "text/event-stream");
    let mut body = opened.into_body();
    let id = "65f123456789abcdef012345";
    raise(&app, id, AlertCode::LlmDown, 2).await;
    let first = event(&mut body).await;
    assert!(
        first.contains("event: notification") && first.contains(id) && first.contains("\"count\":2"),
        "{first}"
    );
    app.clock.set("2026-11-25T12:00:01Z");
    app.call("POST", &path(id, "acknowledge"), &[], None).await.ok(200);
    let second = event(&mut body).await;
    assert!(second.contains("\"state\":\"acknowledged\""), "{second}");
    assert!(second.contains("id: 2026-11-25T12:00:01Z"), "{second}");
    // What another instance wrote before that, and is seen only now.
    app.clock.set("2026-11-25T12:00:00.5Z");
    let late = "65f123456789abcdef012346";
    raise(&app, late, AlertCode::CacheError, 1).await;
    let third = event(&mut body).await;
    assert!(third.contains(late), "{third}");
    // Whoever comes back hears what was missed.
    app.clock.set("2026-11-25T12:05:00Z");
    let mut again = listen(Some("2026-11-25T12:00:01Z")).await.into_body();
    assert!(event(&mut again).await.contains("acknowledged"));
    // A process that is about to end lets go of its listeners.
    app.lifecycle.set_draining();
    let rest = tokio::time::timeout(std::time::Duration::from_secs(10), again.collect()).await;
    assert!(rest.is_ok());
}

#[tokio::test]
async fn only_so_many_listen() {
    let app = TestApp::start().await;
    let request = || {
        http::Request::get(format!("{NOTIFICATIONS}/stream"))
            .header("authorization", format!("Bearer {}", crate::support::TOKEN))
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..32 {
        let opened = app.open(request()).await;
        assert_eq!(opened.status(), 200);
        open.push(opened);
    }
    assert_eq!(app.send(request()).await.problem(429), "too-many-streams");
    open.pop();
    assert_eq!(app.open(request()).await.status(), 200, "a place is free again");
}
