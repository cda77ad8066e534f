//! The way from a verified webhook to the document that answers it.

use std::{
    fmt,
    panic::AssertUnwindSafe,
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
    fnv::fnv1a,
    ids::{CallId, CompanyId, TurnId},
    redaction::{redact, redact_field},
    time::Timestamp,
};
use frontdesk_matching::{language::Language, normal::normalize};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CallLog as _, StoreError},
    queue::TurnQueue,
    seal::Sealer,
};
use frontdesk_twilio::{form::Form, webhook::TurnParameters};
use futures_util::FutureExt as _;
use serde_json::json;
use tracing::{error, warn};

use crate::{
    company::{Companies, Platform, Tenant},
    record::{self, Circumstances},
    safety, settings, speech, state,
    trace::Trace,
    turn::{Decided, Said, Turn, handle_turn},
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
}

/// A verified webhook of a call.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'w> {
    /// Path and query, as Twilio sent them.
    pub target: &'w str,
    /// All parameters.
    pub form: &'w Form,
    /// When it arrived.
    pub arrived: Timestamp,
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
    deps: Deps,
    companies: Companies,
    local_rotation: AtomicU64,
    /// Until then, in Unix milliseconds, the store is not asked for rotation numbers: it has just failed.
    rotation_rests_until: AtomicI64,
    unsealed_states: AtomicU64,
}

impl fmt::Debug for CallFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFlow").finish_non_exhaustive()
    }
}

