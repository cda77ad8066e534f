//! Asks the checks in turn, and believes what is said often enough in a row.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock,
    health::{HealthChange, HealthState, HealthTracker},
    ids::HealthEntryId,
};
use frontdesk_store::{
    leader::Leadership,
    ports::{Backend, HealthEntry, PartHealth},
    system::ObjectIds,
    tasks::{Stopping, TaskSet},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::{
    Check, Concern, Health,
    keeper::{Keeper, Settling},
};

/// How often it is looked which checks are due.
const TICK: Duration = Duration::from_secs(1);

/// A check that takes longer counts as down.
const DEADLINE: Duration = Duration::from_secs(3);

/// A state that lasts is noted in the history so often, and its alert raised again, so that it is seen to last.
const LASTS: Duration = Duration::from_mins(10);

/// So many entries of the history wait while the store does not take them; the oldest is let go for a new one.
const WAITING: usize = 2_000;

/// What a monitor is made of.
pub struct MonitorParts {
    /// What is asked.
    pub checks: Vec<Arc<dyn Check>>,
    /// Where the history is kept, and what other instances say.
    pub store: Arc<dyn Backend>,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What is believed of the parts of this process.
pub struct Monitor {
    pub(super) store: Arc<dyn Backend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) instance: Arc<str>,
    notifier: Arc<dyn Notifier>,
    ids: ObjectIds,
    watched: Mutex<Vec<Watched>>,
    pub(super) waiting: Mutex<VecDeque<HealthEntry>>,
    pub(super) settling: Settling,
}

/// A check, and what came of it.
struct Watched {
    check: Arc<dyn Check>,
    concern: Concern,
    tracker: HealthTracker,
    /// What was said with the state that is believed.
    detail: Arc<str>,
    due: Instant,
    /// When the state was last noted in the history.
    noted: Option<Instant>,
    /// When its alert was last raised, while its trouble lasts.
    raised: Option<Instant>,
}

impl Watched {
    fn state(&self) -> Option<HealthState> {
        self.tracker.state().map(|(state, _)| state)
    }

    fn part(&self) -> PartHealth {
        let state = self.tracker.state();
        PartHealth {
            name: self.check.name().into(),
            state: state.map(|(state, _)| state),
            since: state.map(|(_, since)| since),
            detail: Arc::clone(&self.detail),
            code: self.concern.code,
            fix: self.concern.fix.into(),
        }
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor that has asked nobody yet.
    #[must_use]
    pub fn new(parts: MonitorParts) -> Self {
        let MonitorParts {
            checks,
            store,
            notifier,
            clock,
        } = parts;
        let now = Instant::now();
        let watched = checks.into_iter().map(|check| Watched {
            concern: check.concern(),
            check,
            tracker: HealthTracker::default(),
            detail: "not asked yet".into(),
            due: now,
            noted: None,
            raised: None,
        });
        let ids = ObjectIds::new(Arc::clone(&clock));
        // Two machines may give the same process number; the middle of an id is this process's own.
        let own = ids.make().to_string();
        let instance = format!("{}-{}", std::process::id(), own.get(8..18).unwrap_or(&own));
        Self {
            store,
            ids,
            clock,
            instance: instance.into(),
            notifier,
            watched: Mutex::new(watched.collect()),
            waiting: Mutex::default(),
            settling: Settling::default(),
        }
    }

    /// Asks the checks until the process ends; keeps the history and resolves what is over beside that.
    pub fn start(self: &Arc<Self>, leadership: Leadership, tasks: &TaskSet) {
        let (monitor, stopping) = (Arc::clone(self), tasks.stopping());
        tasks.spawn("ask the parts how they are", monitor.run(stopping));
        let keeper = Keeper::new(Arc::clone(self), leadership);
        tasks.spawn("keep the history of checks", keeper.run(tasks.stopping()));
    }

    /// The name under which other instances see this one.
    #[must_use]
    pub fn instance(&self) -> &Arc<str> {
        &self.instance
    }

    /// What is believed of each part now.
    #[must_use]
    pub fn parts(&self) -> Vec<PartHealth> {
        self.lock().iter().map(Watched::part).collect()
    }

    /// The state of each check.
    pub(crate) fn states(&self) -> Vec<(&'static str, Option<HealthState>)> {
        let watched = self.lock();
        watched
            .iter()
            .map(|watched| (watched.check.name(), watched.state()))
            .collect()
    }

    async fn run(self: Arc<Self>, mut stopping: Stopping) {
        loop {
            self.look().await;
            if timeout(TICK, stopping.wait()).await.is_ok() {
                return;
            }
        }
    }

    /// Asks those whose turn it is, all at once.
    pub async fn look(&self) {
        let now = Instant::now();
        let due: Vec<(usize, Arc<dyn Check>)> = {
            let mut watched = self.lock();
            let due = watched.iter_mut().enumerate().filter(|(_, watched)| watched.due <= now);
            due.map(|(index, watched)| {
                watched.due = now + watched.concern.every;
                (index, Arc::clone(&watched.check))
            })
            .collect()
        };
        let asked = due.into_iter().map(async |(index, check)| {
            let said = timeout(DEADLINE, check.health()).await;
            let health = said.unwrap_or_else(|_| Health::down("does not answer in time"));
            (index, health)
        });
        for (index, health) in join_all(asked).await {
            self.note(index, health);
        }
    }

    fn note(&self, index: usize, health: Health) {
        let at = self.clock.now();
        let now = Instant::now();
        let mut watched = self.lock();
        let Some(watched) = watched.get_mut(index) else { return };
        let Health { state, detail } = health;
        let detail: Arc<str> = detail.into();
        let change = watched.tracker.note(state, at, watched.concern.hysteresis);
        if watched.state() == Some(state) || change.is_some() {
            watched.detail = Arc::clone(&detail);
        } else {
            // What is about to change is asked again at the next look.
            watched.due = now;
        }
        let Some((believed, _)) = watched.tracker.state() else {
            return;
        };
        let lasts = |since: Option<Instant>| since.is_none_or(|since| now.duration_since(since) >= LASTS);
        if change.is_some() || lasts(watched.noted) {
            watched.noted = Some(now);
            self.wait(HealthEntry {
                id: HealthEntryId::from(self.ids.make()),
                instance: Arc::clone(&self.instance),
                check: watched.check.name().into(),
                at,
                state: believed,
                detail: Arc::clone(&watched.detail),
                is_change: change.is_some(),
            });
        }
        if let Some(change) = change {
            say(watched.check.name(), change, &watched.detail, watched.concern.fix);
        }
        let is_trouble = watched.concern.raised_from.is_some_and(|from| believed >= from);
        if is_trouble && lasts(watched.raised) {
            watched.raised = Some(now);
            self.raise(watched, believed);
        }
        if believed == HealthState::Ok {
            watched.raised = None;
            if change.is_some()
                && let Some(code) = watched.concern.code
            {
                self.settling.begin(code, now);
            }
        }
    }

    fn raise(&self, watched: &Watched, state: HealthState) {
        let Some(code) = watched.concern.code else { return };
        let name = watched.check.name();
        let mut details = json!({
            "check": name, "instance": self.instance, "state": state, "cause": watched.detail, "fix": watched.concern.fix,
        });
        if let (Some(details), Value::Object(more)) = (details.as_object_mut(), &watched.concern.details) {
            details.extend(more.clone());
        }
        self.notifier.raise(Alert {
            code,
            company: None,
            message: format!("the check `{name}` says {}: {}", state.as_str(), watched.detail),
            details,
        });
    }

    fn wait(&self, entry: HealthEntry) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back(entry);
    }

    /// Whether no part of this process has the trouble that this code stands for, as far as has been seen.
    pub(super) fn is_over(&self, code: AlertCode) -> bool {
        let watched = self.lock();
        let mut concerned = watched.iter().filter(|watched| watched.concern.code == Some(code));
        concerned.all(|watched| watched.state() == Some(HealthState::Ok) && watched.check.is_proven())
    }

    /// The codes that stand for the trouble of a part.
    pub(super) fn codes(&self) -> Vec<AlertCode> {
        let mut codes: Vec<AlertCode> = self.lock().iter().filter_map(|watched| watched.concern.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says once that a state has changed.
fn say(check: &str, change: HealthChange, detail: &str, fix: &str) {
    let HealthChange { from, to } = change;
    let from = from.map_or("unknown", HealthState::as_str);
    match to {
        HealthState::Ok if from == "unknown" => {}
        HealthState::Ok => info!(check, from, detail, "the check `{check}` says ok again"),
        to => warn!(
            check,
            from,
            to = to.as_str(),
            detail,
            fix,
            "the check `{check}` says {}: {detail}",
            to.as_str()
        ),
    }
}
