//! Limits against abuse (DESIGN 7): who is over one is put through, or told so politely, and counted with the reason.
//!
//! Counts are of this process and in memory. A call that ends without a report of it, and of which nothing is heard for
//! ten minutes, no longer counts.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Escalation, Step, StepOutcome},
    documents::{prompts::PromptName, template::Action},
    ids::{CallId, CompanyId},
    phone::PhoneNumber,
};
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

/// So many callers are counted at most.
const MOST_CALLERS: usize = 100_000;

const HOUR: i64 = 3_600;

type Caller = (CompanyId, PhoneNumber);

/// What is counted.
#[derive(Debug, Default)]
struct Counted {
    /// The calls of each company, and until when each counts without a sign of it, in Unix seconds.
    calls: HashMap<CompanyId, HashMap<CallId, Running>>,
    /// When each caller's calls of the last hour began, oldest first.
    callers: HashMap<Caller, VecDeque<i64>>,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    until: i64,
    /// The limit that it was over when it began: it stays so.
    over: Option<Limit>,
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
    fn note(&self, company: CompanyId, turn: &Turn<'_>) -> Option<Limit> {
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
        of_call.or_else(|| self.note_call(company, turn, now))
    }

    /// Counts a call that is new here.
    fn note_call(&self, company: CompanyId, turn: &Turn<'_>, now: i64) -> Option<Limit> {
        let Limits {
            calls_per_caller_per_hour: per_caller,
            concurrent_calls_per_company: at_once,
            ..
        } = self.limits;
        if per_caller == 0 && at_once == 0 {
            return None;
        }
        let mut counted = self.counted();
        let calls = counted.calls.entry(company).or_default();
        let until = now.saturating_add(IDLE);
        if let Some(running) = calls.get_mut(&turn.call) {
            running.until = until;
            return running.over;
        }
        calls.retain(|_, running| running.until >= now);
        let running = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let too_many = at_once > 0 && running >= at_once;
        calls.insert(turn.call.clone(), Running { until, over: None });
        let too_often = per_caller > 0 && counted.note_caller(company, turn, now) > per_caller;
        let over = match (too_often, too_many) {
            (true, _) => Some(Limit::CallsPerCallerPerHour),
            (_, true) => Some(Limit::ConcurrentCallsPerCompany),
            _ => None,
        };
        if let Some(running) = counted
            .calls
            .get_mut(&company)
            .and_then(|calls| calls.get_mut(&turn.call))
        {
            running.over = over;
        }
        over
    }

    /// Notes that a person is dialled: nothing is heard of the call until they have talked.
    pub(crate) fn dialling(&self, company: CompanyId, call: &CallId, now: i64) {
        let mut counted = self.counted();
        if let Some(running) = counted.calls.get_mut(&company).and_then(|calls| calls.get_mut(call)) {
            running.until = now.saturating_add(DIALLING);
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
    /// Notes a call of a caller; gives how many there were in the last hour, 0 for a caller without a number.
    fn note_caller(&mut self, company: CompanyId, turn: &Turn<'_>, now: i64) -> u32 {
        let Some(number) = turn.caller() else {
            return 0;
        };
        if self.callers.len() >= MOST_CALLERS {
            self.callers
                .retain(|_, times| times.back().is_some_and(|last| now.saturating_sub(*last) < HOUR));
        }
        let times = self.callers.entry((company, number)).or_default();
        while times.front().is_some_and(|first| now.saturating_sub(*first) >= HOUR) {
            times.pop_front();
        }
        times.push_back(now);
        u32::try_from(times.len()).unwrap_or(u32::MAX)
    }
}

/// The transfer, or the polite word, of a call that is over a limit.
pub(crate) fn answer(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Option<Answer> {
    // A transfer under way goes on to its next destination.
    if turn.dry_run || matches!(turn.said, Said::Dialled(_)) {
        return None;
    }
    let limit = flow.counts().note(tenant.id(), turn)?;
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
