use serde_json::json;

use super::*;
use crate::documents::Unknown;

mod faults;
mod secrets;

fn company() -> Value {
    json!({
        "_id": "507f1f77bcf86cd799439011", "name": "Elm Street Dental", "phone": "+15551234567",
        "industryType": "Dental", "timezone": "America/New_York"
    })
}

/// The minimal company with a merge patch applied.
fn with(patch: &Value) -> Value {
    let mut company = company();
    merge_patch(&mut company, patch);
    company
}

#[track_caller]
fn parsed(document: &Value) -> Parsed<CompanyDocument> {
    Company::parse(document, Mode::new_document()).unwrap()
}

#[track_caller]
fn imported(document: &Value) -> Parsed<CompanyDocument> {
    Company::parse(document, Mode::Import).unwrap()
}

fn faults(document: &Value, mode: Mode<'_>) -> Vec<(String, String)> {
    let Err(Faults(faults)) = Company::parse(document, mode) else {
        return vec![];
    };
    faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
}

/// The one fault of the minimal company with that patch: its pointer, and a part of its text.
#[track_caller]
fn refused(patch: &Value, pointer: &str, part: &str) {
    let faults = faults(&with(patch), Mode::new_document());
    let [(at, detail)] = faults.as_slice() else {
        panic!("{patch}: {faults:?}")
    };
    assert_eq!(at, pointer, "{patch}: {detail}");
    assert!(detail.contains(part), "{patch}: {detail}");
}

#[test]
fn absent_fields_get_their_defaults_in_the_value_and_in_the_json() {
    let Parsed { value, json, .. } = parsed(&company());
    let company = value.company;
    assert_eq!(company.trades, [TradeName::new("dental")]);
    assert_eq!(company.status, Status::Active);
    assert_eq!(
        (company.voice.speech_timeout_seconds, company.voice.barge_in),
        (3, true)
    );
    assert_eq!(company.retention_days, 90);
    assert_eq!(Some(company.thresholds.company_qna), Confidence::new(0.8));
    assert_eq!(
        (company.gatekeeper.enabled, company.gatekeeper.monthly_budget),
        (true, None)
    );
    assert_eq!(company.variables.get("companyName"), Some("Elm Street Dental"));
    assert_eq!(
        Value::Object(json),
        json!({
            "_id": "507f1f77bcf86cd799439011", "name": "Elm Street Dental", "phone": "+15551234567", "phones": [],
            "industryType": "Dental", "trades": ["Dental"], "timezone": "America/New_York", "status": "active", "forwardNumber": null,
            "twilio": { "accountSid": null },
            "voice": { "language": "en-US", "voice": "Polly.Joanna-Neural", "speechTimeoutSeconds": 3, "initialTimeoutSeconds": 5, "bargeIn": true, "fillers": [] },
            "greeting": null, "prompts": {}, "hours": "always", "holidays": [], "retentionDays": 90,
            "transfer": { "destinations": [], "allowedCountries": [] }, "variables": {}, "configuration": {},
            "aiAgentLogic": {
                "thresholds": { "companyQnA": 0.8, "tradeQnA": 0.75 },
                "templateGatekeeper": { "enabled": true, "tier1Threshold": null, "tier2Threshold": null, "enableLLMFallback": true, "monthlyBudget": null },
                "fallbackResponses": { "toneProfile": "friendly", "clarificationNeeded": [], "noMatchFound": [], "technicalIssue": [], "outOfScope": [],
                    "escalationOptions": { "offerTransfer": true, "offerMessage": true, "offerCallback": true } },
                "learningSettings": { "autoLearn": true, "sharePatterns": false, "minConfidenceForSuggestion": 0.8 }
            },
            "aiAgentSettings": { "templateReferences": [] }
        })
    );
}

