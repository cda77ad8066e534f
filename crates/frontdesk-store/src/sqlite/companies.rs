//! Companies, with their numbers, references and secrets.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::{
        Fault,
        company::{Company, CompanySecrets},
        trade::TradeName,
    },
    ids::CompanyId,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    SqliteStore, changes,
    failure::{Failure, damaged},
    qnas, retention,
    rows::{self, After, Before, Json, expect, limit},
    singletons, templates,
};
use crate::{
    common::documents,
    ports::{
        Changed, CompanyStore, CompanyWrite, Page, Rev, Seq, Singleton, StoreError, StoredCompany, WriteError, Written,
    },
    seal::Sealer,
};

/// Reads a row of `json, rev, created_at, updated_at, id, secrets`.
fn read(row: &Row<'_>, sealer: &Sealer) -> rusqlite::Result<StoredCompany> {
    let id: CompanyId = row
        .get_ref(4)?
        .as_str()?
        .parse()
        .map_err(|error| damaged("a company's id", error))?;
    let document = rows::stored(row, format_args!("company {id}"))?;
    let sealed = row.get_ref(5)?.as_blob_or_null()?;
    let secrets = documents::unseal(id, sealed, sealer)
        .map_err(|error| damaged(format_args!("the secrets of company {id}"), error))?;
    Ok(StoredCompany { document, secrets })
}

pub(super) fn find(connection: &Connection, id: CompanyId, sealer: &Sealer) -> rusqlite::Result<Option<StoredCompany>> {
    let sql = "SELECT json, rev, created_at, updated_at, id, secrets FROM companies WHERE id = ?1";
    connection
        .prepare_cached(sql)?
        .query_row([id.to_string()], |row| read(row, sealer))
        .optional()
}

pub(super) fn exists(connection: &Connection, id: CompanyId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM companies WHERE id = ?1")?
        .exists([id.to_string()])
}

pub(super) fn before(connection: &Connection, id: CompanyId) -> rusqlite::Result<Option<Before>> {
    let mut statement = connection.prepare_cached("SELECT rev, created_at FROM companies WHERE id = ?1")?;
    statement.query_row([id.to_string()], Before::read).optional()
}

/// Lets go of a company's numbers and references.
pub(super) fn unlink(connection: &Connection, id: CompanyId) -> rusqlite::Result<()> {
    let id = id.to_string();
    connection
        .prepare_cached("DELETE FROM company_numbers WHERE company_id = ?1")?
        .execute([&id])?;
    connection
        .prepare_cached("DELETE FROM company_templates WHERE company_id = ?1")?
        .execute([&id])?;
    Ok(())
}

/// The first of a company's numbers that another company has.
pub(super) fn taken_number(connection: &Connection, company: &Company) -> rusqlite::Result<Option<Fault>> {
    let mut statement =
        connection.prepare_cached("SELECT company_id FROM company_numbers WHERE number = ?1 AND company_id <> ?2")?;
    let id = company.id.to_string();
    for (at, number) in company.numbers().enumerate() {
        let owner: Option<String> = statement
            .query_row([&number.to_string(), &id], |row| row.get(0))
            .optional()?;
        if let Some(owner) = owner {
            return Ok(Some(documents::taken_number(at, number, &owner)));
        }
    }
    Ok(None)
}

/// A fault for each reference to a template that does not exist.
pub(super) fn unknown_references(
    connection: &Connection,
    company: &Company,
    json: &Json,
) -> rusqlite::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for reference in &company.template_references {
        if !templates::exists(connection, reference.template)? {
            faults.push(documents::no_template(json, reference.template));
        }
    }
    Ok(faults)
}

pub(super) fn put(
    connection: &Connection,
    company: &Company,
    json: &Json,
    secrets: &CompanySecrets,
    after: After,
    sealer: &Sealer,
) -> rusqlite::Result<Seq> {
    let sql = "INSERT INTO companies (id, json, secrets, trades, rev, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO UPDATE SET json = excluded.json, secrets = excluded.secrets, trades = excluded.trades,
            rev = excluded.rev, updated_at = excluded.updated_at";
    let id = company.id.to_string();
    let secrets = documents::seal(company.id, secrets, sealer);
    let After {
        rev,
        created_at,
        updated_at,
    } = after;
    let text = rows::to_json(json)?;
    let trades: Vec<&str> = company.trades.iter().map(TradeName::as_str).collect();
    let trades = rows::to_json(&trades)?;
    connection
        .prepare_cached(sql)?
        .execute(params![id, text, secrets, trades, rev, created_at, updated_at])?;
    unlink(connection, company.id)?;
    let mut numbers = connection.prepare_cached("INSERT INTO company_numbers (number, company_id) VALUES (?1, ?2)")?;
    for number in company.numbers() {
        numbers.execute([&number.to_string(), &id])?;
    }
    let mut references = connection
        .prepare_cached("INSERT OR IGNORE INTO company_templates (template_id, company_id) VALUES (?1, ?2)")?;
    for reference in &company.template_references {
        references.execute([&reference.template.to_string(), &id])?;
    }
    changes::note(connection, &Changed::Company(company.id))
}

