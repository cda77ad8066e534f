//! One question to the LLM and its money: hold, ask, settle. Runs in a task of its own, so that its bill is known although
//! the caller has long been answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{AlertCode, Stage},
    documents::company::Company,
    ids::{CallId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, PriceRow, Spend, Usage},
    money::PicoUsd,
    time::MonthKey,
};
use frontdesk_llm::{
    breaker::{Admission, Event},
    completion::Completion,
    prices::Prices,
    provider::{Asked, Cut, Outcome, Progress},
    question::{self, Request},
};
use frontdesk_store::ports::{Bill, Hold, LedgerFilter, LedgerStore as _, Page, Reserved};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::json;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tracing::{error, warn};

use super::{
    Places, Running,
    closing::{let_go_if_made, settle, void},
    warnings::BudgetWarning,
};
use crate::{
    company::Tenant,
    settings,
    shares::{Shares, within},
    turn::Turn,
};

/// A turn asks at most so often.
const ATTEMPTS: u32 = 2;
/// Less time than this is not worth another attempt.
const WORTH_A_RETRY: Duration = Duration::from_millis(600);
/// A turn waits at most so long until its bill is on disk; the bill gets there all the same.
const SETTLE_WAIT: Duration = Duration::from_millis(300);
/// So many overruns of a month are looked at; each switched a model off.
const OVERRUNS: usize = 1_000;
/// The most that is booked of an overrun, in pico-USD (over a million USD): a bill that says more is none, and sums of what
/// is booked have to fit into 64 bits, or nothing could be asked any more.
const MOST_OVERRUN: i64 = 1 << 60;
/// A request ends so long before its lease does.
const BEFORE_LEASE_ENDS: Duration = Duration::from_secs(1);

/// What is asked, and who pays.
pub(super) struct Order {
    account: Account,
    month: MonthKey,
    turn: TurnId,
    call: CallId,
    prices: Prices,
    request: Request,
    /// Who is told when its budget is nearly spent; a probe has none.
    company: Option<Arc<Company>>,
    /// Through which its ledger is asked, beside the company's other turns; a probe has none.
    shares: Option<Arc<Shares>>,
    /// Held as long as it is under way.
    _places: Option<Places>,
}

impl Order {
    pub(super) fn of(
        running: &Running,
        tenant: &Tenant,
        turn: &Turn<'_>,
        prices: Prices,
        request: Request,
        places: Places,
    ) -> Self {
        let zone = &tenant.settings.company.time_zone;
        Self {
            account: Account::Company(tenant.id()),
            month: MonthKey::of(running.parts.clock.now(), zone),
            turn: turn.id(),
            call: turn.call.clone(),
            prices,
            request,
            company: Some(Arc::clone(&tenant.settings.company)),
            shares: Some(Arc::clone(&tenant.shares)),
            _places: Some(places),
        }
    }

    /// The most that it can cost, and the price by which it would.
    fn worst(&self) -> (PicoUsd, Arc<PriceRow>) {
        self.prices.worst(self.request.prompt_bound(), self.request.max_tokens)
    }

    /// One token for the platform.
    pub(super) fn for_one_token(running: &Running, prices: Prices) -> Self {
        let name = format!("probe-{}", running.ids.make());
        Self {
            account: Account::Platform,
            month: MonthKey::of(running.parts.clock.now(), &TimeZone::UTC),
            turn: TurnId::new(&name),
            call: CallId::new(&name),
            prices,
            request: question::probe(&running.parts.style),
            company: None,
            shares: None,
            _places: None,
        }
    }
}

/// What became of an order.
pub(super) struct Report {
    pub(super) outcome: Result<Completion, Failure>,
    /// What the provider says it used.
    pub(super) usage: Option<Usage>,
    /// What it costs; where the bill is not known yet, the most that it can be.
    pub(super) cost: PicoUsd,
    /// The account's month after the hold, and its limit.
    pub(super) month: Option<(MonthKey, Spend, PicoUsd)>,
}

