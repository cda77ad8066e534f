//! Work that one process at a time does for all that use a store (ADR 0014).
//!
//! The process that holds the lease renews it; the others look whether it still changes. Each measures by its own
//! monotonic clock, so that no clock of any machine needs to be right. The holder stops to count on its lease well
//! before anybody else may take it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tracing::{info, warn};

use crate::{
    ports::{Fence, Lease, LeaseStore, StoreError},
    tasks::{Stopping, TaskSet},
};

/// How often the others look at the lease.
const LOOK: Duration = Duration::from_secs(1);

/// How often the holder renews it.
const RENEW: Duration = Duration::from_secs(2);

/// So long after the last renewal began the holder counts on it.
const COUNTED_ON: Duration = Duration::from_secs(6);

/// A lease that has not changed for so long may be taken.
const ABANDONED: Duration = Duration::from_secs(8);

/// Whether this process is the one that works. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Whether this process is to do the work now. To be asked before each step of it: a process that was stopped for
    /// a while and goes on has lost its lease by its own clock before it hears so from the store.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }
}

/// Takes part in the lease of this name until the process ends, and then gives it up.
pub fn start(store: Arc<dyn LeaseStore>, name: &'static str, tasks: &TaskSet) -> Leadership {
    let (until, leadership) = watch::channel(None);
    let candidate = Candidate {
        store,
        name,
        holder: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
        until,
        seen: None,
        is_failing: false,
    };
    let stopping = tasks.stopping();
    tasks.spawn("hold or await the lease", candidate.run(stopping));
    Leadership(leadership)
}

/// A process that wants the lease, or has it.
struct Candidate {
    store: Arc<dyn LeaseStore>,
    name: &'static str,
    holder: String,
    /// Until when the lease is counted on, while it is held.
    until: watch::Sender<Option<Instant>>,
    /// The lease as it was last seen, and since when it has been like that.
    seen: Option<(Lease, Instant)>,
    /// Whether the store failed the last time, so that this is said once.
    is_failing: bool,
}

impl Candidate {
    async fn run(mut self, mut stopping: Stopping) {
        loop {
            let Some(fence) = self.until_taken(&mut stopping).await else {
                return;
            };
            info!(
                lease = self.name,
                fence,
                holder = self.holder,
                "this process works for all of them now"
            );
            if self.until_lost(fence, &mut stopping).await {
                self.until.send_replace(None);
                // At an end without the store the others wait for a while, as after a kill.
                _ = self.store.give_up_lease(self.name, fence).await;
                return;
            }
            self.until.send_replace(None);
            self.seen = None;
            warn!(lease = self.name, fence, "another process works for all of them now");
        }
    }

    /// Looks at the lease until this process has it; `None` when the process ends.
    async fn until_taken(&mut self, stopping: &mut Stopping) -> Option<Fence> {
        loop {
            let begun = Instant::now();
            let taken = self.try_to_take().await;
            if let Some(fence) = self.note(taken).flatten() {
                self.until.send_replace(Some(begun + COUNTED_ON));
                return Some(fence);
            }
            tokio::select! {
                () = stopping.wait() => return None,
                () = time::sleep(LOOK) => {}
            }
        }
    }

    async fn try_to_take(&mut self) -> Result<Option<Fence>, StoreError> {
        let lease = self.store.lease(self.name).await?;
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if Some(seen) == lease.as_ref() => *since,
            _ => now,
        };
        self.seen = lease.clone().map(|lease| (lease, since));
        let is_free = lease.as_ref().is_none_or(|lease| lease.holder.is_none());
        if !is_free && now.duration_since(since) < ABANDONED {
            return Ok(None);
        }
        self.store.take_lease(self.name, &self.holder, lease.as_ref()).await
    }

    /// Renews the lease until it is lost, or the process ends: then `true`.
    async fn until_lost(&mut self, fence: Fence, stopping: &mut Stopping) -> bool {
        loop {
            tokio::select! {
                () = stopping.wait() => return true,
                () = time::sleep(RENEW) => {}
            }
            let begun = Instant::now();
            let renewed = self.store.renew_lease(self.name, fence).await;
            match self.note(renewed) {
                Some(true) => _ = self.until.send_replace(Some(begun + COUNTED_ON)),
                Some(false) => return false,
                // Nobody hears of it; the work pauses when the lease is counted on no longer.
                None => {}
            }
        }
    }

    /// What the store said, if it did. The first failure of several is logged.
    fn note<T>(&mut self, said: Result<T, StoreError>) -> Option<T> {
        match said {
            Ok(said) => {
                self.is_failing = false;
                Some(said)
            }
            Err(failure) => {
                if !self.is_failing {
                    self.is_failing = true;
                    let error = &failure as &dyn std::error::Error;
                    warn!(
                        lease = self.name,
                        error, "the lease cannot be read or renewed; it is tried again"
                    );
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
