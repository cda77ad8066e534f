use frontdesk_domain::{documents::company::CompanySecrets, ids::CompanyId};
use frontdesk_store::ports::{Page, QnaOwner, Singleton, WriteError};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::Given;
use crate::support::{company, company_document, id, number, object, qna, template, turn, write_of};

pub(crate) async fn a_company_is_read_as_it_was_written(given: &Given) {
    let written = given.store.insert_company(company(1)).await.unwrap();
    assert_eq!(written.rev, 1);
    assert_eq!(written.created_at, written.updated_at);
    let read = given.store.company(id(1)).await.unwrap().unwrap();
    assert_eq!(read.document.json, company(1).json);
    assert_eq!((read.document.rev, read.document.created_at), (1, written.created_at));
    assert_eq!(read.id(), Some(id(1)));
    assert_eq!(given.store.company_by_number(&number(1)).await.unwrap(), Some(id(1)));
    assert!(given.store.company(id(2)).await.unwrap().is_none());
    assert_eq!(given.store.company_by_number(&number(2)).await.unwrap(), None);
}

pub(crate) async fn a_taken_id_or_number_is_refused_by_name(given: &Given) {
    given.store.insert_company(company(1)).await.unwrap();
    given.store.insert_company(company(2)).await.unwrap();
    let taken = |error| match error {
        WriteError::Taken { pointer, .. } => pointer,
        other => panic!("{other:?}"),
    };
    let mut same_number = company_document(3, &[]);
    same_number["phone"] = number(1).into();
    assert_eq!(
        taken(given.store.insert_company(write_of(&same_number)).await.unwrap_err()),
        "/phone"
    );
    let mut second_number = company_document(2, &[]);
    second_number["phones"] = json!([number(7), number(1)]);
    let error = given
        .store
        .replace_company(write_of(&second_number), 1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&id::<CompanyId>(1).to_string()), "{error}");
    assert_eq!(taken(error), "/phones/1");
    assert_eq!(
        given.store.company_by_number(&number(7)).await.unwrap(),
        None,
        "nothing of it was written"
    );
    let mut same_id = company_document(1, &[]);
    same_id["phone"] = number(8).into();
    assert_eq!(
        taken(given.store.insert_company(write_of(&same_id)).await.unwrap_err()),
        "/_id"
    );
}

pub(crate) async fn a_number_that_was_given_up_is_free(given: &Given) {
    given.store.insert_company(company(1)).await.unwrap();
    let mut moved = company_document(1, &[]);
    moved["phone"] = number(5).into();
    assert_eq!(given.store.replace_company(write_of(&moved), 1).await.unwrap().rev, 2);
    let mut successor = company_document(2, &[]);
    successor["phone"] = number(1).into();
    given.store.insert_company(write_of(&successor)).await.unwrap();
    assert_eq!(given.store.company_by_number(&number(1)).await.unwrap(), Some(id(2)));
}

pub(crate) async fn references_to_nothing_are_refused_with_their_place(given: &Given) {
    given.store.insert_template(id(10), template(10, "open")).await.unwrap();
    let error = given
        .store
        .insert_company(write_of(&company_document(1, &[10, 11])))
        .await
        .unwrap_err();
    let WriteError::UnknownReference(faults) = error else {
        panic!("{error:?}")
    };
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].pointer, "/aiAgentSettings/templateReferences/1");
    assert!(given.store.company(id(1)).await.unwrap().is_none());
}

pub(crate) async fn a_stale_write_is_refused(given: &Given) {
    given.store.insert_company(company(1)).await.unwrap();
    given.store.replace_company(company(1), 1).await.unwrap();
    let stale = given.store.replace_company(company(1), 1).await.unwrap_err();
    assert!(matches!(stale, WriteError::Stale { current: 2 }), "{stale:?}");
    let stale = given.store.delete_company(id(1), Some(1)).await.unwrap_err();
    assert!(matches!(stale, WriteError::Stale { current: 2 }), "{stale:?}");
    let missing = given.store.replace_company(company(2), 1).await.unwrap_err();
    assert!(matches!(missing, WriteError::NotFound), "{missing:?}");
    assert!(matches!(
        given.store.delete_company(id(2), None).await,
        Err(WriteError::NotFound)
    ));
    given.store.delete_company(id(1), Some(2)).await.unwrap();
}