/// Why nothing was answered.
#[derive(Debug)]
pub(super) enum Failure {
    /// The hold does not fit into the month.
    OverBudget {
        month: MonthKey,
        limit: PicoUsd,
        spend: Spend,
        hold: PicoUsd,
    },
    /// The ledger cannot answer.
    Ledger,
    /// This turn has an entry from before: a process died with it.
    Known,
    /// The provider failed.
    Provider,
    /// The provider did not answer while the turn waited.
    Late,
    /// The task failed.
    Broken,
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        Self {
            outcome: Err(failure),
            usage: None,
            cost: PicoUsd::ZERO,
            month: None,
        }
    }
}

/// What the turn and the task of its question know of each other.
#[derive(Default)]
struct Shared {
    /// The request is sent.
    asks: AtomicBool,
    /// The turn waits no longer.
    gone: AtomicBool,
    /// The answer is there, and its bill is being written.
    answered: AtomicBool,
    progress: Progress,
}

/// Tells the task that nobody waits any more.
struct GoneWhenDropped<'s>(&'s Shared);

impl Drop for GoneWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::SeqCst);
    }
}

/// Asks, and waits for the answer until `wait`. What was begun is settled, whoever waits.
pub(super) async fn ask(running: &Arc<Running>, order: Order, wait: Instant) -> Report {
    let shared = Arc::<Shared>::default();
    let (reply, mut answer) = oneshot::channel();
    let (worst, _) = order.worst();
    let (task, shared_by_task) = (Arc::clone(running), Arc::clone(&shared));
    running.parts.tasks.spawn("ask the LLM", async move {
        run(&task, order, wait, &shared_by_task, reply).await;
    });
    // Also where the turn is broken off, as when its connection is lost.
    let _gone = GoneWhenDropped(&shared);
    let mut told = timeout_at(wait, &mut answer).await;
    if told.is_err() && shared.answered.load(Ordering::SeqCst) {
        told = timeout(SETTLE_WAIT, answer).await;
    }
    match told {
        Ok(Ok(report)) => report,
        Ok(Err(_)) => Failure::Broken.into(),
        Err(_) => {
            shared.gone.store(true, Ordering::SeqCst);
            if !shared.asks.load(Ordering::SeqCst) {
                // It was the ledger that did not answer: nothing is sent any more.
                return Failure::Ledger.into();
            }
            // An answer whose bill takes too long is no fault of the provider's, and was told as an answer.
            if !shared.answered.load(Ordering::SeqCst) {
                let event = if shared.progress.has_begun() {
                    Event::Cut
                } else {
                    Event::CutWithoutAByte
                };
                running.health.note(event, &Cut::TimedOut.to_string());
            }
            Report {
                cost: worst,
                ..Failure::Late.into()
            }
        }
    }
}

async fn run(running: &Running, order: Order, wait: Instant, shared: &Shared, reply: oneshot::Sender<Report>) {
    let mut reply = Some(reply);
    for attempt in 1..=ATTEMPTS {
        let held = match hold(running, &order, attempt).await {
            Ok(held) => held,
            Err(failure) => return tell(&mut reply, failure.into()),
        };
        // Before the look at `gone`: the turn sets that before it looks here, so that one of the two sees the other.
        shared.asks.store(true, Ordering::SeqCst);
        if shared.gone.load(Ordering::SeqCst) {
            return void(running, &held).await;
        }
        let sent = Instant::now();
        let until = held.must_end().min(sent + settings::LLM_REQUEST);
        let outcome = send(running, &order, until, &shared.progress).await;
        judge(running, &outcome, sent.elapsed(), shared.gone.load(Ordering::SeqCst));
        if outcome.is_free() {
            // Nothing is billed: the hold must not stand in another turn's way longer than needed.
            let voiding = void(running, &held);
            tokio::pin!(voiding);
            let is_void = timeout(SETTLE_WAIT, &mut voiding).await.is_ok();
            if is_void && attempt < ATTEMPTS && is_worth_a_retry(running, &outcome, wait) {
                shared.asks.store(false, Ordering::SeqCst);
                continue;
            }
            tell(&mut reply, Failure::Provider.into());
            if !is_void {
                voiding.await;
            }
            return;
        }
        shared.answered.store(true, Ordering::SeqCst);
        let report = priced(running, &order, &held, outcome);
        let settling = settle(running, &held, report.1);
        tokio::pin!(settling);
        let is_settled = timeout(SETTLE_WAIT, &mut settling).await.is_ok();
        warn_of_budget(running, &order, &report.0);
        tell(&mut reply, report.0);
        if !is_settled {
            settling.await;
        }
        return;
    }
}

