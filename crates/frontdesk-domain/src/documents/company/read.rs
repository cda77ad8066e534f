//! How a company document is read.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Value, json};

use super::{
    Change, Company, CompanyDocument, DEFAULT_RETENTION_DAYS, Destination, MAX_RETENTION_DAYS, SPOKEN, SecretChanges,
    SharedKeyChange, Status, Transfer, Voice, agent, legacy,
};
use crate::{
    documents::{
        prompts::PromptTexts,
        reader::{
            Place, Read, Reader, refuse_repeats,
            shapes::{
                boolean, checked, choice, date, free_object, integer, line, list, map, narrowed, object, parsed, text,
                wording,
            },
            texts_of,
        },
        trade::TradeName,
    },
    phone::{Country, PhoneNumber},
    time::{Date, Holiday, Hours, Schedule, zone},
    variables::{Variables, is_variable_name},
};

pub(super) fn company(doc: &mut Reader<'_, '_>) -> Option<CompanyDocument> {
    let id = doc.required("_id", parsed("an id of 24 hexadecimal digits"));
    let name = doc.required("name", line(1..=200));
    let phone = doc.required("phone", phone_number);
    let phones = doc.or("phones", json!([]), list(0..=100, phone_number));
    let industry_type = doc.optional("industryType", line(1..=100));
    let default_trades: Vec<&str> = industry_type.as_deref().into_iter().collect();
    let trades = doc.or("trades", json!(default_trades), list(0..=50, trade));
    let time_zone = doc.or(
        "timezone",
        "UTC",
        checked("an IANA zone such as \"America/New_York\"", |name| {
            zone(name).ok_or_else(|| format!("should be an IANA zone such as \"America/New_York\", not \"{name}\""))
        }),
    );
    let status = doc.or("status", "active", choice(STATUSES));
    let forward_number = doc.optional("forwardNumber", phone_number);
    let (account_sid, secrets) = doc.or("twilio", json!({}), object(|doc| Some(twilio(doc)))).unzip();
    let secrets = if doc.raw("twilio") == Some(&Value::Null) {
        all_removed()
    } else {
        secrets.unwrap_or_default()
    };
    let voice = doc.or("voice", json!({}), object(voice));
    let greeting = doc.optional("greeting", wording(1..=SPOKEN));
    let prompts = doc.or("prompts", json!({}), object(|doc| Some(PromptTexts::read(doc))));
    let hours = doc.or("hours", "always", hours);
    let holidays = doc.or("holidays", json!([]), list(0..=500, object(holiday)));
    let days = narrowed(0..=i64::from(MAX_RETENTION_DAYS));
    let retention_days = doc.or("retentionDays", DEFAULT_RETENTION_DAYS, days);
    let transfer = doc.or("transfer", json!({}), object(transfer));
    let values = doc.or("variables", json!({}), map(500, variable_name, variable));
    doc.or("configuration", json!({}), free_object);
    let logic = doc.or("aiAgentLogic", json!({}), object(agent::logic));
    let template_references = doc.or("aiAgentSettings", json!({}), object(agent::settings));
    doc.ignored("rev");
    doc.server_time("createdAt");
    doc.server_time("updatedAt");

    let template_references = match template_references {
        Some(references) if references.is_empty() => legacy::adopt(doc).or(Some(references)),
        Some(references) => {
            legacy::report(doc);
            Some(references)
        }
        None => None,
    };
    if status == Some(Status::Forward) && doc.raw("forwardNumber").is_none_or(Value::is_null) {
        doc.place.fault_below(
            "/forwardNumber",
            "is missing; a company with status \"forward\" needs one, such as +15551234567",
        );
    }
    refuse_repeated_numbers(doc);
    // A company that was saved by older rules is loaded all the same; who must not be dialled is not.
    if !doc.place.is_stored()
        && let (Some(home), Some(transfer)) = (phone, &transfer)
    {
        refuse_undialable(doc, home, &transfer.allowed_countries);
    }

    let name: Arc<str> = name?;
    let (thresholds, gatekeeper, fallback, learning, opening) = logic?;
    let company = Company {
        id: id?,
        phone: phone?,
        phones: phones?,
        industry_type,
        trades: distinct(trades?),
        time_zone: time_zone?,
        status: status?,
        forward_number,
        account_sid: account_sid?,
        voice: voice?,
        greeting,
        prompts: prompts?,
        schedule: Schedule {
            hours: hours?,
            holidays: holidays?,
        },
        retention_days: retention_days?,
        transfer: transfer?,
        variables: Variables::new(Arc::clone(&name), values?.into_iter().collect()),
        thresholds,
        gatekeeper,
        fallback,
        learning,
        template_references: template_references?,
        name,
    };
    Some(CompanyDocument {
        company,
        secrets,
        opening,
    })
}

