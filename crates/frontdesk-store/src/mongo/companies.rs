//! Companies: a document each, with what it is found by under `frontdesk`.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::{
        Fault,
        company::{Company, CompanySecrets},
        trade::TradeName,
    },
    ids::CompanyId,
    ledger::Account,
    money::PicoUsd,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use serde_json::Value;

use super::{
    MongoStore,
    failure::{Failure, Trouble, damaged, within},
    ledger, qnas, retention,
    revisions::{self, After, Before, Json, expect, limit},
    schema::{COMPANIES, ROTATIONS},
    singletons, templates,
    transaction::{Transaction, transaction},
    values::{Fields as _, META, object_id},
};
use crate::{
    common::documents,
    ports::{
        Changed, CompanyStore, CompanyWrite, Page, Rev, Seq, Singleton, StoreError, StoredCompany, WriteError, Written,
    },
    seal::Sealer,
};

pub(super) fn read(document: Document, sealer: &Sealer) -> Result<StoredCompany, Trouble> {
    let id: CompanyId = document.id("_id", "a company")?;
    let what = format!("company {id}");
    let sealed = document.part(META, &what)?.get_binary_generic("secrets").ok();
    let secrets = documents::unseal(id, sealed.map(Vec::as_slice), sealer)
        .map_err(|error| damaged(format_args!("the secrets of {what}"), error))?;
    Ok(StoredCompany {
        document: revisions::stored(document, &what)?,
        secrets,
    })
}

pub(super) async fn find(store: &MongoStore, id: CompanyId) -> Result<Option<StoredCompany>, Trouble> {
    let found = store
        .collection(COMPANIES)
        .find_one(doc! { "_id": object_id(id) })
        .await?;
    found.map(|document| read(document, &store.sealer)).transpose()
}

/// The company as a transaction sees it.
pub(super) async fn find_in(
    transaction: &mut Transaction<'_>,
    id: CompanyId,
) -> Result<Option<StoredCompany>, Trouble> {
    let found = transaction.find(COMPANIES, doc! { "_id": object_id(id) }).await?;
    let sealer = &transaction.store.sealer;
    found.map(|document| read(document, sealer)).transpose()
}

pub(super) async fn exists(transaction: &mut Transaction<'_>, id: CompanyId) -> Result<bool, Trouble> {
    Ok(before(transaction, id).await?.is_some())
}

pub(super) async fn before(transaction: &mut Transaction<'_>, id: CompanyId) -> Result<Option<Before>, Trouble> {
    let found = transaction.meta(COMPANIES, object_id(id)).await?;
    found.map(|document| Before::of(&document, "a company")).transpose()
}

/// Lets go of a company's numbers, so that others may take them in the same transaction.
pub(super) async fn release_numbers(transaction: &mut Transaction<'_>, id: CompanyId) -> Result<(), Trouble> {
    let release = doc! { "$unset": { "frontdesk.numbers": "" } };
    transaction
        .update(COMPANIES, doc! { "_id": object_id(id) }, release)
        .await
}

/// The first of a company's numbers that another company has.
pub(super) async fn taken_number(
    transaction: &mut Transaction<'_>,
    company: &Company,
) -> Result<Option<Fault>, Trouble> {
    for (at, number) in company.numbers().enumerate() {
        let of_another = doc! {
            "frontdesk.numbers": number.to_string(),
            "_id": { "$ne": object_id(company.id) },
        };
        if let Some(owner) = transaction.find(COMPANIES, of_another).await? {
            let owner: CompanyId = owner.id("_id", "a company")?;
            return Ok(Some(documents::taken_number(at, number, &owner.to_string())));
        }
    }
    Ok(None)
}

/// A fault for each reference to a template that does not exist.
pub(super) async fn unknown_references(
    transaction: &mut Transaction<'_>,
    company: &Company,
    json: &Json,
) -> Result<Vec<Fault>, Trouble> {
    let mut faults = Vec::new();
    for reference in &company.template_references {
        if templates::before(transaction, reference.template).await?.is_none() {
            faults.push(documents::no_template(json, reference.template));
        }
    }
    Ok(faults)
}

pub(super) async fn put(
    transaction: &mut Transaction<'_>,
    company: &Company,
    json: &Json,
    secrets: &CompanySecrets,
    after: After,
) -> Result<Seq, Trouble> {
    let mut numbers: Vec<String> = company.numbers().map(|number| number.to_string()).collect();
    numbers.sort();
    numbers.dedup();
    let templates = company.template_references.iter();
    let templates: Vec<Bson> = templates.map(|reference| object_id(reference.template)).collect();
    let trades: Vec<&str> = company.trades.iter().map(TradeName::as_str).collect();
    let mut meta = after.meta();
    if !numbers.is_empty() {
        meta.insert("numbers", numbers);
    }
    meta.insert("templates", templates);
    meta.insert("trades", trades);
    if let Some(bytes) = documents::seal(company.id, secrets, &transaction.store.sealer) {
        let subtype = BinarySubtype::Generic;
        meta.insert("secrets", Binary { subtype, bytes });
    }
    transaction.put(COMPANIES, object_id(company.id), json, meta).await?;
    let budget = monthly_budget(json, company.id)?;
    ledger::set_limit(transaction, Account::Company(company.id), budget).await?;
    Ok(transaction.note(Changed::Company(company.id)))
}