/// Tells operators that a budget is nearly spent, whether or not anybody still waited for the answer.
fn warn_of_budget(running: &Running, order: &Order, report: &Report) {
    let Some(company) = &order.company else { return };
    let Some(warning) = running.warnings.due(company.id, report) else {
        return;
    };
    let BudgetWarning { month, limit, spent } = warning;
    let message = format!(
        "four fifths of the LLM budget of {} for {month} are spent",
        company.name
    );
    let details = json!({ "month": month, "limit": limit, "spent": spent });
    running.raise(AlertCode::BudgetWarning, company.id, message, details);
}

fn tell(reply: &mut Option<oneshot::Sender<Report>>, report: Report) {
    if let Some(reply) = reply.take() {
        // Whoever asked may have given up.
        _ = reply.send(report);
    }
}

/// Sends the request. When the process ends it is cut: its bill is then not known and its hold is charged.
pub(super) async fn send(running: &Running, order: &Order, until: Instant, progress: &Progress) -> Outcome {
    let mut stopping = running.parts.tasks.stopping();
    let asked = running.parts.provider.ask(order.request.body.clone(), until, progress);
    tokio::pin!(asked);
    let asked = tokio::select! {
        asked = &mut asked => Some(asked),
        () = stopping.wait() => {
            // A turn in flight is still answered while the process drains.
            let drain = Instant::now() + settings::LLM_WAIT;
            timeout_at(drain, asked).await.ok()
        }
    };
    asked.map_or(Outcome::Cut(Cut::TimedOut), |Asked { outcome, .. }| outcome)
}

/// Tells the breaker how a request went, unless its turn gave it up and told so.
fn judge(running: &Running, outcome: &Outcome, took: Duration, was_given_up: bool) {
    let event = match outcome {
        Outcome::Answered(_) => Event::Answered,
        Outcome::Refused(refusal) if refusal.kind.is_final() => Event::Rejected,
        Outcome::Refused(_) | Outcome::NotConnected(_) | Outcome::Cut(_) => Event::Failed,
    };
    running.health.count(outcome, was_given_up);
    running.health.took(took);
    if !was_given_up || event == Event::Rejected {
        running.health.note(event, &outcome.complaint().unwrap_or_default());
    }
}

fn is_worth_a_retry(running: &Running, outcome: &Outcome, wait: Instant) -> bool {
    let left = wait.saturating_duration_since(Instant::now());
    let may_pass = match outcome {
        Outcome::NotConnected(_) => true,
        // Who is asked to wait longer than a turn can does not come back within it.
        Outcome::Refused(refusal) => refusal.kind.may_pass() && refusal.retry_after.is_none_or(|pause| pause.is_zero()),
        Outcome::Answered(_) | Outcome::Cut(_) => false,
    };
    may_pass && left >= WORTH_A_RETRY && running.health.admission() == Admission::Allowed
}

/// A hold that was granted.
pub(super) struct Reservation {
    pub(super) id: LedgerEntryId,
    amount: PicoUsd,
    spend: Spend,
    limit: PicoUsd,
    pub(super) lease_ends: Instant,
}

impl Reservation {
    /// Until then a request for it must have ended.
    pub(super) fn must_end(&self) -> Instant {
        self.lease_ends
            .checked_sub(BEFORE_LEASE_ENDS)
            .unwrap_or(self.lease_ends)
    }
}

/// What the platform may spend on probes this month: what providers billed beyond holds is no probe, and an operator who
/// tests the connection after that is not refused for it.
async fn cap(running: &Running, order: &Order) -> PicoUsd {
    let cap = running.parts.platform_cap;
    if order.account != Account::Platform {
        return cap;
    }
    let filter = LedgerFilter {
        month: Some(order.month),
        kind: Some(EntryKind::Overrun),
    };
    let page = Page {
        after: None,
        limit: OVERRUNS,
    };
    let overruns = running.parts.store.entries(Account::Platform, filter, page).await;
    let overruns = overruns.unwrap_or_default();
    overruns.iter().fold(cap, |sum, overrun| sum + overrun.amount)
}

