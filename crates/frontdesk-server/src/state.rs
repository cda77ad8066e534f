//! What the handlers share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use frontdesk_callflow::CallFlow;
use frontdesk_domain::{alert::Notifier, clock::Clock};
use frontdesk_store::{cache::CachedStore, ports::Backend, system::ObjectIds};

use crate::{
    auth::AdminToken,
    health::{Check, Monitor, MonitorParts},
    metrics::Metrics,
    notices::Notices,
};

/// Whether this process takes calls.
#[derive(Debug, Default)]
pub struct Lifecycle {
    loaded: AtomicBool,
    draining: AtomicBool,
}

impl Lifecycle {
    /// The first load is done: calls can be answered.
    pub fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }

    /// The process is about to end: no new calls, please.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Why new calls should not come here: `starting` or `draining`.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Acquire) {
            return Some("draining");
        }
        (!self.loaded.load(Ordering::Acquire)).then_some("starting")
    }
}

/// What the server is made of.
pub struct Parts {
    /// The only writer of documents that the server has: the caches in front of the store.
    pub store: Arc<CachedStore>,
    /// The call path.
    pub flow: Arc<CallFlow>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: ObjectIds,
    /// The operator's token.
    pub token: AdminToken,
    /// What the monitor asks.
    pub checks: Vec<Arc<dyn Check>>,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Whether this process takes calls.
    pub lifecycle: Arc<Lifecycle>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// The notification centre.
    pub notices: Notices,
}

/// The state of every handler; cheap to clone.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
    /// The same store as in the parts, as its ports.
    pub(crate) store: Arc<dyn Backend>,
    monitor: Arc<Monitor>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(mut parts: Parts) -> Self {
        let store: Arc<dyn Backend> = Arc::<CachedStore>::clone(&parts.store);
        let monitor = Arc::new(Monitor::new(MonitorParts {
            checks: parts.checks.clone(),
            store: Arc::clone(&store),
            notifier: Arc::clone(&parts.notifier),
            clock: Arc::clone(&parts.clock),
        }));
        parts.metrics = parts.metrics.with_health(Arc::clone(&monitor));
        Self {
            parts: Arc::new(parts),
            store,
            monitor,
        }
    }

    /// What is believed of the parts of this process.
    #[must_use]
    pub const fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}
