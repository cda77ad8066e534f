use frontdesk_domain::{documents::trade::TradeName, ids::TemplateId};
use frontdesk_store::ports::{Changed, KnownTemplates, Page, QnaOwner, Singleton, Stamp, TemplateState};
use serde_json::json;

use super::Given;
use crate::support::{company, company_document, id, object, qna, template, write_of};

pub(crate) async fn a_snapshot_holds_all_changes_up_to_its_number(given: &Given) {
    let store = &given.store;
    let empty = store.company_snapshot(id(1)).await.unwrap();
    assert!(empty.company.is_none());
    let written = store.insert_company(company(1)).await.unwrap();
    assert!(empty.as_of < written.seq);
    let snapshot = store.company_snapshot(id(1)).await.unwrap();
    assert_eq!(snapshot.as_of, written.seq);
    assert_eq!(snapshot.company.unwrap().document.rev, 1);
    let other = store.insert_company(company(2)).await.unwrap();
    assert_eq!(store.platform_snapshot().await.unwrap().as_of, other.seq);
    assert_eq!(store.newest().await.unwrap(), other.seq);
}

/// Puts the templates 10, 11 and 12.
async fn insert_templates(given: &Given) {
    for number in [10, 11, 12] {
        let document = template(number, "open");
        given.store.insert_template(id(number), document).await.unwrap();
    }
}

pub(crate) async fn knowledge_comes_in_effective_order(given: &Given) {
    let store = &given.store;
    insert_templates(given).await;
    let reference = |number: u32, enabled: bool, priority: u32| json!({ "templateId": template(number, "")["_id"], "enabled": enabled, "priority": priority });
    let mut document = company_document(1, &[]);
    let references = json!([reference(11, true, 2), reference(10, false, 1), reference(12, true, 1)]);
    document["aiAgentSettings"]["templateReferences"] = references;
    document["trades"] = json!(["Optics", "dental"]);
    let write = write_of(&document);
    let company = write.company.clone();
    store.insert_company(write).await.unwrap();
    for (owner, name) in [
        (QnaOwner::Company(id(1)), "own"),
        (QnaOwner::Trade(TradeName::new("Dental")), "teeth"),
        (QnaOwner::Trade(TradeName::new("Boats")), "boats"),
    ] {
        let (qna_id, json) = qna(name, "Yes.");
        store.insert_qna(&owner, &qna_id, json).await.unwrap();
    }
    store
        .put_singleton(
            &Singleton::Overlay(id(1)),
            object(json!({ "fillerWords": ["um"] })),
            None,
        )
        .await
        .unwrap();
    let snapshot = store
        .knowledge_snapshot(&company, &KnownTemplates::new())
        .await
        .unwrap();
    assert_eq!(snapshot.as_of, store.newest().await.unwrap());
    assert_eq!(
        snapshot.templates.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [id(12), id(11)]
    );
    assert_eq!(snapshot.company_qna.qnas[0].json["id"], "own");
    let trades: Vec<_> = snapshot
        .trade_qna
        .iter()
        .map(|(trade, set)| (trade.key(), set.qnas.len()))
        .collect();
    assert_eq!(trades, [("optics", 0), ("dental", 1)]);
    assert_eq!(snapshot.overlay.unwrap().json["fillerWords"], json!(["um"]));
}

/// Templates that whoever asks knows are read again only if they are others: changed, or deleted and made again.
pub(crate) async fn what_is_known_of_templates_is_left_out(given: &Given) {
    let store = &given.store;
    insert_templates(given).await;
    let reference =
        |number: u32| json!({ "templateId": template(number, "")["_id"], "enabled": true, "priority": number });
    let mut document = company_document(1, &[]);
    document["aiAgentSettings"]["templateReferences"] = json!([reference(10), reference(11), reference(12)]);
    let company = write_of(&document).company;
    let read = async |known: &KnownTemplates| store.knowledge_snapshot(&company, known).await.unwrap().templates;
    let first = read(&KnownTemplates::new()).await;
    let known: KnownTemplates = first
        .iter()
        .map(|(id, state)| match state {
            TemplateState::Read(stored) => (*id, Stamp::of(stored)),
            TemplateState::Known => panic!("nothing was known"),
        })
        .collect();
    assert_eq!(known.len(), 3);
    let is_known = |found: &[(TemplateId, TemplateState)]| -> Vec<bool> {
        found.iter().map(|(_, state)| *state == TemplateState::Known).collect()
    };
    let again = read(&known).await;
    // A store may read them all the same, but never says that it knows what is another.
    assert!(
        again
            .iter()
            .zip(&first)
            .all(|(again, first)| again.0 == first.0 && (again.1 == TemplateState::Known || again == first))
    );
    store.replace_template(id(11), template(11, "shut"), 1).await.unwrap();
    store.delete_template(id(12), None).await.unwrap();
    let changed = read(&known).await;
    assert_eq!(changed.len(), 2);
    assert!(!is_known(&changed)[1]);
    store.insert_template(id(12), template(12, "shut")).await.unwrap();
    let made_again = read(&known).await;
    assert_eq!(made_again.len(), 3);
    assert_eq!(is_known(&made_again)[1..], [false, false]);
    let TemplateState::Read(stored) = &made_again[2].1 else {
        panic!("it is another one")
    };
    assert!(serde_json::to_string(&stored.json).unwrap().contains("shut"));
}

