//! `/healthz`, `/readyz` and `/metrics`.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use frontdesk_domain::{alert::AlertCode, decision::Matcher, health::HealthState};
use frontdesk_store::{
    cache::CachedStore,
    ports::Ping,
    queue::{AlertQueue, TurnQueue},
};
use http::{StatusCode, header};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

pub use crate::health::{Check, Concern, Health};
use crate::{auth::Operator, openapi::schema, problem::Problem, state::App};

/// Whether the store answers and takes writes. Asked at most once a second, however many look.
pub struct StoreCheck {
    store: Arc<dyn Ping>,
    last: Mutex<Option<(Instant, Health)>>,
}

impl StoreCheck {
    const FRESH: Duration = Duration::from_secs(1);
    const DEADLINE: Duration = Duration::from_millis(900);

    /// Asks this store.
    #[must_use]
    pub fn new(store: Arc<dyn Ping>) -> Self {
        Self {
            store,
            last: Mutex::default(),
        }
    }
}

#[async_trait]
impl Check for StoreCheck {
    fn name(&self) -> &'static str {
        "store"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: Duration::from_secs(2),
            ..Concern::raising(
                AlertCode::DatabaseError,
                HealthState::Down,
                "see why the store does not answer: its disk, its process, the way to it; `frontdesk doctor` looks at all three",
            )
        }
    }

    async fn health(&self) -> Health {
        // Held over the ping on purpose: those who come meanwhile wait for its answer instead of asking too.
        let mut last = self.last.lock().await;
        if let Some((at, health)) = &*last
            && at.elapsed() < Self::FRESH
        {
            return health.clone();
        }
        let began = Instant::now();
        let health = match timeout(Self::DEADLINE, self.store.ping()).await {
            Ok(Ok(())) => Health::well(format!("answers in {} ms", began.elapsed().as_millis())),
            Ok(Err(error)) => Health::down(with_causes(&error)),
            Err(_) => Health::down("does not answer in time"),
        };
        *last = Some((began, health.clone()));
        health
    }
}

/// An error and why it came about: the innermost cause is what an operator can do something about.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        // Some repeat what caused them.
        if !text.ends_with(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    text
}

/// Whether this process hears what others change.
pub struct ChangeFeedCheck(Arc<CachedStore>);

impl ChangeFeedCheck {
    /// Looks at these caches.
    #[must_use]
    pub fn new(store: Arc<CachedStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Check for ChangeFeedCheck {
    fn name(&self) -> &'static str {
        "changeFeed"
    }

    fn concern(&self) -> Concern {
        Concern::silent("see why the store does not answer; edits made on other instances are heard when it does")
    }

    async fn health(&self) -> Health {
        if self.0.hears_changes() {
            Health::well("hears what other processes change")
        } else {
            Health::degraded("does not hear what other processes change; edits made there show up late")
        }
    }
}

/// Whether a queue has let something go since it was last well, or is about to.
struct Losses {
    seen: std::sync::Mutex<(u64, Option<Instant>)>,
}

impl Losses {
    /// So long a loss is told after it happened.
    const TOLD: Duration = Duration::from_mins(1);

    const fn new() -> Self {
        Self {
            seen: std::sync::Mutex::new((0, None)),
        }
    }

    /// Whether there was a loss in the last minute, given all losses so far.
    fn recent(&self, dropped: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if dropped > seen.0 {
            *seen = (dropped, Some(Instant::now()));
        }
        seen.1.is_some_and(|at| at.elapsed() < Self::TOLD)
    }
}

/// Whether turn records reach the store.
pub struct TurnQueueCheck {
    queue: TurnQueue,
    losses: Losses,
}

impl TurnQueueCheck {
    /// More waiting records than this mean that the store does not keep up.
    const MANY: usize = 10_000;

    /// Looks at this queue.
    #[must_use]
    pub fn new(queue: TurnQueue) -> Self {
        Self {
            queue,
            losses: Losses::new(),
        }
    }
}

#[async_trait]
impl Check for TurnQueueCheck {
    fn name(&self) -> &'static str {
        "turnQueue"
    }

    fn concern(&self) -> Concern {
        // The call path raises it for each record that is lost.
        Concern::told_elsewhere(
            AlertCode::DatabaseError,
            "see why the store does not keep up; what waits is stored as soon as it does",
        )
    }

    async fn health(&self) -> Health {
        let (counts, waiting) = (self.queue.counts(), self.queue.waiting());
        let detail = format!("{waiting} waiting, {} stored, {} lost", counts.stored, counts.dropped);
        if waiting <= Self::MANY && !self.losses.recent(counts.dropped) {
            Health::well(detail)
        } else {
            Health::degraded(detail)
        }
    }
}

