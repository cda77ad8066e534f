//! The audio of recorded messages.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::AudioState,
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{ADMIN, SqliteStore, failure::damaged, rows};
use crate::ports::{Audio, AudioStore, DueAudio, FoundAudio, StoreError};

/// So many bytes are written at once, so that no other write waits for long.
const PART: usize = 256 << 10;

/// Notes that the audio of a message is to be fetched, if it has a recording and that is not noted yet.
pub(super) fn expect(
    connection: &Connection,
    message: MessageId,
    recording: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    if recording.is_none() {
        return Ok(());
    }
    let sql = "INSERT OR IGNORE INTO audio (message_id, state, due_at) VALUES (?1, 'due', ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .execute(params![message.to_string(), at.as_microsecond()])
        .map(drop)
}

/// Writes one part; `false` if nobody waits for it any more.
fn put_part(connection: &Connection, message: &str, number: usize, bytes: &[u8]) -> rusqlite::Result<bool> {
    let sql = "INSERT OR REPLACE INTO audio_parts (message_id, number, bytes)
        SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM audio WHERE message_id = ?1 AND state <> 'stored')";
    let written = connection
        .prepare_cached(sql)?
        .execute(params![message, number, bytes])?;
    Ok(written > 0)
}

/// Says that all `parts` are there, and lets go of those of an earlier, longer attempt.
fn finish(connection: &Connection, message: &str, parts: usize, content_type: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE audio SET state = 'stored', due_at = NULL, content_type = ?2
        WHERE message_id = ?1 AND state <> 'stored'";
    let done = connection.prepare_cached(sql)?.execute([message, content_type])?;
    if done > 0 {
        let sql = "DELETE FROM audio_parts WHERE message_id = ?1 AND number >= ?2";
        connection.prepare_cached(sql)?.execute(params![message, parts])?;
    }
    Ok(done > 0)
}

/// Reads a row of `message, company, url, attempts, first_tried_at` as it was before it is tried at `now`.
fn read_due(row: &Row<'_>, now: i64) -> rusqlite::Result<DueAudio> {
    let message = row.get_ref(0)?.as_str()?.parse();
    let company = row.get_ref(1)?.as_str()?.parse();
    Ok(DueAudio {
        message: message.map_err(|error| damaged("a message's id", error))?,
        company: company.map_err(|error| damaged("a message's company", error))?,
        url: row.get::<_, Option<Arc<str>>>(2)?.unwrap_or_default(),
        attempts: row.get::<_, u32>(3)?.saturating_add(1),
        first_tried_at: rows::time(row.get::<_, Option<i64>>(4)?.unwrap_or(now))?,
    })
}

fn claim(connection: &Connection, now: i64, again: i64, limit: i64) -> rusqlite::Result<Vec<DueAudio>> {
    let due = "SELECT message_id, company_id, json ->> '$.recordingUrl', attempts, first_tried_at
        FROM audio JOIN messages ON messages.id = audio.message_id
        WHERE audio.state = 'due' AND due_at <= ?1 ORDER BY due_at LIMIT ?2";
    let due: Vec<DueAudio> = connection
        .prepare_cached(due)?
        .query_map([now, limit], |row| read_due(row, now))?
        .collect::<rusqlite::Result<_>>()?;
    let sql = "UPDATE audio SET due_at = ?2, attempts = ?3, first_tried_at = ?4 WHERE message_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    for taken in &due {
        let first = taken.first_tried_at.as_microsecond();
        statement.execute(params![taken.message.to_string(), again, taken.attempts, first])?;
    }
    Ok(due)
}

#[async_trait]
impl AudioStore for SqliteStore {
    async fn next_audio_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read("find out which recordings are due", |connection| {
            let sql = "SELECT min(due_at) FROM audio WHERE state = 'due'";
            let first = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            rows::optional_time(first)
        })
        .await
    }

    async fn claim_audio(&self, now: Timestamp, again: Timestamp, limit: usize) -> Result<Vec<DueAudio>, StoreError> {
        let (now, again, limit) = (now.as_microsecond(), again.as_microsecond(), rows::limit(limit));
        self.record("take recordings that are due", ADMIN, move |connection| {
            claim(connection, now, again, limit)
        })
        .await
    }

    async fn put_audio(&self, message: MessageId, audio: Audio) -> Result<bool, StoreError> {
        let message = message.to_string();
        let mut parts = 0;
        for part in audio.bytes.chunks(PART) {
            let (message, part) = (message.clone(), part.to_vec());
            let is_wanted = self.record("keep a recording", ADMIN, move |connection| {
                put_part(connection, &message, parts, &part)
            });
            if !is_wanted.await? {
                return Ok(false);
            }
            parts += 1;
        }
        self.record("keep a recording", ADMIN, move |connection| {
            finish(connection, &message, parts, &audio.content_type)
        })
        .await
    }

    async fn postpone_audio(&self, message: MessageId, due_at: Option<Timestamp>) -> Result<(), StoreError> {
        let due_at = due_at.map(Timestamp::as_microsecond);
        self.record("note when a recording is due", ADMIN, move |connection| {
            let sql = "UPDATE audio SET due_at = ?2, state = iif(?2 IS NULL, 'failed', 'due')
                WHERE message_id = ?1 AND state = 'due'";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![message.to_string(), due_at]).map(drop)
        })
        .await
    }

    async fn audio(&self, company: CompanyId, message: MessageId) -> Result<Option<FoundAudio>, StoreError> {
        self.read("read a recording", move |connection| {
            let (company, message) = (company.to_string(), message.to_string());
            let sql = "SELECT ifnull(audio.state, 'none'), audio.content_type FROM messages
                LEFT JOIN audio ON audio.message_id = messages.id
                WHERE messages.id = ?1 AND messages.company_id = ?2";
            let found = connection
                .prepare_cached(sql)?
                .query_row([&message, &company], |row| {
                    let state = rows::word(row.get_ref(0)?.as_str()?, "the state of a message's audio")?;
                    Ok((state, row.get::<_, Option<Arc<str>>>(1)?))
                })
                .optional()?;
            let Some((state, content_type)) = found else {
                return Ok(None);
            };
            let Some(content_type) = content_type.filter(|_| state == AudioState::Stored) else {
                return Ok(Some(FoundAudio { state, audio: None }));
            };
            let mut bytes = Vec::new();
            let sql = "SELECT bytes FROM audio_parts WHERE message_id = ?1 ORDER BY number";
            let mut statement = connection.prepare_cached(sql)?;
            let mut parts = statement.query([&message])?;
            while let Some(part) = parts.next()? {
                bytes.extend_from_slice(part.get_ref(0)?.as_blob()?);
            }
            let audio = Some(Audio { content_type, bytes });
            Ok(Some(FoundAudio { state, audio }))
        })
        .await
    }
}
