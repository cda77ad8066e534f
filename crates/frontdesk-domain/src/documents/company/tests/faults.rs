use super::*;

#[test]
fn a_missing_field_is_named_with_what_it_should_be() {
    refused(
        &json!({ "name": null }),
        "/name",
        "is missing; it should be text of 1 to 200 characters",
    );
    refused(
        &json!({ "phone": null }),
        "/phone",
        "is missing; it should be a phone number such as +15551234567",
    );
    refused(
        &json!({ "_id": null }),
        "/_id",
        "is missing; it should be an id of 24 hexadecimal digits",
    );
}

#[test]
fn every_fault_of_the_settings_is_named() {
    refused(&json!({ "_id": "12" }), "/_id", "24 hexadecimal digits");
    refused(
        &json!({ "name": 5 }),
        "/name",
        "should be text of 1 to 200 characters, not a number",
    );
    refused(&json!({ "name": "  " }), "/name", "is blank");
    refused(&json!({ "name": "a\u{0}b" }), "/name", "control character");
    refused(&json!({ "name": "a\r\nBcc: b" }), "/name", "one line");
    refused(&json!({ "name": "a\u{2028}b" }), "/name", "one line");
    refused(&json!({ "industryType": "a\tb" }), "/industryType", "one line");
    refused(&json!({ "trades": ["a", "b\nc"] }), "/trades/1", "one line");
    refused(&json!({ "phone": "555-1234" }), "/phone", "E.164");
    refused(&json!({ "phones": ["+15551234568", "5"] }), "/phones/1", "E.164");
    refused(
        &json!({ "phones": ["+15551234567"] }),
        "/phones/0",
        "repeats \"+15551234567\" of `/phone`",
    );
    refused(
        &json!({ "phones": "+15551234568" }),
        "/phones",
        "should be a list, not text",
    );
    refused(&json!({ "trades": [""] }), "/trades/0", "1 to 100 characters");
    refused(
        &json!({ "timezone": "Mars/Phobos" }),
        "/timezone",
        "should be an IANA zone such as \"America/New_York\"",
    );
    refused(
        &json!({ "status": "activ" }),
        "/status",
        "should be one of \"active\", \"forward\", \"suspended\"; did you mean \"active\"?",
    );
    refused(&json!({ "status": "forward" }), "/forwardNumber", "is missing");
    refused(&json!({ "greeting": ["Hi"] }), "/greeting", "not a list");
    refused(
        &json!({ "hours": "weekdays" }),
        "/hours",
        "does not understand \"weekdays\"",
    );
    refused(
        &json!({ "holidays": [{ "date": "25.12.", "hours": "closed" }] }),
        "/holidays/0/date",
        "2026-12-25",
    );
    refused(
        &json!({ "holidays": [{ "date": "2026-12-25", "hours": "fri 8:00-9:00" }] }),
        "/holidays/0/hours",
        "single date",
    );
    refused(
        &json!({ "holidays": [{ "date": "2026-12-25", "hours": "closed" }, { "date": "2026-12-25", "hours": "closed" }] }),
        "/holidays/1/date",
        "repeats",
    );
    refused(
        &json!({ "retentionDays": 366 }),
        "/retentionDays",
        "a whole number from 0 to 365, not 366",
    );
    refused(&json!({ "retentionDays": 1.5 }), "/retentionDays", "not 1.5");
    refused(
        &json!({ "variables": { "fee": 89 } }),
        "/variables/fee",
        "should be text",
    );
    refused(
        &json!({ "variables": { "the/fee": "x" } }),
        "/variables/the~1fee",
        "name of a variable",
    );
    refused(&json!({ "configuration": 5 }), "/configuration", "an object");
    refused(
        &json!({ "prompts": { "silence": "Hello?" } }),
        "/prompts/silence",
        "an object",
    );
    refused(
        &json!({ "prompts": { "silense": {} } }),
        "/prompts/silense",
        "did you mean `silence`?",
    );
}

#[test]
fn every_fault_of_voice_and_twilio_is_named() {
    refused(
        &json!({ "voice": { "language": "english" } }),
        "/voice/language",
        "en-US",
    );
    refused(
        &json!({ "voice": { "voice": "<Polly>" } }),
        "/voice/voice",
        "letters, digits, dots and dashes",
    );
    refused(
        &json!({ "voice": { "speechTimeoutSeconds": 0 } }),
        "/voice/speechTimeoutSeconds",
        "from 1 to 30, not 0",
    );
    refused(
        &json!({ "voice": { "bargeIn": "yes" } }),
        "/voice/bargeIn",
        "true or false",
    );
    refused(
        &json!({ "twilio": { "accountSid": "12" } }),
        "/twilio/accountSid",
        "AC and 32",
    );
    refused(
        &json!({ "twilio": { "authToken": 5 } }),
        "/twilio/authToken",
        "should be text",
    );
    refused(
        &json!({ "twilio": { "sharedKeys": [{ "secret": "s" }] } }),
        "/twilio/sharedKeys/0/id",
        "is missing",
    );
    refused(
        &json!({ "twilio": { "sharedKeys": [{ "id": "a" }, { "id": "a" }] } }),
        "/twilio/sharedKeys/1/id",
        "repeats \"a\" of `/twilio/sharedKeys/0/id`",
    );
}

