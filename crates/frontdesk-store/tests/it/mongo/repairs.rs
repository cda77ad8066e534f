//! What a process leaves half done when it dies between two steps, and what comes of it.

use std::sync::Arc;

use frontdesk_domain::{
    analytics::{Counter, Slot},
    ledger::{Account, EntryKind},
};
use frontdesk_store::{
    mongo::MongoStore,
    ports::{AnalyticsStore as _, Backend, HealthStore as _, LedgerStore as _, Reserved, RollupScope, TurnLog as _},
};
use mongodb::bson::{Bson, Document, doc};

use super::server::Place;
use crate::{
    conformance::ledger::{NOVEMBER, all_entries, bill, hold, month, set_limit, spent},
    support::{at, id, turn},
};

async fn stage() -> Option<(Place, Arc<MongoStore>)> {
    let place = Place::new()?;
    let store = place.open().await;
    set_limit(&*store, 1, Some(1_000)).await;
    Some((place, store))
}

/// Takes the closed entry of a hold back among the open ones, as it was before it was moved.
async fn unmove(place: &Place, more: Document) {
    let raw = place.raw().await;
    let closed = raw.collection::<Document>("ledger_entries");
    let mut entry = closed
        .find_one_and_delete(doc! { "turnId": "CA1-1", "kind": "settled" })
        .await
        .unwrap()
        .unwrap();
    let account = entry.remove("account").unwrap();
    entry.extend(more);
    let accounts = raw.collection::<Document>("ledger_accounts");
    accounts
        .update_one(doc! { "_id": account }, doc! { "$push": { "open": entry } })
        .await
        .unwrap();
}

async fn check_sound(store: &Arc<MongoStore>, entries: usize) {
    let backend: Arc<dyn Backend> = Arc::clone(store) as _;
    assert_eq!(all_entries(&*backend, Account::Company(id(1))).await.len(), entries);
    assert_eq!(store.audit().await.unwrap().drifts, []);
}

#[tokio::test]
async fn a_closed_entry_that_was_not_moved_counts_once_and_is_moved() {
    let Some((place, store)) = stage().await else { return };
    store.reserve(hold(1, 60)).await.unwrap();
    store.settle(id(1), bill(10, 60)).await.unwrap();
    unmove(&place, Document::new()).await;
    check_sound(&store, 1).await;
    assert_eq!(
        store.reserve(hold(1, 60)).await.unwrap(),
        Reserved::Known(EntryKind::Settled)
    );
    assert!(!store.settle(id(1), bill(20, 60)).await.unwrap(), "it is closed");
    assert_eq!(store.reap(at("2026-11-15T13:00:00Z")).await.unwrap(), []);
    check_sound(&store, 1).await;
    let moved = place
        .raw()
        .await
        .collection::<Document>("ledger_entries")
        .count_documents(doc! {})
        .await;
    assert_eq!(moved.unwrap(), 1);
    assert_eq!(
        store.spend(Account::Company(id(1)), month(NOVEMBER)).await.unwrap(),
        spent(20, 0)
    );
    place.remove().await;
}

#[tokio::test]
async fn an_overrun_that_was_not_noted_is_noted_later() {
    let Some((place, store)) = stage().await else { return };
    store.reserve(hold(1, 60)).await.unwrap();
    store.settle(id(1), bill(10, 60)).await.unwrap();
    let overrun = doc! {
        "_id": mongodb::bson::oid::ObjectId::new(), "amount": 5_i64, "month": NOVEMBER,
        "at": mongodb::bson::DateTime::from_millis(at("2026-11-15T12:00:05Z").as_millisecond()),
    };
    unmove(&place, doc! { "overrun": overrun }).await;
    store.reap(at("2026-11-15T13:00:00Z")).await.unwrap();
    assert_eq!(
        store.spend(Account::Platform, month(NOVEMBER)).await.unwrap(),
        spent(5, 0)
    );
    store.reap(at("2026-11-15T13:00:00Z")).await.unwrap();
    assert_eq!(
        store.spend(Account::Platform, month(NOVEMBER)).await.unwrap(),
        spent(5, 0),
        "once"
    );
    check_sound(&store, 1).await;
    place.remove().await;
}

