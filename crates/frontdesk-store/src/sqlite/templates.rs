//! Templates.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    documents::trade::TradeName,
    ids::{CompanyId, TemplateId},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    SqliteStore, changes,
    failure::{Failure, damaged},
    rows::{self, After, Before, Json, expect, limit},
};
use crate::common::documents;
use crate::ports::{
    CatalogueTemplate, Changed, Page, Rev, Seq, Stamp, StoreError, Stored, TemplateState, TemplateStore, WriteError,
    Written,
};

pub(super) fn find(connection: &Connection, id: TemplateId) -> rusqlite::Result<Option<Stored>> {
    let mut statement =
        connection.prepare_cached("SELECT json, rev, created_at, updated_at FROM templates WHERE id = ?1")?;
    statement
        .query_row([id.to_string()], |row| rows::stored(row, format_args!("template {id}")))
        .optional()
}

/// A template, of which something may be known.
pub(super) fn state(
    connection: &Connection,
    id: TemplateId,
    known: Option<Stamp>,
) -> rusqlite::Result<Option<TemplateState>> {
    if let Some(known) = known {
        let mut statement =
            connection.prepare_cached("SELECT rev, created_at, updated_at FROM templates WHERE id = ?1")?;
        let stamp = statement.query_row([id.to_string()], |row| {
            Ok(Stamp {
                rev: row.get(0)?,
                created_at: rows::time(row.get(1)?)?,
                updated_at: rows::time(row.get(2)?)?,
            })
        });
        match stamp.optional()? {
            None => return Ok(None),
            Some(stamp) if stamp == known => return Ok(Some(TemplateState::Known)),
            Some(_) => {}
        }
    }
    Ok(find(connection, id)?.map(TemplateState::Read))
}

pub(super) fn exists(connection: &Connection, id: TemplateId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM templates WHERE id = ?1")?
        .exists([id.to_string()])
}

pub(super) fn before(connection: &Connection, id: TemplateId) -> rusqlite::Result<Option<Before>> {
    let mut statement = connection.prepare_cached("SELECT rev, created_at FROM templates WHERE id = ?1")?;
    statement.query_row([id.to_string()], Before::read).optional()
}

pub(super) fn put(connection: &Connection, id: TemplateId, json: &Json, after: After) -> rusqlite::Result<Seq> {
    let sql = "INSERT INTO templates (id, json, rev, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO UPDATE SET json = excluded.json, rev = excluded.rev, updated_at = excluded.updated_at";
    let After {
        rev,
        created_at,
        updated_at,
    } = after;
    let text = rows::to_json(json)?;
    connection
        .prepare_cached(sql)?
        .execute(params![id.to_string(), text, rev, created_at, updated_at])?;
    changes::note(connection, &Changed::Template(id))
}

/// The companies that refer to a template.
fn users(connection: &Connection, id: TemplateId) -> rusqlite::Result<Vec<(CompanyId, Arc<str>)>> {
    let sql = "SELECT companies.id, companies.json ->> '$.name' FROM company_templates
        JOIN companies ON companies.id = company_templates.company_id
        WHERE company_templates.template_id = ?1 ORDER BY companies.id";
    let mut statement = connection.prepare_cached(sql)?;
    let users = statement.query_map([id.to_string()], |row| {
        let company = row
            .get_ref(0)?
            .as_str()?
            .parse()
            .map_err(|error| damaged("a company's id", error))?;
        Ok((company, row.get_ref(1)?.as_str()?.into()))
    })?;
    users.collect()
}

/// All templates, and the trades of those who refer to each.
pub(super) fn catalogue(connection: &Connection) -> rusqlite::Result<Vec<CatalogueTemplate>> {
    let sql = "SELECT DISTINCT companies.trades FROM company_templates
        JOIN companies ON companies.id = company_templates.company_id WHERE company_templates.template_id = ?1";
    let mut users = connection.prepare_cached(sql)?;
    let sql = "SELECT json, rev, created_at, updated_at, id FROM templates ORDER BY id";
    let mut templates = connection.prepare_cached(sql)?;
    let listed = templates.query_map([], |row| {
        let id = row.get_ref(4)?.as_str()?;
        let read = users.query_map([id], |row| {
            let trades: Vec<String> = rows::from_json(row.get_ref(0)?.as_str()?, "a company's trades")?;
            Ok(trades.iter().map(|trade| TradeName::new(trade)).collect())
        })?;
        Ok(CatalogueTemplate {
            id: id.parse().map_err(|error| damaged("a template's id", error))?,
            stored: rows::stored(row, format_args!("template {id}"))?,
            users: read.collect::<rusqlite::Result<_>>()?,
        })
    })?;
    listed.collect()
}

#[async_trait]
impl TemplateStore for SqliteStore {
    async fn template(&self, id: TemplateId) -> Result<Option<Stored>, StoreError> {
        self.read("read a template", move |connection| find(connection, id))
            .await
    }

    async fn templates(&self, page: Page<TemplateId>) -> Result<Vec<Stored>, StoreError> {
        self.read("list templates", move |connection| {
            let sql = "SELECT json, rev, created_at, updated_at FROM templates WHERE id > ?1 ORDER BY id LIMIT ?2";
            let after = page.after.map(|id| id.to_string()).unwrap_or_default();
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_map(params![after, limit(page.limit)], |row| rows::stored(row, "a template"))?
                .collect()
        })
        .await
    }

    async fn insert_template(&self, id: TemplateId, json: Json) -> Result<Written, WriteError> {
        self.write("make a template", move |connection, now| {
            if before(connection, id)?.is_some() {
                return Err(Failure::Refused(documents::taken_id("template", "/_id", &id)));
            }
            let after = After::of(None, now);
            let seq = put(connection, id, &json, after)?;
            Ok(after.written(seq)?)
        })
        .await
    }

    async fn replace_template(&self, id: TemplateId, json: Json, expected: Rev) -> Result<Written, WriteError> {
        self.write("write a template", move |connection, now| {
            let before = expect(before(connection, id)?, Some(expected)).map_err(Failure::Refused)?;
            let after = After::of(Some(before), now);
            let seq = put(connection, id, &json, after)?;
            Ok(after.written(seq)?)
        })
        .await
    }

    async fn delete_template(&self, id: TemplateId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        self.write("delete a template", move |connection, _| {
            expect(before(connection, id)?, expected).map_err(Failure::Refused)?;
            let users = users(connection, id)?;
            if !users.is_empty() {
                return Err(Failure::Refused(WriteError::InUse(users)));
            }
            connection
                .prepare_cached("DELETE FROM templates WHERE id = ?1")?
                .execute([id.to_string()])?;
            Ok(changes::note(connection, &Changed::Template(id))?)
        })
        .await
    }
}
