//! Webhooks, and those that fail or lead elsewhere.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use frontdesk_delivery::{
    NotSent,
    channels::{Lookup, system},
};
use frontdesk_domain::address::Reach;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::sink::{ANYWHERE, Answer, Sink, channels, contact, message};

async fn post(url: &str, reach: Reach, lookup: Lookup) -> Result<(), NotSent> {
    let (contact, secrets) = contact(&json!([{ "kind": "webhook", "url": url, "secret": "quiet" }]));
    let channel = &contact.channels[0];
    channels(reach, lookup)
        .send(channel, secrets.get(&channel.id), &message())
        .await
}

/// Names lead to these addresses, one after the other; the last one stays.
fn leading_to(addresses: Vec<Vec<&'static str>>) -> Lookup {
    let looked = Arc::new(AtomicUsize::new(0));
    Arc::new(move |_| {
        let look = looked.fetch_add(1, Ordering::Relaxed).min(addresses.len() - 1);
        let found = addresses[look]
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        let found: Vec<_> = found.collect();
        Box::pin(async move { Ok(found) })
    })
}

#[tokio::test]
async fn a_webhook_gets_signed_json() {
    let sink = Sink::start(Answer::Status(204)).await;
    post(&sink.url(), ANYWHERE, system()).await.unwrap();
    let [got] = sink.got().try_into().unwrap();
    assert_eq!(got.header("frontdesk-delivery"), Some("65f123456789abcdef000001"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let json = got.json();
    assert_eq!(json["notification"]["code"], "PRODUCTION_AI_LLM_DOWN");
    assert!(json["fix"].as_str().unwrap().contains("test-connection"));
    let signature = got.header("frontdesk-signature").unwrap();
    let (time, signed) = signature.split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"quiet").unwrap();
    mac.update(format!("{}.", time.strip_prefix("t=").unwrap()).as_bytes());
    mac.update(&got.body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(signed, hex);
}

#[tokio::test]
async fn slack_gets_a_text() {
    let sink = Sink::start(Answer::Status(200)).await;
    let (contact, _) = contact(&json!([{ "kind": "slack", "url": sink.url() }]));
    channels(ANYWHERE, system())
        .send(&contact.channels[0], None, &message())
        .await
        .unwrap();
    let text = sink.got()[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("*[CRITICAL] PRODUCTION_AI_LLM_DOWN: the LLM refuses: grüße*"),
        "{text}"
    );
    assert_eq!(sink.got()[0].header("frontdesk-signature"), None);
}

#[tokio::test]
async fn a_webhook_that_hangs_is_left_after_five_seconds() {
    let sink = Sink::start(Answer::Hang).await;
    let begun = Instant::now();
    let failed = post(&sink.url(), ANYWHERE, system()).await.unwrap_err();
    assert!((4..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(!failed.is_final && failed.reason.contains("5s"), "{failed:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let sink = Sink::start(Answer::Endless).await;
    let begun = Instant::now();
    post(&sink.url(), ANYWHERE, system()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn refusals_say_whether_another_attempt_is_in_vain() {
    let sink = Sink::start(Answer::Status(500)).await;
    let failed = post(&sink.url(), ANYWHERE, system()).await.unwrap_err();
    assert_eq!(
        (failed.reason.as_str(), failed.is_final),
        ("the server answered 500", false)
    );
    sink.answers(Answer::Status(410));
    assert!(post(&sink.url(), ANYWHERE, system()).await.unwrap_err().is_final);
    sink.answers(Answer::Drop);
    let failed = post(&sink.url(), ANYWHERE, system()).await.unwrap_err();
    assert_eq!(failed.reason, "the server broke off");
    let failed = post("http://127.0.0.1:1/", ANYWHERE, system()).await.unwrap_err();
    assert_eq!(failed.reason, "the server cannot be connected to");
}

#[tokio::test]
async fn a_redirection_to_this_machine_is_not_followed() {
    let inner = Sink::start(Answer::Status(200)).await;
    let outer = Sink::start(Answer::RedirectTo(inner.url())).await;
    let failed = post(&outer.url(), ANYWHERE, system()).await.unwrap_err();
    assert!(failed.reason.contains("redirection"), "{failed:?}");
    assert_eq!((outer.got().len(), inner.got().len()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let plain = Reach {
        private: false,
        plain_http: true,
    };
    let sink = Sink::start(Answer::Status(200)).await;
    let url = format!("http://hooks.example.com:{}/", sink.port);
    for lookup in [
        leading_to(vec![vec!["127.0.0.1"]]),
        leading_to(vec![vec!["203.0.114.1", "127.0.0.1"]]),
        leading_to(vec![vec!["::1"]]),
        leading_to(vec![vec!["169.254.169.254"]]),
    ] {
        let failed = post(&url, plain, lookup).await.unwrap_err();
        assert_eq!(failed.reason, "its name leads to an address that is not public");
    }
    assert!(sink.got().is_empty());
    // What is allowed reaches the same place by the same name.
    post(&url, ANYWHERE, leading_to(vec![vec!["127.0.0.1"]])).await.unwrap();
    assert_eq!(sink.got().len(), 1);
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_that_address_is_connected_to() {
    let sink = Sink::start(Answer::Status(200)).await;
    let url = format!("http://hooks.example.com:{}/", sink.port);
    // On a second look it would lead somewhere else.
    post(&url, ANYWHERE, leading_to(vec![vec!["127.0.0.1"], vec!["127.0.0.99"]]))
        .await
        .unwrap();
    assert_eq!(sink.got().len(), 1);
    // What was public when the contact was written may lead here today.
    let plain = Reach {
        private: false,
        plain_http: true,
    };
    let (contact, secrets) = contact(&json!([{ "kind": "webhook", "url": url, "secret": "quiet" }]));
    let channel = &contact.channels[0];
    let ways = channels(plain, leading_to(vec![vec!["203.0.114.1"], vec!["127.0.0.1"]]));
    let first = ways
        .send(channel, secrets.get(&channel.id), &message())
        .await
        .unwrap_err();
    let second = ways
        .send(channel, secrets.get(&channel.id), &message())
        .await
        .unwrap_err();
    assert_ne!(first.reason, second.reason);
    assert_eq!(second.reason, "its name leads to an address that is not public");
    assert_eq!(sink.got().len(), 1);
}

#[tokio::test]
async fn an_address_that_is_no_longer_allowed_is_not_connected_to() {
    let sink = Sink::start(Answer::Status(200)).await;
    let failed = post(&sink.url(), Reach::default(), system()).await.unwrap_err();
    assert_eq!(failed.reason, "its URL may not be reached");
    assert!(sink.got().is_empty());
}
