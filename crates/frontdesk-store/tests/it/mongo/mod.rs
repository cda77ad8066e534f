//! What is particular to `MongoDB`.

use std::sync::Arc;

use frontdesk_domain::documents::company::CompanySecrets;
use frontdesk_store::{
    mongo::{MongoOptions, MongoStore},
    ports::{Backend, ChangeFeed as _, CompanyStore as _, CompanyWrite, StoreError},
    seal::Sealer,
};
use futures_util::{FutureExt as _, future::join_all};
use mongodb::bson::{Document, doc};
use secrecy::SecretString;

use crate::{
    conformance::Given,
    support::{self, TestClock, company, company_document, id, number, write_of},
};

mod damaged;
mod races;
mod repairs;
pub(crate) mod server;

use server::Place;

async fn given() -> Option<(Given, Arc<Place>)> {
    let place = Arc::new(Place::new()?);
    let again = Arc::clone(&place);
    let given = Given {
        store: place.open().await,
        reopen: Box::new(move || {
            let place = Arc::clone(&again);
            async move {
                let store: Arc<dyn Backend> = place.open().await;
                store
            }
            .boxed()
        }),
    };
    Some((given, place))
}

async fn end(place: Arc<Place>) {
    place.remove().await;
}

crate::conformance::run_all!(super::given, super::end);

#[tokio::test]
async fn processes_that_start_at_once_make_the_same_collections() {
    let Some(place) = Place::new() else { return };
    let stores = join_all((0..6).map(|_| place.open())).await;
    let raw = place.raw().await;
    let indexes = raw
        .collection::<Document>("companies")
        .list_index_names()
        .await
        .unwrap();
    assert_eq!(indexes.len(), 3, "{indexes:?}");
    let schemas = raw
        .collection::<Document>("schema")
        .count_documents(doc! {})
        .await
        .unwrap();
    assert_eq!(schemas, 1);
    // Each of them writes, and each hears the others.
    for (number, store) in (1..).zip(&stores) {
        store.insert_company(company(number)).await.unwrap();
    }
    for store in &stores {
        assert_eq!(store.newest().await.unwrap(), 6);
    }
    end(Arc::new(place)).await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_in_words() {
    let Some(place) = Place::new() else { return };
    place.open().await;
    let schema = place.raw().await.collection::<Document>("schema");
    schema
        .update_one(doc! {}, doc! { "$set": { "version": 99_i64 } })
        .await
        .unwrap();
    let sealer = Arc::new(Sealer::from_key([7; 32]));
    let opened = MongoStore::open(
        &place.url(),
        sealer,
        Arc::new(TestClock::default()),
        MongoOptions::default(),
    )
    .await;
    let error = opened.unwrap_err();
    assert!(error.to_string().contains("newer version of Frontdesk"), "{error}");
    place.remove().await;
}

#[tokio::test]
async fn an_operator_finds_documents_and_no_secret() {
    let Some(place) = Place::new() else { return };
    let secrets = CompanySecrets {
        auth_token: Some(SecretString::from("the-auth-token-that-nobody-may-read")),
        ..CompanySecrets::default()
    };
    let write = CompanyWrite { secrets, ..company(1) };
    place.open().await.insert_company(write).await.unwrap();
    let companies = place.raw().await.collection::<Document>("companies");
    let found = companies.find_one(doc! { "phone": number(1) }).await.unwrap().unwrap();
    assert!(found.get_object_id("_id").is_ok());
    assert_eq!(found.get_str("name").unwrap(), "Company 1");
    assert!(
        found
            .get_document("aiAgentLogic")
            .unwrap()
            .get_document("templateGatekeeper")
            .is_ok()
    );
    let bytes = found.to_vec().unwrap();
    assert!(!bytes.windows(15).any(|window| window == b"-that-nobody-ma"));
    let other_key = Arc::new(Sealer::from_key([8; 32]));
    let other = MongoStore::open(
        &place.url(),
        other_key,
        Arc::new(TestClock::default()),
        MongoOptions::default(),
    )
    .await
    .unwrap();
    let error = other.company(id(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    place.remove().await;
}

#[tokio::test]
async fn of_writes_at_once_each_is_done_and_has_a_number_of_its_own() {
    let Some(place) = Place::new() else { return };
    let stores = [place.open().await, place.open().await];
    let writes = (1..=24_u32).map(|number| {
        let store = &stores[number as usize % 2];
        async move { store.insert_company(company(number)).await.unwrap().seq }
    });
    let mut numbers = join_all(writes).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    let heard = stores[0].changes_after(0).await.unwrap();
    assert_eq!(heard.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), numbers);
    // Of two that want the same number one is refused, whoever comes first.
    let same = |number: u32| {
        let mut document = company_document(number, &[]);
        document["phone"] = support::number(99).into();
        write_of(&document)
    };
    let (one, other) = tokio::join!(stores[0].insert_company(same(31)), stores[1].insert_company(same(32)));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    place.remove().await;
}

#[tokio::test]
async fn a_file_moves_in_and_out_again() {
    let Some(place) = Place::new() else { return };
    let files = [support::Place::new(), support::Place::new()];
    let [first, third] = files.each_ref().map(support::Place::open);
    let second = place.open().await;
    crate::moving::check_there_and_back(&*first, &*second, &*third).await;
    place.remove().await;
}