#[test]
fn every_fault_of_the_agent_is_named() {
    let gatekeeper = |patch: Value| json!({ "aiAgentLogic": { "templateGatekeeper": patch } });
    let at = |field: &str| format!("/aiAgentLogic/templateGatekeeper/{field}");
    refused(
        &gatekeeper(json!({ "tier1Threshold": 1.2 })),
        &at("tier1Threshold"),
        "a number from 0 to 1, not 1.2",
    );
    refused(
        &gatekeeper(json!({ "monthlyBudget": -5 })),
        &at("monthlyBudget"),
        "should not be negative",
    );
    refused(
        &gatekeeper(json!({ "monthlyBudget": "$200" })),
        &at("monthlyBudget"),
        "decimal number",
    );
    refused(
        &gatekeeper(json!({ "monthlyBudget": [] })),
        &at("monthlyBudget"),
        "such as 200 or \"145.50\"",
    );
    refused(
        &json!({ "aiAgentLogic": { "thresholds": { "companyQnA": "0.8" } } }),
        "/aiAgentLogic/thresholds/companyQnA",
        "not text",
    );
    refused(
        &json!({ "aiAgentLogic": { "fallbackResponses": { "noMatchFound": ["ok", ""] } } }),
        "/aiAgentLogic/fallbackResponses/noMatchFound/1",
        "1 to 2000 characters, not of 0",
    );
    let references = |references: Value| json!({ "aiAgentSettings": { "templateReferences": references } });
    let at = |below: &str| format!("/aiAgentSettings/templateReferences/{below}");
    refused(&references(json!(["x"])), &at("0"), "24 hexadecimal digits");
    refused(
        &references(json!([{ "enabled": true }])),
        &at("0/templateId"),
        "is missing",
    );
    refused(&references(json!([5])), &at("0"), "a template id or");
    let id = "66f0a1c0de0000000000a001";
    refused(
        &references(json!([id, { "templateId": id.to_uppercase() }])),
        &at("1/templateId"),
        "repeats",
    );
}

#[test]
fn numbers_that_cost_or_lie_abroad_are_refused_when_they_are_saved() {
    let to =
        |number: &str| json!({ "transfer": { "destinations": [{ "number": "+16145550100" }, { "number": number }] } });
    let at = "/transfer/destinations/1/number";
    refused(&to("+19005550100"), at, "premium-rate");
    refused(&to("+447911123456"), at, "lies in GG");
    refused(&to("+881612345678"), at, "no country");
    refused(
        &json!({ "forwardNumber": "+442079460000" }),
        "/forwardNumber",
        "lies in GB, which is neither",
    );
    refused(
        &json!({ "phone": "+19375550110", "forwardNumber": "+19375550110" }),
        "/forwardNumber",
        "own number",
    );
    refused(
        &json!({ "phones": ["+19375550111"], "forwardNumber": "+19375550111" }),
        "/forwardNumber",
        "own number",
    );
    refused(
        &json!({ "transfer": { "allowedCountries": ["gb"] } }),
        "/transfer/allowedCountries/0",
        "ISO 3166",
    );
    parsed(&with(
        &json!({ "forwardNumber": "+442079460000", "transfer": { "allowedCountries": ["GB"] } }),
    ));
}

#[test]
fn a_text_that_would_be_silence_is_refused_when_it_is_saved() {
    let silent = "nothing in it that can be spoken";
    refused(&json!({ "greeting": "👋" }), "/greeting", silent);
    refused(&json!({ "greeting": " … " }), "/greeting", silent);
    refused(
        &json!({ "prompts": { "silence": { "default": ["Hello?", "?!"] } } }),
        "/prompts/silence/default/1",
        silent,
    );
    refused(
        &json!({ "aiAgentLogic": { "fallbackResponses": { "noMatchFound": ["🙂🙂"] } } }),
        "/aiAgentLogic/fallbackResponses/noMatchFound/0",
        silent,
    );
    refused(&json!({ "voice": { "fillers": ["-"] } }), "/voice/fillers/0", silent);
    parsed(&with(
        &json!({ "greeting": "¡Olá!", "voice": { "fillers": ["24/7", "你好", "{companyName} 👋"] } }),
    ));
    let stored = with(&json!({ "greeting": "👋" }));
    assert!(Company::parse(&stored, Mode::Stored).is_ok(), "what got in is read");
}

#[test]
fn all_faults_are_named_at_once() {
    let document = json!({ "name": 5, "timezone": "x", "voice": { "voice": "!", "bargein": true }, "holidays": [1, { "date": "x" }] });
    let faults = faults(&document, Mode::new_document());
    let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/_id",
            "/name",
            "/phone",
            "/timezone",
            "/voice/voice",
            "/voice/bargein",
            "/holidays/0",
            "/holidays/1/date",
            "/holidays/1/hours",
        ]
    );
}

#[test]
fn what_is_no_object_is_refused() {
    for document in [json!(null), json!([]), json!("x")] {
        assert_eq!(faults(&document, Mode::Import)[0].0, "");
    }
}
