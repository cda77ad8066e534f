//! One kind of cached value: hits, single flight, and serving old values while the store cannot answer.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tracing::warn;

use super::{
    bounded::Bounded,
    floors::{Checked, Floors},
    key::{ABSENT_TTL, CacheKey},
};
use crate::{
    ports::{Changed, Seq, StoreError},
    tasks::TaskSet,
};

/// Nobody waits longer for a value that is not there, or is invalid.
const LOAD_WAIT: Duration = Duration::from_secs(1);

/// Nobody waits longer for a value to be renewed that is valid and only no longer fresh.
const RENEW_WAIT: Duration = Duration::from_millis(50);

/// After a load that failed, the next one is tried so much later, unless something changed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A value is fresh for so long at most while changes of other instances are not heard through the shared cache.
const DEAF_TTL: Duration = Duration::from_secs(5);

/// So many failed loads are remembered at most.
const MAX_FAILURES: usize = 4_096;

/// So many values that say that there is nothing are kept at most.
const MAX_ABSENT: usize = 4_096;

/// A value as a load found it.
#[derive(Debug)]
pub(super) struct Loaded<V> {
    pub(super) value: V,
    pub(super) as_of: Seq,
    pub(super) made_of: Vec<Changed>,
    /// How much longer it is fresh, if it is not new.
    pub(super) fresh_for: Option<Duration>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    as_of: Seq,
    made_of: Vec<Changed>,
    checked: Checked,
    loaded_at: Instant,
    fresh_until: Instant,
}

/// How a cache did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounts {
    /// Values served from memory.
    pub hits: u64,
    /// Values that had to be loaded first.
    pub misses: u64,
    /// Old values served because the store could not answer.
    pub stale: u64,
    /// Values in memory.
    pub entries: usize,
}

type Outcome<V> = Result<Arc<Entry<V>>, Arc<StoreError>>;
type Flight<V> = watch::Receiver<Option<Outcome<V>>>;

struct Failure {
    until: Instant,
    generation: u64,
    error: Arc<StoreError>,
}

/// All values of one kind of key.
pub(super) struct Layer<K: CacheKey> {
    present: Bounded<K, Entry<K::Value>>,
    absent: Bounded<K, Entry<K::Value>>,
    flights: Mutex<HashMap<K, Flight<K::Value>>>,
    failures: Mutex<HashMap<K, Failure>>,
    floors: Arc<Floors>,
    is_deaf: Arc<AtomicBool>,
    tasks: TaskSet,
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
}

impl<K: CacheKey> fmt::Debug for Layer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("name", &K::NAME)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl<K: CacheKey> Layer<K> {
    pub(super) fn new(capacity: usize, floors: Arc<Floors>, is_deaf: Arc<AtomicBool>, tasks: TaskSet) -> Arc<Self> {
        Arc::new(Self {
            present: Bounded::new(capacity),
            absent: Bounded::new(MAX_ABSENT),
            flights: Mutex::default(),
            failures: Mutex::default(),
            floors,
            is_deaf,
            tasks,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        })
    }

