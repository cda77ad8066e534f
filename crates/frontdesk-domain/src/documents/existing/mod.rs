//! Documents of an existing deployment: collections of the system that Frontdesk takes over from, as documents of its own.
//!
//! What has a place here is moved there; what has none is kept where Frontdesk keeps unknown fields, or left out; each is
//! remarked on with where it stood, why, and what to do. Nothing is read from a document in silence but what means the
//! same under the same name.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{import::Kind, reader::unwrap};
use crate::time::Timestamp;

mod check;
mod company;
mod mapping;
mod numbers;
mod qna;
mod template;
#[cfg(test)]
mod tests;

/// Documents of one collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name in the database, or that of its file.
    pub name: Arc<str>,
    /// The documents, as `MongoDB` Extended JSON or plain.
    pub documents: Vec<Value>,
}

/// What documents of a collection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Companies, with what stands in them of Q&A and own additions.
    Companies,
    /// Templates.
    Templates,
    /// Q&A of companies.
    Qna,
    /// Q&A of trades, one a document, or trades with a list of them.
    TradeQna,
}

impl Source {
    /// What documents of such a collection are, by its name: with or without a prefix such as `v2`, a database's name or
    /// a plural.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let plain: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.strip_prefix("v2").unwrap_or(&plain);
        Some(match plain {
            "company" | "companies" | "companiescollection" => Self::Companies,
            "globalinstantresponsetemplate"
            | "globalinstantresponsetemplates"
            | "instantresponsetemplate"
            | "instantresponsetemplates"
            | "template"
            | "templates" => Self::Templates,
            "qna"
            | "qnas"
            | "companyqna"
            | "companyqnas"
            | "localcompanyqna"
            | "localcompanyqnas"
            | "companyknowledgeqna"
            | "companyknowledgeqnas" => Self::Qna,
            "tradeqna" | "tradeqnas" | "tradecategory" | "tradecategories" | "enterprisetradecategories" => {
                Self::TradeQna
            }
            _ => return None,
        })
    }

    /// What a document is, by fields that only such documents have.
    #[must_use]
    pub fn of_document(document: &Value) -> Option<Self> {
        let has = |name: &str| document.get(name).is_some();
        if has("question") && has("answer") {
            return Some(if has("companyId") { Self::Qna } else { Self::TradeQna });
        }
        if has("categories") && (has("fillerWords") || has("synonymMap")) {
            return Some(Self::Templates);
        }
        let is_company = has("companyName")
            && ["companyPhone", "twilioConfig", "aiAgentLogic", "aiAgentSettings"]
                .into_iter()
                .any(has);
        (is_company || has("aiAgentLogic") || has("aiAgentSettings")).then_some(Self::Companies)
    }
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The whole document cannot be taken over.
    Refused,
    /// It is not taken over.
    LeftOut,
    /// It is taken over as something else.
    Changed,
    /// It is kept with the document and has no effect.
    Kept,
}

/// What an operator should know about one place of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// The collection.
    pub collection: Arc<str>,
    /// The document's id, as it stands there.
    pub id: Arc<str>,
    /// Where in the document, as a JSON pointer.
    pub pointer: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub why: String,
    /// What to do; empty if nothing need be done.
    #[serde(rename = "do")]
    pub remedy: String,
}

/// A document that can be imported.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// The collection that it comes from.
    pub collection: Arc<str>,
    /// The id there of the document that it comes from.
    pub id: Arc<str>,
    /// The document; a company's has its secrets in clear.
    pub json: Value,
    /// What stood under another pointer there: the pointer here, and that one.
    pub moved: Vec<(String, String)>,
}

impl Document {
    /// The line of an import.
    #[must_use]
    pub fn line(&self) -> String {
        json!({ "type": self.kind.as_str(), "document": self.json }).to_string()
    }
}

/// What an existing deployment becomes.
#[derive(Debug, Clone, Default)]
pub struct Translated {
    /// What can be imported; companies come after what they refer to.
    pub documents: Vec<Document>,
    /// What an operator should know.
    pub remarks: Vec<Remark>,
}

impl Translated {
    /// How many documents cannot be taken over.
    #[must_use]
    pub fn refused(&self) -> usize {
        let refused = |remark: &&Remark| remark.outcome == Outcome::Refused;
        let documents = self.remarks.iter().filter(refused);
        let distinct: BTreeSet<_> = documents.map(|remark| (&remark.collection, &remark.id)).collect();
        distinct.len()
    }

    /// How many remarks there are of each outcome.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for remark in &self.remarks {
            *counts.entry(remark.outcome).or_default() += 1;
        }
        counts
    }
}

/// Takes an existing deployment over. `now` says which month is the current one.
#[must_use]
pub fn translate(collections: Vec<(Source, Collection)>, now: Timestamp) -> Translated {
    let mut drafts = Vec::new();
    let mut remarks = Vec::new();
    for (source, collection) in collections {
        for document in collection.documents {
            let mut mapped = match source {
                Source::Companies => company::map(&collection.name, document, now),
                Source::Templates => template::map(&collection.name, document),
                Source::Qna => qna::map(&collection.name, document),
                Source::TradeQna => qna::map_trade(&collection.name, document),
            };
            remarks.append(&mut mapped.remarks);
            drafts.extend(mapped.drafts);
        }
    }
    let mut translated = Translated {
        documents: Vec::with_capacity(drafts.len()),
        remarks,
    };
    let had = |kind| drafts.iter().any(|draft| draft.kind == kind);
    let had = check::Had {
        companies: had(Kind::Company),
        templates: had(Kind::Template),
    };
    refuse_repeats(&mut drafts, &mut translated.remarks);
    for draft in drafts {
        if let Some(document) = check::checked(draft, &mut translated.remarks) {
            translated.documents.push(document);
        }
    }
    check::references(&mut translated, had);
    translated.documents.sort_by_key(|document| order(document.kind));
    translated
}

/// Of documents with one id the first is taken: a deployment's copies and backups lie in collections of their own.
fn refuse_repeats(drafts: &mut Vec<mapping::Draft>, remarks: &mut Vec<Remark>) {
    let mut seen: HashMap<(Kind, String), Arc<str>> = HashMap::new();
    drafts.retain(|draft| {
        let Some(key) = draft.key() else { return true };
        match seen.get(&key) {
            None => {
                seen.insert(key, Arc::clone(&draft.collection));
                true
            }
            Some(first) => {
                remarks.push(draft.remark(
                    "",
                    if draft.is_part {
                        Outcome::LeftOut
                    } else {
                        Outcome::Refused
                    },
                    format!("has the id of a document of `{first}`, which was taken"),
                    "leave the collection out that is the copy",
                ));
                false
            }
        }
    });
}

const fn order(kind: Kind) -> u8 {
    match kind {
        Kind::Safety | Kind::Prompts => 0,
        Kind::Template => 1,
        Kind::TradeQna => 2,
        Kind::Company => 3,
        Kind::Qna => 4,
        Kind::Overlay => 5,
    }
}

/// A value without any wrapper of Extended JSON in it.
fn plain(value: Value) -> Value {
    let value = match unwrap(&value) {
        std::borrow::Cow::Owned(plain) => plain,
        std::borrow::Cow::Borrowed(_) => value,
    };
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, plain(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}
