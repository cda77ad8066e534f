//! When telling begins anew, and what does not stop it.

use std::time::Duration;

use frontdesk_domain::{
    alert::AlertCode,
    ids::ContactId,
    notice::ChannelKind,
    record::{Notification, NotificationState},
};
use frontdesk_store::ports::{Busy, DueNotification, NewDelivery, NotificationChange, Plan};

use super::{
    Given,
    centre::{changed, raise},
    contacts::{due, now, tell},
};
use crate::support::id;

fn to(contact: u32, kind: ChannelKind) -> NewDelivery {
    NewDelivery {
        contact_id: id(contact),
        channel_id: "one".into(),
        kind,
        occasion: "0:after-0".into(),
    }
}

/// The contacts of the deliveries that may be taken, in their order.
async fn next(given: &Given, busy: Busy) -> Vec<ContactId> {
    let due = given.store.due_deliveries(now(), busy, 9).await.unwrap();
    due.iter().map(|due| due.contact_id).collect()
}

pub(crate) async fn the_most_severe_goes_first_past_what_is_busy(given: &Given) {
    let codes = [AlertCode::MessageTaken, AlertCode::LlmSlow, AlertCode::LlmDown];
    for (number, code) in (1..).zip(codes) {
        raise(given, number, code, None, 1).await;
        let kind = if code == AlertCode::LlmSlow {
            ChannelKind::Email
        } else {
            ChannelKind::Slack
        };
        let plan = Plan {
            deliveries: vec![to(number, kind)],
            next_count: 100,
            due_at: None,
        };
        given.store.plan(id(number), 1, plan).await.unwrap();
    }
    assert_eq!(next(given, Busy::default()).await, [id(3), id(2), id(1)]);
    let channel = Busy {
        channels: vec![(id(3), "one".into()), (id(2), "another".into())],
        kinds: vec![],
    };
    assert_eq!(next(given, channel).await, [id(2), id(1)]);
    let kind = Busy {
        channels: vec![],
        kinds: vec![ChannelKind::Email],
    };
    assert_eq!(next(given, kind).await, [id(3), id(1)]);
    let due = given.store.due_deliveries(now(), Busy::default(), 1).await.unwrap();
    let ids: Vec<_> = due.iter().map(|due| due.id).collect();
    let again = now() + Duration::from_secs(30);
    let claimed = given.store.claim_deliveries(ids.clone(), now(), again).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].contact_id, claimed[0].tries), (1, id(3), 1));
    assert_eq!(
        given.store.claim_deliveries(ids, now(), again).await.unwrap(),
        [],
        "somebody has it"
    );
    assert_eq!(next(given, Busy::default()).await, [id(2), id(1)]);
}

/// A day and more, in seconds.
const NEXT_DAY: u32 = 90_000;

async fn first(given: &Given) -> Notification {
    given.store.notification(id(1)).await.unwrap().unwrap()
}

async fn only_due(given: &Given) -> DueNotification {
    let [due] = given
        .store
        .due_notifications(now(), 9)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    due
}

pub(crate) async fn an_event_opens_an_acknowledged_notification_again(given: &Given) {
    raise(given, 1, AlertCode::EmergencyCall, Some(1), 1).await;
    tell(given, "0:after-0").await;
    changed(given, 1, NotificationChange::Acknowledge).await;
    assert!(due(given, now()).await.is_empty());
    raise(given, 2, AlertCode::EmergencyCall, Some(1), 1).await;
    let again = only_due(given).await;
    assert_eq!(
        (again.notification.state, again.notification.count, again.round),
        (NotificationState::Open, 2, 1)
    );
    tell(given, "1:after-0").await;
    raise(given, 3, AlertCode::EmergencyCall, Some(1), 1).await;
    assert_eq!(first(given).await.count, 3);
    let round = |due: DueNotification| due.round;
    raise(given, 100, AlertCode::EmergencyCall, Some(1), 97).await;
    assert_eq!(round(only_due(given).await), 1, "an open one goes on");
}

pub(crate) async fn a_condition_leaves_an_acknowledged_notification_alone(given: &Given) {
    raise(given, 1, AlertCode::LlmDown, None, 1).await;
    tell(given, "0:after-0").await;
    changed(given, 1, NotificationChange::Acknowledge).await;
    raise(given, NEXT_DAY, AlertCode::LlmDown, None, 1).await;
    assert_eq!(first(given).await.state, NotificationState::Acknowledged);
    assert!(due(given, now()).await.is_empty());
}

pub(crate) async fn a_symptom_that_comes_back_after_a_quiet_day_begins_anew(given: &Given) {
    raise(given, 1, AlertCode::RoutingError, Some(1), 1).await;
    tell(given, "0:after-0").await;
    raise(given, 50, AlertCode::RoutingError, Some(1), 1).await;
    assert!(due(given, now()).await.is_empty(), "it is known");
    raise(given, NEXT_DAY, AlertCode::RoutingError, Some(1), 1).await;
    assert_eq!(only_due(given).await.round, 1);
    tell(given, "1:after-0").await;
    changed(given, 1, NotificationChange::Acknowledge).await;
    raise(given, NEXT_DAY + 50, AlertCode::RoutingError, Some(1), 1).await;
    assert_eq!(first(given).await.state, NotificationState::Acknowledged);
    raise(given, 3 * NEXT_DAY, AlertCode::RoutingError, Some(1), 1).await;
    let again = only_due(given).await;
    assert_eq!((again.notification.state, again.round), (NotificationState::Open, 2));
}

pub(crate) async fn who_acknowledges_does_not_silence_events_that_nobody_was_told_of(given: &Given) {
    raise(given, 1, AlertCode::EmergencyCall, Some(1), 99).await;
    tell(given, "0:after-0").await;
    // The next is told at 100.
    raise(given, 2, AlertCode::EmergencyCall, Some(1), 1).await;
    let acknowledged = changed(given, 1, NotificationChange::Acknowledge).await;
    assert_eq!(acknowledged.state, NotificationState::Acknowledged);
    assert_eq!(due(given, now()).await, [id(1)]);
    tell(given, "0:count-100").await;
    assert!(due(given, now()).await.is_empty());
}
