//! The change feed.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};

use super::{CALL_PATH, SqliteStore, readers::Readers};
use crate::{
    common::changed::{self, CLEAR_EVERY, REMEMBERED},
    ports::{ChangeFeed, Changed, Seq, StoreError},
};

/// Notes a change in the transaction that makes it.
pub(super) fn note(connection: &Connection, changed: &Changed) -> rusqlite::Result<Seq> {
    let (kind, id) = changed::to_words(changed);
    connection
        .prepare_cached("INSERT INTO changes (kind, id) VALUES (?1, ?2)")?
        .execute((kind, id))?;
    let seq = Seq::try_from(connection.last_insert_rowid()).unwrap_or_default();
    if seq.is_multiple_of(CLEAR_EVERY) {
        let oldest = seq.saturating_sub(REMEMBERED);
        connection
            .prepare_cached("DELETE FROM changes WHERE seq <= ?1")?
            .execute([oldest])?;
    }
    Ok(seq)
}

/// The number of the newest change in the state that a transaction sees. Holds also when old changes were cleared.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Seq> {
    let mut statement = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")?;
    Ok(statement
        .query_row([], |row| row.get(0))
        .optional()?
        .unwrap_or_default())
}

/// One connection that asks whether anybody wrote.
#[derive(Debug)]
pub(super) struct Feed {
    connection: Readers,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// `SQLite`'s counter of commits of other connections, as this connection saw it.
    data_version: i64,
    newest: Seq,
}

impl Feed {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self {
            connection: Readers::open(path, 1)?,
            seen: Mutex::default(),
        })
    }

    fn after(&self, connection: &Connection, seq: Seq) -> rusqlite::Result<Vec<(Seq, Changed)>> {
        let data_version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_some_and(|seen| seen.data_version == data_version && seen.newest <= seq) {
            return Ok(Vec::new());
        }
        let newest = newest(connection)?;
        let mut statement =
            connection.prepare_cached("SELECT seq, kind, id FROM changes WHERE seq > ?1 ORDER BY seq")?;
        let read = statement.query_map([seq], |row| {
            Ok((
                row.get(0)?,
                changed::from_words(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?),
            ))
        })?;
        let mut changes = read.collect::<rusqlite::Result<Vec<(Seq, Changed)>>>()?;
        let first = changes.first().map_or(newest + 1, |(first, _)| *first);
        // Numbers have no gaps: what is missing at the start was cleared away.
        if first > seq + 1 {
            changes.insert(0, (first - 1, Changed::Everything));
        }
        *seen = Some(Seen { data_version, newest });
        Ok(changes)
    }
}

#[async_trait]
impl ChangeFeed for SqliteStore {
    async fn newest(&self) -> Result<Seq, StoreError> {
        self.feed
            .connection
            .run("tell its newest change", CALL_PATH, newest)
            .await
    }

    async fn changes_after(&self, seq: Seq) -> Result<Vec<(Seq, Changed)>, StoreError> {
        let feed = Arc::clone(&self.feed);
        let read = move |connection: &Connection| feed.after(connection, seq);
        self.feed.connection.run("tell what changed", CALL_PATH, read).await
    }
}
