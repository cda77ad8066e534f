//! How the provider is: the breaker with a clock, the probes that close it again, and who is told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock,
    time::Timestamp,
};
use frontdesk_llm::{
    breaker::{Admission, Breaker, Change, Event, Probe, State},
    provider::{Outcome, Probed},
};
use frontdesk_store::{
    instances::{Instances, LlmSwitch, LlmWord},
    tasks::Stopping,
};
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use super::{Running, connection};
use crate::settings;

/// Between two checks while nothing is wrong.
const CHECK: Duration = Duration::from_mins(10);
/// An attempt or a check that takes longer is told.
const SLOW: Duration = Duration::from_secs(3);
/// So many calls that were cut within ten minutes are told.
const CUTS: usize = 3;
const CUTS_WITHIN: Duration = Duration::from_mins(10);
/// So long after the last sign of it, it counts as slow.
const SLOW_FOR: Duration = Duration::from_mins(10);

/// How the provider is.
pub(super) struct Health {
    inner: Mutex<Inner>,
    since: Instant,
    /// The model bills what nobody can foresee.
    switched_off: AtomicBool,
    woken: Notify,
    notifier: Arc<dyn Notifier>,
    endpoint: Arc<str>,
    counts: [AtomicU64; RESULTS.len()],
    others: OnceLock<Others>,
}

/// What comes of a request, as it is counted.
pub const RESULTS: [&str; 5] = ["answered", "late", "refused", "not_connected", "cut"];

/// The other instances, and the time that they are told.
struct Others {
    instances: Arc<dyn Instances>,
    clock: Arc<dyn Clock>,
    /// When this process began to hear them: an older word that the model is off holds until the next start only.
    since: Timestamp,
}

/// What instances say of the provider.
const OPEN: &str = "open";
const CLOSED: &str = "closed";

/// What they say of the switch, which no breaker moves. The model bills what nobody can foresee: nobody asks it.
const OFF: &str = "off";
/// Somebody saw it answer at a price that fits.
const ON: &str = "on";

#[derive(Default)]
struct Inner {
    breaker: Breaker,
    cause: Option<Arc<str>>,
    cuts: VecDeque<Duration>,
    checked: Option<Checked>,
    has_answered: bool,
    /// When it was last told that it answers late.
    slow_at: Option<Duration>,
    /// When this process switched the model off, if others hear of that.
    switched_off_at: Option<Timestamp>,
}

/// What was seen of the provider by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs {
    /// It has answered a question or a check since the start.
    pub has_answered: bool,
    /// It answered late, or was cut, within ten minutes.
    pub is_slow: bool,
}

/// The last check of the provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// When.
    pub at: Timestamp,
    /// Whether it answered.
    pub ok: bool,
    /// How long that took, in milliseconds.
    pub latency_millis: u64,
}

/// How the provider is, for operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// `ok`, `suspect`, `down` or `disabled`.
    pub status: &'static str,
    /// `closed`, `suspect`, `open` or `probing`.
    pub breaker: &'static str,
    /// The model.
    pub model: Arc<str>,
    /// Where it is asked.
    pub endpoint: Arc<str>,
    /// What is wrong and what to do; null while nothing is.
    pub cause: Option<Arc<str>>,
    /// The last check; null before the first.
    pub last_check: Option<Checked>,
}

impl Health {
    pub(super) fn new(notifier: Arc<dyn Notifier>, endpoint: &str) -> Self {
        Self {
            inner: Mutex::default(),
            since: Instant::now(),
            switched_off: AtomicBool::new(false),
            woken: Notify::new(),
            notifier,
            endpoint: endpoint.into(),
            counts: Default::default(),
            others: OnceLock::new(),
        }
    }