#[test]
fn the_canonical_json_reads_as_itself() {
    let document = with(&json!({
        "crm": { "id": 7 }, "hours": "mon-fri 08:00-18:00", "prompts": { "silence": { "default": ["Hello?"] } },
        "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": 145.50, "tier1Threshold": 0.70 } },
        "aiAgentSettings": { "templateReferences": [{ "templateId": { "$oid": "66f0a1c0de0000000000a001" }, "clonedAt": 1 }] }
    }));
    let once = imported(&document);
    let again = Company::parse(&Value::Object(once.json.clone()), Mode::Stored).unwrap();
    assert_eq!(again.json, once.json);
    assert_eq!(again.value.company, once.value.company);
    assert_eq!(once.json["crm"], json!({ "id": 7 }));
    assert_eq!(
        once.json["aiAgentLogic"]["templateGatekeeper"]["monthlyBudget"],
        "145.5"
    );
}

#[test]
fn unknown_fields_are_kept_on_import_and_named_with_their_nearest() {
    let found = imported(&with(
        &json!({ "timeZone": "x", "voice": { "pitch": 3 }, "__v": 0, "createdAt": { "$date": 0 } }),
    ));
    let unknown = |pointer: &str, nearest: Option<&str>| Unknown {
        pointer: pointer.into(),
        nearest: nearest.map(Into::into),
    };
    assert_eq!(
        found.unknown,
        [
            unknown("/voice/pitch", None),
            unknown("/timeZone", Some("timezone")),
            unknown("/__v", None),
            unknown("/createdAt", None),
        ]
    );
    assert_eq!(found.json["createdAt"], json!({ "$date": 0 }));
}

#[test]
fn a_new_unknown_field_is_refused_and_one_that_stood_before_is_kept() {
    refused(
        &json!({ "timeZone": "x" }),
        "/timeZone",
        "unknown field `timeZone`; did you mean `timezone`?",
    );
    refused(
        &json!({ "voice": { "pitch": 3 } }),
        "/voice/pitch",
        "the fields here are language, voice",
    );
    let destination = |extra: &str| json!({ "number": "+15551234568", extra: 1 });
    let stored =
        with(&json!({ "crm": 1, "voice": { "pitch": 3 }, "transfer": { "destinations": [destination("desk")] } }));
    let mode = Mode::Strict { known_before: &stored };
    let mut changed = stored.clone();
    changed["transfer"]["destinations"] =
        json!([destination("desk"), { "number": "+15551234569" }, destination("desk")]);
    changed["voice"]["pitch"] = json!(4);
    let json = Company::parse(&changed, mode).unwrap().json;
    assert_eq!((&json["crm"], &json["voice"]["pitch"]), (&json!(1), &json!(4)));
    assert_eq!(json["transfer"]["destinations"][2]["desk"], 1);
    changed["transfer"]["destinations"][1]["dask"] = json!(1);
    assert_eq!(faults(&changed, mode)[0].0, "/transfer/destinations/1/dask");
}

#[test]
fn what_the_server_owns_is_ignored_whatever_is_in_it() {
    let owned = json!({
        "rev": "x", "createdAt": 5,
        "aiAgentLogic": {
            "templateGatekeeper": { "currentSpend": "lots", "lastResetDate": [] },
            "fallbackResponses": { "lastUsedIndex": { "nonsense": {} } }
        }
    });
    let Parsed { value, json, .. } = parsed(&with(&owned));
    assert_eq!(value.opening, Opening::default());
    assert_eq!(json, parsed(&company()).json);
    for pointer in SERVER_OWNED {
        let Err(Faults(faults)) = Company::patched(&company(), &owned) else {
            panic!("patched {pointer}")
        };
        assert!(faults.iter().any(|fault| fault.pointer == pointer));
    }
}

#[test]
fn an_import_brings_spend_and_rotation_along() {
    let line = r#"{ "aiAgentLogic": {
        "templateGatekeeper": { "currentSpend": { "$numberDecimal": "145.500000000001" }, "lastResetDate": { "$date": { "$numberLong": "1793491200000" } } },
        "fallbackResponses": { "lastUsedIndex": { "clarification": { "$numberInt": "2" }, "noMatch": -1, "technical": 0.0 } } } }"#;
    let found = imported(&with(&serde_json::from_str(line).unwrap()));
    let Opening {
        current_spend,
        last_reset,
        last_used,
    } = found.value.opening;
    assert_eq!(
        current_spend.map(|spend| spend.to_string()).as_deref(),
        Some("145.500000000001")
    );
    assert_eq!(
        last_reset.map(|at| at.to_string()).as_deref(),
        Some("2026-11-01T00:00:00Z")
    );
    assert_eq!(
        last_used,
        LastUsedIndex {
            clarification: Some(2),
            no_match: None,
            technical: Some(0),
            out_of_scope: None
        }
    );
    assert_eq!(
        found.json["aiAgentLogic"]["templateGatekeeper"].get("currentSpend"),
        None
    );
    assert_eq!(
        found.json["aiAgentLogic"]["fallbackResponses"].get("lastUsedIndex"),
        None
    );
}