#[tokio::test]
async fn a_second_hold_of_a_closed_attempt_is_let_go_uncharged() {
    let Some((place, store)) = stage().await else { return };
    store.reserve(hold(1, 60)).await.unwrap();
    store.settle(id(1), bill(10, 60)).await.unwrap();
    // As a process leaves it that was stopped between its look and its hold, and died after it.
    let raw = place.raw().await;
    let closed = raw.collection::<Document>("ledger_entries");
    let mut second = closed.find_one(doc! { "turnId": "CA1-1" }).await.unwrap().unwrap();
    let account = second.remove("account").unwrap();
    let lease = mongodb::bson::DateTime::from_millis(at("2026-11-15T12:01:00Z").as_millisecond());
    second.extend(
        doc! { "_id": mongodb::bson::oid::ObjectId::new(), "kind": "held", "amount": 60_i64, "leaseUntil": lease },
    );
    let held = doc! { "$push": { "open": second }, "$inc": { format!("months.{NOVEMBER}.held"): 60_i64 } };
    raw.collection::<Document>("ledger_accounts")
        .update_one(doc! { "_id": account }, held)
        .await
        .unwrap();
    assert_eq!(store.reap(at("2026-11-15T13:00:00Z")).await.unwrap(), []);
    assert_eq!(
        store.spend(Account::Company(id(1)), month(NOVEMBER)).await.unwrap(),
        spent(20, 0)
    );
    check_sound(&store, 1).await;
    place.remove().await;
}

#[tokio::test]
async fn sums_and_entries_that_drifted_are_told() {
    let Some((place, store)) = stage().await else { return };
    for (number, amount) in [(1, 60), (2, 10)] {
        store.reserve(hold(number, amount)).await.unwrap();
    }
    store.settle(id(1), bill(10, 60)).await.unwrap();
    let raw = place.raw().await;
    let sums = doc! { "$inc": { format!("months.{NOVEMBER}.spent"): 1_i64 } };
    let company = Bson::ObjectId(id::<frontdesk_domain::ids::CompanyId>(1).to_string().parse().unwrap());
    raw.collection::<Document>("ledger_accounts")
        .update_one(doc! { "_id": company }, sums)
        .await
        .unwrap();
    let told =
        |drifts: &[frontdesk_store::ports::Drift]| drifts.iter().map(|drift| drift.detail.clone()).collect::<Vec<_>>();
    assert_eq!(
        told(&store.audit().await.unwrap().drifts),
        ["spent is 0.000000000021 USD, but the entries add up to 0.00000000002 USD"]
    );
    let entries = raw.collection::<Document>("ledger_entries");
    entries
        .update_many(doc! {}, doc! { "$set": { "promptTokens": 9_i64 } })
        .await
        .unwrap();
    let drifts = told(&store.audit().await.unwrap().drifts);
    assert!(drifts[0].contains("should take 0.000000000018 USD"), "{drifts:?}");
    place.remove().await;
}

#[tokio::test]
async fn turns_that_are_not_counted_yet_are_counted_once_by_whoever_comes() {
    let Some(place) = Place::new() else { return };
    let stores = [place.open().await, place.open().await];
    let turns = vec![
        turn(1, "CA1", 1, "one"),
        turn(1, "CA1", 2, "two"),
        turn(1, "CA2", 1, "three"),
    ];
    stores[0].append_turns(turns.into()).await.unwrap();
    let raw = place.raw().await.collection::<Document>("turns");
    let uncounted = async || raw.count_documents(doc! { "uncounted": true }).await.unwrap();
    assert_eq!(
        uncounted().await,
        3,
        "who stores a turn does not wait for its being counted"
    );
    let counted = async |store: &MongoStore| {
        let all = (Slot::from_number(i64::MIN), Slot::from_number(i64::MAX));
        let found = store.rollups(RollupScope::Platform, all.0, all.1).await.unwrap();
        let turns = found.iter().map(|found| found.rollup.get(Counter::Turns));
        turns.sum::<i64>()
    };
    // The one who counts for all, and two who read, all at the same time.
    let (count, one, other) = tokio::join!(stores[0].count_turns(), counted(&stores[0]), counted(&stores[1]));
    count.unwrap();
    assert_eq!((one, other), (3, 3));
    assert_eq!(uncounted().await, 0);
    place.remove().await;
}

#[tokio::test]
async fn the_index_that_turns_had_for_the_fallback_rate_is_dropped() {
    let Some(place) = Place::new() else { return };
    place.open().await;
    let raw = place.raw().await;
    let turns = raw.collection::<Document>("turns");
    let keys = doc! { "at": 1, "counted": 1, "companyId": 1 };
    let of_then = mongodb::IndexModel::builder().keys(keys).build();
    turns.create_index(of_then).await.unwrap();
    let older = doc! { "$set": { "version": 3_i64 } };
    raw.collection::<Document>("schema")
        .update_one(doc! {}, older)
        .await
        .unwrap();
    let has_it = async || {
        let names = turns.list_index_names().await.unwrap();
        names.iter().any(|name| name.contains("counted_1_companyId"))
    };
    assert!(has_it().await);
    let store = place.open().await;
    assert!(!has_it().await);
    // A turn is stored and counted as before.
    store.append_turns(vec![turn(1, "CA1", 1, "one")].into()).await.unwrap();
    let counts = store.fallback_counts(Slot::from_number(0), 1).await.unwrap();
    assert_eq!(counts.len(), 1);
    place.remove().await;
}
