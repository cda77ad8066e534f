//! The cache that instances share (ADR 0013): between the values in process and the store.
//!
//! - Under the seed's keys lie snapshots of the store, each with the number of the change up to which it was read (*as of*)
//!   and the things it is made of. Secrets in them are sealed as they are in the store.
//! - One hash has the *floor* of each thing that was written and an *epoch*. Every write raises floors in the script that
//!   drops keys and tells the other instances. A value is believed while its epoch is the hash's, no floor of its parts is
//!   above it, and this process's own floors allow it too.
//! - A value is kept only under the epoch that was there before the store was read, and not below the floors of its parts:
//!   a slow reader cannot bring back what a write has dropped.
//! - What cannot be told to the server is owed: the epoch is renewed when the server is back, which drops everything. So it
//!   is when the hash is lost, or grows too large.
//! - Nothing here is an error to anybody. What cannot be read, whoever wrote it, is a value that is not there.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{documents::company::Company, ids::CompanyId};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;
use tracing::{debug, info};

use super::{
    floors::{Checked, Floors, thing},
    key::{CacheKey, KnowledgeOf, SettingsOf},
    parts_of,
};
use crate::{
    common::changed,
    ports::{Changed, CompanySnapshot, KnowledgeSnapshot, LeaseStore, QnaOwner, Seq, Singleton, StoreError},
    redis::{NoAnswer, Redis, Subscription},
    seal::Sealer,
};

mod envelope;
mod news;
mod scripts;

pub(super) use news::News;

use envelope::{CompanyValue, Envelope, KnowledgeValue};
use scripts::Scripts;

/// Larger values are not shared: they would hold up the connection for all.
const MAX_VALUE: usize = 1 << 20;

/// With more changes at once, others are told to look for themselves, and everything is dropped.
const MAX_CHANGES: usize = 500;

/// So many floors are kept; beyond that everything is dropped once.
const MAX_FLOORS: usize = 100_000;

/// The lease whose holder is the name of a store. It is taken once and never given up.
const NAME_LEASE: &str = "store-name";

/// How the shared cache did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SharedCounts {
    /// Values that were there and could be believed.
    pub hits: u64,
    /// Values that were not there, too old, or could not be read.
    pub misses: u64,
    /// Values that were put there.
    pub fills: u64,
    /// Values that were not taken, because something they are made of had been written meanwhile.
    pub refused: u64,
    /// Changes of other instances that were heard through the server.
    pub news: u64,
    /// Writes of which the server has not been told yet.
    pub owed: u64,
    /// Whether changes of other instances are heard through the server now.
    pub is_heard: bool,
}

/// What instances share through a cache server.
pub struct SharedCache {
    redis: Arc<Redis>,
    sealer: Arc<Sealer>,
    scripts: Scripts,
    /// The name of the store whose values are shared; nothing is shared until it is known.
    store: watch::Sender<Option<Arc<str>>>,
    owed: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    fills: AtomicU64,
    refused: AtomicU64,
    news: AtomicU64,
    is_deaf: Arc<AtomicBool>,
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCache")
            .field("redis", &self.redis)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// What was found, and what is needed to keep something better.
pub(super) struct Look<S> {
    pub(super) found: Option<Found<S>>,
    /// The epoch before the store is read; none if the server did not answer.
    pub(super) epoch: Option<Epoch>,
}

impl<S> Look<S> {
    const NOTHING: Self = Self {
        found: None,
        epoch: None,
    };
}

/// A value that is believed.
pub(super) struct Found<S> {
    pub(super) snapshot: S,
    /// How much longer the server keeps it.
    pub(super) fresh_for: Duration,
}

/// Changes when everything is dropped.
#[derive(Debug, Clone)]
pub(super) struct Epoch(String);

impl SharedCache {
    /// Shares through this server; secrets are sealed with `sealer`, which all instances have.
    #[must_use]
    pub fn new(redis: Arc<Redis>, sealer: Arc<Sealer>) -> Arc<Self> {
        Arc::new(Self {
            redis,
            sealer,
            scripts: Scripts::default(),
            store: watch::Sender::new(None),
            owed: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            fills: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            news: AtomicU64::new(0),
            is_deaf: Arc::new(AtomicBool::new(true)),
        })
    }

    /// How it did so far.
    #[must_use]
    pub fn counts(&self) -> SharedCounts {
        SharedCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            fills: self.fills.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            news: self.news.load(Ordering::Relaxed),
            owed: self.owed.load(Ordering::Relaxed),
            is_heard: self.is_heard(),
        }
    }

