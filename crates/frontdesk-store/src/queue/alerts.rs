//! The queue of alerts: groups what comes in, stores one notification a group.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque, hash_map},
    error::Error,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier, Severity},
    clock::Clock,
    ids::{CompanyId, NotificationId},
    time::Timestamp,
};
use tokio::time::{self, Instant};
use tracing::{error, info};

use super::{FIRST_PAUSE, LONGEST_PAUSE, spool::Spool};
use crate::{
    common::notices::bounded,
    ports::{NotificationStore, RaisedAlert, StoreError, Told},
    system::ObjectIds,
    tasks::{Stopping, TaskSet},
};

/// Alerts are stored this long after they came.
const GATHER: Duration = Duration::from_millis(200);

/// So many groups wait at most: one code for every one of 10,000 companies.
const MAX_GROUPS: usize = 10_000;

/// So many groups are written at once.
const BATCH: usize = 500;

/// What alerts are grouped by.
type Key = (AlertCode, Option<CompanyId>);

/// The groups that wait, and for each severity in which order they came.
#[derive(Default)]
struct Groups {
    by_key: HashMap<Key, RaisedAlert>,
    info: VecDeque<Key>,
    warning: VecDeque<Key>,
    critical: VecDeque<Key>,
}

impl Groups {
    const fn order(&mut self, severity: Severity) -> &mut VecDeque<Key> {
        match severity {
            Severity::Info => &mut self.info,
            Severity::Warning => &mut self.warning,
            Severity::Critical => &mut self.critical,
        }
    }

    fn add(&mut self, group: RaisedAlert) {
        let key = key_of(&group);
        self.order(key.0.severity()).push_back(key);
        self.by_key.insert(key, group);
    }

    /// Lets the least severe group go, of these the oldest; `None` if all are more severe than this.
    fn let_go(&mut self, newest: Severity) -> Option<RaisedAlert> {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            if severity > newest {
                return None;
            }
            if let Some(oldest) = self.order(severity).pop_front() {
                return self.by_key.remove(&oldest);
            }
        }
        None
    }

    fn take(&mut self) -> Vec<RaisedAlert> {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            self.order(severity).clear();
        }
        self.by_key.drain().map(|(_, group)| group).collect()
    }
}

/// How many alerts went through the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertCounts {
    /// Taken.
    pub raised: u64,
    /// Stored, as part of a notification.
    pub stored: u64,
    /// Let go, because too many groups wait: the least severe, of these the oldest.
    pub dropped: u64,
    /// Taken, and neither stored nor let go: what an end of the process would lose now.
    pub waiting: u64,
}

/// Alerts of one code and company that are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Of what.
    pub code: AlertCode,
    /// About whom.
    pub company: Option<CompanyId>,
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first_at: Timestamp,
}

impl Waiting {
    const fn key(&self) -> Key {
        (self.code, self.company)
    }

    fn count(all: &mut HashMap<Key, Self>, group: &RaisedAlert) {
        let one = all.entry(key_of(group)).or_insert(Self {
            code: group.alert.code,
            company: group.alert.company,
            count: 0,
            first_at: group.first_at,
        });
        one.count = one.count.saturating_add(group.count);
        one.first_at = one.first_at.min(group.first_at);
    }
}

const fn key_of(group: &RaisedAlert) -> Key {
    (group.alert.code, group.alert.company)
}

/// The [`Notifier`] that stores notifications: takes alerts without waiting, groups them by code and company.
///
/// While the store fails, groups stay in memory and their counts grow; a file beside it keeps them over a crash.
#[derive(Clone)]
pub struct AlertQueue(Arc<Inner>);

