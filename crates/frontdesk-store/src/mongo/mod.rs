//! The backend for many instances: a `MongoDB` replica set.
//!
//! Documents of operators are written in transactions, one after the other ([`transaction`]). What calls write is one
//! document each: nothing on the call path waits for a transaction of its own. Every write may be run twice and is then
//! done once, because drivers and servers repeat writes whose answer was lost. Each operation has a deadline of its own,
//! far below the driver's.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_domain::{clock::Clock, time::Timestamp};
use mongodb::{
    Client, Collection, Database,
    bson::{Document, doc},
    options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern},
};

use crate::{
    ports::{Ping, StoreError},
    seal::Sealer,
    system::ObjectIds,
};

mod audio;
mod calls;
mod changes;
mod companies;
mod failure;
mod import;
mod leases;
mod ledger;
mod messages;
mod notifications;
mod qnas;
mod retention;
mod revisions;
mod rotations;
mod schema;
mod singletons;
mod snapshots;
mod templates;
mod transaction;
mod values;

use failure::{Trouble, within};

/// What a turn waits for.
const CALL_PATH: Duration = Duration::from_secs(1);

/// What an operator or a queue waits for.
const ADMIN: Duration = Duration::from_secs(10);

/// What an import waits for: the server ends a transaction after a minute.
const IMPORT: Duration = Duration::from_secs(58);

/// What a start waits for, indexes included.
const OPEN: Duration = Duration::from_secs(30);

/// So long the driver looks for a server that takes writes. Whoever waits has a deadline of their own.
const SELECTION: Duration = Duration::from_secs(2);

/// Also bounds the driver's heartbeats: with less, a busy server is taken for a dead one.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections to one server. Turns are answered from memory; few of them need the store.
const POOL: u32 = 32;

/// Acknowledged by a majority of the members, and in their journals.
fn durable() -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build()
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none, or names no database.
    #[error("{0}")]
    Address(String),
    /// The server does not answer, or refuses.
    #[error("the database {database} cannot be used")]
    Failed {
        /// Its name.
        database: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The server does not take transactions.
    #[error(
        "this MongoDB server takes no transactions, because it is no replica set; one member is enough: start it with --replSet and run rs.initiate() once"
    )]
    NoTransactions,
    /// A newer version has written it.
    #[error(
        "the database {database} was written by a newer version of Frontdesk: its schema is version {found}, this build knows {known}; use the newer build, or restore a backup"
    )]
    Newer {
        /// Its name.
        database: String,
        /// The version of its schema.
        found: i64,
        /// The newest version that this build knows.
        known: i64,
    },
}

impl OpenError {
    fn failed(database: &str, trouble: Trouble) -> Self {
        Self::Failed {
            database: database.to_owned(),
            source: failure::store_error("be opened", trouble),
        }
    }
}

/// The store in a database of a `MongoDB` replica set.
pub struct MongoStore {
    client: Client,
    database: Database,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    ids: ObjectIds,
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("database", &self.database.name())
            .finish_non_exhaustive()
    }
}

/// Servers and database of an address, without name and password: what may be shown and logged.
#[must_use]
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("mongodb", url));
    let servers = rest.split(['/', '?']).next().unwrap_or_default();
    // A name or password may hold an `@` that nobody has escaped.
    let hosts = servers.rsplit('@').next().unwrap_or_default();
    let database = database_of(url).unwrap_or_default();
    format!("{scheme}://{hosts}/{database}")
}

/// The database that an address names.
#[must_use]
pub fn database_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.rsplit_once('@').unwrap_or(("", rest)).1.split_once('/')?;
    path.split('?').next().filter(|name| !name.is_empty())
}

impl MongoStore {
    /// Connects, and brings the collections up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// The address is none, the server does not answer in time or is no replica set, or a newer version wrote the
    /// database.
    pub async fn open(url: &str, sealer: Arc<Sealer>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let name = database_of(url).ok_or_else(|| {
            OpenError::Address(format!(
                "{} names no database; write mongodb://host/database",
                shown(url)
            ))
        })?;
        match tokio::time::timeout(OPEN, Box::pin(Self::connect(url, name, sealer, clock))).await {
            Ok(opened) => opened,
            Err(_) => Err(OpenError::Failed {
                database: name.to_owned(),
                source: failure::late("be opened", OPEN),
            }),
        }
    }

    async fn connect(url: &str, name: &str, sealer: Arc<Sealer>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        // The driver's own words may quote the address, and with it the password.
        let mut options = ClientOptions::parse(url)
            .await
            .map_err(|_| OpenError::Address(format!("{} is no address of a MongoDB server", shown(url))))?;
        options.app_name.get_or_insert_with(|| "frontdesk".to_owned());
        options.server_selection_timeout = Some(SELECTION);
        options.connect_timeout = Some(CONNECT);
        options.max_pool_size.get_or_insert(POOL);
        // Read is what a majority has: nothing that an election may take back.
        options.read_concern = Some(ReadConcern::majority());
        options.write_concern = Some(durable());
        options.retry_reads = Some(true);
        options.retry_writes = Some(true);
        let failed = |error: mongodb::error::Error| OpenError::failed(name, error.into());
        let client = Client::with_options(options).map_err(failed)?;
        let database = client.database(name);
        schema::prepare(&client, &database, name).await?;
        Ok(Self {
            client,
            database,
            sealer,
            ids: ObjectIds::new(Arc::clone(&clock)),
            clock,
        })
    }

    fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// Now, as exactly as a date is stored.
    fn now(&self) -> Timestamp {
        values::as_stored(self.clock.now())
    }
}

#[async_trait]
impl Ping for MongoStore {
    async fn ping(&self) -> Result<(), StoreError> {
        within("take writes", CALL_PATH, async {
            let pings = self.collection(schema::PINGS);
            let update = doc! { "$set": { "at": values::date(self.now()) } };
            pings.update_one(doc! { "_id": "ping" }, update).upsert(true).await?;
            pings.find_one(doc! { "_id": "ping" }).await?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, want) in [
            (
                "mongodb://127.0.0.1:27017/frontdesk",
                "mongodb://127.0.0.1:27017/frontdesk",
            ),
            (
                "mongodb://me:p%40ss@a:1,b:2/desk?replicaSet=rs",
                "mongodb://a:1,b:2/desk",
            ),
            (
                "mongodb+srv://me:p@ss@cluster.example/desk?w=1",
                "mongodb+srv://cluster.example/desk",
            ),
            ("mongodb://host", "mongodb://host/"),
        ] {
            assert_eq!(shown(url), want);
        }
    }

    #[test]
    fn the_database_is_the_path() {
        assert_eq!(database_of("mongodb://me:x@a:1,b:2/desk?w=1"), Some("desk"));
        for none in ["mongodb://host", "mongodb://host/", "mongodb://host/?w=1", "host/desk"] {
            assert_eq!(database_of(none), None, "{none}");
        }
    }
}
