//! The companies that were loaded, compiled once for all who wait and kept until one of their parts changes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use frontdesk_domain::{
    decision::Versions,
    documents::{company::CompanySecrets, prompts::PhraseName, template::ScenarioStatus},
    ids::{CompanyId, ScenarioId},
};
use frontdesk_matching::{knowledge::Knowledge, language::Language, phrases::Phrases};
use frontdesk_store::{
    cache::{CachedStore, KnowledgeDocuments, Settings, bounded::Bounded},
    ports::StoreError,
};
use frontdesk_twilio::signature::Verifier;
use secrecy::ExposeSecret;
use tracing::error;

use super::{Platform, Tenant};
use crate::{
    conversation::announced_by,
    flight::Flights,
    foreign::{Foreign, ForeignTemplates},
    hints,
    knowledge::CompiledPieces,
    meaning::Meanings,
    shares::{AtOnce, Shares},
};

/// The companies, made of what the cache holds and kept until one of their parts changes.
pub(crate) struct Companies {
    store: Arc<CachedStore>,
    pieces: CompiledPieces,
    meanings: Arc<Meanings>,
    tenants: Arc<Bounded<CompanyId, Kept>>,
    compiling: Flights<PartsOfTenant, Arc<Tenant>>,
    started: Instant,
    platform: Arc<Mutex<Option<Arc<Platform>>>>,
    compiling_platform: Flights<usize, Arc<Platform>>,
    foreign: ForeignTemplates,
    at_once: AtOnce,
}

/// A company and the addresses of what it is made of, which the flight holds.
type PartsOfTenant = (CompanyId, usize, usize, usize);

/// So many companies are kept compiled at most.
const MAX_TENANTS: usize = 100_000;

/// So many milliseconds a company is taken as it is while no change is heard of; then the cache is asked whether it is still fresh.
const TAKEN_AS_IT_IS: u64 = 250;

/// A company as it was compiled.
struct Kept {
    tenant: Arc<Tenant>,
    /// The generation of the cache in which it was last found current.
    generation: AtomicU64,
    /// Until then, in milliseconds since the start, it is taken as it is.
    until: AtomicU64,
}

impl Companies {
    pub(crate) fn new(store: Arc<CachedStore>, meanings: Arc<Meanings>, at_once: AtOnce) -> Self {
        Self {
            store,
            meanings,
            pieces: CompiledPieces::default(),
            tenants: Arc::new(Bounded::new(MAX_TENANTS)),
            compiling: Flights::default(),
            started: Instant::now(),
            platform: Arc::default(),
            compiling_platform: Flights::default(),
            foreign: ForeignTemplates::default(),
            at_once,
        }
    }

    /// The company, if there is one.
    pub(crate) async fn load(&self, id: CompanyId) -> Result<Option<Arc<Tenant>>, StoreError> {
        let (generation, now) = (self.store.generation(), self.now());
        let as_it_is = self.tenants.get(&id, |kept| {
            let holds =
                kept.generation.load(Ordering::Relaxed) == generation && now < kept.until.load(Ordering::Relaxed);
            holds.then(|| Arc::clone(&kept.tenant))
        });
        if let Some(tenant) = as_it_is.flatten() {
            self.store.note_hits();
            return Ok(Some(tenant));
        }
        let Some(settings) = self.store.settings(id).await? else {
            self.tenants.remove(&id);
            return Ok(None);
        };
        let documents = self.store.knowledge_documents(&settings).await?;
        let platform = self.platform().await;
        let until = now + TAKEN_AS_IT_IS;
        let current = self.tenants.get(&id, |kept| {
            kept.tenant.is_made_of(&settings, &documents, &platform).then(|| {
                kept.generation.store(generation, Ordering::Relaxed);
                kept.until.store(until, Ordering::Relaxed);
                Arc::clone(&kept.tenant)
            })
        });
        if let Some(tenant) = current.flatten() {
            return Ok(Some(tenant));
        }
        // What is compiled is kept by the thread that compiles it: a turn that gives up waiting does not waste it. Of
        // many turns that want the same one compiles.
        let (pieces, tenants) = (self.pieces.clone(), Arc::clone(&self.tenants));
        let meanings = Arc::clone(&self.meanings);
        let shares = self.as_last_known(id).map(|known| Arc::clone(&known.shares));
        let shares = shares.unwrap_or_else(|| Arc::new(Shares::new(&self.at_once)));
        let parts = (
            id,
            Arc::as_ptr(&settings).addr(),
            Arc::as_ptr(&documents).addr(),
            Arc::as_ptr(&platform).addr(),
        );
        let compiled = self.compiling.join_or_start(parts, move || {
            let tenant = Arc::new(compile(&pieces, &meanings, settings, documents, platform, shares));
            let kept = Kept {
                tenant: Arc::clone(&tenant),
                generation: AtomicU64::new(generation),
                until: AtomicU64::new(until),
            };
            tenants.insert(id, Arc::new(kept));
            tenant
        });
        match compiled.await {
            Ok(tenant) => Ok(Some(Arc::clone(&tenant))),
            Err(source) => Err(StoreError::Unavailable {
                action: "compile a company's knowledge",
                source: Box::new(source),
            }),
        }
    }

