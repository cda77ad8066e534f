//! A company's account and numbers at Twilio.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Outcome,
    mapping::{Mapping, below, e164, says_something},
};

/// Keys of accounts elsewhere: Frontdesk signs and verifies with the auth token alone.
const OTHER_KEYS: [&str; 4] = ["apiKey", "apiSecret", "apiKeySid", "apiKeySecret"];

pub(super) fn twilio(mapping: &mut Mapping) {
    let Some(Value::Object(mut config)) = mapping.take("twilioConfig") else {
        return;
    };
    let mut own = match mapping.take("twilio") {
        Some(Value::Object(own)) => own,
        _ => Map::new(),
    };
    for name in ["accountSid", "authToken"] {
        let value = config.shift_remove(name);
        if says_something(value.as_ref()) && !says_something(own.get(name)) {
            own.insert(name.into(), value.unwrap_or_default());
        }
    }
    mapping.moved("/twilio", "/twilioConfig");
    mapping.fields.insert("twilio".into(), Value::Object(own));
    for name in OTHER_KEYS {
        if says_something(config.get(name)) {
            mapping.remark(
                Outcome::LeftOut,
                below("/twilioConfig", name),
                "webhooks are verified, and recordings fetched, with the auth token alone",
                "",
            );
        }
        config.shift_remove(name);
    }
    twilio_numbers(mapping, &mut config);
    if config.get("callRoutingMode").and_then(Value::as_str) == Some("forward")
        && says_something(config.get("forwardNumber"))
        && !mapping.has("status")
    {
        mapping.fields.insert("status".into(), "forward".into());
        mapping.moved("/status", "/twilioConfig/callRoutingMode");
        let number = config.shift_remove("forwardNumber").unwrap_or_default();
        mapping.fields.insert("forwardNumber".into(), number);
        mapping.moved("/forwardNumber", "/twilioConfig/forwardNumber");
    }
    for name in ["callRoutingMode", "forwardNumber", "lastUpdated"] {
        config.shift_remove(name);
    }
    for (name, value) in &config {
        if says_something(Some(value)) && value != &Value::Bool(false) {
            let why = "has no counterpart, and nothing unknown is kept beside secrets";
            mapping.remark(Outcome::LeftOut, below("/twilioConfig", name), why, "");
        }
    }
}

/// The numbers at Twilio are numbers of the company, beside the one that it tells people.
fn twilio_numbers(mapping: &mut Mapping, config: &mut Map<String, Value>) {
    let mut found: Vec<(Value, String)> = Vec::new();
    if let Some(number) = config.shift_remove("phoneNumber") {
        found.push((number, "/twilioConfig/phoneNumber".into()));
    }
    let listed = config.shift_remove("phoneNumbers");
    for (index, entry) in listed
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let at = format!("/twilioConfig/phoneNumbers/{index}");
        match entry {
            Value::Object(entry) => {
                if entry.get("status").and_then(Value::as_str) == Some("inactive") {
                    let why = "the number is not active";
                    mapping.remark(Outcome::LeftOut, at, why, "add it to `phones` if it should be answered");
                    continue;
                }
                let number = entry.get("phoneNumber").or_else(|| entry.get("number"));
                found.push((number.cloned().unwrap_or_default(), format!("{at}/phoneNumber")));
            }
            other => found.push((other.clone(), at)),
        }
    }
    found.retain(|(number, _)| says_something(Some(number)));
    if !mapping.has("phone") && !found.is_empty() {
        let (number, at) = found.remove(0);
        mapping.fields.insert("phone".into(), number);
        mapping.moved("/phone", at);
    }
    let phones = mapping.fields.entry("phones").or_insert_with(|| json!([]));
    let Some(phones) = phones.as_array_mut() else { return };
    let first = phones.len();
    let places: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(index, (_, at))| (format!("/phones/{}", first + index), at.clone()))
        .collect();
    phones.extend(found.into_iter().map(|(number, _)| number));
    for (here, there) in places {
        mapping.moved(here, there);
    }
}

/// Numbers as E.164, each once.
pub(super) fn numbers(mapping: &mut Mapping) {
    let north_america = lies_in_north_america(mapping);
    let mut seen = BTreeSet::new();
    for name in ["phone", "forwardNumber"] {
        let Some(Value::String(text)) = mapping.fields.get(name) else {
            continue;
        };
        if let Some(number) = e164(text, north_america) {
            if name == "phone" {
                seen.insert(number.clone());
            }
            mapping.fields.insert(name.into(), number.into());
        }
    }
    if let Some(Value::Array(phones)) = mapping.fields.get_mut("phones") {
        for phone in phones.iter_mut() {
            if let Some(number) = phone.as_str().and_then(|text| e164(text, north_america)) {
                *phone = number.into();
            }
        }
        // A number that stands twice is one number.
        phones.retain(|phone| phone.as_str().is_none_or(|number| seen.insert(number.to_owned())));
    }
}

pub(super) fn lies_in_north_america(mapping: &Mapping) -> bool {
    let country = ["address", "companyAddress"]
        .iter()
        .find_map(|name| mapping.fields.get(*name)?.get("country")?.as_str());
    let zone = mapping.fields.get("timezone").and_then(Value::as_str);
    match country.map(str::trim).filter(|country| !country.is_empty()) {
        Some(country) => matches!(
            country.to_uppercase().as_str(),
            "US" | "USA" | "UNITED STATES" | "CA" | "CAN" | "CANADA"
        ),
        None => zone.is_none_or(|zone| zone.starts_with("America/") || zone.starts_with("US/")),
    }
}
