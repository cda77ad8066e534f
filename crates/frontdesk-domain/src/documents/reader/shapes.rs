//! Shapes: what values may look like. Each names what would be right when a value is not.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, sync::Arc};

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use super::{Place, Read, Reader, Step, read_object, secret_fields::refuse_secrets_in, unwrap};
use crate::{
    confidence::Confidence,
    documents::{nearest::nearest, template::compile_trigger},
    money::{PicoUsd, ReadAmount},
    time::{Date, Timestamp, instant},
    variables::Wording,
};

/// Text of that many characters, not blank unless it may be empty, without control characters but line breaks and tabs.
pub(in crate::documents) fn text(length: RangeInclusive<usize>) -> impl Fn(&Value, &mut Place<'_>) -> Read<Arc<str>> {
    move |value, place| {
        let Value::String(text) = value else {
            return place.wrong(value, &describe(&length));
        };
        check_text(text, &length, place)?;
        Some((text.as_str().into(), value.clone()))
    }
}

fn describe(length: &RangeInclusive<usize>) -> String {
    format!("text of {} to {} characters", length.start(), length.end())
}

fn check_text(text: &str, length: &RangeInclusive<usize>, place: &mut Place<'_>) -> Option<()> {
    let count = text.chars().count();
    if !length.contains(&count) {
        return place.refuse(format!("should be {}, not of {count}", describe(length)));
    }
    if *length.start() > 0 && text.trim().is_empty() {
        return place.refuse(format!("is blank; it should be {}", describe(length)));
    }
    if text
        .chars()
        .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
    {
        return place.refuse("has a control character in it; it should be plain text");
    }
    Some(())
}

/// Text of one line, such as a name: it goes into subjects of mails and lines of logs as it is.
pub(in crate::documents) fn line(length: RangeInclusive<usize>) -> impl Fn(&Value, &mut Place<'_>) -> Read<Arc<str>> {
    let text = text(length);
    move |value, place| {
        let (text, json) = text(value, place)?;
        // What got in before is read, whatever it was.
        if !place.is_stored() && !is_one_line(&text) {
            return place
                .refuse("has a line break or another control character in it; it should be one line of plain text");
        }
        Some((text, json))
    }
}

/// Whether nothing in a text ends or moves the line that it stands in.
pub(in crate::documents) fn is_one_line(text: &str) -> bool {
    const LINE_AND_PARAGRAPH: [char; 2] = ['\u{2028}', '\u{2029}'];
    !text
        .chars()
        .any(|letter| letter.is_control() || LINE_AND_PARAGRAPH.contains(&letter))
}

/// Text as an owned string.
pub(in crate::documents) fn string(length: RangeInclusive<usize>) -> impl Fn(&Value, &mut Place<'_>) -> Read<String> {
    let text = text(length);
    move |value, place| text(value, place).map(|(text, json)| (text.as_ref().to_owned(), json))
}

/// Text that is spoken; `{variable}` is filled in.
pub(in crate::documents) fn wording(length: RangeInclusive<usize>) -> impl Fn(&Value, &mut Place<'_>) -> Read<Wording> {
    let spoken = spoken(length);
    move |value, place| spoken(value, place).map(|(text, json)| (Wording::new(text), json))
}

/// Text that is spoken: with a letter or a digit in it, as all else is silence.
pub(in crate::documents) fn spoken(length: RangeInclusive<usize>) -> impl Fn(&Value, &mut Place<'_>) -> Read<Arc<str>> {
    let text = text(length);
    move |value, place| {
        let (text, json) = text(value, place)?;
        // What got in before is read, whatever it was.
        if !place.is_stored() && !text.chars().any(char::is_alphanumeric) {
            return place.refuse("has nothing in it that can be spoken; it should have a word or a number");
        }
        Some((text, json))
    }
}

/// Text that passes a check, whose failure says what would be right.
pub(in crate::documents) fn checked<T, E: Display>(
    should: &'static str,
    check: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&Value, &mut Place<'_>) -> Read<T> {
    move |value, place| {
        let Value::String(text) = value else {
            return place.wrong(value, should);
        };
        match check(text) {
            Ok(parsed) => Some((parsed, value.clone())),
            Err(error) => place.refuse(error.to_string()),
        }
    }
}

/// Text that has one canonical form, such as an id or a number.
pub(in crate::documents) fn parsed<T>(should: &'static str) -> impl Fn(&Value, &mut Place<'_>) -> Read<T>
where
    T: FromStr<Err: Display> + Display,
{
    let checked = checked(should, T::from_str);
    move |value, place| {
        let (parsed, _) = checked(value, place)?;
        let canonical = Value::from(parsed.to_string());
        Some((parsed, canonical))
    }
}

