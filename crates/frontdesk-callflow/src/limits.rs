//! Limits against abuse (DESIGN 7): who is over one is put through, or told so politely, and counted with the reason.
//!
//! Counts are in memory and of this process; where instances hear each other, a call that is new to one of them is counted
//! by all. A call that ends without a report of it, and of which nothing is heard for ten minutes, no longer counts.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Escalation, Step, StepOutcome},
    documents::{prompts::PromptName, template::Action},
    ids::{CallId, CompanyId},
    phone::PhoneNumber,
};
use frontdesk_store::instances::{CallCount, CallLimits};
use tracing::warn;

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    flow::CallFlow,
    settings::EMERGENCY_SENTENCE,
    trace::{Found, Trace},
    turn::{Said, Turn},
};

/// The limits; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Turns of one call.
    pub turns_per_call: u32,
    /// Seconds since a call began.
    pub seconds_per_call: u32,
    /// Calls of one caller to one company within an hour. Callers without a number are not counted.
    pub calls_per_caller_per_hour: u32,
    /// Calls of one company at the same time.
    pub concurrent_calls_per_company: u32,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self {
        turns_per_call: 0,
        seconds_per_call: 0,
        calls_per_caller_per_hour: 0,
        concurrent_calls_per_company: 0,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns_per_call: 60,
            seconds_per_call: 1_800,
            calls_per_caller_per_hour: 30,
            concurrent_calls_per_company: 50,
        }
    }
}

/// Which limit a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Too many turns.
    TurnsPerCall,
    /// Too long.
    SecondsPerCall,
    /// Too many calls of this caller.
    CallsPerCallerPerHour,
    /// Too many calls at the same time.
    ConcurrentCallsPerCompany,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::TurnsPerCall,
        Self::SecondsPerCall,
        Self::CallsPerCallerPerHour,
        Self::ConcurrentCallsPerCompany,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TurnsPerCall => "turns_per_call",
            Self::SecondsPerCall => "seconds_per_call",
            Self::CallsPerCallerPerHour => "calls_per_caller_per_hour",
            Self::ConcurrentCallsPerCompany => "concurrent_calls_per_company",
        }
    }
}

/// A call of which nothing was heard for so long is over, in seconds.
const IDLE: i64 = 600;

/// While a person is dialled nothing is heard of a call, in seconds.
const DIALLING: i64 = super::settings::DIAL_LIMIT_SECONDS as i64 + IDLE;

/// While a call goes on, the other instances are told so that often, in seconds.
const TELL_EVERY: i64 = 60;

/// So many callers are counted at most. One more is not, until others are forgotten.
const MOST_CALLERS: usize = 100_000;

/// A full table is looked through for callers to forget that often, in seconds.
const CLEAR_EVERY: i64 = 60;

const HOUR: i64 = 3_600;

type Caller = (CompanyId, PhoneNumber);

/// What is counted.
#[derive(Debug, Default)]
struct Counted {
    /// The calls of each company, and until when each counts without a sign of it, in Unix seconds.
    calls: HashMap<CompanyId, HashMap<CallId, Running>>,
    /// When each caller's calls of the last hour began, oldest first.
    callers: HashMap<Caller, VecDeque<i64>>,
    /// When callers of whom nothing was heard for an hour were last forgotten, in Unix seconds.
    cleared: i64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    until: i64,
    /// The limit that it was over when it began: it stays so.
    over: Option<Limit>,
    /// When the other instances were told of it last, in Unix seconds.
    told: i64,
}

/// What a sign of a call comes to here.
enum Noted {
    /// It is over a limit, or not.
    Known(Option<Limit>),
    /// The same, of a call that is new here: the other instances may know more.
    New(Option<Limit>),
    /// The same, and the other instances should hear that it goes on.
    ToTell(Option<Limit>),
}

/// The calls of this process.
#[derive(Debug)]
pub(crate) struct CallCounts {
    limits: Limits,
    counted: Mutex<Counted>,
    reached: [AtomicU64; Limit::ALL.len()],
}

