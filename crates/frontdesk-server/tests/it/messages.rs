//! Messages: their filters and their audio.

use frontdesk_domain::record::{Message, MessageKind};
use frontdesk_store::ports::{Audio, AudioStore as _, MessageStore as _};
use serde_json::json;

use crate::{
    calls::{id_in, message},
    support::TestApp,
};

const ID: &str = "65f123456789abcdef012345";
const OTHER: &str = "65f123456789abcdef012346";

#[tokio::test]
async fn the_audio_is_given_with_its_content_type_once_it_is_there() {
    let app = TestApp::start().await;
    let (path, other) = (app.company("+15551234567").await, app.company("+15551234568").await);
    let audio = format!("{path}/messages/{ID}/audio");
    assert_eq!(app.get(&audio).await.problem(404), "message-not-found");
    let recorded = Message {
        recording_url: Some("https://api.twilio.com/RE1".into()),
        ..message(id_in(&path), ID)
    };
    app.store.put_message(recorded).await.unwrap();
    let check = async |state: &str, words: &str| {
        let listed = app.get(&format!("{path}/messages")).await.ok(200);
        assert_eq!(listed["items"][0]["audio"], state);
        let reply = app.get(&audio).await;
        assert_eq!(reply.problem(404), "audio-not-found");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    };
    check("due", "still to be fetched").await;
    app.store.postpone_audio(ID.parse().unwrap(), None).await.unwrap();
    check("failed", "could not be fetched").await;
    let bytes = vec![1; 300_000];
    let kept = Audio {
        content_type: "audio/mpeg".into(),
        bytes: bytes.clone(),
    };
    app.store.put_audio(ID.parse().unwrap(), kept).await.unwrap();
    let reply = app.get(&audio).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("audio/mpeg")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.body, bytes);
    let marked = app
        .patch(&format!("{path}/messages/{ID}"), json!({ "state": "done" }))
        .await;
    assert_eq!(marked.ok(200)["audio"], "stored");
    let foreign = format!("{other}/messages/{ID}/audio");
    assert_eq!(app.get(&foreign).await.problem(404), "message-not-found");
    let nonsense = format!("{path}/messages/nonsense/audio");
    assert_eq!(app.get(&nonsense).await.problem(404), "message-not-found");
}

#[tokio::test]
async fn a_message_without_a_recording_has_no_audio() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    app.store.put_message(message(id_in(&path), ID)).await.unwrap();
    let reply = app.get(&format!("{path}/messages/{ID}/audio")).await;
    assert_eq!(reply.problem(404), "audio-not-found");
    assert!(reply.json()["detail"].as_str().unwrap().contains("no recording"));
}

#[tokio::test]
async fn messages_are_filtered_by_each_parameter() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let company = id_in(&path);
    let recorded = Message {
        transcript: Some("Please call about the roof".into()),
        ..message(company, ID)
    };
    let callback = Message {
        kind: MessageKind::Callback,
        callback_number: Some("+15550002222".into()),
        // The evening of the 21st in the company's zone.
        at: "2026-11-22T03:00:00Z".parse().unwrap(),
        ..message(company, OTHER)
    };
    for message in [recorded, callback] {
        app.store.put_message(message).await.unwrap();
    }
    let zone = json!({ "timezone": "America/New_York" });
    app.patch(&path, zone).await.ok(200);
    let check = async |query: &str, want: &[&str]| {
        let found = app.get(&format!("{path}/messages?{query}")).await.ok(200);
        let ids: Vec<_> = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].clone())
            .collect();
        assert_eq!(ids, want, "{query}");
    };
    check("", &[OTHER, ID]).await;
    check("kind=callback", &[OTHER]).await;
    check("kind=message&state=new", &[ID]).await;
    check("state=done", &[]).await;
    check("from=2026-11-21", &[OTHER]).await;
    check("from=2026-11-22", &[]).await;
    check("to=2026-11-20", &[ID]).await;
    check("to=2026-11-20T12:01:00Z", &[]).await;
    check("caller=%2B15550002222", &[OTHER]).await;
    check("caller=+15550001111", &[OTHER, ID]).await;
    check("q=ROOF", &[ID]).await;
    for (query, parameter) in [
        ("kind=letter", "kind"),
        ("state=lost", "state"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("text=roof", "text"),
    ] {
        let refused = app.get(&format!("{path}/messages?{query}")).await;
        assert_eq!(refused.refused(), [parameter], "{query}");
    }
}
