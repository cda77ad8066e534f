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
    mongo_url::MongoUrl,
    ports::{Ping, StoreError},
    seal::Sealer,
    system::ObjectIds,
};

mod analytics;
mod audio;
mod calls;
mod changes;
mod companies;
mod contacts;
mod erasure;
mod examine;
mod existing;
mod failure;
mod health;
mod import;
mod leases;
mod ledger;
mod messages;
mod notifications;
mod outbox;
mod qnas;
mod retention;
mod revisions;
mod rotations;
mod schema;
mod singletons;
mod snapshots;
mod templates;
mod transaction;
mod transfer;
mod updates;
mod values;

pub use examine::{MongoExamination, Unusable, examine};
pub use existing::ExistingDatabase;
pub(crate) use failure::cause;
use failure::{Trouble, within};

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

/// How the driver is used, whatever the address says of it.
async fn client_options(url: &MongoUrl) -> Result<ClientOptions, OpenError> {
    // The driver's own words may quote the address, and with it the password.
    let mut options = ClientOptions::parse(url.expose())
        .await
        .map_err(|_| OpenError::Address(url.clone()))?;
    options.app_name.get_or_insert_with(|| "frontdesk".to_owned());
    options.server_selection_timeout = Some(SELECTION);
    options.connect_timeout = Some(CONNECT);
    options.max_pool_size.get_or_insert(POOL);
    // Read is what a majority has: nothing that an election may take back.
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(durable());
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    Ok(options)
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error("{0} is no address of a MongoDB server, or its name is unknown")]
    Address(MongoUrl),
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

/// How the database is used.
#[derive(Debug, Clone, Copy)]
pub struct MongoOptions {
    /// What a turn waits for.
    pub turn_deadline: Duration,
    /// What an operator or a queue waits for.
    pub operator_deadline: Duration,
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self {
            turn_deadline: Duration::from_secs(1),
            operator_deadline: Duration::from_secs(10),
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
    turnstiles: ledger::Turnstiles,
    options: MongoOptions,
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("database", &self.database.name())
            .finish_non_exhaustive()
    }
}

impl MongoStore {
    /// Connects, and brings the collections up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// The address is none, the server does not answer in time or is no replica set, or a newer version wrote the
    /// database.
    pub async fn open(
        url: &MongoUrl,
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
        options: MongoOptions,
    ) -> Result<Self, OpenError> {
        let connect = Self::connect(url, sealer, clock, options);
        match tokio::time::timeout(OPEN, Box::pin(connect)).await {
            Ok(opened) => opened,
            Err(_) => Err(OpenError::Failed {
                database: url.database().to_owned(),
                source: failure::late("be opened", OPEN),
            }),
        }
    }

    async fn connect(
        url: &MongoUrl,
        sealer: Arc<Sealer>,
        clock: Arc<dyn Clock>,
        own: MongoOptions,
    ) -> Result<Self, OpenError> {
        let name = url.database();
        let options = client_options(url).await?;
        let failed = |error: mongodb::error::Error| OpenError::failed(name, error.into());
        let client = Client::with_options(options).map_err(failed)?;
        let database = client.database(name);
        schema::prepare(&client, &database, name).await?;
        Ok(Self {
            client,
            database,
            sealer,
            ids: ObjectIds::new(Arc::clone(&clock)),
            turnstiles: ledger::Turnstiles::default(),
            clock,
            options: own,
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
        within("take writes", self.options.turn_deadline, async {
            let pings = self.collection(schema::PINGS);
            let update = doc! { "$set": { "at": values::date(self.now()) } };
            pings.update_one(doc! { "_id": "ping" }, update).upsert(true).await?;
            pings.find_one(doc! { "_id": "ping" }).await?;
            Ok(())
        })
        .await
    }
}
