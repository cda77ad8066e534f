use std::sync::Arc;

use frontdesk_domain::{documents::trade::TradeName, ids::QnaId};
use frontdesk_store::ports::{Page, QnaOwner, Singleton, Stored, WriteError};
use serde_json::json;

use super::Given;
use crate::support::{company, company_document, id, object, qna, template, write_of};

const ALL: usize = 200;

pub(crate) async fn a_template_in_use_stays(given: &Given) {
    let store = &given.store;
    store.insert_template(id(10), template(10, "open")).await.unwrap();
    let mut document = company_document(1, &[]);
    // A reference that is switched off is one all the same.
    let reference = json!({ "templateId": template(10, "")["_id"], "enabled": false, "priority": 1 });
    document["aiAgentSettings"]["templateReferences"] = json!([reference]);
    store.insert_company(write_of(&document)).await.unwrap();
    let error = store.delete_template(id(10), None).await.unwrap_err();
    let WriteError::InUse(users) = error else {
        panic!("{error:?}")
    };
    assert_eq!(users, [(id(1), "Company 1".into())]);
    store.delete_company(id(1), None).await.unwrap();
    store.delete_template(id(10), Some(1)).await.unwrap();
    assert!(store.template(id(10)).await.unwrap().is_none());
}

pub(crate) async fn a_template_is_replaced_by_revision(given: &Given) {
    let store = &given.store;
    let made = store.insert_template(id(10), template(10, "open")).await.unwrap();
    assert!(matches!(
        store.insert_template(id(10), template(10, "x")).await,
        Err(WriteError::Taken { .. })
    ));
    let replaced = store.replace_template(id(10), template(10, "closed"), 1).await.unwrap();
    assert_eq!((replaced.rev, replaced.created_at), (2, made.created_at));
    assert!(replaced.seq > made.seq && replaced.updated_at > made.updated_at);
    let stale = store.replace_template(id(10), template(10, "x"), 1).await;
    assert!(matches!(stale, Err(WriteError::Stale { current: 2 })));
    assert!(matches!(
        store.replace_template(id(11), template(11, "x"), 1).await,
        Err(WriteError::NotFound)
    ));
    assert_eq!(
        store.template(id(10)).await.unwrap().unwrap().json,
        template(10, "closed")
    );
    store.insert_template(id(9), template(9, "open")).await.unwrap();
    let listed = store
        .templates(Page {
            after: None,
            limit: ALL,
        })
        .await
        .unwrap();
    assert_eq!(listed.iter().map(|stored| stored.rev).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        store
            .templates(Page {
                after: Some(id(9)),
                limit: ALL
            })
            .await
            .unwrap()
            .len(),
        1
    );
}

fn names(stored: &[Stored]) -> Vec<&str> {
    stored
        .iter()
        .map(|stored| stored.json["id"].as_str().unwrap())
        .collect()
}

pub(crate) async fn qnas_keep_the_order_in_which_they_were_made(given: &Given) {
    let store = &given.store;
    store.insert_company(company(1)).await.unwrap();
    let owner = QnaOwner::Company(id(1));
    for name in ["zebra", "apple", "mango"] {
        let (qna_id, json) = qna(name, "Yes.");
        store.insert_qna(&owner, &qna_id, json).await.unwrap();
    }
    let (apple, json) = qna("apple", "No.");
    assert!(matches!(
        store.insert_qna(&owner, &apple, json.clone()).await,
        Err(WriteError::Taken { .. })
    ));
    store.replace_qna(&owner, &apple, json, 1).await.unwrap();
    let listed = store
        .qnas(
            &owner,
            Page {
                after: None,
                limit: ALL,
            },
        )
        .await
        .unwrap();
    assert_eq!(names(&listed), ["zebra", "apple", "mango"]);
    assert_eq!(store.qna(&owner, &apple).await.unwrap().unwrap().json["answer"], "No.");
    let other = QnaOwner::Trade(TradeName::new("Dental"));
    assert!(store.qna(&other, &apple).await.unwrap().is_none());
}

