//! The embedded backend: one `SQLite` file.
//!
//! One thread writes and commits groups; a few connections read. Any number of processes may open the file at once, on
//! a local disk: on a network file system the write-ahead log does not work, so do not put it there.
//!
//! To put a backup in its place, stop them all and remove the old `-wal` and `-shm`, whose writes `SQLite` would put into
//! the backup. A process under which the file is removed or replaced refuses writes until it is started again; one that
//! is overwritten in place (`cp`) is not noticed.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_domain::{clock::Clock, time::Timestamp};
use rusqlite::Connection;

use crate::{
    ports::{Ping, StoreError, WriteError},
    seal::Sealer,
    system::ObjectIds,
};

mod analytics;
mod audio;
mod calls;
mod changes;
mod companies;
mod connection;
mod contacts;
mod erasure;
mod failure;
mod health;
mod import;
mod leases;
mod ledger;
mod messages;
mod notifications;
mod outbox;
mod place;
mod qnas;
mod readers;
mod retention;
mod rollup_parts;
mod rotations;
mod rows;
mod singletons;
mod snapshots;
mod templates;
mod transfer;
mod writer;

pub use connection::OpenError;
pub(crate) use failure::cause;

use changes::Feed;
use failure::Failure;
use place::Place;
use readers::Readers;
use writer::Writer;

/// What a turn waits for.
const CALL_PATH: Duration = Duration::from_secs(1);

/// What an operator or a queue waits for.
const ADMIN: Duration = Duration::from_secs(10);

/// What an import waits for.
const IMPORT: Duration = Duration::from_mins(2);

/// How the file is used.
#[derive(Debug, Clone, Copy)]
pub struct SqliteOptions {
    /// Connections that read for turns.
    pub turn_readers: usize,
    /// Connections that read for operators, so that a long search holds up no turn.
    pub admin_readers: usize,
    /// The file grows to so many pages of 4 KB at most; a full store refuses writes and goes on reading.
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            turn_readers: 2,
            admin_readers: 2,
            max_pages: None,
        }
    }
}

/// The store in one `SQLite` file.
pub struct SqliteStore {
    place: Arc<Place>,
    writer: Writer,
    turn_readers: Readers,
    admin_readers: Readers,
    feed: Arc<Feed>,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    ids: ObjectIds,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, made with its folder if it is not there, and brings its schema up to date. Blocks: for starts.
    pub fn open(
        path: &Path,
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
        options: SqliteOptions,
    ) -> Result<Self, OpenError> {
        connection::prepare(path)?;
        let failed = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        // Before any connection: one to a file that is replaced just now would find that its path leads elsewhere.
        let place = Place::of(path).map_err(|source| OpenError::Make {
            path: path.to_owned(),
            source,
        })?;
        let place = Arc::new(place);
        Ok(Self {
            writer: Writer::start(Arc::clone(&place), options.max_pages).map_err(failed)?,
            turn_readers: Readers::open(path, options.turn_readers.max(1)).map_err(failed)?,
            admin_readers: Readers::open(path, options.admin_readers.max(1)).map_err(failed)?,
            feed: Arc::new(Feed::open(path).map_err(failed)?),
            sealer,
            ids: ObjectIds::new(Arc::clone(&clock)),
            clock,
            place,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// A write of an operator, which may be refused.
    async fn write<T, F>(&self, action: &'static str, work: F) -> Result<T, WriteError>
    where
        F: FnOnce(&Connection, Timestamp) -> Result<T, Failure<WriteError>> + Send + 'static,
        T: Send + 'static,
    {
        let now = self.clock.now();
        self.writer
            .run(action, ADMIN, move |connection| work(connection, now))
            .await?
    }

    /// A write that is never refused.
    async fn record<T, F>(&self, action: &'static str, deadline: Duration, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let work = |connection: &Connection| work(connection).map_err(Failure::<std::convert::Infallible>::Sql);
        let Ok(done) = self.writer.run(action, deadline, work).await?;
        Ok(done)
    }

    async fn read<T, F>(&self, action: &'static str, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.admin_readers.run(action, ADMIN, read).await
    }

    async fn read_for_turn<T, F>(&self, action: &'static str, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.turn_readers.run(action, CALL_PATH, read).await
    }
}

#[async_trait]
impl Ping for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let now = self.clock.now().as_microsecond();
        self.record("take writes", CALL_PATH, move |connection| {
            let sql = "INSERT INTO pings (id, at) VALUES (1, ?1) ON CONFLICT DO UPDATE SET at = excluded.at";
            connection.prepare_cached(sql)?.execute([now]).map(drop)
        })
        .await?;
        self.read_for_turn("answer reads", |connection| {
            connection
                .prepare_cached("SELECT at FROM pings")?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(drop)
        })
        .await
    }
}
