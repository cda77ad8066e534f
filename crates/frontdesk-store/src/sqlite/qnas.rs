//! Q&As.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::trade::TradeName,
    ids::{CompanyId, QnaId},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    SqliteStore, changes, companies,
    failure::Failure,
    rows::{self, After, Before, Json, expect, limit},
};
use crate::common::documents;
use crate::ports::{
    Changed, Page, QnaOwner, QnaSetSnapshot, QnaStore, Rev, Seq, StoreError, Stored, WriteError, Written,
};

fn key(owner: &QnaOwner) -> String {
    match owner {
        QnaOwner::Company(company) => format!("company:{company}"),
        QnaOwner::Trade(trade) => format!("trade:{}", trade.key()),
    }
}

/// An owner's Q&As with the set's revision.
pub(super) fn set(connection: &Connection, owner: &QnaOwner) -> rusqlite::Result<QnaSetSnapshot> {
    let key = key(owner);
    let rev = connection
        .prepare_cached("SELECT rev FROM qna_sets WHERE owner = ?1")?
        .query_row([&key], |row| row.get(0));
    let Some(rev) = rev.optional()? else {
        return Ok(QnaSetSnapshot::default());
    };
    let sql = "SELECT json, rev, created_at, updated_at FROM qnas WHERE owner = ?1 ORDER BY position";
    let mut statement = connection.prepare_cached(sql)?;
    let qnas = statement.query_map([&key], |row| rows::stored(row, format_args!("a Q&A of {key}")))?;
    Ok(QnaSetSnapshot {
        rev,
        qnas: qnas.collect::<rusqlite::Result<_>>()?,
    })
}

pub(super) fn before(connection: &Connection, owner: &QnaOwner, id: &QnaId) -> rusqlite::Result<Option<Before>> {
    let sql = "SELECT rev, created_at FROM qnas WHERE owner = ?1 AND id = ?2";
    connection
        .prepare_cached(sql)?
        .query_row([&key(owner), id.as_str()], Before::read)
        .optional()
}

pub(super) fn put(
    connection: &Connection,
    owner: &QnaOwner,
    id: &QnaId,
    json: &Json,
    after: After,
) -> rusqlite::Result<Seq> {
    let sql = "INSERT INTO qnas (owner, id, json, rev, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (owner, id) DO UPDATE SET json = excluded.json, rev = excluded.rev, updated_at = excluded.updated_at";
    let After {
        rev,
        created_at,
        updated_at,
    } = after;
    let text = rows::to_json(json)?;
    connection
        .prepare_cached(sql)?
        .execute(params![key(owner), id.as_str(), text, rev, created_at, updated_at])?;
    set_changed(connection, owner)
}

fn set_changed(connection: &Connection, owner: &QnaOwner) -> rusqlite::Result<Seq> {
    let trade = match owner {
        QnaOwner::Company(_) => None,
        QnaOwner::Trade(trade) => Some(trade.as_str()),
    };
    let sql = "INSERT INTO qna_sets (owner, rev, trade) VALUES (?1, 1, ?2) ON CONFLICT DO UPDATE SET rev = rev + 1";
    connection.prepare_cached(sql)?.execute(params![key(owner), trade])?;
    changes::note(connection, &Changed::Qna(owner.clone()))
}

/// Deletes a company's Q&As and tells so, if there are any.
pub(super) fn delete_all(connection: &Connection, company: CompanyId) -> rusqlite::Result<()> {
    let owner = QnaOwner::Company(company);
    connection
        .prepare_cached("DELETE FROM deleted_qnas WHERE owner = ?1")?
        .execute([key(&owner)])?;
    if connection
        .prepare_cached("DELETE FROM qnas WHERE owner = ?1")?
        .execute([key(&owner)])?
        > 0
    {
        set_changed(connection, &owner)?;
    }
    Ok(())
}

/// Where the page after this Q&A begins, also if it was deleted since.
fn position(connection: &Connection, owner: &str, after: &QnaId) -> rusqlite::Result<i64> {
    let sql = "SELECT position FROM qnas WHERE owner = ?1 AND id = ?2
        UNION ALL SELECT position FROM deleted_qnas WHERE owner = ?1 AND id = ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_row([owner, after.as_str()], |row| row.get(0))
        .optional()?;
    // A Q&A that never was: nothing comes after it.
    Ok(found.unwrap_or(i64::MAX))
}

