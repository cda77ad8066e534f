//! Opening the file: its folder, its settings, its schema.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// Marks the file as Frontdesk's (`PRAGMA application_id`): "FRDK".
const APPLICATION_ID: i32 = 0x4652_444b;

/// The schema's versions: the number of those applied is the file's `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001-first.sql"),
    include_str!("../../migrations/0002-answers.sql"),
    include_str!("../../migrations/0003-audio.sql"),
    include_str!("../../migrations/0004-ledger.sql"),
    include_str!("../../migrations/0005-leases.sql"),
    include_str!("../../migrations/0006-notices.sql"),
    include_str!("../../migrations/0007-health.sql"),
    include_str!("../../migrations/0008-analytics.sql"),
    include_str!("../../migrations/0009-one-source.sql"),
    include_str!("../../migrations/0010-rollup-parts.sql"),
];

/// How long opening waits for another process that opens the same file.
const OPEN_WAIT: Duration = Duration::from_secs(10);

/// How long a statement waits for another process's lock. Below the deadline of a write on the call path.
const LOCK_WAIT: Duration = Duration::from_millis(900);

/// Kept prepared, by connection.
const STATEMENTS: usize = 96;

/// Why the file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder or the file itself cannot be made.
    #[error("{} cannot be made", path.display())]
    Make {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `SQLite` cannot open it.
    #[error("{} cannot be opened", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// It is another program's file.
    #[error("{} is an SQLite file of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version has written it.
    #[error(
        "{} was written by a newer version of Frontdesk: its schema is version {found}, this build knows {known}; use the newer build, or restore a backup", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: usize,
        /// The newest version that this build knows.
        known: usize,
    },
}

/// Makes the folder and the file, for their owner alone, and brings the schema up to date.
pub(super) fn prepare(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| OpenError::Make {
            path: folder.to_owned(),
            source,
        })?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(OpenError::Make {
                path: path.to_owned(),
                source,
            });
        }
        _ => {}
    }
    let failed = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let mut connection = connect(path, OPEN_WAIT).map_err(failed)?;
    if is_foreign(&mut connection).map_err(failed)? {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    use_wal(&connection).map_err(failed)?;
    let found = migrate(&mut connection).map_err(failed)?;
    let known = MIGRATIONS.len();
    if found > known {
        Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        })
    } else {
        Ok(())
    }
}

/// Brings the schema up to date. Gives its version, which is higher than that of this build if a newer one wrote it.
fn migrate(connection: &mut Connection) -> rusqlite::Result<usize> {
    let version = |connection: &Connection| {
        let version = number(connection, "user_version");
        version.map(|version| usize::try_from(version).unwrap_or(usize::MAX))
    };
    // Usually there is nothing to do, and a file that may only be read opens as well.
    let found = version(connection)?;
    if found >= MIGRATIONS.len() {
        return Ok(found);
    }
    // IMMEDIATE: of two processes that start at once one migrates and the other finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found >= MIGRATIONS.len() {
        return Ok(found);
    }
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    Ok(MIGRATIONS.len())
}

/// Whether the file is neither new nor ours. Read in one transaction: another process may be making it just now.
fn is_foreign(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = connection.transaction()?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application = number(&transaction, "application_id")?;
    Ok(application != APPLICATION_ID && (application != 0 || tables > 0))
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Switches to write-ahead logging, once in a file's life. `SQLite` does not wait for a lock here, so this does.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + OPEN_WAIT;
    loop {
        let switched = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match switched {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                thread::sleep(Duration::from_millis(10));
            }
            switched => return switched.map(drop),
        }
    }
}

fn connect(path: &Path, lock_wait: Duration) -> rusqlite::Result<Connection> {
    // No SQLITE_OPEN_URI: a path is a path. Each connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(lock_wait)?;
    // Has an effect on a new file only. Measured on turn records of 4 KB: 30 µs each; with pages of 8 KB 40 µs.
    connection.pragma_update(None, "page_size", 4_096)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, LOCK_WAIT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The connection that writes.
pub(super) fn writer(path: &Path, max_pages: Option<u32>) -> rusqlite::Result<Connection> {
    let connection = connect(path, LOCK_WAIT)?;
    // A commit is on disk before it is acknowledged.
    connection.pragma_update(None, "synchronous", "full")?;
    // 8 MB, so that no page of a usual batch is written before its commit.
    connection.pragma_update(None, "cache_size", -8_192)?;
    // 32 MB: under load a checkpoint every few batches, not with every second one.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // What is erased is overwritten: free pages of the file, and copies of it, would still hold a caller's words.
    connection.pragma_update(None, "secure_delete", true)?;
    if let Some(pages) = max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}
