//! Companies: names of fields, numbers, status, hours, variables, and what lies in them of Q&A and own additions.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    Outcome,
    mapping::{Mapped, Mapping, below, e164, says_something, variable_name},
    numbers::{lies_in_north_america, numbers, twilio},
    qna,
};
use crate::{
    documents::import::Kind,
    time::{MonthKey, Timestamp, instant, zone},
};

const DAYS: [(&str, &str); 7] = [
    ("monday", "mon"),
    ("tuesday", "tue"),
    ("wednesday", "wed"),
    ("thursday", "thu"),
    ("friday", "fri"),
    ("saturday", "sat"),
    ("sunday", "sun"),
];

pub(super) fn map(collection: &Arc<str>, document: Value, now: Timestamp) -> Mapped {
    let mut mapping = match Mapping::begin(collection, document) {
        Ok(mapping) => mapping,
        Err(none) => return none,
    };
    mapping.rename("companyName", "name");
    mapping.rename("businessName", "name");
    mapping.rename("companyPhone", "phone");
    mapping.rename("phoneNumber", "phone");
    mapping.rename("tradeCategories", "trades");
    mapping.rename("timeZone", "timezone");
    trades(&mut mapping);
    twilio(&mut mapping);
    numbers(&mut mapping);
    status(&mut mapping);
    hours(&mut mapping);
    greeting(&mut mapping);
    logic(&mut mapping);
    settings(&mut mapping);
    if !mapping.has("timezone") {
        mapping.remark(
            Outcome::Changed,
            "/timezone",
            "there is none, so UTC is taken: for opening hours, and for the month of the budget",
            "set `timezone` to the company's, such as America/New_York",
        );
    }
    spend(&mut mapping, now);
    mapping.end(Kind::Company)
}

/// Trades by name; those that are objects have one.
fn trades(mapping: &mut Mapping) {
    let Some(Value::Array(trades)) = mapping.fields.get_mut("trades") else {
        return;
    };
    for trade in trades.iter_mut() {
        if let Some(name) = trade.get("name").cloned() {
            *trade = name;
        }
    }
    trades.retain(|trade| says_something(Some(trade)));
    let first = trades.first().cloned();
    if let (Some(first), false) = (first, mapping.has("industryType")) {
        mapping.fields.insert("industryType".into(), first);
        mapping.moved("/industryType", "/tradeCategories/0");
    }
}

fn status(mapping: &mut Mapping) {
    if let Some(Value::Object(mut account)) = mapping.take("accountStatus") {
        if let Some(status) = account.shift_remove("status") {
            mapping.fields.insert("status".into(), status);
            mapping.moved("/status", "/accountStatus/status");
        }
        if let Some(number) = account.shift_remove("callForwardNumber")
            && says_something(Some(&number))
        {
            mapping.fields.insert("forwardNumber".into(), number);
            mapping.moved("/forwardNumber", "/accountStatus/callForwardNumber");
        }
        // Who changed it when, and the like.
        account.retain(|_, value| says_something(Some(value)));
        if !account.is_empty() {
            mapping.fields.insert("accountStatus".into(), Value::Object(account));
        }
        numbers(mapping);
    }
    let is_off = mapping.fields.get("isActive") == Some(&Value::Bool(false));
    let folded = mapping
        .fields
        .get("status")
        .and_then(Value::as_str)
        .map(str::to_lowercase);
    let known = match folded.as_deref() {
        None if is_off => Some("suspended"),
        Some("active" | "trial" | "live") if !is_off => Some("active"),
        Some("active" | "trial" | "live" | "suspended" | "inactive" | "disabled" | "cancelled") => Some("suspended"),
        Some("call_forward" | "forward" | "forwarding") => Some("forward"),
        _ => None,
    };
    mapping.fields.shift_remove("isActive");
    let Some(known) = known else { return };
    if folded.as_deref() != Some(known) {
        let said = folded.unwrap_or_else(|| "isActive: false".into());
        let why = format!("\"{said}\" is `status` \"{known}\" here");
        mapping.remark(Outcome::Changed, "/status", why, "");
    }
    mapping.fields.insert("status".into(), known.into());
}

/// Days with their times, as `mon 09:00-17:00, tue …`.
fn hours(mapping: &mut Mapping) {
    for name in ["businessHours", "operatingHours", "agentHours"] {
        let Some(Value::Array(days)) = mapping.fields.get(name) else {
            continue;
        };
        let Some(written) = written_hours(days) else {
            let why = "is no list of days with `start` and `end`, so it has no effect";
            mapping.remark(
                Outcome::Kept,
                below("", name),
                why,
                "write it as `hours`, such as \"mon-fri 08:00-18:00\"",
            );
            continue;
        };
        if mapping.has("hours") {
            continue;
        }
        mapping.fields.shift_remove(name);
        mapping.fields.insert("hours".into(), written.into());
        mapping.moved("/hours", below("", name));
    }
}

