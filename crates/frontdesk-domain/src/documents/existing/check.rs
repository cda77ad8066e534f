//! Whether what was mapped can be imported: read as an import reads it, with what is faulty left out where that is safe.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    sync::Arc,
};

use serde_json::Value;

use super::{
    Document, Outcome, Remark, Translated,
    mapping::{Draft, stood},
};
use crate::{
    documents::{
        Fault, Faults, Mode, Parsed, Unknown, company::Company, import::Kind, overlay::Overlay, qna::Qna,
        reader::LOOKS_LIKE_A_SECRET, template::Template,
    },
    phone::PhoneNumber,
};

/// Faults are looked for anew so often: leaving one thing out may show another.
const ROUNDS: usize = 4;

/// What may be left out when it is faulty, because nothing worse follows than that it is missed. `*` is one name or
/// number; what matches is left out with all that is in it.
const OPTIONAL: &[&str] = &[
    "/phones/*",
    "/trades/*",
    "/industryType",
    "/greeting",
    "/hours",
    "/holidays/*",
    "/prompts",
    "/voice",
    "/variables/*",
    "/retentionDays",
    "/transfer/destinations/*",
    "/transfer/allowedCountries/*",
    "/twilio/accountSid",
    "/configuration/*",
    "/aiAgentLogic/templateGatekeeper/currentSpend",
    "/aiAgentLogic/templateGatekeeper/lastResetDate",
    "/aiAgentLogic/templateGatekeeper/monthlyBudget",
    "/aiAgentLogic/fallbackResponses/toneProfile",
    "/aiAgentLogic/fallbackResponses/lastUsedIndex",
    "/aiAgentLogic/fallbackResponses/clarificationNeeded/*",
    "/aiAgentLogic/fallbackResponses/noMatchFound/*",
    "/aiAgentLogic/fallbackResponses/technicalIssue/*",
    "/aiAgentLogic/fallbackResponses/outOfScope/*",
    "/aiAgentLogic/learningSettings/minConfidenceForSuggestion",
    "/aiAgentSettings/templateReferences/*",
    "/trade",
    "/version",
    "/fillerWords/*",
    "/synonymMap/*",
    "/categories/*/name",
    "/categories/*/scenarios/*/name",
    "/categories/*/scenarios/*/priority",
    "/categories/*/scenarios/*/cooldownSeconds",
    "/categories/*/scenarios/*/triggers/*",
    "/categories/*/scenarios/*/regexTriggers/*",
    "/categories/*/scenarios/*/quickReplies/*",
    "/categories/*/scenarios/*/fullReplies/*",
    "/keywords/*",
    "/variants/*",
    "/disabledScenarios/*",
];

/// The document, if it can be imported.
pub(super) fn checked(draft: Draft, remarks: &mut Vec<Remark>) -> Option<Document> {
    let mut json = Value::Object(draft.json.clone());
    // What is gone from a list moves what follows it: faults are told with the numbers that the list had.
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for round in 0..=ROUNDS {
        let faults = match read(draft.kind, &json) {
            Ok((unknown, notes)) => {
                told(&draft, unknown, notes, &gone, remarks);
                return Some(Document {
                    kind: draft.kind,
                    collection: draft.collection,
                    id: draft.id,
                    json,
                    moved: draft.moved,
                });
            }
            Err(Faults(faults)) => faults,
        };
        let mut away: BTreeMap<String, Fault> = BTreeMap::new();
        let mut in_the_way = Vec::new();
        for fault in faults {
            match removable(&fault) {
                Some(place) if round < ROUNDS => _ = away.entry(place).or_insert(fault),
                _ => in_the_way.push(fault),
            }
        }
        if !in_the_way.is_empty() {
            remarks.extend(in_the_way.into_iter().map(|fault| {
                let (outcome, remedy) = if draft.is_part {
                    (
                        Outcome::LeftOut,
                        "correct it there and import again, or add it afterwards",
                    )
                } else {
                    (
                        Outcome::Refused,
                        "correct it there, or take the rest over with --skip-refused",
                    )
                };
                draft.remark(&as_before(&fault.pointer, &gone), outcome, fault.detail, remedy)
            }));
            return None;
        }
        let mut removed = Vec::new();
        // The last of a list first, so that the numbers of those before it stay.
        for (place, fault) in in_reverse(away) {
            let was = as_before(&place, &gone);
            let is_secret = fault.detail.starts_with(LOOKS_LIKE_A_SECRET);
            let (why, remedy) = if is_secret {
                (
                    "looks like a secret, and what is unknown here is kept in clear".to_owned(),
                    "",
                )
            } else {
                (fault.detail, "correct it there and import again, or add it afterwards")
            };
            remarks.push(draft.remark(&was, Outcome::LeftOut, why, remedy));
            remove(&mut json, &place);
            removed.push(was);
        }
        gone.extend(removed);
    }
    None
}

