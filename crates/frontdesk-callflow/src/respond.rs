//! Answers webhooks of calls: each turn once, within its deadline, whatever breaks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use frontdesk_domain::{
    alert::{AlertCode, Stage},
    call_state::{CallState, Question},
    documents::template::Action,
    ids::{CallId, CompanyId},
    phone::PhoneNumber,
    redaction::{Tail, redact, redact_caller},
    time::Timestamp,
};
use frontdesk_matching::normal::normalize;
use frontdesk_store::ports::{CallLog as _, Recalled};
use frontdesk_twilio::webhook::TurnParameters;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::{
    answer::Pace,
    answers::{Begun, CallKey, Claim, Ended, Given, Others, TurnKey},
    company::Tenant,
    emergency,
    flow::CallFlow,
    limits,
    record::{self, Circumstances},
    seen::A_DAY,
    settings,
    shares::within,
    speech, state,
    turn::{Decided, Said, Turn, handle_turn},
    webhook::{Dialled, Route, Webhook, query_value, turn_id},
};

impl CallFlow {
    /// Answers a turn of a call. Whatever breaks, the document says a sentence and offers a way out; the same webhook
    /// gets the same one.
    pub async fn respond(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> Arc<str> {
        // Boxed: what holds a whole turn would be moved through every layer of HTTP above before it is begun.
        let answered = guarded(Box::pin(self.respond_once(tenant, webhook))).await;
        answered.unwrap_or_else(|| {
            error!(company.id = %tenant.id(), "a webhook could not be answered and got the emergency document");
            let dialled = self.dialled_before(tenant, webhook);
            speech::emergency(tenant, webhook.arrived, &dialled).into()
        })
    }

    /// Who was dialled in this call, by the state in the webhook's address. What is read here may be what made the turn
    /// fail: then nobody is known.
    fn dialled_before(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> Vec<PhoneNumber> {
        let read = || {
            let call = CallId::new(TurnParameters::of(webhook.form).call_sid?);
            let state = state::open(&self.deps.sealer, tenant.id(), &call, webhook.sealed_state()?)?;
            Some(state.dialled)
        };
        catch_unwind(AssertUnwindSafe(read)).ok().flatten().unwrap_or_default()
    }

    async fn respond_once(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> Arc<str> {
        let parameters = TurnParameters::of(webhook.form);
        let Some(call) = parameters.call_sid.map(CallId::new) else {
            warn!(company.id = %tenant.id(), "a signed webhook without a CallSid got the emergency document");
            return speech::emergency(tenant, webhook.arrived, &[]).into();
        };
        let opened = self.open_state(tenant, &call, webhook);
        let key = webhook.turn_key(opened.as_ref().map(|state| state.nonce));
        let turn = TurnKey(tenant.id(), turn_id(&call, key));
        let call_key = CallKey(tenant.id(), call.clone());
        let claim = match self.claim(&turn, &call_key, webhook.deadline).await {
            Claimed::Mine(claim) => claim,
            Claimed::Answered(document) => return document,
            Claimed::TooLate => {
                let dialled = opened.as_ref().map_or(&[][..], |state| &state.dialled);
                return speech::emergency(tenant, webhook.arrived, dialled).into();
            }
        };
        let asked = Asked {
            needs_state: opened.is_none(),
            others: claim.others(),
        };
        let recalled = self.recall(tenant, &turn, &call_key, asked, webhook).await;
        if let Some(document) = recalled.answer.and_then(|answer| answer.document) {
            return document;
        }
        // The result of a dial is kept although the call has ended.
        if recalled.has_ended && webhook.route != Route::DialResult {
            return speech::call_over(tenant).into();
        }
        let is_known = opened.is_some();
        let copied = || {
            let sealed = sealed_in(recalled.last_document.as_deref()?)?;
            state::open(&self.deps.sealer, tenant.id(), &call, sealed)
        };
        let mut state = opened.or_else(copied).unwrap_or_default();
        if state.began == 0 {
            state.began = webhook.arrived.as_second();
        }
        let heard = catch_unwind(|| Heard::of(&parameters, &state));
        let is_readable = heard.is_ok();
        let heard = heard.unwrap_or_default();
        let said = match heard.said(webhook, &parameters, is_known) {
            // Nobody else is dialled for a caller who is gone.
            Said::Dialled(Dialled::NotReached) if recalled.has_ended => Said::Dialled(Dialled::GivenUp),
            said => said,
        };
        let incoming = Turn {
            call,
            key,
            arrived: webhook.arrived,
            deadline: webhook.deadline,
            from: heard.from.as_deref(),
            said,
            state: &state,
            dry_run: false,
        };
        let decided = if is_readable {
            self.decide(tenant, &incoming, webhook.deadline).await
        } else {
            self.decide_in_emergency(tenant, &incoming, "could not be read")
        };
        if decided.dials.is_some() {
            limits::dialling(self, tenant, &incoming);
        } else if decided.decision.action == Action::Hangup {
            self.forget_call(tenant.id(), &incoming.call);
        }
        let mut next = next_state(&incoming, &decided);
        next.tail = heard.tail.clone();
        let sealed = state::seal(&mut next, &self.deps.sealer, tenant.id(), &incoming.call);
        let document: Arc<str> = speech::document(tenant, &incoming, &decided, &sealed).into();
        let given = Given {
            document: Arc::clone(&document),
            response: Arc::clone(&decided.decision.response),
        };
        let around = Circumstances {
            from: heard.from.clone(),
            digits: heard.digits.clone(),
            speech_confidence: parameters.confidence,
            document: Some(Arc::clone(&document)),
        };
        let is_paid = decided.consulted.is_some();
        record::enqueue(self, tenant, &incoming, decided, around);
        if is_paid {
            // The turn may be broken off while it waits; the store has its record all the same.
            self.answers()
                .note_queued(&turn, &call_key, webhook.arrived.as_second());
            self.wait_until_stored(tenant, webhook.deadline).await;
        }
        let counts = self.turns().counts();
        claim.give(
            call_key,
            &given,
            (counts.pushed, counts.stored),
            webhook.arrived.as_second(),
        );
        document
    }

    /// A paid answer is on disk before it is spoken: the same webhook gets it after a crash as well, and pays nothing. Who
    /// waits for an answer is not left without one because the disk is slow.
    pub(crate) async fn wait_until_stored(&self, tenant: &Tenant, deadline: Instant) {
        if !matches!(timeout_at(deadline, self.turns().stored()).await, Ok(true)) {
            warn!(company.id = %tenant.id(), "a paid answer was spoken before its record was on disk");
        }
    }

    /// Takes a turn to answer, or waits for the answer that another webhook with its key gets.
    pub(crate) async fn claim(&self, turn: &TurnKey, call: &CallKey, deadline: Instant) -> Claimed<'_> {
        loop {
            let mut flight = match self.answers().begin(turn.clone()) {
                Begun::Given(given) => return Claimed::Answered(given.document),
                Begun::Mine(claim) => return self.claim_from_others(claim, turn, call, deadline).await,
                Begun::UnderWay(flight) => flight,
            };
            match timeout_at(deadline, flight.wait_for(Option::is_some)).await {
                Ok(Ok(landed)) => {
                    if let Some(given) = landed.as_ref() {
                        return Claimed::Answered(Arc::clone(&given.document));
                    }
                }
                // Whoever was to answer was broken off: somebody else does.
                Ok(Err(_)) => {}
                Err(_) => return Claimed::TooLate,
            }
        }
    }

    /// Steps 3 to 7, within the turn's deadline.
    pub(crate) async fn decide(&self, tenant: &Tenant, turn: &Turn<'_>, deadline: Instant) -> Decided {
        let Some(_entered) = self.at_once().enter() else {
            return self.decide_in_haste(tenant, turn);
        };
        match guarded(timeout_at(deadline, handle_turn(self, tenant, turn))).await {
            Some(Ok(decided)) => decided,
            Some(Err(_)) => self.decide_in_emergency(tenant, turn, "was not decided in time"),
            None => self.decide_in_emergency(tenant, turn, "failed"),
        }
    }

    /// Too many turns are being decided: who is in danger is told what to do, everybody else is put through.
    fn decide_in_haste(&self, tenant: &Tenant, turn: &Turn<'_>) -> Decided {
        let message =
            "more turns came at once than this process answers: callers are put through without being heard out";
        let details = json!({ "callId": turn.call, "stage": Stage::Fallback });
        self.raise(AlertCode::RoutingError, Some(tenant.id()), message, details);
        emergency::decided_in_haste(tenant, turn)
    }

    fn decide_in_emergency(&self, tenant: &Tenant, turn: &Turn<'_>, why: &'static str) -> Decided {
        error!(company.id = %tenant.id(), call.id = %turn.call, "a turn {why} and got the emergency answer");
        self.report_failure(tenant.id(), &turn.call, Stage::Fallback);
        emergency::decided(tenant, turn)
    }

    /// The state in the webhook's address; what does not unseal, or belongs to another call or company, is counted.
    pub(crate) fn open_state(&self, tenant: &Tenant, call: &CallId, webhook: &Webhook<'_>) -> Option<CallState> {
        let sealed = webhook.sealed_state()?;
        let opened = state::open(&self.deps.sealer, tenant.id(), call, sealed);
        if opened.is_none() {
            self.unsealed_states.fetch_add(1, Ordering::Relaxed);
            warn!(company.id = %tenant.id(), call.id = %call, "a call state did not unseal, the call goes on without it");
        }
        opened
    }

    /// What is known of a turn and its call: from memory, and from the store where it may know more. What cannot be read
    /// in time is not known.
    async fn recall(
        &self,
        tenant: &Tenant,
        turn: &TurnKey,
        call: &CallKey,
        asked: Asked,
        webhook: &Webhook<'_>,
    ) -> Recalled {
        let needs_state = asked.needs_state;
        let ended = self.answers().has_ended(call);
        let mut recalled = Recalled {
            has_ended: ended == Ended::Yes,
            ..Recalled::default()
        };
        if needs_state {
            recalled.last_document = self.answers().newest_of(call).map(|given| given.document);
        }
        let asks = self.answers().may_be_stored(turn)
            || ended == Ended::AskTheStore
            || (needs_state && recalled.last_document.is_none() && self.answers().may_know(call));
        if !asks {
            return recalled;
        }
        let by = settings::read_by(webhook.deadline, asked.patience());
        let stored = self
            .store()
            .recall(turn.0, &call.1, &turn.1, a_day_before(webhook.arrived));
        match within(&tenant.shares.store, by, stored).await {
            Ok(Ok(Some(stored))) => Recalled {
                answer: stored.answer,
                last_document: recalled.last_document.or(stored.last_document),
                has_ended: recalled.has_ended || stored.has_ended,
            },
            Ok(Ok(None)) => recalled,
            Ok(Err(error)) => {
                warn!(company.id = %turn.0, call.id = %call.1, error = &error as &dyn std::error::Error, "what is stored of a call cannot be read; it goes on without it");
                recalled
            }
            Err(_) => {
                warn!(company.id = %turn.0, call.id = %call.1, "what is stored of a call was not read in time; it goes on without it");
                recalled
            }
        }
    }

    /// What an earlier turn of a call was answered, in words.
    pub(crate) async fn response_of(
        &self,
        company: CompanyId,
        call: &CallId,
        key: u64,
        now: Timestamp,
    ) -> Option<Arc<str>> {
        let turn = TurnKey(company, turn_id(call, key));
        if let Some(given) = self.answers().find(&turn) {
            return Some(given.response);
        }
        let asked = self.store().recall(company, call, &turn.1, a_day_before(now));
        let found = tokio::time::timeout(settings::STORE_DEADLINE, asked).await;
        Some(found.ok()?.ok()??.answer?.response)
    }

    /// Notes what the store has of the last day, so that only turns that may be there are asked for. Until that is done,
    /// the store is asked for each turn.
    pub async fn remember_the_day(&self) {
        const PAGE: usize = 2_000;
        let now = self.deps.clock.now();
        let since = a_day_before(now);
        let mut before = None;
        loop {
            match self.store().turns_since(since, before.clone(), PAGE).await {
                Ok(calls) => {
                    let is_last = calls.len() < PAGE;
                    before = calls.last().map(|call| call.place.clone()).or(before);
                    for call in calls {
                        let key = CallKey(call.company, call.call);
                        self.answers()
                            .note_stored(&key, call.turns, call.has_ended, now.as_second());
                    }
                    if is_last {
                        self.answers().know_the_day();
                        return;
                    }
                }
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "the turns of the last day cannot be read yet; the store is asked for each turn"
                    );
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    }
}

/// Runs what must not take the turn with it; `None` if it panicked.
///
/// No `async fn`: that would hold its argument twice, and futures are moved whole.
pub(crate) fn guarded<T>(work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work).catch_unwind().map(Result::ok)
}

/// What is to be recalled of a turn and its call.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// The webhook has no state, as that of a call's first turn, and the call may have one.
    needs_state: bool,
    others: Others,
}

impl Asked {
    /// How long the store is waited for. In the middle of a call, where the cache server says that nobody has answered, it
    /// would only know better if that server had been emptied since: that is not worth a second of silence.
    fn patience(self) -> Duration {
        match self.others {
            Others::HaveNotAnswered if !self.needs_state => settings::CONFIRMED,
            _ => settings::STORE_DEADLINE,
        }
    }
}

pub(crate) fn a_day_before(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second().saturating_sub(A_DAY)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The sealed state that a document carries in one of its addresses.
fn sealed_in(document: &str) -> Option<&str> {
    let at = document.find("/api/twilio/")?;
    let target = document.get(at..)?.split('"').next()?;
    query_value(target, state::PARAMETER).or_else(|| sealed_in(document.get(at + 1..)?))
}

/// A turn that is to be answered, or was.
pub(crate) enum Claimed<'a> {
    Mine(Claim<'a>),
    Answered(Arc<str>),
    TooLate,
}

/// What a webhook says, redacted.
#[derive(Default)]
struct Heard {
    words: Option<Spoken>,
    digits: Option<Arc<str>>,
    from: Option<Arc<str>>,
    /// What the redaction of the next turn must know of this one.
    tail: Tail,
}

struct Spoken {
    utterance: String,
    normalized: String,
}

impl Heard {
    fn of(parameters: &TurnParameters<'_>, state: &CallState) -> Self {
        let words = redact(parameters.said().unwrap_or_default(), &state.tail);
        let digits = parameters.pressed().map(|digits| redact(digits, &state.tail));
        let tail = digits.as_ref().map_or(&words.tail, |digits| &digits.tail).clone();
        Self {
            words: parameters.said().map(|_| Spoken {
                normalized: normalize(&words.text),
                utterance: words.text.into_owned(),
            }),
            digits: digits.map(|digits| digits.text.into()),
            from: parameters.from.map(|from| redact_caller(from).into()),
            tail,
        }
    }

    /// What the caller did.
    fn said<'h>(&'h self, webhook: &Webhook<'_>, parameters: &TurnParameters<'_>, is_known: bool) -> Said<'h> {
        match webhook.route {
            Route::DialResult => return Said::Dialled(Dialled::of(parameters)),
            // A recording in which nothing was said.
            Route::Message => return Said::Silence,
            Route::Voice | Route::Respond => {}
        }
        match (&self.words, &self.digits) {
            (Some(Spoken { utterance, normalized }), _) => Said::Words { utterance, normalized },
            (None, Some(digits)) => Said::Keys(digits),
            // A call that begins; one that has a turn behind it has been silent.
            (None, None) if webhook.route == Route::Voice || !is_known => Said::NothingYet,
            (None, None) => Said::Silence,
        }
    }
}

