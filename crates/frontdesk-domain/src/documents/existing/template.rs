//! Templates: their scenarios, with what categories add to them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Outcome,
    mapping::{Mapped, Mapping, below, says_something, slug_of},
};
use crate::documents::import::Kind;

/// Names of reply strategies there and here.
const STRATEGIES: [(&str, &str); 7] = [
    ("AUTO", "auto"),
    ("FULL", "full"),
    ("FULL_ONLY", "full"),
    ("QUICK", "quick"),
    ("QUICK_ONLY", "quick"),
    ("QUICK_THEN_FULL", "quickThenFull"),
    ("QUICKTHENFULL", "quickThenFull"),
];

/// What other matchers have worked out, which is large and worthless here.
const WORKED_OUT: [&str; 3] = ["embeddingVector", "embedding", "embeddings"];

pub(super) fn map(collection: &Arc<str>, document: Value) -> Mapped {
    let mut mapping = match Mapping::begin(collection, document) {
        Ok(mapping) => mapping,
        Err(none) => return none,
    };
    mapping.rename("industryLabel", "trade");
    if !mapping.has("trade") {
        mapping.rename("templateType", "trade");
    }
    if let Some(version) = mapping.fields.get_mut("version")
        && version.is_number()
    {
        *version = version.to_string().into();
    }
    thresholds(&mut mapping);
    if let Some(Value::Array(mut categories)) = mapping.take("categories") {
        for (index, each) in categories.iter_mut().enumerate() {
            if let Value::Object(each) = each {
                category(&mut mapping, each, index);
            }
        }
        mapping.fields.insert("categories".into(), Value::Array(categories));
    }
    mapping.end(Kind::Template)
}

/// Thresholds stand at the top here.
fn thresholds(mapping: &mut Mapping) {
    for name in ["tier1Threshold", "tier2Threshold"] {
        let Some(learning) = mapping
            .fields
            .get_mut("learningSettings")
            .and_then(Value::as_object_mut)
        else {
            return;
        };
        if let Some(threshold) = learning.shift_remove(name)
            && !mapping.has(name)
        {
            mapping.fields.insert(name.into(), threshold);
            mapping.moved(below("", name), below("/learningSettings", name));
        }
    }
}

fn category(mapping: &mut Mapping, category: &mut Map<String, Value>, index: usize) {
    let at = format!("/categories/{index}");
    identify(
        mapping,
        category,
        &["categoryId", "_id"],
        &at,
        &format!("category-{}", index + 1),
    );
    let is_off = category.shift_remove("isActive") == Some(Value::Bool(false));
    if is_off {
        let why = "the category is off, so its scenarios are archived";
        mapping.remark(
            Outcome::Changed,
            format!("{at}/isActive"),
            why,
            "make those live that should answer",
        );
    }
    widen(mapping, category, &at);
    let Some(Value::Array(scenarios)) = category.get_mut("scenarios") else {
        return;
    };
    for (number, each) in scenarios.iter_mut().enumerate() {
        if let Value::Object(each) = each {
            scenario(mapping, each, &format!("{at}/scenarios/{number}"), number, is_off);
        }
    }
}