/// Letters, digits, dots, dashes, colons and underscores, 100 at most: a slug or a hexadecimal id.
pub(in crate::documents) fn slug<T>(make: impl Fn(&str) -> T) -> impl Fn(&Value, &mut Place<'_>) -> Read<T> {
    checked("an id of letters, digits, dots, dashes and underscores", move |text| {
        is_slug(text)
            .then(|| make(text))
            .ok_or("should be 1 to 100 letters, digits, dots, dashes, colons and underscores")
    })
}

/// Whether a text can be such an id.
pub(in crate::documents) fn is_slug(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':'))
}

/// A whole number, whose range was wider once: what got in then counts as the largest.
pub(in crate::documents) fn narrowed<T>(range: RangeInclusive<i64>) -> impl Fn(&Value, &mut Place<'_>) -> Read<T>
where
    T: TryFrom<i64>,
{
    let most = *range.end();
    let within = integer::<T>(range);
    move |value, place| match value {
        Value::Number(number) if place.is_stored() && whole(number).is_some_and(|whole| whole > most) => {
            within(&Value::from(most), place)
        }
        _ => within(value, place),
    }
}

/// A whole number.
pub(in crate::documents) fn integer<T>(range: RangeInclusive<i64>) -> impl Fn(&Value, &mut Place<'_>) -> Read<T>
where
    T: TryFrom<i64>,
{
    move |value, place| {
        let should = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = value else {
            return place.wrong(value, &should);
        };
        match whole(number)
            .filter(|whole| range.contains(whole))
            .and_then(|whole| Some((T::try_from(whole).ok()?, whole)))
        {
            Some((typed, whole)) => Some((typed, whole.into())),
            None => place.refuse(format!("should be {should}, not {number}")),
        }
    }
}

/// The number if it is whole, however it is written: `3`, `3.0`, `3e0`.
fn whole(number: &Number) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    let rounded = || {
        number
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0)
            .map(|n| n as i64)
    };
    number.as_i64().or_else(rounded)
}

/// True or false.
pub(in crate::documents) fn boolean(value: &Value, place: &mut Place<'_>) -> Read<bool> {
    match value {
        Value::Bool(flag) => Some((*flag, value.clone())),
        _ => place.wrong(value, "true or false"),
    }
}

/// A number from 0 to 1.
pub(in crate::documents) fn confidence(value: &Value, place: &mut Place<'_>) -> Read<Confidence> {
    let Value::Number(number) = value else {
        return place.wrong(value, "a number from 0 to 1");
    };
    match number.as_f64().and_then(Confidence::new) {
        Some(confidence) => Some((confidence, value.clone())),
        None => place.refuse(format!("should be a number from 0 to 1, not {number}")),
    }
}

/// An amount that is not negative, as a number, a decimal string or a number of Extended JSON; written as a string.
pub(in crate::documents) fn money(value: &Value, place: &mut Place<'_>) -> Read<PicoUsd> {
    let plain = unwrap(value);
    let text = match plain.as_ref() {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text.as_str(),
        _ => return place.wrong(value, "an amount in US dollars, such as 200 or \"145.50\""),
    };
    let ReadAmount { amount, is_exact } = match ReadAmount::new(text) {
        Ok(read) => read,
        Err(error) => return place.refuse(error.to_string()),
    };
    if amount < PicoUsd::ZERO {
        return place.refuse("should not be negative");
    }
    if !is_exact {
        place.note_below("", format!("was rounded to \"{amount}\", which is whole pico-dollars"));
    }
    Some((amount, Value::from(amount.to_string())))
}

/// An instant in RFC 3339.
pub(in crate::documents) fn timestamp(value: &Value, place: &mut Place<'_>) -> Read<Timestamp> {
    checked("a time such as \"2026-11-01T00:00:00Z\"", |text| {
        instant(text).ok_or("should be a time such as \"2026-11-01T00:00:00Z\"")
    })(value, place)
}

/// A date; on import the date of an instant too.
pub(in crate::documents) fn date(value: &Value, place: &mut Place<'_>) -> Read<Date> {
    const SHOULD: &str = "a date such as \"2026-12-25\"";
    let Value::String(text) = value else {
        return place.wrong(value, SHOULD);
    };
    let date_part = if place.is_import() {
        text.split('T').next().unwrap_or(text)
    } else {
        text
    };
    let well_formed = date_part.len() == 10;
    match date_part.parse::<Date>() {
        Ok(date) if well_formed => Some((date, Value::from(date.to_string()))),
        _ => place.refuse(format!("should be {SHOULD}, not \"{text}\"")),
    }
}

