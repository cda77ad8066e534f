//! How `aiAgentLogic` and `aiAgentSettings` of a company are read.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    EscalationOptions, FallbackResponses, Gatekeeper, LastUsedIndex, LearningSettings, Opening, SPOKEN,
    TemplateReference, Thresholds,
};
use crate::{
    documents::reader::{
        Place, Read, Reader, refuse_repeats,
        shapes::{boolean, confidence, integer, list, money, object, parsed, slug, timestamp, wording},
        unwrap,
    },
    ids::TemplateId,
    variables::Wording,
};

pub(super) type Logic = (Thresholds, Gatekeeper, FallbackResponses, LearningSettings, Opening);

pub(super) fn logic(doc: &mut Reader<'_, '_>) -> Option<Logic> {
    let thresholds = doc.or("thresholds", json!({}), object(thresholds));
    let gatekeeper = doc.or("templateGatekeeper", json!({}), object(gatekeeper));
    let fallback = doc.or("fallbackResponses", json!({}), object(fallback));
    let learning = doc.or("learningSettings", json!({}), object(learning));
    let (gatekeeper, opening) = gatekeeper?;
    let (fallback, last_used) = fallback?;
    Some((
        thresholds?,
        gatekeeper,
        fallback,
        learning?,
        Opening { last_used, ..opening },
    ))
}

fn thresholds(doc: &mut Reader<'_, '_>) -> Option<Thresholds> {
    let company_qna = doc.or("companyQnA", json!(0.8), confidence);
    let trade_qna = doc.or("tradeQnA", json!(0.75), confidence);
    Some(Thresholds {
        company_qna: company_qna?,
        trade_qna: trade_qna?,
    })
}

fn gatekeeper(doc: &mut Reader<'_, '_>) -> Option<(Gatekeeper, Opening)> {
    let enabled = doc.or("enabled", true, boolean);
    let tier1_threshold = doc.optional("tier1Threshold", confidence);
    let tier2_threshold = doc.optional("tier2Threshold", confidence);
    let llm_enabled = doc.or("enableLLMFallback", true, boolean);
    let monthly_budget = doc.optional("monthlyBudget", money);
    let current_spend = doc.server_owned("currentSpend", money);
    let last_reset = doc.server_owned("lastResetDate", timestamp);
    let gatekeeper = Gatekeeper {
        enabled: enabled?,
        tier1_threshold,
        tier2_threshold,
        llm_enabled: llm_enabled?,
        monthly_budget,
    };
    Some((
        gatekeeper,
        Opening {
            current_spend,
            last_reset,
            last_used: LastUsedIndex::default(),
        },
    ))
}

fn fallback(doc: &mut Reader<'_, '_>) -> Option<(FallbackResponses, LastUsedIndex)> {
    let tone = doc.or("toneProfile", "friendly", slug(|text| text.into()));
    let mut variations = |name| -> Option<Vec<Wording>> { doc.or(name, json!([]), list(0..=50, wording(1..=SPOKEN))) };
    let clarification_needed = variations("clarificationNeeded");
    let no_match_found = variations("noMatchFound");
    let technical_issue = variations("technicalIssue");
    let out_of_scope = variations("outOfScope");
    let escalation = doc.or("escalationOptions", json!({}), object(escalation));
    let last_used = doc.server_owned("lastUsedIndex", object(|doc| Some(last_used(doc))));
    let fallback = FallbackResponses {
        tone: tone?,
        clarification_needed: clarification_needed?,
        no_match_found: no_match_found?,
        technical_issue: technical_issue?,
        out_of_scope: out_of_scope?,
        escalation: escalation?,
    };
    Some((fallback, last_used.unwrap_or_default()))
}

fn escalation(doc: &mut Reader<'_, '_>) -> Option<EscalationOptions> {
    let transfer = doc.or("offerTransfer", true, boolean);
    let message = doc.or("offerMessage", true, boolean);
    let callback = doc.or("offerCallback", true, boolean);
    Some(EscalationOptions {
        transfer: transfer?,
        message: message?,
        callback: callback?,
    })
}

fn last_used(doc: &mut Reader<'_, '_>) -> LastUsedIndex {
    // -1 is what some write before the first.
    let mut index = |name| {
        doc.optional(name, integer::<i64>(-1..=1_000_000))
            .and_then(|index| u32::try_from(index).ok())
    };
    LastUsedIndex {
        clarification: index("clarification"),
        no_match: index("noMatch"),
        technical: index("technical"),
        out_of_scope: index("outOfScope"),
    }
}

fn learning(doc: &mut Reader<'_, '_>) -> Option<LearningSettings> {
    let auto_learn = doc.or("autoLearn", true, boolean);
    let share_patterns = doc.or("sharePatterns", false, boolean);
    let min_confidence = doc.or("minConfidenceForSuggestion", json!(0.8), confidence);
    Some(LearningSettings {
        auto_learn: auto_learn?,
        share_patterns: share_patterns?,
        min_confidence: min_confidence?,
    })
}

pub(super) fn settings(doc: &mut Reader<'_, '_>) -> Option<Vec<TemplateReference>> {
    let ids = texts_of_references(doc.raw("templateReferences"));
    refuse_repeats(doc.place, ids);
    let references = doc.or("templateReferences", json!([]), list(0..=100, reference))?;
    // A plain id stands where it is listed; an object stands where its priority says.
    let mut ordered: Vec<_> = (1_i64..)
        .zip(references)
        .map(|(position, (reference, priority))| (priority.unwrap_or(position), reference))
        .collect();
    ordered.sort_by_key(|(priority, _)| *priority);
    Some(ordered.into_iter().map(|(_, reference)| reference).collect())
}

fn reference(value: &Value, place: &mut Place<'_>) -> Read<(TemplateReference, Option<i64>)> {
    match value {
        Value::String(_) => {
            let (template, json) = template_id(value, place)?;
            Some((
                (
                    TemplateReference {
                        template,
                        enabled: true,
                    },
                    None,
                ),
                json,
            ))
        }
        Value::Object(_) => object(|doc| {
            let template = doc.required("templateId", template_id);
            let enabled = doc.or("enabled", true, boolean);
            let priority = doc.optional("priority", integer(0..=1_000_000));
            Some((
                TemplateReference {
                    template: template?,
                    enabled: enabled?,
                },
                priority,
            ))
        })(value, place),
        _ => place.wrong(value, "a template id or {\"templateId\", \"enabled\", \"priority\"}"),
    }
}

fn template_id(value: &Value, place: &mut Place<'_>) -> Read<TemplateId> {
    parsed("the id of a template, of 24 hexadecimal digits")(value, place)
}

fn texts_of_references(references: Option<&Value>) -> Vec<(String, Cow<'_, str>)> {
    let items = references.and_then(Value::as_array).into_iter().flatten().enumerate();
    items
        .filter_map(|(index, item)| {
            let plain = unwrap(item);
            let (below, id) = match plain.get("templateId") {
                Some(id) => ("/templateId", unwrap(id).as_str()?.to_ascii_lowercase()),
                None => ("", plain.as_str()?.to_ascii_lowercase()),
            };
            Some((format!("/templateReferences/{index}{below}"), Cow::Owned(id)))
        })
        .collect()
}
