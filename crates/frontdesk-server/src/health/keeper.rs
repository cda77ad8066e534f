//! What the monitor leaves to be done: the history, what other instances see, and the end of troubles.
//!
//! A notification without a company stands for the trouble of any instance. It is resolved by the one whose trouble is
//! over, unless another one still has it. An instance first writes that its own is over, and then looks at the others:
//! of two whose trouble ends at the same time, at least one sees both well.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use frontdesk_domain::{alert::AlertCode, health::HealthState};
use frontdesk_store::{
    leader::Leadership,
    ports::{HealthEntry, InstanceHealth, PartHealth, StoreError},
    tasks::Stopping,
};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::Monitor;

/// How often it is looked what is to be done.
const TICK: Duration = Duration::from_secs(1);

/// So often an instance writes how it is, if nothing changes.
const BEAT: Duration = Duration::from_secs(10);

/// An instance that has not written for so long is taken for gone.
pub(crate) const GONE: Duration = Duration::from_mins(1);

/// A trouble that is over is looked at once more so long after its end: its alert may have been on the way to the store.
const AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(15)];

/// So often the leader looks for notifications whose trouble nobody has any more: the process that had it was killed.
const SWEEP: Duration = Duration::from_mins(1);

/// A notification is left alone so long after its newest alert.
const QUIET: Duration = Duration::from_mins(5);

/// The history is kept so long.
const KEPT: Duration = Duration::from_hours(24 * 30);

/// How often the leader deletes what is older.
const PURGE: Duration = Duration::from_hours(1);

/// So many entries are written at once.
const BATCH: usize = 200;

/// At the end of the process the last writes get so long.
const LAST: Duration = Duration::from_millis(500);

/// The troubles that are over, and when each is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Settling(Mutex<BTreeMap<AlertCode, Vec<Instant>>>);

impl Settling {
    /// A trouble of this code is over.
    pub(super) fn begin(&self, code: AlertCode, now: Instant) {
        let due = AGAIN.iter().map(|pause| now + *pause).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(code, due);
    }

    /// Those that are due now.
    fn due(&self, now: Instant) -> Vec<AlertCode> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = all.iter().filter(|(_, due)| due.iter().any(|at| *at <= now));
        let due: Vec<AlertCode> = due.map(|(code, _)| *code).collect();
        for waiting in all.values_mut() {
            waiting.retain(|at| *at > now);
        }
        all.retain(|_, waiting| !waiting.is_empty());
        due
    }

    /// The store did not answer: once more at the next look.
    fn again(&self, code: AlertCode, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(code).or_default().push(now + TICK);
    }
}

/// Does what the monitor leaves to be done.
pub(super) struct Keeper {
    monitor: Arc<Monitor>,
    leadership: Leadership,
    beat: u64,
    /// What was written last, and when.
    written: Option<(Vec<PartHealth>, Instant)>,
    swept: Instant,
    purged: Option<Instant>,
    /// Whether the store failed the last time, so that this is said once.
    is_failing: bool,
}

impl Keeper {
    pub(super) fn new(monitor: Arc<Monitor>, leadership: Leadership) -> Self {
        Self {
            monitor,
            leadership,
            beat: 0,
            written: None,
            swept: Instant::now(),
            purged: None,
            is_failing: false,
        }
    }

    pub(super) async fn run(mut self, mut stopping: Stopping) {
        while timeout(TICK, stopping.wait()).await.is_err() {
            let done = self.step().await;
            match done {
                Ok(()) => self.is_failing = false,
                Err(failure) if !self.is_failing => {
                    self.is_failing = true;
                    let error = &failure as &dyn std::error::Error;
                    warn!(error, "what checks found cannot be kept; it is tried again");
                }
                Err(_) => {}
            }
        }
        // A store that does not answer now keeps no process from ending.
        let last = async {
            _ = self.keep().await;
            _ = self.monitor.store.remove_instance(&self.monitor.instance).await;
        };
        _ = timeout(LAST, last).await;
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        self.keep().await?;
        let parts = self.monitor.parts();
        let is_due = self.written.as_ref().is_none_or(|(written, at)| {
            let states = |parts: &[PartHealth]| parts.iter().map(|part| part.state).collect::<Vec<_>>();
            at.elapsed() >= BEAT || states(written) != states(&parts)
        });
        if is_due {
            self.write(parts).await?;
        }
        let now = Instant::now();
        for code in self.monitor.settling.due(now) {
            if let Err(failure) = self.settle(code).await {
                self.monitor.settling.again(code, now);
                return Err(failure);
            }
        }
        if !self.leadership.is_held() {
            return Ok(());
        }
        if self.swept.elapsed() >= SWEEP {
            self.swept = now;
            self.sweep().await?;
        }
        if self.purged.is_none_or(|at| at.elapsed() >= PURGE) {
            self.purged = Some(now);
            self.purge().await?;
        }
        Ok(())
    }

    /// Writes the entries that wait.
    async fn keep(&self) -> Result<(), StoreError> {
        loop {
            let batch: Vec<HealthEntry> = {
                let waiting = self.monitor.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.iter().take(BATCH).cloned().collect()
            };
            let Some(last) = batch.last().map(|entry| entry.id) else {
                return Ok(());
            };
            self.monitor.store.keep_health(batch).await?;
            let mut waiting = self.monitor.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|entry| entry.id > last);
        }
    }

    async fn write(&mut self, parts: Vec<PartHealth>) -> Result<(), StoreError> {
        self.beat += 1;
        let health = InstanceHealth {
            instance: Arc::clone(&self.monitor.instance),
            beat: self.beat,
            at: self.monitor.clock.now(),
            parts: parts.clone(),
        };
        self.monitor.store.put_instance(health).await?;
        self.written = Some((parts, Instant::now()));
        Ok(())
    }

    /// Resolves the notification of a trouble that nobody has any more.
    async fn settle(&mut self, code: AlertCode) -> Result<(), StoreError> {
        if !self.monitor.is_over(code) {
            return Ok(());
        }
        let now = self.monitor.clock.now();
        // Before the others are looked at.
        self.write(self.monitor.parts()).await?;
        let since = now.checked_sub(GONE).unwrap_or(now);
        let others = self.monitor.store.instances(since).await?;
        let has_it = |part: &PartHealth| {
            let is_well = part.state.is_none_or(|state| state == HealthState::Ok);
            part.code == Some(code) && !is_well
        };
        let mut others = others.iter().filter(|other| other.instance != self.monitor.instance);
        if others.any(|other| other.parts.iter().any(has_it)) {
            return Ok(());
        }
        if self.monitor.store.resolve_open(code, None, now).await?.is_some() {
            info!(
                code = code.as_str(),
                "the trouble of {} is over: its notification is resolved",
                code.as_str()
            );
        }
        Ok(())
    }

    /// Settles what is left of processes that have not lived to see its end.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        let quiet = self.monitor.clock.now().checked_sub(QUIET).ok();
        let unresolved = self.monitor.store.unresolved(&self.monitor.codes()).await?;
        for one in unresolved {
            if one.company.is_none() && quiet.is_some_and(|quiet| one.last_at < quiet) {
                self.settle(one.code).await?;
            }
        }
        Ok(())
    }

    async fn purge(&self) -> Result<(), StoreError> {
        let now = self.monitor.clock.now();
        let before = now.checked_sub(KEPT).unwrap_or(now);
        while self.leadership.is_held() && self.monitor.store.purge_health(before).await? > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