fn read(kind: Kind, json: &Value) -> Result<(Vec<Unknown>, Vec<Fault>), Faults> {
    fn seen<T>(parsed: Parsed<T>) -> (Vec<Unknown>, Vec<Fault>) {
        (parsed.unknown, parsed.notes)
    }
    match kind {
        Kind::Company => Company::parse(json, Mode::Import).map(seen),
        Kind::Template => Template::parse(json, Mode::Import).map(seen),
        Kind::Qna => Qna::parse_of_company(json, Mode::Import).map(|(_, parsed)| seen(parsed)),
        Kind::TradeQna => Qna::parse_of_trade(json, Mode::Import).map(|(_, parsed)| seen(parsed)),
        Kind::Overlay => Overlay::parse_owned(json, Mode::Import).map(|(_, parsed)| seen(parsed)),
        // Nothing of an existing deployment becomes one.
        Kind::Safety | Kind::Prompts => Ok((Vec::new(), Vec::new())),
    }
}

/// What is kept without effect, and what reading noted.
fn told(draft: &Draft, unknown: Vec<Unknown>, notes: Vec<Fault>, gone: &BTreeSet<String>, remarks: &mut Vec<Remark>) {
    for Unknown { pointer, nearest } in unknown {
        // Known to every document; kept as it is.
        if matches!(pointer.as_str(), "/createdAt" | "/updatedAt") {
            continue;
        }
        let remedy = nearest.map_or_else(String::new, |nearest| format!("is `{nearest}` meant?"));
        let why = "has no counterpart: it is kept and has no effect";
        remarks.push(draft.remark(&as_before(&pointer, gone), Outcome::Kept, why, remedy));
    }
    for Fault { pointer, detail } in notes {
        remarks.push(draft.remark(&as_before(&pointer, gone), Outcome::Changed, detail, ""));
    }
}

/// The place to empty, if the rest is worth having without it.
fn removable(fault: &Fault) -> Option<String> {
    if fault.detail.starts_with(LOOKS_LIKE_A_SECRET) {
        return Some(fault.pointer.clone());
    }
    OPTIONAL.iter().find_map(|pattern| covered(pattern, &fault.pointer))
}

/// The beginning of a pointer that a pattern covers.
fn covered(pattern: &str, pointer: &str) -> Option<String> {
    let mut end = 0;
    let mut steps = pointer.split('/').skip(1);
    for wanted in pattern.split('/').skip(1) {
        let step = steps.next()?;
        if wanted != "*" && wanted != step {
            return None;
        }
        end += 1 + step.len();
    }
    pointer.get(..end).map(str::to_owned)
}

/// Items of one list stand side by side; of them the last comes first.
fn in_reverse(away: BTreeMap<String, Fault>) -> Vec<(String, Fault)> {
    let mut all: Vec<_> = away.into_iter().collect();
    all.sort_by(|(one, _), (other, _)| steps(other).cmp(&steps(one)));
    all
}

/// The steps of a pointer, numbers as numbers.
fn steps(pointer: &str) -> Vec<(Option<usize>, &str)> {
    pointer.split('/').map(|step| (step.parse().ok(), step)).collect()
}

fn remove(json: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match json.pointer_mut(parent) {
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        Some(Value::Object(fields)) => {
            let name = last.replace("~1", "/").replace("~0", "~");
            fields.shift_remove(&name);
        }
        _ => {}
    }
}

/// A pointer as it was before items of lists were taken out.
fn as_before(pointer: &str, gone: &BTreeSet<String>) -> String {
    if gone.is_empty() {
        return pointer.to_owned();
    }
    let mut before = String::new();
    for step in pointer.split('/').skip(1) {
        let Ok(mut index) = step.parse::<usize>() else {
            before.push('/');
            before.push_str(step);
            continue;
        };
        let mut taken: Vec<usize> = gone
            .iter()
            .filter_map(|place| place.strip_prefix(&before)?.strip_prefix('/')?.parse().ok())
            .collect();
        taken.sort_unstable();
        for place in taken {
            if place <= index {
                index += 1;
            }
        }
        // Writing to a String cannot fail.
        _ = write!(before, "/{index}");
    }
    before
}

