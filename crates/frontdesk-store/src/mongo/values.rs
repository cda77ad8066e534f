//! JSON as BSON and back, without loss.
//!
//! An operator finds documents as documents: fields, numbers and lists as they are. What BSON or `MongoDB` cannot hold is
//! written in another way, which no document of a user can be mistaken for: in names, `%`, `.`, a leading `$`, NUL and
//! the store's own names are written as `%` with two hexadecimal digits; a value is the only field `%json` of an object.

use frontdesk_domain::time::Timestamp;
use mongodb::bson::{Bson, DateTime, Decimal128, Document, oid::ObjectId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use super::failure::{Trouble, damaged};

/// The field in which the store keeps what it knows of a document.
pub(super) const META: &str = "frontdesk";

/// The field of its id.
const ID: &str = "_id";

/// The field that stands for a value that BSON cannot hold.
const AS_JSON: &str = "%json";

/// Values below so many others are kept as text: `MongoDB` allows a hundred levels.
const DEPTH: usize = 80;

/// The fields of a document that rests under this id, without the id.
pub(super) fn document(json: &Map<String, Value>, id: &Bson) -> Document {
    let is_its_id = |name: &str, value: &Value| name == ID && bson(value, 1) == text_of(id);
    let fields = json.iter().filter(|(name, value)| !is_its_id(name, value));
    fields.map(|(name, value)| (own_name(name), bson(value, 1))).collect()
}

/// The name under which a user's field rests at the top of a document.
fn own_name(name: &str) -> String {
    match name {
        META => "%66rontdesk".to_owned(),
        ID => "%5Fid".to_owned(),
        other => escaped(other),
    }
}

fn text_of(id: &Bson) -> Bson {
    match id {
        Bson::ObjectId(id) => Bson::String(id.to_hex()),
        other => other.clone(),
    }
}

fn bson(value: &Value, depth: usize) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => held_number(number).unwrap_or_else(|| as_json(value)),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH => as_json(value),
        Value::Array(items) => Bson::Array(items.iter().map(|item| bson(item, depth + 1)).collect()),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (escaped(name), bson(value, depth + 1)));
            Bson::Document(fields.collect())
        }
    }
}

fn as_json(value: &Value) -> Bson {
    let fields = [(AS_JSON.to_owned(), Bson::String(value.to_string()))];
    Bson::Document(fields.into_iter().collect())
}

/// The number of a kind that is read back as the same text.
fn held_number(number: &Number) -> Option<Bson> {
    let text = number.to_string();
    let candidates = [
        text.parse::<i32>().ok().map(Bson::Int32),
        text.parse::<i64>().ok().map(Bson::Int64),
        text.parse::<f64>().ok().map(Bson::Double),
        text.parse::<Decimal128>().ok().map(Bson::Decimal128),
    ];
    let mut candidates = candidates.into_iter().flatten();
    candidates.find(|held| number_of(held).is_some_and(|read| read.to_string() == text))
}

fn number_of(held: &Bson) -> Option<Number> {
    match held {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some((*number).into()),
        Bson::Double(number) => Number::from_f64(*number),
        Bson::Decimal128(number) => serde_json::from_str(&number.to_string()).ok(),
        _ => None,
    }
}

/// A name as a field of a document may have it.
pub(super) fn escaped(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    for (at, letter) in name.char_indices() {
        match letter {
            '%' | '.' | '\0' => push_escaped(&mut written, letter),
            '$' if at == 0 => push_escaped(&mut written, letter),
            letter => written.push(letter),
        }
    }
    written
}

fn push_escaped(written: &mut String, letter: char) {
    use std::fmt::Write as _;
    // Writing to a text does not fail.
    _ = write!(written, "%{:02X}", u32::from(letter));
}

/// What [`escaped`] wrote; `None` if that is something else.
pub(super) fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut read = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        read.push(char::from(code));
        read.push_str(part.get(2..)?);
    }
    Some(read)
}

/// The fields of a document that [`document`] wrote; what the store keeps of it itself is left out.
pub(super) fn fields(document: Document, what: &str) -> Result<Map<String, Value>, Trouble> {
    let own = document.into_iter().filter(|(name, _)| name != META);
    own.map(|(name, value)| {
        let name = unescaped(&name).ok_or_else(|| damaged(what, format_args!("its field `{name}`")))?;
        Ok((name, json(value, what)?))
    })
    .collect()
}

