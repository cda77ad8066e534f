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

/// What a company's month had taken from some instant on, as a step of the ledger left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Spent, pico-USD.
    pub spent: i64,
    /// Held, pico-USD.
    pub held: i64,
}

/// Keeps what months had taken after each step of the ledger from now on. The store itself writes it, within the step's
/// transaction, so that the order is that in which steps were made and none is missing.
///
/// # Errors
/// The file cannot be changed.
pub fn keep_history(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let step = "INSERT INTO testkit_history (account, at, spent, held)
        VALUES (new.account, CAST(unixepoch('subsec') * 1000 AS INTEGER), new.spent, new.held);";
    let sql = format!(
        "CREATE TABLE testkit_history (
            number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, at INTEGER NOT NULL,
            spent INTEGER NOT NULL, held INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER testkit_first AFTER INSERT ON ledger_months BEGIN {step} END;
        CREATE TRIGGER testkit_later AFTER UPDATE ON ledger_months BEGIN {step} END;"
    );
    connection
        .execute_batch(&sql)
        .with_context(|| format!("{} cannot keep a history", path.display()))
}

/// What a company's month had taken after each step, in their order.
///
/// # Errors
/// The file cannot be read, or keeps no history.
pub fn history(path: &Path, company: &str) -> Result<Vec<Taken>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT at, spent, held FROM testkit_history WHERE account = ?1 ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let taken = statement.query_map([company], |row| {
        Ok(Taken {
            at: row.get(0)?,
            spent: row.get(1)?,
            held: row.get(2)?,
        })
    })?;
    Ok(taken.collect::<rusqlite::Result<_>>()?)
}
