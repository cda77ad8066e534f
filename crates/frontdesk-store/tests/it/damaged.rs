//! One row that cannot be read stops nothing for all others: `SQLite`.

use std::sync::Arc;

use frontdesk_domain::{
    alert::AlertCode,
    analytics::{Counter, Slot},
    ids::{CallId, ContactId},
    notice::ChannelKind,
    time::Timestamp,
};
use frontdesk_store::{
    ports::{
        AnalyticsStore as _, Backend, Busy, CallLog as _, ContactStore as _, DeliveryFilter, NewDelivery,
        NotificationFilter, NotificationStore as _, OutboxStore as _, Page, Plan, RollupScope, TurnLog as _,
    },
    recount::{Range, recount},
    sqlite::SqliteStore,
};
use rusqlite::Connection;

use crate::{
    conformance::contacts::contact,
    support::{Place, at, id, raised, turn},
};

fn stage() -> (Place, Arc<SqliteStore>, Connection) {
    let place = Place::new();
    let store = place.open();
    let raw = Connection::open(place.path()).unwrap();
    (place, store, raw)
}

fn ids(number: u32) -> String {
    id::<ContactId>(number).to_string()
}

#[tokio::test]
async fn an_alert_code_of_a_newer_version_stops_no_telling_and_no_list() {
    let (_place, store, raw) = stage();
    let now = at("2026-11-15T14:00:00Z");
    for number in 1..=3 {
        let raised = raised(number, AlertCode::DatabaseError, Some(number), 1);
        store.raise(vec![raised]).await.unwrap();
    }
    let newer = "UPDATE notifications SET code = 'PRODUCTION_AI_OF_A_NEWER_VERSION' WHERE id = ?1";
    assert_eq!(raw.execute(newer, [ids(3)]).unwrap(), 1);
    let due = store.due_notifications(now, 2).await.unwrap();
    let due: Vec<_> = due.into_iter().map(|due| due.notification.id).collect();
    assert_eq!(due, [id(1), id(2)]);
    let page = Page { after: None, limit: 2 };
    let listed = store.notifications(&NotificationFilter::default(), page).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|listed| listed.id).collect();
    assert_eq!(listed, [id(2), id(1)], "a full page");
    let changed = store.notifications_changed(Timestamp::UNIX_EPOCH, 9).await.unwrap();
    assert_eq!(changed.len(), 2);
}

#[tokio::test]
async fn a_damaged_delivery_or_contact_stops_no_other() {
    let (_place, store, raw) = stage();
    let now = at("2026-11-15T14:00:00Z");
    for number in 1..=3 {
        store.insert_contact(contact(number, "On call")).await.unwrap();
    }
    store
        .raise(vec![raised(1, AlertCode::DatabaseError, None, 1)])
        .await
        .unwrap();
    let to = |number| NewDelivery {
        contact_id: id(number),
        channel_id: "webhook".into(),
        kind: ChannelKind::Webhook,
        occasion: "0:after-0".into(),
    };
    let plan = Plan {
        deliveries: (1..=3).map(to).collect(),
        next_count: 100,
        due_at: None,
    };
    store.plan(id(1), 1, plan).await.unwrap();
    let damage = "UPDATE outbox SET attempts = 'no JSON' WHERE contact_id = ?1";
    assert_eq!(raw.execute(damage, [ids(1)]).unwrap(), 1);
    let damage = "UPDATE contacts SET secrets = x'00' WHERE id = ?1";
    assert_eq!(raw.execute(damage, [ids(1)]).unwrap(), 1);
    let due = store.due_deliveries(now, Busy::default(), 9).await.unwrap();
    let all = due.into_iter().map(|due| due.id).collect();
    let again = at("2026-11-15T14:00:30Z");
    let claimed = store.claim_deliveries(all, now, again).await.unwrap();
    let claimed: Vec<ContactId> = claimed.into_iter().map(|claimed| claimed.contact_id).collect();
    assert_eq!(claimed, [id(2), id(3)]);
    let shown = store.notification(id(1)).await.unwrap().unwrap();
    assert_eq!(shown.deliveries.len(), 2);
    let page = Page { after: None, limit: 9 };
    assert_eq!(
        store.deliveries(DeliveryFilter::default(), page).await.unwrap().len(),
        2
    );
    let page = Page { after: None, limit: 2 };
    assert_eq!(store.contacts(page).await.unwrap().len(), 2);
}