#[test]
fn money_is_never_a_float() {
    for (written, want) in [
        ("200", "200"),
        ("2e2", "200"),
        ("0.1", "0.1"),
        ("145.500000000001", "145.500000000001"),
        ("\"0.30\"", "0.3"),
        ("145.49999999999997", "145.5"),
        ("{\"$numberDecimal\": \"145.50\"}", "145.5"),
        ("{\"$numberDouble\": \"1E+2\"}", "100"),
        ("{\"$numberLong\": \"200\"}", "200"),
        ("{\"$numberInt\": 3}", "3"),
    ] {
        let budget: Value = serde_json::from_str(written).unwrap();
        let json = parsed(&with(
            &json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": budget } } }),
        ))
        .json;
        assert_eq!(json["aiAgentLogic"]["templateGatekeeper"]["monthlyBudget"], want);
    }
}

#[test]
fn money_that_was_rounded_is_noted() {
    let budget = |text: &str| -> Value {
        let budget: Value = serde_json::from_str(text).unwrap();
        with(&json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": budget } } }))
    };
    let found = imported(&budget("145.49999999999997"));
    assert_eq!(found.notes[0].pointer, "/aiAgentLogic/templateGatekeeper/monthlyBudget");
    assert!(
        found.notes[0].detail.contains("rounded to \"145.5\""),
        "{:?}",
        found.notes
    );
    assert_eq!(imported(&budget("145.500")).notes, []);
    assert!(!faults(&budget("{\"$numberDouble\": \"NaN\"}"), Mode::new_document()).is_empty());
    assert!(!faults(&budget("{\"$oid\": \"-5\"}"), Mode::Import).is_empty());
}

#[test]
fn what_got_in_before_a_rule_was_narrowed_is_read() {
    let document = with(&json!({
        "name": "Elm\nStreet", "retentionDays": 3650, "transfer": { "destinations": [{ "name": "a\tb", "number": "+16145550100" }] }
    }));
    let stored = Company::parse(&document, Mode::Stored).unwrap();
    let company = stored.value.company;
    assert_eq!((company.retention_days, &*company.name), (365, "Elm\nStreet"));
    assert_eq!(stored.json["retentionDays"], 365);
    for mode in [Mode::new_document(), Mode::Import] {
        let faults = faults(&document, mode);
        let pointers: Vec<_> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/retentionDays", "/transfer/destinations/0/name"]);
    }
    let negative = with(&json!({ "retentionDays": -1 }));
    assert!(Company::parse(&negative, Mode::Stored).is_err(), "it never got in");
}

#[test]
fn replies_may_have_several_lines_and_a_year_may_be_kept() {
    let greeting = "Good day.\r\n\tHow can I help?";
    let document =
        with(&json!({ "greeting": greeting, "retentionDays": 365, "variables": { "address": "1 Elm St\nDayton" } }));
    for mode in [Mode::new_document(), Mode::Import] {
        let company = Company::parse(&document, mode).unwrap().value.company;
        assert_eq!(&**company.greeting.as_ref().unwrap().text(), greeting);
        assert_eq!(
            (company.retention_days, company.variables.get("address")),
            (365, Some("1 Elm St\nDayton"))
        );
    }
}

#[test]
fn a_line_of_mongoexport_is_read() {
    let line = r#"{"_id":{"$oid":"507f1f77bcf86cd799439011"},"name":"Elm Street Dental","phone":"+15551234567","__v":{"$numberInt":"3"},
        "retentionDays":{"$numberInt":"30"},"variables":{"fee":{"$numberInt":"89"},"open":true,"plan":null},
        "holidays":[{"date":{"$date":"2026-12-25T00:00:00Z"},"hours":"closed"}],
        "aiAgentLogic":{"templateGatekeeper":{"tier1Threshold":{"$numberDouble":"0.7"},"monthlyBudget":{"$numberLong":"200"}}},
        "aiAgentSettings":{"templateReferences":[{"$oid":"66f0a1c0de0000000000a001"},{"templateId":{"$oid":"66f0a1c0de0000000000a002"},"priority":{"$numberInt":"1"}}]}}"#;
    let found = imported(&serde_json::from_str(line).unwrap());
    let company = found.value.company;
    assert_eq!(company.retention_days, 30);
    assert_eq!(
        (
            company.variables.get("fee"),
            company.variables.get("open"),
            company.variables.get("plan")
        ),
        (Some("89"), Some("true"), None)
    );
    assert_eq!(company.gatekeeper.monthly_budget, "200".parse().ok());
    assert_eq!(found.json["holidays"][0]["date"], "2026-12-25");
    assert_eq!(
        found.json["aiAgentSettings"]["templateReferences"][0],
        "66f0a1c0de0000000000a001"
    );
    assert!(
        !faults(&serde_json::from_str(line).unwrap(), Mode::new_document()).is_empty(),
        "elsewhere it is not accepted"
    );
}

