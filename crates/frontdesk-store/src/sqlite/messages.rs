//! Messages and callbacks.

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::{Message, MessageState},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::{
    ADMIN, CALL_PATH, SqliteStore,
    rows::{self, Bound, Conditions, limit},
};
use crate::ports::{MessageStore, Page, StoreError};

/// Reads a row of `json, state`.
fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let mut message: Message = rows::from_json(row.get_ref(0)?.as_str()?, "a message")?;
    message.state = rows::word(row.get_ref(1)?.as_str()?, "a message's state")?;
    Ok(message)
}

fn put(connection: &Connection, message: &Message) -> rusqlite::Result<MessageId> {
    let company = message.company_id.to_string();
    let same = "SELECT json, state FROM messages WHERE company_id = ?1 AND recording_sid = ?2";
    let same = connection
        .prepare_cached(same)?
        .query_row(params![company, message.recording_sid], read)
        .optional()?;
    if let Some(mut first) = same {
        first.from = first.from.or_else(|| message.from.clone());
        first.recording_url = first.recording_url.or_else(|| message.recording_url.clone());
        first.recording_seconds = first.recording_seconds.or(message.recording_seconds);
        first.transcript = first.transcript.or_else(|| message.transcript.clone());
        let sql = "UPDATE messages SET json = ?2 WHERE id = ?1";
        connection
            .prepare_cached(sql)?
            .execute([first.id.to_string(), rows::to_json(&first)?])?;
        return Ok(first.id);
    }
    let sql = "INSERT OR IGNORE INTO messages (id, company_id, recording_sid, state, at, json)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        message.id.to_string(),
        company,
        message.recording_sid,
        rows::word_of(message.state)?,
        message.at.as_microsecond(),
        rows::to_json(message)?,
    ])?;
    Ok(message.id)
}

/// When the last message of the page before was left; if it is gone, about when it must have been.
fn time_of(connection: &Connection, id: MessageId) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT at FROM messages WHERE id = ?1")?;
    let found = statement.query_row([id.to_string()], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_else(|| {
        let seconds = id
            .to_string()
            .get(..8)
            .and_then(|hex| i64::from_str_radix(hex, 16).ok())
            .unwrap_or_default();
        Timestamp::from_second(seconds)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .as_microsecond()
    }))
}

#[async_trait]
impl MessageStore for SqliteStore {
    async fn put_message(&self, message: Message) -> Result<MessageId, StoreError> {
        self.record("keep a message", CALL_PATH, move |connection| put(connection, &message))
            .await
    }

    async fn messages(
        &self,
        company: CompanyId,
        state: Option<MessageState>,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        self.read("list messages", move |connection| {
            let mut conditions = Conditions::default();
            if let Some(state) = state {
                conditions.and("state = ?", [Box::new(rows::word_of(state)?) as Bound]);
            }
            if let Some(after) = page.after {
                let at = time_of(connection, after)?;
                conditions.and(
                    "(at, id) < (?, ?)",
                    [Box::new(at) as Bound, Box::new(after.to_string())],
                );
            }
            let sql = format!(
                "SELECT json, state FROM messages WHERE company_id = ?{} ORDER BY at DESC, id DESC LIMIT ?",
                conditions.sql
            );
            let (company, limit) = (company.to_string(), limit(page.limit));
            let values = [&company as &dyn ToSql]
                .into_iter()
                .chain(conditions.values())
                .chain([&limit as &dyn ToSql]);
            connection
                .prepare_cached(&sql)?
                .query_map(params_from_iter(values), read)?
                .collect()
        })
        .await
    }

    async fn set_message_state(
        &self,
        company: CompanyId,
        id: MessageId,
        state: MessageState,
    ) -> Result<Option<Message>, StoreError> {
        self.record("write a message", ADMIN, move |connection| {
            let sql = "UPDATE messages SET state = ?3 WHERE id = ?1 AND company_id = ?2 RETURNING json, state";
            let values = [id.to_string(), company.to_string(), rows::word_of(state)?];
            connection.prepare_cached(sql)?.query_row(values, read).optional()
        })
        .await
    }
}
