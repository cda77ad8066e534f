//! The history of checks, the instances, and what checks look at.

use async_trait::async_trait;
use frontdesk_domain::{alert::AlertCode, analytics::Slot, ids::HealthEntryId, time::Timestamp};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{
    ADMIN, CALL_PATH, SqliteStore, analytics,
    failure::damaged,
    rows::{self, Bound, Conditions, limit},
};
use crate::{
    common::analytics::FallbackCounts,
    ports::{FallbackCount, HealthEntry, HealthFilter, HealthStore, InstanceHealth, Page, StoreError, Unresolved},
};

/// So many entries are deleted at once.
const BATCH: i64 = 1_000;

fn entry(row: &Row<'_>) -> rusqlite::Result<HealthEntry> {
    Ok(HealthEntry {
        id: row
            .get_ref(0)?
            .as_str()?
            .parse()
            .map_err(|error| damaged("the id of a check's entry", error))?,
        instance: row.get::<_, String>(1)?.into(),
        check: row.get::<_, String>(2)?.into(),
        at: rows::time(row.get(3)?)?,
        state: rows::word(row.get_ref(4)?.as_str()?, "the state of a check")?,
        detail: row.get::<_, String>(5)?.into(),
        is_change: row.get(6)?,
    })
}

fn keep(connection: &Connection, entry: &HealthEntry) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO health_history (id, instance, name, at, state, detail, is_change)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        entry.id.to_string(),
        entry.instance,
        entry.check,
        entry.at.as_microsecond(),
        entry.state.as_str(),
        entry.detail,
        entry.is_change,
    ])?;
    Ok(())
}

fn instance(row: &Row<'_>) -> rusqlite::Result<InstanceHealth> {
    Ok(InstanceHealth {
        instance: row.get::<_, String>(0)?.into(),
        beat: row.get(1)?,
        at: rows::time(row.get(2)?)?,
        parts: rows::from_json(row.get_ref(3)?.as_str()?, "the parts of an instance")?,
    })
}

#[async_trait]
impl HealthStore for SqliteStore {
    async fn keep_health(&self, entries: Vec<HealthEntry>) -> Result<(), StoreError> {
        self.record("keep what checks found", ADMIN, move |connection| {
            entries.iter().try_for_each(|entry| keep(connection, entry))
        })
        .await
    }

    async fn health_history(
        &self,
        filter: &HealthFilter,
        page: Page<HealthEntryId>,
    ) -> Result<Vec<HealthEntry>, StoreError> {
        let HealthFilter { check, from, to } = filter.clone();
        self.read("list what checks found", move |connection| {
            let mut conditions = Conditions::default();
            let text = |text: String| Box::new(text) as Bound;
            let time = |at: Timestamp| Box::new(at.as_microsecond()) as Bound;
            if let Some(after) = page.after {
                conditions.and("id < ?", [text(after.to_string())]);
            }
            if let Some(check) = check {
                conditions.and("name = ?", [text(check.to_string())]);
            }
            if let Some(from) = from {
                conditions.and("at >= ?", [time(from)]);
            }
            if let Some(to) = to {
                conditions.and("at < ?", [time(to)]);
            }
            conditions.and("1 = 1 ORDER BY id DESC LIMIT ?", [Box::new(limit(page.limit)) as Bound]);
            let sql = format!(
                "SELECT id, instance, name, at, state, detail, is_change FROM health_history WHERE true{}",
                conditions.sql
            );
            connection
                .prepare_cached(&sql)?
                .query_map(params_from_iter(conditions.values()), entry)?
                .collect()
        })
        .await
    }

    async fn purge_health(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.record("delete what checks found long ago", ADMIN, move |connection| {
            let sql = "DELETE FROM health_history
                WHERE id IN (SELECT id FROM health_history WHERE at < ?1 LIMIT ?2)";
            let before = before.as_microsecond();
            let entries = connection.prepare_cached(sql)?.execute(params![before, BATCH])?;
            let sql = "DELETE FROM health_instances WHERE at < ?1";
            let instances = connection.prepare_cached(sql)?.execute([before])?;
            Ok((entries + instances) as u64)
        })
        .await
    }

    async fn put_instance(&self, health: InstanceHealth) -> Result<(), StoreError> {
        self.record("note how an instance is", CALL_PATH, move |connection| {
            let sql = "INSERT OR REPLACE INTO health_instances (instance, beat, at, parts) VALUES (?1, ?2, ?3, ?4)";
            let InstanceHealth {
                instance,
                beat,
                at,
                parts,
            } = health;
            let values = params![instance, beat, at.as_microsecond(), rows::to_json(&parts)?];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        })
        .await
    }

    async fn remove_instance(&self, instance: &str) -> Result<(), StoreError> {
        let instance = instance.to_owned();
        self.record("forget an instance", CALL_PATH, move |connection| {
            let sql = "DELETE FROM health_instances WHERE instance = ?1";
            connection.prepare_cached(sql)?.execute([instance]).map(drop)
        })
        .await
    }

    async fn instances(&self, since: Timestamp) -> Result<Vec<InstanceHealth>, StoreError> {
        self.read("list the instances", move |connection| {
            let sql = "SELECT instance, beat, at, parts FROM health_instances WHERE at >= ?1 ORDER BY instance";
            connection
                .prepare_cached(sql)?
                .query_map([since.as_microsecond()], instance)?
                .collect()
        })
        .await
    }

    async fn fallback_counts(&self, from: Slot, turns: u64) -> Result<Vec<FallbackCount>, StoreError> {
        self.read("count fallbacks", move |connection| {
            let mut counts = FallbackCounts::default();
            analytics::each_company(connection, from, |company, rollup| counts.add(company, rollup))?;
            Ok(counts.finish(turns))
        })
        .await
    }

    async fn unresolved(&self, codes: &[AlertCode]) -> Result<Vec<Unresolved>, StoreError> {
        let codes = codes.to_vec();
        self.read("list what is not resolved", move |connection| {
            let sql = "SELECT details, company_id, last_at FROM notifications WHERE state <> 'resolved' AND code = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = Vec::new();
            for code in codes {
                let rows = statement.query_map([code.as_str()], |row| {
                    let company: Option<&str> = row.get_ref(1)?.as_str_or_null()?;
                    Ok(Unresolved {
                        code,
                        details: rows::from_json(row.get_ref(0)?.as_str()?, "a notification's details")?,
                        company: company
                            .map(|id| id.parse().map_err(|error| damaged("a company's id", error)))
                            .transpose()?,
                        last_at: rows::time(row.get(2)?)?,
                    })
                })?;
                for row in rows {
                    found.push(row?);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError> {
        // A file has no clock of its own.
        Ok(None)
    }
}
