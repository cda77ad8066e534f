//! The document of a company.

use frontdesk_domain::documents::{
    Faults, Mode,
    company::{Company, CompanyDocument},
};
use frontdesk_twilio::form::Form;
use serde_json::{Map, Value};

use crate::desk::Desk;

/// A document is refused with the places of its faults, or it gets in: then its canonical form is read back as the same
/// one, holds no secret, and the company answers every route with a document that Twilio takes.
///
/// # Panics
/// That does not hold.
pub fn holds(text: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    for mode in [Mode::new_document(), Mode::Import] {
        match Company::parse(&document, mode) {
            Ok(parsed) => {
                assert_canonical(&document, &parsed.json);
                if matches!(mode, Mode::Import) {
                    assert_answers(parsed.value, parsed.json);
                }
            }
            Err(faults) => assert_named(&faults),
        }
    }
}

/// Each fault has a pointer and says something.
pub(crate) fn assert_named(Faults(faults): &Faults) {
    assert!(!faults.is_empty(), "refused without a fault");
    for fault in faults {
        assert!(is_pointer(&fault.pointer), "{} is no JSON pointer", fault.pointer);
        assert!(
            !fault.detail.trim().is_empty(),
            "{} has a fault without words",
            fault.pointer
        );
    }
}

fn is_pointer(text: &str) -> bool {
    let is_escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && is_escaped
}

fn assert_canonical(document: &Value, json: &Map<String, Value>) {
    let canonical = Value::Object(json.clone());
    match Company::parse(&canonical, Mode::Stored) {
        Ok(again) => assert_eq!(again.json, *json, "what is stored is read back"),
        Err(faults) => panic!("what got in is refused when it is read back: {faults}"),
    }
    for secret in ["/twilio/authToken", "/twilio/previousAuthToken"] {
        let given = document.pointer(secret).and_then(Value::as_str).unwrap_or_default();
        let kept = canonical.pointer(secret).and_then(Value::as_str);
        assert!(kept.is_none_or(|kept| kept != given), "{secret} is kept in clear");
    }
}

fn assert_answers(document: CompanyDocument, json: Map<String, Value>) {
    let (desk, id) = (Desk::shared(), document.company.id);
    if !desk.open(document, json) {
        return;
    }
    let call = desk.new_call();
    let turns: [&[(&str, &str)]; 4] = [
        &[],
        &[("SpeechResult", "do you sell gift cards"), ("Confidence", "0.9")],
        &[("Digits", "1")],
        &[
            ("DialCallStatus", "busy"),
            ("RecordingUrl", "https://api.twilio.com/x"),
            ("RecordingDuration", "3"),
        ],
    ];
    for turn in turns {
        let mut form: Form = turn.iter().copied().collect();
        form.push("CallSid", &call);
        form.push("From", "+12025550143");
        desk.post_everywhere(&id.to_string(), "", &form);
    }
    desk.close(id);
}