    pub(super) fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            entries: self.present.len() + self.absent.len(),
        }
    }

    /// What is in memory, however old.
    pub(super) fn peek(&self, key: &K) -> Option<K::Value> {
        self.entry(key).map(|entry| entry.value.clone())
    }

    /// The value if it is in memory, valid, fresh and fits the caller.
    pub(super) fn hit(&self, key: &K, fits: impl Fn(&K::Value) -> bool) -> Option<K::Value> {
        let serve = |entry: &Arc<Entry<K::Value>>| {
            let serves = self.is_valid(entry) && fits(&entry.value) && self.is_fresh(entry);
            serves.then(|| entry.value.clone())
        };
        let value = self
            .present
            .get(key, serve)
            .or_else(|| self.absent.get(key, serve))
            .flatten();
        if value.is_some() {
            self.note_hit();
        }
        value
    }

    pub(super) fn note_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// The value, loaded if it must be. Of many callers one loads; the load goes on when they give up.
    pub(super) async fn get_or_load(
        self: &Arc<Self>,
        key: K,
        fits: impl Fn(&K::Value) -> bool,
        load: impl Fn() -> BoxFuture<'static, Result<Loaded<K::Value>, StoreError>>,
    ) -> Result<K::Value, StoreError> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        loop {
            let old = self.entry(&key);
            let is_current = old
                .as_ref()
                .is_some_and(|entry| self.is_valid(entry) && fits(&entry.value));
            if let Some(entry) = old.as_ref().filter(|entry| is_current && self.is_fresh(entry)) {
                return Ok(entry.value.clone());
            }
            if let Some(error) = self.recent_failure(&key) {
                return self.old_or(old, &error);
            }
            let until = begun + if is_current { RENEW_WAIT } else { LOAD_WAIT };
            let mut flight = self.join_or_start(&key, &load);
            let landed = time::timeout_at(until, flight.wait_for(Option::is_some)).await;
            let outcome = match landed {
                Ok(Ok(outcome)) => outcome.clone(),
                // The task was aborted: the process ends.
                Ok(Err(_)) => None,
                Err(late) => Some(Err(Arc::new(unavailable(late)))),
            };
            match outcome {
                // What a slow load read before a change must not be served after it: load again.
                Some(Ok(entry)) if self.is_valid(&entry) && fits(&entry.value) => return Ok(entry.value.clone()),
                Some(Ok(_)) if Instant::now() < until => {}
                Some(Ok(entry)) => {
                    return self.old_or(
                        old.or(Some(entry)),
                        &Arc::new(unavailable("it changes faster than it is read")),
                    );
                }
                Some(Err(error)) => return self.old_or(old, &error),
                None => return self.old_or(old, &Arc::new(unavailable("the process ends"))),
            }
        }
    }

    fn entry(&self, key: &K) -> Option<Arc<Entry<K::Value>>> {
        self.present
            .get(key, Arc::clone)
            .or_else(|| self.absent.get(key, Arc::clone))
    }

    fn is_valid(&self, entry: &Entry<K::Value>) -> bool {
        self.floors.allow(entry.as_of, &entry.made_of, &entry.checked)
    }

    fn is_fresh(&self, entry: &Entry<K::Value>) -> bool {
        let now = Instant::now();
        now < entry.fresh_until
            && !(self.is_deaf.load(Ordering::Relaxed) && now.duration_since(entry.loaded_at) > DEAF_TTL)
    }

    fn old_or(&self, old: Option<Arc<Entry<K::Value>>>, error: &Arc<StoreError>) -> Result<K::Value, StoreError> {
        match old {
            Some(entry) => {
                self.stale.fetch_add(1, Ordering::Relaxed);
                Ok(entry.value.clone())
            }
            None => Err(share(error)),
        }
    }

    fn recent_failure(&self, key: &K) -> Option<Arc<StoreError>> {
        let failures = lock(&self.failures);
        let failure = failures.get(key)?;
        let holds = Instant::now() < failure.until && failure.generation == self.floors.generation();
        holds.then(|| Arc::clone(&failure.error))
    }

    /// The flight under way, else a new one.
    fn join_or_start(
        self: &Arc<Self>,
        key: &K,
        load: impl Fn() -> BoxFuture<'static, Result<Loaded<K::Value>, StoreError>>,
    ) -> Flight<K::Value> {
        let mut flights = lock(&self.flights);
        // One that has landed is about to be taken off the list, and what it found was not good enough.
        if let Some(flight) = flights
            .get(key)
            .filter(|flight| flight.borrow().is_none() && flight.has_changed().is_ok())
        {
            return flight.clone();
        }
        let (sender, flight) = watch::channel(None);
        flights.insert(key.clone(), flight.clone());
        drop(flights);
        let landing = Landing {
            layer: Arc::clone(self),
            key: key.clone(),
            flight: flight.clone(),
        };
        let loading = load();
        self.tasks.spawn("load a cached value", async move {
            let generation = landing.layer.floors.generation();
            let outcome = landing.layer.keep(&landing.key, generation, loading.await);
            sender.send_replace(Some(outcome));
            drop(landing);
        });
        flight
    }

    /// Takes in what a load found.
    fn keep(&self, key: &K, generation: u64, loaded: Result<Loaded<K::Value>, StoreError>) -> Outcome<K::Value> {
        let Loaded {
            value,
            as_of,
            made_of,
            fresh_for,
        } = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, key = %key, "`{key}` could not be loaded");
                let error = Arc::new(error);
                let until = Instant::now() + RETRY_AFTER;
                let mut failures = lock(&self.failures);
                if failures.len() >= MAX_FAILURES {
                    failures.clear();
                }
                failures.insert(
                    key.clone(),
                    Failure {
                        until,
                        generation,
                        error: Arc::clone(&error),
                    },
                );
                return Err(error);
            }
        };
        lock(&self.failures).remove(key);
        let is_absent = K::is_absent(&value);
        let ttl = if is_absent { ABSENT_TTL } else { K::TTL };
        let loaded_at = Instant::now();
        let entry = Arc::new(Entry {
            value,
            as_of,
            made_of,
            checked: Checked::default(),
            loaded_at,
            fresh_until: loaded_at + fresh_for.map_or(ttl, |left| left.min(ttl)),
        });
        // A slower load may come in after a faster one that read more.
        if self.entry(key).is_some_and(|newer| newer.as_of > as_of) {
            return Ok(entry);
        }
        let (into, from) = if is_absent {
            (&self.absent, &self.present)
        } else {
            (&self.present, &self.absent)
        };
        into.insert(key.clone(), Arc::clone(&entry));
        from.remove(key);
        Ok(entry)
    }
}

/// Takes a flight off the list when it has landed or was aborted.
struct Landing<K: CacheKey> {
    layer: Arc<Layer<K>>,
    key: K,
    flight: Flight<K::Value>,
}

impl<K: CacheKey> Drop for Landing<K> {
    fn drop(&mut self) {
        let mut flights = lock(&self.layer.flights);
        if flights
            .get(&self.key)
            .is_some_and(|flight| flight.same_channel(&self.flight))
        {
            flights.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable {
        action: "load a cached value in time",
        source: source.into(),
    }
}

/// The error again, for another of those who waited for the same load.
fn share(error: &Arc<StoreError>) -> StoreError {
    match &**error {
        StoreError::Unreadable { what, detail } => StoreError::Unreadable {
            what: what.clone(),
            detail: detail.clone(),
        },
        StoreError::Unavailable { action, .. } => StoreError::Unavailable {
            action,
            source: Box::new(Cause(Arc::clone(error))),
        },
    }
}

/// The cause of an error that several callers got.
#[derive(Debug)]
struct Cause(Arc<StoreError>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::error::Error::source(&*self.0) {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0).and_then(std::error::Error::source)
    }
}