/// A company's limit as its document has it. Nothing if it sets none.
fn monthly_budget(json: &Json, id: CompanyId) -> Result<PicoUsd, Trouble> {
    let gatekeeper = json
        .get("aiAgentLogic")
        .and_then(|logic| logic.get("templateGatekeeper"));
    let what = || format!("the monthly budget of company {id}");
    match gatekeeper.and_then(|gatekeeper| gatekeeper.get("monthlyBudget")) {
        None | Some(Value::Null) => Ok(PicoUsd::ZERO),
        Some(Value::String(text)) => text.parse().map_err(|error| damaged(what(), error)),
        Some(_) => Err(damaged(what(), "it is no text")),
    }
}

/// Refuses numbers of others and references to nothing, then writes.
async fn check_and_put(
    transaction: &mut Transaction<'_>,
    write: &CompanyWrite,
    after: After,
) -> Result<Written, Failure<WriteError>> {
    let CompanyWrite { company, json, secrets } = write;
    if let Some(Fault { pointer, detail }) = taken_number(transaction, company).await? {
        return Err(Failure::Refused(WriteError::Taken { pointer, detail }));
    }
    let faults = unknown_references(transaction, company, json).await?;
    if !faults.is_empty() {
        return Err(Failure::Refused(WriteError::UnknownReference(faults)));
    }
    let seq = put(transaction, company, json, secrets, after).await?;
    Ok(after.written(seq))
}

async fn insert(transaction: &mut Transaction<'_>, write: &CompanyWrite) -> Result<Written, Failure<WriteError>> {
    let id = write.company.id;
    if exists(transaction, id).await? {
        return Err(Failure::Refused(documents::taken_id("company", "/_id", &id)));
    }
    let after = After::of(None, transaction.store.now());
    check_and_put(transaction, write, after).await
}

async fn replace(
    transaction: &mut Transaction<'_>,
    write: &CompanyWrite,
    expected: Rev,
) -> Result<Written, Failure<WriteError>> {
    let before = before(transaction, write.company.id).await?;
    let before = expect(before, Some(expected)).map_err(Failure::Refused)?;
    let after = After::of(Some(before), transaction.store.now());
    check_and_put(transaction, write, after).await
}

async fn delete(
    transaction: &mut Transaction<'_>,
    id: CompanyId,
    expected: Option<Rev>,
) -> Result<Seq, Failure<WriteError>> {
    expect(before(transaction, id).await?, expected).map_err(Failure::Refused)?;
    qnas::delete_all(transaction, id).await?;
    singletons::delete(transaction, &Singleton::Overlay(id)).await?;
    retention::remember(transaction, id).await?;
    transaction
        .delete(ROTATIONS, doc! { "companyId": object_id(id) })
        .await?;
    transaction.delete(COMPANIES, doc! { "_id": object_id(id) }).await?;
    ledger::set_limit(transaction, Account::Company(id), PicoUsd::ZERO).await?;
    Ok(transaction.note(Changed::Company(id)))
}

#[async_trait]
impl CompanyStore for MongoStore {
    async fn company(&self, id: CompanyId) -> Result<Option<StoredCompany>, StoreError> {
        within("read a company", self.options.operator_deadline, find(self, id)).await
    }

    async fn companies(&self, page: Page<CompanyId>) -> Result<Vec<StoredCompany>, StoreError> {
        within("list companies", self.options.operator_deadline, async {
            let after = page.after.map(|id| doc! { "_id": { "$gt": object_id(id) } });
            let collection = self.collection(COMPANIES);
            let found = collection.find(after.unwrap_or_default());
            let found = found.sort(doc! { "_id": 1 }).limit(limit(page.limit)).await?;
            let found: Vec<Document> = found.try_collect().await?;
            found.into_iter().map(|document| read(document, &self.sealer)).collect()
        })
        .await
    }

    async fn company_by_number(&self, number: &str) -> Result<Option<CompanyId>, StoreError> {
        within("find the company of a number", self.options.turn_deadline, async {
            let found = self
                .collection(COMPANIES)
                .find_one(doc! { "frontdesk.numbers": number })
                .projection(doc! { "_id": 1 })
                .await?;
            found.map(|company| company.id("_id", "a company")).transpose()
        })
        .await
    }

    async fn insert_company(&self, write: CompanyWrite) -> Result<Written, WriteError> {
        transaction!(self, "make a company", self.options.operator_deadline, |transaction| {
            insert(transaction, &write)
        })
        .await
    }

    async fn replace_company(&self, write: CompanyWrite, expected: Rev) -> Result<Written, WriteError> {
        transaction!(self, "write a company", self.options.operator_deadline, |transaction| {
            replace(transaction, &write, expected)
        })
        .await
    }

    async fn delete_company(&self, id: CompanyId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        transaction!(
            self,
            "delete a company",
            self.options.operator_deadline,
            |transaction| delete(transaction, id, expected)
        )
        .await
    }
}
