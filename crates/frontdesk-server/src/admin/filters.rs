//! Filters that several lists take.

use frontdesk_domain::time::{Date, TimeZone, Timestamp, instant, zone};
use frontdesk_store::ports::StoredCompany;
use serde_json::Value;

use super::Answer;
use crate::extract::Query;

/// The zone in which a company's dates are meant.
pub(crate) fn zone_of(company: &StoredCompany) -> TimeZone {
    let name = company.document.json.get("timezone").and_then(Value::as_str);
    name.and_then(zone).unwrap_or(TimeZone::UTC)
}

/// A time whose offset begins with a plus that was not percent-encoded, and so arrived as a blank.
fn with_plus(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains('T') => format!("{time}+{offset}"),
        _ => text.to_owned(),
    }
}

/// `?from` and `?to`: times, or dates in this zone. `to` is exclusive for a time and inclusive for a date.
pub(crate) fn range(query: &Query, zone: &TimeZone) -> Answer<(Option<Timestamp>, Option<Timestamp>)> {
    const WHEN: &str = "a time such as 2026-11-01T08:00:00Z or a date such as 2026-11-01";
    let midnight = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let time = |text: &str| instant(text).or_else(|| instant(&with_plus(text)));
    // A time whose offset is wrong is no date, although it begins with one.
    let date = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-01".len());
    let from = query.read("from", WHEN, |text| time(text).or_else(|| midnight(date(text)?)))?;
    let to = query.read("to", WHEN, |text| {
        time(text).or_else(|| midnight(date(text)?.tomorrow().ok()?))
    })?;
    Ok((from, to))
}

/// `?caller`: a number as Twilio names it.
pub(crate) fn caller(query: &Query) -> Answer<Option<String>> {
    // A plus that was not percent-encoded arrives as a blank.
    let caller = query.read(
        "caller",
        "a number such as +15551234567, its plus written %2B",
        |text| {
            let number = text
                .strip_prefix(' ')
                .map_or_else(|| text.to_owned(), |digits| format!("+{digits}"));
            (number.len() <= 100).then_some(number)
        },
    )?;
    Ok(caller)
}

/// `?q`: a part of what was said.
pub(crate) fn words(query: &Query) -> Answer<Option<String>> {
    let words = query.read("q", "words of at most 200 characters", |text| {
        (text.chars().count() <= 200).then(|| text.to_owned())
    })?;
    Ok(words)
}