/// A value that [`bson`] wrote. Ids and times of the store's own are texts.
fn json(value: Bson, what: &str) -> Result<Value, Trouble> {
    Ok(match value {
        Bson::Null => Value::Null,
        Bson::Boolean(value) => Value::Bool(value),
        Bson::String(text) => Value::String(text),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::DateTime(at) => Value::String(time(at)?.to_string()),
        Bson::Array(items) => {
            let items = items.into_iter().map(|item| json(item, what));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Bson::Document(fields) => match fields.get_str(AS_JSON) {
            Ok(text) => serde_json::from_str(text).map_err(|error| damaged(what, error))?,
            Err(_) => Value::Object(nested(fields, what)?),
        },
        number => match number_of(&number) {
            Some(number) => Value::Number(number),
            None => return Err(damaged(what, "it holds a value of a kind that is none of Frontdesk's")),
        },
    })
}

fn nested(fields: Document, what: &str) -> Result<Map<String, Value>, Trouble> {
    let fields = fields.into_iter().map(|(name, value)| {
        let name = unescaped(&name).ok_or_else(|| damaged(what, format_args!("its field `{name}`")))?;
        Ok((name, json(value, what)?))
    });
    fields.collect()
}

/// A typed value as it rests.
pub(super) fn to_document<T: Serialize>(value: &T, what: &str) -> Result<Document, Trouble> {
    match serde_json::to_value(value).map_err(|error| damaged(what, error))? {
        Value::Object(fields) => Ok(document(&fields, &Bson::Null)),
        _ => Err(damaged(what, "it is written as something else than an object")),
    }
}

/// A typed value, from what [`to_document`] wrote.
pub(super) fn from_document<T: DeserializeOwned>(document: Document, what: &str) -> Result<T, Trouble> {
    let fields = Value::Object(fields(document, what)?);
    serde_json::from_value(fields).map_err(|error| damaged(what, error))
}

/// Any JSON value as it rests.
pub(super) fn to_bson(value: &Value) -> Bson {
    bson(value, 1)
}

/// What [`to_bson`] wrote.
pub(super) fn from_bson(value: Bson, what: &str) -> Result<Value, Trouble> {
    json(value, what)
}

/// An id of twelve bytes.
pub(super) fn object_id(id: impl std::fmt::Display) -> Bson {
    let text = id.to_string();
    ObjectId::parse_str(&text).map_or(Bson::String(text), Bson::ObjectId)
}

/// A time, to the millisecond.
pub(super) fn date(at: Timestamp) -> Bson {
    Bson::DateTime(DateTime::from_millis(at.as_millisecond()))
}

/// A time as it is when it was stored as a [`date`].
pub(super) fn as_stored(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

pub(super) fn time(at: DateTime) -> Result<Timestamp, Trouble> {
    let read = Timestamp::from_millisecond(at.timestamp_millis());
    read.map_err(|error| damaged("a time", error))
}

/// A number that is never below zero. None is as large that it would not fit.
pub(super) fn int(number: u64) -> Bson {
    Bson::Int64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Reads the fields of a document that the store itself wrote.
pub(super) trait Fields {
    fn text(&self, name: &str, what: &str) -> Result<&str, Trouble>;
    fn text_or_none(&self, name: &str) -> Option<&str>;
    fn number(&self, name: &str, what: &str) -> Result<i64, Trouble>;
    fn number_or_none(&self, name: &str) -> Option<i64>;
    fn count(&self, name: &str, what: &str) -> Result<u64, Trouble>;
    fn time(&self, name: &str, what: &str) -> Result<Timestamp, Trouble>;
    fn time_or_none(&self, name: &str) -> Result<Option<Timestamp>, Trouble>;
    /// An id, which may be stored as such or as text.
    fn id<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str, what: &str) -> Result<T, Trouble>;
    fn part(&self, name: &str, what: &str) -> Result<&Document, Trouble>;
}

impl Fields for Document {
    fn text(&self, name: &str, what: &str) -> Result<&str, Trouble> {
        self.text_or_none(name).ok_or_else(|| missing(name, what))
    }

    fn text_or_none(&self, name: &str) -> Option<&str> {
        self.get_str(name).ok()
    }

    fn number(&self, name: &str, what: &str) -> Result<i64, Trouble> {
        self.number_or_none(name).ok_or_else(|| missing(name, what))
    }

    fn number_or_none(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Bson::Int64(number) => Some(*number),
            Bson::Int32(number) => Some(i64::from(*number)),
            _ => None,
        }
    }

    fn count(&self, name: &str, what: &str) -> Result<u64, Trouble> {
        u64::try_from(self.number(name, what)?).map_err(|error| damaged(what, error))
    }

    fn time(&self, name: &str, what: &str) -> Result<Timestamp, Trouble> {
        self.time_or_none(name)?.ok_or_else(|| missing(name, what))
    }

    fn time_or_none(&self, name: &str) -> Result<Option<Timestamp>, Trouble> {
        self.get_datetime(name).ok().map(|at| time(*at)).transpose()
    }

    fn id<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str, what: &str) -> Result<T, Trouble> {
        let text = match self.get(name) {
            Some(Bson::ObjectId(id)) => id.to_hex(),
            Some(Bson::String(text)) => text.clone(),
            _ => return Err(missing(name, what)),
        };
        text.parse().map_err(|error| damaged(what, error))
    }

    fn part(&self, name: &str, what: &str) -> Result<&Document, Trouble> {
        self.get_document(name).map_err(|_| missing(name, what))
    }
}

