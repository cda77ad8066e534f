use std::sync::Arc;

use frontdesk_domain::{
    decision::FallbackKind,
    documents::{
        company::{Change, LastUsedIndex, Opening, SecretChanges, SharedKeyChange},
        trade::TradeName,
    },
    ids::CompanyId,
    ledger::{Account, EntryKind},
    money::PicoUsd,
    time::Timestamp,
};
use frontdesk_store::ports::{Changed, CompanyWrite, ImportError, ImportItem, LedgerFilter, Page, QnaOwner, Singleton};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::Given;
use crate::support::{at, company, company_document, id, number, object, qna, template, write_of};

fn now() -> Timestamp {
    at("2026-11-15T12:00:00Z")
}

fn item(write: CompanyWrite) -> ImportItem {
    opened_by(write, Opening::default())
}

fn opened_by(write: CompanyWrite, opening: Opening) -> ImportItem {
    let CompanyWrite { company, json, .. } = write;
    ImportItem::Company {
        company,
        json,
        secrets: SecretChanges::default(),
        opening,
    }
}

fn qna_item(owner: QnaOwner, name: &str) -> ImportItem {
    let (qna_id, json) = qna(name, "Yes.");
    ImportItem::Qna(owner, qna_id, json)
}

pub(crate) async fn an_import_writes_all_and_checks_at_the_end(given: &Given) {
    let store = &given.store;
    let dental = QnaOwner::Trade(TradeName::new("Dental"));
    let items = || {
        vec![
            qna_item(QnaOwner::Company(id(1)), "own"),
            ImportItem::Singleton(Singleton::Overlay(id(1)), object(json!({ "triggers": {} }))),
            item(write_of(&company_document(1, &[10]))),
            ImportItem::Template(id(10), template(10, "open")),
            qna_item(dental.clone(), "one"),
            qna_item(dental.clone(), "two"),
            ImportItem::Singleton(Singleton::Safety, object(json!({ "version": "1" }))),
        ]
    };
    let changes = store.import(items(), now()).await.unwrap();
    assert!(changes.is_sorted_by_key(|(seq, _)| *seq));
    assert_eq!(
        changes
            .iter()
            .filter(|(_, changed)| *changed == Changed::Qna(dental.clone()))
            .count(),
        1
    );
    assert_eq!(changes.len(), 6, "each thing once: {changes:?}");
    assert_eq!(changes.last().unwrap().0, store.newest().await.unwrap());
    assert_eq!(store.company(id(1)).await.unwrap().unwrap().document.rev, 1);
    assert_eq!(
        store.qnas(&dental, Page { after: None, limit: 9 }).await.unwrap().len(),
        2
    );
    store.import(items(), now()).await.unwrap();
    assert_eq!(
        store.company(id(1)).await.unwrap().unwrap().document.rev,
        2,
        "an import writes over what is there"
    );
    assert_eq!(store.template(id(10)).await.unwrap().unwrap().rev, 2);
    assert_eq!(
        store.qnas(&dental, Page { after: None, limit: 9 }).await.unwrap().len(),
        2
    );
    assert_eq!(store.singleton(&Singleton::Safety).await.unwrap().unwrap().rev, 2);
}

pub(crate) async fn a_refused_import_leaves_nothing(given: &Given) {
    let store = &given.store;
    store.insert_company(company(1)).await.unwrap();
    let before = store.newest().await.unwrap();
    let mut same_number = company_document(3, &[]);
    same_number["phone"] = number(1).into();
    let items = vec![
        item(company(2)),
        item(write_of(&company_document(4, &[10]))),
        item(write_of(&same_number)),
        qna_item(QnaOwner::Company(id(9)), "lost"),
        ImportItem::Template(id(11), template(11, "open")),
    ];
    let error = store.import(items, now()).await.unwrap_err();
    let ImportError::Refused(faults) = error else {
        panic!("{error:?}")
    };
    let faults: Vec<_> = faults
        .iter()
        .map(|(item, fault)| (*item, fault.pointer.as_str()))
        .collect();
    assert_eq!(
        faults,
        [
            (1, "/aiAgentSettings/templateReferences/0"),
            (2, "/phone"),
            (3, "/companyId")
        ]
    );
    assert!(store.company(id(2)).await.unwrap().is_none());
    assert!(store.template(id(11)).await.unwrap().is_none());
    assert_eq!(store.company_by_number(&number(1)).await.unwrap(), Some(id(1)));
    assert_eq!(store.newest().await.unwrap(), before);
}

pub(crate) async fn imported_companies_may_exchange_numbers(given: &Given) {
    let store = &given.store;
    store.insert_company(company(1)).await.unwrap();
    store.insert_company(company(2)).await.unwrap();
    let swapped = |company, other| {
        let mut document = company_document(company, &[]);
        document["phone"] = number(other).into();
        item(write_of(&document))
    };
    store.import(vec![swapped(1, 2), swapped(2, 1)], now()).await.unwrap();
    assert_eq!(store.company_by_number(&number(1)).await.unwrap(), Some(id(2)));
    let error = store
        .import(vec![swapped(1, 5), swapped(2, 5)], now())
        .await
        .unwrap_err();
    let ImportError::Refused(faults) = error else {
        panic!("{error:?}")
    };
    assert_eq!(faults.iter().map(|(item, _)| *item).collect::<Vec<_>>(), [1]);
}

fn changing(company: CompanyWrite, changes: SecretChanges) -> ImportItem {
    let mut item = item(company);
    if let ImportItem::Company { secrets, .. } = &mut item {
        *secrets = changes;
    }
    item
}

