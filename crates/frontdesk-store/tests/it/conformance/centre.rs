//! The notification centre.

use std::time::Duration;

use frontdesk_domain::{
    alert::{AlertCode, Severity},
    ids::NotificationId,
    record::{Notification, NotificationState},
};
use frontdesk_store::ports::{NotificationChange, NotificationChanged, NotificationFilter, Page, RaisedAlert};

use super::Given;
use crate::support::{at, id, raised};

const CODE: AlertCode = AlertCode::LlmDown;

pub(crate) async fn raise(given: &Given, number: u32, code: AlertCode, company: Option<u32>, count: u64) {
    let raised = raised(number, code, company, count);
    given.store.raise(vec![raised]).await.unwrap();
}

/// The notification after a change that is done.
pub(crate) async fn changed(given: &Given, number: u32, change: NotificationChange) -> Notification {
    match given.store.change_notification(id(number), change).await.unwrap() {
        NotificationChanged::Done(notification) => *notification,
        other => panic!("{other:?}"),
    }
}

async fn list(given: &Given, filter: &NotificationFilter) -> Vec<NotificationId> {
    let page = Page { after: None, limit: 9 };
    let listed = given.store.notifications(filter, page).await.unwrap();
    listed.iter().map(|notification| notification.id).collect()
}

pub(crate) async fn a_notification_goes_from_state_to_state(given: &Given) {
    raise(given, 1, CODE, None, 1).await;
    let until = at("2026-11-15T13:00:00Z");
    changed(given, 1, NotificationChange::Acknowledge).await;
    let snoozed = changed(given, 1, NotificationChange::Snooze(until)).await;
    assert_eq!(
        (snoozed.state, snoozed.snoozed_until),
        (NotificationState::Open, Some(until)),
        "who snoozes wants to hear of it again"
    );
    let resolved = changed(given, 1, NotificationChange::Resolve).await;
    assert_eq!(
        (resolved.state, resolved.snoozed_until),
        (NotificationState::Resolved, None)
    );
    let again = changed(given, 1, NotificationChange::Acknowledge).await;
    assert_eq!(again.state, NotificationState::Resolved, "what is over stays over");
    let refused = given
        .store
        .change_notification(id(1), NotificationChange::Snooze(until))
        .await;
    assert_eq!(refused.unwrap(), NotificationChanged::IsResolved);
    for change in [NotificationChange::Resolve, NotificationChange::Reopen] {
        let unknown = given.store.change_notification(id(2), change).await.unwrap();
        assert_eq!(unknown, NotificationChanged::NotFound);
    }
}

pub(crate) async fn a_resolved_notification_is_reopened_unless_another_is_open(given: &Given) {
    raise(given, 1, CODE, None, 1).await;
    changed(given, 1, NotificationChange::Resolve).await;
    let reopened = changed(given, 1, NotificationChange::Reopen).await;
    assert_eq!(reopened.state, NotificationState::Open);
    raise(given, 2, CODE, None, 4).await;
    let joined = given.store.notification(id(1)).await.unwrap().unwrap();
    assert_eq!(joined.count, 5, "a reopened one takes what comes");
    changed(given, 1, NotificationChange::Resolve).await;
    raise(given, 3, CODE, None, 1).await;
    assert_eq!(list(given, &NotificationFilter::default()).await, [id(3), id(1)]);
    let refused = given.store.change_notification(id(1), NotificationChange::Reopen).await;
    assert_eq!(refused.unwrap(), NotificationChanged::AnotherIsOpen);
    changed(given, 3, NotificationChange::Resolve).await;
    changed(given, 1, NotificationChange::Reopen).await;
}

pub(crate) async fn a_condition_that_ended_resolves_its_own_notification(given: &Given) {
    raise(given, 100, CODE, None, 1).await;
    raise(given, 101, CODE, Some(1), 1).await;
    let resolve = |company: Option<u32>, second: i64| {
        let at = frontdesk_domain::time::Timestamp::from_second(second).unwrap();
        given.store.resolve_open(CODE, company.map(id), at)
    };
    // Its newest alert came at second 101.
    assert_eq!(resolve(None, 100).await.unwrap(), None, "an alert came since");
    assert_eq!(resolve(Some(2), 500).await.unwrap(), None);
    assert_eq!(resolve(None, 500).await.unwrap(), Some(id(100)));
    assert_eq!(resolve(None, 500).await.unwrap(), None, "once");
    let state = |number| async move { given.store.notification(id(number)).await.unwrap().unwrap().state };
    assert_eq!(state(100).await, NotificationState::Resolved);
    assert_eq!(state(101).await, NotificationState::Open);
}

pub(crate) async fn notifications_are_filtered(given: &Given) {
    raise(given, 10, CODE, None, 1).await;
    raise(given, 20, AlertCode::FallbackUsed, Some(1), 1).await;
    raise(given, 30, AlertCode::FallbackUsed, Some(2), 1).await;
    changed(given, 30, NotificationChange::Acknowledge).await;
    let second = |second| Some(frontdesk_domain::time::Timestamp::from_second(second).unwrap());
    let all = NotificationFilter::default();
    let filters = [
        (
            NotificationFilter {
                state: Some(NotificationState::Acknowledged),
                ..all.clone()
            },
            vec![30],
        ),
        (
            NotificationFilter {
                code: Some(AlertCode::FallbackUsed),
                ..all.clone()
            },
            vec![30, 20],
        ),
        (
            NotificationFilter {
                severity: Some(Severity::Critical),
                ..all.clone()
            },
            vec![10],
        ),
        (
            NotificationFilter {
                company: Some(id(1)),
                ..all.clone()
            },
            vec![20],
        ),
        (
            NotificationFilter {
                from: second(21),
                ..all.clone()
            },
            vec![30, 20],
        ),
        (
            NotificationFilter {
                from: second(12),
                to: second(30),
                ..all.clone()
            },
            vec![20],
        ),
    ];
    for (filter, want) in filters {
        let want: Vec<NotificationId> = want.into_iter().map(id).collect();
        assert_eq!(list(given, &filter).await, want, "{filter:?}");
    }
}

pub(crate) async fn what_changed_is_found_in_order(given: &Given) {
    raise(given, 1, CODE, None, 1).await;
    raise(given, 2, CODE, Some(1), 1).await;
    let found = given
        .store
        .notifications_changed(at("2026-01-01T00:00:00Z"), 9)
        .await
        .unwrap();
    let ids: Vec<NotificationId> = found.iter().map(|(_, found)| found.id).collect();
    assert_eq!(ids, [id(1), id(2)]);
    let newest = found[1].0;
    changed(given, 1, NotificationChange::Acknowledge).await;
    let after = newest + Duration::from_millis(1);
    let found = given.store.notifications_changed(after, 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].1.id, found[0].1.state),
        (id(1), NotificationState::Acknowledged)
    );
}

pub(crate) async fn a_group_of_alerts_is_added_once(given: &Given) {
    let again = || vec![raised(1, CODE, None, 3), raised(2, CODE, None, 4)];
    given.store.raise(again()).await.unwrap();
    given.store.raise(again()).await.unwrap();
    let other: Vec<RaisedAlert> = again().split_off(1);
    given.store.raise(other).await.unwrap();
    assert_eq!(given.store.notification(id(1)).await.unwrap().unwrap().count, 7);
    changed(given, 1, NotificationChange::Resolve).await;
    given.store.raise(vec![raised(1, CODE, None, 3)]).await.unwrap();
    assert_eq!(list(given, &NotificationFilter::default()).await, [id(1)]);
}
