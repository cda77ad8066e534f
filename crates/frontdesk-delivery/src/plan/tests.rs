use frontdesk_domain::{
    address::Reach,
    alert::{AlertCode, Severity},
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
    },
    notice::Delivery,
};
use serde_json::{Value, json};

use super::*;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn contact(number: u32, escalation: &Value) -> Contact {
    let document = json!({
        "id": format!("{number:024}"),
        "name": "On call",
        "channels": [
            { "kind": "email", "address": "oncall@example.com" },
            { "kind": "slack", "url": "https://hooks.example.com/x" },
        ],
        "escalation": escalation,
    });
    let parsed = Contact::parse(&document, Mode::new_document(), Reach::default()).unwrap();
    parsed.value.apply(&ContactSecrets::default()).unwrap().0
}

/// A notification as a store keeps it, which takes each occasion once.
struct Kept(DueNotification);

impl Kept {
    fn new(count: u64) -> Self {
        Self(DueNotification {
            notification: Notification {
                id: "65f123456789abcdef012345".parse().unwrap(),
                code: AlertCode::LlmDown,
                severity: Severity::Critical,
                company_id: None,
                message: "it is down".into(),
                details: Value::Null,
                count,
                first_at: minute(0),
                last_at: minute(0),
                state: NotificationState::Open,
                snoozed_until: None,
                deliveries: Vec::new(),
            },
            rev: 1,
            round: 0,
            round_at: minute(0),
            next_count: 1,
        })
    }

    /// What is new in the outbox, as `contact channel occasion`, and when to decide again.
    fn decide(&mut self, contacts: &[Contact], now: i64) -> (Vec<String>, Option<Timestamp>) {
        let plan = plan(&self.0, contacts, minute(now));
        let mut told = Vec::new();
        for new in plan.deliveries {
            let known = self.0.notification.deliveries.iter().any(|known| {
                (known.contact_id, &known.channel_id, &known.occasion)
                    == (new.contact_id, &new.channel_id, &new.occasion)
            });
            if known {
                continue;
            }
            let contact = new.contact_id.to_string();
            told.push(format!(
                "{} {} {}",
                contact.trim_start_matches('0'),
                new.channel_id,
                new.occasion
            ));
            self.0.notification.deliveries.push(Delivery {
                id: "65f123456789abcdef000001".parse().unwrap(),
                notification_id: self.0.notification.id,
                contact_id: new.contact_id,
                channel_id: new.channel_id,
                kind: new.kind,
                occasion: new.occasion,
                state: DeliveryState::Sent,
                tries: 1,
                attempts: Vec::new(),
                created_at: minute(now),
                due_at: None,
                direct: false,
            });
        }
        self.0.next_count = plan.next_count;
        (told, plan.due_at)
    }
}

#[test]
fn whoever_is_concerned_is_told_at_once_by_every_channel() {
    let contacts = [contact(1, &Value::Null)];
    let mut kept = Kept::new(1);
    let (told, due_at) = kept.decide(&contacts, 0);
    assert_eq!(told, ["1 email 0:after-0", "1 slack 0:after-0"]);
    assert_eq!(due_at, None);
    assert!(kept.decide(&contacts, 1).0.is_empty(), "once");
    let mut info = Kept::new(1);
    info.0.notification.severity = Severity::Info;
    assert!(info.decide(&contacts, 0).0.is_empty());
}

#[test]
fn ten_thousand_alerts_are_at_most_five_messages_a_channel() {
    let contacts = [contact(1, &Value::Null)];
    let mut kept = Kept::new(0);
    let mut told = Vec::new();
    for count in 1..=10_000 {
        kept.0.notification.count = count;
        told.extend(kept.decide(&contacts, 0).0);
    }
    kept.0.notification.state = NotificationState::Resolved;
    told.extend(kept.decide(&contacts, 1).0);
    let by_mail: Vec<_> = told.iter().filter(|told| told.contains("email")).collect();
    assert_eq!(
        by_mail,
        [
            "1 email 0:after-0",
            "1 email 0:count-100",
            "1 email 0:count-1000",
            "1 email 0:count-10000",
            "1 email 0:resolved",
        ]
    );
    let mut at_once = Kept::new(10_000);
    assert_eq!(at_once.decide(&contacts, 0).0.len(), 2);
    at_once.0.notification.count = 50_000;
    assert!(at_once.decide(&contacts, 0).0.is_empty());
}

#[test]
fn steps_are_taken_until_somebody_acknowledges() {
    let first = contact(
        1,
        &json!([{ "afterMinutes": 0 }, { "afterMinutes": 15, "channels": ["slack"] }]),
    );
    let second = contact(2, &json!([{ "afterMinutes": 30, "channels": ["email"] }]));
    let contacts = [first, second];
    let mut kept = Kept::new(1);
    let (told, due_at) = kept.decide(&contacts, 0);
    assert_eq!(told, ["1 email 0:after-0", "1 slack 0:after-0"]);
    assert_eq!(due_at, Some(minute(15)));
    let (told, due_at) = kept.decide(&contacts, 15);
    assert_eq!(told, ["1 slack 0:after-15"]);
    assert_eq!(due_at, Some(minute(30)));
    assert_eq!(kept.decide(&contacts, 30).0, ["2 email 0:after-30"]);
    let mut seen = Kept::new(1);
    seen.decide(&contacts, 0);
    seen.0.notification.state = NotificationState::Acknowledged;
    assert_eq!(seen.decide(&contacts, 30), (vec![], None));
    let mut late = Kept::new(1);
    let told = late.decide(&contacts, 60).0;
    assert_eq!(
        told,
        ["1 email 0:after-0", "1 slack 0:after-15", "2 email 0:after-30"],
        "each channel hears once of what nobody was there to tell"
    );
}

