//! Step 3: life-safety rules, before anything else.

use std::sync::Arc;

use frontdesk_domain::{
    confidence::Confidence,
    decision::{CandidateKind, Step, StepOutcome, Tier, TraceCandidate},
    documents::{safety::SafetyCategory, template::Action},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    answer::{Answer, AnsweredBy},
    company::{Platform, Tenant},
    meaning::Danger,
    trace::{Found, Trace},
    turn::Turn,
};

/// The answer to words of danger. Asked with or without a company: without one nobody can be dialled.
pub(crate) fn answer(
    platform: &Platform,
    tenant: Option<&Tenant>,
    normalized: &str,
    now: Timestamp,
    dialled: &[PhoneNumber],
    trace: &mut Trace,
) -> Option<Answer> {
    let Some(found) = platform.safety().find(normalized) else {
        trace.asked(Step::Safety, StepOutcome::BelowThreshold, Found::default());
        return None;
    };
    let category = found.category;
    let matched_words = found.words(normalized).split_whitespace().map(Into::into).collect();
    trace.asked(
        Step::Safety,
        StepOutcome::Matched,
        Found {
            confidence: Some(Confidence::CERTAIN),
            candidates: vec![TraceCandidate {
                id: category.id.shared(),
                kind: CandidateKind::Safety,
                confidence: Confidence::CERTAIN,
            }],
            matched_words,
            ..Found::default()
        },
    );
    Some(spoken(tenant, category, now, dialled))
}

/// The same for a turn of a company.
pub(crate) fn answer_to(tenant: &Tenant, turn: &Turn<'_>, trace: &mut Trace) -> Option<Answer> {
    answer(
        &tenant.platform,
        Some(tenant),
        turn.normalized(),
        turn.arrived,
        &turn.state.dialled,
        trace,
    )
}

/// The answer to a danger that the rules have no words for.
pub(crate) fn answer_by_meaning(
    tenant: &Tenant,
    turn: &Turn<'_>,
    danger: &Danger,
    trace: &mut Trace,
) -> Option<Answer> {
    let categories = tenant.platform.safety().categories();
    let category = categories.iter().find(|category| category.id == danger.id)?;
    trace.asked(
        Step::Safety,
        StepOutcome::Matched,
        Found {
            tier: Some(Tier::Semantic),
            confidence: Some(danger.confidence),
            candidates: vec![TraceCandidate {
                id: category.id.shared(),
                kind: CandidateKind::Safety,
                confidence: danger.confidence,
            }],
            nearest_trigger: Some(Arc::clone(&danger.nearest)),
            ..Found::default()
        },
    );
    let mut answer = spoken(Some(tenant), category, turn.arrived, &turn.state.dialled);
    answer.tier = Some(Tier::Semantic);
    answer.confidence = danger.confidence;
    Some(answer)
}

/// The answer to a danger that the LLM heard.
pub(crate) fn chosen(tenant: &Tenant, turn: &Turn<'_>, category: &SafetyCategory, confidence: Confidence) -> Answer {
    let mut answer = spoken(Some(tenant), category, turn.arrived, &turn.state.dialled);
    answer.tier = Some(Tier::Llm);
    answer.confidence = confidence;
    answer
}

/// What a caller in danger hears, and what is done.
fn spoken(tenant: Option<&Tenant>, category: &SafetyCategory, now: Timestamp, dialled: &[PhoneNumber]) -> Answer {
    let can_transfer = tenant.is_some_and(|tenant| tenant.next_number(now, dialled).is_some());
    // A transfer that cannot be made becomes a message: the sentence without transfer asks for one.
    let (sentence, action) = match category.action {
        Action::Transfer if !can_transfer => (&category.sentence_without_transfer, Action::TakeMessage),
        action => (&category.sentence, action),
    };
    let mut answer = Answer::certain(AnsweredBy::Safety(category.id.clone()), sentence.clone(), action);
    answer.emergency = true;
    answer
}