fn missing(name: &str, what: &str) -> Trouble {
    damaged(what, format_args!("its field `{name}` is missing or of another kind"))
}

/// A closed set of words, from its word.
pub(super) fn word<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Trouble> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| damaged(what, error))
}

/// The word of a member of a closed set.
pub(super) fn word_of<T: Serialize>(value: T) -> Result<String, Trouble> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(damaged("a word", "it is written as something else")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value) {
        let Value::Object(given) = value else { panic!() };
        let written = document(&given, &Bson::Null);
        // As the wire has it: names that BSON cannot hold would fail here.
        let wire = written.to_vec().unwrap();
        let read = Document::from_reader(&mut wire.as_slice()).unwrap();
        let names_a_path =
            |document: &Document| document.keys().any(|name| name.contains('.') || name.starts_with('$'));
        assert!(!names_a_path(&read), "{read:?}");
        assert_eq!(fields(read, "a test").unwrap(), given);
    }

    #[test]
    fn what_json_says_comes_back_as_it_was() {
        check(json!({ "a": null, "b": [true, "x", { "c": {} }], "": "\u{0}" }));
        check(
            json!({ "$set": 1, "a.b": 2, "100%": 3, "%json": "4", "nul\u{0}": 5, "frontdesk": { "rev": 6 }, "a$": 7, "_id": 8 }),
        );
        check(json!({ "nested": { "$gt": "", "frontdesk": 1, "%json": "[]", "%24": 2 } }));
    }

    #[test]
    fn numbers_keep_their_text() {
        let numbers = [
            "0",
            "-0",
            "1",
            "1.0",
            "145.50",
            "0.80",
            "1e400",
            "-3",
            "2147483648",
            "9223372036854775807",
            "18446744073709551615",
            "0.1",
            "1e2",
            "1.5e-7",
            "123456789012345678901234567890.12345678901234567890",
        ];
        let text = format!("{{\"n\":[{}]}}", numbers.join(","));
        check(serde_json::from_str(&text).unwrap());
    }

    #[test]
    fn what_is_too_deep_for_the_server_comes_back() {
        let deep = (0..120).fold(json!("end"), |inner, _| json!({ "a": inner }));
        check(deep);
    }

    #[test]
    fn usual_values_are_seen_as_what_they_are() {
        let Value::Object(given) = json!({ "threshold": 0.7, "days": 90, "name": "A", "list": [1] }) else {
            panic!()
        };
        let written = document(&given, &Bson::Null);
        assert_eq!(written.get("threshold"), Some(&Bson::Double(0.7)));
        assert_eq!(written.get("days"), Some(&Bson::Int32(90)));
        assert_eq!(written.get("list"), Some(&Bson::Array(vec![Bson::Int32(1)])));
    }
}