impl CallCounts {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            counted: Mutex::default(),
            reached: Default::default(),
        }
    }

    /// Notes a sign of a call, and tells which limit the call is over.
    fn note(&self, company: CompanyId, turn: &Turn<'_>) -> Noted {
        let now = turn.arrived.as_second();
        let began = if turn.state.began == 0 { now } else { turn.state.began };
        let over = |limit: u32, count: i64| limit > 0 && count > i64::from(limit);
        let of_call = if over(self.limits.turns_per_call, i64::from(turn.state.turn) + 1) {
            Some(Limit::TurnsPerCall)
        } else if over(self.limits.seconds_per_call, now.saturating_sub(began)) {
            Some(Limit::SecondsPerCall)
        } else {
            None
        };
        match of_call {
            Some(limit) => Noted::Known(Some(limit)),
            None => self.note_call(company, turn, now),
        }
    }

    /// Counts a call that is new here.
    fn note_call(&self, company: CompanyId, turn: &Turn<'_>, now: i64) -> Noted {
        let Limits {
            calls_per_caller_per_hour: per_caller,
            concurrent_calls_per_company: at_once,
            ..
        } = self.limits;
        if per_caller == 0 && at_once == 0 {
            return Noted::Known(None);
        }
        let mut counted = self.counted();
        let calls = counted.calls.entry(company).or_default();
        let until = now.saturating_add(IDLE);
        if let Some(running) = calls.get_mut(&turn.call) {
            running.until = until;
            if now.saturating_sub(running.told) < TELL_EVERY {
                return Noted::Known(running.over);
            }
            running.told = now;
            return Noted::ToTell(running.over);
        }
        calls.retain(|_, running| running.until >= now);
        let running = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let too_many = at_once > 0 && running >= at_once;
        let running = Running {
            until,
            over: None,
            told: now,
        };
        calls.insert(turn.call.clone(), running);
        let too_often = per_caller > 0 && counted.note_caller(company, turn, now) > per_caller;
        let over = match (too_often, too_many) {
            (true, _) => Some(Limit::CallsPerCallerPerHour),
            (_, true) => Some(Limit::ConcurrentCallsPerCompany),
            _ => None,
        };
        counted.correct(company, &turn.call, over);
        Noted::New(over)
    }

    /// Notes what all instances together found of a call that is new here.
    fn correct(&self, company: CompanyId, call: &CallId, over: Option<Limit>) {
        self.counted().correct(company, call, over);
    }

    /// Notes for how many seconds a call counts without another sign of it.
    fn lasts(&self, company: CompanyId, call: &CallId, now: i64, seconds: i64) {
        let mut counted = self.counted();
        if let Some(running) = counted.calls.get_mut(&company).and_then(|calls| calls.get_mut(call)) {
            running.until = now.saturating_add(seconds);
        }
    }

    /// Notes that a call has ended.
    pub(crate) fn end(&self, company: CompanyId, call: &CallId) {
        let mut counted = self.counted();
        if let Some(calls) = counted.calls.get_mut(&company) {
            calls.remove(call);
            if calls.is_empty() {
                counted.calls.remove(&company);
            }
        }
    }

    /// How often each limit was reached.
    pub(crate) fn reached(&self) -> [(Limit, u64); Limit::ALL.len()] {
        let mut counts = Limit::ALL.map(|limit| (limit, 0));
        for ((_, count), reached) in counts.iter_mut().zip(&self.reached) {
            *count = reached.load(Ordering::Relaxed);
        }
        counts
    }

    fn count(&self, limit: Limit) {
        let place = Limit::ALL.iter().position(|known| *known == limit);
        if let Some(reached) = place.and_then(|place| self.reached.get(place)) {
            reached.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn correct(&mut self, company: CompanyId, call: &CallId, over: Option<Limit>) {
        if let Some(running) = self.calls.get_mut(&company).and_then(|calls| calls.get_mut(call)) {
            running.over = over;
        }
    }

    /// Notes a call of a caller; gives how many there were in the last hour, 0 for a caller who is not counted.
    fn note_caller(&mut self, company: CompanyId, turn: &Turn<'_>, now: i64) -> u32 {
        let Some(number) = turn.caller() else {
            return 0;
        };
        if self.callers.len() >= MOST_CALLERS && !self.callers.contains_key(&(company, number)) {
            if now.saturating_sub(self.cleared) < CLEAR_EVERY {
                return 0;
            }
            self.cleared = now;
            self.callers
                .retain(|_, times| times.back().is_some_and(|last| now.saturating_sub(*last) < HOUR));
            if self.callers.len() >= MOST_CALLERS {
                return 0;
            }
        }
        let times = self.callers.entry((company, number)).or_default();
        while times.front().is_some_and(|first| now.saturating_sub(*first) >= HOUR) {
            times.pop_front();
        }
        times.push_back(now);
        u32::try_from(times.len()).unwrap_or(u32::MAX)
    }
}

/// Which limit a call is over, as all instances know it that hear each other.
async fn reached(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Option<Limit> {
    let counts = flow.counts();
    let noted = counts.note(tenant.id(), turn);
    let Some(instances) = flow.instances() else {
        let (Noted::Known(over) | Noted::New(over) | Noted::ToTell(over)) = noted;
        return over;
    };
    match noted {
        Noted::Known(over) => over,
        Noted::ToTell(over) => {
            instances.keep_call(tenant.id(), turn.call.clone(), seconds(IDLE));
            over
        }
        Noted::New(over) => {
            let limits = CallLimits {
                per_caller: counts.limits.calls_per_caller_per_hour,
                at_once: counts.limits.concurrent_calls_per_company,
                idle: seconds(IDLE),
            };
            let counted = instances
                .note_call(tenant.id(), &turn.call, turn.caller(), limits)
                .await;
            let over = match counted {
                // They cannot be asked: what is known here holds.
                None => return over,
                Some(CallCount::Within) => None,
                Some(CallCount::TooOften) => Some(Limit::CallsPerCallerPerHour),
                Some(CallCount::TooMany) => Some(Limit::ConcurrentCallsPerCompany),
            };
            counts.correct(tenant.id(), &turn.call, over);
            over
        }
    }
}

/// Notes that a person is dialled: nothing is heard of the call until they have talked.
pub(crate) fn dialling(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) {
    lasts(flow, tenant, turn, DIALLING);
}

fn lasts(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, time: i64) {
    flow.counts()
        .lasts(tenant.id(), &turn.call, turn.arrived.as_second(), time);
    if let Some(instances) = flow.instances() {
        instances.keep_call(tenant.id(), turn.call.clone(), seconds(time));
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// The transfer, or the polite word, of a call that is over a limit.
pub(crate) async fn answer(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Option<Answer> {
    if turn.dry_run {
        return None;
    }
    // A transfer under way goes on to its next destination, and the call is heard of again.
    if matches!(turn.said, Said::Dialled(_)) {
        lasts(flow, tenant, turn, IDLE);
        return None;
    }
    let limit = reached(flow, tenant, turn).await?;
    flow.counts().count(limit);
    warn!(company.id = %tenant.id(), call.id = %turn.call, limit = limit.as_str(), "a call is over a limit against abuse");
    let found = Found {
        confidence: Some(Confidence::CERTAIN),
        ..Found::default()
    };
    trace.asked(Step::Conversation, StepOutcome::Matched, found);
    let reachable = tenant.next_number(turn.arrived, &turn.state.dialled).is_some();
    let n = usize::try_from(turn.state.turn).unwrap_or_default();
    let (prompt, action) = if reachable {
        (PromptName::Transfer, Action::Transfer)
    } else {
        (PromptName::LimitReached, Action::Hangup)
    };
    let words = tenant.prompt(prompt, n).unwrap_or_else(|| EMERGENCY_SENTENCE.into());
    let mut answer = Answer::certain(AnsweredBy::Conversation, words, action);
    answer.escalation = Escalation {
        required: true,
        offers: tenant.offers(turn.arrived),
    };
    Some(answer)
}
