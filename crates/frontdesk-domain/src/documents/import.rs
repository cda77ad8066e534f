//! Lines of an import: what each one is.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Fault, Faults, nearest, place_id,
    reader::{push_escaped, unwrap},
};
use crate::ids::ObjectId;

/// The kinds of documents that are imported and exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A company.
    Company,
    /// A template.
    Template,
    /// A company's own Q&A.
    Qna,
    /// A Q&A of a trade.
    TradeQna,
    /// A company's additions to its templates.
    Overlay,
    /// Safety rules.
    Safety,
    /// Prompts of a language.
    Prompts,
}

impl Kind {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Company,
        Self::Template,
        Self::Qna,
        Self::TradeQna,
        Self::Overlay,
        Self::Safety,
        Self::Prompts,
    ];

    /// The `type` of an import line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Template => "template",
            Self::Qna => "qna",
            Self::TradeQna => "tradeQna",
            Self::Overlay => "overlay",
            Self::Safety => "safety",
            Self::Prompts => "prompts",
        }
    }

    /// The field that holds the id of such a document, if it has one of its own.
    #[must_use]
    pub const fn id_field(self) -> Option<&'static str> {
        match self {
            Self::Company | Self::Template => Some("_id"),
            Self::Qna | Self::TradeQna => Some("id"),
            Self::Overlay | Self::Safety | Self::Prompts => None,
        }
    }
}

/// A document of an import, to be parsed by its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Where it stands in its line; faults in it are below.
    pub pointer: String,
    /// The document; it has an id if its kind has one.
    pub document: Value,
}

/// What is wrong with an import, and on which line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineFault {
    /// The line, from 1.
    pub line: usize,
    /// Where in the line's value.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl Item {
    /// A fault of this document as one of its line.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> LineFault {
        LineFault {
            line: self.line,
            pointer: format!("{}{}", self.pointer, fault.pointer),
            detail: fault.detail,
        }
    }
}

/// Takes an import apart: one JSON value a line, or values over several lines, or lists of such values.
///
/// A value is `{"type", "document"}`, a bare document, or `{"company", "qna"}`. `make_id` gives ids to documents
/// without one.
///
/// # Errors
/// Every line that is no JSON or no document of a known kind.
pub fn read(text: &str, mut make_id: impl FnMut() -> ObjectId) -> Result<Vec<Item>, Vec<LineFault>> {
    let mut found = Found {
        items: Vec::new(),
        faults: Vec::new(),
        make_id: &mut make_id,
    };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    loop {
        let value_at = rest.trim_start();
        line += newlines(rest, rest.len() - value_at.len());
        rest = value_at;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let read = match values.next() {
            None => break,
            Some(Ok(value)) => {
                found.value(line, String::new(), value);
                values.byte_offset()
            }
            Some(Err(_)) => {
                let broken = rest.get(..next_document(rest)).unwrap_or_default();
                let (at, detail) = why_broken(broken);
                found.fault(line + at, "", detail);
                broken.len()
            }
        };
        line += newlines(rest, read);
        rest = rest.get(read..).unwrap_or_default();
    }
    if found.faults.is_empty() {
        Ok(found.items)
    } else {
        Err(found.faults)
    }
}

fn newlines(text: &str, until: usize) -> usize {
    text.get(..until).unwrap_or_default().matches('\n').count()
}

/// Where the first document begins on a line of its own after the broken one at the beginning of the text.
///
/// A document may span lines and a line may be cut off, and only what follows tells which is which: a line at whose end
/// a value ends that begins there is a document. Where documents stand on single lines, so is a line that begins like
/// one and is broken too, so that its own fault is named.
fn next_document(text: &str) -> usize {
    let first = text.lines().next().unwrap_or_default().trim_end();
    let begins_document = |line: &str| line.starts_with(['{', '[']);
    if !begins_document(first) {
        return text.find('\n').map_or(text.len(), |end| end + 1);
    }
    let on_single_lines = first.len() > 1;
    // Items of a list look like documents: of a list over several lines they are none up to its fault.
    let search_from = if first == "[" { fault_in(text).0 } else { 1 };
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let here = at;
        at += line.len();
        if number < search_from.max(1) || !begins_document(line) {
            continue;
        }
        let is_bare = line.trim_end().len() == 1;
        let begins_another = match ends_on_its_line(text.get(here..).unwrap_or_default()) {
            Some(ends) => ends,
            None => on_single_lines && !is_bare,
        };
        if begins_another {
            return here;
        }
    }
    text.len()
}

/// Whether nothing follows the value at the beginning of the text on the line where it ends; `None` if there is none.
fn ends_on_its_line(text: &str) -> Option<bool> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.next()?.ok()?;
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    Some(rest.lines().next().unwrap_or_default().trim().is_empty())
}

/// The line of the fault in a text that does not begin with a value, from 0, and what it is.
fn fault_in(text: &str) -> (usize, String) {
    match serde_json::Deserializer::from_str(text).into_iter::<Value>().next() {
        Some(Err(error)) => {
            let detail = error.to_string();
            let reason = detail.split(" at line ").next().unwrap_or_default();
            (
                error.line().saturating_sub(1),
                format!("{reason} (column {})", error.column()),
            )
        }
        _ => (0, String::new()),
    }
}

/// The line of a broken document's fault, from its first as 0, and what is wrong.
fn why_broken(document: &str) -> (usize, String) {
    let (at, reason) = fault_in(document.trim_end());
    (at, format!("is no JSON: {reason}"))
}

struct Found<'m> {
    items: Vec<Item>,
    faults: Vec<LineFault>,
    make_id: &'m mut dyn FnMut() -> ObjectId,
}

