//! Contacts and the outbox.

use std::time::Duration;

use frontdesk_domain::{
    address::Reach,
    alert::AlertCode,
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
    },
    ids::{ContactId, NotificationId},
    notice::{Attempt, ChannelKind, Delivery, DeliveryState, REMEMBERED_ATTEMPTS},
    time::Timestamp,
};
use frontdesk_store::ports::{
    Busy, ContactWrite, DeliveryFilter, NewDelivery, NotificationChange, Outcome, Page, Plan, RaisedAlert, Told,
    WriteError,
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    Given,
    centre::{changed, raise},
};
use crate::support::{at, id, raised};

const CODE: AlertCode = AlertCode::LlmDown;

pub(crate) fn contact(number: u32, name: &str) -> ContactWrite {
    let document = json!({
        "id": id::<ContactId>(number).to_string(),
        "name": name,
        "channels": [{ "kind": "webhook", "url": "https://example.com/hook", "secret": "quiet" }],
    });
    let parsed = Contact::parse(&document, Mode::new_document(), Reach::default()).unwrap();
    let (contact, secrets) = parsed.value.apply(&ContactSecrets::default()).unwrap();
    ContactWrite {
        contact,
        json: parsed.json,
        secrets,
    }
}

pub(crate) fn now() -> Timestamp {
    at("2026-11-15T14:00:00Z")
}

pub(crate) fn to(contact: u32, occasion: &str) -> NewDelivery {
    NewDelivery {
        contact_id: id(contact),
        channel_id: "webhook".into(),
        kind: ChannelKind::Webhook,
        occasion: occasion.into(),
    }
}

/// Decides for every due notification that contact 1 is told on this occasion.
pub(crate) async fn tell(given: &Given, occasion: &str) {
    for due in given.store.due_notifications(now(), 9).await.unwrap() {
        let plan = Plan {
            deliveries: vec![to(1, occasion)],
            next_count: 100,
            due_at: None,
        };
        given.store.plan(due.notification.id, due.rev, plan).await.unwrap();
    }
}

pub(crate) async fn due(given: &Given, now: Timestamp) -> Vec<NotificationId> {
    let due = given.store.due_notifications(now, 9).await.unwrap();
    due.iter().map(|due| due.notification.id).collect()
}

pub(crate) async fn claim(given: &Given, now: Timestamp) -> Vec<Delivery> {
    let again = now + Duration::from_secs(30);
    let due = given.store.due_deliveries(now, Busy::default(), 9).await.unwrap();
    let ids = due.iter().map(|due| due.id).collect();
    given.store.claim_deliveries(ids, now, again).await.unwrap()
}

pub(crate) async fn a_contact_is_read_as_it_was_written(given: &Given) {
    let store = &given.store;
    let write = contact(1, "On call");
    let json = write.json.clone();
    let stored = store.insert_contact(write).await.unwrap();
    assert_eq!(stored.rev, 1);
    let read = (given.reopen)().await.contact(id(1)).await.unwrap().unwrap();
    assert_eq!(read.document.json, json);
    assert_eq!(read.secrets.get("webhook").unwrap().expose_secret(), "quiet");
    store.insert_contact(contact(3, "Third")).await.unwrap();
    store.insert_contact(contact(2, "Second")).await.unwrap();
    let page = Page {
        after: Some(id(1)),
        limit: 1,
    };
    let listed = store.contacts(page).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].document.json["name"], "Second");
    let taken = store.insert_contact(contact(1, "Again")).await.unwrap_err();
    assert!(matches!(taken, WriteError::Taken { .. }), "{taken:?}");
    assert!(store.contact(id(9)).await.unwrap().is_none());
}

