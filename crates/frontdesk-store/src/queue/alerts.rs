//! The queue of alerts: groups what comes in, stores one notification a group.

use std::{
    collections::{HashMap, hash_map},
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock,
    ids::{CompanyId, NotificationId},
};
use tokio::time;
use tracing::{error, info};

use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::{
    ports::{NotificationStore, RaisedAlert, StoreError},
    system::ObjectIds,
    tasks::{Stopping, TaskSet},
};

/// Alerts are stored this long after they came.
const GATHER: Duration = Duration::from_millis(200);

/// So many groups wait at most: one code for every one of 10,000 companies.
const MAX_GROUPS: usize = 10_000;

/// So many groups are written at once.
const BATCH: usize = 500;

type Groups = HashMap<(AlertCode, Option<CompanyId>), RaisedAlert>;

/// How many alerts went through the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertCounts {
    /// Taken.
    pub raised: u64,
    /// Stored, as part of a notification.
    pub stored: u64,
    /// Let go, because too many groups wait.
    pub dropped: u64,
    /// Taken, and neither stored nor let go: what an end of the process would lose now.
    pub waiting: u64,
}

/// The [`Notifier`] that stores notifications: takes alerts without waiting, groups them by code and company.
///
/// While the store fails, groups stay in memory and their counts grow.
#[derive(Clone)]
pub struct AlertQueue(Arc<Inner>);

struct Inner {
    groups: Mutex<Groups>,
    ids: ObjectIds,
    clock: Arc<dyn Clock>,
    raised: AtomicU64,
    stored: AtomicU64,
    dropped: AtomicU64,
    /// Those of the dropped that had been taken before.
    given_up: AtomicU64,
}

impl fmt::Debug for AlertQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertQueue")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl AlertQueue {
    /// Starts a queue in front of a store. On shutdown it stores what it holds.
    #[must_use]
    pub fn start(store: Arc<dyn NotificationStore>, clock: Arc<dyn Clock>, tasks: &TaskSet) -> Self {
        let queue = Self(Arc::new(Inner {
            groups: Mutex::default(),
            ids: ObjectIds::new(Arc::clone(&clock)),
            clock,
            raised: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }));
        tasks.spawn("store alerts", Arc::clone(&queue.0).flush(store, tasks.stopping()));
        queue
    }

    /// How many alerts went through.
    #[must_use]
    pub fn counts(&self) -> AlertCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Inner {
            raised,
            stored,
            dropped,
            given_up,
            ..
        } = &*self.0;
        // What is taken while this reads may be stored before it was seen to come.
        let gone = read(stored) + read(given_up);
        AlertCounts {
            raised: read(raised),
            stored: read(stored),
            dropped: read(dropped),
            waiting: read(raised).saturating_sub(gone),
        }
    }
}

impl Notifier for AlertQueue {
    fn raise(&self, alert: Alert) {
        let at = self.0.clock.now();
        let group = RaisedAlert {
            id: NotificationId::from(self.0.ids.make()),
            alert,
            count: 1,
            first_at: at,
            last_at: at,
            told: Vec::new(),
        };
        let taken = add(&mut self.0.lock(), group);
        let counter = if taken { &self.0.raised } else { &self.0.dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Joins a group with those that wait. `false` if there are too many.
fn add(groups: &mut Groups, new: RaisedAlert) -> bool {
    let full = groups.len() >= MAX_GROUPS;
    match groups.entry((new.alert.code, new.alert.company)) {
        hash_map::Entry::Occupied(mut waiting) => {
            let waiting = waiting.get_mut();
            waiting.count = waiting.count.saturating_add(new.count);
            waiting.first_at = waiting.first_at.min(new.first_at);
            if new.last_at >= waiting.last_at {
                waiting.last_at = new.last_at;
                waiting.alert = new.alert;
            }
        }
        hash_map::Entry::Vacant(_) if full => return false,
        hash_map::Entry::Vacant(place) => _ = place.insert(new),
    }
    true
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn flush(self: Arc<Self>, store: Arc<dyn NotificationStore>, mut stopping: Stopping) {
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            if !stopping.is_set() {
                _ = time::timeout(if failing { pause } else { GATHER }, stopping.wait()).await;
            }
            let waiting: Vec<RaisedAlert> = self.lock().drain().map(|(_, group)| group).collect();
            if waiting.is_empty() && stopping.is_set() {
                return;
            }
            match self.store(&*store, waiting).await {
                Ok(()) if failing => {
                    info!("alerts are stored again");
                    (failing, pause) = (false, FIRST_PAUSE);
                }
                Ok(()) => {}
                Err(failure) => {
                    if !failing {
                        error!(
                            error = &failure as &dyn Error,
                            "alerts cannot be stored; they are kept and tried again"
                        );
                    }
                    if stopping.is_set() {
                        // Between tries shutdown may abort this task.
                        time::sleep(pause).await;
                    }
                    (failing, pause) = (true, LONGEST_PAUSE.min(pause * 2));
                }
            }
        }
    }

    /// Stores groups; those that were not stored wait again.
    async fn store(&self, store: &dyn NotificationStore, waiting: Vec<RaisedAlert>) -> Result<(), StoreError> {
        let mut result = Ok(());
        for batch in waiting.chunks(BATCH) {
            if result.is_ok() {
                result = store.raise(batch.to_vec()).await;
            }
            let count: u64 = batch.iter().map(|group| group.count).sum();
            if result.is_ok() {
                self.stored.fetch_add(count, Ordering::Relaxed);
                continue;
            }
            let mut groups = self.lock();
            for group in batch {
                let alerts = group.count;
                if !add(&mut groups, group.clone()) {
                    self.dropped.fetch_add(alerts, Ordering::Relaxed);
                    self.given_up.fetch_add(alerts, Ordering::Relaxed);
                }
            }
        }
        result
    }
}