impl CallFlow {
    /// The call path over these parts.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        let companies = Companies::new(Arc::clone(&deps.store));
        Self {
            deps,
            companies,
            local_rotation: AtomicU64::new(0),
            rotation_rests_until: AtomicI64::new(0),
            unsealed_states: AtomicU64::new(0),
        }
    }

    /// Loads a company with its compiled knowledge; `None` if there is none.
    ///
    /// # Errors
    /// Neither cache nor store can tell.
    pub async fn tenant(&self, company: CompanyId) -> Result<Option<Arc<Tenant>>, StoreError> {
        let loaded = tokio::time::timeout(settings::STORE_DEADLINE, self.companies.load(company)).await;
        loaded.unwrap_or_else(|late| {
            Err(StoreError::Unavailable {
                action: "load a company in time",
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

    /// How often a call state did not unseal.
    #[must_use]
    pub fn unsealed_states(&self) -> u64 {
        self.unsealed_states.load(Ordering::Relaxed)
    }

    /// Answers a turn of a call. Whatever breaks, the document says a sentence and offers a way out.
    pub async fn respond(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> String {
        let parameters = TurnParameters::of(webhook.form);
        let Some(call) = parameters.call_sid.map(CallId::new) else {
            warn!(company.id = %tenant.id(), "a signed webhook without a CallSid got the emergency document");
            return speech::emergency(tenant, webhook.arrived);
        };
        let answering = self.answer_turn(tenant, webhook, &parameters, &call);
        let within_deadline = tokio::time::timeout(settings::TURN_DEADLINE, answering);
        match AssertUnwindSafe(within_deadline).catch_unwind().await {
            Ok(Ok(document)) => document,
            Ok(Err(_)) => {
                error!(company.id = %tenant.id(), call.id = %call, "a turn was not answered in time");
                self.report_failure(tenant.id(), &call, Stage::Fallback);
                speech::emergency(tenant, webhook.arrived)
            }
            Err(_) => {
                error!(company.id = %tenant.id(), call.id = %call, "a turn failed and got the emergency document");
                self.report_failure(tenant.id(), &call, Stage::Fallback);
                speech::emergency(tenant, webhook.arrived)
            }
        }
    }

    async fn answer_turn(
        &self,
        tenant: &Tenant,
        webhook: &Webhook<'_>,
        parameters: &TurnParameters<'_>,
        call: &CallId,
    ) -> String {
        let sealed = sealed_state(webhook.target);
        let opened = sealed.and_then(|sealed| state::open(&self.deps.sealer, tenant.id(), call, sealed));
        if sealed.is_some() && opened.is_none() {
            self.unsealed_states.fetch_add(1, Ordering::Relaxed);
            warn!(company.id = %tenant.id(), call.id = %call, "a call state did not unseal, the call goes on without it");
        }
        let is_known = opened.is_some();
        let nonce = opened.as_ref().map(|state| state.nonce);
        let state = opened.unwrap_or_default();
        let words = redact(parameters.said().unwrap_or_default(), &state.tail);
        let digits = parameters.pressed().map(|digits| redact(digits, &state.tail));
        let normalized = normalize(&words.text);
        let said = if parameters.said().is_some() {
            Said::Words {
                utterance: &words.text,
                normalized: &normalized,
            }
        } else if is_known || digits.is_some() {
            Said::Silence
        } else {
            Said::NothingYet
        };
        let turn = Turn {
            call: call.clone(),
            id: turn_id(call, nonce, webhook),
            arrived: webhook.arrived,
            said,
            state: &state,
            dry_run: false,
        };
        let decided = handle_turn(self, tenant, &turn).await;
        let tail = digits.as_ref().map_or(words.tail, |digits| digits.tail.clone());
        let mut next = next_state(&state, &turn, &decided);
        next.tail = tail;
        let path = speech::respond_path(
            tenant.id(),
            &state::seal(&mut next, &self.deps.sealer, tenant.id(), call),
        );
        let document = speech::document(tenant, &decided, path, webhook.arrived);
        let around = Circumstances {
            from: parameters.from.map(|from| redact_field(from).into()),
            digits: digits.map(|digits| digits.text.into()),
            speech_confidence: parameters.confidence,
        };
        record::enqueue(self, tenant, &turn, decided, around);
        document
    }

    /// Answers a turn of a company that does not exist or cannot be loaded: danger first, then an apology.
    pub async fn respond_without_company(
        &self,
        company: Option<CompanyId>,
        webhook: &Webhook<'_>,
        why: Unanswerable,
    ) -> String {
        let parameters = TurnParameters::of(webhook.form);
        let platform = self.companies.platform().await;
        let words = redact_field(parameters.said().unwrap_or_default());
        let call = parameters.call_sid.map(CallId::new);
        let danger = safety::answer(&platform, None, &normalize(&words), webhook.arrived, &mut Trace::new());
        match why {
            Unanswerable::NoSuchCompany => {
                let message = "a call came in for a company that does not exist: check the webhook's URL at Twilio";
                self.raise(AlertCode::CompanyNotFound, company, message, json!({ "callId": call }));
            }
            Unanswerable::NotLoaded | Unanswerable::NotVerifiable => {
                let message = "a company could not be loaded for a call";
                let details = json!({ "callId": call, "stage": Stage::CompanyLoad });
                self.raise(AlertCode::RoutingError, company, message, details);
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
        dry_run: bool,
    ) -> Result<Option<Decision>, StoreError> {
        let Some(tenant) = self.tenant(company).await? else {
            return Ok(None);
        };
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
        let call = call.unwrap_or_else(|| CallId::new(&format!("route-{nonce:016x}")));
        let words = redact_field(utterance);
        let normalized = normalize(&words);
        let turn = Turn {
            id: TurnId::new(&format!("{call}-{nonce:016x}")),
            call,
            arrived: self.deps.clock.now(),
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
        let decided = handle_turn(self, &tenant, &turn).await;
        let decision = decided.decision.clone();
        if !dry_run {
            record::enqueue(self, &tenant, &turn, decided, Circumstances::default());
        }
        Ok(Some(decision))
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

    pub(crate) const fn companies(&self) -> &Companies {
        &self.companies
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

/// The sealed state in a target's query.
fn sealed_state(target: &str) -> Option<&str> {
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == state::PARAMETER))
        .map(|(_, sealed)| sealed)
}

/// The same webhook has the same id: by the nonce of its state, else by path and parameters (DESIGN 4.15).
fn turn_id(call: &CallId, nonce: Option<u64>, webhook: &Webhook<'_>) -> TurnId {
    let key = nonce.unwrap_or_else(|| fingerprint(webhook));
    TurnId::new(&format!("{call}-{key:016x}"))
}

/// A hash over the path and the sorted parameters.
fn fingerprint(webhook: &Webhook<'_>) -> u64 {
    let path = webhook.target.split('?').next().unwrap_or_default();
    let mut pairs: Vec<_> = webhook.form.pairs().collect();
    pairs.sort_unstable();
    let parts = std::iter::once(path).chain(pairs.iter().flat_map(|(name, value)| [*name, *value]));
    fnv1a(parts.flat_map(|part| part.bytes().chain(std::iter::once(0))))
}

fn next_state(state: &CallState, turn: &Turn<'_>, decided: &Decided) -> CallState {
    let mut next = state.clone();
    next.nonce = rand::random();
    next.turn = state.turn.saturating_add(1);
    if let Said::Words { .. } = turn.said {
        next.misses = if decided.by.fallback().is_some() {
            state.misses.saturating_add(1)
        } else {
            0
        };
    }
    if let Some(scenario) = decided.by.scenario() {
        next.note_answered(scenario.as_str(), turn.arrived.as_second());
    }
    if let (Some(kind), Some(variation)) = (decided.by.fallback(), decided.variation) {
        next.note_heard(kind, variation);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_found_in_the_query() {
        assert_eq!(sealed_state("/api/twilio/v2-agent-respond/1?s=abc"), Some("abc"));
        assert_eq!(sealed_state("/x?a=1&s=abc&b"), Some("abc"));
        assert_eq!(sealed_state("/x?ss=abc"), None);
        assert_eq!(sealed_state("/x"), None);
    }
}
