//! The cache server that instances share, where one is configured.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use frontdesk_callflow::CallFlow;
use frontdesk_domain::alert::{Alert, AlertCode, Notifier};
use frontdesk_store::{
    cache::SharedCache, instances::RedisInstances, redis::Redis, redis_url::RedisUrl, seal::Sealer, tasks::TaskSet,
};
use serde_json::json;
use tokio::{sync::watch, time};

use crate::config::Config;

/// A server that is away for less is nobody's business: one slow answer ends a connection, the next is made at once.
const WORTH_AN_ALERT: Duration = Duration::from_secs(2);

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

/// Tells an operator when the server goes away, once each time.
pub(super) fn watch(redis: &Arc<Redis>, notifier: Arc<dyn Notifier>, tasks: &TaskSet) {
    let (presence, url, mut stopping) = (redis.presence(), redis.url().clone(), tasks.stopping());
    tasks.spawn("tell when the cache server is away", async move {
        tokio::select! {
            () = tell(presence, url, notifier) => {}
            () = stopping.wait() => {}
        }
    });
}

/// Ends when nobody connects any more.
async fn tell(mut presence: watch::Receiver<bool>, url: RedisUrl, notifier: Arc<dyn Notifier>) {
    loop {
        if presence.wait_for(|here| !*here).await.is_err() {
            return;
        }
        match time::timeout(WORTH_AN_ALERT, presence.wait_for(|here| *here)).await {
            Ok(Ok(_)) => continue,
            Ok(Err(_)) => return,
            Err(_) => {}
        }
        notifier.raise(Alert {
            code: AlertCode::CacheError,
            company: None,
            message: "the cache server is away: each instance answers from its own memory and the store, and edits are heard within a second".to_owned(),
            details: json!({ "cache": url.to_string() }),
        });
        if presence.wait_for(|here| *here).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Raised(Mutex<Vec<Alert>>);

    impl Notifier for Raised {
        fn raise(&self, alert: Alert) {
            self.0.lock().unwrap().push(alert);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_outage_is_told_once_and_a_blink_is_not() {
        let raised = Arc::<Raised>::default();
        let here = watch::Sender::new(true);
        let url = RedisUrl::parse("redis://me:the-password@cache:6379/0").unwrap();
        let tasks = TaskSet::new();
        tasks.spawn("tell", tell(here.subscribe(), url, raised.clone()));
        for (is_here, lasts) in [(false, 1), (true, 10), (false, 60), (true, 10), (false, 60)] {
            here.send_replace(is_here);
            time::sleep(Duration::from_secs(lasts)).await;
        }
        let raised = raised.0.lock().unwrap();
        assert_eq!(raised.len(), 2, "{raised:?}");
        assert!(raised.iter().all(|alert| alert.code == AlertCode::CacheError));
        assert!(!format!("{raised:?}").contains("the-password"));
    }
}
