//! The courier, from an alert to whoever reads of it.

use std::{
    path::PathBuf,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use frontdesk_domain::{
    alert::AlertCode,
    clock::Clock as _,
    documents::{Mode, contact::Contact},
    notice::DeliveryState,
    record::NotificationState,
};
use frontdesk_store::{
    ports::{
        Busy, ContactStore as _, NotificationChange, NotificationChanged, NotificationStore as _, OutboxStore as _,
    },
    queue::AlertQueue,
    tasks::TaskSet,
};
use serde_json::{Value, json};

use crate::{
    scene::{Scene, all_sent, settle},
    sink::{ANYWHERE, Answer, Got, Sink},
};

#[tokio::test]
async fn an_alert_is_told_within_five_seconds_and_its_end_too() {
    let scene = Scene::new().await;
    scene.start();
    let begun = Instant::now();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    assert_eq!(told.deliveries[0].attempts.len(), 1);
    let resolved = scene
        .store
        .resolve_open(AlertCode::LlmDown, None, scene.clock.now())
        .await;
    assert_eq!(resolved.unwrap(), Some(told.id));
    let got = scene.sink.wait_for(2).await;
    assert_eq!(scene.occasions(), ["0:after-0", "0:resolved"]);
    assert_eq!(got[1].json()["notification"]["state"], "resolved");
    settle().await;
    assert_eq!(scene.sink.got().len(), 2);
}

#[tokio::test]
async fn ten_thousand_alerts_are_one_notification_and_at_most_five_messages() {
    let occasions = storm(AlertCode::RoutingError).await;
    assert_eq!(occasions.last().unwrap(), "0:count-10000");
}

#[tokio::test]
async fn ten_thousand_events_are_one_notification_and_at_most_five_messages() {
    storm(AlertCode::EmergencyCall).await;
}

/// Why contacts were told of ten thousand alerts, before it was over.
async fn storm(code: AlertCode) -> Vec<String> {
    let scene = Scene::new().await;
    scene.start();
    for _ in 0..100 {
        for _ in 0..100 {
            scene.raise(code);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let told = scene.notification(|found| found.count == 10_000).await;
    settle().await;
    let occasions = scene.occasions();
    assert!((1..=4).contains(&occasions.len()), "{occasions:?}");
    assert_eq!(occasions[0], "0:after-0");
    let change = scene
        .store
        .change_notification(told.id, NotificationChange::Resolve)
        .await
        .unwrap();
    assert!(matches!(change, NotificationChanged::Done(_)));
    scene
        .notification(|found| {
            found.state == NotificationState::Resolved && all_sent(&found.deliveries, occasions.len() + 1)
        })
        .await;
    assert!(scene.sink.got().len() <= 5);
    occasions
}

#[tokio::test]
async fn a_message_that_fails_is_sent_again_as_the_same_until_it_is_taken() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(500));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(2).await;
    scene.sink.answers(Answer::Status(200));
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    let got = scene.sink.got();
    let ids: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("frontdesk-delivery")).collect();
    assert_eq!(ids.len(), 1, "the other side can tell that they are one");
    assert_eq!(told.deliveries[0].tries as usize, got.len());
    assert_eq!(
        told.deliveries[0].attempts[0].error.as_deref(),
        Some("the server answered 500")
    );
    assert_eq!(told.deliveries[0].attempts.last().unwrap().error, None);
}

#[tokio::test]
async fn what_is_refused_for_good_is_dead_until_somebody_sends_it_again() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(410));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    let dead = scene
        .notification(|found| found.deliveries.iter().any(|found| found.state == DeliveryState::Dead))
        .await;
    scene.sink.answers(Answer::Status(200));
    settle().await;
    assert_eq!(scene.sink.got().len(), 1);
    scene.store.resend(dead.deliveries[0].id).await.unwrap().unwrap();
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
}

/// The contact of a scene, with another address and other fields.
fn mended(sink: &Sink, is_enabled: bool) -> Value {
    json!({
        "id": "65f123456789abcdef000007",
        "name": "On call",
        "enabled": is_enabled,
        "minSeverity": "INFO",
        "channels": [{ "kind": "webhook", "url": sink.url(), "secret": "quiet" }],
    })
}

#[tokio::test]
async fn what_is_sent_again_goes_to_the_address_that_its_contact_has_by_then() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(410));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    let dead = scene
        .notification(|found| found.deliveries.iter().any(|found| found.state == DeliveryState::Dead))
        .await;
    let right = Sink::start(Answer::Status(200)).await;
    scene.put_contact(mended(&right, true)).await;
    // At once, before contacts are looked at again.
    scene.store.resend(dead.deliveries[0].id).await.unwrap().unwrap();
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    let (wrong, right) = (scene.sink.got(), right.got());
    assert_eq!((wrong.len(), right.len()), (1, 1));
    let key = |got: &Got| got.header("frontdesk-delivery").unwrap().to_owned();
    assert_eq!(key(&wrong[0]), key(&right[0]), "it is the same message");
}