fn written_hours(days: &[Value]) -> Option<String> {
    let mut written = Vec::new();
    for day in days {
        let name = day.get("day")?.as_str()?.to_lowercase();
        let (_, short) = DAYS.iter().find(|(long, short)| *long == name || *short == name)?;
        let flag = ["enabled", "isOpen"].iter().find_map(|name| day.get(*name)?.as_bool());
        if flag == Some(false) {
            continue;
        }
        let time = |names: [&str; 3]| names.iter().find_map(|name| day.get(*name)?.as_str());
        let start = time(["start", "open", "startTime"])?;
        let end = time(["end", "close", "endTime"])?;
        written.push(format!("{short} {start}-{end}"));
    }
    Some(if written.is_empty() {
        "closed".to_owned()
    } else {
        written.join(", ")
    })
}

/// What is said first: the text that is spoken, not the file that is played.
fn greeting(mapping: &mut Mapping) {
    if let Some(Value::Object(messages)) = mapping.fields.get("connectionMessages")
        && let Some(voice) = messages.get("voice")
        && !mapping.has("greeting")
    {
        let realtime = voice.pointer("/realtime/text").map(|text| (text, "/realtime/text"));
        let plain = voice.get("text").map(|text| (text, "/text"));
        let is_realtime = voice.get("mode").and_then(Value::as_str) == Some("realtime");
        let candidates = if is_realtime {
            [realtime, plain]
        } else {
            [plain, realtime]
        };
        let found = candidates
            .into_iter()
            .flatten()
            .find(|(text, _)| says_something(Some(text)));
        if let Some((text, at)) = found {
            let text = text.clone();
            mapping.fields.insert("greeting".into(), text);
            mapping.moved("/greeting", format!("/connectionMessages/voice{at}"));
        } else if says_something(voice.pointer("/prerecorded/activeFileUrl")) {
            mapping.remark(
                Outcome::LeftOut,
                "/connectionMessages/voice/prerecorded",
                "Frontdesk speaks its greeting and plays no file",
                "write what is said there as `greeting`",
            );
        }
    }
    if let Some(mut greeting) = mapping.take("greeting") {
        mapping.wording(&mut greeting, "/greeting");
        mapping.fields.insert("greeting".into(), greeting);
    }
}

fn logic(mapping: &mut Mapping) {
    let Some(Value::Object(mut logic)) = mapping.take("aiAgentLogic") else {
        return;
    };
    for list in ["clarificationNeeded", "noMatchFound", "technicalIssue", "outOfScope"] {
        if let Some(texts) = logic
            .get_mut("fallbackResponses")
            .and_then(|responses| responses.get_mut(list))
        {
            mapping.wordings(texts, &format!("/aiAgentLogic/fallbackResponses/{list}"));
        }
    }
    if let Some(Value::Array(placeholders)) = logic.shift_remove("placeholders") {
        for (index, placeholder) in placeholders.iter().enumerate() {
            let at = format!("/aiAgentLogic/placeholders/{index}");
            match placeholder.get("name").and_then(Value::as_str) {
                Some(name) => variable(mapping, name, placeholder.get("value"), &at),
                None => mapping.remark(Outcome::LeftOut, at, "has no name", ""),
            }
        }
    }
    if let Some(Value::Object(transfer)) = logic.get("callTransferConfig") {
        let number = transfer
            .get("dialOutNumber")
            .filter(|number| says_something(Some(number)))
            .cloned();
        let is_on = transfer.get("dialOutEnabled").and_then(Value::as_bool) != Some(false);
        if let (Some(number), true, false) = (number, is_on, mapping.has("transfer")) {
            let north_america = lies_in_north_america(mapping);
            let number = match number.as_str().and_then(|text| e164(text, north_america)) {
                Some(e164) => e164.into(),
                None => number,
            };
            let destination = json!({ "name": "Front desk", "number": number });
            mapping
                .fields
                .insert("transfer".into(), json!({ "destinations": [destination] }));
            mapping.moved(
                "/transfer/destinations/0",
                "/aiAgentLogic/callTransferConfig/dialOutNumber",
            );
        }
    }
    if let Some(Value::Object(knowledge)) = logic.get_mut("knowledgeManagement") {
        let own = knowledge.shift_remove("companyQnA").map(|list| ("companyQnA", list));
        // Those of a company alone must not answer for others of its trade.
        let of_trade = knowledge.shift_remove("tradeQnA").map(|list| ("tradeQnA", list));
        for (name, list) in [own, of_trade].into_iter().flatten() {
            company_qna(mapping, name, list);
        }
    }
    if says_something(logic.get("voiceSettings").and_then(|voice| voice.get("voiceId"))) {
        mapping.remark(
            Outcome::Kept,
            "/aiAgentLogic/voiceSettings/voiceId",
            "voices of other providers are not spoken: Twilio's are",
            "choose one as `voice.voice`, such as Polly.Joanna-Neural",
        );
    }
    mapping.fields.insert("aiAgentLogic".into(), Value::Object(logic));
}