pub(super) async fn hold(running: &Running, order: &Order, attempt: u32) -> Result<Reservation, Failure> {
    let (amount, price) = order.worst();
    let id = LedgerEntryId::from(running.ids.make());
    let at = running.parts.clock.now();
    let lease = running.parts.lease;
    let lease_ends = Instant::now() + lease;
    let hold = Hold {
        id,
        account: order.account,
        month: order.month,
        turn: order.turn.clone(),
        call: order.call.clone(),
        attempt,
        amount,
        cap: cap(running, order).await,
        model: running.parts.style.model.as_str().into(),
        price,
        at,
        lease_until: at
            .checked_add(SignedDuration::try_from(lease).unwrap_or(SignedDuration::from_mins(1)))
            .unwrap_or(at),
    };
    let until = Instant::now() + settings::STORE_DEADLINE;
    let reserving = running.parts.store.reserve(hold);
    let reserved = match &order.shares {
        Some(shares) => within(&shares.store, until, reserving).await,
        None => timeout_at(until, reserving).await,
    };
    match reserved {
        Ok(Ok(Reserved::Granted(spend, limit))) => Ok(Reservation {
            id,
            amount,
            spend,
            limit,
            lease_ends,
        }),
        Ok(Ok(Reserved::Refused(spend, limit))) => Err(Failure::OverBudget {
            month: order.month,
            limit,
            spend,
            hold: amount,
        }),
        Ok(Ok(Reserved::Known(kind))) => {
            warn!(turn.id = %order.turn, kind = kind.as_str(), "a turn that has a ledger entry already is not asked again");
            Err(Failure::Known)
        }
        Ok(Err(failure)) => {
            let error = &failure as &dyn std::error::Error;
            error!(error, "a hold could not be made: the LLM is not asked");
            let_go_if_made(running, id);
            Err(Failure::Ledger)
        }
        Err(_) => {
            warn!("a hold was not made in time: the LLM is not asked");
            let_go_if_made(running, id);
            Err(Failure::Ledger)
        }
    }
}

/// What a request costs that may have been billed, as the turn hears it and as the ledger does.
pub(super) fn priced(running: &Running, order: &Order, held: &Reservation, outcome: Outcome) -> (Report, Bill) {
    let usage = match &outcome {
        Outcome::Answered(completion) => completion.usage,
        _ => None,
    };
    let billed = usage.as_ref().map(|usage| order.prices.bill(usage));
    let (amount, price) = billed.map_or((held.amount, None), |(amount, price)| (amount, Some(price)));
    let overrun = amount.pico().saturating_sub(held.amount.pico());
    let overrun = PicoUsd::from_pico(overrun.clamp(0, MOST_OVERRUN));
    let amount = amount.min(held.amount);
    if overrun > PicoUsd::ZERO {
        overran(running, order, held, overrun);
    }
    let bill = Bill {
        usage,
        price,
        amount,
        overrun,
        at: running.parts.clock.now(),
    };
    let report = Report {
        outcome: match outcome {
            Outcome::Answered(completion) => Ok(completion),
            Outcome::Refused(_) | Outcome::NotConnected(_) | Outcome::Cut(_) => Err(Failure::Provider),
        },
        usage,
        cost: amount,
        month: Some((order.month, held.spend, held.limit)),
    };
    (report, bill)
}

/// The provider bills more than it can have used: nobody can say what the next call costs.
fn overran(running: &Running, order: &Order, held: &Reservation, overrun: PicoUsd) {
    running.health.switch_off();
    let model = &running.parts.style.model;
    let message = format!(
        "the provider billed {overrun} USD more for one request to {model} than it can have used: the model is switched off until \
         a connection test succeeds or the server starts again"
    );
    error!(model = %model, held = %held.amount, %overrun, "{message}");
    running.parts.notifier.raise(frontdesk_domain::alert::Alert {
        code: AlertCode::RoutingError,
        company: match order.account {
            Account::Company(id) => Some(id),
            Account::Platform => None,
        },
        message,
        details: json!({ "callId": order.call, "stage": Stage::Tier3Llm, "held": held.amount, "overrun": overrun }),
    });
}
