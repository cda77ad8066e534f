//! Q&A: of companies, of trades, and those that stand in companies and trades.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Outcome,
    mapping::{Mapped, Mapping, below, says_something, slug_of},
};
use crate::documents::import::Kind;

/// Names under which other wordings of a question stand.
const VARIANTS: [&str; 4] = [
    "variations",
    "alternateQuestions",
    "alternativeQuestions",
    "questionVariations",
];

/// Names under which the trade of a Q&A stands.
const TRADES: [&str; 4] = ["tradeCategory", "tradeName", "tradeType", "industryType"];

/// A company's Q&A.
pub(super) fn map(collection: &Arc<str>, document: Value) -> Mapped {
    match Mapping::begin(collection, document) {
        Ok(mut mapping) => {
            question(&mut mapping);
            mapping.end(Kind::Qna)
        }
        Err(none) => none,
    }
}

/// A trade's Q&A, or a trade with a list of them.
pub(super) fn map_trade(collection: &Arc<str>, document: Value) -> Mapped {
    let mut mapping = match Mapping::begin(collection, document) {
        Ok(mapping) => mapping,
        Err(none) => return none,
    };
    for list in ["qnas", "qna", "questions"] {
        let Some(Value::Array(questions)) = mapping.fields.get(list).cloned() else {
            continue;
        };
        let trade = ["name", "trade", "tradeName", "id"]
            .iter()
            .find_map(|name| mapping.fields.get(*name).cloned());
        for (index, fields) in questions.into_iter().enumerate() {
            let at = format!("/{list}/{index}");
            let Value::Object(mut fields) = fields else {
                mapping.remark(Outcome::LeftOut, at, "is no question", "");
                continue;
            };
            fields.insert("trade".into(), trade.clone().unwrap_or_default());
            embedded(&mut mapping, Kind::TradeQna, fields, &at, index);
        }
        return mapping.end_without_own();
    }
    for name in TRADES {
        mapping.rename(name, "trade");
    }
    if let Some(Value::Array(trades)) = mapping.fields.get("tradeCategories").cloned()
        && !mapping.has("trade")
        && let [only] = trades.as_slice()
    {
        mapping.fields.shift_remove("tradeCategories");
        mapping.fields.insert("trade".into(), only.clone());
    }
    question(&mut mapping);
    mapping.end(Kind::TradeQna)
}

/// A Q&A that stands in a list at `at` of a document of another kind; its owner is in it already.
pub(super) fn embedded(mapping: &mut Mapping, kind: Kind, fields: Map<String, Value>, at: &str, index: usize) {
    // A mapping of its own, so that what is remarked on is placed in the list.
    let Ok(mut own) = Mapping::begin(&"".into(), Value::Object(fields)) else {
        return;
    };
    if !says_something(own.fields.get("id")) && !says_something(own.fields.get("_id")) {
        own.fields
            .insert("id".into(), json!(format!("{}-{}", mapping.id, index + 1)));
    }
    question(&mut own);
    let mut mapped = own.end(kind);
    for remark in mapped.remarks.drain(..) {
        mapping.remark(
            remark.outcome,
            format!("{at}{}", remark.pointer),
            remark.why,
            remark.remedy,
        );
    }
    for draft in mapped.drafts {
        let mut moved: Vec<_> = draft
            .moved
            .into_iter()
            .map(|(here, there)| (here, format!("{at}{there}")))
            .collect();
        moved.push((String::new(), at.to_owned()));
        mapping.also(kind, draft.json, moved);
    }
}

fn question(mapping: &mut Mapping) {
    let id = mapping.take("_id");
    if !mapping.has("id")
        && let Some(id) = id
    {
        mapping.fields.insert("id".into(), id);
        mapping.moved("/id", "/_id");
    }
    if let Some(id) = mapping.fields.get("id").and_then(Value::as_str).map(str::to_owned) {
        let slug = slug_of(&id);
        if slug != id {
            let why = format!("its id is `{slug}` here: letters, digits, dots and dashes");
            mapping.remark(Outcome::Changed, "/id", why, "");
            mapping.fields.insert("id".into(), slug.into());
        }
    }
    for name in VARIANTS {
        mapping.rename(name, "variants");
    }
    if let Some(mut answer) = mapping.take("answer") {
        mapping.wording(&mut answer, "/answer");
        mapping.fields.insert("answer".into(), answer);
    }
    is_active(mapping);
    // A list with a blank in it is what forms send.
    for list in ["keywords", "variants"] {
        if let Some(Value::Array(items)) = mapping.fields.get_mut(list) {
            items.retain(|item| says_something(Some(item)));
        }
    }
}

/// Whether it answers callers: `status`, or `isActive`.
fn is_active(mapping: &mut Mapping) {
    let status = mapping.take("status");
    let flag = mapping.take("isActive");
    if mapping.has("active") {
        return;
    }
    let by_status = match status
        .as_ref()
        .and_then(Value::as_str)
        .map(str::to_lowercase)
        .as_deref()
    {
        None | Some("active" | "live" | "published") => true,
        Some("inactive" | "draft" | "archived" | "under_review" | "disabled") => false,
        Some(other) => {
            let why = format!("the status \"{other}\" is not known, so it does not answer");
            mapping.remark(Outcome::Changed, below("", "status"), why, "set `active` if it should");
            false
        }
    };
    let active = by_status && flag.as_ref().and_then(Value::as_bool).unwrap_or(true);
    mapping.fields.insert("active".into(), active.into());
    mapping.moved("/active", if flag.is_some() { "/isActive" } else { "/status" });
}
