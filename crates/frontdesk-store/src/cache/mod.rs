//! The caches in front of a store: a decorator through which every write of a document goes.
//!
//! - Values are parsed documents under the keys of [`key`]. A value carries the number of the change up to which it was
//!   read and the things it is made of. It is valid while none of these has changed since; see `floors`. A write raises
//!   the floor before it is acknowledged, so that no turn of this process hears anything older afterwards.
//! - Other processes' writes are heard by a poll of the store's change feed, ten times a second, and at once where the
//!   processes share a cache server (`shared`), which also has values for those who have just been started.
//! - A value is fresh for its key's time. Then it is loaded again, by one of those who want it; while the store cannot
//!   answer, the old one serves without limit.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use frontdesk_domain::{documents::company::Company, ids::CompanyId, phone::PhoneNumber};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tracing::warn;

use crate::{
    ports::{Backend, Changed, Page, QnaOwner, Singleton, StoreError, StoredCompany},
    tasks::TaskSet,
};

pub mod bounded;
mod catalogue;
mod documents;
mod floors;
pub mod key;
mod layer;
mod listener;
mod rotations;
mod shared;
mod source;
mod write;

pub use catalogue::{Catalogue, CatalogueEntry};
pub use documents::{KnowledgeDocuments, PlatformDocuments, QnaSet, Settings, Versioned};
pub use layer::CacheCounts;
pub use shared::{SharedCache, SharedCounts};

use documents::SharedDocuments;
use floors::Floors;
use key::{CacheKey, KnowledgeOf, KnowledgeOfSettings, PlatformData, SettingsOf, TemplateCatalogue};
use layer::{Layer, Loaded};
use listener::Listener;
use rotations::Rotations;
use source::Source;

/// So many companies are kept at most.
const MAX_COMPANIES: usize = 100_000;

/// So many numbers are remembered at most.
const MAX_NUMBERS: usize = 200_000;

/// So many companies are loaded at once by [`CachedStore::warm`].
const WARM_AT_ONCE: usize = 4;

/// So many it looks up at once.
const WARM_PAGE: usize = 50;

/// A store with caches in front. The only writer of documents that a process has.
pub struct CachedStore {
    backend: Arc<dyn Backend>,
    floors: Arc<Floors>,
    settings: Arc<Layer<SettingsOf>>,
    knowledge: Arc<Layer<KnowledgeOf>>,
    platform: Arc<Layer<PlatformData>>,
    catalogue: Arc<Layer<TemplateCatalogue>>,
    shared: Arc<SharedDocuments>,
    rotations: Rotations,
    embedded: OnceLock<Arc<PlatformDocuments>>,
    /// Which company had a number when it was last loaded; a hint that is checked before it is believed.
    numbers: RwLock<HashMap<PhoneNumber, CompanyId>>,
    hears_changes: Arc<AtomicBool>,
    /// What instances share; none where there is only one, or no cache server.
    sharing: Option<Arc<SharedCache>>,
    tasks: TaskSet,
}

impl fmt::Debug for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl CachedStore {
    /// Puts caches in front of a store and starts listening to its changes.
    #[must_use]
    pub fn start(backend: Arc<dyn Backend>, tasks: &TaskSet) -> Arc<Self> {
        Self::start_sharing(backend, None, tasks)
    }

    /// The same, with what other instances share.
    #[must_use]
    pub fn start_sharing(backend: Arc<dyn Backend>, sharing: Option<Arc<SharedCache>>, tasks: &TaskSet) -> Arc<Self> {
        let floors = Arc::<Floors>::default();
        let hears_changes = Arc::new(AtomicBool::new(false));
        Listener {
            backend: Arc::clone(&backend),
            floors: Arc::clone(&floors),
            hears_changes: Arc::clone(&hears_changes),
            sharing: sharing.clone(),
        }
        .start(tasks);
        let is_deaf = sharing.as_ref().map(|sharing| sharing.is_deaf()).unwrap_or_default();
        let rotations = Rotations::new(Arc::clone(&backend) as _);
        Arc::new(Self {
            backend,
            settings: Layer::new(MAX_COMPANIES, Arc::clone(&floors), Arc::clone(&is_deaf), tasks.clone()),
            knowledge: Layer::new(MAX_COMPANIES, Arc::clone(&floors), Arc::clone(&is_deaf), tasks.clone()),
            platform: Layer::new(1, Arc::clone(&floors), Arc::clone(&is_deaf), tasks.clone()),
            catalogue: Layer::new(1, Arc::clone(&floors), is_deaf, tasks.clone()),
            floors,
            shared: Arc::default(),
            rotations,
            embedded: OnceLock::new(),
            numbers: RwLock::default(),
            hears_changes,
            sharing,
            tasks: tasks.clone(),
        })
    }