/// One of a closed set of names.
pub(in crate::documents) fn choice<T: Copy>(
    names: &'static [(&'static str, T)],
) -> impl Fn(&Value, &mut Place<'_>) -> Read<T> {
    move |value, place| {
        let all = || {
            names
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Value::String(text) = value else {
            return place.wrong(value, &format!("one of {}", all()));
        };
        if let Some((_, meaning)) = names.iter().find(|(name, _)| name == text) {
            return Some((*meaning, value.clone()));
        }
        let hint = nearest(text, names.iter().map(|(name, _)| *name)).map(|name| format!("; did you mean \"{name}\"?"));
        place.refuse(format!("should be one of {}{}", all(), hint.unwrap_or_default()))
    }
}

/// A regular expression that compiles within limits; matching takes linear time.
pub(in crate::documents) fn pattern(value: &Value, place: &mut Place<'_>) -> Read<String> {
    compiling(value, place, |pattern| {
        RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build()
    })
}

/// A regular expression of a scenario, compiled as it will be for matching.
pub(in crate::documents) fn trigger_pattern(value: &Value, place: &mut Place<'_>) -> Read<String> {
    compiling(value, place, compile_trigger)
}

fn compiling(
    value: &Value,
    place: &mut Place<'_>,
    compile: impl Fn(&str) -> Result<Regex, regex::Error>,
) -> Read<String> {
    let (pattern, json) = string(1..=10_000)(value, place)?;
    if place.is_stored() {
        // It compiled when it came in, and compiling costs more than all else in a document.
        return Some((pattern, json));
    }
    match compile(&pattern) {
        Ok(_) => Some((pattern, json)),
        Err(regex::Error::CompiledTooBig(_)) => place.refuse("is too large once compiled; use smaller repetitions"),
        Err(error) => {
            let last = error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            place.refuse(format!(
                "is no regular expression: {last} (RE2 syntax, without look-around and back-references)"
            ))
        }
    }
}

/// What a compiled pattern of the safety rules may take.
const PATTERN_BYTES: usize = 2 << 20;

/// A list whose items have one shape.
pub(in crate::documents) fn list<T>(
    length: RangeInclusive<usize>,
    item: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
) -> impl Fn(&Value, &mut Place<'_>) -> Read<Vec<T>> {
    move |value, place| {
        let Value::Array(items) = value else {
            return place.wrong(value, "a list");
        };
        if !length.contains(&items.len()) {
            return place.refuse(format!(
                "should have {} to {} items, not {}",
                length.start(),
                length.end(),
                items.len()
            ));
        }
        let mut typed = Vec::with_capacity(items.len());
        let mut written = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            let read = place.within(Step::Index(index), |place| {
                let value = place.plain(value);
                item(&value, place)
            });
            if let Some((value, json)) = read {
                typed.push(value);
                written.push(json);
            }
        }
        // An item that is not there was faulty, and its fault is known.
        Some((typed, Value::Array(written)))
    }
}

/// An object whose fields are read by name.
pub(in crate::documents) fn object<T>(
    read: impl Fn(&mut Reader<'_, '_>) -> Option<T>,
) -> impl Fn(&Value, &mut Place<'_>) -> Read<T> {
    move |value, place| read_object(value, place, &read).map(|(value, json)| (value, Value::Object(json)))
}

/// An object whose keys are free: each is made into a `K`, whose failure says what would be right.
pub(in crate::documents) fn map<K, T, E: Display>(
    most: usize,
    key: impl Fn(&str) -> Result<K, E>,
    item: impl Fn(&Value, &mut Place<'_>) -> Read<T>,
) -> impl Fn(&Value, &mut Place<'_>) -> Read<Vec<(K, T)>> {
    move |value, place| {
        let Value::Object(entries) = value else {
            return place.wrong(value, "an object");
        };
        if entries.len() > most {
            return place.refuse(format!("should have at most {most} entries, not {}", entries.len()));
        }
        let mut typed = Vec::with_capacity(entries.len());
        let mut written = serde_json::Map::with_capacity(entries.len());
        for (name, value) in entries {
            let read = place.within(Step::Key(name.clone()), |place| {
                let value = place.plain(value);
                let read = item(&value, place);
                match key(name) {
                    Ok(key) => read.map(|(value, json)| (key, value, json)),
                    Err(error) => place.refuse(error.to_string()),
                }
            });
            if let Some((key, value, json)) = read {
                typed.push((key, value));
                written.insert(name.clone(), json);
            }
        }
        Some((typed, Value::Object(written)))
    }
}

/// An object that is kept as it is, if no secret stands in it.
pub(in crate::documents) fn free_object(value: &Value, place: &mut Place<'_>) -> Read<()> {
    if !value.is_object() {
        return place.wrong(value, "an object");
    }
    if !place.is_stored() {
        refuse_secrets_in(value, "", place);
    }
    Some(((), value.clone()))
}
