//! Versions side by side: while instances are updated one after the other, each reads what the other wrote and keeps it.

use std::sync::Arc;

use frontdesk_domain::ids::CallId;
use frontdesk_store::{
    mongo::{MongoStore, OpenError},
    ports::{CallLog as _, CompanyStore as _, LedgerStore as _, Reserved, TemplateStore as _, TurnLog as _},
    seal::Sealer,
};
use mongodb::bson::{Document, doc};
use serde_json::json;

use super::server::{PATIENT, Place};
use crate::{
    conformance::ledger::{NOVEMBER, bill, hold, month, set_limit, spent},
    support::{TestClock, company, company_document, id, template, turn, write_of},
};

async fn open(place: &Place) -> Result<MongoStore, OpenError> {
    let sealer = Arc::new(Sealer::from_key([7; 32]));
    MongoStore::open(&place.url(), sealer, Arc::new(TestClock::default()), PATIENT).await
}

/// Lets a newer version have written the schema.
async fn newer(place: &Place, update: Document) {
    let schema = place.raw().await.collection::<Document>("schema");
    schema.update_one(doc! { "_id": "schema" }, update).await.unwrap();
}

#[tokio::test]
async fn a_newer_version_lets_older_ones_in_if_it_says_so() {
    let Some(place) = Place::new() else { return };
    let running = open(&place).await.unwrap();
    newer(&place, doc! { "$set": { "version": 99_i64 } }).await;
    // Whoever runs goes on, and whoever starts anew gets in.
    running.insert_company(company(1)).await.unwrap();
    let restarted = open(&place).await.unwrap();
    assert!(restarted.company(id(1)).await.unwrap().is_some());
    let schema = place.raw().await.collection::<Document>("schema");
    let kept = schema.find_one(doc! { "_id": "schema" }).await.unwrap().unwrap();
    assert_eq!(kept.get_i64("version").unwrap(), 99, "an older one takes nothing back");
    newer(&place, doc! { "$set": { "oldestReader": 99_i64 } }).await;
    assert!(matches!(open(&place).await, Err(OpenError::Newer { found: 99, .. })));
    newer(&place, doc! { "$unset": { "oldestReader": "" } }).await;
    assert!(
        matches!(open(&place).await, Err(OpenError::Newer { .. })),
        "who does not say lets nobody in"
    );
    // Whoever runs is not cut off by either.
    running.insert_company(company(2)).await.unwrap();
    place.remove().await;
}

#[tokio::test]
async fn fields_that_a_newer_version_wrote_are_read_over_and_kept() {
    let Some(place) = Place::new() else { return };
    let store = open(&place).await.unwrap();
    set_limit(&store, 1, Some(1_000)).await;
    store.insert_template(id(7), template(7, "hello there")).await.unwrap();
    store
        .append_turns(vec![turn(1, "CA1", 1, "hello")].into())
        .await
        .unwrap();
    store.reserve(hold(1, 60)).await.unwrap();
    let raw = place.raw().await;
    let added = doc! { "$set": {
        "sentiment": { "enabled": true, "levels": [1, 2] },
        "aiAgentLogic.templateGatekeeper.tier4Threshold": 0.5,
        "frontdesk.addedLater": "yes",
    } };
    for name in ["companies", "templates"] {
        raw.collection::<Document>(name)
            .update_many(doc! {}, added.clone())
            .await
            .unwrap();
    }
    for name in ["turns", "calls", "ledger_accounts"] {
        let added = doc! { "$set": { "addedLater": { "by": "a newer version" } } };
        raw.collection::<Document>(name)
            .update_many(doc! {}, added)
            .await
            .unwrap();
    }
    // Read, written by this version, and read again.
    let found = store.company(id(1)).await.unwrap().unwrap();
    assert_eq!(
        found.document.json["sentiment"],
        json!({ "enabled": true, "levels": [1, 2] })
    );
    let mut document = company_document(1, &[]);
    document["sentiment"] = found.document.json["sentiment"].clone();
    document["aiAgentLogic"] = found.document.json["aiAgentLogic"].clone();
    document["name"] = json!("Renamed");
    store
        .replace_company(write_of(&document), found.document.rev)
        .await
        .unwrap();
    let found = store.company(id(1)).await.unwrap().unwrap();
    assert_eq!(found.document.json["name"], "Renamed");
    assert_eq!(found.document.json["sentiment"]["levels"], json!([1, 2]));
    assert_eq!(
        found.document.json["aiAgentLogic"]["templateGatekeeper"]["tier4Threshold"],
        0.5
    );
    let found = store.template(id(7)).await.unwrap().unwrap();
    assert_eq!(found.json["sentiment"]["enabled"], true);
    // Calls and money go on beside it.
    store
        .append_turns(vec![turn(1, "CA1", 2, "and again")].into())
        .await
        .unwrap();
    let call = store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
    assert_eq!(call.turns.len(), 2);
    assert!(store.settle(id(1), bill(10, 60)).await.unwrap());
    assert!(matches!(
        store.reserve(hold(2, 60)).await.unwrap(),
        Reserved::Granted(..)
    ));
    assert_eq!(
        store
            .spend(frontdesk_domain::ledger::Account::Company(id(1)), month(NOVEMBER))
            .await
            .unwrap(),
        spent(20, 60)
    );
    let accounts = raw.collection::<Document>("ledger_accounts");
    let kept = accounts
        .find_one(doc! { "addedLater": { "$exists": true } })
        .await
        .unwrap();
    assert!(kept.is_some(), "what it does not know is left where it is");
    place.remove().await;
}
