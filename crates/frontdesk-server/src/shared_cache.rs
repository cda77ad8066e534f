//! The cache server that instances share, on `/readyz` and `/metrics`.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{alert::AlertCode, health::HealthState};
use frontdesk_store::{cache::SharedCache, redis::Redis};
use serde_json::json;

use crate::{
    health::{Check, Concern, Health},
    metrics::Metrics,
};

/// 1 while there is a connection to the cache server.
pub const HERE: &str = "frontdesk_shared_cache_up";
/// Commands that were sent to the cache server.
pub const COMMANDS: &str = "frontdesk_shared_cache_commands_total";
/// Of these, those that failed or were late.
pub const FAILURES: &str = "frontdesk_shared_cache_failures_total";
/// Commands that were not sent, because the cache server was away.
pub const SKIPPED: &str = "frontdesk_shared_cache_skipped_total";
/// How often the connection was lost.
pub const LOSSES: &str = "frontdesk_shared_cache_losses_total";
/// Values that the cache server had.
pub const HITS: &str = "frontdesk_shared_cache_hits_total";
/// Values that it did not have, or that were too old.
pub const MISSES: &str = "frontdesk_shared_cache_misses_total";
/// Values that were put there.
pub const FILLS: &str = "frontdesk_shared_cache_fills_total";
/// Changes of other instances that were heard through it.
pub const NEWS: &str = "frontdesk_shared_cache_news_total";

/// Whether the cache server answers.
pub struct SharedCacheCheck(Arc<Redis>);

impl SharedCacheCheck {
    /// Looks at this connection.
    #[must_use]
    pub fn new(redis: Arc<Redis>) -> Self {
        Self(redis)
    }
}

#[async_trait]
impl Check for SharedCacheCheck {
    fn name(&self) -> &'static str {
        "sharedCache"
    }

    fn concern(&self) -> Concern {
        let fix =
            "start Redis, or see why it cannot be reached; nothing is lost with it, and calls are answered meanwhile";
        Concern {
            details: json!({ "cache": self.0.url().to_string() }),
            ..Concern::raising(AlertCode::CacheError, HealthState::Down, fix)
        }
    }

    async fn health(&self) -> Health {
        let url = self.0.url();
        if self.0.is_here() {
            Health::well(format!("{url} answers"))
        } else {
            Health::down(format!(
                "{url} is away: each instance answers from its own memory and the store"
            ))
        }
    }
}

impl Metrics {
    /// Shows the cache server and what is shared through it.
    #[must_use]
    pub fn with_shared_cache(self, redis: Arc<Redis>, sharing: Arc<SharedCache>) -> Self {
        describe();
        self.with(move || {
            let (server, shared) = (redis.counts(), sharing.counts());
            metrics::gauge!(HERE).set(if server.is_here { 1.0 } else { 0.0 });
            for (name, count) in [
                (COMMANDS, server.commands),
                (FAILURES, server.failures),
                (SKIPPED, server.skipped),
                (LOSSES, server.losses),
                (HITS, shared.hits),
                (MISSES, shared.misses),
                (FILLS, shared.fills),
                (NEWS, shared.news),
            ] {
                metrics::counter!(name).absolute(count);
            }
        })
    }
}

fn describe() {
    metrics::describe_gauge!(HERE, "1 while there is a connection to the cache server");
    metrics::describe_counter!(COMMANDS, "commands sent to the cache server");
    metrics::describe_counter!(FAILURES, "commands that failed or were late");
    metrics::describe_counter!(SKIPPED, "commands not sent because the cache server was away");
    metrics::describe_counter!(LOSSES, "how often the connection to the cache server was lost");
    metrics::describe_counter!(HITS, "values that the cache server had");
    metrics::describe_counter!(
        MISSES,
        "values that the cache server did not have, or that were too old"
    );
    metrics::describe_counter!(FILLS, "values put on the cache server");
    metrics::describe_counter!(NEWS, "changes of other instances heard through the cache server");
}
