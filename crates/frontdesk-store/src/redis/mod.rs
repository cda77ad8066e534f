//! The cache server, which several instances share (ADR 0013). Everything in it may be lost at any moment.
//!
//! - One multiplexed connection, opened and looked after by a task of its own. Whoever wants something of the server uses
//!   the connection that is there or is told at once that there is none: no turn ever waits for one to be made.
//! - Nobody waits longer than [`BUDGET`] for an answer. A command that is late or finds the connection broken ends the
//!   connection, so that the next ones do not wait for the same.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation,
    aio::MultiplexedConnection,
};
use tokio::{sync::watch, time};
use tracing::{info, warn};

use crate::{
    redis_url::RedisUrl,
    tasks::{Stopping, TaskSet},
};

mod examine;
mod subscription;

pub use examine::{RedisExamination, Unusable, examine};
pub use subscription::Subscription;

/// Nobody waits longer for an answer of the cache server.
pub const BUDGET: Duration = Duration::from_millis(50);

/// So long a connection may take to be made, which nobody waits for.
const CONNECT: Duration = Duration::from_millis(500);

/// How often a server that is away is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// How often a server of which nobody wants anything is asked whether it is there.
const LOOK: Duration = Duration::from_secs(1);

/// Why the cache server gave no answer. What was wanted of it goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no connection; nothing was sent.
    #[error("the cache server is away")]
    Away,
    /// It did not answer within [`BUDGET`].
    #[error("the cache server does not answer in time")]
    Late,
    /// The connection broke, or the server refused.
    #[error("the cache server refuses or cannot be reached")]
    Failed(#[source] RedisError),
}

/// What the cache server was asked so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedisCounts {
    /// Commands that were sent.
    pub commands: u64,
    /// Of these, those that failed or were late.
    pub failures: u64,
    /// Commands that were not sent, because there was no connection.
    pub skipped: u64,
    /// How often a connection was lost.
    pub losses: u64,
    /// Whether there is a connection.
    pub is_here: bool,
}

/// A cache server.
pub struct Redis {
    client: Client,
    url: RedisUrl,
    link: Mutex<Option<Link>>,
    /// Whether there is a connection.
    is_here: watch::Sender<bool>,
    links: AtomicU64,
    commands: AtomicU64,
    failures: AtomicU64,
    skipped: AtomicU64,
    losses: AtomicU64,
}

/// A connection, told from those before it by its number.
#[derive(Clone)]
struct Link {
    number: u64,
    connection: MultiplexedConnection,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("url", &self.url)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Starts to look after a connection. Returns when there is one, or after half a second without: a server that is
    /// away is tried again until the process ends.
    ///
    /// # Errors
    /// The address cannot be used.
    pub async fn start(url: &RedisUrl, tasks: &TaskSet) -> Result<Arc<Self>, RedisError> {
        // Fails only if another one has been installed, which is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
        let redis = Arc::new(Self {
            client: Client::open(url.info())?,
            url: url.clone(),
            link: Mutex::default(),
            is_here: watch::Sender::new(false),
            links: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            losses: AtomicU64::new(0),
        });
        let mut here = redis.presence();
        tasks.spawn(
            "keep the connection to the cache",
            Arc::clone(&redis).keep(tasks.stopping()),
        );
        _ = time::timeout(CONNECT, here.wait_for(|here| *here)).await;
        Ok(redis)
    }

    /// The answer to a command.
    ///
    /// # Errors
    /// There is none within [`BUDGET`].
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, NoAnswer> {
        self.within_budget(async |mut connection| command.query_async(&mut connection).await)
            .await
    }

    /// What a script gives. The server is sent its text only if it does not know it.
    ///
    /// # Errors
    /// There is nothing within [`BUDGET`].
    pub async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, NoAnswer> {
        self.within_budget(async |mut connection| script.invoke_async(&mut connection).await)
            .await
    }

    async fn within_budget<T>(
        &self,
        work: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, NoAnswer> {
        let Some(link) = self.link().clone() else {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return Err(NoAnswer::Away);
        };
        self.commands.fetch_add(1, Ordering::Relaxed);
        let failure = match time::timeout(BUDGET, work(link.connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => NoAnswer::Failed(error),
            Err(_) => NoAnswer::Late,
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        if failure.ends_the_connection() {
            self.lose(link.number);
        }
        Err(failure)
    }

    /// Tells when the server comes and goes.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<bool> {
        self.is_here.subscribe()
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_here(&self) -> bool {
        *self.is_here.borrow()
    }

    /// The address, which shows no password.
    #[must_use]
    pub const fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// What the server was asked so far.
    #[must_use]
    pub fn counts(&self) -> RedisCounts {
        RedisCounts {
            commands: self.commands.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            losses: self.losses.load(Ordering::Relaxed),
            is_here: self.is_here(),
        }
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection go, unless it is another one already.
    fn lose(&self, number: u64) {
        let lost = self.link().take_if(|link| link.number == number);
        if lost.is_some() {
            self.losses.fetch_add(1, Ordering::Relaxed);
            self.is_here.send_replace(false);
        }
    }

    /// Makes connections, one after the other is lost, until the process ends.
    async fn keep(self: Arc<Self>, mut stopping: Stopping) {
        let mut is_said = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    info!(cache = %self.url, "the cache server answers");
                    self.put(connection);
                    if self.until_lost(&mut stopping).await {
                        return;
                    }
                    warn!(cache = %self.url, "the connection to the cache server is lost; it is tried again");
                    is_said = true;
                    // At once: it may have been the connection alone.
                    continue;
                }
                Err(error) if !is_said => {
                    let error = &error as &dyn std::error::Error;
                    warn!(cache = %self.url, error, "the cache server cannot be reached; it is tried again");
                    is_said = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(AGAIN) => {}
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, NoAnswer> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(BUDGET));
        let made = self.client.get_multiplexed_async_connection_with_config(&config);
        let made = time::timeout(CONNECT, made).await;
        let mut connection = made.map_err(|_| NoAnswer::Late)?.map_err(NoAnswer::Failed)?;
        // It may take connections and answer nothing, or not be allowed to say anything yet.
        let asked = time::timeout(CONNECT, redis::cmd("PING").exec_async(&mut connection)).await;
        asked.map_err(|_| NoAnswer::Late)?.map_err(NoAnswer::Failed)?;
        Ok(connection)
    }

    fn put(&self, connection: MultiplexedConnection) {
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        *self.link() = Some(Link { number, connection });
        self.is_here.send_replace(true);
    }

    /// Waits until the connection is lost, or the process ends: then `true`.
    async fn until_lost(&self, stopping: &mut Stopping) -> bool {
        let mut here = self.presence();
        loop {
            tokio::select! {
                () = stopping.wait() => return true,
                _ = here.wait_for(|here| !*here) => return false,
                () = time::sleep(LOOK) => {}
            }
            // A failure ends the connection by itself.
            _ = self.ask::<()>(&redis::cmd("PING")).await;
        }
    }
}

impl NoAnswer {
    /// Whether a new connection may be better than this one.
    fn ends_the_connection(&self) -> bool {
        match self {
            Self::Away => false,
            Self::Late => true,
            // `READONLY`: the server has become a replica, another one is reached by the same name now.
            Self::Failed(error) => {
                error.is_io_error() || error.is_unrecoverable_error() || error.code() == Some("READONLY")
            }
        }
    }
}