#[tokio::test]
async fn the_next_try_goes_to_the_address_that_its_contact_has_by_then() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(500));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(2).await;
    let right = Sink::start(Answer::Status(200)).await;
    scene.put_contact(mended(&right, true)).await;
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    assert_eq!(right.got().len(), 1);
}

#[tokio::test]
async fn what_is_to_be_sent_to_a_contact_that_was_disabled_or_deleted_is_dead_and_says_so() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(410));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    // So often it was tried, and why not the last time.
    let ended = async |tries: usize| {
        let found = scene
            .notification(|found| {
                let delivery = found.deliveries.first();
                delivery.is_some_and(|found| found.state == DeliveryState::Dead && found.attempts.len() == tries)
            })
            .await;
        let delivery = &found.deliveries[0];
        (delivery.id, delivery.attempts[tries - 1].error.clone().unwrap())
    };
    let (id, _) = ended(1).await;
    scene.put_contact(mended(&scene.sink, false)).await;
    scene.store.resend(id).await.unwrap().unwrap();
    assert_eq!(&*ended(2).await.1, "its contact is disabled");
    let contact = "65f123456789abcdef000007".parse().unwrap();
    let rev = scene.store.contact(contact).await.unwrap().unwrap().document.rev;
    scene.store.delete_contact(contact, rev).await.unwrap();
    scene.store.resend(id).await.unwrap().unwrap();
    assert_eq!(&*ended(3).await.1, "its contact was deleted");
    assert_eq!(scene.sink.got().len(), 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_for_a_day_is_given_up() {
    let scene = Scene::new().await;
    scene.sink.answers(Answer::Status(500));
    scene.start();
    scene.raise(AlertCode::LlmDown);
    scene.sink.wait_for(1).await;
    scene.clock.goes_on_by(Duration::from_hours(25));
    scene
        .notification(|found| found.deliveries.iter().any(|found| found.state == DeliveryState::Dead))
        .await;
}

#[tokio::test]
async fn a_courier_that_is_killed_after_it_has_decided_loses_nothing_and_sends_twice_at_most() {
    let scene = Scene::new().await;
    scene.raise(AlertCode::LlmDown);
    let raised = scene.notification(|_| true).await;
    // It has decided, taken the message, and is gone: sent or not, nobody knows.
    let now = scene.clock.now();
    let due = scene.store.due_notifications(now, 9).await.unwrap();
    let contact = scene
        .store
        .contact("65f123456789abcdef000007".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let document = Value::Object(contact.document.json);
    let contact = Contact::parse(&document, Mode::Stored, ANYWHERE).unwrap().value.contact;
    let plan = frontdesk_delivery::plan::plan(&due[0], &[contact], now);
    scene.store.plan(raised.id, due[0].rev, plan).await.unwrap();
    let now = scene.clock.now();
    let again = now + Duration::from_secs(30);
    let due = scene.store.due_deliveries(now, Busy::default(), 9).await.unwrap();
    let ids = due.iter().map(|due| due.id).collect();
    assert_eq!(scene.store.claim_deliveries(ids, now, again).await.unwrap().len(), 1);
    scene.start();
    settle().await;
    assert!(scene.sink.got().is_empty(), "it may still be on its way");
    scene.clock.goes_on_by(Duration::from_secs(31));
    scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0"]);
}

#[tokio::test]
async fn steps_are_taken_until_somebody_acknowledges() {
    let scene = Scene::new().await;
    scene
        .contact(&json!([{ "afterMinutes": 0 }, { "afterMinutes": 15 }, { "afterMinutes": 30 }]))
        .await;
    scene.start();
    scene.raise(AlertCode::EmergencyCall);
    scene.sink.wait_for(1).await;
    scene.clock.goes_on_by(Duration::from_mins(15));
    scene.sink.wait_for(2).await;
    let told = scene.notification(|found| all_sent(&found.deliveries, 2)).await;
    scene
        .store
        .change_notification(told.id, NotificationChange::Acknowledge)
        .await
        .unwrap();
    scene.clock.goes_on_by(Duration::from_mins(15));
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0", "0:after-15"]);
}

#[tokio::test]
async fn the_next_caller_in_danger_is_told_whoever_has_acknowledged_the_first() {
    let scene = Scene::new().await;
    scene.start();
    scene.raise(AlertCode::EmergencyCall);
    let told = scene.notification(|found| all_sent(&found.deliveries, 1)).await;
    scene
        .store
        .change_notification(told.id, NotificationChange::Acknowledge)
        .await
        .unwrap();
    scene.raise(AlertCode::EmergencyCall);
    let opened = scene.notification(|found| found.count == 2).await;
    assert_eq!(opened.state, NotificationState::Open);
    scene.clock.goes_on_by(Duration::from_mins(1));
    scene.sink.wait_for(2).await;
    // Nobody has acknowledged this one.
    scene.raise(AlertCode::EmergencyCall);
    scene.notification(|found| found.count == 3).await;
    scene.clock.goes_on_by(Duration::from_mins(1));
    scene.sink.wait_for(3).await;
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0", "1:after-0", "1:count-3"]);
}

#[tokio::test]
async fn while_the_store_is_down_alerts_are_told_without_it_and_once() {
    let scene = Scene::new().await;
    scene.start();
    // The contacts are known by then.
    settle().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    scene.raise(AlertCode::DatabaseError);
    scene.sink.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    scene.raise(AlertCode::DatabaseError);
    settle().await;
    assert!(scene.notifications().await.is_empty());
    assert!(spooled(&scene) > 0, "a crash would lose nothing");
    scene.switch.is_off.store(false, Ordering::Relaxed);
    let told = scene
        .notification(|found| found.count == 2 && all_sent(&found.deliveries, 1))
        .await;
    assert!(told.deliveries[0].direct);
    settle().await;
    assert_eq!(scene.occasions(), ["0:after-0"]);
    assert_eq!(spooled(&scene), 0);
}

#[tokio::test]
async fn without_the_store_what_nobody_wants_to_hear_keeps_nothing_back() {
    let scene = Scene::new().await;
    let url = scene.sink.url();
    scene
        .put_contact(json!({
            "id": "65f123456789abcdef000007",
            "name": "On call",
            "minSeverity": "CRITICAL",
            "channels": [{ "kind": "webhook", "url": url, "secret": "quiet" }],
        }))
        .await;
    scene.start();
    settle().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    for company in 0..450 {
        scene.raise_of(AlertCode::MessageTaken, company);
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let begun = Instant::now();
    scene.raise_of(AlertCode::EmergencyCall, 7);
    let got = scene.sink.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(got[0].json()["notification"]["code"], "PRODUCTION_AI_EMERGENCY_CALL");
}

#[tokio::test]
async fn without_the_store_the_most_severe_is_told_first_and_no_code_keeps_another_back() {
    let scene = Scene::new().await;
    scene.start();
    settle().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    for company in 0..250 {
        scene.raise_of(AlertCode::MessageTaken, company);
    }
    scene.raise_of(AlertCode::EmergencyCall, 7);
    let got = scene.sink.wait_for(201).await;
    assert_eq!(got[0].json()["notification"]["code"], "PRODUCTION_AI_EMERGENCY_CALL");
    settle().await;
    assert_eq!(scene.sink.got().len(), 201, "200 companies of one code");
    scene.raise_of(AlertCode::RoutingError, 7);
    scene.sink.wait_for(202).await;
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_no_other() {
    let scene = Scene::new().await;
    let hanging = Sink::start(Answer::Hang).await;
    scene
        .put_contact(json!({
            "id": "65f123456789abcdef000001",
            "name": "Hangs",
            "minSeverity": "INFO",
            "channels": [{ "kind": "webhook", "url": hanging.url(), "secret": "quiet" }],
        }))
        .await;
    scene.start();
    settle().await;
    let begun = Instant::now();
    for company in 0..100 {
        scene.raise_of(AlertCode::BudgetExceeded, company);
    }
    scene.sink.wait_for(100).await;
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    assert!(hanging.got().len() <= 8, "{}", hanging.got().len());
}

/// Files in which alerts wait.
fn spool_files(scene: &Scene) -> Vec<PathBuf> {
    let files = std::fs::read_dir(scene.folder.path()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect()
}

fn spooled(scene: &Scene) -> usize {
    spool_files(scene).len()
}

#[tokio::test]
async fn alerts_of_a_process_that_is_killed_while_the_store_is_down_are_counted_once() {
    let scene = Scene::new().await;
    scene.switch.is_off.store(true, Ordering::Relaxed);
    for _ in 0..7 {
        scene.raise(AlertCode::RoutingError);
    }
    for _ in 0..100 {
        if spooled(&scene) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The first process never stores anything; the next ones find its file, one after the other.
    let copy = scene.folder.path().join("copy");
    let file = spool_files(&scene).remove(0);
    std::fs::copy(&file, &copy).unwrap();
    for _ in 0..2 {
        let tasks = TaskSet::new();
        let next = AlertQueue::start_in(scene.store.clone(), scene.clock.clone(), scene.folder.path(), &tasks);
        scene.notification(|found| found.count == 7).await;
        tasks.shutdown(Duration::from_secs(5)).await;
        assert_eq!(next.counts().waiting, 0);
        // Killed before it could remove the file.
        std::fs::copy(&copy, &file).unwrap();
    }
    scene.notification(|found| found.count == 7).await;
}

#[tokio::test]
async fn five_hundred_companies_at_once_are_told_within_five_seconds() {
    let scene = Scene::new().await;
    scene.start();
    settle().await;
    let begun = Instant::now();
    for number in 0..500 {
        scene.raise_of(AlertCode::BudgetExceeded, number);
    }
    scene.sink.wait_for(495).await;
    let taken = begun.elapsed();
    println!("99 % of 500 notifications were told within {taken:?}");
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    scene.sink.wait_for(500).await;
    settle().await;
    assert_eq!(scene.sink.got().len(), 500);
}
