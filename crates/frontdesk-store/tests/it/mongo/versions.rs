//! Versions side by side: while instances are updated one after the other, each reads what the other wrote and keeps it.

use std::sync::Arc;

use frontdesk_domain::{
    decision::FallbackKind,
    ids::{CallId, ObjectId, TurnId},
};
use frontdesk_store::{
    mongo::{MongoStore, OpenError},
    ports::{
        CallLog as _, CompanyStore as _, LedgerStore as _, Reserved, RotationStore as _, TemplateStore as _,
        TurnLog as _,
    },
    seal::Sealer,
};
use mongodb::bson::{Document, doc};
use serde_json::json;

use super::server::{PATIENT, Place};
use crate::{
    conformance::ledger::{NOVEMBER, bill, hold, month, set_limit, spent},
    support::{TestClock, at, company, company_document, id, template, turn, write_of},
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

/// Writes a document under an id of several fields, as it was before version 4.
async fn rename(place: &Place, collection: &str, old: Document) {
    let collection = place.raw().await.collection::<Document>(collection);
    let mut document = collection.find_one_and_delete(doc! {}).await.unwrap().unwrap();
    document.insert("_id", old);
    collection.insert_one(document).await.unwrap();
}

#[tokio::test]
async fn ids_of_several_fields_are_written_anew_once() {
    let Some(place) = Place::new() else { return };
    let store = open(&place).await.unwrap();
    store
        .append_turns(vec![turn(1, "CA1", 1, "hello")].into())
        .await
        .unwrap();
    let (kind, company) = (FallbackKind::ALL[0], id::<ObjectId>(1).to_string());
    assert_eq!(store.take_rotations(id(1), kind, 5).await.unwrap(), 0);
    let owner = mongodb::bson::oid::ObjectId::parse_str(&company).unwrap();
    rename(&place, "calls", doc! { "company": owner, "call": "CA1" }).await;
    rename(
        &place,
        "turns",
        doc! { "company": owner, "call": "CA1", "turn": "CA1-1" },
    )
    .await;
    rename(&place, "rotations", doc! { "company": owner, "kind": kind.as_str() }).await;
    let call = CallId::new("CA1");
    assert!(
        store.call(id(1), &call).await.unwrap().is_none(),
        "it is not looked for there"
    );
    let schema = place.raw().await.collection::<Document>("schema");
    let before = doc! { "$set": { "version": 3_i64 } };
    schema.update_one(doc! { "_id": "schema" }, before).await.unwrap();
    for _ in 0..2 {
        let store = open(&place).await.unwrap();
        assert_eq!(store.call(id(1), &call).await.unwrap().unwrap().turns.len(), 1);
        let since = at("2026-11-15T12:00:00Z");
        let recalled = store.recall(id(1), &call, &TurnId::new("CA1-1"), since).await.unwrap();
        assert!(recalled.unwrap().answer.is_some());
        assert_eq!(store.peek_rotation(id(1), kind).await.unwrap(), 5);
        for name in ["calls", "turns", "rotations"] {
            let raw = place.raw().await.collection::<Document>(name);
            assert_eq!(raw.count_documents(doc! {}).await.unwrap(), 1, "{name}");
        }
    }
    place.remove().await;
}
