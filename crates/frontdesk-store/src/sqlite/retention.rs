//! Deleting what is kept no longer, in batches that keep no other write waiting.

use async_trait::async_trait;
use frontdesk_domain::{ids::CompanyId, time::Timestamp};
use rusqlite::{Connection, params};

use super::{ADMIN, SqliteStore, analytics, failure::damaged};
use crate::ports::{Purged, PurgedNotices, RecordKeeper, RetentionStore, StoreError};

/// So many calls, and as many messages, are deleted at once.
const BATCH: i64 = 25;

/// So many parts of recordings, of 256 KB each, are deleted at once.
const PARTS: i64 = 16;

/// Notes how long a company that is being deleted keeps its records.
pub(super) fn remember(connection: &Connection, company: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO deleted_companies (company_id, retention_days)
        SELECT id, json ->> '$.retentionDays' FROM companies WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([company]).map(drop)
}

/// Every company of calls and messages, found by one step in the index for each.
const KEEPERS: &str = "WITH RECURSIVE
    of_calls (id) AS (
        SELECT min(company_id) FROM calls
        UNION ALL
        SELECT (SELECT min(company_id) FROM calls WHERE company_id > of_calls.id) FROM of_calls
        WHERE of_calls.id IS NOT NULL
    ),
    of_messages (id) AS (
        SELECT min(company_id) FROM messages
        UNION ALL
        SELECT (SELECT min(company_id) FROM messages WHERE company_id > of_messages.id) FROM of_messages
        WHERE of_messages.id IS NOT NULL
    ),
    keepers (id) AS (SELECT id FROM of_calls UNION SELECT id FROM of_messages)
    SELECT keepers.id, iif(companies.id IS NULL, deleted.retention_days, companies.json ->> '$.retentionDays')
    FROM keepers
    LEFT JOIN companies ON companies.id = keepers.id
    LEFT JOIN deleted_companies AS deleted ON deleted.company_id = keepers.id
    WHERE keepers.id IS NOT NULL";

const OLD_CALLS: &str = "SELECT number FROM calls WHERE company_id = ?1 AND started_at < ?2 LIMIT ?3";

const OLD_MESSAGES: &str = "SELECT id FROM messages WHERE company_id = ?1 AND at < ?2 LIMIT ?3";

