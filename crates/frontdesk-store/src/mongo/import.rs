//! Imports: all documents or none, in one transaction.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::{
        Fault, Faults,
        company::{Company, Opening, SecretChanges},
    },
    ids::LedgerEntryId,
    time::Timestamp,
};

use super::{
    IMPORT, MongoStore, companies,
    failure::{Failure, Trouble},
    ledger, qnas,
    revisions::{After, Json},
    rotations, singletons, templates,
    transaction::{Transaction, transaction},
    values,
};
use crate::{
    common::documents,
    ports::{Changed, ImportError, ImportItem, ImportStore, QnaOwner, Seq, Singleton},
};

/// What became of an item: its change, or why it cannot be written.
type Put = Result<(Seq, Changed), Vec<Fault>>;

async fn import(
    transaction: &mut Transaction<'_>,
    items: &[ImportItem],
    now: Timestamp,
) -> Result<Vec<(Seq, Changed)>, Failure<ImportError>> {
    // Companies of one import may exchange numbers, so all let go of theirs first.
    for item in items {
        if let ImportItem::Company { company, .. } = item {
            companies::release_numbers(transaction, company.id).await?;
        }
    }
    let mut faults = Vec::new();
    let mut done = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        match put(transaction, item, now).await? {
            Ok(change) => done.push(change),
            Err(refused) => faults.extend(refused.into_iter().map(|fault| (at, fault))),
        }
    }
    for (at, item) in items.iter().enumerate() {
        let dangling = dangling(transaction, item).await?;
        faults.extend(dangling.into_iter().map(|fault| (at, fault)));
    }
    if !faults.is_empty() {
        faults.sort_by_key(|(at, _)| *at);
        return Err(Failure::Refused(ImportError::Refused(faults)));
    }
    Ok(documents::last_of_each(done))
}

async fn put(transaction: &mut Transaction<'_>, item: &ImportItem, now: Timestamp) -> Result<Put, Trouble> {
    let written_at = values::as_stored(now);
    Ok(Ok(match item {
        ImportItem::Company {
            company,
            json,
            secrets,
            opening,
        } => return put_company(transaction, company, json, secrets, opening, now).await,
        ImportItem::Template(id, json) => {
            let after = After::of(templates::before(transaction, *id).await?, written_at);
            let seq = templates::put(transaction, *id, json, after).await?;
            (seq, Changed::Template(*id))
        }
        ImportItem::Qna(owner, id, json) => {
            let (before, position) = qnas::before(transaction, owner, id).await?.unzip();
            let after = After::of(before, written_at);
            let seq = qnas::put(transaction, owner, id, json, position, after).await?;
            (seq, Changed::Qna(owner.clone()))
        }
        ImportItem::Singleton(which, json) => {
            let after = After::of(singletons::before(transaction, which).await?, written_at);
            let seq = singletons::put(transaction, which, json, after).await?;
            (seq, Changed::Singleton(which.clone()))
        }
    }))
}

async fn put_company(
    transaction: &mut Transaction<'_>,
    company: &Company,
    json: &Json,
    secrets: &SecretChanges,
    opening: &Opening,
    now: Timestamp,
) -> Result<Put, Trouble> {
    let id = company.id;
    if let Some(fault) = companies::taken_number(transaction, company).await? {
        return Ok(Err(vec![fault]));
    }
    let before = companies::before(transaction, id).await?;
    let stored = companies::find_in(transaction, id).await?;
    let stored = stored.map(|stored| stored.secrets).unwrap_or_default();
    let secrets = match secrets.clone().apply(&stored) {
        Ok(secrets) => secrets,
        Err(Faults(refused)) => return Ok(Err(refused)),
    };
    let after = After::of(before, values::as_stored(now));
    let seq = companies::put(transaction, company, json, &secrets, after).await?;
    rotations::open(transaction, id, opening.last_used).await?;
    let entry = LedgerEntryId::from(transaction.store.ids.make());
    ledger::open(transaction, entry, company, opening, now).await?;
    Ok(Ok((seq, Changed::Company(id))))
}

/// What an item refers to and is not there when all items are written.
async fn dangling(transaction: &mut Transaction<'_>, item: &ImportItem) -> Result<Vec<Fault>, Trouble> {
    match item {
        ImportItem::Company { company, json, .. } => companies::unknown_references(transaction, company, json).await,
        ImportItem::Qna(QnaOwner::Company(id), ..) | ImportItem::Singleton(Singleton::Overlay(id), _) => {
            let exists = companies::exists(transaction, *id).await?;
            Ok(if exists {
                Vec::new()
            } else {
                vec![documents::no_company(*id)]
            })
        }
        ImportItem::Template(..) | ImportItem::Qna(..) | ImportItem::Singleton(..) => Ok(Vec::new()),
    }
}

#[async_trait]
impl ImportStore for MongoStore {
    async fn import(&self, items: Vec<ImportItem>, now: Timestamp) -> Result<Vec<(Seq, Changed)>, ImportError> {
        transaction!(self, "import documents", IMPORT, |transaction| import(
            transaction,
            &items,
            now
        ))
        .await
    }
}