#[async_trait]
impl QnaStore for SqliteStore {
    async fn qna(&self, owner: &QnaOwner, id: &QnaId) -> Result<Option<Stored>, StoreError> {
        let (owner, id) = (key(owner), id.clone());
        self.read("read a Q&A", move |connection| {
            let sql = "SELECT json, rev, created_at, updated_at FROM qnas WHERE owner = ?1 AND id = ?2";
            let what = format!("Q&A {id} of {owner}");
            connection
                .prepare_cached(sql)?
                .query_row([&owner, id.as_str()], |row| rows::stored(row, &what))
                .optional()
        })
        .await
    }

    async fn qnas(&self, owner: &QnaOwner, page: Page<QnaId>) -> Result<Vec<Stored>, StoreError> {
        let owner = key(owner);
        self.read("list Q&As", move |connection| {
            let after = page.after.map_or(Ok(0), |after| position(connection, &owner, &after))?;
            let sql = "SELECT json, rev, created_at, updated_at FROM qnas
                WHERE owner = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let read = statement.query_map(params![owner, after, limit(page.limit)], |row| {
                rows::stored(row, "a Q&A")
            })?;
            read.collect()
        })
        .await
    }

    async fn qna_trades(&self) -> Result<Vec<TradeName>, StoreError> {
        self.read("list the trades that have Q&As", |connection| {
            let sql = "SELECT trade FROM qna_sets WHERE trade IS NOT NULL
                AND EXISTS (SELECT 1 FROM qnas WHERE qnas.owner = qna_sets.owner) ORDER BY owner";
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_map([], |row| Ok(TradeName::new(row.get_ref(0)?.as_str()?)))?
                .collect()
        })
        .await
    }

    async fn insert_qna(&self, owner: &QnaOwner, id: &QnaId, json: Json) -> Result<Written, WriteError> {
        let (owner, id) = (owner.clone(), id.clone());
        self.write("make a Q&A", move |connection, now| {
            if let QnaOwner::Company(company) = owner
                && !companies::exists(connection, company)?
            {
                return Err(Failure::Refused(WriteError::NotFound));
            }
            if before(connection, &owner, &id)?.is_some() {
                return Err(Failure::Refused(documents::taken_id("Q&A", "/id", &id)));
            }
            let after = After::of(None, now);
            let seq = put(connection, &owner, &id, &json, after)?;
            Ok(after.written(seq)?)
        })
        .await
    }

    async fn replace_qna(
        &self,
        owner: &QnaOwner,
        id: &QnaId,
        json: Json,
        expected: Rev,
    ) -> Result<Written, WriteError> {
        let (owner, id) = (owner.clone(), id.clone());
        self.write("write a Q&A", move |connection, now| {
            let before = expect(before(connection, &owner, &id)?, Some(expected)).map_err(Failure::Refused)?;
            let after = After::of(Some(before), now);
            let seq = put(connection, &owner, &id, &json, after)?;
            Ok(after.written(seq)?)
        })
        .await
    }

    async fn delete_qna(&self, owner: &QnaOwner, id: &QnaId, expected: Option<Rev>) -> Result<Seq, WriteError> {
        let (owner, id) = (owner.clone(), id.clone());
        self.write("delete a Q&A", move |connection, _| {
            expect(before(connection, &owner, &id)?, expected).map_err(Failure::Refused)?;
            let key = key(&owner);
            let kept = "INSERT OR REPLACE INTO deleted_qnas (owner, id, position)
                SELECT owner, id, position FROM qnas WHERE owner = ?1 AND id = ?2";
            connection.prepare_cached(kept)?.execute([&key, id.as_str()])?;
            connection
                .prepare_cached("DELETE FROM qnas WHERE owner = ?1 AND id = ?2")?
                .execute([&key, id.as_str()])?;
            Ok(set_changed(connection, &owner)?)
        })
        .await
    }
}