fn purge(connection: &Connection, company: &str, before: i64) -> rusqlite::Result<Purged> {
    let mut purged = Purged::default();
    let calls: Vec<i64> = connection
        .prepare_cached(OLD_CALLS)?
        .query_map(params![company, before, BATCH], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for call in calls {
        // What they were counted in stays.
        analytics::thin(connection, company, call)?;
        let turns = connection
            .prepare_cached("DELETE FROM turns WHERE call = ?1")?
            .execute([call])?;
        let mut statement = connection.prepare_cached("DELETE FROM calls WHERE number = ?1")?;
        purged.calls += statement.execute([call])? as u64;
        purged.turns += turns as u64;
    }
    let messages: Vec<String> = connection
        .prepare_cached(OLD_MESSAGES)?
        .query_map(params![company, before, BATCH], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for message in messages {
        // What is noted of its audio goes with it. The parts are left over then, and are deleted as such.
        let mut statement = connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?;
        purged.messages += statement.execute([&message])? as u64;
    }
    Ok(purged)
}

/// Who notes what changed writes the time too; a file of an earlier version has none, and the newest alert stands for it.
const OLD_NOTIFICATIONS: &str = "SELECT id FROM notifications
    WHERE changed_at < ?1 AND last_at < ?1 AND state = 'resolved' AND NOT EXISTS
        (SELECT 1 FROM outbox WHERE outbox.notification_id = notifications.id AND outbox.state = 'pending')
    LIMIT ?2";

fn purge_notices(connection: &Connection, before: i64) -> rusqlite::Result<PurgedNotices> {
    let mut purged = PurgedNotices::default();
    let old: Vec<String> = connection
        .prepare_cached(OLD_NOTIFICATIONS)?
        .query_map(params![before, BATCH], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for notification in old {
        let mut statement = connection.prepare_cached("DELETE FROM outbox WHERE notification_id = ?1")?;
        purged.deliveries += statement.execute([&notification])? as u64;
        let mut statement = connection.prepare_cached("DELETE FROM notifications WHERE id = ?1")?;
        purged.notifications += statement.execute([&notification])? as u64;
    }
    Ok(purged)
}

/// Parts of recordings that are no more, and companies that have no records left.
fn leftovers(connection: &Connection) -> rusqlite::Result<(Vec<i64>, Vec<String>)> {
    let parts = "SELECT part FROM audio_parts
        WHERE NOT EXISTS (SELECT 1 FROM audio WHERE audio.message_id = audio_parts.message_id) LIMIT ?1";
    let parts = connection
        .prepare_cached(parts)?
        .query_map([PARTS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let companies = "SELECT company_id FROM deleted_companies AS deleted
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.company_id = deleted.company_id)
            AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.company_id = deleted.company_id)
        LIMIT ?1";
    let companies = connection
        .prepare_cached(companies)?
        .query_map([BATCH], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((parts, companies))
}

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn record_keepers(&self) -> Result<Vec<RecordKeeper>, StoreError> {
        self.read("list the companies that have records", |connection| {
            let mut statement = connection.prepare_cached(KEEPERS)?;
            let keepers = statement.query_map([], |row| {
                let company = row.get_ref(0)?.as_str()?.parse();
                Ok(RecordKeeper {
                    company: company.map_err(|error| damaged("the company of a record", error))?,
                    retention_days: row.get(1)?,
                })
            })?;
            keepers.collect()
        })
        .await
    }

    async fn purge(&self, company: CompanyId, before: Timestamp) -> Result<Purged, StoreError> {
        let (company, before) = (company.to_string(), before.as_microsecond());
        let asked = company.clone();
        // Usually there is nothing to delete, and then nothing is written.
        let is_due = self.read("find records whose retention has ended", move |connection| {
            let values = params![asked, before, 1];
            let calls = connection.prepare_cached(OLD_CALLS)?.exists(values)?;
            Ok(calls || connection.prepare_cached(OLD_MESSAGES)?.exists(values)?)
        });
        if !is_due.await? {
            return Ok(Purged::default());
        }
        self.record("delete records whose retention has ended", ADMIN, move |connection| {
            purge(connection, &company, before)
        })
        .await
    }

    async fn purge_notices(&self, before: Timestamp) -> Result<PurgedNotices, StoreError> {
        let before = before.as_microsecond();
        let is_due = self.read("find notifications whose retention has ended", move |connection| {
            connection.prepare_cached(OLD_NOTIFICATIONS)?.exists(params![before, 1])
        });
        if !is_due.await? {
            return Ok(PurgedNotices::default());
        }
        self.record(
            "delete notifications whose retention has ended",
            ADMIN,
            move |connection| purge_notices(connection, before),
        )
        .await
    }

    async fn purge_leftovers(&self) -> Result<bool, StoreError> {
        let (parts, companies) = self.read("find what no record refers to", leftovers).await?;
        if parts.is_empty() && companies.is_empty() {
            return Ok(false);
        }
        self.record("delete what no record refers to", ADMIN, move |connection| {
            let mut statement = connection.prepare_cached("DELETE FROM audio_parts WHERE part = ?1")?;
            parts.iter().try_for_each(|part| statement.execute([part]).map(drop))?;
            let mut statement = connection.prepare_cached("DELETE FROM deleted_companies WHERE company_id = ?1")?;
            companies
                .iter()
                .try_for_each(|company| statement.execute([company]).map(drop))
        })
        .await?;
        Ok(true)
    }
}
