//! What the mapping of every kind of document is made of.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::{Outcome, Remark};
use crate::documents::{
    import::Kind,
    reader::{push_escaped, shapes::is_slug},
};

/// A document of ours that was not checked yet.
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) collection: Arc<str>,
    pub(super) id: Arc<str>,
    pub(super) json: Map<String, Value>,
    /// Where things stood: a pointer here, and what it was there.
    pub(super) moved: Vec<(String, String)>,
    /// It stood in another document, which can do without it.
    pub(super) is_part: bool,
}

impl Draft {
    /// What no other document may have: kind and id, with the owner of a Q&A.
    pub(super) fn key(&self) -> Option<(Kind, String)> {
        let text = |name: &str| self.json.get(name).and_then(Value::as_str).map(str::to_lowercase);
        Some((
            self.kind,
            match self.kind {
                Kind::Company | Kind::Template => text("_id")?,
                Kind::Qna => format!("{} {}", text("companyId")?, text("id")?),
                Kind::TradeQna => format!("{} {}", text("trade")?, text("id")?),
                Kind::Overlay => text("companyId")?,
                Kind::Safety | Kind::Prompts => return None,
            },
        ))
    }

    pub(super) fn remark(
        &self,
        pointer: &str,
        outcome: Outcome,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Remark {
        Remark {
            collection: Arc::clone(&self.collection),
            id: Arc::clone(&self.id),
            pointer: stood(&self.moved, pointer),
            outcome,
            why: why.into(),
            remedy: remedy.into(),
        }
    }
}

/// Where something stood before it was moved to this pointer.
pub(super) fn stood(moved: &[(String, String)], pointer: &str) -> String {
    let covering = moved.iter().filter_map(|(here, there)| {
        let rest = pointer.strip_prefix(here.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some((here.len(), there, rest))
    });
    match covering.max_by_key(|(length, ..)| *length) {
        Some((_, there, rest)) => format!("{there}{rest}"),
        None => pointer.to_owned(),
    }
}

/// What one document of an existing deployment becomes.
pub(super) struct Mapped {
    pub(super) drafts: Vec<Draft>,
    pub(super) remarks: Vec<Remark>,
}

/// A document that is being mapped.
pub(super) struct Mapping {
    collection: Arc<str>,
    /// Its id there, for people.
    pub(super) id: Arc<str>,
    /// What is left of it, and what it becomes.
    pub(super) fields: Map<String, Value>,
    moved: Vec<(String, String)>,
    remarks: Vec<Remark>,
    others: Vec<Draft>,
}

impl Mapping {
    /// Takes a document apart; `Err` if it is none.
    pub(super) fn begin(collection: &Arc<str>, document: Value) -> Result<Self, Mapped> {
        match super::plain(document) {
            Value::Object(mut fields) => {
                // Mongoose's count of versions, which nobody reads.
                fields.shift_remove("__v");
                let id = fields.get("_id").or_else(|| fields.get("id"));
                let id = match id {
                    Some(Value::String(id)) => id.as_str().into(),
                    Some(other) => other.to_string().into(),
                    None => Arc::from("?"),
                };
                Ok(Self {
                    collection: Arc::clone(collection),
                    id,
                    fields,
                    moved: Vec::new(),
                    remarks: Vec::new(),
                    others: Vec::new(),
                })
            }
            _ => Err(Mapped {
                drafts: Vec::new(),
                remarks: vec![Remark {
                    collection: Arc::clone(collection),
                    id: "?".into(),
                    pointer: String::new(),
                    outcome: Outcome::Refused,
                    why: "is no document".into(),
                    remedy: "export the collection again".into(),
                }],
            }),
        }
    }

    /// Remarks on a place, by its pointer there or here.
    pub(super) fn remark(
        &mut self,
        outcome: Outcome,
        pointer: impl AsRef<str>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.remarks.push(Remark {
            collection: Arc::clone(&self.collection),
            id: Arc::clone(&self.id),
            pointer: stood(&self.moved, pointer.as_ref()),
            outcome,
            why: why.into(),
            remedy: remedy.into(),
        });
    }

    /// What stands at a pointer here stood at another one there.
    pub(super) fn moved(&mut self, here: impl Into<String>, there: impl Into<String>) {
        self.moved.push((here.into(), there.into()));
    }

    /// Takes a field out; an absent one and a null are the same.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there and says something.
    pub(super) fn has(&self, name: &str) -> bool {
        says_something(self.fields.get(name))
    }

    /// Moves a field of the top to its own name, if nothing stands there.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(value) = self.take(from) else { return };
        if !says_something(Some(&value)) {
            return;
        }
        match self.fields.get(to) {
            Some(there) if *there == value => {}
            there if says_something(there) => {
                let why = format!("`{to}` says something else and was taken");
                self.remark(
                    Outcome::LeftOut,
                    format!("/{from}"),
                    why,
                    format!("compare the two; correct `{to}` if it is the wrong one"),
                );
            }
            _ => {
                self.fields.insert(to.to_owned(), value);
                self.moved(format!("/{to}"), format!("/{from}"));
            }
        }
    }

    /// Another document that this one becomes.
    pub(super) fn also(&mut self, kind: Kind, json: Map<String, Value>, moved: Vec<(String, String)>) {
        self.others.push(Draft {
            kind,
            collection: Arc::clone(&self.collection),
            id: Arc::clone(&self.id),
            json,
            moved,
            is_part: true,
        });
    }

    /// Done: the document is of this kind.
    pub(super) fn end(self, kind: Kind) -> Mapped {
        let own = Draft {
            kind,
            collection: self.collection,
            id: self.id,
            json: self.fields,
            moved: self.moved,
            is_part: false,
        };
        Mapped {
            drafts: std::iter::once(own).chain(self.others).collect(),
            remarks: self.remarks,
        }
    }

    /// Done: all that it becomes are other documents.
    pub(super) fn end_without_own(self) -> Mapped {
        Mapped {
            drafts: self.others,
            remarks: self.remarks,
        }
    }

    /// Writes placeholders of spoken texts in a list as they are written here.
    pub(super) fn wordings(&mut self, texts: &mut Value, at: &str) {
        for (index, text) in texts.as_array_mut().into_iter().flatten().enumerate() {
            self.wording(text, &format!("{at}/{index}"));
        }
    }

    /// Writes the placeholders of a spoken text as they are written here.
    pub(super) fn wording(&mut self, text: &mut Value, at: &str) {
        let Value::String(words) = text else { return };
        if let Cow::Owned(rewritten) = placeholders(words) {
            *text = Value::String(rewritten);
            self.remark(
                Outcome::Changed,
                at,
                "its placeholders are written {likeThis} here, and only those of set variables are spoken",
                "set what it names in the company's `variables`",
            );
        }
    }
}

/// Whether a value is more than nothing.
pub(super) fn says_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

/// A name as one of a variable: `Business Hours` is `businessHours`.
pub(super) fn variable_name(name: &str) -> String {
    if crate::variables::is_variable_name(name.trim()) {
        return name.trim().to_owned();
    }
    let words = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let mut camel = String::new();
    for word in words {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        match letters.next() {
            Some(first) if !camel.is_empty() => {
                camel.push(first.to_ascii_uppercase());
                camel.push_str(letters.as_str());
            }
            _ => camel.push_str(&lower),
        }
    }
    camel
}

/// `[Company Name]` and `{companyname}` as `{companyName}`; other names in brackets likewise.
fn placeholders(text: &str) -> Cow<'_, str> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', '{']) {
        let (before, opened) = rest.split_at(at);
        written.push_str(before);
        let close = if opened.starts_with('[') { ']' } else { '}' };
        let inside = opened
            .get(1..)
            .and_then(|inside| inside.split_once(close))
            .map(|(inside, _)| inside);
        match inside.filter(|inside| is_placeholder(inside)) {
            Some(inside) => {
                let folded: String = inside.chars().filter(char::is_ascii_alphanumeric).collect();
                let is_name = folded.eq_ignore_ascii_case("companyname");
                if is_name {
                    written.push_str("{companyName}");
                } else if close == ']' {
                    written.push('{');
                    written.push_str(&variable_name(inside));
                    written.push('}');
                } else {
                    written.push('{');
                    written.push_str(inside);
                    written.push('}');
                }
                rest = opened.get(inside.len() + 2..).unwrap_or_default();
            }
            None => {
                let (one, more) = opened.split_at(1);
                written.push_str(one);
                rest = more;
            }
        }
    }
    written.push_str(rest);
    if written == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(written)
    }
}