/// Fillers and synonyms of a category are those of its template here.
fn widen(mapping: &mut Mapping, category: &mut Map<String, Value>, at: &str) {
    let fillers = category.shift_remove("additionalFillerWords");
    let fillers: Vec<_> = match fillers {
        Some(Value::Array(fillers)) => fillers.into_iter().filter(|word| says_something(Some(word))).collect(),
        _ => Vec::new(),
    };
    if !fillers.is_empty() {
        let words = mapping.fields.entry("fillerWords").or_insert_with(|| json!([]));
        if let Some(words) = words.as_array_mut() {
            for word in fillers {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        let why = "are filler words of the whole template now";
        mapping.remark(Outcome::Changed, format!("{at}/additionalFillerWords"), why, "");
    }
    let Some(Value::Object(synonyms)) = category.shift_remove("synonymMap") else {
        return;
    };
    if synonyms.is_empty() {
        return;
    }
    let all = mapping.fields.entry("synonymMap").or_insert_with(|| json!({}));
    if let Some(all) = all.as_object_mut() {
        for (term, aliases) in synonyms {
            let known = all.entry(term).or_insert_with(|| json!([]));
            if let (Some(known), Value::Array(aliases)) = (known.as_array_mut(), aliases) {
                known.extend(aliases.into_iter().filter(|alias| says_something(Some(alias))));
                let mut seen = std::collections::BTreeSet::new();
                known.retain(|alias| seen.insert(alias.to_string()));
            }
        }
    }
    let why = "are synonyms of the whole template now";
    mapping.remark(Outcome::Changed, format!("{at}/synonymMap"), why, "");
}

/// The first of these names that holds an id becomes `id`; one that cannot be one here is rewritten.
fn identify(mapping: &mut Mapping, fields: &mut Map<String, Value>, names: &[&str], at: &str, otherwise: &str) {
    for name in names {
        let value = fields.shift_remove(*name);
        if !says_something(fields.get("id"))
            && let Some(value) = value.filter(|value| says_something(Some(value)))
        {
            fields.insert("id".into(), value);
            mapping.moved(format!("{at}/id"), below(at, name));
        }
    }
    let id = match fields.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => String::new(),
    };
    let slug = if id.trim().is_empty() {
        otherwise.to_owned()
    } else {
        slug_of(&id)
    };
    if slug != id {
        let why = format!("its id is `{slug}` here: letters, digits, dots and dashes");
        mapping.remark(Outcome::Changed, format!("{at}/id"), why, "");
    }
    fields.insert("id".into(), slug.into());
}

fn scenario(mapping: &mut Mapping, scenario: &mut Map<String, Value>, at: &str, number: usize, category_is_off: bool) {
    identify(
        mapping,
        scenario,
        &["scenarioId", "_id"],
        at,
        &format!("scenario-{}", number + 1),
    );
    for name in WORKED_OUT {
        if says_something(scenario.shift_remove(name).as_ref()) {
            let why = "Frontdesk computes its own";
            mapping.remark(Outcome::LeftOut, below(at, name), why, "");
        }
    }
    let is_off = scenario.shift_remove("isActive") == Some(Value::Bool(false));
    if (is_off || category_is_off) && scenario.get("status").and_then(Value::as_str) != Some("draft") {
        scenario.insert("status".into(), "archived".into());
        if is_off {
            mapping.remark(
                Outcome::Changed,
                format!("{at}/isActive"),
                "is off, so it is archived",
                "",
            );
        }
    }
    strategy(mapping, scenario, at);
    for (old, name) in [("quickReply", "quickReplies"), ("fullReply", "fullReplies")] {
        let single = scenario.shift_remove(old);
        let list = scenario.entry(name).or_insert_with(|| json!([]));
        if let (Some(list), Some(single)) = (list.as_array_mut(), single)
            && list.is_empty()
            && says_something(Some(&single))
        {
            list.push(single);
            mapping.moved(below(at, name), below(at, old));
        }
        replies(mapping, scenario, name, at);
    }
    negatives(scenario);
    // A list with a blank in it is what forms send.
    for name in ["triggers", "regexTriggers", "negativeTriggers"] {
        if let Some(Value::Array(items)) = scenario.get_mut(name) {
            items.retain(|item| says_something(Some(item)));
        }
    }
    follow_up(mapping, scenario, at);
}

fn strategy(mapping: &mut Mapping, scenario: &mut Map<String, Value>, at: &str) {
    let Some(given) = scenario.get("replyStrategy").and_then(Value::as_str) else {
        return;
    };
    if ["auto", "full", "quick", "quickThenFull"].contains(&given) {
        return;
    }
    let upper = given.to_uppercase();
    let known = STRATEGIES
        .iter()
        .find(|(there, _)| *there == upper)
        .map(|(_, here)| *here);
    if known.is_none() {
        let why = format!("\"{given}\" is \"auto\" here: no word that a model wrote is spoken");
        mapping.remark(Outcome::Changed, format!("{at}/replyStrategy"), why, "");
    }
    scenario.insert("replyStrategy".into(), known.unwrap_or("auto").into());
}

/// Replies are texts; weights have no counterpart, all take turns.
fn replies(mapping: &mut Mapping, scenario: &mut Map<String, Value>, name: &str, at: &str) {
    let Some(Value::Array(items)) = scenario.get_mut(name) else {
        return;
    };
    let mut weights = Vec::new();
    for item in items.iter_mut() {
        if let Some(text) = item.get("text").cloned() {
            weights.push(item.get("weight").map(Value::to_string));
            *item = text;
        }
    }
    items.retain(|item| says_something(Some(item)));
    let mut texts = Value::Array(std::mem::take(items));
    let is_uneven = weights.iter().any(|weight| weights.first() != Some(weight));
    let place = below(at, name);
    mapping.wordings(&mut texts, &place);
    if is_uneven {
        let why = "weights have no counterpart: replies take turns";
        mapping.remark(
            Outcome::Changed,
            place,
            why,
            "repeat a reply that should be heard more often",
        );
    }
    scenario.insert(name.into(), texts);
}

/// Phrases that rule a scenario out are its negative triggers.
fn negatives(scenario: &mut Map<String, Value>) {
    let Some(Value::Array(phrases)) = scenario.shift_remove("negativeUserPhrases") else {
        return;
    };
    let all = scenario.entry("negativeTriggers").or_insert_with(|| json!([]));
    if let Some(all) = all.as_array_mut() {
        for phrase in phrases {
            if says_something(Some(&phrase)) && !all.contains(&phrase) {
                all.push(phrase);
            }
        }
    }
}

fn follow_up(mapping: &mut Mapping, scenario: &mut Map<String, Value>, at: &str) {
    let mode = scenario
        .get("followUpMode")
        .and_then(Value::as_str)
        .unwrap_or("NONE")
        .to_owned();
    match mode.as_str() {
        "NONE" => _ = scenario.shift_remove("followUpMode"),
        "TRANSFER" => {
            scenario.shift_remove("followUpMode");
            if !says_something(scenario.get("action")) {
                scenario.insert("action".into(), "transfer".into());
                mapping.moved(format!("{at}/action"), format!("{at}/followUpMode"));
            }
            if says_something(scenario.get("transferTarget")) {
                mapping.remark(
                    Outcome::Kept,
                    format!("{at}/transferTarget"),
                    "callers are connected with the company's `transfer.destinations`, whatever the scenario",
                    "list the number there",
                );
            }
        }
        other => {
            let why = format!("nothing asks \"{other}\" after a reply, so it has no effect");
            mapping.remark(
                Outcome::Kept,
                format!("{at}/followUpMode"),
                why,
                "put the question into the reply",
            );
        }
    }
}