struct Inner {
    groups: Mutex<Groups>,
    /// What a try to store failed with, as it was tried: whether it is stored is not known, and a group with its id is
    /// stored once however often it is tried. New alerts join it no more.
    unstored: Mutex<Vec<RaisedAlert>>,
    /// Since when the store fails.
    failing: Mutex<Option<Instant>>,
    spool: Option<Spool>,
    ids: ObjectIds,
    clock: Arc<dyn Clock>,
    raised: AtomicU64,
    stored: AtomicU64,
    /// Of those that were raised.
    let_go: AtomicU64,
    /// Not even raised.
    refused: AtomicU64,
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
        Self::start_with(store, clock, None, tasks)
    }

    /// As [`start`](Self::start), with a folder in which alerts wait while the store fails, so that they outlive the
    /// process. What waits there from earlier is stored first.
    #[must_use]
    pub fn start_in(store: Arc<dyn NotificationStore>, clock: Arc<dyn Clock>, folder: &Path, tasks: &TaskSet) -> Self {
        Self::start_with(store, clock, Some(Spool::in_folder(folder)), tasks)
    }

    fn start_with(
        store: Arc<dyn NotificationStore>,
        clock: Arc<dyn Clock>,
        spool: Option<Spool>,
        tasks: &TaskSet,
    ) -> Self {
        let spooled = spool.as_ref().map(Spool::read).unwrap_or_default();
        let raised = spooled.iter().map(|group| group.count).sum();
        let queue = Self(Arc::new(Inner {
            groups: Mutex::default(),
            unstored: Mutex::new(spooled),
            failing: Mutex::default(),
            spool,
            ids: ObjectIds::new(Arc::clone(&clock)),
            clock,
            raised: AtomicU64::new(raised),
            stored: AtomicU64::new(0),
            let_go: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }));
        tasks.spawn("store alerts", Arc::clone(&queue.0).flush(store, tasks.stopping()));
        queue
    }

    /// For how long the store has failed; `None` if it does not.
    #[must_use]
    pub fn fails_for(&self) -> Option<Duration> {
        locked(&self.0.failing).map(|since| since.elapsed())
    }

    /// Alerts that are not stored, each code and company as the one group that it will be: so many at most of those that
    /// are wanted, the most severe first, of these those that wait longest.
    #[must_use]
    pub fn waiting(&self, limit: usize, is_wanted: impl Fn(&Waiting) -> bool) -> Vec<RaisedAlert> {
        let mut all = HashMap::new();
        for group in &*locked(&self.0.unstored) {
            Waiting::count(&mut all, group);
        }
        for group in locked(&self.0.groups).by_key.values() {
            Waiting::count(&mut all, group);
        }
        let mut wanted: Vec<Waiting> = all.into_values().filter(is_wanted).collect();
        wanted.sort_unstable_by_key(|one| (Reverse(one.code.severity()), one.first_at, one.code, one.company));
        wanted.truncate(limit);
        let mut joined: HashMap<_, RaisedAlert> = HashMap::new();
        let keys: HashSet<_> = wanted.iter().map(Waiting::key).collect();
        let mut join = |group: &RaisedAlert| {
            let key = key_of(group);
            match joined.entry(key) {
                _ if !keys.contains(&key) => {}
                // The oldest has the id: what is noted of it is stored first.
                hash_map::Entry::Occupied(mut found) => merge(found.get_mut(), group.clone()),
                hash_map::Entry::Vacant(place) => _ = place.insert(group.clone()),
            }
        };
        locked(&self.0.unstored).iter().for_each(&mut join);
        locked(&self.0.groups).by_key.values().for_each(&mut join);
        let found = wanted.iter().filter_map(|one| joined.remove(&one.key()));
        found
            .map(|mut group| {
                bounded::alert(&mut group.alert);
                group
            })
            .collect()
    }

    /// Stores what was raised after the queue's own task ended: tasks that end late may raise alerts. What the store does not
    /// take is spooled.
    pub async fn finish(&self, store: &dyn NotificationStore, within: Duration) {
        if self.counts().waiting == 0 {
            return;
        }
        match time::timeout(within, self.0.store_waiting(store)).await {
            Ok(Ok(())) => self.0.clear_spool(),
            Ok(Err(_)) | Err(_) => self.0.spool().await,
        }
    }

    /// Notes that somebody was told of alerts that are not stored. Told of what is stored meanwhile, it is in vain.
    pub fn note_told(&self, group: NotificationId, told: Told) {
        if let Some(found) = locked(&self.0.unstored).iter_mut().find(|found| found.id == group) {
            found.told.push(told);
        } else {
            let mut groups = locked(&self.0.groups);
            if let Some(found) = groups.by_key.values_mut().find(|found| found.id == group) {
                found.told.push(told);
            }
        }
    }

    /// How many alerts went through.
    #[must_use]
    pub fn counts(&self) -> AlertCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Inner {
            raised,
            stored,
            let_go,
            refused,
            ..
        } = &*self.0;
        // What is taken while this reads may be stored before it was seen to come.
        let gone = read(stored) + read(let_go);
        AlertCounts {
            raised: read(raised),
            stored: read(stored),
            dropped: read(let_go) + read(refused),
            waiting: read(raised).saturating_sub(gone),
        }
    }
}