#[test]
fn templates_are_asked_in_the_order_of_list_and_priority() {
    let id = |n: u8| format!("66f0a1c0de0000000000a00{n}");
    let references = json!([
        { "templateId": id(3), "priority": 3 }, { "templateId": id(1), "priority": 1 },
        { "templateId": id(2), "priority": 2, "enabled": false }, id(4)
    ]);
    let company = parsed(&with(
        &json!({ "aiAgentSettings": { "templateReferences": references } }),
    ))
    .value
    .company;
    let all: Vec<String> = company
        .template_references
        .iter()
        .map(|reference| reference.template.to_string())
        .collect();
    assert_eq!(all, [id(1), id(2), id(3), id(4)]);
    let enabled: Vec<String> = company
        .enabled_templates()
        .map(|template| template.to_string())
        .collect();
    assert_eq!(enabled, [id(1), id(3), id(4)]);
}

#[test]
fn a_legacy_reference_is_taken_over_when_there_are_no_others_and_else_reported() {
    let (old, new) = ("66f0a1c0de0000000000a001", "66f0a1c0de0000000000a002");
    let legacy = json!({ "configuration": { "clonedFrom": { "$oid": old }, "templates": [{ "templateId": old }], "note": new } });
    let found = imported(&with(&legacy));
    assert_eq!(found.json["aiAgentSettings"]["templateReferences"], json!([old]));
    assert_eq!(
        found
            .value
            .company
            .enabled_templates()
            .map(|id| id.to_string())
            .collect::<Vec<_>>(),
        [old]
    );
    assert_eq!(found.json["configuration"], legacy["configuration"]);
    assert_eq!(found.notes[0].pointer, "/configuration/clonedFrom");

    let mut both = with(&legacy);
    both["aiAgentSettings"] = json!({ "templateReferences": [new] });
    let found = imported(&both);
    assert_eq!(found.json["aiAgentSettings"]["templateReferences"], json!([new]));
    assert!(found.notes[0].detail.contains("has no effect"), "{:?}", found.notes);
    assert_eq!(parsed(&with(&legacy)).value.company.template_references, []);
    let stored = Company::parse(&with(&legacy), Mode::Stored).unwrap();
    assert_eq!(
        stored.value.company.template_references,
        [],
        "only an import takes over"
    );
}

#[test]
fn an_id_in_the_path_is_the_documents_id() {
    let id = "507f1f77bcf86cd799439011";
    let place =
        |mut document: Value| super::super::place_id(&mut document, "_id", id).map(|()| document["_id"].clone());
    assert_eq!(place(json!({})), Ok(json!(id)));
    assert_eq!(place(json!({ "_id": null })), Ok(json!(id)));
    assert_eq!(place(json!({ "_id": { "$oid": id } })), Ok(json!({ "$oid": id })));
    assert_eq!(
        place(json!({ "_id": "507f1f77bcf86cd799439012" })).unwrap_err().0[0].pointer,
        "/_id"
    );
    assert!(place(json!([])).is_err());
}