impl Found<'_> {
    fn fault(&mut self, line: usize, pointer: &str, detail: impl Into<String>) {
        self.faults.push(LineFault {
            line,
            pointer: pointer.to_owned(),
            detail: detail.into(),
        });
    }

    fn value(&mut self, line: usize, pointer: String, value: Value) {
        match value {
            Value::Array(values) => {
                for (index, value) in values.into_iter().enumerate() {
                    self.value(line, format!("{pointer}/{index}"), value);
                }
            }
            Value::Object(mut fields) => {
                if fields.get("document").is_some() && fields.get("type").is_some() {
                    let document = fields.shift_remove("document").unwrap_or_default();
                    self.typed(line, &pointer, fields.get("type"), document);
                } else if is_wrapper(&fields) {
                    self.wrapper(line, &pointer, fields);
                } else {
                    self.bare(line, pointer, Value::Object(fields));
                }
            }
            _ => self.fault(
                line,
                &pointer,
                "should be an object such as {\"type\": \"company\", \"document\": {…}}",
            ),
        }
    }

    fn typed(&mut self, line: usize, pointer: &str, kind: Option<&Value>, document: Value) {
        let name = kind.and_then(Value::as_str).unwrap_or_default();
        if let Some(kind) = Kind::ALL.iter().find(|kind| kind.as_str() == name) {
            self.item(*kind, line, format!("{pointer}/document"), document);
            return;
        }
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let hint = nearest(name, names.iter().copied()).map(|name| format!("; did you mean \"{name}\"?"));
        let detail = format!("should be one of {}{}", names.join(", "), hint.unwrap_or_default());
        self.fault(line, &format!("{pointer}/type"), detail);
    }

    /// `{"company": {…}, "qna": [{…}]}`: the Q&As are those of the company.
    fn wrapper(&mut self, line: usize, pointer: &str, mut fields: Map<String, Value>) {
        let company = fields.shift_remove("company").unwrap_or_default();
        let qna = fields.shift_remove("qna").unwrap_or_default();
        for name in fields.keys() {
            let mut at = pointer.to_owned();
            push_escaped(&mut at, name);
            let detail = format!("unknown field `{name}`; the fields here are company, qna");
            self.faults.push(LineFault {
                line,
                pointer: at,
                detail,
            });
        }
        self.item(Kind::Company, line, format!("{pointer}/company"), company);
        let id = self
            .items
            .last()
            .and_then(|item| Some(unwrap(item.document.get("_id")?).as_str()?.to_owned()));
        match qna {
            Value::Null => {}
            Value::Array(questions) => {
                for (index, mut question) in questions.into_iter().enumerate() {
                    let at = format!("{pointer}/qna/{index}");
                    match id.as_deref().map(|id| place_id(&mut question, "companyId", id)) {
                        Some(Err(Faults(faults))) => {
                            for fault in faults {
                                let detail = "should be the id of the company beside it, or be left out";
                                self.fault(line, &format!("{at}{}", fault.pointer), detail);
                            }
                        }
                        Some(Ok(())) | None => self.item(Kind::Qna, line, at, question),
                    }
                }
            }
            _ => self.fault(line, &format!("{pointer}/qna"), "should be a list"),
        }
    }

    fn bare(&mut self, line: usize, pointer: String, document: Value) {
        match kind_of(&document) {
            Some(kind) => self.item(kind, line, pointer, document),
            None => self.fault(
                line,
                &pointer,
                "is no document that can be recognised; write {\"type\": …, \"document\": {…}} with a type of company, \
                 template, qna, tradeQna, overlay, safety or prompts",
            ),
        }
    }

    fn item(&mut self, kind: Kind, line: usize, pointer: String, mut document: Value) {
        if let (Some(name), Some(fields)) = (kind.id_field(), document.as_object_mut())
            && fields.get(name).is_none_or(Value::is_null)
        {
            // `MongoDB` calls every id `_id`.
            let given = fields.get("_id").and_then(|id| unwrap(id).as_str().map(Value::from));
            let id = given.unwrap_or_else(|| (self.make_id)().to_string().into());
            fields.insert(name.into(), id);
        }
        self.items.push(Item {
            kind,
            line,
            pointer,
            document,
        });
    }
}

/// A company beside its Q&As; a company document may have a field called `company` itself.
fn is_wrapper(fields: &Map<String, Value>) -> bool {
    fields.get("company").is_some_and(Value::is_object)
        && !["_id", "name", "phone"].iter().any(|name| fields.contains_key(*name))
}

/// What a document without a `type` is, by fields that only such documents have.
fn kind_of(document: &Value) -> Option<Kind> {
    let has = |name: &str| document.get(name).is_some();
    let category_has = |name: &str| {
        let categories = document
            .get("categories")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        categories.into_iter().any(|category| category.get(name).is_some())
    };
    if has("question") && has("answer") {
        return if has("companyId") {
            Some(Kind::Qna)
        } else {
            has("trade").then_some(Kind::TradeQna)
        };
    }
    if has("texts") {
        return Some(Kind::Prompts);
    }
    if category_has("sentence") {
        return Some(Kind::Safety);
    }
    if ["phone", "industryType", "aiAgentLogic", "aiAgentSettings", "twilio"]
        .into_iter()
        .any(has)
    {
        return Some(Kind::Company);
    }
    if has("categories") || has("fillerWords") || has("synonymMap") {
        return Some(if has("companyId") {
            Kind::Overlay
        } else {
            Kind::Template
        });
    }
    let is_overlay = has("companyId")
        && ["triggers", "negativeTriggers", "disabledScenarios"]
            .into_iter()
            .any(has);
    is_overlay.then_some(Kind::Overlay)
}

#[cfg(test)]
mod tests;