impl Notifier for AlertQueue {
    fn raise(&self, alert: Alert) {
        let at = self.0.clock.now();
        let mut groups = locked(&self.0.groups);
        // The lock is held for what is counted; what is told no more is freed afterwards.
        let told_no_more = self.0.raise(&mut groups, alert, at);
        drop(groups);
        drop(told_no_more);
    }
}

/// Counts an alert in a group of its key; the older of the two, which the group tells no more.
fn again(waiting: &mut RaisedAlert, alert: Alert, at: Timestamp) -> Alert {
    waiting.count = waiting.count.saturating_add(1);
    waiting.first_at = waiting.first_at.min(at);
    if at < waiting.last_at {
        return alert;
    }
    waiting.last_at = at;
    std::mem::replace(&mut waiting.alert, alert)
}

/// Adds a group to another of the same key, whose id stays.
fn merge(waiting: &mut RaisedAlert, new: RaisedAlert) {
    waiting.count = waiting.count.saturating_add(new.count);
    waiting.first_at = waiting.first_at.min(new.first_at);
    if new.last_at >= waiting.last_at {
        waiting.last_at = new.last_at;
        waiting.alert = new.alert;
    }
    waiting.told.extend(new.told);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Counts an alert, and gives back the one that is told no more because of it.
    fn raise(&self, groups: &mut Groups, alert: Alert, at: Timestamp) -> Option<Alert> {
        if let Some(waiting) = groups.by_key.get_mut(&(alert.code, alert.company)) {
            self.raised.fetch_add(1, Ordering::Relaxed);
            return Some(again(waiting, alert, at));
        }
        let mut told_no_more = None;
        if groups.by_key.len() >= MAX_GROUPS {
            let Some(least) = groups.let_go(alert.code.severity()) else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return Some(alert);
            };
            self.let_go.fetch_add(least.count, Ordering::Relaxed);
            told_no_more = Some(least.alert);
        }
        groups.add(RaisedAlert {
            id: NotificationId::from(self.ids.make()),
            alert,
            count: 1,
            first_at: at,
            last_at: at,
            told: Vec::new(),
        });
        self.raised.fetch_add(1, Ordering::Relaxed);
        told_no_more
    }

    async fn flush(self: Arc<Self>, store: Arc<dyn NotificationStore>, mut stopping: Stopping) {
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            if !stopping.is_set() {
                _ = time::timeout(if failing { pause } else { GATHER }, stopping.wait()).await;
            }
            let stored = self.store_waiting(&*store).await;
            let is_empty = locked(&self.unstored).is_empty() && locked(&self.groups).by_key.is_empty();
            if is_empty && stopping.is_set() {
                return self.clear_spool();
            }
            match stored {
                Ok(()) => {
                    if failing {
                        info!("alerts are stored again");
                        (failing, pause) = (false, FIRST_PAUSE);
                        *locked(&self.failing) = None;
                    }
                    self.clear_spool();
                }
                Err(failure) => {
                    if !failing {
                        error!(
                            error = &failure as &dyn Error,
                            "alerts cannot be stored; they are kept and tried again"
                        );
                        locked(&self.failing).get_or_insert_with(Instant::now);
                    }
                    self.spool().await;
                    if stopping.is_set() {
                        // Between tries shutdown may abort this task.
                        time::sleep(pause).await;
                    }
                    (failing, pause) = (true, LONGEST_PAUSE.min(pause * 2));
                }
            }
        }
    }

    /// Stores what waits: first what was tried before, then what came since.
    async fn store_waiting(&self, store: &dyn NotificationStore) -> Result<(), StoreError> {
        self.store_unstored(store).await?;
        let new = locked(&self.groups).take();
        locked(&self.unstored).extend(new);
        self.store_unstored(store).await
    }

    async fn store_unstored(&self, store: &dyn NotificationStore) -> Result<(), StoreError> {
        loop {
            let batch: Vec<RaisedAlert> = locked(&self.unstored).iter().take(BATCH).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            let count: u64 = batch.iter().map(|group| group.count).sum();
            let stored = batch.len();
            store.raise(batch).await?;
            locked(&self.unstored).drain(..stored);
            self.stored.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Writes to the disk what is not stored, off the threads that answer calls.
    async fn spool(self: &Arc<Self>) {
        let Some(spool) = self.spool.clone() else { return };
        let mut waiting = locked(&self.unstored).clone();
        waiting.extend(locked(&self.groups).by_key.values().cloned());
        // A panic of it is logged by its own.
        _ = tokio::task::spawn_blocking(move || spool.write(&waiting)).await;
    }

    fn clear_spool(&self) {
        if let Some(spool) = &self.spool {
            spool.clear();
        }
    }
}