fn company_qna(mapping: &mut Mapping, name: &str, list: Value) {
    let Value::Array(questions) = list else { return };
    let company = mapping.fields.get("_id").cloned().unwrap_or_default();
    for (index, question) in questions.into_iter().enumerate() {
        let at = format!("/aiAgentLogic/knowledgeManagement/{name}/{index}");
        let Value::Object(mut fields) = question else {
            mapping.remark(Outcome::LeftOut, at, "is no question", "");
            continue;
        };
        fields.insert("companyId".into(), company.clone());
        if name == "tradeQnA" {
            mapping.remark(
                Outcome::Changed,
                at.clone(),
                "is a Q&A of the company now: one of a trade answers for every company of it",
                "write it at /api/v1/trades/{trade}/qna if all of them should give this answer",
            );
        }
        qna::embedded(mapping, Kind::Qna, fields, &at, index);
    }
}

fn settings(mapping: &mut Mapping) {
    let Some(Value::Object(mut settings)) = mapping.take("aiAgentSettings") else {
        return;
    };
    if let Some(Value::Object(variables)) = settings.shift_remove("variables") {
        for (name, value) in &variables {
            variable(mapping, name, Some(value), &below("/aiAgentSettings/variables", name));
        }
    }
    let mut overlay = Map::new();
    if let Some(Value::Object(fillers)) = settings.get_mut("fillerWords")
        && let Some(Value::Array(mut custom)) = fillers.shift_remove("custom")
    {
        custom.retain(|word| says_something(Some(word)));
        if !custom.is_empty() {
            overlay.insert("fillerWords".into(), Value::Array(custom));
        }
    }
    if let Some(Value::Array(controls)) = settings.get("scenarioControls") {
        let disabled = controls
            .iter()
            .filter(|control| control.get("isEnabled") == Some(&Value::Bool(false)));
        let mut ids: Vec<Value> = disabled
            .filter_map(|control| control.get("scenarioId").cloned())
            .collect();
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(id.to_string()));
        if !ids.is_empty() {
            overlay.insert("disabledScenarios".into(), Value::Array(ids));
            settings.shift_remove("scenarioControls");
        }
    }
    if !overlay.is_empty() {
        overlay.insert(
            "companyId".into(),
            mapping.fields.get("_id").cloned().unwrap_or_default(),
        );
        let moved = vec![
            (
                "/fillerWords".to_owned(),
                "/aiAgentSettings/fillerWords/custom".to_owned(),
            ),
            (
                "/disabledScenarios".to_owned(),
                "/aiAgentSettings/scenarioControls".to_owned(),
            ),
        ];
        mapping.also(Kind::Overlay, overlay, moved);
    }
    mapping.fields.insert("aiAgentSettings".into(), Value::Object(settings));
}

fn variable(mapping: &mut Mapping, name: &str, value: Option<&Value>, at: &str) {
    let key = variable_name(name);
    if key == "companyName" {
        // The company's name fills it in.
        return;
    }
    if !says_something(value) {
        mapping.remark(Outcome::LeftOut, at, "has no value", "");
        return;
    }
    let variables = mapping.fields.entry("variables").or_insert_with(|| json!({}));
    let Some(variables) = variables.as_object_mut() else {
        return;
    };
    if variables.contains_key(&key) {
        let why = format!("the variable `{key}` is set already");
        mapping.remark(Outcome::LeftOut, at, why, "compare the two");
        return;
    }
    variables.insert(key.clone(), value.cloned().unwrap_or_default());
    mapping.moved(below("/variables", &key), at);
    if key != name {
        let why = format!("is the variable `{key}` here");
        mapping.remark(Outcome::Changed, at, why, "");
    }
}

/// The month's spend opens the ledger, if it is this month's.
fn spend(mapping: &mut Mapping, now: Timestamp) {
    const AT: &str = "/aiAgentLogic/templateGatekeeper";
    let gatekeeper = mapping
        .fields
        .get("aiAgentLogic")
        .and_then(|logic| logic.get("templateGatekeeper"));
    let Some(gatekeeper) = gatekeeper else { return };
    let spent = gatekeeper
        .get("currentSpend")
        .filter(|spent| says_something(Some(spent)));
    let is_zero = spent.is_none_or(|spent| spent.to_string().trim_matches(['"', '0', '.']).is_empty());
    if is_zero {
        return;
    }
    let zone = mapping.fields.get("timezone").and_then(Value::as_str).and_then(zone);
    let zone = zone.unwrap_or(crate::time::TimeZone::UTC);
    let reset = gatekeeper
        .get("lastResetDate")
        .and_then(Value::as_str)
        .and_then(instant);
    let why = match reset {
        Some(reset) if MonthKey::of(reset, &zone) == MonthKey::of(now, &zone) => return,
        Some(_) => "was spent in an earlier month, so this month begins with nothing spent",
        None => "nobody can tell in which month it was spent, so this month begins with nothing spent",
    };
    let remedy = "if the provider billed it this month, lower `monthlyBudget` by it until the month ends";
    mapping.remark(Outcome::LeftOut, format!("{AT}/currentSpend"), why, remedy);
}
