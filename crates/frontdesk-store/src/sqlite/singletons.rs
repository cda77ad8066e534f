//! Overlays, safety rules, prompts.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    SqliteStore, changes, companies,
    failure::Failure,
    rows::{self, After, Before, Json},
};
use crate::ports::{Changed, Rev, Seq, Singleton, SingletonStore, StoreError, Stored, WriteError, Written};

fn key(which: &Singleton) -> (&'static str, String) {
    match which {
        Singleton::Overlay(company) => ("overlay", company.to_string()),
        Singleton::Safety => ("safety", String::new()),
        Singleton::Prompts(language) => ("prompts", language.to_string()),
    }
}

pub(super) fn find(connection: &Connection, which: &Singleton) -> rusqlite::Result<Option<Stored>> {
    let sql = "SELECT json, rev, created_at, updated_at FROM singletons WHERE kind = ?1 AND id = ?2";
    let (kind, id) = key(which);
    let what = format!("{kind} {id}");
    connection
        .prepare_cached(sql)?
        .query_row([kind, &id], |row| rows::stored(row, &what))
        .optional()
}

pub(super) fn all_prompts(connection: &Connection) -> rusqlite::Result<Vec<(Arc<str>, Stored)>> {
    let sql = "SELECT json, rev, created_at, updated_at, id FROM singletons WHERE kind = 'prompts' ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let prompts = statement.query_map([], |row| {
        let language: Arc<str> = row.get_ref(4)?.as_str()?.into();
        let stored = rows::stored(row, format_args!("prompts {language}"))?;
        Ok((language, stored))
    })?;
    prompts.collect()
}

pub(super) fn before(connection: &Connection, which: &Singleton) -> rusqlite::Result<Option<Before>> {
    let sql = "SELECT rev, created_at FROM singletons WHERE kind = ?1 AND id = ?2";
    let (kind, id) = key(which);
    connection
        .prepare_cached(sql)?
        .query_row([kind, &id], Before::read)
        .optional()
}

pub(super) fn put(connection: &Connection, which: &Singleton, json: &Json, after: After) -> rusqlite::Result<Seq> {
    let sql = "INSERT INTO singletons (kind, id, json, rev, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (kind, id) DO UPDATE SET json = excluded.json, rev = excluded.rev, updated_at = excluded.updated_at";
    let (kind, id) = key(which);
    let After {
        rev,
        created_at,
        updated_at,
    } = after;
    let text = rows::to_json(json)?;
    connection
        .prepare_cached(sql)?
        .execute(params![kind, id, text, rev, created_at, updated_at])?;
    changes::note(connection, &Changed::Singleton(which.clone()))
}

/// Deletes it and tells so, if it is there.
pub(super) fn delete(connection: &Connection, which: &Singleton) -> rusqlite::Result<()> {
    let (kind, id) = key(which);
    let sql = "DELETE FROM singletons WHERE kind = ?1 AND id = ?2";
    if connection.prepare_cached(sql)?.execute([kind, &id])? > 0 {
        changes::note(connection, &Changed::Singleton(which.clone()))?;
    }
    Ok(())
}

#[async_trait]
impl SingletonStore for SqliteStore {
    async fn singleton(&self, which: &Singleton) -> Result<Option<Stored>, StoreError> {
        let which = which.clone();
        self.read("read a document", move |connection| find(connection, &which))
            .await
    }

    async fn put_singleton(&self, which: &Singleton, json: Json, expected: Option<Rev>) -> Result<Written, WriteError> {
        let which = which.clone();
        self.write("write a document", move |connection, now| {
            if let Singleton::Overlay(company) = which
                && !companies::exists(connection, company)?
            {
                return Err(Failure::Refused(WriteError::NotFound));
            }
            let before = before(connection, &which)?;
            let current = before.map_or(0, |before| before.rev);
            if expected.is_some_and(|expected| expected != current) {
                return Err(Failure::Refused(WriteError::Stale { current }));
            }
            let after = After::of(before, now);
            let seq = put(connection, &which, &json, after)?;
            Ok(after.written(seq)?)
        })
        .await
    }

    async fn prompt_languages(&self) -> Result<Vec<Arc<str>>, StoreError> {
        self.read("list the languages of prompts", |connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM singletons WHERE kind = 'prompts' ORDER BY id")?;
            statement.query_map([], |row| row.get::<_, Arc<str>>(0))?.collect()
        })
        .await
    }
}
