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
