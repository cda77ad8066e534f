//! What one store holds, moved into another and back.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use frontdesk_domain::{
    alert::AlertCode,
    analytics::Slot,
    decision::FallbackKind,
    documents::{company::CompanySecrets, trade::TradeName},
    ids::{CallId, CompanyId},
    ledger::Account,
    record::{Message, MessageState},
};
use frontdesk_store::{
    moving::{MoveError, Part, move_all},
    ports::{
        Audio, CallEnd, CallFilter, CompanyStore as _, CompanyWrite, Holdings, LedgerFilter, LedgerStore as _,
        MessageFilter, Movable, NotificationChange, NotificationFilter, Page, QnaOwner, RollupScope, Singleton,
        TransferStore as _,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::{
    conformance::{
        contacts::contact,
        ledger::{bill, hold, imported, now, of_platform, set_limit, with_limit},
        notices::message,
    },
    support::{Place, at, company_document, id, object, qna, raised, template, turn, write_of},
};

/// A store with some of everything.
pub(crate) async fn furnish(store: &dyn Movable) {
    for number in [7, 8] {
        store
            .insert_template(id(number), template(number, "hours"))
            .await
            .unwrap();
    }
    let secrets = CompanySecrets {
        auth_token: Some(SecretString::from("the token")),
        ..CompanySecrets::default()
    };
    let write = CompanyWrite {
        secrets,
        ..write_of(&company_document(2, &[8, 7]))
    };
    store.insert_company(write).await.unwrap();
    set_limit(store, 1, Some(1_000)).await;
    set_limit(store, 1, Some(900)).await;
    let unknown = json!({ "ofAnotherTime": [1, 2.50, { "$x": null }] });
    for (owner, name) in [
        (QnaOwner::Company(id(1)), "b"),
        (QnaOwner::Company(id(1)), "a"),
        (QnaOwner::Trade(TradeName::new("Dental")), "c"),
    ] {
        let (qna_id, mut document) = qna(name, "Yes.");
        document.extend(object(unknown.clone()));
        store.insert_qna(&owner, &qna_id, document).await.unwrap();
    }
    let overlay = object(json!({ "companyId": id::<CompanyId>(1).to_string(), "fillerWords": ["well"] }));
    store
        .put_singleton(&Singleton::Overlay(id(1)), overlay, None)
        .await
        .unwrap();
    let safety = object(json!({ "version": "2", "language": "en-US", "categories": [] }));
    store
        .put_singleton(&Singleton::Safety, safety.clone(), None)
        .await
        .unwrap();
    store
        .put_singleton(&Singleton::Prompts("es-US".into()), safety, None)
        .await
        .unwrap();
    let turns = vec![
        turn(1, "CA1", 1, "Are you open"),
        turn(1, "CA1", 2, "on Sunday"),
        turn(2, "CA2", 1, "Hello"),
    ];
    store.append_turns(Arc::new(turns)).await.unwrap();
    store.count_turns().await.unwrap();
    let end = CallEnd {
        company: id(1),
        call: CallId::new("CA1"),
        from: Some("+15550109999".into()),
        at: at("2026-11-15T12:05:00Z"),
        status: "completed",
    };
    store.end_calls(Arc::new(vec![end])).await.unwrap();
    let recorded = |number: u32, state: MessageState| Message {
        recording_url: Some("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1".into()),
        state,
        ..message(number, Some(&format!("RE{number}")))
    };
    for (number, state) in [(1, MessageState::Done), (2, MessageState::New), (3, MessageState::New)] {
        store.put_message(recorded(number, state)).await.unwrap();
    }
    let audio = Audio {
        content_type: "audio/mpeg".into(),
        bytes: (0..300_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect(),
    };
    store.put_audio(id(1), audio).await.unwrap();
    store.postpone_audio(id(2), None).await.unwrap();
    store
        .raise(vec![
            raised(21, AlertCode::LlmDown, None, 3),
            raised(22, AlertCode::FallbackUsed, Some(1), 1),
        ])
        .await
        .unwrap();
    store
        .change_notification(id(22), NotificationChange::Acknowledge)
        .await
        .unwrap();
    store.insert_contact(contact(5, "On call")).await.unwrap();
    store
        .take_rotations(id(1), FallbackKind::NoMatchFound, 5)
        .await
        .unwrap();
    for (number, amount) in [(41, 60), (42, 70), (43, 50)] {
        store.reserve(hold(number, amount)).await.unwrap();
    }
    // One is billed beyond its hold, which the platform pays.
    store.settle(id(41), bill(20, 60)).await.unwrap();
    store.settle(id(42), bill(100, 70)).await.unwrap();
    store.void(id(43), now()).await.unwrap();
    store.reserve(of_platform(44, 10, 100)).await.unwrap();
    store.settle(id(44), bill(2, 10)).await.unwrap();
    let opened = imported(&with_limit(3, Some(500)), 33, at("2026-11-02T00:00:00Z"));
    store.import(vec![opened], now()).await.unwrap();
    // Its records stay when it is deleted.
    store.delete_company(id(2), None).await.unwrap();
}

/// One page is all there is.
fn all<K>() -> Page<K> {
    Page {
        after: None,
        limit: 100,
    }
}

/// All that a store tells, as text.
pub(crate) async fn told(store: &dyn Movable) -> String {
    let mut text = format!("{:?}\n", store.holdings().await.unwrap());
    let mut tell = |what: &dyn std::fmt::Debug| writeln!(text, "{what:?}").unwrap();
    tell(&store.templates(all()).await.unwrap());
    for company in store.companies(all()).await.unwrap() {
        let token = company
            .secrets
            .auth_token
            .as_ref()
            .map(|token| token.expose_secret().to_owned());
        tell(&(company.document, token));
    }
    for owner in [QnaOwner::Company(id(1)), QnaOwner::Trade(TradeName::new("dental"))] {
        tell(&store.qnas(&owner, all()).await.unwrap());
    }
    for which in [
        Singleton::Overlay(id(1)),
        Singleton::Safety,
        Singleton::Prompts("es-US".into()),
    ] {
        tell(&store.singleton(&which).await.unwrap());
    }
    for company in [1, 2] {
        let filter = CallFilter::default();
        tell(&store.calls(id(company), &filter, all()).await.unwrap());
    }
    for (call, of) in [("CA1", 1), ("CA2", 2)] {
        let first = turn(of, call, 1, "").turn_id;
        let (call, since) = (CallId::new(call), at("2026-01-01T00:00:00Z"));
        tell(&store.recall(id(of), &call, &first, since).await.unwrap());
    }
    let any = MessageFilter::default();
    for message in store.messages(id(1), &any, all()).await.unwrap() {
        let found = store.audio(id(1), message.id).await.unwrap().unwrap();
        tell(&(message, found.audio.map(|audio| audio.bytes.len())));
    }
    let every = NotificationFilter::default();
    tell(&store.notifications(&every, all()).await.unwrap());
    for contact in store.contacts(all()).await.unwrap() {
        tell(&(
            contact.document.json.into_iter().collect::<BTreeMap<_, _>>(),
            contact.secrets.0.len(),
        ));
    }
    let always = (
        Slot::of(at("2026-01-01T00:00:00Z")),
        Slot::of(at("2027-01-01T00:00:00Z")),
    );
    for scope in [
        RollupScope::Platform,
        RollupScope::Company(id(1)),
        RollupScope::Company(id(2)),
    ] {
        tell(&store.rollups(scope, always.0, always.1).await.unwrap());
    }
    tell(&store.old_rotations().await.unwrap());
    for account in [Account::Company(id(1)), Account::Company(id(3)), Account::Platform] {
        tell(&store.entries(account, LedgerFilter::default(), all()).await.unwrap());
    }
    let mut keepers = store.record_keepers().await.unwrap();
    keepers.sort_by_key(|keeper| keeper.company);
    tell(&keepers);
    text
}

/// Moves one store into another, twice, and from there into a third: all three tell the same.
pub(crate) async fn check_there_and_back(first: &dyn Movable, second: &dyn Movable, third: &dyn Movable) {
    furnish(first).await;
    let before = told(first).await;
    let mut parts = Vec::new();
    let moved = move_all(first, second, now(), &mut |part, _| parts.push(part))
        .await
        .unwrap();
    parts.dedup();
    let order = [
        Part::Documents,
        Part::Calls,
        Part::Counts,
        Part::Messages,
        Part::Notifications,
        Part::Contacts,
        Part::Rotations,
        Part::Ledger,
    ];
    assert_eq!(parts, order);
    assert!(moved.spent > 0 && moved.turns == 3 && moved.messages == 3, "{moved:?}");
    assert_eq!(told(second).await, before);
    move_all(first, second, now(), &mut |_, _| {}).await.unwrap();
    assert_eq!(told(second).await, before, "a move may be done again");
    move_all(second, third, now(), &mut |_, _| {}).await.unwrap();
    assert_eq!(told(third).await, before);
    assert_eq!(told(first).await, before, "what is moved stays");
}

#[tokio::test]
async fn a_file_moves_into_another_and_on() {
    let places = [Place::new(), Place::new(), Place::new()];
    let [first, second, third] = places.each_ref().map(Place::open);
    check_there_and_back(&*first, &*second, &*third).await;
}

#[tokio::test]
async fn money_that_is_held_is_not_moved() {
    let (one, other) = (Place::new(), Place::new());
    let (from, to) = (one.open(), other.open());
    set_limit(&*from, 1, Some(1_000)).await;
    from.reserve(hold(1, 60)).await.unwrap();
    let refused = move_all(&*from, &*to, now(), &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, MoveError::Held(60)), "{refused}");
    assert_eq!(to.holdings().await.unwrap(), Holdings::default());
    // Once its lease has ended it is charged, as it would be without a move.
    let later = at("2026-11-15T12:02:00Z");
    let moved = move_all(&*from, &*to, later, &mut |_, _| {}).await.unwrap();
    assert_eq!((moved.spent, moved.held), (60, 0));
}

#[tokio::test]
async fn what_did_not_arrive_is_told() {
    let (one, other) = (Place::new(), Place::new());
    let (from, to) = (one.open(), other.open());
    furnish(&*from).await;
    to.insert_company(write_of(&company_document(9, &[]))).await.unwrap();
    let refused = move_all(&*from, &*to, now(), &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, MoveError::Differs(_)), "{refused}");
    assert_eq!(to.holdings().await.unwrap().companies, 3);
}