/// Whether alerts reach the store.
pub struct AlertQueueCheck {
    queue: AlertQueue,
    losses: Losses,
}

impl AlertQueueCheck {
    /// Looks at this queue.
    #[must_use]
    pub fn new(queue: AlertQueue) -> Self {
        Self {
            queue,
            losses: Losses::new(),
        }
    }
}

#[async_trait]
impl Check for AlertQueueCheck {
    fn name(&self) -> &'static str {
        "alertQueue"
    }

    fn concern(&self) -> Concern {
        Concern::silent("see why the store does not take alerts; those that were let go are counted in /metrics")
    }

    async fn health(&self) -> Health {
        let counts = self.queue.counts();
        let detail = format!(
            "{} raised, {} stored, {} lost",
            counts.raised, counts.stored, counts.dropped
        );
        if self.losses.recent(counts.dropped) {
            Health::degraded(detail)
        } else {
            Health::well(detail)
        }
    }
}

/// Tells that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "probes", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Tells whether calls should come here: 503 before the first load and while draining, else 200.
#[utoipa::path(get, path = "/readyz", tag = "probes",
    responses((status = 200, body = schema::Readiness), (status = 503, body = schema::Readiness)))]
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let readiness = Readiness::of(&app);
    let status = if readiness.status == "starting" || readiness.status == "draining" {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

/// Shows numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "probes", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn show_metrics(State(app): State<App>, _: Operator) -> Result<Response, Problem> {
    Ok(exposition(&app))
}

/// The numbers without a token, for a listener of their own.
pub(crate) async fn show_metrics_openly(State(app): State<App>) -> Response {
    exposition(&app)
}

fn exposition(app: &App) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.metrics.render(),
    )
        .into_response()
}

#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    matcher: Matcher,
    /// Companies whose answers are still being learnt.
    training: usize,
    checks: Vec<CheckView>,
}

#[derive(Debug, Serialize)]
struct CheckView {
    name: Arc<str>,
    status: &'static str,
    detail: Arc<str>,
}

impl Readiness {
    /// What the monitor believes: whoever looks here, however often, asks no part anything.
    fn of(app: &App) -> Self {
        let checks = app.monitor().parts().into_iter().map(|part| CheckView {
            name: part.name,
            status: part.state.map_or("unknown", HealthState::as_str),
            detail: part.detail,
        });
        let checks: Vec<CheckView> = checks.collect();
        let status = match app.lifecycle.refusal() {
            Some(status) => status,
            None if checks.iter().all(|check| check.status == "ok") => "ready",
            None => "degraded",
        };
        Self {
            status,
            matcher: app.flow.meanings().matcher(),
            training: app.flow.meanings().training(),
            checks,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use frontdesk_store::ports::StoreError;

    use super::*;

    struct Store {
        pings: AtomicU32,
        takes: Duration,
    }

    #[async_trait]
    impl Ping for Store {
        async fn ping(&self) -> Result<(), StoreError> {
            self.pings.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.takes).await;
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_once_a_second_however_many_look() {
        let store = Arc::new(Store {
            pings: AtomicU32::new(0),
            takes: Duration::from_millis(5),
        });
        let check = StoreCheck::new(store.clone());
        for _ in 0..10 {
            assert_eq!(check.health().await.state, HealthState::Ok);
        }
        assert_eq!(store.pings.load(Ordering::Relaxed), 1);
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        check.health().await;
        assert_eq!(store.pings.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_degraded_within_a_second() {
        let store = Arc::new(Store {
            pings: AtomicU32::new(0),
            takes: Duration::from_hours(1),
        });
        let began = Instant::now();
        assert_eq!(
            StoreCheck::new(store).health().await,
            Health::down("does not answer in time")
        );
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    struct Full;

    #[async_trait]
    impl Ping for Full {
        async fn ping(&self) -> Result<(), StoreError> {
            Err(StoreError::Unavailable {
                action: "take writes",
                source: "the disk is full".into(),
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_says_why() {
        assert_eq!(
            StoreCheck::new(Arc::new(Full)).health().await,
            Health::down("the store cannot take writes: the disk is full")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_told_for_a_minute() {
        let losses = Losses::new();
        assert!(!losses.recent(0));
        assert!(losses.recent(3) && losses.recent(3));
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(!losses.recent(3));
        assert!(losses.recent(4));
    }
}
