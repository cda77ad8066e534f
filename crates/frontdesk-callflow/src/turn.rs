//! A turn: what comes in, the steps in their order, the decision that comes out.

use std::{sync::Arc, time::Instant};

use frontdesk_domain::{
    alert::Stage,
    call_state::{CallState, Question},
    decision::{Decision, Source, Step, StepOutcome, Tier},
    documents::{prompts::PromptName, template::Action},
    ids::{CallId, TurnId},
    phone::PhoneNumber,
    time::Timestamp,
};
use frontdesk_twilio::webhook::Caller;

use crate::{
    answer::{Answer, AnsweredBy, Pace},
    company::Tenant,
    conversation::{self, Conversed},
    fallback,
    flow::CallFlow,
    gatekeeper::{self, Miss},
    limits,
    llm::Consulted,
    priority,
    rules::{RuleFindings, RulesFailed},
    safety, status,
    trace::{Found, Trace},
    webhook::{Dialled, turn_id},
};

/// What a caller did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'t> {
    /// They spoke: their words, redacted, and the normal form of these.
    Words {
        /// As the recogniser wrote them, redacted.
        utterance: &'t str,
        /// What is compared.
        normalized: &'t str,
    },
    /// They pressed keys; redacted.
    Keys(&'t str),
    /// The call begins.
    NothingYet,
    /// They said nothing.
    Silence,
    /// Somebody was dialled for them.
    Dialled(Dialled),
}

/// One turn of a call.
#[derive(Debug, Clone)]
pub(crate) struct Turn<'t> {
    /// Which call.
    pub(crate) call: CallId,
    /// Which turn: the same webhook has the same key, however often it comes.
    pub(crate) key: u64,
    /// When it arrived.
    pub(crate) arrived: Timestamp,
    /// Until then it is to be answered.
    pub(crate) deadline: tokio::time::Instant,
    /// The caller, redacted, as Twilio names them.
    pub(crate) from: Option<&'t str>,
    /// What the caller did.
    pub(crate) said: Said<'t>,
    /// What the call remembers.
    pub(crate) state: &'t CallState,
    /// A dry run spends and records nothing.
    pub(crate) dry_run: bool,
}

impl Turn<'_> {
    /// Its id: the same webhook has the same one.
    pub(crate) fn id(&self) -> TurnId {
        turn_id(&self.call, self.key)
    }

    /// The normal form of what was said; empty if nothing was.
    pub(crate) const fn normalized(&self) -> &str {
        match self.said {
            Said::Words { normalized, .. } => normalized,
            Said::Keys(_) | Said::NothingYet | Said::Silence | Said::Dialled(_) => "",
        }
    }

    /// The caller's number, if they have one and do not withhold it.
    pub(crate) fn caller(&self) -> Option<PhoneNumber> {
        match Caller::of(self.from?) {
            Caller::Number(number) => number.parse().ok(),
            _ => None,
        }
    }

    /// What was said, redacted; empty if nothing was.
    pub(crate) const fn utterance(&self) -> &str {
        match self.said {
            Said::Words { utterance, .. } => utterance,
            Said::Keys(_) | Said::NothingYet | Said::Silence | Said::Dialled(_) => "",
        }
    }
}

/// A decided turn: what operators see of it, and what only the next turn needs.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) by: AnsweredBy,
    /// The number that the rotation of fallbacks gave.
    pub(crate) rotation: Option<u64>,
    /// The variation of the fallback that is spoken.
    pub(crate) variation: Option<usize>,
    /// Which catalogue of other trades' templates was asked.
    pub(crate) catalogue: Option<u64>,
    /// What is said after the response.
    pub(crate) follow: Option<Arc<str>>,
    /// What the caller is asked.
    pub(crate) asks: Question,
    /// How it is spoken and waited for.
    pub(crate) pace: Pace,
    /// Said beside the matter: who wants the last words again means those before it.
    pub(crate) is_aside: bool,
    /// Who is dialled.
    pub(crate) dials: Option<PhoneNumber>,
    /// What became of asking the LLM, if it was asked.
    pub(crate) consulted: Option<Box<Consulted>>,
}

/// Answers one turn of a call: steps 3 to 7 of DESIGN section 1, in order. Never fails.
pub(crate) async fn handle_turn(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>) -> Decided {
    let started = Instant::now();
    let mut trace = Trace::new();
    let danger = safety::answer_to(tenant, turn, &mut trace);
    let known = match danger {
        Some(answer) => Some(answer),
        None => limits::answer(flow, tenant, turn, &mut trace)
            .await
            .or_else(|| status::answer(tenant, turn, &mut trace)),
    };
    let conversed = match known {
        Some(answer) => Conversed::Answered(answer),
        None => conversation::answer(flow, tenant, turn, &mut trace).await,
    };
    let answer = match conversed {
        Conversed::Answered(answer) => answer,
        Conversed::LeftToOthers(steering) => match look_up(flow, tenant, turn, &mut trace).await {
            Ok(answer) => conversation::accompany(flow, tenant, turn, steering, answer).await,
            Err(miss) => fallback::choose(flow, tenant, turn, miss, &mut trace).await,
        },
    };
    decided(tenant, turn, answer, trace, started)
}