pub(crate) async fn pages_go_on_after_what_was_deleted(given: &Given) {
    for number in [3, 1, 2, 5, 4] {
        given.store.insert_company(company(number)).await.unwrap();
    }
    let page = |after| given.store.companies(Page { after, limit: 2 });
    let ids = |companies: Vec<frontdesk_store::ports::StoredCompany>| -> Vec<CompanyId> {
        companies
            .iter()
            .filter_map(frontdesk_store::ports::StoredCompany::id)
            .collect()
    };
    let first = ids(page(None).await.unwrap());
    assert_eq!(first, [id(1), id(2)]);
    given.store.delete_company(id(2), None).await.unwrap();
    assert_eq!(ids(page(Some(id(2))).await.unwrap()), [id(3), id(4)]);
    assert_eq!(ids(page(Some(id(4))).await.unwrap()), [id(5)]);
    assert!(page(Some(id(5))).await.unwrap().is_empty());
}

pub(crate) async fn a_deleted_company_takes_its_documents_along_and_leaves_its_calls(given: &Given) {
    let store = &given.store;
    store.insert_company(company(1)).await.unwrap();
    let owner = QnaOwner::Company(id(1));
    let (qna_id, json) = qna("hours", "Eight.");
    store.insert_qna(&owner, &qna_id, json).await.unwrap();
    let overlay = Singleton::Overlay(id(1));
    store
        .put_singleton(&overlay, object(json!({ "triggers": {} })), None)
        .await
        .unwrap();
    store
        .append_turns(vec![turn(1, "CA1", 1, "hello")].into())
        .await
        .unwrap();
    store
        .next_rotation(id(1), frontdesk_domain::decision::FallbackKind::NoMatchFound)
        .await
        .unwrap();
    store.delete_company(id(1), None).await.unwrap();
    assert!(store.company(id(1)).await.unwrap().is_none());
    assert!(store.qna(&owner, &qna_id).await.unwrap().is_none());
    assert!(store.singleton(&overlay).await.unwrap().is_none());
    assert_eq!(store.company_by_number(&number(1)).await.unwrap(), None);
    assert_eq!(
        store
            .call(id(1), &frontdesk_domain::ids::CallId::new("CA1"))
            .await
            .unwrap()
            .unwrap()
            .turns
            .len(),
        1
    );
    store.insert_company(company(1)).await.unwrap();
    assert!(
        store
            .qnas(&owner, Page { after: None, limit: 10 })
            .await
            .unwrap()
            .is_empty()
    );
    let kind = frontdesk_domain::decision::FallbackKind::NoMatchFound;
    assert_eq!(store.peek_rotation(id(1), kind).await.unwrap(), 0);
}

pub(crate) async fn secrets_come_back(given: &Given) {
    let mut document = company_document(1, &[]);
    document["twilio"] = json!({ "accountSid": "AC00000000000000000000000000000001", "authToken": "a-token-of-company-1",
        "sharedKeys": [{ "id": "k1", "secret": "a-shared-key" }] });
    let write = write_of(&document);
    assert!(
        !serde_json::to_string(&write.json)
            .unwrap()
            .contains("a-token-of-company-1")
    );
    given.store.insert_company(write).await.unwrap();
    let read = given.store.company(id(1)).await.unwrap().unwrap();
    assert_eq!(read.secrets.auth_token.unwrap().expose_secret(), "a-token-of-company-1");
    assert_eq!(read.secrets.shared_keys[0].secret.expose_secret(), "a-shared-key");
    let none = frontdesk_store::ports::CompanyWrite {
        secrets: CompanySecrets::default(),
        ..company(1)
    };
    given.store.replace_company(none, 1).await.unwrap();
    assert!(given.store.company(id(1)).await.unwrap().unwrap().secrets.is_empty());
}

pub(crate) async fn an_acknowledged_write_is_there_after_reopening(given: &Given) {
    given.store.insert_company(company(1)).await.unwrap();
    let again = (given.reopen)().await;
    assert!(again.company(id(1)).await.unwrap().is_some());
    again.insert_company(company(2)).await.unwrap();
    assert!(given.store.company(id(2)).await.unwrap().is_some());
}
