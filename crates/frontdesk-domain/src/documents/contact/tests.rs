use super::*;

fn read(document: &Value) -> Result<(Contact, ContactSecrets), Faults> {
    let parsed = Contact::parse(document, Mode::new_document(), Reach::default())?;
    parsed.value.apply(&ContactSecrets::default())
}

fn with(field: &str, value: Value) -> Value {
    let mut document = json!({
        "id": "65f123456789abcdef012345",
        "name": "On call",
        "channels": [{ "kind": "email", "address": "oncall@example.com" }],
    });
    document[field] = value;
    document
}

#[track_caller]
fn check(field: &str, value: Value, pointer: &str, says: &str) {
    let Faults(faults) = read(&with(field, value)).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(found, [pointer], "{faults:?}");
    assert!(faults[0].detail.contains(says), "{faults:?}");
}

#[test]
fn a_contact_is_told_at_once_of_warnings_of_all_companies() {
    let (contact, _) = read(&with("name", json!("On call"))).unwrap();
    assert!(contact.is_for(Severity::Warning, None));
    assert!(contact.is_for(Severity::Critical, Some("65f123456789abcdef012345".parse().unwrap())));
    assert!(!contact.is_for(Severity::Info, None));
    let [step] = contact.escalation.as_slice() else {
        panic!()
    };
    assert_eq!((step.after_minutes, contact.channels_of(step).count()), (0, 1));
}

#[test]
fn a_contact_of_companies_hears_of_no_other() {
    let company = "65f123456789abcdef012346";
    let (contact, _) = read(&with("companies", json!([company]))).unwrap();
    assert!(contact.is_for(Severity::Critical, Some(company.parse().unwrap())));
    assert!(!contact.is_for(Severity::Critical, Some("65f123456789abcdef012347".parse().unwrap())));
    assert!(!contact.is_for(Severity::Critical, None));
    let (off, _) = read(&with("enabled", json!(false))).unwrap();
    assert!(!off.is_for(Severity::Critical, None));
}

#[test]
fn faults_name_their_place_and_what_would_be_right() {
    check("channels", json!([]), "/channels", "1 to 20");
    check(
        "channels",
        json!([{ "kind": "email" }]),
        "/channels/0/address",
        "is missing",
    );
    for bad in [
        "",
        "a",
        "a@",
        "@b",
        "a b@c.de",
        "a@b_c",
        "a@b,c@d",
        "a..b@c.de",
        "a@-b.de",
        "a@b\r\nRCPT",
    ] {
        check(
            "channels",
            json!([{ "kind": "email", "address": bad }]),
            "/channels/0/address",
            "mail address",
        );
    }
    check(
        "channels",
        json!([{ "kind": "fax" }]),
        "/channels/0/kind",
        "\"webhook\"",
    );
    check(
        "channels",
        json!([{ "kind": "slack" }]),
        "/channels/0/url",
        "is missing",
    );
    let webhook = |url: &str| json!([{ "kind": "webhook", "url": url, "secret": "s" }]);
    check(
        "channels",
        webhook("http://example.com/"),
        "/channels/0/url",
        "https://",
    );
    check(
        "channels",
        webhook("https://127.0.0.1/"),
        "/channels/0/url",
        "not public",
    );
    check(
        "channels",
        json!([{ "kind": "webhook", "url": "https://example.com/" }]),
        "/channels/0/secret",
        "is missing",
    );
    check(
        "channels",
        json!([{ "kind": "slack", "url": "https://example.com/", "secret": "s" }]),
        "/channels/0/secret",
        "webhook",
    );
    check(
        "channels",
        json!([{ "kind": "email", "address": "a@b.de", "url": "https://example.com/" }]),
        "/channels/0/url",
        "leave it out",
    );
    let twice = json!({ "kind": "email", "address": "a@b.de" });
    check("channels", json!([twice, twice]), "/channels/1/id", "unique");
    check("channel", json!([]), "/channel", "did you mean `channels`?");
    check("minSeverity", json!("critical"), "/minSeverity", "CRITICAL");
    check("name", json!("On call\r\nBcc: b@c.de"), "/name", "one line");
    let broken = json!([{ "kind": "webhook", "url": "https://example.com/", "secret": "one\ntwo" }]);
    check("channels", broken, "/channels/0/secret", "one line");
    check("companies", json!([]), "/companies", "1 to");
    check("companies", json!(["x"]), "/companies/0", "24 hexadecimal");
    check("escalation", json!([{}]), "/escalation/0/afterMinutes", "is missing");
    check(
        "escalation",
        json!([{ "afterMinutes": -1 }]),
        "/escalation/0/afterMinutes",
        "from 0",
    );
    check(
        "escalation",
        json!([{ "afterMinutes": 5, "channels": ["sms"] }]),
        "/escalation/0/channels/0",
        "no channel",
    );
}

#[test]
fn secrets_stand_apart_and_stay_when_nothing_is_said() {
    let document = with(
        "channels",
        json!([{ "id": "hook", "kind": "webhook", "url": "https://example.com/", "secret": "quiet" }]),
    );
    let parsed = Contact::parse(&document, Mode::new_document(), Reach::default()).unwrap();
    let mut json = parsed.json.clone();
    assert!(!Value::Object(json.clone()).to_string().contains("quiet"));
    let (_, secrets) = parsed.value.apply(&ContactSecrets::default()).unwrap();
    assert!(!format!("{secrets:?}").contains("quiet"));
    secrets.mark(&mut json);
    assert_eq!(json["channels"][0]["secretSet"], true);
    let stored = ContactSecrets::from_bytes(&secrets.to_bytes()).unwrap();
    let again = Contact::parse(&Value::Object(json), Mode::new_document(), Reach::default()).unwrap();
    let (_, kept) = again.value.apply(&stored).unwrap();
    assert_eq!(kept.get("hook").unwrap().expose_secret(), "quiet");
}
