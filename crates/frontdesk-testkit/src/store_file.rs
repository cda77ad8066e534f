//! The store's file, looked at from outside with `SQLite` itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags};

/// What `PRAGMA integrity_check` finds wrong in a file; `None` if it is sound. The server may run meanwhile.
///
/// # Errors
/// The file cannot be read.
pub fn damage(path: &Path) -> Result<Option<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).with_context(|| format!("{} cannot be opened", path.display()))?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let found: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .with_context(|| format!("{} cannot be checked", path.display()))?;
    let is_sound = found.iter().eq(["ok"]);
    Ok((!is_sound).then(|| found.join("; ")))
}

/// Holds the store's lock so that nobody else can write, as a backup tool or a stray shell would, until it is dropped.
#[derive(Debug)]
pub struct Lock(Connection);

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// The file cannot be opened, or its lock cannot be had within 5 s.
    pub fn take(path: &Path) -> Result<Self> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection
            .execute_batch("BEGIN EXCLUSIVE")
            .with_context(|| format!("{} cannot be locked", path.display()))?;
        Ok(Self(connection))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the connection ends the transaction anyway.
        _ = self.0.execute_batch("ROLLBACK");
    }
}
