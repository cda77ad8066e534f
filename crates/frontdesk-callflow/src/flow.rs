//! The way from a verified webhook to the document that answers it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier, Stage},
    call_state::CallState,
    clock::Clock,
    decision::Decision,
    documents::prompts::{DEFAULT_TONE, PromptName, Prompts},
    ids::{CallId, CompanyId},
    redaction::{redact_caller, redact_field},
    time::Timestamp,
};
use frontdesk_matching::{language::Language, normal::normalize};
use frontdesk_store::{
    cache::CachedStore,
    instances::Instances,
    ports::{CallEnd, CallLog as _, StoreError},
    queue::TurnQueue,
    seal::Sealer,
};
use frontdesk_twilio::webhook::TurnParameters;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::{
    answers::{Answers, CallKey},
    company::{Companies, Platform, Tenant, TrialThresholds},
    limits::{CallCounts, Limit, Limits},
    llm::Llm,
    meaning::Meanings,
    record::{self, Circumstances},
    safety, settings,
    shares::{AtOnce, TurnsAtOnce},
    speech,
    trace::Trace,
    turn::{Said, Turn},
    webhook::Webhook,
};

/// What the call path needs from outside.
pub struct Deps {
    /// Documents, messages, rotation; the cache is in front.
    pub store: Arc<CachedStore>,
    /// Takes turn records.
    pub turns: TurnQueue,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Seals call states.
    pub sealer: Arc<Sealer>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Limits against abuse.
    pub limits: Limits,
    /// Computes meanings.
    pub meanings: Arc<Meanings>,
    /// Asks the LLM.
    pub llm: Arc<Llm>,
    /// How much is done at once.
    pub at_once: AtOnce,
}

/// After a failure the store is not asked for a rotation number for so long.
const ROTATION_REST_MILLIS: i64 = 1_000;

/// Why no company answers a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswerable {
    /// There is no such company.
    NoSuchCompany,
    /// It cannot be loaded.
    NotLoaded,
    /// It cannot be loaded, so that nobody can tell whether its token signed the webhook.
    NotVerifiable,
}

/// The document for reports that need no answer.
#[must_use]
pub fn empty_document() -> String {
    frontdesk_twilio::twiml::Response::default().to_xml()
}

/// The call path.
pub struct CallFlow {
    pub(crate) deps: Deps,
    companies: Companies,
    answers: Answers,
    counts: CallCounts,
    turns_at_once: TurnsAtOnce,
    /// The other instances, where there are any.
    instances: Option<Arc<dyn Instances>>,
    local_rotation: AtomicU64,
    /// Until then, in Unix milliseconds, the store is not asked for rotation numbers: it has just failed.
    rotation_rests_until: AtomicI64,
    pub(crate) unsealed_states: AtomicU64,
}

impl fmt::Debug for CallFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFlow").finish_non_exhaustive()
    }
}

/// How an utterance is decided that came by no call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Run {
    /// Spends and records nothing; with these thresholds, if there are any.
    Dry(Option<TrialThresholds>),
    /// A real turn.
    Real,
}

