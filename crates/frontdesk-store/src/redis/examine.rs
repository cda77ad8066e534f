//! What `frontdesk doctor` asks a cache server.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use frontdesk_domain::{clock::Clock, time::Timestamp};
use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tokio::time;

use super::{BUDGET, CONNECT};
use crate::redis_url::RedisUrl;

/// A question of the doctor, which is no turn.
const QUESTION: Duration = Duration::from_secs(2);

/// So many answers are timed.
const PINGS: usize = 9;

/// What a cache server says of itself, and how fast it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisExamination {
    /// Its version, such as `7.0.15`.
    pub version: String,
    /// Whether it takes writes: a replica does not.
    pub takes_writes: bool,
    /// Whether it is a part of a Redis Cluster.
    pub is_cluster: bool,
    /// Whether it has a limit of memory and throws away what was used least when that is reached; absent if it has none.
    pub evicts: Option<bool>,
    /// How long an answer took: the middle one of several.
    pub answer: Duration,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead: Option<f64>,
}

/// Why a cache server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nobody listens there, or the host is unknown.
    #[error("nobody answers there: {0}")]
    Away(String),
    /// It takes connections and answers nothing.
    #[error("it takes connections and does not answer within {0:?}")]
    Silent(Duration),
    /// It does not know the user, or the password is another.
    #[error("it refuses the user or the password")]
    Credentials,
    /// The user may not use the commands that are needed.
    #[error("it refuses a command: {0}")]
    NotAllowed(String),
}

/// Asks the server.
///
/// # Errors
/// It cannot be used, and why.
pub async fn examine(url: &RedisUrl, clock: &Arc<dyn Clock>) -> Result<RedisExamination, Unusable> {
    // Fails only if another one has been installed, which is as good.
    _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::open(url.info()).map_err(|error| why(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(QUESTION));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connected = time::timeout(CONNECT + QUESTION, connecting).await;
    let mut connection = connected
        .map_err(|_| Unusable::Silent(CONNECT + QUESTION))?
        .map_err(|error| why(&error))?;
    let (sent, told): (Timestamp, (i64, i64)) = (clock.now(), ask(&mut connection, "TIME", &[]).await?);
    let clock_ahead = clock_ahead(told, sent, clock.now());
    let info: String = ask(&mut connection, "INFO", &[]).await?;
    let info: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let says = |name: &str| info.get(name).copied().unwrap_or_default();
    // What every instance writes, and what a user of few rights may not.
    let () = ask(&mut connection, "SET", &["production-ai:doctor", "1", "PX", "1000"]).await?;
    let _: i64 = ask(&mut connection, "EVAL", &["return 1", "0"]).await?;
    let mut took = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let began = Instant::now();
        let () = ask(&mut connection, "GET", &["production-ai:doctor"]).await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(RedisExamination {
        version: says("redis_version").to_owned(),
        takes_writes: says("role") != "slave",
        is_cluster: says("cluster_enabled") == "1",
        evicts: (says("maxmemory") != "0" && !says("maxmemory").is_empty())
            .then(|| says("maxmemory_policy").starts_with("allkeys")),
        answer: took.get(PINGS / 2).copied().unwrap_or(BUDGET),
        clock_ahead,
    })
}

async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &str,
    arguments: &[&str],
) -> Result<T, Unusable> {
    let mut asked = redis::cmd(command);
    for argument in arguments {
        asked.arg(*argument);
    }
    match time::timeout(QUESTION, asked.query_async(connection)).await {
        Ok(answer) => answer.map_err(|error| why(&error)),
        Err(_) => Err(Unusable::Silent(QUESTION)),
    }
}

/// Seconds between the server's clock and the time of the question, less what the question took.
fn clock_ahead((seconds, micros): (i64, i64), sent: Timestamp, received: Timestamp) -> Option<f64> {
    let theirs = Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()?;
    let ahead_of_sending = theirs.duration_since(sent).as_secs_f64();
    let ahead_of_receipt = theirs.duration_since(received).as_secs_f64();
    // Between the two nobody can tell.
    Some(if ahead_of_sending < 0.0 {
        ahead_of_sending
    } else {
        ahead_of_receipt.max(0.0)
    })
}

fn why(error: &redis::RedisError) -> Unusable {
    if error.is_timeout() {
        return Unusable::Silent(QUESTION);
    }
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => return Unusable::Credentials,
        Some(code @ ("NOPERM" | "READONLY" | "MOVED" | "MISCONF" | "OOM")) => {
            return Unusable::NotAllowed(code.to_owned());
        }
        _ => {}
    }
    match error.kind() {
        redis::ErrorKind::AuthenticationFailed => Unusable::Credentials,
        _ if error.is_io_error() => Unusable::Away(error.to_string()),
        kind => Unusable::NotAllowed(format!("{kind:?}")),
    }
}