    /// Counts what came of a request; `was_given_up` tells that its turn waited no longer.
    pub(super) fn count(&self, outcome: &Outcome, was_given_up: bool) {
        let result = match outcome {
            Outcome::Answered(_) if was_given_up => "late",
            Outcome::Answered(_) => "answered",
            Outcome::Refused(_) => "refused",
            Outcome::NotConnected(_) => "not_connected",
            Outcome::Cut(_) => "cut",
        };
        let counted = RESULTS.iter().zip(&self.counts).find(|(name, _)| **name == result);
        if let Some((_, count)) = counted {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn attempts(&self) -> [(&'static str, u64); RESULTS.len()] {
        let mut all = RESULTS.map(|name| (name, 0));
        for ((_, counted), count) in all.iter_mut().zip(&self.counts) {
            *counted = count.load(Ordering::Relaxed);
        }
        all
    }

    /// Tells these instances from now on.
    pub(super) fn tell_others(&self, instances: Arc<dyn Instances>, clock: Arc<dyn Clock>) {
        let since = clock.now();
        // Told twice, the first ones are told on.
        _ = self.others.set(Others {
            instances,
            clock,
            since,
        });
    }

    /// Tells the other instances how the provider is, if that is known.
    fn say(&self) {
        let (state, cause) = {
            let inner = self.lock();
            (inner.breaker.state(), inner.cause.clone())
        };
        let said = match state {
            State::Closed => CLOSED,
            State::Open | State::Probing => OPEN,
            State::Suspect => return,
        };
        if let Some(Others { instances, clock, .. }) = self.others.get() {
            instances.say_llm(LlmWord {
                state: said.into(),
                cause,
                at: clock.now().to_string().into(),
                by: Arc::default(),
                endpoint: Arc::clone(&self.endpoint),
            });
        }
    }

    /// Tells the other instances whether the model is switched off; when that was, if there are others.
    fn say_switch(&self, state: &str) -> Option<Timestamp> {
        let Others { instances, clock, .. } = self.others.get()?;
        let at = clock.now();
        instances.say_llm_switch(LlmSwitch {
            state: state.into(),
            at: at.to_string().into(),
            by: Arc::default(),
            endpoint: Arc::clone(&self.endpoint),
        });
        Some(at)
    }

    /// Takes in what another instance says: a probe of one's own decides what it is worth.
    fn heard(&self, word: &LlmWord) {
        if word.endpoint != self.endpoint {
            return;
        }
        let now = self.now();
        match &*word.state {
            OPEN if self.lock().breaker.heard_open(now).is_some() => {
                let cause = word.cause.as_deref().unwrap_or_default();
                self.lock().cause = Some(cause.into());
                info!(endpoint = %self.endpoint, cause, by = &*word.by, "another instance finds the LLM down: a probe decides whether it is asked on");
            }
            CLOSED if self.lock().breaker.heard_closed(now) => {
                info!(endpoint = %self.endpoint, by = &*word.by, "another instance finds that the LLM answers: it is probed");
            }
            _ => return,
        }
        self.woken.notify_one();
    }

    /// Takes in that another instance has switched the model off, or on again.
    fn heard_switch(&self, switch: &LlmSwitch) {
        if switch.endpoint != self.endpoint {
            return;
        }
        match &*switch.state {
            OFF if self.is_newer_than_this_process(switch) && !self.switched_off.swap(true, Ordering::Relaxed) => {
                warn!(endpoint = %self.endpoint, by = &*switch.by, "another instance switched the LLM off: it bills what nobody can foresee");
            }
            ON if !self.is_older_than_the_own_switch(switch) && self.switched_off.swap(false, Ordering::Relaxed) => {
                info!(endpoint = %self.endpoint, by = &*switch.by, "another instance's connection test switched the LLM on again");
            }
            _ => {}
        }
    }

    pub(super) fn admission(&self) -> Admission {
        self.lock().breaker.admission()
    }

    pub(super) fn is_switched_off(&self) -> bool {
        self.switched_off.load(Ordering::Relaxed)
    }

    /// Switches the model off, in the other instances too, until the next start or [`Health::restored`].
    pub(super) fn switch_off(&self) {
        self.switched_off.store(true, Ordering::Relaxed);
        let at = self.say_switch(OFF);
        self.lock().switched_off_at = at;
    }

    fn is_newer_than_this_process(&self, switch: &LlmSwitch) -> bool {
        let said: Option<Timestamp> = switch.at.parse().ok();
        let since = self.others.get().map(|others| others.since);
        since.zip(said).is_some_and(|(since, said)| said >= since)
    }

    /// A test from before this process switched the model off says nothing of what it was billed then. Such a word is
    /// heard where the cache server was away when this process told.
    fn is_older_than_the_own_switch(&self, switch: &LlmSwitch) -> bool {
        let said: Option<Timestamp> = switch.at.parse().ok();
        let off_at = self.lock().switched_off_at;
        off_at.is_some_and(|off_at| said.is_none_or(|said| said < off_at))
    }

    /// Somebody saw the model answer at a price that fits.
    pub(super) fn restored(&self) {
        self.switched_off.store(false, Ordering::Relaxed);
        self.say_switch(ON);
        self.lock().switched_off_at = None;
        let now = self.now();
        let change = self.lock().breaker.reset(now);
        self.tell(change, "");
    }

    /// Notes how a call went; `cause` says in plain words what went wrong.
    pub(super) fn note(&self, event: Event, cause: &str) {
        let now = self.now();
        let change = {
            let mut inner = self.lock();
            inner.has_answered |= event == Event::Answered;
            inner.breaker.note(now, event)
        };
        self.tell(change, cause);
        if matches!(event, Event::Cut | Event::CutWithoutAByte) {
            let cuts = {
                let mut inner = self.lock();
                inner.cuts.push_back(now);
                while inner.cuts.front().is_some_and(|at| *at + CUTS_WITHIN < now) {
                    inner.cuts.pop_front();
                }
                inner.cuts.len()
            };
            if cuts >= CUTS {
                self.slow(json!({ "cutInTenMinutes": cuts, "endpoint": self.endpoint }));
            }
        }
    }

    /// Notes how long a request took.
    pub(super) fn took(&self, time: Duration) {
        if time > SLOW {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.slow(json!({ "latencyMillis": millis, "endpoint": self.endpoint }));
        }
    }

    pub(super) fn report(&self, model: &str) -> HealthReport {
        let inner = self.lock();
        let state = inner.breaker.state();
        let status = match state {
            _ if self.is_switched_off() => "disabled",
            State::Closed => "ok",
            _ if inner.breaker.admission() == Admission::Suspect => "suspect",
            State::Suspect | State::Open | State::Probing => "down",
        };
        HealthReport {
            status,
            breaker: state.as_str(),
            model: model.into(),
            endpoint: Arc::clone(&self.endpoint),
            cause: inner.cause.clone(),
            last_check: inner.checked.clone(),
        }
    }

    fn tell(&self, change: Option<Change>, cause: &str) {
        match change {
            None => return,
            Some(Change::Suspected) => {
                self.lock().cause = Some(cause.into());
                info!(endpoint = %self.endpoint, "the LLM did not answer in time: a probe decides whether it is asked on");
            }
            Some(Change::Opened) => {
                self.lock().cause = Some(cause.into());
                warn!(endpoint = %self.endpoint, cause, "the LLM is down: it is not asked until a probe succeeds");
                self.notifier.raise(Alert {
                    code: AlertCode::LlmDown,
                    company: None,
                    message: format!("the LLM cannot be used, callers hear answers of tiers 1 and 2 only: {cause}"),
                    details: json!({ "endpoint": self.endpoint, "cause": cause }),
                });
                self.say();
            }
            Some(Change::Closed) => {
                self.lock().cause = None;
                info!(endpoint = %self.endpoint, "the LLM is asked again");
                self.say();
            }
        }
        self.woken.notify_one();
    }

    pub(super) fn signs(&self) -> Signs {
        let now = self.now();
        let inner = self.lock();
        Signs {
            has_answered: inner.has_answered,
            is_slow: inner.slow_at.is_some_and(|at| at + SLOW_FOR > now),
        }
    }

    fn slow(&self, details: serde_json::Value) {
        self.lock().slow_at = Some(self.now());
        self.notifier.raise(Alert {
            code: AlertCode::LlmSlow,
            company: None,
            message: "the LLM answers late: callers wait, or hear a fallback".to_owned(),
            details,
        });
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears how other instances find the provider and whether they have switched it off, until the process ends. Each is looked
/// at when it is said: a word about the switch is no news about the breaker.
pub(super) async fn hear(running: Arc<Running>, instances: Arc<dyn Instances>, mut stopping: Stopping) {
    let (mut words, mut switches) = (instances.llm_words(), instances.llm_switches());
    // What was said before is heard too.
    words.mark_changed();
    switches.mark_changed();
    loop {
        tokio::select! {
            () = stopping.wait() => return,
            changed = switches.changed() => {
                if changed.is_err() {
                    return;
                }
                let switch = switches.borrow_and_update().clone();
                if let Some(switch) = switch {
                    running.health.heard_switch(&switch);
                }
            }
            changed = words.changed() => {
                if changed.is_err() {
                    return;
                }
                let word = words.borrow_and_update().clone();
                if let Some(word) = word {
                    running.health.heard(&word);
                }
            }
        }
    }
}

/// Checks the provider every ten minutes and probes it while the breaker is not closed, until the process ends.
pub(super) async fn probe(running: Arc<Running>, mut stopping: Stopping) {
    let health = &running.health;
    let mut check_at = Instant::now();
    loop {
        let next = health.lock().breaker.next_probe().map(|due| health.since + due);
        let wake = next.map_or(check_at, |due| due.min(check_at));
        tokio::select! {
            () = stopping.wait() => return,
            () = health.woken.notified() => {}
            () = sleep_until(wake) => {}
        }
        let due = health.lock().breaker.due(health.now());
        if let Some(kind) = due {
            let complaint = probed(&running, kind).await;
            let now = health.now();
            let change = health.lock().breaker.probed(now, kind, complaint.is_none());
            health.tell(change, complaint.as_deref().unwrap_or_default());
            check_at = Instant::now() + CHECK;
        } else if Instant::now() >= check_at {
            check_at = Instant::now() + CHECK;
            if health.admission() == Admission::Allowed
                && let Some(complaint) = probed(&running, Probe::Free).await
            {
                // A probe decides at once whether that was an accident.
                health.note(Event::CutWithoutAByte, &complaint);
            }
            health.say();
        }
    }
}

/// Sends a probe; what is wrong, if anything is.
async fn probed(running: &Running, kind: Probe) -> Option<String> {
    let sent = Instant::now();
    let until = sent + settings::LLM_WAIT;
    let free = match kind {
        Probe::Free => running.parts.provider.probe(until).await,
        Probe::Token => Probed::NotOffered,
    };
    let complaint = match free {
        Probed::Free { .. } => None,
        Probed::Failed(outcome) => Some(words(&outcome)),
        Probed::NotOffered if kind == Probe::Free && running.health.admission() == Admission::Allowed => {
            // A check that costs nothing or nothing at all: calls tell soon enough.
            return None;
        }
        Probed::NotOffered => connection::one_token(running, until).await.complaint,
    };
    let took = sent.elapsed();
    running.health.took(took);
    let mut inner = running.health.lock();
    inner.has_answered |= complaint.is_none();
    inner.checked = Some(Checked {
        at: running.parts.clock.now(),
        ok: complaint.is_none(),
        latency_millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    drop(inner);
    complaint
}

fn words(outcome: &Outcome) -> String {
    outcome.complaint().unwrap_or_default()
}