    /// The company as it was last compiled, whatever became of it since.
    pub(crate) fn as_last_known(&self, id: CompanyId) -> Option<Arc<Tenant>> {
        self.tenants.get(&id, |kept| Arc::clone(&kept.tenant))
    }

    /// Safety rules and prompts as they were last compiled; the embedded ones if that was never done.
    pub(crate) fn platform_as_it_is(&self) -> Arc<Platform> {
        self.kept_platform()
            .clone()
            .unwrap_or_else(|| Arc::new(Platform::embedded()))
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Safety rules and prompts, compiled.
    pub(crate) async fn platform(&self) -> Arc<Platform> {
        let documents = self.store.platform().await;
        let kept = self.kept_platform().clone();
        if let Some(platform) = &kept
            && Arc::ptr_eq(&platform.documents, &documents)
        {
            return Arc::clone(platform);
        }
        // New rules take a tenth of a second to compile: too long for a thread that answers calls.
        let (place, meanings) = (Arc::clone(&self.platform), Arc::clone(&self.meanings));
        let compiled = self
            .compiling_platform
            .join_or_start(Arc::as_ptr(&documents).addr(), move || {
                let platform = Arc::new(Platform::compile(documents, &meanings));
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&platform));
                platform
            });
        match (compiled.await, kept) {
            (Ok(platform), _) => Arc::clone(&platform),
            (Err(failure), Some(old)) => {
                error!(
                    error = &failure as &dyn std::error::Error,
                    "safety rules did not compile, the old ones hold"
                );
                old
            }
            (Err(failure), None) => {
                error!(
                    error = &failure as &dyn std::error::Error,
                    "safety rules did not compile, the embedded ones hold"
                );
                Arc::new(Platform::embedded())
            }
        }
    }

    fn kept_platform(&self) -> MutexGuard<'_, Option<Arc<Platform>>> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> &CachedStore {
        &self.store
    }

    /// The templates of single trades as one knowledge, as a company of that language would hear them.
    pub(crate) async fn foreign(&self, language: &'static Language) -> Result<Arc<Foreign>, StoreError> {
        let catalogue = self.store.catalogue().await?;
        self.foreign.compiled(catalogue, &self.pieces, language).await
    }

    /// The same as it was last compiled.
    pub(crate) fn foreign_as_last_known(&self, language: &'static Language) -> Option<Arc<Foreign>> {
        self.foreign.as_last_known(language)
    }
}

fn compile(
    pieces: &CompiledPieces,
    meanings: &Meanings,
    settings: Arc<Settings>,
    documents: Arc<KnowledgeDocuments>,
    platform: Arc<Platform>,
    shares: Arc<Shares>,
) -> Tenant {
    let language = Language::of_tag(&settings.company.voice.language);
    let parts = pieces.of_company(&documents, language);
    let versions = Versions {
        company: settings.rev,
        templates: documents
            .templates
            .iter()
            .map(|template| (template.document.id.to_string().into(), template.rev))
            .collect::<BTreeMap<_, _>>(),
        company_qna: documents.company_qna.rev,
        trade_qna: documents.trade_qna.iter().map(|set| set.rev).max().unwrap_or_default(),
        overlay: documents.overlay.as_ref().map_or(0, |overlay| overlay.rev),
        safety: platform.documents.safety_rev,
        prompts: platform.documents.prompts_rev(&settings.company.voice.language),
        build: env!("CARGO_PKG_VERSION").into(),
    };
    let phrases = platform.phrases(&settings.company.voice.language);
    Tenant {
        announcements: announcements(&documents, phrases),
        verifier: verifier_of(&settings.secrets),
        knowledge: Arc::new(Knowledge::new(&parts, language)),
        learnt: meanings.of_parts(&parts),
        _parts: parts,
        versions: Arc::new(versions),
        hints: hints::of(&settings.company, &documents, language),
        settings,
        platform,
        documents,
        shares,
    }
}

/// The live scenarios that only say what the conversation has to do.
fn announcements(documents: &KnowledgeDocuments, phrases: &Phrases) -> Arc<[(ScenarioId, PhraseName)]> {
    let templates = documents.templates.iter();
    let categories = templates.flat_map(|template| &template.document.categories);
    let scenarios = categories.flat_map(|category| &category.scenarios);
    let live = scenarios.filter(|scenario| scenario.status == ScenarioStatus::Live);
    live.filter_map(|scenario| Some((scenario.id.clone(), announced_by(scenario, phrases)?)))
        .collect()
}

fn verifier_of(secrets: &CompanySecrets) -> Verifier {
    let current = secrets.auth_token.as_ref().map(ExposeSecret::expose_secret);
    let previous = secrets.previous_auth_token.as_ref().map(ExposeSecret::expose_secret);
    let verifier = Verifier::new(current).with_previous(previous);
    secrets.shared_keys.iter().fold(verifier, |verifier, key| {
        verifier.with_shared_key(&key.id, key.secret.expose_secret())
    })
}
