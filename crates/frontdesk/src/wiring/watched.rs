//! Which parts of the process are watched.

use std::sync::{Arc, OnceLock};

use frontdesk_callflow::CallFlow;
use frontdesk_server::{
    health::{CacheCheck, Check, EncoderCheck, LlmCheck, LlmSpeedCheck, NoEncoder},
    metrics::{CountedNotifier, Metrics},
    probes::{AlertQueueCheck, ChangeFeedCheck, StoreCheck, TurnQueueCheck},
};
use frontdesk_store::{
    ports::Ping,
    queue::{AlertQueue, TurnQueue},
};

use crate::{
    config::Config,
    health::{self, Surroundings},
};

/// What `/metrics` shows of them.
pub(super) fn shown(
    metrics: Metrics,
    around: &Surroundings,
    turns: &TurnQueue,
    alerts: &AlertQueue,
    counted: Arc<CountedNotifier>,
    flow: &Arc<CallFlow>,
) -> Metrics {
    metrics
        .with_turns(turns.clone())
        .with_alerts(alerts.clone())
        .with_codes(counted)
        .with_process(around.leadership.clone(), Arc::clone(&around.clock))
        .with_flow(Arc::clone(flow))
        .with_caches(Arc::clone(&around.cached))
}

/// All of them, in the order in which `/readyz` shows them.
pub(super) fn checks(
    config: &Config,
    around: &Arc<Surroundings>,
    turns: &TurnQueue,
    alerts: &AlertQueue,
    flow: &Arc<CallFlow>,
    no_encoder: Arc<OnceLock<NoEncoder>>,
) -> Vec<Arc<dyn Check>> {
    let mut checks: Vec<Arc<dyn Check>> = vec![
        Arc::new(StoreCheck::new(Arc::clone(&around.store) as Arc<dyn Ping>)),
        Arc::new(ChangeFeedCheck::new(Arc::clone(&around.cached))),
        Arc::new(TurnQueueCheck::new(turns.clone())),
        Arc::new(AlertQueueCheck::new(alerts.clone())),
        Arc::new(CacheCheck::new(Arc::clone(&around.cached))),
        Arc::new(EncoderCheck::new(Arc::clone(flow), no_encoder)),
        Arc::new(LlmCheck::new(Arc::clone(flow))),
        Arc::new(LlmSpeedCheck::new(Arc::clone(flow))),
    ];
    checks.extend(health::checks(config.folder(), around));
    checks
}