    /// A company's settings; `None` if there is no such company.
    ///
    /// # Errors
    /// The store cannot answer and the company is not in memory.
    pub async fn settings(&self, id: CompanyId) -> Result<Option<Arc<Settings>>, StoreError> {
        let key = SettingsOf(id);
        if let Some(settings) = self.settings.hit(&key, |_| true) {
            return Ok(settings);
        }
        let load = || {
            let (source, old) = (self.source(), self.settings.peek(&key).flatten());
            async move {
                let (snapshot, fresh_for) = source.company(id).await?;
                match Settings::load(id, snapshot, old.clone(), fresh_for) {
                    // What another version has put there may be no settings to this one.
                    Err(_) if fresh_for.is_some() => {
                        Settings::load(id, source.backend.company_snapshot(id).await?, old, None)
                    }
                    loaded => loaded,
                }
            }
            .boxed()
        };
        let settings = self.settings.get_or_load(key, |_| true, load).await?;
        if let Some(settings) = &settings {
            self.note_numbers(&settings.company);
        }
        Ok(settings)
    }

    /// What the knowledge of a company with these settings is compiled from.
    ///
    /// # Errors
    /// The store cannot answer and the documents are not in memory.
    pub async fn knowledge_documents(&self, settings: &Settings) -> Result<Arc<KnowledgeDocuments>, StoreError> {
        let key = KnowledgeOf(settings.company.id);
        let fits = |value: &KnowledgeOfSettings| Arc::ptr_eq(&value.company, &settings.company);
        if let Some(found) = self.knowledge.hit(&key, fits) {
            return Ok(found.documents);
        }
        let load = || {
            let (source, shared) = (self.source(), Arc::clone(&self.shared));
            let (company, old) = (Arc::clone(&settings.company), self.knowledge.peek(&key));
            async move {
                let held = shared.held(&company);
                let (snapshot, fresh_for) = source.knowledge(&company, &held.stamps()).await?;
                let (as_of, made_of) = (snapshot.as_of, parts_of(&company));
                let value = off_thread(move || {
                    let documents = shared.read(company.id, snapshot, &held, old.as_ref().map(|old| &old.documents));
                    KnowledgeOfSettings { company, documents }
                })
                .await?;
                Ok(Loaded {
                    value,
                    as_of,
                    made_of,
                    fresh_for,
                })
            }
            .boxed()
        };
        Ok(self.knowledge.get_or_load(key, fits, load).await?.documents)
    }

    /// Safety rules and prompts: the stored ones, the embedded ones where there are none or they cannot be read.
    pub async fn platform(&self) -> Arc<PlatformDocuments> {
        if let Some(documents) = self.platform.hit(&PlatformData, |_| true) {
            return documents;
        }
        let load = || {
            let (backend, old) = (Arc::clone(&self.backend), self.platform.peek(&PlatformData));
            async move {
                let snapshot = backend.platform_snapshot().await?;
                let as_of = snapshot.as_of;
                let value = off_thread(move || PlatformDocuments::read(snapshot, old)).await?;
                Ok(Loaded {
                    value,
                    as_of,
                    made_of: vec![Changed::Singleton(Singleton::Safety)],
                    fresh_for: None,
                })
            }
            .boxed()
        };
        let loaded = self.platform.get_or_load(PlatformData, |_| true, load).await;
        loaded.unwrap_or_else(|_| Arc::clone(self.embedded.get_or_init(|| Arc::new(PlatformDocuments::embedded()))))
    }

    /// All templates, with those who use them. Read anew after a change of any template or company; what is the same as
    /// before stays the same `Arc`.
    ///
    /// # Errors
    /// The store cannot answer and they are not in memory.
    pub async fn catalogue(&self) -> Result<Arc<Catalogue>, StoreError> {
        if let Some(catalogue) = self.catalogue.hit(&TemplateCatalogue, |_| true) {
            return Ok(catalogue);
        }
        let load = || {
            let (backend, shared) = (Arc::clone(&self.backend), Arc::clone(&self.shared));
            let old = self.catalogue.peek(&TemplateCatalogue);
            async move {
                let snapshot = backend.catalogue_snapshot().await?;
                let as_of = snapshot.as_of;
                let read = off_thread(move || Arc::new(Catalogue::read(&shared, snapshot))).await?;
                let value = old.filter(|old| old.version() == read.version()).unwrap_or(read);
                Ok(Loaded {
                    value,
                    as_of,
                    made_of: vec![Changed::Everything],
                    fresh_for: None,
                })
            }
            .boxed()
        };
        self.catalogue.get_or_load(TemplateCatalogue, |_| true, load).await
    }