pub(crate) async fn a_page_of_qnas_goes_on_after_a_deleted_one(given: &Given) {
    let store = &given.store;
    let owner = QnaOwner::Trade(TradeName::new("Dental"));
    for name in ["one", "two", "three", "four"] {
        let (qna_id, json) = qna(name, "Yes.");
        store.insert_qna(&owner, &qna_id, json).await.unwrap();
    }
    let two = QnaId::new("two");
    let page = |after| store.qnas(&owner, Page { after, limit: 2 });
    assert_eq!(names(&page(None).await.unwrap()), ["one", "two"]);
    assert!(matches!(
        store.delete_qna(&owner, &two, Some(7)).await,
        Err(WriteError::Stale { current: 1 })
    ));
    store.delete_qna(&owner, &two, Some(1)).await.unwrap();
    assert!(matches!(
        store.delete_qna(&owner, &two, None).await,
        Err(WriteError::NotFound)
    ));
    assert_eq!(names(&page(Some(two.clone())).await.unwrap()), ["three", "four"]);
    let (_, json) = qna("two", "Again.");
    store.insert_qna(&owner, &two, json).await.unwrap();
    assert_eq!(names(&page(Some(QnaId::new("three"))).await.unwrap()), ["four", "two"]);
    assert!(page(Some(two)).await.unwrap().is_empty());
}

pub(crate) async fn a_companys_documents_need_the_company(given: &Given) {
    let (qna_id, json) = qna("hours", "Eight.");
    let refused = given.store.insert_qna(&QnaOwner::Company(id(1)), &qna_id, json).await;
    assert!(matches!(refused, Err(WriteError::NotFound)));
    let refused = given
        .store
        .put_singleton(&Singleton::Overlay(id(1)), object(json!({})), None)
        .await;
    assert!(matches!(refused, Err(WriteError::NotFound)));
}

pub(crate) async fn trades_are_one_whatever_their_case(given: &Given) {
    let store = &given.store;
    let (qna_id, json) = qna("hours", "Eight.");
    store
        .insert_qna(&QnaOwner::Trade(TradeName::new("Dental")), &qna_id, json)
        .await
        .unwrap();
    let shouted = QnaOwner::Trade(TradeName::new("DENTAL"));
    assert!(store.qna(&shouted, &qna_id).await.unwrap().is_some());
    let (second, json) = qna("prices", "Ten.");
    store.insert_qna(&shouted, &second, json).await.unwrap();
    let trades = store.qna_trades().await.unwrap();
    assert_eq!(trades.iter().map(TradeName::as_str).collect::<Vec<_>>(), ["Dental"]);
    store.delete_qna(&shouted, &qna_id, None).await.unwrap();
    store.delete_qna(&shouted, &second, None).await.unwrap();
    assert!(store.qna_trades().await.unwrap().is_empty());
}

pub(crate) async fn a_singleton_is_put_by_revision(given: &Given) {
    let store = &given.store;
    let put = |version: &str, expected| {
        store.put_singleton(&Singleton::Safety, object(json!({ "version": version })), expected)
    };
    assert!(store.singleton(&Singleton::Safety).await.unwrap().is_none());
    assert!(matches!(put("a", Some(1)).await, Err(WriteError::Stale { current: 0 })));
    assert_eq!(put("a", Some(0)).await.unwrap().rev, 1);
    assert!(matches!(put("b", Some(0)).await, Err(WriteError::Stale { current: 1 })));
    assert_eq!(put("b", Some(1)).await.unwrap().rev, 2);
    assert_eq!(put("c", None).await.unwrap().rev, 3);
    assert_eq!(
        store.singleton(&Singleton::Safety).await.unwrap().unwrap().json["version"],
        "c"
    );
}

pub(crate) async fn prompts_are_listed_by_language(given: &Given) {
    for language in ["es-US", "en-US"] {
        let which = Singleton::Prompts(language.into());
        given
            .store
            .put_singleton(&which, object(json!({ "language": language })), None)
            .await
            .unwrap();
    }
    given
        .store
        .put_singleton(&Singleton::Safety, object(json!({})), None)
        .await
        .unwrap();
    assert_eq!(
        given.store.prompt_languages().await.unwrap(),
        ["en-US", "es-US"].map(Arc::<str>::from)
    );
}