pub(crate) async fn every_write_is_told_to_others(given: &Given) {
    let (store, other) = (&given.store, (given.reopen)().await);
    let start = other.newest().await.unwrap();
    let own = QnaOwner::Company(id(1));
    let (qna_id, json) = qna("hours", "Eight.");
    store.insert_template(id(10), template(10, "open")).await.unwrap();
    store.insert_company(company(1)).await.unwrap();
    store.replace_company(company(1), 1).await.unwrap();
    store.insert_qna(&own, &qna_id, json.clone()).await.unwrap();
    store.replace_qna(&own, &qna_id, json.clone(), 1).await.unwrap();
    store.delete_qna(&own, &qna_id, None).await.unwrap();
    store.insert_qna(&own, &qna_id, json).await.unwrap();
    store
        .put_singleton(&Singleton::Overlay(id(1)), object(json!({})), None)
        .await
        .unwrap();
    store
        .put_singleton(&Singleton::Prompts("en-US".into()), object(json!({})), None)
        .await
        .unwrap();
    store.replace_template(id(10), template(10, "shut"), 1).await.unwrap();
    store.delete_template(id(10), None).await.unwrap();
    let heard = other.changes_after(start).await.unwrap();
    let (company, set) = (Changed::Company(id(1)), Changed::Qna(own));
    let overlay = Changed::Singleton(Singleton::Overlay(id(1)));
    let prompts = Changed::Singleton(Singleton::Prompts("en-US".into()));
    let template = Changed::Template(id(10));
    let want = [
        &template, &company, &company, &set, &set, &set, &set, &overlay, &prompts, &template, &template,
    ];
    assert_eq!(heard.iter().map(|(_, changed)| changed).collect::<Vec<_>>(), want);
    assert!(heard.is_sorted_by(|(one, _), (next, _)| one < next));
    let last = heard.last().unwrap().0;
    assert!(other.changes_after(last).await.unwrap().is_empty());
    assert_eq!(
        other.changes_after(last - 1).await.unwrap().len(),
        1,
        "asking again is allowed"
    );
    let seq = store.delete_company(id(1), None).await.unwrap();
    let heard = other.changes_after(last).await.unwrap();
    let told: std::collections::BTreeSet<_> = heard.iter().map(|(_, changed)| changed.clone()).collect();
    assert_eq!(told, [company, set, overlay].into());
    assert_eq!(heard.last().unwrap().0, seq);
}

pub(crate) async fn a_set_of_qnas_never_falls_back(given: &Given) {
    let store = &given.store;
    let owner = QnaOwner::Company(id(1));
    let rev = async || {
        store
            .knowledge_snapshot(&company(1).company, &KnownTemplates::new())
            .await
            .unwrap()
            .company_qna
            .rev
    };
    store.insert_company(company(1)).await.unwrap();
    assert_eq!(rev().await, 0);
    let (qna_id, json) = qna("hours", "Eight.");
    store.insert_qna(&owner, &qna_id, json.clone()).await.unwrap();
    store.delete_qna(&owner, &qna_id, None).await.unwrap();
    assert_eq!(rev().await, 2);
    store.insert_qna(&owner, &qna_id, json.clone()).await.unwrap();
    store.delete_company(id(1), None).await.unwrap();
    store.insert_company(company(1)).await.unwrap();
    store.insert_qna(&owner, &qna_id, json).await.unwrap();
    assert_eq!(rev().await, 5);
    assert_eq!(
        store.qnas(&owner, Page { after: None, limit: 9 }).await.unwrap().len(),
        1
    );
}

pub(crate) async fn the_catalogue_says_who_uses_a_template(given: &Given) {
    let store = &given.store;
    for number in [11, 10] {
        store
            .insert_template(id(number), template(number, "open"))
            .await
            .unwrap();
    }
    for number in [1, 2] {
        store
            .insert_company(write_of(&company_document(number, &[10])))
            .await
            .unwrap();
    }
    let mut document = company_document(3, &[10]);
    document["trades"] = json!(["Optics", "Boats"]);
    store.insert_company(write_of(&document)).await.unwrap();
    let catalogue = store.catalogue_snapshot().await.unwrap();
    assert_eq!(catalogue.as_of, store.newest().await.unwrap());
    assert_eq!(
        catalogue.templates.iter().map(|one| one.id).collect::<Vec<_>>(),
        [id(10), id(11)]
    );
    let mut users = catalogue.templates[0].users.clone();
    users.sort();
    let names = |names: &[&str]| names.iter().map(|name| TradeName::new(name)).collect::<Vec<_>>();
    assert_eq!(users, [names(&["Dental"]), names(&["Optics", "Boats"])]);
    assert!(catalogue.templates[1].users.is_empty());
}
