//! What `frontdesk doctor` asks a database server before it is used.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use frontdesk_domain::{clock::Clock, time::Timestamp};
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::ErrorKind,
};
use tokio::time;

use super::{CONNECT, SELECTION, client_options, durable, failure, schema, values::Fields as _};
use crate::mongo_url::MongoUrl;

/// All questions together.
const EXAMINATION: Duration = Duration::from_secs(20);

/// One question, longer than any that a turn waits for.
const QUESTION: Duration = Duration::from_secs(8);

/// So many writes are timed.
const WRITES: usize = 5;

/// What a server says of itself, and how fast it is.
#[derive(Debug, Clone, PartialEq)]
pub struct MongoExamination {
    /// The server's version, such as `7.0.33`.
    pub version: String,
    /// The name of its replica set, if it is one.
    pub replica_set: Option<String>,
    /// How many members of the set hold documents.
    pub members: usize,
    /// Whether the member that answered takes writes; the driver finds the one that does.
    pub takes_writes: bool,
    /// Whether documents outlive the process, if it says.
    pub keeps_on_disk: Option<bool>,
    /// How long a write took that a majority has in its journals: the middle one of several.
    pub write: Duration,
    /// How far its clock is ahead of ours, in seconds; what the question took is beyond doubt.
    pub clock_ahead: Option<f64>,
    /// The version of the documents in it, if there are any, and the newest that this build knows.
    pub schema: Option<(i64, i64)>,
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The address is none, or its host is unknown.
    #[error("it is no address, or its host is unknown")]
    Address,
    /// Nobody answers there.
    #[error("no server that takes writes is found there within {0:?}")]
    Away(Duration),
    /// It takes connections and answers nothing.
    #[error("it takes connections and does not answer within {0:?}")]
    Silent(Duration),
    /// It does not know the user, or the password is another.
    #[error("it refuses the user or the password")]
    Credentials,
    /// The user may not do what a store needs.
    #[error("the user may not {0}")]
    NotAllowed(&'static str),
    /// Something else, in the driver's words without what they quote.
    #[error("it cannot {0}: {1}")]
    Failed(&'static str, String),
}

/// Asks the server, and writes to the collection that is there for it.
///
/// # Errors
/// It cannot be used, and why.
pub async fn examine(url: &MongoUrl, clock: &Arc<dyn Clock>) -> Result<MongoExamination, Unusable> {
    let asked = Box::pin(ask(url, clock));
    time::timeout(EXAMINATION, asked)
        .await
        .unwrap_or(Err(Unusable::Silent(EXAMINATION)))
}

async fn ask(url: &MongoUrl, clock: &Arc<dyn Clock>) -> Result<MongoExamination, Unusable> {
    let options = client_options(url).await.map_err(|_| Unusable::Address)?;
    let client =
        Client::with_options(options).map_err(|error| Unusable::Failed("be connected to", unquoted(&error)))?;
    let database = client.database(url.database());
    let sent = clock.now();
    let hello = command(&database, "be greeted", doc! { "hello": 1 }).await?;
    let clock_ahead = clock_ahead(&hello, sent, clock.now());
    let about = command(&database, "say its version", doc! { "buildInfo": 1 }).await?;
    // Only some users may ask this, and no turn needs it.
    let status = command(&database, "say how it stores", doc! { "serverStatus": 1 })
        .await
        .ok();
    let keeps_on_disk = status
        .as_ref()
        .and_then(|status| status.get_document("storageEngine").ok()?.get_bool("persistent").ok());
    let hosts = hello.get_array("hosts").map_or(0, Vec::len);
    let schemas = database.collection::<Document>(schema::SCHEMA);
    let stored = question("read", schemas.find_one(doc! { "_id": "schema" }).into_future()).await?;
    let schema = stored.and_then(|found| found.number("version", "the version of the store's schema").ok());
    Ok(MongoExamination {
        version: about.get_str("version").unwrap_or("unknown").to_owned(),
        replica_set: hello.get_str("setName").ok().map(str::to_owned),
        members: hosts,
        takes_writes: hello.get_bool("isWritablePrimary").unwrap_or_default(),
        keeps_on_disk,
        write: middle_write(&database).await?,
        clock_ahead,
        schema: schema.map(|found| (found, schema::VERSION)),
    })
}

/// Seconds between the server's clock and the middle of the question, less what the question took.
fn clock_ahead(hello: &Document, sent: Timestamp, received: Timestamp) -> Option<f64> {
    let theirs = hello.get_datetime("localTime").ok()?;
    let theirs = Timestamp::from_millisecond(theirs.timestamp_millis()).ok()?;
    let ahead_of_sending = theirs.duration_since(sent).as_secs_f64();
    let ahead_of_receipt = theirs.duration_since(received).as_secs_f64();
    // Between the two nobody can tell.
    Some(if ahead_of_sending < 0.0 {
        ahead_of_sending
    } else {
        ahead_of_receipt.max(0.0)
    })
}

async fn middle_write(database: &Database) -> Result<Duration, Unusable> {
    let pings = database.collection::<Document>(schema::PINGS);
    let mut took = Vec::with_capacity(WRITES);
    for number in 0..WRITES {
        let update = doc! { "$set": { "number": i64::try_from(number).unwrap_or_default() } };
        let began = Instant::now();
        let write = pings
            .update_one(doc! { "_id": "doctor" }, update)
            .upsert(true)
            .write_concern(durable());
        question("write to the database", write.into_future()).await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(WRITES / 2).copied().unwrap_or_default())
}

async fn command(database: &Database, action: &'static str, command: Document) -> Result<Document, Unusable> {
    question(action, database.run_command(command).into_future()).await
}

async fn question<T>(
    action: &'static str,
    asked: impl Future<Output = mongodb::error::Result<T>> + Send,
) -> Result<T, Unusable> {
    match time::timeout(QUESTION, Box::pin(asked)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(why(action, &error)),
        Err(_) => Err(Unusable::Silent(QUESTION)),
    }
}

fn why(action: &'static str, error: &mongodb::error::Error) -> Unusable {
    const UNAUTHORIZED: i32 = 13;
    const AUTHENTICATION_FAILED: i32 = 18;
    match &*error.kind {
        ErrorKind::Authentication { .. } => Unusable::Credentials,
        ErrorKind::Command(refusal) if refusal.code == AUTHENTICATION_FAILED => Unusable::Credentials,
        ErrorKind::Command(refusal) if refusal.code == UNAUTHORIZED => Unusable::NotAllowed(action),
        ErrorKind::ServerSelection { .. } => Unusable::Away(SELECTION),
        _ => Unusable::Failed(action, unquoted(error)),
    }
}

fn unquoted(error: &mongodb::error::Error) -> String {
    failure::unquoted(error).to_string()
}

/// What the driver waits for a connection is part of what a question waits for.
const _: () = assert!(CONNECT.as_millis() < QUESTION.as_millis());