impl CallFlow {
    /// The call path over these parts.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        let companies = Companies::new(Arc::clone(&deps.store), Arc::clone(&deps.meanings), deps.at_once);
        Self {
            turns_at_once: TurnsAtOnce::new(deps.at_once.turns),
            counts: CallCounts::new(deps.limits),
            answers: Answers::default(),
            instances: None,
            deps,
            companies,
            local_rotation: AtomicU64::new(0),
            rotation_rests_until: AtomicI64::new(0),
            unsealed_states: AtomicU64::new(0),
        }
    }

    /// Answers beside other instances: they tell each other what they answered, count calls together, and tell how they
    /// find the LLM.
    #[must_use]
    pub fn beside(mut self, instances: Arc<dyn Instances>) -> Self {
        self.deps.llm.hear_others(&instances);
        self.instances = Some(instances);
        self
    }

    /// Loads a company with its compiled knowledge; `None` if there is none. One that cannot be loaded within a second
    /// is taken as it was last known.
    ///
    /// # Errors
    /// Neither cache nor store can tell.
    pub async fn tenant(&self, company: CompanyId) -> Result<Option<Arc<Tenant>>, StoreError> {
        self.tenant_by(company, Instant::now() + settings::STORE_DEADLINE).await
    }

    /// The same for a turn that is to be answered by `deadline`: loading leaves time for the rest of it.
    ///
    /// # Errors
    /// Neither cache nor store can tell.
    pub async fn tenant_for_turn(
        &self,
        company: CompanyId,
        deadline: Instant,
    ) -> Result<Option<Arc<Tenant>>, StoreError> {
        self.tenant_by(company, settings::read_by(deadline, settings::STORE_DEADLINE))
            .await
    }

    async fn tenant_by(&self, company: CompanyId, until: Instant) -> Result<Option<Arc<Tenant>>, StoreError> {
        let loaded = timeout_at(until, self.companies.load(company)).await;
        let failure = match loaded {
            Ok(Ok(tenant)) => return Ok(tenant),
            Ok(Err(failure)) => failure,
            Err(late) => StoreError::Unavailable {
                action: "load a company in time",
                source: Box::new(late),
            },
        };
        self.companies.as_last_known(company).map(Some).ok_or(failure)
    }

    /// The company that has this number; `None` if nobody has. Asked for a turn that is to be answered by `deadline`.
    ///
    /// # Errors
    /// Neither cache nor store can tell.
    pub async fn company_of_number(&self, number: &str, deadline: Instant) -> Result<Option<CompanyId>, StoreError> {
        let found = timeout_at(
            settings::read_by(deadline, settings::STORE_DEADLINE),
            self.store().company_of_number(number),
        )
        .await;
        found.unwrap_or_else(|late| {
            Err(StoreError::Unavailable {
                action: "find a company by its number in time",
                source: Box::new(late),
            })
        })
    }

    /// Compiles the safety rules, which every call needs. Calls should not come before.
    pub async fn prepare_safety(&self) {
        self.companies.platform().await;
    }

    /// Compiles what the first fallback would otherwise wait for. What fails is tried again when it is needed.
    pub async fn prepare_fallbacks(&self) {
        let language = Language::of_tag(&Prompts::embedded().language);
        if let Err(error) = self.companies.foreign(language).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "other trades' templates could not be compiled ahead"
            );
        }
    }

    /// What a person who is dialled hears: press 1 to take the call.
    #[must_use]
    pub fn whisper(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> String {
        speech::whisper(tenant, webhook.target, &TurnParameters::of(webhook.form))
    }

    /// The document for Twilio's fallback URL: one sentence, a person, a goodbye.
    #[must_use]
    pub fn fallback_document(&self, tenant: &Tenant) -> String {
        speech::dead_man(tenant, self.deps.clock.now())
    }

    /// The same as files for any web host, by their names: the document itself first, and what it leads to.
    #[must_use]
    pub fn fallback_files(&self, tenant: &Tenant) -> [(String, String); 3] {
        speech::dead_man_files(tenant)
    }

    /// Notes that Twilio reported the end of a call. It is stored behind; the report is never waited for.
    pub fn call_ended(&self, company: CompanyId, call: CallId, from: Option<&str>, status: &'static str) {
        let now = self.deps.clock.now();
        self.forget_call(company, &call);
        if !self.answers.end(&CallKey(company, call.clone()), now.as_second()) {
            return;
        }
        let end = CallEnd {
            company,
            call,
            from: from.map(|from| redact_caller(from).into()),
            at: now,
            status,
        };
        if !self.deps.turns.push_end(end) {
            warn!(company.id = %company, "the end of a call could not be queued: the queue of records is full");
        }
    }

    /// How often each limit against abuse was reached.
    #[must_use]
    pub fn limits_reached(&self) -> [(Limit, u64); Limit::ALL.len()] {
        self.counts.reached()
    }

    /// How many turns are being decided now, and how many were put through without that because there were too many.
    #[must_use]
    pub fn turns_at_once(&self) -> (usize, u64) {
        (self.turns_at_once.running(), self.turns_at_once.shed())
    }

    /// How often a call state did not unseal.
    #[must_use]
    pub fn unsealed_states(&self) -> u64 {
        self.unsealed_states.load(Ordering::Relaxed)
    }

    /// Answers a turn of a company that does not exist or cannot be loaded: danger first, then an apology.
    pub async fn respond_without_company(
        &self,
        company: Option<CompanyId>,
        webhook: &Webhook<'_>,
        why: Unanswerable,
    ) -> String {
        let parameters = TurnParameters::of(webhook.form);
        let platform = match timeout_at(
            settings::read_by(webhook.deadline, settings::STORE_DEADLINE),
            self.companies.platform(),
        )
        .await
        {
            Ok(platform) => platform,
            Err(_) => self.companies.platform_as_it_is(),
        };
        let call = parameters.call_sid.map(CallId::new);
        let danger = catch_unwind(AssertUnwindSafe(|| {
            let words = redact_field(parameters.said().unwrap_or_default());
            safety::answer(
                &platform,
                None,
                &normalize(&words),
                webhook.arrived,
                &[],
                &mut Trace::new(),
            )
        }))
        .unwrap_or_else(|_| {
            error!("the safety rules failed on an utterance");
            None
        });
        match why {
            Unanswerable::NoSuchCompany => {
                let message = "a call came in for a company that does not exist: check the webhook's URL at Twilio";
                self.raise(AlertCode::CompanyNotFound, company, message, json!({ "callId": call }));
            }
            Unanswerable::NotLoaded => {
                let message = "a company could not be loaded for a call";
                let details = json!({ "callId": call, "stage": Stage::CompanyLoad });
                self.raise(AlertCode::RoutingError, company, message, details);
            }
            Unanswerable::NotVerifiable => {
                // Grouped under no company: strangers can name as many as there are ids.
                let message = "a company could not be loaded for a call that nobody can verify";
                let details = json!({ "callId": call, "companyId": company, "stage": Stage::CompanyLoad });
                self.raise(AlertCode::RoutingError, None, message, details);
            }
        }
        if let Some(answer) = danger {
            // Who cannot be verified is told what to do, but cannot call out the operators.
            if why != Unanswerable::NotVerifiable {
                let message = "a caller may be in danger, and their company cannot be loaded";
                let details = json!({ "callId": call, "safetyId": answer.by.safety() });
                self.raise(AlertCode::EmergencyCall, company, message, details);
            }
            return speech::last_words(&answer.response);
        }
        let apology = apology(&platform);
        speech::last_words(apology.as_deref().unwrap_or(settings::EMERGENCY_SENTENCE))
    }

    /// Decides an utterance as a turn of its own; `None` if there is no such company.
    ///
    /// A dry run spends and records nothing. Otherwise the turn is recorded, in the call named or in one of its own.
    ///
    /// # Errors
    /// Neither cache nor store can tell whether the company exists.
    pub async fn route(
        &self,
        company: CompanyId,
        utterance: &str,
        call: Option<CallId>,
        run: Run,
    ) -> Result<Option<Decision>, StoreError> {
        let Some(mut tenant) = self.tenant(company).await? else {
            return Ok(None);
        };
        if let Run::Dry(Some(thresholds)) = run {
            tenant = Arc::new(tenant.with_thresholds(thresholds));
        }
        let dry_run = matches!(run, Run::Dry(_));
        let nonce: u64 = rand::random();
        let mut state = CallState::default();
        if let (Some(call), false) = (&call, dry_run) {
            let turns = self
                .store()
                .call(company, call)
                .await?
                .map_or(0, |call| call.turns.len());
            state.turn = u32::try_from(turns).unwrap_or(u32::MAX);
        }
        let is_own_call = call.is_none();
        let call = call.unwrap_or_else(|| CallId::new(&format!("route-{nonce:016x}")));
        let words = redact_field(utterance);
        let normalized = normalize(&words);
        let turn = Turn {
            key: nonce,
            call,
            arrived: self.deps.clock.now(),
            deadline: tokio::time::Instant::now() + settings::TURN_DEADLINE,
            from: None,
            said: if words.trim().is_empty() {
                Said::Silence
            } else {
                Said::Words {
                    utterance: &words,
                    normalized: &normalized,
                }
            },
            state: &state,
            dry_run,
        };
        let decided = self.decide(&tenant, &turn, turn.deadline).await;
        if is_own_call {
            // Nothing else ever reports its end.
            self.forget_call(tenant.id(), &turn.call);
        }
        let decision = decided.decision.clone();
        let is_paid = decided.consulted.is_some();
        if !dry_run {
            record::enqueue(self, &tenant, &turn, decided, Circumstances::default());
            if is_paid {
                self.wait_until_stored(&tenant, turn.deadline).await;
            }
        }
        Ok(Some(decision))
    }

    pub(crate) fn forget_call(&self, company: CompanyId, call: &CallId) {
        self.counts.end(company, call);
        if let Some(instances) = &self.instances {
            instances.end_call(company, call.clone());
        }
    }

    /// Tells operators that a step failed and the next one answered.
    pub(crate) fn report_failure(&self, company: CompanyId, call: &CallId, stage: Stage) {
        let message = "a step of the call path failed and the next one answered";
        self.raise(
            AlertCode::RoutingError,
            Some(company),
            message,
            json!({ "callId": call, "stage": stage }),
        );
    }

    pub(crate) fn raise(&self, code: AlertCode, company: Option<CompanyId>, message: &str, details: serde_json::Value) {
        self.deps.notifier.raise(Alert {
            code,
            company,
            message: message.to_owned(),
            details,
        });
    }

    pub(crate) fn store(&self) -> &CachedStore {
        self.companies.store()
    }

    /// Computes meanings.
    #[must_use]
    pub fn meanings(&self) -> &Meanings {
        &self.deps.meanings
    }

    /// Asks the LLM.
    #[must_use]
    pub fn llm(&self) -> &Llm {
        &self.deps.llm
    }

    pub(crate) const fn companies(&self) -> &Companies {
        &self.companies
    }

    pub(crate) const fn answers(&self) -> &Answers {
        &self.answers
    }

    pub(crate) const fn at_once(&self) -> &TurnsAtOnce {
        &self.turns_at_once
    }

    pub(crate) const fn instances(&self) -> Option<&Arc<dyn Instances>> {
        self.instances.as_ref()
    }

    pub(crate) const fn counts(&self) -> &CallCounts {
        &self.counts
    }

    pub(crate) fn turns(&self) -> &TurnQueue {
        &self.deps.turns
    }

    pub(crate) fn notifier(&self) -> &dyn Notifier {
        &*self.deps.notifier
    }

    /// The next number of the rotation that goes on in this process while the store fails; the store is asked again
    /// after a second, so that not every caller waits for it.
    pub(crate) fn rotation_after_failure(&self, now: Timestamp) -> u64 {
        let until = now.as_millisecond() + ROTATION_REST_MILLIS;
        self.rotation_rests_until.store(until, Ordering::Relaxed);
        self.local_rotation.fetch_add(1, Ordering::Relaxed)
    }

    /// A number of this process's own rotation, if the store has just failed to give one.
    pub(crate) fn rotation_while_resting(&self, now: Timestamp) -> Option<u64> {
        let rests = now.as_millisecond() < self.rotation_rests_until.load(Ordering::Relaxed);
        rests.then(|| self.local_rotation.fetch_add(1, Ordering::Relaxed))
    }
}

/// The platform's apology, in the default language: which one the company speaks cannot be known.
fn apology(platform: &Platform) -> Option<Arc<str>> {
    let embedded = Prompts::embedded();
    let stored = platform.prompts(&embedded.language).map(|prompts| &prompts.texts);
    let sources = [stored, Some(&embedded.texts)].into_iter().flatten();
    let apologies = sources.flat_map(|texts| texts.pick(PromptName::Apology, DEFAULT_TONE));
    apologies.map(|wording| Arc::clone(wording.text())).next()
}
