//! Tier 3: the LLM chooses among the company's own answers, within the turn's deadline and the month's budget.
//!
//! A turn's way: [`answer`] decides whether the LLM may be asked, and what it may choose from ([`offers`]); [`attempt`] holds
//! the worst case in the ledger, asks, and settles, in a task of its own that no caller's patience ends; [`health`] keeps
//! callers from waiting for a provider that is down.

mod attempt;
mod closing;
mod connection;
mod health;
mod offers;
mod warnings;

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier, Stage},
    clock::Clock,
    confidence::Confidence,
    decision::{CandidateKind, SkipReason, Step, StepOutcome, Tier, TraceCandidate},
    ids::CompanyId,
    ledger::Usage,
    money::PicoUsd,
    record::LlmResult,
    time::MonthKey,
};
use frontdesk_llm::{
    breaker::Admission,
    prices::{PriceTable, Prices},
    provider::Provider,
    question::{self, Style},
    verdict::{Verdict, verdict},
};
use frontdesk_store::{cache::CachedStore, instances::Instances, system::ObjectIds, tasks::TaskSet};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use self::{
    attempt::{Failure, Order, Report},
    health::Health,
    offers::{Entry, Offers},
    warnings::BudgetWarnings,
};
pub use self::{
    connection::Trial,
    health::{HealthReport, RESULTS, Signs},
};
use crate::{
    answer::Answer,
    company::Tenant,
    flow::CallFlow,
    gatekeeper::Miss,
    meaning,
    rules::{RuleFindings, named},
    safety, settings,
    trace::{Found, Trace},
    turn::Turn,
};

/// What asking the LLM needs from outside.
pub struct LlmParts {
    /// Answers questions.
    pub provider: Arc<dyn Provider>,
    /// The model that is asked, and how.
    pub style: Style,
    /// What models cost.
    pub prices: PriceTable,
    /// The ledger is in it.
    pub store: Arc<CachedStore>,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The tasks of this process.
    pub tasks: TaskSet,
    /// Whoever does not settle within this time is charged in full.
    pub lease: Duration,
    /// So often a call may ask; 0 for as often as it likes.
    pub calls_per_call: u32,
    /// What the platform's own account may spend in a month.
    pub platform_cap: PicoUsd,
    /// How many questions are under way at once.
    pub questions: usize,
}

/// Asks the LLM; or does not, where none is configured.
pub struct Llm(Option<Arc<Running>>);

/// The LLM of this process.
struct Running {
    parts: LlmParts,
    ids: ObjectIds,
    health: Health,
    warnings: BudgetWarnings,
    questions: Arc<Semaphore>,
}

/// What became of asking the LLM for a turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Consulted {
    /// What it said, if it answered in time.
    pub(crate) result: Option<LlmResult>,
    /// What it was paid for.
    pub(crate) tokens: Option<u64>,
}

impl Llm {
    /// Starts the checks of the provider's health.
    #[must_use]
    pub fn start(parts: LlmParts) -> Self {
        let running = Arc::new(Running {
            ids: ObjectIds::new(Arc::clone(&parts.clock)),
            health: Health::new(Arc::clone(&parts.notifier), parts.provider.endpoint()),
            warnings: BudgetWarnings::default(),
            questions: Arc::new(Semaphore::new(parts.questions)),
            parts,
        });
        let tasks = running.parts.tasks.clone();
        tasks.spawn("probe the LLM", health::probe(Arc::clone(&running), tasks.stopping()));
        Self(Some(running))
    }

    /// Tells other instances how the provider is, and hears how they find it.
    pub(crate) fn hear_others(&self, instances: &Arc<dyn Instances>) {
        let Some(running) = &self.0 else { return };
        let Running { health, parts, .. } = &**running;
        health.tell_others(Arc::clone(instances), Arc::clone(&parts.clock));
        let hearing = health::hear(Arc::clone(running), Arc::clone(instances), parts.tasks.stopping());
        parts.tasks.spawn("hear how others find the LLM", hearing);
    }

    /// Asks nobody: none is configured.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// How the provider is; `None` where none is configured.
    #[must_use]
    pub fn health(&self) -> Option<HealthReport> {
        let running = self.0.as_ref()?;
        Some(running.health.report(&running.parts.style.model))
    }

    /// How many requests were sent so far, by what came of them.
    #[must_use]
    pub fn attempts(&self) -> Vec<(&'static str, u64)> {
        let counted = self.0.as_ref().map(|running| running.health.attempts());
        counted.map(Vec::from).unwrap_or_default()
    }

    /// What was seen of the provider; `None` where none is configured.
    #[must_use]
    pub fn signs(&self) -> Option<Signs> {
        Some(self.0.as_ref()?.health.signs())
    }