fn is_placeholder(inside: &str) -> bool {
    inside.len() <= 40
        && inside.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && inside
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
}

/// An id as one of ours: letters, digits, dots and dashes.
pub(super) fn slug_of(id: &str) -> String {
    if is_slug(id) {
        return id.to_owned();
    }
    let letters = id.trim().chars().map(|letter| {
        let stays = letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
        if stays { letter } else { '-' }
    });
    letters.take(100).collect()
}

/// A number as people write it, as E.164; one without a country is one of North America if the company may lie there.
pub(super) fn e164(text: &str, may_lie_in_north_america: bool) -> Option<String> {
    let written = text.trim();
    let decoration = |letter: &char| !matches!(letter, ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}');
    let plain: String = written.chars().filter(decoration).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if plain.starts_with('+') {
        return Some(plain);
    }
    match (digits.len(), may_lie_in_north_america) {
        (10, true) if !digits.starts_with(['0', '1']) => Some(format!("+1{digits}")),
        (11, true) if digits.starts_with('1') => Some(format!("+{digits}")),
        _ => None,
    }
}

/// A pointer to a field below another one.
pub(super) fn below(at: &str, name: &str) -> String {
    let mut pointer = at.to_owned();
    push_escaped(&mut pointer, name);
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_written_in_one_way() {
        for (text, want) in [
            (
                "Thank you for calling [Company Name]!",
                "Thank you for calling {companyName}!",
            ),
            (
                "{companyname} and {COMPANY_NAME} and {fee}",
                "{companyName} and {companyName} and {fee}",
            ),
            ("[Technician Name] comes [soon]", "{technicianName} comes {soon}"),
            ("press [1], or {", "press [1], or {"),
            ("[unclosed and {open", "[unclosed and {open"),
            ("größe [Ünit] ok", "größe [Ünit] ok"),
        ] {
            assert_eq!(placeholders(text), want);
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, want) in [
            ("+1 (239) 555-0100", Some("+12395550100")),
            ("239.555.0100", Some("+12395550100")),
            ("1-239-555-0100", Some("+12395550100")),
            ("+442071838750", Some("+442071838750")),
            ("555-0100", None),
            ("call us", None),
            ("", None),
        ] {
            assert_eq!(e164(text, true).as_deref(), want, "{text}");
        }
        assert_eq!(e164("0171 5550100", false), None);
        assert_eq!(e164("2395550100", false), None);
    }
}