#[tokio::test]
async fn turns_are_stored_beside_a_damaged_rollup_which_a_recount_repairs() {
    let (_place, store, raw) = stage();
    let first = turn(1, "CA1", 1, "hello");
    let slot = Slot::of(first.at);
    store.append_turns(Arc::new(vec![first])).await.unwrap();
    store.count_turns().await.unwrap();
    assert_eq!(raw.execute("UPDATE rollups SET counts = x'ff'", []).unwrap(), 2);
    store
        .append_turns(Arc::new(vec![turn(1, "CA1", 2, "hello"), turn(2, "CA2", 1, "hello")]))
        .await
        .unwrap();
    let call = store.call(id(1), &CallId::new("CA1")).await.unwrap();
    assert_eq!(call.unwrap().turns.len(), 2);
    let next = Slot::from_number(slot.number() + 1);
    let rollups = |scope| store.rollups(scope, slot, next);
    assert_eq!(rollups(RollupScope::Company(id(1))).await.unwrap(), []);
    assert_eq!(rollups(RollupScope::Company(id(2))).await.unwrap().len(), 1);
    let backend: Arc<dyn Backend> = store.clone();
    let all = Range {
        from: Slot::from_number(i64::MIN),
        to: Slot::from_number(i64::MAX),
    };
    let found = recount(&*backend, &[id(1), id(2)], all).await.unwrap();
    assert!(found.differences.iter().all(|found| found.corrected), "{found:?}");
    assert_eq!(found.differences.len(), 2, "the company's and the platform's");
    let again = recount(&*backend, &[id(1), id(2)], all).await.unwrap();
    assert_eq!(again.differences, []);
    assert_eq!(rollups(RollupScope::Company(id(1))).await.unwrap().len(), 1);
}

#[tokio::test]
async fn counts_are_taken_over_by_thousands_and_what_is_damaged_of_them_is_counted_again() {
    let (_place, store, raw) = stage();
    let waiting = || -> i64 {
        raw.query_row("SELECT count(*) FROM rollup_parts", [], |row| row.get(0))
            .unwrap()
    };
    let calls = |from: u32, to: u32| {
        let turns = (from..to).map(|call| turn(1 + call % 3, &format!("CA{call}"), 1, "hello"));
        Arc::new(turns.collect::<Vec<_>>())
    };
    let all = Range {
        from: Slot::from_number(i64::MIN),
        to: Slot::from_number(i64::MAX),
    };
    let backend: Arc<dyn Backend> = store.clone();
    let counted = || async {
        let found = store.rollups(RollupScope::Platform, all.from, all.to).await.unwrap();
        found.iter().map(|found| found.rollup.get(Counter::Turns)).sum::<i64>()
    };
    store.append_turns(calls(0, 1_500)).await.unwrap();
    assert_eq!((waiting(), counted().await), (1, 1_500));
    store.append_turns(calls(1_500, 2_100)).await.unwrap();
    assert_eq!((waiting(), counted().await), (0, 2_100), "taken over at once");
    store.append_turns(calls(2_100, 2_110)).await.unwrap();
    assert_eq!((waiting(), counted().await), (1, 2_110));
    let found = recount(&*backend, &[id(1), id(2), id(3)], all).await.unwrap();
    assert_eq!(found.differences, []);

    store.append_turns(calls(2_110, 2_120)).await.unwrap();
    let cut = "UPDATE rollup_parts SET counts = substr(counts, 1, length(counts) - 1)";
    assert!(raw.execute(cut, []).unwrap() > 0);
    store.append_turns(calls(2_120, 2_130)).await.unwrap();
    store.count_turns().await.unwrap();
    assert_eq!(waiting(), 0);
    let found = recount(&*backend, &[id(1), id(2), id(3)], all).await.unwrap();
    assert!(!found.differences.is_empty(), "one company's counts were cut off");
    assert!(found.differences.iter().all(|found| found.corrected), "{found:?}");
    assert_eq!(counted().await, 2_130);
}