const STATUSES: &[(&str, Status)] = &[
    ("active", Status::Active),
    ("forward", Status::Forward),
    ("suspended", Status::Suspended),
];

fn phone_number(value: &Value, place: &mut Place<'_>) -> Read<PhoneNumber> {
    parsed("a phone number such as +15551234567")(value, place)
}

fn hours(value: &Value, place: &mut Place<'_>) -> Read<Hours> {
    checked(
        "\"always\", \"closed\" or ranges such as \"mon-fri 08:00-18:00\"",
        str::parse::<Hours>,
    )(value, place)
}

fn trade(value: &Value, place: &mut Place<'_>) -> Read<TradeName> {
    line(1..=100)(value, place).map(|(name, json)| (TradeName::new(&name), json))
}

fn distinct(trades: Vec<TradeName>) -> Vec<TradeName> {
    let mut distinct = Vec::with_capacity(trades.len());
    for trade in trades {
        if !distinct.contains(&trade) {
            distinct.push(trade);
        }
    }
    distinct
}

fn all_removed() -> SecretChanges {
    SecretChanges {
        auth_token: Change::Remove,
        previous_auth_token: Change::Remove,
        shared_keys: Some(Vec::new()),
    }
}

fn twilio(doc: &mut Reader<'_, '_>) -> (Option<Arc<str>>, SecretChanges) {
    doc.holds_secrets();
    let account_sid = doc.optional(
        "accountSid",
        checked("an account SID such as \"AC…\"", |sid| {
            let well_formed = sid.strip_prefix("AC").is_some_and(|rest| {
                (1..=62).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
            well_formed
                .then(|| Arc::from(sid))
                .ok_or("should be an account SID: AC and 32 hexadecimal digits")
        }),
    );
    let auth_token = doc.secret("authToken");
    let previous_auth_token = doc.secret("previousAuthToken");
    refuse_repeats(doc.place, texts_of(doc.raw("sharedKeys"), "/sharedKeys", "id"));
    let all_keys_removed = doc.raw("sharedKeys") == Some(&Value::Null);
    let shared_keys = doc.taken_out("sharedKeys", list(0..=20, object(shared_key)));
    let shared_keys = if all_keys_removed {
        Some(Vec::new())
    } else {
        shared_keys
    };
    doc.ignored("authTokenSet");
    doc.ignored("previousAuthTokenSet");
    (
        account_sid,
        SecretChanges {
            auth_token,
            previous_auth_token,
            shared_keys,
        },
    )
}

fn shared_key(doc: &mut Reader<'_, '_>) -> Option<SharedKeyChange> {
    doc.holds_secrets();
    let id = doc.required("id", line(1..=200));
    let secret = match doc.secret("secret") {
        Change::Set(secret) => Some(secret),
        Change::Keep => None,
        Change::Remove => {
            doc.place.fault_below(
                "/secret",
                "should be text, not null; to remove a key leave it out of the list",
            );
            None
        }
    };
    doc.ignored("secretSet");
    Some(SharedKeyChange { id: id?, secret })
}

fn voice(doc: &mut Reader<'_, '_>) -> Option<Voice> {
    let language = doc.or("language", "en-US", language);
    let voice = doc.or(
        "voice",
        "Polly.Joanna-Neural",
        checked("the name of a voice", |name| {
            let well_formed = (1..=100).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
            well_formed
                .then(|| Arc::from(name))
                .ok_or("should be the name of a voice: letters, digits, dots and dashes, such as Polly.Joanna-Neural")
        }),
    );
    let speech_timeout_seconds = doc.or("speechTimeoutSeconds", 3, integer(1..=30));
    let initial_timeout_seconds = doc.or("initialTimeoutSeconds", 5, integer(1..=60));
    let barge_in = doc.or("bargeIn", true, boolean);
    let fillers = doc.or("fillers", json!([]), list(0..=20, wording(1..=200)));
    Some(Voice {
        language: language?,
        voice: voice?,
        speech_timeout_seconds: speech_timeout_seconds?,
        initial_timeout_seconds: initial_timeout_seconds?,
        barge_in: barge_in?,
        fillers: fillers?,
    })
}

/// A language tag in the shape of BCP 47: `en`, `en-US`, `zh-Hans-CN`.
pub(in crate::documents) fn language(value: &Value, place: &mut Place<'_>) -> Read<Arc<str>> {
    checked("a language such as \"en-US\"", |tag| {
        let mut parts = tag.split('-');
        let primary = parts.next().unwrap_or_default();
        let well_formed = tag.len() <= 35
            && (2..=3).contains(&primary.len())
            && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
            && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        well_formed
            .then(|| Arc::from(tag))
            .ok_or("should be a language such as \"en-US\" (BCP 47)")
    })(value, place)
}

fn holiday(doc: &mut Reader<'_, '_>) -> Option<Holiday> {
    let date = doc.required("date", date);
    let hours = doc.required(
        "hours",
        checked("\"closed\" or ranges such as \"10:00-14:00\"", |hours| {
            Holiday::new(Date::default(), hours)
        }),
    );
    let mut holiday: Holiday = hours?;
    holiday.date = date?;
    Some(holiday)
}

fn transfer(doc: &mut Reader<'_, '_>) -> Option<Transfer> {
    let destinations = doc.or("destinations", json!([]), list(0..=50, object(destination)));
    let allowed_countries = doc.or("allowedCountries", json!([]), list(0..=250, country));
    Some(Transfer {
        destinations: destinations?,
        allowed_countries: allowed_countries?,
    })
}

fn country(value: &Value, place: &mut Place<'_>) -> Read<Country> {
    parsed("a country such as \"US\"")(value, place)
}

fn destination(doc: &mut Reader<'_, '_>) -> Option<Destination> {
    let name = doc.or("name", "", line(0..=100));
    let number = doc.required("number", phone_number);
    let hours = doc.or("hours", "always", hours);
    Some(Destination {
        name: name?,
        number: number?,
        hours: hours?,
    })
}

fn variable_name(name: &str) -> Result<Arc<str>, String> {
    let refused = || {
        "is no name of a variable; it should begin with a letter and have letters, digits, underscores, dots and dashes"
            .to_owned()
    };
    is_variable_name(name).then(|| name.into()).ok_or_else(refused)
}

/// Text; on import also what is plainly meant as text. A variable that is imported as null is not set.
fn variable(value: &Value, place: &mut Place<'_>) -> Read<Arc<str>> {
    match value {
        Value::Null if place.is_import() => None,
        Value::Number(number) if place.is_import() => text(0..=1_000)(&json!(number.as_str()), place),
        Value::Bool(flag) if place.is_import() => text(0..=1_000)(&json!(flag.to_string()), place),
        _ => text(0..=1_000)(value, place),
    }
}

fn refuse_repeated_numbers(doc: &mut Reader<'_, '_>) {
    let main = doc
        .raw("phone")
        .and_then(Value::as_str)
        .map(|phone| ("/phone".to_owned(), Cow::Borrowed(phone)));
    refuse_repeats(
        doc.place,
        main.into_iter().chain(texts_of(doc.raw("phones"), "/phones", "")),
    );
    refuse_repeats(doc.place, texts_of(doc.raw("holidays"), "/holidays", "date"));
}

fn refuse_undialable(doc: &mut Reader<'_, '_>, home: PhoneNumber, allowed: &[Country]) {
    let destinations = doc.raw("transfer").and_then(|transfer| transfer.get("destinations"));
    let mut numbers = texts_of(destinations, "/transfer/destinations", "number");
    let forward = doc.raw("forwardNumber").and_then(Value::as_str);
    numbers.extend(forward.map(|number| ("/forwardNumber".to_owned(), Cow::Borrowed(number))));
    let others = texts_of(doc.raw("phones"), "/phones", "");
    let others: Vec<PhoneNumber> = others.iter().filter_map(|(_, number)| number.parse().ok()).collect();
    for (at, number) in numbers {
        if let Some(refusal) = number
            .parse::<PhoneNumber>()
            .ok()
            .and_then(|number| number.refusal(home, &others, allowed))
        {
            doc.place.fault_below(&at, refusal.to_string());
        }
    }
}