pub(crate) async fn a_stale_contact_is_not_written(given: &Given) {
    let store = &given.store;
    store.insert_contact(contact(1, "On call")).await.unwrap();
    let replaced = store.replace_contact(contact(1, "Renamed"), 1).await.unwrap();
    assert_eq!(replaced.rev, 2);
    let stale = store.replace_contact(contact(1, "Late"), 1).await.unwrap_err();
    assert!(matches!(stale, WriteError::Stale { current: 2 }), "{stale:?}");
    let missing = store.replace_contact(contact(2, "Nobody"), 1).await.unwrap_err();
    assert!(matches!(missing, WriteError::NotFound), "{missing:?}");
    let stale = store.delete_contact(id(1), 1).await.unwrap_err();
    assert!(matches!(stale, WriteError::Stale { current: 2 }), "{stale:?}");
    assert_eq!(
        store.contact(id(1)).await.unwrap().unwrap().document.json["name"],
        "Renamed"
    );
    store.delete_contact(id(1), 2).await.unwrap();
    assert!(store.contact(id(1)).await.unwrap().is_none());
}

pub(crate) async fn it_is_decided_once_whom_to_tell(given: &Given) {
    let store = &given.store;
    raise(given, 1, CODE, None, 1).await;
    let [found] = store.due_notifications(now(), 9).await.unwrap().try_into().unwrap();
    assert_eq!((found.round, found.next_count), (0, 1));
    assert_eq!(found.round_at, found.notification.first_at);
    let plan = Plan {
        deliveries: vec![to(1, "0:opened"), to(2, "0:opened")],
        next_count: 100,
        due_at: Some(now() + Duration::from_mins(15)),
    };
    store.plan(id(1), found.rev, plan.clone()).await.unwrap();
    // As after a crash: nothing is in the outbox twice.
    store.plan(id(1), found.rev, plan.clone()).await.unwrap();
    let told = store.notification(id(1)).await.unwrap().unwrap().deliveries;
    let whom: Vec<ContactId> = told.iter().map(|delivery| delivery.contact_id).collect();
    assert_eq!(whom, [id(1), id(2)]);
    assert!(due(given, now()).await.is_empty());
    assert_eq!(
        due(given, now() + Duration::from_mins(15)).await,
        [id(1)],
        "for the next step"
    );
    raise(given, 2, CODE, None, 98).await;
    assert!(due(given, now()).await.is_empty(), "99 alerts are no reason");
    raise(given, 3, CODE, None, 1).await;
    assert_eq!(due(given, now()).await, [id(1)], "100 are");
    // What was decided of an older state is decided again.
    store.plan(id(1), found.rev, plan).await.unwrap();
    assert_eq!(due(given, now()).await, [id(1)]);
    changed(given, 1, NotificationChange::Acknowledge).await;
    assert!(due(given, now()).await.is_empty());
    changed(given, 1, NotificationChange::Resolve).await;
    assert_eq!(due(given, now()).await, [id(1)], "who was told hears that it is over");
    changed(given, 1, NotificationChange::Reopen).await;
    let [reopened] = store.due_notifications(now(), 9).await.unwrap().try_into().unwrap();
    assert_eq!(reopened.round, 1);
}

pub(crate) async fn a_snoozed_notification_is_due_when_it_is_raised_again(given: &Given) {
    raise(given, 1, CODE, None, 1).await;
    tell(given, "0:opened").await;
    let until = Timestamp::from_second(50).unwrap();
    changed(given, 1, NotificationChange::Snooze(until)).await;
    assert!(due(given, now()).await.is_empty());
    raise(given, 40, CODE, None, 1).await;
    assert!(due(given, now()).await.is_empty(), "it came before");
    raise(given, 60, CODE, None, 1).await;
    let [found] = given
        .store
        .due_notifications(now(), 9)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!((found.round, found.round_at), (1, until));
}