    /// The company that has this number, from memory where it can be.
    ///
    /// # Errors
    /// The store cannot answer and the company is not in memory.
    pub async fn company_of_number(&self, number: &str) -> Result<Option<CompanyId>, StoreError> {
        if let Ok(number) = number.parse()
            && let Some(id) = self.hint(number)
            && let Some(settings) = self.settings(id).await?
            && settings.company.numbers().any(|own| own == number)
        {
            return Ok(Some(id));
        }
        self.backend.company_by_number(number).await
    }

    /// Rises with every change that is heard of: while it stays the same, nothing that was read has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.floors.generation()
    }

    /// Counts that a turn was answered from what had been read before: as a hit of each kind.
    pub fn note_hits(&self) {
        self.settings.note_hit();
        self.knowledge.note_hit();
        self.platform.note_hit();
    }

    /// Loads companies until all or `limit` are in memory, or it is `until`, so that calls are answered although the store
    /// fails later. Returns how many were loaded; what fails is reported and left out.
    pub async fn warm(&self, limit: usize, until: Instant) -> usize {
        self.platform().await;
        let (mut loaded, mut after) = (0, None);
        while loaded < limit && Instant::now() < until {
            let page = Page {
                after,
                limit: WARM_PAGE.min(limit - loaded),
            };
            let companies = match self.backend.companies(page).await {
                Ok(companies) => companies,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "not all companies could be loaded at the start"
                    );
                    break;
                }
            };
            let ids: Vec<CompanyId> = companies.iter().filter_map(StoredCompany::id).collect();
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            let loads = stream::iter(ids)
                .map(|id| self.warm_one(id))
                .buffer_unordered(WARM_AT_ONCE);
            loaded += loads.filter(|done| std::future::ready(*done)).count().await;
        }
        loaded
    }

    async fn warm_one(&self, id: CompanyId) -> bool {
        let loaded = async {
            if let Some(settings) = self.settings(id).await? {
                self.knowledge_documents(&settings).await?;
            }
            Ok::<_, StoreError>(())
        };
        // The layer has reported the failure.
        loaded.await.is_ok()
    }

    /// How the caches did so far, by kind of entry.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, CacheCounts); 4] {
        [
            (SettingsOf::NAME, self.settings.counts()),
            (KnowledgeOf::NAME, self.knowledge.counts()),
            (PlatformData::NAME, self.platform.counts()),
            (TemplateCatalogue::NAME, self.catalogue.counts()),
        ]
    }

    /// Whether the last poll of the store's changes succeeded. While it does not, writes of other processes are heard
    /// only when values are no longer fresh.
    #[must_use]
    pub fn hears_changes(&self) -> bool {
        self.hears_changes.load(Ordering::Relaxed)
    }

    /// What instances share; none where there is nothing shared.
    #[must_use]
    pub fn sharing(&self) -> Option<&Arc<SharedCache>> {
        self.sharing.as_ref()
    }

    fn source(&self) -> Source {
        Source {
            backend: Arc::clone(&self.backend),
            sharing: self.sharing.clone(),
            floors: Arc::clone(&self.floors),
            tasks: self.tasks.clone(),
        }
    }

    fn hint(&self, number: PhoneNumber) -> Option<CompanyId> {
        self.numbers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&number)
            .copied()
    }

    fn note_numbers(&self, company: &Company) {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() >= MAX_NUMBERS {
            numbers.clear();
        }
        numbers.extend(company.numbers().map(|number| (number, company.id)));
    }
}

/// The things that a company's knowledge documents are made of. The company itself is not among them: other settings
/// make other documents anyway.
fn parts_of(company: &Company) -> Vec<Changed> {
    let templates = company.enabled_templates().map(Changed::Template);
    let trades = company
        .trades
        .iter()
        .map(|trade| Changed::Qna(QnaOwner::Trade(trade.clone())));
    let own = [
        Changed::Qna(QnaOwner::Company(company.id)),
        Changed::Singleton(Singleton::Overlay(company.id)),
    ];
    templates.chain(trades).chain(own).collect()
}

/// Runs what may take milliseconds where it holds up no turn.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|source| StoreError::Unavailable {
        action: "parse what is stored",
        source: Box::new(source),
    })
}