    /// Asks the provider for one token, paid by the platform; `None` where none is configured. A model that was switched
    /// off is on again if it answers.
    pub async fn test_connection(&self) -> Option<Trial> {
        let running = self.0.as_ref()?;
        Some(connection::try_out(running).await)
    }
}

impl Running {
    /// The prices of the model today.
    fn prices(&self) -> Option<Prices> {
        let today = TimeZone::UTC.to_datetime(self.parts.clock.now()).date();
        self.parts.prices.of(&self.parts.style.model, today)
    }

    fn raise(&self, code: AlertCode, company: CompanyId, message: String, details: serde_json::Value) {
        self.parts.notifier.raise(Alert {
            code,
            company: Some(company),
            message,
            details,
        });
    }
}

/// The answer that the LLM chose, if it is sure enough.
pub(crate) async fn answer(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &RuleFindings<'_>,
    meant: Option<&meaning::MeaningFindings>,
    miss: &mut Miss,
    trace: &mut Trace,
) -> Option<Answer> {
    let (running, prices) = match admitted(flow, tenant, turn) {
        Ok(admitted) => admitted,
        Err(reason) => {
            trace.skipped(Step::Llm, Some(Tier::Llm), reason);
            return None;
        }
    };
    let offers = Offers::of(tenant, turn, asked, meant);
    if offers.is_empty() {
        trace.skipped(Step::Llm, Some(Tier::Llm), SkipReason::NoWords);
        return None;
    }
    let request = offers.request(turn.utterance(), |question| {
        question::request(&running.parts.style, question)
    });
    let Some(places) = Places::take(running, tenant) else {
        miss.failed = true;
        trace.skipped(Step::Llm, Some(Tier::Llm), SkipReason::Busy);
        return None;
    };
    let order = Order::of(running, tenant, turn, prices, request, places);
    let report = attempt::ask(running, order, waits_until(turn)).await;
    note(running, tenant, turn, &report);
    let Report {
        outcome, usage, cost, ..
    } = report;
    miss.consulted = Some(Box::new(Consulted {
        result: None,
        tokens: usage.as_ref().map(Usage::total),
    }));
    let completion = match outcome {
        Ok(completion) => completion,
        Err(failure) => {
            failed(flow, tenant, turn, &failure, cost, miss, trace);
            return None;
        }
    };
    let decided = verdict(&completion, |key| offers.get(key).is_some());
    let model = Arc::from(running.parts.style.model.as_str());
    decide(
        &Scene {
            tenant,
            turn,
            asked,
            model,
        },
        &offers,
        &decided,
        cost,
        miss,
        trace,
    )
}

/// The right to have a question under way, of all companies' and of the company's own; given back when it is dropped.
struct Places {
    _of_all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Places {
    fn take(running: &Running, tenant: &Tenant) -> Option<Self> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        Some(Self {
            _own: take(&tenant.shares.questions)?,
            _of_all: take(&running.questions)?,
        })
    }
}

/// What a verdict is about.
struct Scene<'s> {
    tenant: &'s Tenant,
    turn: &'s Turn<'s>,
    asked: &'s RuleFindings<'s>,
    model: Arc<str>,
}

/// Until when a turn waits for the LLM.
fn waits_until(turn: &Turn<'_>) -> Instant {
    let margin = turn.deadline.checked_sub(settings::LLM_MARGIN).unwrap_or(turn.deadline);
    margin.min(Instant::now() + settings::LLM_WAIT)
}

/// Whether the LLM may be asked; else why not.
fn admitted<'f>(
    flow: &'f CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
) -> Result<(&'f Arc<Running>, Prices), SkipReason> {
    let gatekeeper = &tenant.settings.company.gatekeeper;
    if !gatekeeper.enabled || !gatekeeper.llm_enabled {
        return Err(SkipReason::Disabled);
    }
    if turn.normalized().is_empty() {
        return Err(SkipReason::NoWords);
    }
    if turn.dry_run {
        return Err(SkipReason::DryRun);
    }
    let running = flow.llm().0.as_ref().ok_or(SkipReason::NoModel)?;
    let budget = gatekeeper.monthly_budget;
    let limit = running.parts.calls_per_call;
    if budget.is_none() || running.health.is_switched_off() {
        Err(SkipReason::Disabled)
    } else if budget.is_some_and(|budget| budget <= PicoUsd::ZERO) {
        let month = MonthKey::of(turn.arrived, &tenant.settings.company.time_zone);
        exceeded(
            running,
            tenant,
            turn,
            json!({ "month": month, "limit": budget, "spent": null }),
        );
        Err(SkipReason::Budget)
    } else if limit > 0 && u32::from(turn.state.llm_calls) >= limit {
        Err(SkipReason::CallsPerCall)
    } else if let Some(prices) = running.prices() {
        match running.health.admission() {
            Admission::Allowed if waits_until(turn) <= Instant::now() => Err(SkipReason::Deadline),
            Admission::Allowed => Ok((running, prices)),
            Admission::Suspect => Err(SkipReason::Suspect),
            Admission::Open => Err(SkipReason::CircuitOpen),
        }
    } else {
        Err(SkipReason::NoPrice)
    }
}

