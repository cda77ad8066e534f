//! Reads an error that a provider answered: what it means, its code, how long to wait.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use serde_json::Value;

use crate::provider::{Refusal, RefusalKind};

/// A code has at most so many characters.
const CODE_LENGTH: usize = 64;

/// No provider is taken at its word for longer.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What providers call it when no money is left, though the status says too many requests.
const NO_MONEY: [&str; 3] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
];

/// The same in milliseconds, as api.openai.com says it too.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// Reads an error by its status, headers, and as much of its body as came.
pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Most servers nest it; some do not.
    let error = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
    let field = |name: &str| error.get(name).and_then(word);
    let (code, kind) = (field("code"), field("type"));
    let is_no_money = [&code, &kind]
        .into_iter()
        .flatten()
        .any(|word| NO_MONEY.contains(&word.as_str()));
    Refusal {
        status: status.as_u16(),
        kind: kind_of(status, is_no_money),
        retry_after: retry_after(headers),
        code: code.or(kind),
    }
}

const fn kind_of(status: StatusCode, is_no_money: bool) -> RefusalKind {
    match status.as_u16() {
        401 | 403 => RefusalKind::Credentials,
        402 => RefusalKind::Payment,
        429 if is_no_money => RefusalKind::Payment,
        429 => RefusalKind::RateLimited,
        404 => RefusalKind::NoSuchModel,
        400 | 413 | 415 | 422 => RefusalKind::BadRequest,
        500..=599 => RefusalKind::Server,
        _ => RefusalKind::Other,
    }
}

/// A code as it may be logged.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let printable = text.chars().filter(char::is_ascii_graphic);
    let text: String = printable.take(CODE_LENGTH).collect();
    (!text.is_empty()).then_some(text)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str| text.parse().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    let exact = header(RETRY_AFTER_MS)
        .and_then(seconds)
        .map(|thousandfold| thousandfold / 1_000);
    let wait = exact.or_else(|| {
        let text = header(RETRY_AFTER.as_str())?;
        seconds(text).or_else(|| until(text, header(DATE.as_str())?))
    })?;
    Some(wait.min(LONGEST_WAIT))
}

/// The time until a date, by the server's own clock.
fn until(date: &str, now: &str) -> Option<Duration> {
    let parser = DateTimeParser::new();
    let (then, now) = (parser.parse_timestamp(date).ok()?, parser.parse_timestamp(now).ok()?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap();
        read(status, &HeaderMap::new(), body.as_bytes())
    }

    #[track_caller]
    fn check_wait(headers: &[(&'static str, &'static str)], expected: Option<Duration>) {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let refusal = read(StatusCode::TOO_MANY_REQUESTS, &headers.collect(), b"");
        assert_eq!(refusal.retry_after, expected);
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (status, kind) in [
            (302, RefusalKind::Other),
            (400, RefusalKind::BadRequest),
            (401, RefusalKind::Credentials),
            (402, RefusalKind::Payment),
            (403, RefusalKind::Credentials),
            (404, RefusalKind::NoSuchModel),
            (418, RefusalKind::Other),
            (422, RefusalKind::BadRequest),
            (429, RefusalKind::RateLimited),
            (500, RefusalKind::Server),
            (503, RefusalKind::Server),
            (529, RefusalKind::Server),
        ] {
            assert_eq!(refusal(status, "").kind, kind, "{status}");
        }
    }

    #[test]
    fn an_exhausted_quota_is_a_matter_of_payment() {
        for word in NO_MONEY {
            let by_code = format!(r#"{{"error":{{"code":"{word}","type":"x"}}}}"#);
            let by_type = format!(r#"{{"error":{{"code":null,"type":"{word}"}}}}"#);
            for body in [by_code, by_type] {
                assert_eq!(refusal(429, &body).kind, RefusalKind::Payment, "{body}");
            }
        }
        let limited = refusal(429, r#"{"error":{"code":"rate_limit_exceeded","type":"requests"}}"#);
        assert_eq!(limited.kind, RefusalKind::RateLimited);
    }

    #[test]
    fn the_code_is_short_and_printable() {
        for (body, expected) in [
            (
                r#"{"error":{"code":"invalid_api_key","type":"t"}}"#,
                Some("invalid_api_key"),
            ),
            (r#"{"error":{"code":null,"type":"server_error"}}"#, Some("server_error")),
            (r#"{"error":{"code":400}}"#, Some("400")),
            (r#"{"object":"error","type":"NotFoundError","code":404}"#, Some("404")),
            ("{\"error\":{\"code\":\"a\\nb \u{1f600}c\"}}", Some("abc")),
            (r#"{"error":"model not found"}"#, None),
            (r#"{"error":{"code":{}}}"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(refusal(400, body).code.as_deref(), expected, "{body}");
        }
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(500));
        assert_eq!(refusal(400, &long).code.map(|code| code.len()), Some(64));
    }

    #[test]
    fn the_wait_is_in_seconds_milliseconds_or_until_a_date() {
        check_wait(&[], None);
        check_wait(&[("retry-after", "7")], Some(Duration::from_secs(7)));
        check_wait(&[("retry-after", "0.5")], Some(Duration::from_millis(500)));
        check_wait(
            &[("retry-after", "7"), ("retry-after-ms", "6500")],
            Some(Duration::from_millis(6_500)),
        );
        let date = ("date", "Thu, 26 Nov 2026 12:00:00 GMT");
        check_wait(
            &[date, ("retry-after", "Thu, 26 Nov 2026 12:01:30 GMT")],
            Some(Duration::from_secs(90)),
        );
        check_wait(
            &[date, ("retry-after", "Thu, 26 Nov 2026 11:00:00 GMT")],
            Some(Duration::ZERO),
        );
        check_wait(&[("retry-after", "Thu, 26 Nov 2026 12:01:30 GMT")], None);
    }

    #[test]
    fn an_absurd_wait_is_none_or_a_day() {
        check_wait(&[("retry-after", "999999999")], Some(LONGEST_WAIT));
        for absurd in ["-5", "soon", "", "NaN", "inf", "1e999"] {
            let value = HeaderValue::from_static(absurd);
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
            assert_eq!(
                read(StatusCode::TOO_MANY_REQUESTS, &headers, b"").retry_after,
                None,
                "{absurd}"
            );
        }
    }
}