/// Refuses numbers of others and references to nothing, then writes.
fn check_and_put(
    connection: &Connection,
    write: &CompanyWrite,
    after: After,
    sealer: &Sealer,
) -> Result<Written, Failure<WriteError>> {
    let CompanyWrite { company, json, secrets } = write;
    if let Some(Fault { pointer, detail }) = taken_number(connection, company)? {
        return Err(Failure::Refused(WriteError::Taken { pointer, detail }));
    }
    let faults = unknown_references(connection, company, json)?;
    if !faults.is_empty() {
        return Err(Failure::Refused(WriteError::UnknownReference(faults)));
    }
    let seq = put(connection, company, json, secrets, after, sealer)?;
    Ok(after.written(seq)?)
}

#[async_trait]
impl CompanyStore for SqliteStore {
    async fn company(&self, id: CompanyId) -> Result<Option<StoredCompany>, StoreError> {
        let sealer = self.sealer.clone();
        self.read("read a company", move |connection| find(connection, id, &sealer))
            .await
    }

    async fn companies(&self, page: Page<CompanyId>) -> Result<Vec<StoredCompany>, StoreError> {
        let sealer = self.sealer.clone();
        self.read("list companies", move |connection| {
            let sql = "SELECT json, rev, created_at, updated_at, id, secrets FROM companies
                WHERE id > ?1 ORDER BY id LIMIT ?2";
            let after = page.after.map(|id| id.to_string()).unwrap_or_default();
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_map(params![after, limit(page.limit)], |row| read(row, &sealer))?
                .collect()
        })
        .await
    }

    async fn company_by_number(&self, number: &str) -> Result<Option<CompanyId>, StoreError> {
        let number = number.to_owned();
        self.read_for_turn("find the company of a number", move |connection| {
            let sql = "SELECT company_id FROM company_numbers WHERE number = ?1";
            let found = connection.prepare_cached(sql)?.query_row([number], |row| {
                row.get_ref(0)?
                    .as_str()?
                    .parse()
                    .map_err(|error| damaged("a company's id", error))
            });
            found.optional()
        })
        .await
    }

    async fn insert_company(&self, write: CompanyWrite) -> Result<Written, WriteError> {
        let sealer = self.sealer.clone();
        self.write("make a company", move |connection, now| {
            let id = write.company.id;
            if exists(connection, id)? {
                return Err(Failure::Refused(documents::taken_id("company", "/_id", &id)));
            }
            check_and_put(connection, &write, After::of(None, now), &sealer)
        })
        .await
    }

    async fn replace_company(&self, write: CompanyWrite, expected: Rev) -> Result<Written, WriteError> {
        let sealer = self.sealer.clone();
        self.write("write a company", move |connection, now| {
            let before = before(connection, write.company.id)?;
            let before = expect(before, Some(expected)).map_err(Failure::Refused)?;
            check_and_put(connection, &write, After::of(Some(before), now), &sealer)
        })
        .await
    }

    async fn delete_company(&self, id: CompanyId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        self.write("delete a company", move |connection, _| {
            expect(before(connection, id)?, expected).map_err(Failure::Refused)?;
            unlink(connection, id)?;
            qnas::delete_all(connection, id)?;
            singletons::delete(connection, &Singleton::Overlay(id))?;
            let id_text = id.to_string();
            retention::remember(connection, &id_text)?;
            connection
                .prepare_cached("DELETE FROM rotations WHERE company_id = ?1")?
                .execute([&id_text])?;
            connection
                .prepare_cached("DELETE FROM companies WHERE id = ?1")?
                .execute([&id_text])?;
            Ok(changes::note(connection, &Changed::Company(id))?)
        })
        .await
    }
}
