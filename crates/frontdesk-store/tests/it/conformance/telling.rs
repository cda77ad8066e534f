//! When telling begins anew, and what does not stop it.

use frontdesk_domain::{
    alert::AlertCode,
    record::{Notification, NotificationState},
};
use frontdesk_store::ports::{DueNotification, NotificationChange};

use super::{
    Given,
    centre::{changed, raise},
    contacts::{due, now, tell},
};
use crate::support::id;

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
