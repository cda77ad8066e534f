//! Step 2: the company, with everything that its turns need, from the cache, else the store.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Offer, Versions},
    documents::{
        company::{CompanySecrets, Destination, Status},
        prompts::{PromptName, Prompts},
    },
    ids::{CompanyId, TemplateId},
    phone::PhoneNumber,
    time::Timestamp,
};
use frontdesk_matching::{
    knowledge::{Knowledge, Parts},
    language::Language,
    safety::{EMBEDDED, SafetyMatcher},
};
use frontdesk_store::{
    cache::{CachedStore, KnowledgeDocuments, PlatformDocuments, Settings, bounded::Bounded},
    ports::StoreError,
};
use frontdesk_twilio::signature::Verifier;
use secrecy::ExposeSecret;
use tracing::error;

use crate::{
    foreign::{Foreign, ForeignTemplates},
    knowledge::CompiledPieces,
};

/// Safety rules and prompts, compiled. There is always one: the embedded data if nothing else can be read.
#[derive(Debug)]
pub struct Platform {
    documents: Arc<PlatformDocuments>,
    stored: Option<SafetyMatcher>,
}

impl Platform {
    fn compile(documents: Arc<PlatformDocuments>) -> Self {
        let compiled = documents.safety.as_ref().map(|rules| SafetyMatcher::compile(rules));
        let stored = match compiled {
            Some(Ok(matcher)) => Some(matcher),
            Some(Err(faults)) => {
                // Stored rules are compiled before they are accepted; this guards a store that was written by hand.
                error!(faults = ?faults, "stored safety rules do not compile, the embedded ones are used");
                None
            }
            None => None,
        };
        if stored.is_none() {
            // Compiled here, not on the first turn.
            LazyLock::force(&EMBEDDED);
        }
        Self { documents, stored }
    }

    /// The life-safety rules: the stored ones, else those that come with the program.
    #[must_use]
    pub fn safety(&self) -> &SafetyMatcher {
        self.stored.as_ref().unwrap_or(&EMBEDDED)
    }

    /// The prompts of a language, if there are any.
    #[must_use]
    pub fn prompts(&self, language: &str) -> Option<&Prompts> {
        self.documents.prompts.get(language).map(|prompts| &**prompts)
    }
}

/// A company as its turns see it: settings, compiled knowledge, keys.
#[derive(Debug)]
pub struct Tenant {
    /// Its settings.
    pub settings: Arc<Settings>,
    /// Verifies its webhooks; empty if it has no token of its own.
    pub verifier: Verifier,
    pub(crate) platform: Arc<Platform>,
    pub(crate) knowledge: Arc<Knowledge>,
    /// Held so that other companies share them.
    _parts: Parts,
    pub(crate) versions: Arc<Versions>,
    documents: Arc<KnowledgeDocuments>,
}

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> CompanyId {
        self.settings.company.id
    }

    /// The first destination of a transfer that is open.
    pub(crate) fn open_destination(&self, now: Timestamp) -> Option<&Destination> {
        let company = &self.settings.company;
        company
            .transfer
            .destinations
            .iter()
            .find(|to| to.hours.is_open(now, &company.time_zone))
    }

    /// The number that a transfer dials: the first open destination's, for a company that forwards else the number
    /// that it forwards to.
    pub(crate) fn transfer_number(&self, now: Timestamp) -> Option<PhoneNumber> {
        let forwards = self.settings.company.status == Status::Forward;
        let destination = self.open_destination(now).map(|to| to.number);
        destination.or_else(|| self.forward_number().filter(|_| forwards))
    }

    /// The number that calls are forwarded to.
    pub(crate) fn forward_number(&self) -> Option<PhoneNumber> {
        self.settings.company.forward_number
    }

    /// A prompt in the company's own words, else in those of its language, else in the program's, in its tone; `n` rotates through variations.
    /// A variation with a variable that is not set is passed over.
    pub(crate) fn prompt(&self, name: PromptName, n: usize) -> Option<Arc<str>> {
        let company = &self.settings.company;
        let tone = &*company.fallback.tone;
        let language = self.platform.prompts(&company.voice.language);
        let sources = [
            Some(&company.prompts),
            language.map(|prompts| &prompts.texts),
            Some(&Prompts::embedded().texts),
        ];
        sources.into_iter().flatten().find_map(|texts| {
            let variations = texts.pick(name, tone);
            let start = n.checked_rem(variations.len())?;
            let in_turn = variations.iter().cycle().skip(start).take(variations.len());
            in_turn
                .filter_map(|wording| wording.render(&company.variables).ok())
                .find(|text| !text.trim().is_empty())
                .map(Into::into)
        })
    }

    /// What this company offers a caller who was not helped, in order. A transfer needs somebody who can be reached.
    pub(crate) fn offers(&self, now: Timestamp) -> Vec<Offer> {
        let escalation = &self.settings.company.fallback.escalation;
        let mut offers = Vec::with_capacity(3);
        if escalation.transfer && self.open_destination(now).is_some() {
            offers.push(Offer::Transfer);
        }
        if escalation.message {
            offers.push(Offer::Message);
        }
        if escalation.callback {
            offers.push(Offer::Callback);
        }
        offers
    }

    /// The threshold that a template sets for tier 1.
    pub(crate) fn template_threshold(&self, template: TemplateId) -> Option<Confidence> {
        let documents = self.documents.templates.iter().map(|versioned| &versioned.document);
        documents
            .into_iter()
            .find(|document| document.id == template)?
            .tier1_threshold
    }

    fn is_made_of(
        &self,
        settings: &Arc<Settings>,
        documents: &Arc<KnowledgeDocuments>,
        platform: &Arc<Platform>,
    ) -> bool {
        Arc::ptr_eq(&self.settings, settings)
            && Arc::ptr_eq(&self.documents, documents)
            && Arc::ptr_eq(&self.platform, platform)
    }
}

