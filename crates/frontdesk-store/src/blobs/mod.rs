//! What is dear to compute and may be lost at any time: embeddings and heads, kept in a file of this machine.
//!
//! A `SQLite` file of its own, so that a copy of the store stays small and the store's writer never waits for it. It is
//! trusted with nothing: whoever reads a value checks it, and a file that cannot be used costs time, not answers.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};
use tracing::warn;

#[cfg(test)]
mod tests;

/// Names a value: a hash of what it was computed from.
pub type BlobKey = [u8; 32];

/// Bytes above which what was not used for longest is forgotten.
const MOST_BYTES: i64 = 2 << 30;
/// What was not used for so many seconds is forgotten.
const UNUSED: i64 = 60 * 24 * 3_600;

/// A place for values that can be computed again. Nothing here fails: what cannot be read is not there.
pub trait BlobCache: Send + Sync {
    /// The values of these keys, in their order.
    fn get(&self, keys: &[BlobKey]) -> Vec<Option<Vec<u8>>>;
    /// Keeps values.
    fn put(&self, values: &[(BlobKey, Vec<u8>)]);
}

/// Values in a file.
#[derive(Debug)]
pub struct BlobFile {
    connection: Mutex<Connection>,
}

impl BlobFile {
    /// Opens the file, or makes it; one that is no such file is replaced. `now` is in Unix seconds: what was not used
    /// for 60 days before it is forgotten.
    ///
    /// # Errors
    /// The folder takes no file.
    pub fn open(path: &Path, now: i64) -> rusqlite::Result<Self> {
        let opened = connect(path, now).or_else(|error| {
            warn!(
                file = %path.display(),
                error = &error as &dyn std::error::Error,
                "the file of computed embeddings cannot be used and is begun anew"
            );
            for end in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                // What is not there need not go.
                _ = std::fs::remove_file(name);
            }
            connect(path, now)
        });
        Ok(Self {
            connection: Mutex::new(opened?),
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(path: &Path, now: i64) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // A crash may cost the newest values, not the file.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS blobs (
            key BLOB PRIMARY KEY,
            used_on INTEGER NOT NULL,          -- Unix seconds of the last start that used it
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE IF NOT EXISTS this_start (at INTEGER NOT NULL) STRICT;
        DELETE FROM this_start;",
    )?;
    connection.execute("INSERT INTO this_start (at) VALUES (?1)", [now])?;
    connection.execute("DELETE FROM blobs WHERE used_on < ?1", [now - UNUSED])?;
    let size: i64 = connection.query_row("SELECT ifnull(sum(length(bytes)), 0) FROM blobs", [], |row| row.get(0))?;
    if size > MOST_BYTES {
        let oldest = "DELETE FROM blobs WHERE used_on < (SELECT avg(used_on) FROM blobs)";
        connection.execute(oldest, [])?;
    }
    Ok(connection)
}

impl BlobCache for BlobFile {
    fn get(&self, keys: &[BlobKey]) -> Vec<Option<Vec<u8>>> {
        let connection = self.connection();
        let mut values = Vec::with_capacity(keys.len());
        let mut read = || -> rusqlite::Result<()> {
            // In one transaction: a commit for each value would wait for the disk.
            connection.execute_batch("BEGIN")?;
            let mut select = connection.prepare_cached("SELECT bytes FROM blobs WHERE key = ?1")?;
            let mut touch = connection.prepare_cached(
                "UPDATE blobs SET used_on = (SELECT at FROM this_start)
                WHERE key = ?1 AND used_on < (SELECT at FROM this_start)",
            )?;
            for key in keys {
                let found = select.query_row([key.as_slice()], |row| row.get(0)).optional()?;
                if found.is_some() {
                    touch.execute([key.as_slice()])?;
                }
                values.push(found);
            }
            connection.execute_batch("COMMIT")
        };
        if let Err(error) = read() {
            warn!(
                error = &error as &dyn std::error::Error,
                "computed embeddings cannot be read back"
            );
            undo(&connection);
        }
        values.resize(keys.len(), None);
        values
    }

    fn put(&self, values: &[(BlobKey, Vec<u8>)]) {
        let connection = self.connection();
        let write = || -> rusqlite::Result<()> {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO blobs (key, used_on, bytes) VALUES (?1, (SELECT at FROM this_start), ?2)",
            )?;
            for (key, bytes) in values {
                insert.execute(params![key.as_slice(), bytes])?;
            }
            connection.execute_batch("COMMIT")
        };
        if let Err(error) = write() {
            warn!(
                error = &error as &dyn std::error::Error,
                "computed embeddings cannot be kept"
            );
            undo(&connection);
        }
    }
}

fn undo(connection: &Connection) {
    if !connection.is_autocommit() {
        // Without it the next transaction fails, and says so.
        _ = connection.execute_batch("ROLLBACK");
    }
}