/// Tells operators that a question did not fit into the budget.
fn note(running: &Running, tenant: &Tenant, turn: &Turn<'_>, report: &Report) {
    if let Err(Failure::OverBudget {
        month,
        limit,
        spend,
        hold,
    }) = &report.outcome
    {
        let details = json!({
            "month": month, "limit": limit, "spent": spend.spent, "held": spend.held, "needed": hold,
        });
        exceeded(running, tenant, turn, details);
    }
}

fn exceeded(running: &Running, tenant: &Tenant, turn: &Turn<'_>, mut details: serde_json::Value) {
    if let Some(details) = details.as_object_mut() {
        details.insert("callId".to_owned(), json!(turn.call));
    }
    let name = &tenant.settings.company.name;
    let message =
        format!("the LLM budget of {name} for this month is used up: callers hear answers of tiers 1 and 2 only");
    running.raise(AlertCode::BudgetExceeded, tenant.id(), message, details);
}

/// Notes why the LLM did not answer. Who waited for it in vain is told that something failed.
fn failed(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    failure: &Failure,
    cost: PicoUsd,
    miss: &mut Miss,
    trace: &mut Trace,
) {
    let reason = match failure {
        Failure::OverBudget { .. } => SkipReason::Budget,
        Failure::Ledger => {
            flow.report_failure(tenant.id(), &turn.call, Stage::Tier3Llm);
            SkipReason::Ledger
        }
        Failure::Known | Failure::Provider | Failure::Late | Failure::Broken => {
            miss.failed = true;
            flow.report_failure(tenant.id(), &turn.call, Stage::Tier3Llm);
            let found = Found {
                tier: Some(Tier::Llm),
                cost,
                ..Found::default()
            };
            trace.asked(Step::Llm, StepOutcome::Error, found);
            return;
        }
    };
    miss.consulted = None;
    trace.skipped(Step::Llm, Some(Tier::Llm), reason);
}

/// What a verdict comes to. What the model wrote is no more than a key.
fn decide(
    scene: &Scene<'_>,
    offers: &Offers<'_>,
    verdict: &Verdict,
    cost: PicoUsd,
    miss: &mut Miss,
    trace: &mut Trace,
) -> Option<Answer> {
    let Scene {
        tenant,
        turn,
        asked,
        model,
    } = scene;
    let threshold = Confidence::clamped(settings::TIER3_THRESHOLD);
    let (choice, out_of_scope, confidence) = match verdict {
        Verdict::Choice { key, confidence } => (Some(key.as_str()), false, Some(Confidence::clamped(*confidence))),
        Verdict::None {
            out_of_scope,
            confidence,
        } => (None, *out_of_scope, Some(Confidence::clamped(*confidence))),
        Verdict::Unusable(why) => {
            tracing::warn!(company.id = %tenant.id(), call.id = %turn.call, "the LLM's answer {why}: it is no match");
            (None, false, None)
        }
    };
    if let Some(consulted) = &mut miss.consulted {
        consulted.result = Some(LlmResult {
            model: Arc::clone(model),
            choice: choice.map(Into::into),
            out_of_scope,
            confidence,
        });
    }
    let chosen = choice.and_then(|key| offers.get(key)).zip(confidence);
    let answer =
        chosen
            .filter(|(_, confidence)| *confidence >= threshold)
            .and_then(|(entry, confidence)| match entry {
                Entry::Answer(candidate) => asked.chosen(&candidate, confidence, threshold),
                Entry::Danger(category) => Some(safety::chosen(tenant, turn, category, confidence)),
            });
    miss.out_of_scope |= out_of_scope && confidence.is_some_and(|confidence| confidence >= threshold);
    let outcome = if answer.is_some() {
        StepOutcome::Matched
    } else {
        StepOutcome::BelowThreshold
    };
    let found = Found {
        tier: Some(Tier::Llm),
        confidence: chosen.map(|(_, confidence)| confidence),
        threshold: Some(threshold),
        candidates: chosen
            .and_then(|(entry, confidence)| candidate(tenant, entry, confidence))
            .into_iter()
            .collect(),
        cost,
        ..Found::default()
    };
    trace.asked(Step::Llm, outcome, found);
    answer.map(|answer| Answer {
        consulted: miss.consulted.clone(),
        ..answer
    })
}

fn candidate(tenant: &Tenant, entry: Entry<'_>, confidence: Confidence) -> Option<TraceCandidate> {
    let (id, kind) = match entry {
        Entry::Danger(category) => (category.id.shared(), CandidateKind::Safety),
        Entry::Answer(candidate) => named(tenant.knowledge.target(&candidate)?),
    };
    Some(TraceCandidate { id, kind, confidence })
}
