//! Notifications.

use frontdesk_domain::{
    alert::{Alert, AlertCode},
    ids::NotificationId,
};
use frontdesk_store::ports::{NotificationStore as _, RaisedAlert};
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
            told: Vec::new(),
            last_at: at,
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
