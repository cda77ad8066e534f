//! One document that cannot be read stops nothing for all others.

use std::sync::Arc;

use frontdesk_domain::{alert::AlertCode, analytics::Slot, ids::NotificationId, time::Timestamp};
use frontdesk_store::ports::{
    AnalyticsStore as _, NotificationFilter, NotificationStore as _, OutboxStore as _, Page, RollupScope, TurnLog as _,
};
use mongodb::bson::{Document, doc, oid::ObjectId};

use super::server::Place;
use crate::support::{at, id, raised, turn};

#[tokio::test]
async fn an_alert_code_of_a_newer_version_stops_no_telling_and_no_list() {
    let Some(place) = Place::new() else { return };
    let store = place.open().await;
    for number in 1..=3 {
        let raised = raised(number, AlertCode::DatabaseError, Some(number), 1);
        store.raise(vec![raised]).await.unwrap();
    }
    let third: ObjectId = id::<NotificationId>(3).to_string().parse().unwrap();
    let notifications = place.raw().await.collection::<Document>("notifications");
    let newer = doc! { "$set": { "code": "PRODUCTION_AI_OF_A_NEWER_VERSION" } };
    let updated = notifications.update_one(doc! { "_id": third }, newer).await.unwrap();
    assert_eq!(updated.modified_count, 1);
    let due = store.due_notifications(at("2026-11-15T14:00:00Z"), 2).await.unwrap();
    let due: Vec<_> = due.into_iter().map(|due| due.notification.id).collect();
    assert_eq!(due, [id(1), id(2)]);
    let page = Page { after: None, limit: 2 };
    let listed = store.notifications(&NotificationFilter::default(), page).await.unwrap();
    assert_eq!(listed.len(), 2, "a full page");
    let changed = store.notifications_changed(Timestamp::UNIX_EPOCH, 9).await.unwrap();
    assert_eq!(changed.len(), 2);
    place.remove().await;
}

#[tokio::test]
async fn a_damaged_turn_is_left_out_of_what_is_counted() {
    let Some(place) = Place::new() else { return };
    let store = place.open().await;
    let turns = vec![turn(1, "CA1", 1, "hello"), turn(2, "CA2", 1, "hello")];
    let slot = Slot::of(turns[0].at);
    store.append_turns(Arc::new(turns)).await.unwrap();
    let raw = place.raw().await.collection::<Document>("turns");
    let damage = doc! { "$unset": { "record.at": "" } };
    let damaged = raw.update_one(doc! { "callId": "CA1" }, damage).await.unwrap();
    assert_eq!(damaged.modified_count, 1);
    store.count_turns().await.unwrap();
    let next = Slot::from_number(slot.number() + 1);
    let rollups = |number| store.rollups(RollupScope::Company(id(number)), slot, next);
    assert_eq!(rollups(2).await.unwrap().len(), 1);
    assert_eq!(rollups(1).await.unwrap(), []);
    let marked = doc! { "callId": "CA1", "uncountable": true, "uncounted": { "$exists": false } };
    assert_eq!(raw.count_documents(marked).await.unwrap(), 1);
    place.remove().await;
}