#[test]
fn a_snoozed_one_is_told_anew_when_it_is_raised_after_that() {
    let contacts = [contact(1, &Value::Null)];
    let mut kept = Kept::new(1);
    kept.decide(&contacts, 0);
    kept.0.notification.snoozed_until = Some(minute(60));
    (kept.0.round, kept.0.round_at) = (1, minute(60));
    kept.0.notification.last_at = minute(30);
    kept.0.notification.count = 500;
    assert!(kept.decide(&contacts, 30).0.is_empty());
    assert!(kept.decide(&contacts, 61).0.is_empty(), "nothing has come since");
    kept.0.notification.last_at = minute(62);
    assert_eq!(kept.decide(&contacts, 62).0, ["1 email 1:after-0", "1 slack 1:after-0"]);
}

#[test]
fn who_was_told_hears_once_that_it_is_over() {
    let contacts = [contact(1, &Value::Null), contact(2, &json!([{ "afterMinutes": 30 }]))];
    let mut kept = Kept::new(1);
    kept.decide(&contacts, 0);
    kept.0.notification.state = NotificationState::Resolved;
    assert_eq!(
        kept.decide(&contacts, 1).0,
        ["1 email 0:resolved", "1 slack 0:resolved"]
    );
    assert!(kept.decide(&contacts, 2).0.is_empty());
    let mut gone = Kept::new(1);
    gone.decide(&contacts, 0);
    gone.0.notification.state = NotificationState::Resolved;
    assert!(gone.decide(&[], 1).0.is_empty());
}

/// Of a caller in danger.
fn emergency(count: u64) -> Kept {
    let mut kept = Kept::new(count);
    kept.0.notification.code = AlertCode::EmergencyCall;
    kept
}

#[test]
fn each_event_is_told_but_at_most_once_a_minute() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0, "channels": ["email"] }]))];
    let mut kept = emergency(1);
    assert_eq!(kept.decide(&contacts, 0).0, ["1 email 0:after-0"]);
    kept.0.notification.count = 3;
    assert_eq!(kept.decide(&contacts, 0), (vec![], Some(minute(1))), "not yet");
    kept.0.notification.count = 4;
    assert_eq!(kept.decide(&contacts, 0), (vec![], Some(minute(1))));
    assert_eq!(kept.decide(&contacts, 1), (vec!["1 email 0:count-4".to_owned()], None));
    assert_eq!(kept.decide(&contacts, 9), (vec![], None), "once");
    kept.0.notification.count = 5;
    assert_eq!(kept.decide(&contacts, 9).0, ["1 email 0:count-5"]);
}

#[test]
fn an_event_is_told_anew_to_whom_the_last_one_was_told_a_minute_ago() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0, "channels": ["email"] }]))];
    let mut kept = emergency(1);
    kept.decide(&contacts, 0);
    // It was acknowledged, and opened by the next one.
    kept.0.notification.count = 2;
    kept.0.round = 1;
    assert_eq!(kept.decide(&contacts, 0), (vec![], Some(minute(1))));
    assert_eq!(kept.decide(&contacts, 1).0, ["1 email 1:after-0"]);
    assert_eq!(kept.decide(&contacts, 5), (vec![], None));
}

#[test]
fn who_acknowledges_does_not_silence_the_event_that_nobody_was_told_of() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0 }, { "afterMinutes": 1 }]))];
    let mut kept = emergency(1);
    kept.decide(&contacts, 0);
    kept.0.notification.count = 2;
    kept.decide(&contacts, 0);
    kept.0.notification.state = NotificationState::Acknowledged;
    assert_eq!(
        kept.decide(&contacts, 1),
        (
            vec!["1 email 0:count-2".to_owned(), "1 slack 0:count-2".to_owned()],
            None
        ),
        "and no step is taken"
    );
    assert_eq!(kept.decide(&contacts, 2), (vec![], None));
}

#[test]
fn a_channel_that_is_still_to_hear_of_one_event_hears_of_the_next_with_it() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0, "channels": ["email"] }]))];
    let mut kept = emergency(1);
    kept.decide(&contacts, 0);
    kept.0.notification.deliveries[0].state = DeliveryState::Pending;
    kept.0.notification.count = 2;
    assert_eq!(kept.decide(&contacts, 7), (vec![], Some(minute(8))));
    kept.0.notification.deliveries[0].state = DeliveryState::Sent;
    assert_eq!(
        kept.decide(&contacts, 8).0,
        ["1 email 0:count-2"],
        "unless it was too late for that"
    );
}

#[test]
fn events_are_told_on_however_many_deliveries_there_were() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0, "channels": ["email"] }]))];
    let mut kept = emergency(1);
    for count in 1..700 {
        kept.0.notification.count = count;
        assert_eq!(
            kept.decide(&contacts, i64::try_from(count).unwrap()).0.len(),
            1,
            "{count}"
        );
        // A store gives the newest.
        let surplus = kept.0.notification.deliveries.len().saturating_sub(500);
        kept.0.notification.deliveries.drain(..surplus);
    }
}

#[test]
fn ten_thousand_events_in_a_minute_are_at_most_three_messages_a_channel() {
    let contacts = [contact(1, &json!([{ "afterMinutes": 0, "channels": ["email"] }]))];
    let mut kept = emergency(1);
    let mut told = Vec::new();
    for count in 1..=10_000 {
        kept.0.notification.count = count;
        told.extend(kept.decide(&contacts, 0).0);
    }
    told.extend(kept.decide(&contacts, 1).0);
    kept.0.notification.state = NotificationState::Resolved;
    told.extend(kept.decide(&contacts, 2).0);
    assert_eq!(
        told,
        ["1 email 0:after-0", "1 email 0:count-10000", "1 email 0:resolved"]
    );
}