/// Looks the utterance up: what equals it; by rules company Q&A, trade Q&A, templates; then by meaning in the same order.
async fn look_up(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Result<Answer, Miss> {
    let asked = match RuleFindings::ask(tenant, turn) {
        Ok(asked) => asked,
        Err(RulesFailed) => return without_rules(flow, tenant, turn, trace).await,
    };
    if let Some(answer) = asked.equal(trace) {
        return Ok(answer);
    }
    let asked = match asked.without_equal() {
        Ok(asked) => asked,
        Err(RulesFailed) => return without_rules(flow, tenant, turn, trace).await,
    };
    match priority::answer(&asked, trace) {
        Ok(answer) => Ok(answer),
        Err(miss) => gatekeeper::answer(flow, tenant, turn, &asked, miss, trace).await,
    }
}

/// Tier 1 failed: the next tiers answer.
async fn without_rules(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Result<Answer, Miss> {
    flow.report_failure(tenant.id(), &turn.call, Stage::Tier1);
    let found = Found {
        tier: Some(Tier::Rules),
        ..Found::default()
    };
    trace.asked(Step::Tier1, StepOutcome::Error, found);
    let miss = Miss {
        failed: true,
        ..Miss::default()
    };
    gatekeeper::above_rules(flow, tenant, turn, &RuleFindings::of_nothing(tenant, turn), miss, trace).await
}

/// The decision that an answer makes.
pub(crate) fn decided(tenant: &Tenant, turn: &Turn<'_>, mut answer: Answer, trace: Trace, started: Instant) -> Decided {
    let by = answer.by;
    let (mut follow, mut asks) = (answer.follow, answer.asks);
    // What an answer offers in its own words, a bare yes takes.
    let offers_itself = by.fallback().is_some() || answer.response.trim_end().ends_with('?');
    if offers_itself
        && asks == Question::None
        && follow.is_none()
        && answer.action == Action::None
        && let Some(offer) = conversation::offered_by(tenant, turn, &answer.response)
    {
        asks = Question::Offer(offer);
    }
    // An answer that asks nothing itself is followed by whether there is anything else.
    let answered = by.scenario().is_some() || by.qna().is_some();
    let is_open = asks == Question::None && !answer.is_aside && !answer.response.trim_end().ends_with('?');
    if answered && is_open && answer.action == Action::None {
        let n = usize::try_from(turn.state.turn).unwrap_or_default();
        follow = tenant.prompt(PromptName::AnythingElse, n);
        asks = Question::AnythingElse;
    }
    let dials = match (&by, answer.action) {
        (AnsweredBy::Status, Action::Transfer) => tenant.forward_number(&turn.state.dialled),
        (_, Action::Transfer) => tenant.next_number(turn.arrived, &turn.state.dialled),
        _ => None,
    };
    // Nobody can be reached for a scenario that wants a person, and no message is offered: a call back is.
    if by.scenario().is_some() && answer.action == Action::Transfer && dials.is_none() {
        let instead = conversation::instead_of_a_transfer(tenant, turn);
        if let Some(question) = instead {
            answer.action = Action::None;
            follow = Some(question);
            asks = Question::Callback;
        }
    }
    // Whoever leaves no message is offered a call back.
    if answer.action == Action::TakeMessage || (answer.action == Action::Transfer && dials.is_none()) {
        asks = Question::Message;
    }
    let pace = if turn.state.slowly && answer.pace == Pace::Usual {
        Pace::Slow
    } else {
        answer.pace
    };
    let decision = Decision {
        company_id: tenant.id(),
        utterance: turn.utterance().into(),
        normalized: turn.normalized().into(),
        source: if answer.tier == Some(Tier::Llm) {
            Source::Llm
        } else {
            by.source()
        },
        tier: answer.tier,
        confidence: answer.confidence,
        threshold: answer.threshold,
        scenario_id: by.scenario().cloned(),
        qna_id: by.qna().cloned(),
        safety_id: by.safety().cloned(),
        response: answer.response,
        action: answer.action,
        emergency: answer.emergency,
        matcher: tenant.learnt.matcher(),
        fallback_type: by.fallback(),
        escalation: answer.escalation,
        cost_usd: trace.cost(),
        latency_micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        versions: Arc::clone(&tenant.versions),
        trace: trace.into_entries(),
    };
    Decided {
        decision,
        by,
        rotation: answer.rotation,
        variation: answer.variation,
        catalogue: answer.catalogue,
        follow,
        asks,
        pace,
        is_aside: answer.is_aside,
        dials,
        consulted: answer.consulted,
    }
}
