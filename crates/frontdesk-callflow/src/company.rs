//! Step 2: the company, with everything that its turns need, from the cache, else the store.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use frontdesk_domain::{
    call_state::Choosable,
    confidence::Confidence,
    decision::{Offer, Tier, Versions},
    documents::{
        company::{Company, CompanySecrets, Status, Thresholds},
        prompts::{PhraseName, PromptName, Prompts},
        qna::Qna,
        template::{Scenario, ScenarioStatus},
    },
    ids::{CompanyId, QnaId, ScenarioId, TemplateId},
    phone::PhoneNumber,
    time::Timestamp,
    variables::Variables,
};
use frontdesk_matching::{
    knowledge::{Knowledge, Parts},
    language::Language,
    phrases::Phrases,
    safety::{EMBEDDED, SafetyMatcher, embedded_rules},
};
use frontdesk_store::{
    cache::{CachedStore, KnowledgeDocuments, PlatformDocuments, Settings, bounded::Bounded},
    ports::StoreError,
};
use frontdesk_twilio::{signature::Verifier, twiml::Hints};
use secrecy::ExposeSecret;
use tracing::error;

use crate::{
    flight::Flights,
    foreign::{Foreign, ForeignTemplates},
    hints,
    knowledge::CompiledPieces,
    meaning::{Learnt, LearntDangers, Meanings},
};

/// Safety rules and prompts, compiled. There is always one: the embedded data if nothing else can be read.
#[derive(Debug)]
pub struct Platform {
    documents: Arc<PlatformDocuments>,
    stored: Option<SafetyMatcher>,
    /// The dangers of the rules in force, by their meaning.
    pub(crate) dangers: Arc<LearntDangers>,
    /// By language.
    phrases: BTreeMap<Arc<str>, Phrases>,
}

/// The phrases that come with the program.
static EMBEDDED_PHRASES: LazyLock<Phrases> = LazyLock::new(|| phrases_of(Prompts::embedded()));

fn phrases_of(prompts: &Prompts) -> Phrases {
    // What a language leaves out is recognised as in the embedded data.
    let lists = PhraseName::ALL.iter().map(|name| {
        let own = prompts.phrases(*name);
        let list = if own.is_empty() {
            Prompts::embedded().phrases(*name)
        } else {
            own
        };
        (*name, list.iter().map(|phrase| &**phrase))
    });
    Phrases::compile(lists)
}

impl Platform {
    fn compile(documents: Arc<PlatformDocuments>, meanings: &Meanings) -> Self {
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
        LazyLock::force(&EMBEDDED_PHRASES);
        let languages = documents.prompts.iter();
        let phrases = languages.map(|(language, prompts)| (Arc::from(&**language), phrases_of(prompts)));
        let rules = match (&stored, &documents.safety) {
            (Some(_), Some(rules)) => Some(Cow::Borrowed(&**rules)),
            _ => embedded_rules().ok().map(Cow::Owned),
        };
        Self {
            phrases: phrases.collect(),
            dangers: rules.map(|rules| meanings.of_rules(&rules)).unwrap_or_default(),
            documents,
            stored,
        }
    }

    /// What comes with the program.
    fn embedded() -> Self {
        Self {
            documents: Arc::default(),
            dangers: Arc::default(),
            stored: None,
            phrases: BTreeMap::new(),
        }
    }

