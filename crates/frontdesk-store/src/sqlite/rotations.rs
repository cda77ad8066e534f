//! The rotation of fallbacks.

use async_trait::async_trait;
use frontdesk_domain::{decision::FallbackKind, documents::company::LastUsedIndex, ids::CompanyId, record::TurnRecord};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{CALL_PATH, SqliteStore};
use crate::{
    common::rotations::{given, spoken_last},
    ports::{RotationStore, StoreError},
};

/// Lets a company's rotations go on where an import says they were. One that runs already goes on as it is.
pub(super) fn open(connection: &Connection, company: CompanyId, last_used: LastUsedIndex) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO rotations (company_id, kind, next, last_spoken) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for (kind, last) in given(last_used) {
        statement.execute(params![company.to_string(), kind.as_str(), u64::from(last) + 1, last])?;
    }
    Ok(())
}

/// Notes of each company and kind which variation these turns, in their order, spoke last.
pub(super) fn note_spoken(connection: &Connection, turns: &[TurnRecord]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rotations (company_id, kind, next, last_spoken) VALUES (?1, ?2, 0, ?3)
        ON CONFLICT DO UPDATE SET last_spoken = excluded.last_spoken";
    for ((company, kind), index) in spoken_last(turns) {
        connection
            .prepare_cached(sql)?
            .execute(params![company.to_string(), kind.as_str(), index])?;
    }
    Ok(())
}

#[async_trait]
impl RotationStore for SqliteStore {
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError> {
        self.record("count a fallback", CALL_PATH, move |connection| {
            let sql = "INSERT INTO rotations (company_id, kind, next) VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET next = next + ?3 RETURNING next - ?3";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row(params![company.to_string(), kind.as_str(), count], |row| row.get(0))
        })
        .await
    }

    async fn peek_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        self.read_for_turn("read a rotation", move |connection| {
            let sql = "SELECT next FROM rotations WHERE company_id = ?1 AND kind = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let next = statement
                .query_row([&company.to_string(), kind.as_str()], |row| row.get(0))
                .optional()?;
            Ok(next.unwrap_or_default())
        })
        .await
    }

    async fn last_spoken(&self, company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError> {
        self.read("read what was spoken last", move |connection| {
            let sql = "SELECT last_spoken FROM rotations
                WHERE company_id = ?1 AND kind = ?2 AND last_spoken IS NOT NULL";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = Vec::new();
            for kind in FallbackKind::ALL {
                let last = statement
                    .query_row([&company.to_string(), kind.as_str()], |row| row.get(0))
                    .optional()?;
                found.extend(last.map(|last| (kind, last)));
            }
            Ok(found)
        })
        .await
    }
}
