//! Contacts and the outbox.

use frontdesk_domain::{alert::AlertCode, ids::NotificationId, notice::ChannelKind};
use frontdesk_store::ports::{NewDelivery, OutboxStore as _, Plan};
use serde_json::{Value, json};

use crate::{notifications::raise, support::TestApp};

const CONTACTS: &str = "/api/v1/contacts";

fn on_call() -> Value {
    json!({
        "name": "On call",
        "channels": [
            { "kind": "email", "address": "oncall@example.com" },
            { "kind": "webhook", "url": "https://example.com/hook", "secret": "quiet" },
        ],
        "escalation": [{ "afterMinutes": 0 }, { "afterMinutes": 15, "channels": ["webhook"] }],
    })
}

#[tokio::test]
async fn a_contact_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let made = app.post(CONTACTS, on_call()).await;
    let contact = made.ok(201);
    assert_eq!(
        (&contact["rev"], &contact["minSeverity"]),
        (&json!(1), &json!("WARNING"))
    );
    assert_eq!(contact["channels"][1]["secretSet"], true);
    assert_eq!(contact["channels"][0]["secretSet"], false);
    assert!(!made.text().contains("quiet"));
    let at = made.header("location").unwrap().to_owned();
    let mut changed = contact.clone();
    changed["name"] = json!("Second line");
    let changed = app.put(&at, changed).await;
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let changed = changed.ok(200);
    assert_eq!(changed["channels"][1]["secretSet"], true, "what is not said stays");
    let stale = app.call("PUT", &at, &[("if-match", "\"1\"")], Some(&changed)).await;
    assert_eq!(stale.problem(412), "stale-revision");
    let listed = app.get(CONTACTS).await;
    assert!(!listed.text().contains("quiet"));
    assert_eq!(listed.ok(200)["items"][0]["name"], "Second line");
    let mut same = on_call();
    same["id"] = contact["id"].clone();
    assert_eq!(app.post(CONTACTS, same).await.problem(409), "id-taken");
    let stale = app.call("DELETE", &at, &[("if-match", "\"1\"")], None).await;
    assert_eq!(stale.problem(412), "stale-revision");
    assert_eq!(app.delete(&at).await.status, 204);
    assert_eq!(app.delete(&at).await.problem(404), "contact-not-found");
    assert_eq!(app.put(&at, on_call()).await.problem(404), "contact-not-found");
}

#[tokio::test]
async fn a_bad_contact_is_refused_with_the_place_of_each_fault() {
    let app = TestApp::start().await;
    let refused = app
        .post(
            CONTACTS,
            json!({
                "nam": "x",
                "channels": [
                    { "kind": "email" },
                    { "kind": "slack", "url": "http://hooks.example.com/" },
                    { "id": "a", "kind": "webhook", "url": "https://169.254.169.254/", "secret": "s" },
                ],
            }),
        )
        .await;
    let mut places = refused.refused();
    places.sort();
    assert_eq!(
        places,
        [
            "/channels/0/address",
            "/channels/1/url",
            "/channels/2/url",
            "/nam",
            "/name"
        ]
    );
    let mut of_nobody = on_call();
    of_nobody["companies"] = json!(["65f123456789abcdef999999"]);
    let refused = app.post(CONTACTS, of_nobody).await;
    assert_eq!(refused.problem(422), "unknown-reference");
    assert_eq!(refused.refused(), ["/companies/0"]);
}

#[tokio::test]
async fn a_test_says_how_each_channel_went() {
    let app = TestApp::start().await;
    let made = app.post(CONTACTS, on_call()).await;
    let at = made.header("location").unwrap();
    let tried = app.call("POST", &format!("{at}/test"), &[], None).await.ok(200);
    assert_eq!(
        tried["channels"],
        json!([
            { "channelId": "email", "kind": "email", "error": null },
            { "channelId": "webhook", "kind": "webhook", "error": "the server answered 500" },
        ])
    );
    let nobody = format!("{CONTACTS}/65f123456789abcdef999999/test");
    assert_eq!(
        app.call("POST", &nobody, &[], None).await.problem(404),
        "contact-not-found"
    );
}

#[tokio::test]
async fn the_outbox_is_listed_and_sent_again() {
    let app = TestApp::start().await;
    let id = "65f123456789abcdef012345";
    raise(&app, id, AlertCode::LlmDown, 1).await;
    let notification: NotificationId = id.parse().unwrap();
    let plan = Plan {
        deliveries: vec![NewDelivery {
            contact_id: "65f123456789abcdef000001".parse().unwrap(),
            channel_id: "email".into(),
            kind: ChannelKind::Email,
            occasion: "0:after-0".into(),
        }],
        ..Plan::default()
    };
    app.store.plan(notification, 1, plan).await.unwrap();
    let listed = app.get("/api/v1/outbox?state=pending").await.ok(200);
    let delivery = &listed["items"][0];
    assert_eq!(
        (&delivery["notificationId"], &delivery["tries"]),
        (&json!(id), &json!(0))
    );
    assert!(
        app.get("/api/v1/outbox?state=dead").await.ok(200)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(app.get("/api/v1/outbox?state=lost").await.refused(), ["state"]);
    let at = format!("/api/v1/outbox/{}/resend", delivery["id"].as_str().unwrap());
    assert_eq!(app.call("POST", &at, &[], None).await.ok(200)["state"], "pending");
    let shown = app.get("/api/v1/notifications").await.ok(200);
    assert_eq!(shown["items"][0]["deliveries"][0]["occasion"], "0:after-0");
    let nobody = "/api/v1/outbox/65f123456789abcdef999999/resend";
    assert_eq!(
        app.call("POST", nobody, &[], None).await.problem(404),
        "delivery-not-found"
    );
}