fn next_state(turn: &Turn<'_>, decided: &Decided) -> CallState {
    let state = turn.state;
    let mut next = state.clone();
    next.nonce = rand::random();
    next.turn = state.turn.saturating_add(1);
    let is_aside =
        decided.is_aside || matches!(turn.said, Said::Silence | Said::Keys(_) if decided.asks == state.asked);
    if !is_aside {
        next.previous = Some(turn.key);
    }
    next.asked = decided.asks.clone();
    let by = &decided.by;
    if by.fallback().is_some() {
        next.misses = state.misses.saturating_add(1);
    } else if by.scenario().is_some() || by.qna().is_some() || by.safety().is_some() {
        next.misses = 0;
    }
    next.silences = match turn.said {
        Said::Silence => state.silences.saturating_add(1),
        // Only keys that mean nothing are answered by what the keys do.
        Said::Keys(_) if decided.asks == Question::Menu => state.silences.saturating_add(1),
        _ => 0,
    };
    next.waits = if decided.pace == Pace::Patient {
        state.waits.saturating_add(1)
    } else {
        0
    };
    if decided.consulted.is_some() {
        next.llm_calls = state.llm_calls.saturating_add(1);
    }
    next.slowly |= decided.pace == Pace::Slow;
    if let Some(number) = decided.dials {
        next.dialled.push(number);
    }
    if let Some(scenario) = by.scenario() {
        next.note_answered(scenario.as_str(), turn.arrived.as_second());
    }
    if let (Some(kind), Some(variation)) = (by.fallback(), decided.variation) {
        next.note_heard(kind, variation);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_found_in_a_document() {
        let document = r#"<Response><Dial><Number url="/api/twilio/whisper/1">+1</Number></Dial>
            <Gather action="/api/twilio/v2-agent-respond/1?s=abc"/></Response>"#;
        assert_eq!(sealed_in(document), Some("abc"));
        assert_eq!(sealed_in("<Response><Hangup/></Response>"), None);
    }
}
