//! Leases: a row a name, changed only by whoever knows its fence.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};

use super::{CALL_PATH, SqliteStore};
use crate::ports::{Fence, Lease, LeaseStore, StoreError};

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let name = name.to_owned();
        self.read("read a lease", move |connection| {
            let sql = "SELECT fence, renewals, holder FROM leases WHERE name = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let lease = statement.query_row([name], |row| {
                Ok(Lease {
                    fence: row.get(0)?,
                    renewals: row.get(1)?,
                    holder: row.get::<_, Option<String>>(2)?.map(Into::into),
                })
            });
            lease.optional()
        })
        .await
    }

    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Fence>, StoreError> {
        let (name, holder, seen) = (name.to_owned(), holder.to_owned(), seen.cloned());
        self.record("take a lease", CALL_PATH, move |connection| {
            let Some(seen) = seen else {
                let sql = "INSERT OR IGNORE INTO leases (name, fence, renewals, holder) VALUES (?1, 1, 0, ?2)";
                let is_taken = connection.prepare_cached(sql)?.execute([name, holder])? > 0;
                return Ok(is_taken.then_some(1));
            };
            let sql = "UPDATE leases SET fence = fence + 1, renewals = 0, holder = ?2
                WHERE name = ?1 AND fence = ?3 AND renewals = ?4 AND holder IS ?5 RETURNING fence";
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![name, holder, seen.fence, seen.renewals, seen.holder.as_deref()];
            statement.query_row(values, |row| row.get(0)).optional()
        })
        .await
    }

    async fn renew_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.record("renew a lease", CALL_PATH, move |connection| {
            let sql = "UPDATE leases SET renewals = renewals + 1
                WHERE name = ?1 AND fence = ?2 AND holder IS NOT NULL";
            let renewed = connection.prepare_cached(sql)?.execute(params![name, fence])?;
            Ok(renewed > 0)
        })
        .await
    }

    async fn give_up_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.record("give up a lease", CALL_PATH, move |connection| {
            let sql = "UPDATE leases SET holder = NULL WHERE name = ?1 AND fence = ?2 AND holder IS NOT NULL";
            let ended = connection.prepare_cached(sql)?.execute(params![name, fence])?;
            Ok(ended > 0)
        })
        .await
    }
}