/// The companies, made of what the cache holds and kept until one of their parts changes.
pub(crate) struct Companies {
    store: Arc<CachedStore>,
    pieces: CompiledPieces,
    tenants: Arc<Bounded<CompanyId, Kept>>,
    started: Instant,
    platform: Arc<Mutex<Option<Arc<Platform>>>>,
    foreign: ForeignTemplates,
}

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
    pub(crate) fn new(store: Arc<CachedStore>) -> Self {
        Self {
            store,
            pieces: CompiledPieces::default(),
            tenants: Arc::new(Bounded::new(MAX_TENANTS)),
            started: Instant::now(),
            platform: Arc::default(),
            foreign: ForeignTemplates::default(),
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
        // What is compiled is kept by the thread that compiles it: a turn that gives up waiting does not waste it.
        let (pieces, tenants) = (self.pieces.clone(), Arc::clone(&self.tenants));
        let compiled = tokio::task::spawn_blocking(move || {
            let tenant = Arc::new(compile(&pieces, settings, documents, platform));
            let kept = Kept {
                tenant: Arc::clone(&tenant),
                generation: AtomicU64::new(generation),
                until: AtomicU64::new(until),
            };
            tenants.insert(id, Arc::new(kept));
            tenant
        });
        compiled.await.map(Some).map_err(|source| StoreError::Unavailable {
            action: "compile a company's knowledge",
            source: Box::new(source),
        })
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
        let place = Arc::clone(&self.platform);
        let compiled = tokio::task::spawn_blocking(move || {
            let platform = Arc::new(Platform::compile(documents));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&platform));
            platform
        });
        match (compiled.await, kept) {
            (Ok(platform), _) => platform,
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
                Arc::new(Platform {
                    documents: Arc::default(),
                    stored: None,
                })
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
}

fn compile(
    pieces: &CompiledPieces,
    settings: Arc<Settings>,
    documents: Arc<KnowledgeDocuments>,
    platform: Arc<Platform>,
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
    Tenant {
        verifier: verifier_of(&settings.secrets),
        knowledge: Arc::new(Knowledge::new(&parts, language)),
        _parts: parts,
        versions: Arc::new(versions),
        settings,
        platform,
        documents,
    }
}

fn verifier_of(secrets: &CompanySecrets) -> Verifier {
    let current = secrets.auth_token.as_ref().map(ExposeSecret::expose_secret);
    let previous = secrets.previous_auth_token.as_ref().map(ExposeSecret::expose_secret);
    let verifier = Verifier::new(current).with_previous(previous);
    secrets.shared_keys.iter().fold(verifier, |verifier, key| {
        verifier.with_shared_key(&key.id, key.secret.expose_secret())
    })
}
