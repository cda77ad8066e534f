//! What fails while calls are in progress.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Cluster, INSTANCES};
use crate::server::Server;

/// How long a part is away.
const AWAY: Duration = Duration::from_secs(10);

/// What calls are given before and after a fault.
const CALM: Duration = Duration::from_secs(8);

/// A process is given so long to end by itself.
const DRAIN: Duration = Duration::from_secs(10);

/// So often a service is started until it runs.
const STARTS: u32 = 4;

/// What a slow database server keeps each answer back.
const SLOW: Duration = Duration::from_millis(500);

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: what the others are compared with.
    Nothing,
    /// Each instance in turn is ended (SIGTERM) and started again.
    Rolling,
    /// Each instance in turn is killed (SIGKILL) and started again.
    Killed,
    /// An instance is stopped (SIGSTOP) and goes on.
    Stopped,
    /// The cache server is killed and comes back empty.
    NoRedis,
    /// The database server is killed and comes back.
    NoMongo,
    /// The database server takes connections and answers nothing.
    MongoHangs,
    /// Each answer of the database server is kept back half a second.
    MongoSlow,
    /// Both servers are killed and come back.
    Neither,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Nothing,
        Self::Rolling,
        Self::Killed,
        Self::Stopped,
        Self::NoRedis,
        Self::NoMongo,
        Self::MongoHangs,
        Self::MongoSlow,
        Self::Neither,
    ];

    /// Its name, for tables and the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Rolling => "rolling",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::NoRedis => "no-redis",
            Self::NoMongo => "no-mongo",
            Self::MongoHangs => "mongo-hangs",
            Self::MongoSlow => "mongo-slow",
            Self::Neither => "neither",
        }
    }

    /// Whether a process is killed, which may take the records of its last second along.
    #[must_use]
    pub const fn may_lose_records(self) -> bool {
        matches!(self, Self::Killed)
    }

    /// Lets it happen, and waits until it is over. Tells what happens when.
    ///
    /// # Errors
    /// A part cannot be ended or started.
    pub async fn happen(self, parts: &mut Cluster, mut tell: impl FnMut(String)) -> Result<()> {
        tokio::time::sleep(CALM).await;
        match self {
            Self::Nothing => tokio::time::sleep(AWAY).await,
            Self::Rolling => {
                for number in 0..INSTANCES {
                    let Some(server) = parts.office.servers.get_mut(number) else {
                        continue;
                    };
                    let took = server.stop(DRAIN).await?;
                    tell(format!("instance {number} drained in {:.1} s", took.as_secs_f64()));
                    let took = start(server).await?;
                    tell(format!("instance {number} ready after {:.1} s", took.as_secs_f64()));
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
            }
            Self::Killed => {
                for number in 0..INSTANCES {
                    let Some(server) = parts.office.servers.get_mut(number) else {
                        continue;
                    };
                    server.kill()?;
                    tell(format!("instance {number} killed"));
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    let took = start(server).await?;
                    tell(format!("instance {number} ready after {:.1} s", took.as_secs_f64()));
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
            }
            Self::Stopped => {
                if let Some(server) = parts.office.servers.first() {
                    server.signal("STOP")?;
                    tell("instance 0 stopped".to_owned());
                    tokio::time::sleep(AWAY).await;
                    server.signal("CONT")?;
                    tell("instance 0 goes on".to_owned());
                }
            }
            Self::NoRedis => {
                parts.redis.kill()?;
                tell("the cache server is gone".to_owned());
                tokio::time::sleep(AWAY).await;
                parts.redis.start()?;
                tell("the cache server is back, empty".to_owned());
            }
            Self::NoMongo => {
                parts.mongo.kill()?;
                tell("the database server is gone".to_owned());
                tokio::time::sleep(AWAY).await;
                parts.mongo.start()?;
                tell("the database server is back".to_owned());
            }
            Self::MongoHangs => {
                parts.mongo.hang()?;
                tell("the database server hangs".to_owned());
                tokio::time::sleep(AWAY).await;
                parts.mongo.go_on()?;
                tell("the database server goes on".to_owned());
            }
            Self::MongoSlow => {
                parts.line.keep_back(SLOW);
                tell("the database server is slow".to_owned());
                tokio::time::sleep(AWAY).await;
                parts.line.keep_back(Duration::ZERO);
                tell("the database server is fast again".to_owned());
            }
            Self::Neither => {
                parts.mongo.kill()?;
                parts.redis.kill()?;
                tell("database server and cache server are gone".to_owned());
                tokio::time::sleep(AWAY).await;
                parts.redis.start()?;
                parts.mongo.start()?;
                tell("both are back".to_owned());
            }
        }
        tokio::time::sleep(CALM).await;
        Ok(())
    }
}

/// Starts an instance, again if it ends at its start: whoever looks after services does so.
async fn start(server: &mut Server) -> Result<Duration> {
    let began = Instant::now();
    for _ in 1..STARTS {
        if server.start().await.is_ok() {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    server.start().await?;
    Ok(began.elapsed())
}
