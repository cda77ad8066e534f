//! `MongoDB` Extended JSON (v2, relaxed and canonical), as `mongoexport` writes it.

use std::{borrow::Cow, str::FromStr};

use serde_json::{Number, Value};

use crate::time::Timestamp;

/// The plain value inside of a wrapper such as `{"$oid": "…"}`; any other value as it is.
pub(in crate::documents) fn unwrap(value: &Value) -> Cow<'_, Value> {
    let Some(object) = value.as_object().filter(|object| object.len() == 1) else {
        return Cow::Borrowed(value);
    };
    let plain = object.iter().next().and_then(|(name, inner)| match name.as_str() {
        "$oid" => inner.as_str().map(Value::from),
        "$date" => date(inner),
        "$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal" => number(inner),
        _ => None,
    });
    plain.map_or(Cow::Borrowed(value), Cow::Owned)
}

/// A number from its own text, so that no digit is lost.
fn number(inner: &Value) -> Option<Value> {
    match inner {
        Value::String(text) => Number::from_str(text).ok().map(Value::Number),
        Value::Number(_) => Some(inner.clone()),
        _ => None,
    }
}

/// RFC 3339, from RFC 3339 or from milliseconds since 1970.
fn date(inner: &Value) -> Option<Value> {
    if inner.is_string() {
        return Some(inner.clone());
    }
    let milliseconds = match unwrap(inner).as_ref() {
        Value::Number(number) => number.as_i64()?,
        _ => return None,
    };
    Timestamp::from_millisecond(milliseconds)
        .ok()
        .map(|at| Value::from(at.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wrapped: &str, want: &str) {
        let wrapped: Value = serde_json::from_str(wrapped).unwrap();
        assert_eq!(unwrap(&wrapped).to_string(), want);
    }

    #[test]
    fn wrappers_are_taken_off() {
        check(
            r#"{"$oid": "507f1f77bcf86cd799439011"}"#,
            r#""507f1f77bcf86cd799439011""#,
        );
        check(r#"{"$date": "2026-11-01T00:00:00Z"}"#, r#""2026-11-01T00:00:00Z""#);
        check(r#"{"$date": 1793491200000}"#, r#""2026-11-01T00:00:00Z""#);
        check(
            r#"{"$date": {"$numberLong": "1793491200500"}}"#,
            r#""2026-11-01T00:00:00.5Z""#,
        );
        check(r#"{"$numberLong": "9007199254740993"}"#, "9007199254740993");
        check(r#"{"$numberInt": "3"}"#, "3");
        check(r#"{"$numberDouble": "0.70"}"#, "0.70");
        check(r#"{"$numberDecimal": "145.500000000001"}"#, "145.500000000001");
    }

    #[test]
    fn what_is_no_wrapper_stays() {
        for text in [
            r#"{"$oid":5}"#,
            r#"{"$numberDouble":"NaN"}"#,
            r#"{"$date":null}"#,
            r#"{"$oid":"a","b":1}"#,
            "{}",
            "3",
        ] {
            check(text, text);
        }
    }
}
