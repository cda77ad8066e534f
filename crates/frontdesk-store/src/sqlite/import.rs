//! Imports: all documents or none.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::{Fault, Faults},
    ids::{CompanyId, LedgerEntryId},
    time::Timestamp,
};
use rusqlite::Connection;

use super::{
    IMPORT, SqliteStore, companies, failure::Failure, ledger, qnas, rotations, rows::After, singletons, templates,
};
use crate::{
    common::documents,
    ports::{Changed, ImportError, ImportItem, ImportStore, QnaOwner, Seq, Singleton},
    seal::Sealer,
    system::ObjectIds,
};

/// Faults by the index of their item.
type Refused = Vec<(usize, Fault)>;

fn import(
    connection: &Connection,
    items: &[ImportItem],
    now: Timestamp,
    sealer: &Sealer,
    ids: &ObjectIds,
) -> Result<Vec<(Seq, Changed)>, Failure<Refused>> {
    // Companies of one import may exchange numbers, so all let go of theirs first.
    for item in items {
        if let ImportItem::Company { company, .. } = item {
            companies::unlink(connection, company.id)?;
        }
    }
    let mut faults = Refused::new();
    let mut done = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let (seq, changed) = match item {
            ImportItem::Company {
                company,
                json,
                secrets,
                opening,
            } => {
                let id = company.id;
                if let Some(fault) = companies::taken_number(connection, company)? {
                    faults.push((at, fault));
                    continue;
                }
                let stored = companies::find(connection, id, sealer)?;
                let before = stored.map(|stored| stored.secrets).unwrap_or_default();
                let secrets = match secrets.clone().apply(&before) {
                    Ok(secrets) => secrets,
                    Err(Faults(refused)) => {
                        faults.extend(refused.into_iter().map(|fault| (at, fault)));
                        continue;
                    }
                };
                let after = After::of(companies::before(connection, id)?, now);
                let seq = companies::put(connection, company, json, &secrets, after, sealer)?;
                rotations::open(connection, id, opening.last_used)?;
                ledger::open(connection, LedgerEntryId::from(ids.make()), company, opening, now)?;
                (seq, Changed::Company(id))
            }
            ImportItem::Template(id, json) => {
                let after = After::of(templates::before(connection, *id)?, now);
                (templates::put(connection, *id, json, after)?, Changed::Template(*id))
            }
            ImportItem::Qna(owner, id, json) => {
                let after = After::of(qnas::before(connection, owner, id)?, now);
                (
                    qnas::put(connection, owner, id, json, after)?,
                    Changed::Qna(owner.clone()),
                )
            }
            ImportItem::Singleton(which, json) => {
                let after = After::of(singletons::before(connection, which)?, now);
                (
                    singletons::put(connection, which, json, after)?,
                    Changed::Singleton(which.clone()),
                )
            }
        };
        done.push((seq, changed));
    }
    for (at, item) in items.iter().enumerate() {
        for fault in dangling(connection, item)? {
            faults.push((at, fault));
        }
    }
    if !faults.is_empty() {
        faults.sort_by_key(|(at, _)| *at);
        return Err(Failure::Refused(faults));
    }
    Ok(documents::last_of_each(done))
}

/// What an item refers to and is not there when all items are written.
fn dangling(connection: &Connection, item: &ImportItem) -> rusqlite::Result<Vec<Fault>> {
    let no_company = |id: CompanyId| -> rusqlite::Result<Vec<Fault>> {
        if companies::exists(connection, id)? {
            return Ok(Vec::new());
        }
        Ok(vec![documents::no_company(id)])
    };
    match item {
        ImportItem::Company { company, json, .. } => companies::unknown_references(connection, company, json),
        ImportItem::Qna(QnaOwner::Company(id), ..) | ImportItem::Singleton(Singleton::Overlay(id), _) => {
            no_company(*id)
        }
        ImportItem::Template(..) | ImportItem::Qna(..) | ImportItem::Singleton(..) => Ok(Vec::new()),
    }
}

#[async_trait]
impl ImportStore for SqliteStore {
    async fn import(&self, items: Vec<ImportItem>, now: Timestamp) -> Result<Vec<(Seq, Changed)>, ImportError> {
        let (sealer, ids) = (self.sealer.clone(), self.ids.clone());
        let work = move |connection: &Connection| import(connection, &items, now, &sealer, &ids);
        let imported = self.writer.run("import documents", IMPORT, work).await?;
        self.writer.checkpoint();
        imported.map_err(ImportError::Refused)
    }
}
