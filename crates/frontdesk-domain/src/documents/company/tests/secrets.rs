use secrecy::ExposeSecret;

use super::*;

#[test]
fn secrets_leave_the_json_and_show_nowhere() {
    let found = parsed(&with(
        &json!({ "twilio": { "accountSid": "AC12", "authToken": "top-secret", "sharedKeys": [{ "id": "k", "secret": "key-secret" }] } }),
    ));
    let shown = format!("{found:?} {}", Value::Object(found.json.clone()));
    assert!(
        !shown.contains("top-secret") && !shown.contains("key-secret"),
        "{shown}"
    );
    let secrets = found.value.secrets.apply(&CompanySecrets::default()).unwrap();
    assert!(!format!("{secrets:?}").contains("secret\""), "{secrets:?}");
    let mut view = found.json;
    secrets.mark(&mut view);
    assert_eq!(
        view["twilio"],
        json!({
            "accountSid": "AC12", "authTokenSet": true, "previousAuthTokenSet": false, "sharedKeys": [{ "id": "k", "secretSet": true }]
        })
    );
    let sent_back = parsed(&Value::Object(view));
    let kept = sent_back.value.secrets.apply(&secrets).unwrap();
    assert_eq!(kept.to_bytes(), secrets.to_bytes());
}

fn exposed(secrets: &CompanySecrets) -> (Option<&str>, Option<&str>, Vec<(&str, &str)>) {
    let keys = secrets
        .shared_keys
        .iter()
        .map(|key| (&*key.id, key.secret.expose_secret()));
    let auth_token = secrets.auth_token.as_ref().map(ExposeSecret::expose_secret);
    let previous = secrets.previous_auth_token.as_ref().map(ExposeSecret::expose_secret);
    (auth_token, previous, keys.collect())
}

#[test]
fn an_absent_secret_stays_and_null_removes_it() {
    let stored = parsed(&with(&json!({ "twilio": {
        "authToken": "a", "previousAuthToken": "p", "sharedKeys": [{ "id": "1", "secret": "x" }, { "id": "2", "secret": "y" }]
    } })));
    let old = stored.value.secrets.apply(&CompanySecrets::default()).unwrap();
    let old = CompanySecrets::from_bytes(&old.to_bytes()).unwrap();
    let stored = Value::Object(stored.json);
    let check = |patch: Value, want: (Option<&str>, Option<&str>, Vec<(&str, &str)>)| {
        let patched = Company::patched(&stored, &patch).unwrap();
        let found = Company::parse(&patched, Mode::Strict { known_before: &stored }).unwrap();
        assert_eq!(exposed(&found.value.secrets.apply(&old).unwrap()), want, "{patch}");
    };
    let both = vec![("1", "x"), ("2", "y")];
    check(json!({ "name": "New" }), (Some("a"), Some("p"), both.clone()));
    check(
        json!({ "twilio": { "authToken": "b", "previousAuthToken": null } }),
        (Some("b"), None, both),
    );
    check(
        json!({ "twilio": { "sharedKeys": [{ "id": "2" }, { "id": "3", "secret": "z" }] } }),
        (Some("a"), Some("p"), vec![("2", "y"), ("3", "z")]),
    );
    check(
        json!({ "twilio": { "sharedKeys": null } }),
        (Some("a"), Some("p"), vec![]),
    );
    check(json!({ "twilio": null }), (None, None, vec![]));
}

#[test]
fn a_new_shared_key_needs_its_secret() {
    let found = parsed(&with(&json!({ "twilio": { "sharedKeys": [{ "id": "1" }] } })));
    let Faults(faults) = found.value.secrets.apply(&CompanySecrets::default()).unwrap_err();
    assert_eq!(faults[0].pointer, "/twilio/sharedKeys/0/secret");
}

/// The faults of an import of the minimal company with that patch.
fn refused_on_import(patch: &Value) -> Vec<(String, String)> {
    super::faults(&with(patch), Mode::Import)
}

#[test]
fn beside_secrets_an_import_keeps_nothing_unknown() {
    for (twilio, pointer, part) in [
        (
            json!({ "auth_token": "top" }),
            "/twilio/auth_token",
            "did you mean `authToken`?",
        ),
        (
            json!({ "apiKey": "top" }),
            "/twilio/apiKey",
            "the fields here are accountSid",
        ),
        (
            json!({ "note": { "a": 1 } }),
            "/twilio/note",
            "rename it or leave it out",
        ),
        (
            json!({ "sharedKeys": [{ "id": "k", "secret": "s", "secrets": "top" }] }),
            "/twilio/sharedKeys/0/secrets",
            "did you mean `secret`?",
        ),
    ] {
        let faults = refused_on_import(&json!({ "twilio": twilio }));
        let [(at, detail)] = faults.as_slice() else {
            panic!("{twilio}: {faults:?}")
        };
        assert_eq!(at, pointer);
        assert!(detail.contains(part), "{detail}");
        assert!(!detail.contains("top"), "{detail}");
    }
    let shown = json!({ "authTokenSet": true, "previousAuthTokenSet": false, "sharedKeys": [{ "id": "k", "secret": "s", "secretSet": true }] });
    assert_eq!(refused_on_import(&json!({ "twilio": shown })), []);
}

#[test]
fn what_looks_like_a_secret_is_not_kept_in_a_field_that_nobody_knows() {
    for (patch, pointer) in [
        (json!({ "authToken": "x" }), "/authToken"),
        (json!({ "AUTH-TOKEN": "x" }), "/AUTH-TOKEN"),
        (json!({ "portalPassword": 12345 }), "/portalPassword"),
        (json!({ "crm": { "api_key": "x" } }), "/crm/api_key"),
        (json!({ "crm": { "api/keys": 1, "apiKeys": ["x"] } }), "/crm/apiKeys/0"),
        (
            json!({ "crm": [{ "clientSecret": { "value": "x" } }] }),
            "/crm/0/clientSecret/value",
        ),
        (json!({ "voice": { "providerToken": "x" } }), "/voice/providerToken"),
        (
            json!({ "configuration": { "twilio": { "authToken": "x" } } }),
            "/configuration/twilio/authToken",
        ),
        (
            json!({ "holidays": [{ "date": "2026-12-25", "hours": "closed", "token": { "$numberLong": "5" } }] }),
            "/holidays/0/token",
        ),
    ] {
        let faults = refused_on_import(&patch);
        let [(at, detail)] = faults.as_slice() else {
            panic!("{patch}: {faults:?}")
        };
        assert_eq!(at, pointer, "{patch}");
        assert!(detail.contains("belong in `twilio`"), "{detail}");
    }
    let harmless = json!({
        "authToken": null, "passwordSet": true, "maxTokens": 500, "apiKey": "", "crm": { "secrets": [], "note": "a token of thanks" }
    });
    assert_eq!(refused_on_import(&harmless), []);
}

#[test]
fn no_document_of_an_operator_brings_secrets_into_the_legacy_configuration() {
    let document = with(&json!({ "configuration": { "twilioAuthToken": "x", "cloned": true } }));
    assert_eq!(
        super::faults(&document, Mode::new_document())[0].0,
        "/configuration/twilioAuthToken"
    );
    assert!(Company::parse(&document, Mode::Stored).is_ok(), "what got in is read");
}