pub(crate) async fn a_delivery_is_tried_until_it_is_sent_or_given_up(given: &Given) {
    let store = &given.store;
    raise(given, 1, CODE, None, 1).await;
    tell(given, "0:opened").await;
    let [taken] = claim(given, now()).await.try_into().unwrap();
    assert_eq!((taken.tries, taken.state), (1, DeliveryState::Pending));
    assert!(claim(given, now()).await.is_empty(), "somebody has it");
    let later = now() + Duration::from_secs(31);
    let [again] = claim(given, later).await.try_into().unwrap();
    assert_eq!((again.id, again.tries), (taken.id, 2), "who had it is gone");
    let failed = |second: u64| Attempt {
        at: now() + Duration::from_secs(second),
        error: Some("the server answered 500".into()),
    };
    let next = later + Duration::from_mins(1);
    for second in 0..20 {
        let is_noted = store.end_delivery(taken.id, failed(second), Outcome::Again(next)).await;
        assert!(is_noted.unwrap());
    }
    let listed = |state| {
        let filter = DeliveryFilter {
            state: Some(state),
            contact: Some(id(1)),
        };
        store.deliveries(filter, Page { after: None, limit: 9 })
    };
    let [pending] = listed(DeliveryState::Pending).await.unwrap().try_into().unwrap();
    assert_eq!(
        (pending.due_at, pending.attempts.len()),
        (Some(next), REMEMBERED_ATTEMPTS)
    );
    assert_eq!(pending.attempts.last(), Some(&failed(19)));
    assert!(store.end_delivery(taken.id, failed(30), Outcome::Dead).await.unwrap());
    assert!(!store.end_delivery(taken.id, failed(31), Outcome::Sent).await.unwrap());
    assert_eq!(listed(DeliveryState::Dead).await.unwrap().len(), 1);
    assert!(claim(given, now() + Duration::from_hours(9)).await.is_empty());
    let resent = store.resend(taken.id).await.unwrap().unwrap();
    assert_eq!(resent.state, DeliveryState::Pending);
    let [resent] = claim(given, now()).await.try_into().unwrap();
    let sent = Attempt { at: now(), error: None };
    assert!(store.end_delivery(resent.id, sent, Outcome::Sent).await.unwrap());
    let [sent] = store
        .notification(id(1))
        .await
        .unwrap()
        .unwrap()
        .deliveries
        .try_into()
        .unwrap();
    assert_eq!((sent.state, sent.due_at, sent.tries), (DeliveryState::Sent, None, 3));
    assert!(store.resend(id(99)).await.unwrap().is_none());
}

pub(crate) async fn who_was_told_without_the_store_is_not_told_again(given: &Given) {
    let told = Told {
        contact_id: id(1),
        channel_id: "webhook".into(),
        kind: ChannelKind::Webhook,
        occasion: "0:opened".into(),
        at: now(),
    };
    let group = RaisedAlert {
        told: vec![told],
        ..raised(1, CODE, None, 1)
    };
    given.store.raise(vec![group.clone()]).await.unwrap();
    for due in given.store.due_notifications(now(), 9).await.unwrap() {
        let plan = Plan {
            deliveries: vec![to(1, "0:opened"), to(2, "0:opened")],
            ..Plan::default()
        };
        given.store.plan(due.notification.id, due.rev, plan).await.unwrap();
    }
    given.store.raise(vec![group]).await.unwrap();
    let deliveries = given.store.notification(id(1)).await.unwrap().unwrap().deliveries;
    let direct: Vec<_> = deliveries
        .iter()
        .map(|found| (found.contact_id, found.direct, found.state))
        .collect();
    assert_eq!(direct[0], (id(1), true, DeliveryState::Sent));
    assert!(direct.len() < 3, "{direct:?}");
}

pub(crate) async fn deliveries_to_a_deleted_contact_are_given_up(given: &Given) {
    let store = &given.store;
    store.insert_contact(contact(1, "On call")).await.unwrap();
    raise(given, 1, CODE, None, 1).await;
    tell(given, "0:opened").await;
    store.delete_contact(id(1), 1).await.unwrap();
    assert!(claim(given, now()).await.is_empty());
    let [dead] = store
        .notification(id(1))
        .await
        .unwrap()
        .unwrap()
        .deliveries
        .try_into()
        .unwrap();
    assert_eq!(dead.state, DeliveryState::Dead);
    assert!(dead.attempts[0].error.as_ref().unwrap().contains("deleted"));
}
