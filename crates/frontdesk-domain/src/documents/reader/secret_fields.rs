//! Secrets that stand where they would be kept in clear: in fields that nobody knows.

use serde_json::Value;

use super::{Place, push_escaped, unwrap};

/// How such a fault begins.
pub(in crate::documents) const LOOKS_LIKE_A_SECRET: &str = "looks like a secret";

/// What names of secrets have in them, without case, underscores and dashes.
const NAMES: [&str; 4] = ["token", "secret", "password", "apikey"];

/// Finds a fault at each value in the field of that name, `below` the place, that looks like a secret.
pub(super) fn refuse_secrets(name: &str, value: &Value, below: &str, place: &mut Place<'_>) {
    let folded: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect();
    if NAMES.iter().any(|secret| folded.contains(secret)) {
        // Some count their tokens.
        let may_be_a_count = folded.contains("tokens") || folded.contains("tokencount");
        refuse_texts(value, below, may_be_a_count, place);
    } else {
        refuse_secrets_in(value, below, place);
    }
}

/// The same for every field of a value that is kept as it is.
pub(super) fn refuse_secrets_in(value: &Value, below: &str, place: &mut Place<'_>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let mut at = below.to_owned();
                push_escaped(&mut at, name);
                refuse_secrets(name, value, &at, place);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_secrets_in(item, &format!("{below}/{index}"), place);
            }
        }
        _ => {}
    }
}

fn refuse_texts(value: &Value, below: &str, may_be_a_count: bool, place: &mut Place<'_>) {
    match unwrap(value).as_ref() {
        // Whether there is a secret is none.
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) if may_be_a_count => {}
        Value::String(text) if text.is_empty() => {}
        Value::Number(_) | Value::String(_) => place.fault_below(
            below,
            format!(
                "{LOOKS_LIKE_A_SECRET}, and what is unknown here is kept and shown in clear; leave it out. Twilio's secrets \
                 belong in `twilio` of the company: `authToken`, `previousAuthToken` and `secret` of `sharedKeys`"
            ),
        ),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_texts(item, &format!("{below}/{index}"), may_be_a_count, place);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let mut at = below.to_owned();
                push_escaped(&mut at, name);
                refuse_texts(value, &at, may_be_a_count, place);
            }
        }
    }
}