/// What kinds of documents the deployment has, be they faulty.
#[derive(Clone, Copy)]
pub(super) struct Had {
    pub(super) companies: bool,
    pub(super) templates: bool,
}

/// What only all documents together show: numbers that two companies have, templates and companies that are not there.
pub(super) fn references(translated: &mut Translated, had: Had) {
    let ids = |translated: &Translated, kind: Kind| -> BTreeSet<String> {
        let documents = translated.documents.iter().filter(|document| document.kind == kind);
        documents
            .filter_map(|document| Some(document.json.get("_id")?.as_str()?.to_lowercase()))
            .collect()
    };
    let templates = ids(translated, Kind::Template);
    let mut remarks = Vec::new();
    let mut owners: HashMap<PhoneNumber, String> = HashMap::new();
    let mut refused = BTreeSet::new();
    for document in &mut translated.documents {
        if document.kind != Kind::Company {
            continue;
        }
        let about = About::new(document);
        match repeated_number(&document.json, &owners) {
            Some((pointer, owner)) => {
                let why = format!("the number belongs to company {owner} too, and every number belongs to one");
                remarks.push(about.remark(&pointer, Outcome::Refused, why, "take it from one of them"));
                refused.insert(document.id.to_lowercase());
                continue;
            }
            None => owners.extend(numbers(&document.json).map(|(_, number)| (number, document.id.to_string()))),
        }
        // Without any template these are perhaps imported already, which the import itself looks up.
        if had.templates {
            drop_references(&mut document.json, &templates, &about, &mut remarks);
        }
    }
    translated
        .documents
        .retain(|document| document.kind != Kind::Company || !refused.contains(&document.id.to_lowercase()));
    let companies = ids(translated, Kind::Company);
    if had.companies {
        translated.documents.retain(|document| {
            if !matches!(document.kind, Kind::Qna | Kind::Overlay) {
                return true;
            }
            let owner = document
                .json
                .get("companyId")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_lowercase();
            let is_there = companies.contains(&owner);
            if !is_there {
                let about = About::new(document);
                let why = format!("its company {owner} is not taken over");
                remarks.push(about.remark("/companyId", Outcome::LeftOut, why, ""));
            }
            is_there
        });
    }
    translated.remarks.append(&mut remarks);
}

/// Whose remark it is, apart from the document, which may change meanwhile.
struct About {
    collection: Arc<str>,
    id: Arc<str>,
    moved: Vec<(String, String)>,
}

impl About {
    fn new(document: &Document) -> Self {
        Self {
            collection: Arc::clone(&document.collection),
            id: Arc::clone(&document.id),
            moved: document.moved.clone(),
        }
    }

    fn remark(&self, pointer: &str, outcome: Outcome, why: String, remedy: &str) -> Remark {
        Remark {
            collection: Arc::clone(&self.collection),
            id: Arc::clone(&self.id),
            pointer: stood(&self.moved, pointer),
            outcome,
            why,
            remedy: remedy.to_owned(),
        }
    }
}

fn numbers(company: &Value) -> impl Iterator<Item = (String, PhoneNumber)> {
    let main = company
        .get("phone")
        .into_iter()
        .map(|phone| ("/phone".to_owned(), phone));
    let others = company
        .get("phones")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate();
    let others = others.map(|(index, phone)| (format!("/phones/{index}"), phone));
    main.chain(others)
        .filter_map(|(at, phone)| Some((at, phone.as_str()?.parse().ok()?)))
}

fn repeated_number(company: &Value, owners: &HashMap<PhoneNumber, String>) -> Option<(String, String)> {
    numbers(company).find_map(|(at, number)| Some((at, owners.get(&number)?.clone())))
}

/// A reference to a template that is gone has no effect there, and would refuse the import here.
fn drop_references(company: &mut Value, templates: &BTreeSet<String>, about: &About, remarks: &mut Vec<Remark>) {
    let references = company.pointer_mut("/aiAgentSettings/templateReferences");
    let Some(Value::Array(references)) = references else {
        return;
    };
    let mut index = 0;
    references.retain(|reference| {
        let id = reference
            .get("templateId")
            .unwrap_or(reference)
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        let is_there = templates.contains(&id);
        if !is_there {
            let why = format!("there is no template {id}");
            let pointer = format!("/aiAgentSettings/templateReferences/{index}");
            remarks.push(about.remark(&pointer, Outcome::LeftOut, why, ""));
        }
        index += 1;
        is_there
    });
}
