//! Messages and callbacks.

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CompanyId, MessageId},
    record::{Message, MessageState},
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::{
    ADMIN, CALL_PATH, SqliteStore, audio,
    rows::{self, Bound, Conditions, limit},
};
use crate::{
    common::messages::{says, time_in},
    ports::{MessageFilter, MessageStore, Page, StoreError},
};

/// The columns that [`read`] reads.
const MESSAGE: &str =
    "json, state, ifnull((SELECT audio.state FROM audio WHERE audio.message_id = messages.id), 'none')";

/// Reads a row of [`MESSAGE`].
fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let mut message: Message = rows::from_json(row.get_ref(0)?.as_str()?, "a message")?;
    message.state = rows::word(row.get_ref(1)?.as_str()?, "a message's state")?;
    message.audio = rows::word(row.get_ref(2)?.as_str()?, "the state of a message's audio")?;
    Ok(message)
}

fn put(connection: &Connection, message: &Message) -> rusqlite::Result<MessageId> {
    let company = message.company_id.to_string();
    let same = format!("SELECT {MESSAGE} FROM messages WHERE company_id = ?1 AND recording_sid = ?2");
    let same = connection
        .prepare_cached(&same)?
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
        audio::expect(connection, first.id, first.recording_url.as_deref(), message.at)?;
        return Ok(first.id);
    }
    let sql = "INSERT INTO messages (id, company_id, recording_sid, state, at, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET
            json = json_set(messages.json, '$.callbackTime', excluded.json ->> '$.callbackTime')
            WHERE company_id = excluded.company_id AND excluded.json ->> '$.callbackTime' IS NOT NULL
        ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![
        message.id.to_string(),
        company,
        message.recording_sid,
        rows::word_of(message.state)?,
        message.at.as_microsecond(),
        rows::to_json(message)?,
    ])?;
    audio::expect(connection, message.id, message.recording_url.as_deref(), message.at)?;
    Ok(message.id)
}

/// When the last message of the page before was left; if it is gone, about when it must have been.
fn time_of(connection: &Connection, id: MessageId) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT at FROM messages WHERE id = ?1")?;
    let found = statement.query_row([id.to_string()], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_else(|| time_in(id).as_microsecond()))
}

/// All of a filter but its words.
fn conditions(filter: MessageFilter) -> rusqlite::Result<Conditions> {
    fn one(value: impl ToSql + Send + 'static) -> [Bound; 1] {
        [Box::new(value)]
    }
    let MessageFilter {
        state,
        kind,
        from,
        to,
        caller,
        words: _,
    } = filter;
    let mut conditions = Conditions::default();
    if let Some(state) = state {
        conditions.and("state = ?", one(rows::word_of(state)?));
    }
    if let Some(kind) = kind {
        conditions.and("json ->> '$.kind' = ?", one(rows::word_of(kind)?));
    }
    if let Some(from) = from {
        conditions.and("at >= ?", one(from.as_microsecond()));
    }
    if let Some(to) = to {
        conditions.and("at < ?", one(to.as_microsecond()));
    }
    if let Some(caller) = caller {
        conditions.and("? IN (json ->> '$.from', json ->> '$.callbackNumber')", one(caller));
    }
    Ok(conditions)
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
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<Message>, StoreError> {
        let filter = filter.clone();
        let words = filter.words.as_ref().map(|words| words.to_lowercase());
        self.read("list messages", move |connection| {
            let mut conditions = conditions(filter)?;
            if let Some(after) = page.after {
                let at = time_of(connection, after)?;
                conditions.and(
                    "(at, id) < (?, ?)",
                    [Box::new(at) as Bound, Box::new(after.to_string())],
                );
            }
            let sql = format!(
                "SELECT {MESSAGE} FROM messages WHERE company_id = ?{} ORDER BY at DESC, id DESC LIMIT ?",
                conditions.sql
            );
            // Words are compared here, so that rows are read until enough of them have the words.
            let (company, rows) = (company.to_string(), words.as_ref().map_or(limit(page.limit), |_| -1));
            let values = [&company as &dyn ToSql]
                .into_iter()
                .chain(conditions.values())
                .chain([&rows as &dyn ToSql]);
            let has_words = |message: &rusqlite::Result<Message>| match (message, &words) {
                (Ok(message), Some(words)) => says(message, words),
                _ => true,
            };
            connection
                .prepare_cached(&sql)?
                .query_map(params_from_iter(values), read)?
                .filter(has_words)
                .take(page.limit)
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
            let sql = format!("UPDATE messages SET state = ?3 WHERE id = ?1 AND company_id = ?2 RETURNING {MESSAGE}");
            let values = [id.to_string(), company.to_string(), rows::word_of(state)?];
            connection.prepare_cached(&sql)?.query_row(values, read).optional()
        })
        .await
    }
}
