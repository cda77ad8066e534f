//! Hears what other processes change: from the store by asking, and from the cache server by being told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time};
use tracing::{debug, info, warn};

use super::{SharedCache, floors::Floors, shared::News};
use crate::{
    ports::{Backend, Changed, Seq, StoreError},
    tasks::{Stopping, TaskSet},
};

/// How often the store is asked what other processes changed: one look at one number.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// How often while the cache server tells of changes as well.
const POLL_EVERY_IF_TOLD: Duration = Duration::from_millis(250);

/// So many of the store's last changes are looked at when a process starts, so that what instances share can be believed as
/// far as it is newer. The store remembers more.
const LOOKED_BACK: Seq = 1_000;

/// After a channel was lost it is tried again so much later, and twice as late each time.
const FIRST_AGAIN: Duration = Duration::from_millis(50);

/// At last this often.
const LAST_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Listener {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) floors: Arc<Floors>,
    pub(super) hears_changes: Arc<AtomicBool>,
    pub(super) sharing: Option<Arc<SharedCache>>,
}

impl Listener {
    pub(super) fn start(self, tasks: &TaskSet) {
        let heard = Arc::<Heard>::default();
        if let Some(sharing) = &self.sharing {
            let subscriber = Subscriber {
                sharing: Arc::clone(sharing),
                floors: Arc::clone(&self.floors),
                heard: Arc::clone(&heard),
            };
            tasks.spawn("hear what other instances tell", subscriber.run(tasks.stopping()));
        }
        let poller = Poller {
            listener: self,
            heard,
            newest: None,
        };
        tasks.spawn("hear what other processes change", poller.run(tasks.stopping()));
    }

    /// How long the store is left alone between two looks.
    fn pause(&self) -> Duration {
        match &self.sharing {
            Some(sharing) if sharing.is_heard() => POLL_EVERY_IF_TOLD,
            _ => POLL_EVERY,
        }
    }
}

/// What both ways of hearing know together.
#[derive(Default)]
struct Heard {
    /// The newest change that the store told of.
    newest: AtomicU64,
    /// The store is to be asked now.
    look: Notify,
}

/// Asks the store.
struct Poller {
    listener: Listener,
    heard: Arc<Heard>,
    /// The newest change heard of.
    newest: Option<Seq>,
}

impl Poller {
    async fn run(mut self, mut stopping: Stopping) {
        let mut failing = false;
        while !stopping.is_set() {
            let polled = self.poll().await;
            let hears_changes = &self.listener.hears_changes;
            hears_changes.store(polled.is_ok(), Ordering::Relaxed);
            match polled {
                Ok(()) if failing => info!("changes of other processes are heard again"),
                Err(error) if !failing => warn!(
                    error = &error as &dyn std::error::Error,
                    "changes of other processes are not heard; cached values are renewed by time alone"
                ),
                _ => {}
            }
            failing = !hears_changes.load(Ordering::Relaxed);
            if let Some(sharing) = &self.listener.sharing {
                sharing.pay().await;
            }
            tokio::select! {
                () = stopping.wait() => {}
                () = self.heard.look.notified() => {}
                () = time::sleep(self.listener.pause()) => {}
            }
        }
    }

    async fn poll(&mut self) -> Result<(), StoreError> {
        let Listener { backend, floors, .. } = &self.listener;
        let (newest, changes) = match self.newest {
            Some(newest) => (newest, backend.changes_after(newest).await?),
            None => {
                let newest = backend.newest().await?;
                let from = newest.saturating_sub(LOOKED_BACK);
                let changes = backend.changes_after(from).await?;
                // What was cached before may have missed something that is older than what is looked at.
                floors.raise([(from, Changed::Everything)]);
                (newest, changes)
            }
        };
        let newest = changes.iter().map(|(seq, _)| *seq).max().unwrap_or(newest).max(newest);
        floors.raise(changes);
        self.newest = Some(newest);
        self.heard.newest.fetch_max(newest, Ordering::Relaxed);
        if let Some(sharing) = &self.listener.sharing
            && let Err(error) = sharing.learn_name(&**backend).await
        {
            let error = &error as &dyn std::error::Error;
            debug!(
                error,
                "the store's name cannot be read yet; nothing is shared until it can"
            );
        }
        Ok(())
    }
}

/// Is told by other instances through the cache server.
struct Subscriber {
    sharing: Arc<SharedCache>,
    floors: Arc<Floors>,
    heard: Arc<Heard>,
}

impl Subscriber {
    async fn run(self, mut stopping: Stopping) {
        let mut again = FIRST_AGAIN;
        loop {
            let heard = tokio::select! {
                () = stopping.wait() => return,
                heard = self.hear() => heard,
            };
            self.sharing.note_hearing(false);
            again = if heard { FIRST_AGAIN } else { LAST_AGAIN.min(again * 2) };
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(again) => {}
            }
        }
    }

    /// Hears until the channel is lost; whether it was there at all.
    async fn hear(&self) -> bool {
        let Ok(mut subscription) = self.sharing.subscribe().await else {
            return false;
        };
        self.sharing.note_hearing(true);
        // What was told before, only the store knows.
        self.heard.look.notify_one();
        while let Some((_, message)) = subscription.next().await {
            match News::read(&message, self.heard.newest.load(Ordering::Relaxed)) {
                News::Changes(changes) => {
                    self.sharing.note_news(changes.len());
                    self.floors.raise(changes);
                }
                News::Look => self.heard.look.notify_one(),
            }
        }
        true
    }
}
