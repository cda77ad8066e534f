//! The cache server that instances share, where one is configured.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use frontdesk_callflow::CallFlow;
use frontdesk_store::{cache::SharedCache, instances::RedisInstances, redis::Redis, seal::Sealer, tasks::TaskSet};

use crate::config::Config;

/// Connects to the configured cache server; `None` if none is configured. One that is away is tried again.
pub(super) async fn connect(config: &Config, tasks: &TaskSet) -> Result<Option<Arc<Redis>>> {
    let Some(url) = &config.cache else {
        return Ok(None);
    };
    let redis = Redis::start(url, tasks).await;
    Ok(Some(
        redis.with_context(|| format!("cannot use the cache server {url}"))?,
    ))
}

/// What is shared through this server.
pub(super) fn sharing(redis: Option<&Arc<Redis>>, sealer: &Arc<Sealer>) -> Option<Arc<SharedCache>> {
    redis.map(|redis| SharedCache::new(Arc::clone(redis), Arc::clone(sealer)))
}

/// The call path, beside the instances that are heard through this server.
pub(super) fn beside(
    flow: CallFlow,
    redis: Option<&Arc<Redis>>,
    sealer: Arc<Sealer>,
    tasks: &TaskSet,
) -> Arc<CallFlow> {
    Arc::new(match redis {
        Some(redis) => flow.beside(RedisInstances::start(Arc::clone(redis), sealer, tasks)),
        None => flow,
    })
}