    /// The phrases of a language; those of the program if it has none.
    fn phrases(&self, language: &str) -> &Phrases {
        self.phrases.get(language).unwrap_or(&EMBEDDED_PHRASES)
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

/// Thresholds that a dry run tries in place of those that a company and its templates set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialThresholds {
    /// Of the company's own Q&A.
    pub company_qna: Confidence,
    /// Of its trades' Q&A.
    pub trade_qna: Confidence,
    /// Of templates by rules, where the scenario has none of its own.
    pub tier1: Confidence,
    /// Of templates by meaning, where the scenario has none of its own.
    pub tier2: Confidence,
}

/// A company as its turns see it: settings, compiled knowledge, keys.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its settings.
    pub settings: Arc<Settings>,
    /// Verifies its webhooks; empty if it has no token of its own.
    pub verifier: Verifier,
    pub(crate) platform: Arc<Platform>,
    pub(crate) knowledge: Arc<Knowledge>,
    /// What its answers mean, once that is learnt.
    pub(crate) learnt: Arc<Learnt>,
    /// Held so that other companies share them.
    _parts: Parts,
    pub(crate) versions: Arc<Versions>,
    /// What the recogniser should expect.
    pub(crate) hints: Hints,
    documents: Arc<KnowledgeDocuments>,
}

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> CompanyId {
        self.settings.company.id
    }

    /// The same company with other thresholds: to see what they would change, never to answer a call.
    pub(crate) fn with_thresholds(&self, thresholds: TrialThresholds) -> Self {
        let mut settings = Settings::clone(&self.settings);
        let mut company = Company::clone(&settings.company);
        let TrialThresholds {
            company_qna,
            trade_qna,
            tier1,
            tier2,
        } = thresholds;
        company.thresholds = Thresholds { company_qna, trade_qna };
        company.gatekeeper.tier1_threshold = Some(tier1);
        company.gatekeeper.tier2_threshold = Some(tier2);
        settings.company = Arc::new(company);
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The number that a transfer dials: that of the first open destination which was not dialled in this call, for a
    /// company that forwards else the number that it forwards to.
    pub(crate) fn next_number(&self, now: Timestamp, dialled: &[PhoneNumber]) -> Option<PhoneNumber> {
        let company = &self.settings.company;
        let destinations = company.transfer.destinations.iter();
        let open = destinations.filter(|to| to.hours.is_open(now, &company.time_zone));
        let forwards = company.status == Status::Forward;
        let forward = company.forward_number.filter(|_| forwards);
        open.map(|to| to.number)
            .chain(forward)
            .find(|number| self.may_dial(*number) && !dialled.contains(number))
    }

    /// The number that calls are forwarded to, if it was not dialled in this call.
    pub(crate) fn forward_number(&self, dialled: &[PhoneNumber]) -> Option<PhoneNumber> {
        let number = self.settings.company.forward_number?;
        (self.may_dial(number) && !dialled.contains(&number)).then_some(number)
    }

    /// What was refused when it was saved is refused again when it would be dialled: rules may have changed since.
    pub(crate) fn may_dial(&self, number: PhoneNumber) -> bool {
        let company = &self.settings.company;
        number
            .refusal(company.phone, &company.transfer.allowed_countries)
            .is_none()
    }

    /// The phrases by which callers steer a call, in the company's language.
    pub(crate) fn phrases(&self) -> &Phrases {
        self.platform.phrases(&self.settings.company.voice.language)
    }

    /// What a thing to choose is called.
    pub(crate) fn name_of(&self, option: &Choosable) -> Option<Arc<str>> {
        match option {
            Choosable::Scenario(id) => self.scenario(id).map(|scenario| Arc::clone(&scenario.name)),
            Choosable::Qna(id) => self.qna(id).map(|qna| qna.question.as_str().into()),
        }
    }

    /// The first live scenario with this id in the order of the company's templates.
    pub(crate) fn scenario(&self, id: &ScenarioId) -> Option<&Scenario> {
        let templates = self.documents.templates.iter();
        let categories = templates.flat_map(|template| &template.document.categories);
        let mut scenarios = categories.flat_map(|category| &category.scenarios);
        scenarios.find(|scenario| scenario.id == *id && scenario.status == ScenarioStatus::Live)
    }

    /// The Q&A with this id: the company's own, else its trades'.
    pub(crate) fn qna(&self, id: &QnaId) -> Option<&Qna> {
        let own = self.documents.company_qna.items.iter();
        let of_trades = self.documents.trade_qna.iter().flat_map(|set| set.items.iter());
        own.chain(of_trades)
            .map(|qna| &**qna)
            .find(|qna| qna.id == *id && qna.active)
    }

    /// A prompt in the company's own words, else in those of its language, else in the program's, in its tone; `n` rotates through variations.
    /// A variation with a variable that is not set is passed over.
    pub(crate) fn prompt(&self, name: PromptName, n: usize) -> Option<Arc<str>> {
        self.render_prompt(name, n, &self.settings.company.variables)
    }

    /// A prompt with variables of the moment.
    pub(crate) fn prompt_with(&self, name: PromptName, n: usize, more: &[(&str, &str)]) -> Option<Arc<str>> {
        let variables = self.settings.company.variables.with(more.iter().copied());
        self.render_prompt(name, n, &variables)
    }

    fn render_prompt(&self, name: PromptName, n: usize, variables: &Variables) -> Option<Arc<str>> {
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
                .filter_map(|wording| wording.render(variables).ok())
                .find(|text| !text.trim().is_empty())
                .map(Into::into)
        })
    }

    /// What this company offers a caller who was not helped, in order. A transfer needs somebody who can be reached.
    pub(crate) fn offers(&self, now: Timestamp) -> Vec<Offer> {
        let escalation = &self.settings.company.fallback.escalation;
        let mut offers = Vec::with_capacity(3);
        if escalation.transfer && self.next_number(now, &[]).is_some() {
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

    /// The threshold that a template sets for a tier.
    pub(crate) fn template_threshold(&self, template: TemplateId, tier: Tier) -> Option<Confidence> {
        let mut documents = self.documents.templates.iter().map(|versioned| &versioned.document);
        let document = documents.find(|document| document.id == template)?;
        match tier {
            Tier::Rules => document.tier1_threshold,
            Tier::Semantic | Tier::Llm => document.tier2_threshold,
        }
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
    meanings: Arc<Meanings>,
    tenants: Arc<Bounded<CompanyId, Kept>>,
    compiling: Flights<PartsOfTenant, Arc<Tenant>>,
    started: Instant,
    platform: Arc<Mutex<Option<Arc<Platform>>>>,
    compiling_platform: Flights<usize, Arc<Platform>>,
    foreign: ForeignTemplates,
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
    pub(crate) fn new(store: Arc<CachedStore>, meanings: Arc<Meanings>) -> Self {
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
        let parts = (
            id,
            Arc::as_ptr(&settings).addr(),
            Arc::as_ptr(&documents).addr(),
            Arc::as_ptr(&platform).addr(),
        );
        let compiled = self.compiling.join_or_start(parts, move || {
            let tenant = Arc::new(compile(&pieces, &meanings, settings, documents, platform));
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
        learnt: meanings.of_parts(&parts),
        _parts: parts,
        versions: Arc::new(versions),
        hints: hints::of(&settings.company, &documents, language),
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
