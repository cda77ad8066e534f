//! Step 7: the typed, rotated fallback with a real way out (DESIGN 4.4, 4.5).

use std::sync::Arc;

use frontdesk_domain::{
    alert::Stage,
    call_state::Question,
    confidence::Confidence,
    decision::{Escalation, FallbackKind, Offer, Step, StepOutcome},
    documents::{prompts::PromptName, template::Action},
    rotation,
    variables::Wording,
};
use frontdesk_store::ports::RotationStore as _;
use tokio::time::Instant;
use tracing::warn;

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    conversation, emergency,
    flow::CallFlow,
    foreign::{self, ForeignMatch},
    gatekeeper::Miss,
    settings,
    shares::within,
    trace::{Found, Trace},
    turn::Turn,
};

/// Chooses what a caller hears whom no step could answer.
pub(crate) async fn choose(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, miss: Miss, trace: &mut Trace) -> Answer {
    let (close, consulted) = (miss.close.clone(), miss.consulted.clone());
    let claim = foreign::claims(flow, tenant, turn, miss.best).await;
    let kind = kind_of(&miss, &claim);
    let number = rotation_number(flow, tenant, turn, kind).await;
    let spoken = variation(tenant, turn, kind, number);
    let found = Found {
        candidates: claim.candidates,
        ..Found::default()
    };
    trace.asked(Step::Fallback, StepOutcome::Matched, found);

    let all_heard = spoken.as_ref().is_some_and(|spoken| spoken.all_heard);
    let misses = turn.state.misses.saturating_add(1);
    let required = kind == FallbackKind::TechnicalIssue || misses >= settings::MISSES_BEFORE_ESCALATION || all_heard;
    let offers = tenant.offers(turn.arrived);
    let (action, mut follow, mut asks) = if required {
        conversation::way_out(tenant, turn, &offers)
    } else {
        (Action::None, None, Question::None)
    };
    // Two close candidates that nothing decided are offered as a choice.
    if kind == FallbackKind::ClarificationNeeded
        && action == Action::None
        && let Some(choice) = close.and_then(|options| conversation::offered(tenant, turn, options))
    {
        follow = Some(choice.question);
        asks = Question::Choice(choice.options);
    }
    let Some(Spoken {
        text: response,
        index: variation,
        ..
    }) = spoken
    else {
        flow.report_failure(tenant.id(), &turn.call, Stage::Fallback);
        return Answer {
            consulted,
            ..emergency::answer(tenant, turn)
        };
    };
    let way = match action {
        Action::Transfer => Some(Offer::Transfer),
        Action::TakeMessage => Some(Offer::Message),
        _ => (asks == Question::Callback).then_some(Offer::Callback),
    };
    // A company's own variation is spoken as it is written.
    let response = match (way, variation) {
        (Some(way), None) => conversation::leading_to(tenant, way, &response).unwrap_or(response),
        _ => response,
    };
    let mut answer = Answer::certain(AnsweredBy::Fallback(kind), response, action);
    answer.confidence = Confidence::NONE;
    answer.escalation = Escalation { required, offers };
    answer.rotation = Some(number);
    answer.variation = variation;
    answer.catalogue = claim.catalogue;
    answer.consulted = consulted;
    answer.asking(asks, follow)
}

/// The kind follows from scores alone.
const fn kind_of(miss: &Miss, claim: &ForeignMatch) -> FallbackKind {
    if miss.failed {
        FallbackKind::TechnicalIssue
    } else if claim.holds || miss.out_of_scope {
        FallbackKind::OutOfScope
    } else if miss.near {
        FallbackKind::ClarificationNeeded
    } else {
        FallbackKind::NoMatchFound
    }
}

/// The company's counter for this kind. A store that does not answer in time costs the even rotation, not the answer.
async fn rotation_number(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, kind: FallbackKind) -> u64 {
    if let Some(number) = flow.rotation_while_resting(turn.arrived) {
        return number;
    }
    let rotation = async {
        if turn.dry_run {
            flow.store().peek_rotation(tenant.id(), kind).await
        } else {
            flow.store().next_rotation(tenant.id(), kind).await
        }
    };
    // What is left of the turn may be less than the store is waited for elsewhere.
    let until = (Instant::now() + settings::STORE_DEADLINE).min(turn.deadline - settings::FALLBACK_MARGIN);
    match within(&tenant.shares.store, until, rotation).await {
        Ok(Ok(number)) => number,
        Ok(Err(error)) => {
            warn!(company.id = %tenant.id(), error = &error as &dyn std::error::Error, "the rotation of fallbacks goes on locally");
            flow.rotation_after_failure(turn.arrived)
        }
        Err(_) => {
            warn!(company.id = %tenant.id(), "the rotation of fallbacks was not read in time and goes on locally");
            flow.rotation_after_failure(turn.arrived)
        }
    }
}

struct Spoken {
    text: Arc<str>,
    /// Its index among the company's own variations; none for the language's.
    index: Option<usize>,
    all_heard: bool,
}

/// The variation that is spoken: of the company's own ones, else of the language's.
fn variation(tenant: &Tenant, turn: &Turn<'_>, kind: FallbackKind, number: u64) -> Option<Spoken> {
    let company = &tenant.settings.company;
    let own = own_variations(tenant, kind);
    let speakable: Vec<(usize, Arc<str>)> = own
        .iter()
        .enumerate()
        .filter_map(|(index, wording)| Some((index, Arc::from(wording.render(&company.variables).ok()?))))
        .filter(|(_, text): &(usize, Arc<str>)| !text.trim().is_empty())
        .collect();
    let place_of = |heard: &u16| speakable.iter().position(|(index, _)| *index == usize::from(*heard));
    let heard: Vec<u16> = turn
        .state
        .heard(kind)
        .iter()
        .filter_map(place_of)
        .filter_map(|place| u16::try_from(place).ok())
        .collect();
    if let Some(chosen) = rotation::choose(number, speakable.len(), &heard) {
        let (index, text) = speakable.into_iter().nth(chosen.index)?;
        return Some(Spoken {
            text,
            index: Some(index),
            all_heard: chosen.all_heard,
        });
    }
    let number = usize::try_from(number % 1_000_000).unwrap_or_default();
    let text = tenant.prompt(prompt_of(kind), number)?;
    Some(Spoken {
        text,
        index: None,
        all_heard: false,
    })
}

fn own_variations(tenant: &Tenant, kind: FallbackKind) -> &[Wording] {
    let fallback = &tenant.settings.company.fallback;
    match kind {
        FallbackKind::ClarificationNeeded => &fallback.clarification_needed,
        FallbackKind::NoMatchFound => &fallback.no_match_found,
        FallbackKind::TechnicalIssue => &fallback.technical_issue,
        FallbackKind::OutOfScope => &fallback.out_of_scope,
    }
}

const fn prompt_of(kind: FallbackKind) -> PromptName {
    match kind {
        FallbackKind::ClarificationNeeded => PromptName::ClarificationNeeded,
        FallbackKind::NoMatchFound => PromptName::NoMatchFound,
        FallbackKind::TechnicalIssue => PromptName::TechnicalIssue,
        FallbackKind::OutOfScope => PromptName::OutOfScope,
    }
}