    /// Whether changes of other instances are heard through the server now.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        !self.is_deaf.load(Ordering::Relaxed)
    }

    /// Set while changes of other instances are not heard through the server.
    pub(super) fn is_deaf(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_deaf)
    }

    /// Learns the name of the store, once its changes are heard; gives it one if it has none.
    pub(super) async fn learn_name(&self, store: &dyn LeaseStore) -> Result<(), StoreError> {
        if self.store.borrow().is_some() {
            return Ok(());
        }
        let own = format!("{:016x}", rand::random::<u64>());
        let name = match store.lease(NAME_LEASE).await? {
            Some(lease) => lease.holder,
            None => match store.take_lease(NAME_LEASE, &own, None).await? {
                Some(_) => Some(own.into()),
                // Another process was faster.
                None => store.lease(NAME_LEASE).await?.and_then(|lease| lease.holder),
            },
        };
        self.store.send_replace(name);
        Ok(())
    }

    /// A company's settings.
    pub(super) async fn company(&self, id: CompanyId, floors: &Floors) -> Look<CompanySnapshot> {
        let read = |as_of, value: CompanyValue| value.open(id, as_of, &self.sealer);
        self.look(&SettingsOf(id), &[Changed::Company(id)], floors, read).await
    }

    /// What the knowledge of a company with these settings is compiled from.
    pub(super) async fn knowledge(&self, company: &Company, floors: &Floors) -> Look<KnowledgeSnapshot> {
        let read = |as_of, value: KnowledgeValue| Some(value.open(as_of));
        self.look(&KnowledgeOf(company.id), &parts_of(company), floors, read)
            .await
    }

    async fn look<V: DeserializeOwned, S>(
        &self,
        key: &impl CacheKey,
        made_of: &[Changed],
        floors: &Floors,
        read: impl FnOnce(Seq, V) -> Option<S>,
    ) -> Look<S> {
        let Some(store) = self.store_name() else {
            return Look::NOTHING;
        };
        let parts = words_of(made_of);
        let Ok(answer) = self.scripts.look(&self.redis, &store, &key.to_string(), &parts).await else {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return Look::NOTHING;
        };
        let believed = answer.value.and_then(|text| {
            let envelope: Envelope<V> = Envelope::read(&text)?;
            let is_current = envelope.is_of(&store, &answer.epoch, &parts)
                && envelope.as_of >= answer.floor
                && floors.allow(envelope.as_of, made_of, &Checked::default());
            is_current.then(|| read(envelope.as_of, envelope.value)).flatten()
        });
        let counter = if believed.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        Look {
            found: believed.map(|snapshot| Found {
                snapshot,
                fresh_for: answer.fresh_for,
            }),
            epoch: Some(Epoch(answer.epoch)),
        }
    }

    /// The settings of a company as they are to be kept; none if there is nothing to keep.
    pub(super) fn wrap_company(&self, id: CompanyId, epoch: Epoch, snapshot: &CompanySnapshot) -> Option<Wrapped> {
        let value = CompanyValue::of(id, snapshot.company.as_ref()?, &self.sealer);
        self.wrap(&SettingsOf(id), &[Changed::Company(id)], epoch, snapshot.as_of, value)
    }

    /// The same for what the knowledge of a company is compiled from.
    pub(super) fn wrap_knowledge(
        &self,
        company: &Company,
        epoch: Epoch,
        snapshot: &KnowledgeSnapshot,
    ) -> Option<Wrapped> {
        let value = KnowledgeValue::of(snapshot)?;
        self.wrap(
            &KnowledgeOf(company.id),
            &parts_of(company),
            epoch,
            snapshot.as_of,
            value,
        )
    }

    fn wrap<K: CacheKey>(
        &self,
        key: &K,
        made_of: &[Changed],
        epoch: Epoch,
        as_of: Seq,
        value: impl Serialize,
    ) -> Option<Wrapped> {
        let store = self.store_name()?;
        let parts = words_of(made_of);
        let text = Envelope::write(&store, &epoch.0, as_of, &parts, value)?;
        (text.len() <= MAX_VALUE).then(|| Wrapped {
            store,
            key: key.to_string(),
            epoch,
            as_of,
            parts,
            ttl: K::TTL,
            text,
        })
    }

    /// Puts a value there, unless what it is made of was written since it was read.
    pub(super) async fn keep(&self, wrapped: Wrapped) {
        let kept = self.scripts.fill(&self.redis, &wrapped).await;
        let counter = match kept {
            Ok(true) => &self.fills,
            Ok(false) => &self.refused,
            Err(_) => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the server and the other instances what was written. Takes no longer than the server's budget; what the
    /// server does not hear is owed to it.
    pub(super) async fn publish(&self, changes: &[(Seq, Changed)]) {
        if changes.is_empty() {
            return;
        }
        // Also if whoever waits gives up.
        let mut debt = Debt {
            owed: &self.owed,
            is_paid: false,
        };
        let Some(store) = self.store_name() else { return };
        let is_everything =
            changes.len() > MAX_CHANGES || changes.iter().any(|(_, changed)| *changed == Changed::Everything);
        let told = if is_everything {
            self.scripts.renew_epoch(&self.redis, &store, &News::LOOK).await
        } else {
            let parts: Vec<_> = changes
                .iter()
                .map(|(seq, changed)| (word_of(&thing(changed.clone())), *seq))
                .collect();
            let dropped: Vec<_> = changes.iter().flat_map(|(_, changed)| keys_of(changed)).collect();
            let news = News::of(changes);
            self.scripts
                .write(&self.redis, &store, &dropped, &parts, &news, MAX_FLOORS)
                .await
        };
        match told {
            Ok(()) => debt.is_paid = true,
            Err(failure) => debug!(
                error = &failure as &dyn std::error::Error,
                "the cache server has not been told of a write; it is told to drop everything when it is back"
            ),
        }
    }

    /// Drops everything that is shared if the server missed a write.
    pub(super) async fn pay(&self) {
        let owed = self.owed.load(Ordering::Acquire);
        let Some(store) = self.store_name().filter(|_| owed > 0 && self.redis.is_here()) else {
            return;
        };
        match self.scripts.renew_epoch(&self.redis, &store, &News::LOOK).await {
            Ok(()) => {
                self.owed.fetch_sub(owed, Ordering::AcqRel);
                info!(
                    writes = owed,
                    "the cache server was not told of writes; what it had before them is no longer used"
                );
            }
            Err(failure) => debug!(
                error = &failure as &dyn std::error::Error,
                "the cache server cannot be told yet of writes that it missed"
            ),
        }
    }

    /// Begins to hear what other instances write, once the store has a name.
    pub(super) async fn subscribe(&self) -> Result<Subscription, NoAnswer> {
        let mut name = self.store.subscribe();
        // Its sender lives as long as this.
        let name = match name.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            Err(_) => return Err(NoAnswer::Away),
        };
        self.redis.subscribe(&[scripts::channel(&name)]).await
    }

    /// Notes whether changes are heard through the server.
    pub(super) fn note_hearing(&self, is_heard: bool) {
        self.is_deaf.store(!is_heard, Ordering::Relaxed);
    }

    /// Counts a change that was heard.
    pub(super) fn note_news(&self, changes: usize) {
        self.news
            .fetch_add(u64::try_from(changes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn store_name(&self) -> Option<Arc<str>> {
        self.store.borrow().clone()
    }
}

/// A value ready to be put on the server.
pub(super) struct Wrapped {
    store: Arc<str>,
    key: String,
    epoch: Epoch,
    as_of: Seq,
    parts: Vec<String>,
    ttl: Duration,
    text: String,
}

/// A write of which the server has not been told, unless it is paid before it goes.
struct Debt<'a> {
    owed: &'a AtomicU64,
    is_paid: bool,
}

impl Drop for Debt<'_> {
    fn drop(&mut self) {
        if !self.is_paid {
            self.owed.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// A thing as the field of its floor.
fn word_of(changed: &Changed) -> String {
    let (kind, id) = changed::to_words(changed);
    format!("{kind} {id}")
}

fn words_of(made_of: &[Changed]) -> Vec<String> {
    made_of.iter().map(word_of).collect()
}

/// The keys that a change drops by name. Those of companies that merely use what changed are dropped by its floor.
fn keys_of(changed: &Changed) -> Vec<String> {
    match changed {
        Changed::Company(id) => vec![SettingsOf(*id).to_string()],
        Changed::Qna(QnaOwner::Company(id)) | Changed::Singleton(Singleton::Overlay(id)) => {
            vec![KnowledgeOf(*id).to_string()]
        }
        Changed::Everything
        | Changed::Template(_)
        | Changed::Qna(QnaOwner::Trade(_))
        | Changed::Singleton(Singleton::Safety | Singleton::Prompts(_)) => Vec::new(),
    }
}
