//! What instances share through a cache server, with a real one.

use std::{sync::Arc, time::Duration};

use frontdesk_store::{
    redis::{BUDGET, Redis},
    redis_url::RedisUrl,
    tasks::TaskSet,
};
use frontdesk_testkit::redis_server::RedisServer;
use tokio::time::{Instant, sleep, timeout};

mod cache;
mod connection;
mod instances;
mod order;

/// A cache server of the test's own; `None` if there is none here.
fn server() -> Option<RedisServer> {
    RedisServer::start_or_skip().unwrap()
}

async fn connect(server: &RedisServer, tasks: &TaskSet) -> Arc<Redis> {
    Redis::start(&RedisUrl::parse(&server.url()).unwrap(), tasks)
        .await
        .unwrap()
}

/// Waits until the connection is there, or is not.
async fn until_here(redis: &Redis, wanted: bool) {
    let mut presence = redis.presence();
    let waited = timeout(Duration::from_secs(10), presence.wait_for(|here| *here == wanted)).await;
    waited.expect("it comes and goes within seconds").unwrap();
}