pub(crate) async fn an_import_leaves_the_secrets_that_it_does_not_bring(given: &Given) {
    let store = &given.store;
    let secret = |text: &str| Change::Set(SecretString::from(text));
    let tokens = || async {
        let secrets = store.company(id(1)).await.unwrap().unwrap().secrets;
        [secrets.auth_token, secrets.previous_auth_token]
            .map(|token| token.map(|token| token.expose_secret().to_owned()))
    };
    let auth = SecretChanges {
        auth_token: secret("auth"),
        ..SecretChanges::default()
    };
    let previous = SecretChanges {
        previous_auth_token: secret("previous"),
        ..SecretChanges::default()
    };
    // One that brings the one token and one that brings the other, at once: neither takes the other's away.
    let (one, other) = tokio::join!(
        store.import(vec![changing(company(1), auth)], now()),
        store.import(vec![changing(company(1), previous)], now()),
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(tokens().await, [Some("auth".to_owned()), Some("previous".to_owned())]);
    let removed = SecretChanges {
        previous_auth_token: Change::Remove,
        ..SecretChanges::default()
    };
    let items = vec![changing(company(1), removed), item(company(1))];
    store.import(items, now()).await.unwrap();
    assert_eq!(tokens().await, [Some("auth".to_owned()), None]);
}

pub(crate) async fn a_new_shared_key_without_its_secret_is_refused_with_its_place(given: &Given) {
    let key = |secret: Option<&str>| SecretChanges {
        shared_keys: Some(vec![SharedKeyChange {
            id: "SK1".into(),
            secret: secret.map(SecretString::from),
        }]),
        ..SecretChanges::default()
    };
    let store = &given.store;
    let items = vec![item(company(2)), changing(company(1), key(None))];
    let refused = store.import(items, now()).await.unwrap_err();
    let ImportError::Refused(faults) = refused else {
        panic!("{refused:?}")
    };
    let places: Vec<_> = faults
        .iter()
        .map(|(item, fault)| (*item, fault.pointer.as_str()))
        .collect();
    assert_eq!(places, [(1, "/twilio/sharedKeys/0/secret")]);
    let items = vec![
        changing(company(1), key(Some("brought once"))),
        changing(company(1), key(None)),
    ];
    store.import(items, now()).await.unwrap();
    let secrets = store.company(id(1)).await.unwrap().unwrap().secrets;
    assert_eq!(secrets.shared_keys[0].secret.expose_secret(), "brought once");
}

fn opened(spend: &str, last_reset: &str) -> ImportItem {
    let opening = Opening {
        current_spend: Some(spend.parse().unwrap()),
        last_reset: Some(at(last_reset)),
        last_used: LastUsedIndex::default(),
    };
    opened_by(company(1), opening)
}

/// What the entries of a month say was spent elsewhere; the month's sums say the same.
async fn spend(given: &Given, month: &str) -> Option<PicoUsd> {
    let (account, month) = (Account::Company(id(1)), month.parse().unwrap());
    let filter = LedgerFilter {
        month: Some(month),
        kind: Some(EntryKind::Imported),
    };
    let page = Page { after: None, limit: 9 };
    let entries = given.store.entries(account, filter, page).await.unwrap();
    assert!(entries.len() <= 1, "{entries:?}");
    let amount = entries.first().map(|entry| entry.amount);
    let sums = given.store.spend(account, month).await.unwrap();
    assert_eq!(sums.spent, amount.unwrap_or_default());
    amount
}

pub(crate) async fn an_import_opens_the_month_once(given: &Given) {
    given
        .store
        .import(vec![opened("145.50", "2026-11-01T05:00:00Z")], now())
        .await
        .unwrap();
    assert_eq!(spend(given, "2026-11").await, Some("145.5".parse().unwrap()));
    given
        .store
        .import(vec![opened("7", "2026-11-02T05:00:00Z")], now())
        .await
        .unwrap();
    assert_eq!(
        spend(given, "2026-11").await,
        Some("145.5".parse().unwrap()),
        "a month that is open stays as it is"
    );
    given
        .store
        .import(vec![opened("7", "2026-12-02T05:00:00Z")], at("2026-12-03T00:00:00Z"))
        .await
        .unwrap();
    assert_eq!(spend(given, "2026-12").await, Some("7".parse().unwrap()));
}

pub(crate) async fn spend_of_an_earlier_month_opens_nothing(given: &Given) {
    // Half past midnight UTC is still October in the company's zone.
    given
        .store
        .import(vec![opened("145.50", "2026-11-01T00:30:00Z")], now())
        .await
        .unwrap();
    given
        .store
        .import(vec![opened("0", "2026-11-02T00:00:00Z")], now())
        .await
        .unwrap();
    assert_eq!(spend(given, "2026-11").await, None);
    assert_eq!(spend(given, "2026-10").await, None);
}

pub(crate) async fn an_import_sets_the_rotation_going(given: &Given) {
    let store: &Arc<_> = &given.store;
    let last_used = LastUsedIndex {
        no_match: Some(1),
        technical: Some(0),
        ..LastUsedIndex::default()
    };
    let opening = Opening {
        last_used,
        ..Opening::default()
    };
    let items = || vec![opened_by(company(1), opening)];
    let company: CompanyId = id(1);
    store.import(items(), now()).await.unwrap();
    let spoken = store.last_spoken(company).await.unwrap();
    assert_eq!(
        spoken,
        [(FallbackKind::NoMatchFound, 1), (FallbackKind::TechnicalIssue, 0)]
    );
    assert_eq!(
        store.next_rotation(company, FallbackKind::NoMatchFound).await.unwrap(),
        2
    );
    assert_eq!(store.next_rotation(company, FallbackKind::OutOfScope).await.unwrap(), 0);
    store.import(items(), now()).await.unwrap();
    assert_eq!(
        store.next_rotation(company, FallbackKind::NoMatchFound).await.unwrap(),
        3,
        "it goes on as it ran"
    );
}
