//! Companies.

use serde_json::{Value, json};

use crate::support::TestApp;

const COMPANIES: &str = "/api/v1/companies";

fn acme(phone: &str) -> Value {
    json!({ "name": "Acme", "phone": phone, "timezone": "America/New_York" })
}

#[tokio::test]
async fn a_new_company_is_answered_with_its_place_revision_and_defaults() {
    let app = TestApp::start().await;
    let made = app.post(COMPANIES, acme("+15551234567")).await;
    let company = made.ok(201);
    let id = company["_id"].as_str().unwrap();
    assert_eq!(made.header("location"), Some(format!("{COMPANIES}/{id}").as_str()));
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(
        (&company["rev"], &company["createdAt"]),
        (&json!(1), &json!("2026-11-25T12:00:00Z"))
    );
    assert_eq!(
        (&company["greeting"], &company["forwardNumber"]),
        (&Value::Null, &Value::Null),
        "absent is null"
    );
    assert_eq!(company["voice"]["language"], "en-US");
    assert_eq!(app.get(&format!("{COMPANIES}/{id}")).await.ok(200), company);
}

#[tokio::test]
async fn a_free_id_is_kept_and_a_taken_one_refused() {
    let app = TestApp::start().await;
    let mut company = acme("+15551234567");
    company["_id"] = json!("507F1F77BCF86CD799439011");
    assert_eq!(
        app.post(COMPANIES, company.clone()).await.ok(201)["_id"],
        "507f1f77bcf86cd799439011"
    );
    company["phone"] = json!("+15551234568");
    let again = app.post(COMPANIES, company).await;
    assert_eq!(again.problem(409), "id-taken");
    assert_eq!(again.json()["errors"][0]["pointer"], "/_id");
}

#[tokio::test]
async fn a_number_belongs_to_one_company() {
    let app = TestApp::start().await;
    app.company("+15551234567").await;
    let other = app.company("+15551234568").await;
    let mut third = acme("+15551234569");
    third["phones"] = json!(["+15551234567"]);
    assert_eq!(app.post(COMPANIES, third).await.problem(409), "phone-taken");
    assert_eq!(
        app.patch(&other, json!({ "phone": "+15551234567" })).await.problem(409),
        "phone-taken"
    );
    app.patch(&other, json!({ "phone": "+15551234570" })).await.ok(200);
    app.company("+15551234568").await;
}

#[tokio::test]
async fn a_refused_company_names_every_fault() {
    let app = TestApp::start().await;
    let company = json!({ "phone": "555", "timezone": "Mars/Phobos", "tiemzone": "x", "voice": { "voice": "<b>" } });
    let refused = app.post(COMPANIES, company).await;
    let pointers = refused.refused();
    for pointer in ["/name", "/phone", "/timezone", "/tiemzone", "/voice/voice"] {
        assert!(
            pointers.iter().any(|found| found == pointer),
            "{pointer} in {pointers:?}"
        );
    }
    assert!(refused.text().contains("did you mean `timezone`?"));
}

#[tokio::test]
async fn references_must_exist() {
    let app = TestApp::start().await;
    let mut company = acme("+15551234567");
    company["aiAgentSettings"] = json!({ "templateReferences": ["65f123456789abcdef012345"] });
    let refused = app.post(COMPANIES, company).await;
    assert_eq!(refused.problem(422), "unknown-reference");
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/aiAgentSettings/templateReferences/0"
    );
}

#[tokio::test]
async fn a_language_needs_prompts() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let spanish = json!({ "voice": { "language": "es-US" } });
    let refused = app.patch(&company, spanish.clone()).await;
    assert_eq!(refused.refused(), ["/voice/language"]);
    assert!(refused.text().contains("en-US"), "says which languages there are");
    let prompts = json!({ "texts": { "greeting": { "default": ["Hola."] } } });
    app.put("/api/v1/prompts/es-US", prompts).await.ok(200);
    app.patch(&company, spanish).await.ok(200);
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_names_and_null_resets() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let patch = json!({ "greeting": "Hi.", "aiAgentLogic": { "templateGatekeeper": { "tier1Threshold": 0.9, "monthlyBudget": 12.50 } } });
    let patched = app.patch(&company, patch).await.ok(200);
    assert_eq!((&patched["greeting"], &patched["rev"]), (&json!("Hi."), &json!(2)));
    let gatekeeper = &patched["aiAgentLogic"]["templateGatekeeper"];
    assert_eq!(
        (&gatekeeper["tier1Threshold"], &gatekeeper["enabled"]),
        (&json!(0.9), &json!(true))
    );
    assert_eq!(
        gatekeeper["monthlyBudget"], "12.5",
        "money goes out as a decimal string"
    );
    assert_eq!(
        app.patch(&company, json!({ "greeting": null })).await.ok(200)["greeting"],
        Value::Null
    );
    assert_eq!(app.patch(&company, json!({ "name": null })).await.refused(), ["/name"]);
    assert_eq!(
        app.patch(&company, json!(["not", "an", "object"])).await.problem(422),
        "invalid-document"
    );
}

#[tokio::test]
async fn what_the_server_owns_cannot_be_patched_and_is_ignored_elsewhere() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let gate = |field: &str| json!({ "aiAgentLogic": { "templateGatekeeper": { field: 5 } } });
    for patch in [
        gate("currentSpend"),
        gate("lastResetDate"),
        json!({ "aiAgentLogic": { "fallbackResponses": { "lastUsedIndex": { "noMatch": 1 } } } }),
    ] {
        assert_eq!(app.patch(&path, patch).await.problem(422), "invalid-document");
    }
    let mut company = app.get(&path).await.ok(200);
    assert_eq!(company["aiAgentLogic"]["templateGatekeeper"]["currentSpend"], "0");
    assert_eq!(
        company["aiAgentLogic"]["templateGatekeeper"]["lastResetDate"],
        "2026-11-01T00:00:00Z"
    );
    assert_eq!(
        company["aiAgentLogic"]["fallbackResponses"]["lastUsedIndex"],
        json!({ "clarification": null, "noMatch": null, "technical": null, "outOfScope": null })
    );
    company["aiAgentLogic"]["templateGatekeeper"]["currentSpend"] = json!("77");
    company["rev"] = json!(99);
    let put = app.put(&path, company).await.ok(200);
    assert_eq!(
        (&put["rev"], &put["aiAgentLogic"]["templateGatekeeper"]["currentSpend"]),
        (&json!(2), &json!("0"))
    );
}

#[tokio::test]
async fn secrets_are_written_and_never_shown() {
    let app = TestApp::start().await;
    let mut company = acme("+15551234567");
    company["twilio"] = json!({ "accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "s3cret-one",
        "sharedKeys": [{ "id": "key-1", "secret": "s3cret-two" }] });
    let made = app.post(COMPANIES, company).await;
    let path = made.header("location").unwrap().to_owned();
    let twilio = &made.ok(201)["twilio"];
    assert_eq!(
        (&twilio["authTokenSet"], &twilio["previousAuthTokenSet"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(twilio["sharedKeys"], json!([{ "id": "key-1", "secretSet": true }]));
    let shown = app.get(&path).await;
    let listed = app.get(COMPANIES).await;
    let exported = app.get("/api/v1/export").await;
    let put = app.put(&path, shown.json()).await;
    for reply in [&made, &shown, &listed, &exported, &put] {
        assert!(!reply.text().contains("s3cret"), "{}", reply.text());
    }
    assert_eq!(
        put.ok(200)["twilio"]["authTokenSet"],
        true,
        "absent in a PUT is unchanged"
    );
    let secrets = app.store_secrets(&path).await;
    assert_eq!(
        secrets,
        (Some("s3cret-one".into()), vec![("key-1".into(), "s3cret-two".into())])
    );
    let patched = app
        .patch(&path, json!({ "twilio": { "authToken": null } }))
        .await
        .ok(200);
    assert_eq!(
        (
            &patched["twilio"]["authTokenSet"],
            &patched["twilio"]["sharedKeys"][0]["secretSet"]
        ),
        (&json!(false), &json!(true))
    );
    let new_key = json!({ "twilio": { "sharedKeys": [{ "id": "key-1" }, { "id": "key-2" }] } });
    assert_eq!(
        app.patch(&path, new_key).await.refused(),
        ["/twilio/sharedKeys/1/secret"]
    );
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    app.patch(&path, json!({ "greeting": "two" })).await.ok(200);
    let company = app.get(&path).await.json();
    for (method, body) in [
        ("PATCH", Some(json!({ "greeting": "three" }))),
        ("PUT", Some(company)),
        ("DELETE", None),
    ] {
        let refused = app.call(method, &path, &[("if-match", "\"1\"")], body.as_ref()).await;
        assert_eq!(refused.problem(412), "stale-revision", "{method}");
    }
    let current = app
        .call(
            "PATCH",
            &path,
            &[("if-match", "\"2\"")],
            Some(&json!({ "greeting": "three" })),
        )
        .await;
    assert_eq!((current.status, current.header("etag")), (200, Some("\"3\"")));
}

#[tokio::test]
async fn a_known_revision_is_not_sent_again() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let known = app.call("GET", &path, &[("if-none-match", "\"1\"")], None).await;
    assert_eq!(
        (known.status, known.body.len(), known.header("etag")),
        (304, 0, Some("\"1\""))
    );
    app.call("GET", &path, &[("if-none-match", "\"7\"")], None)
        .await
        .ok(200);
}

#[tokio::test]
async fn the_id_of_the_path_is_the_id_of_the_body() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let mut company = acme("+15551234567");
    app.put(&path, company.clone()).await.ok(200);
    company["_id"] = json!("507f1f77bcf86cd799439011");
    assert_eq!(app.put(&path, company).await.refused(), ["/_id"]);
}

#[tokio::test]
async fn unknown_fields_are_refused_unless_they_stood_there_before() {
    let app = TestApp::start().await;
    let line = json!({ "_id": "507f1f77bcf86cd799439011", "name": "Acme", "phone": "+15551234567", "loyaltyProgramme": { "tier": 1 } });
    app.import(&line.to_string()).await.ok(200);
    let path = format!("{COMPANIES}/507f1f77bcf86cd799439011");
    let mut company = app.get(&path).await.ok(200);
    assert_eq!(company["loyaltyProgramme"], json!({ "tier": 1 }));
    company["greeting"] = json!("Hi.");
    assert_eq!(
        app.put(&path, company.clone()).await.ok(200)["loyaltyProgramme"],
        json!({ "tier": 1 })
    );
    company["otherProgramme"] = json!(1);
    assert_eq!(app.put(&path, company).await.refused(), ["/otherProgramme"]);
    assert_eq!(
        app.patch(&path, json!({ "gretting": "Hi." })).await.refused(),
        ["/gretting"]
    );
}

#[tokio::test]
async fn a_deleted_company_is_gone_with_its_qna() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    app.post(&format!("{path}/qna"), json!({ "question": "q", "answer": "a" }))
        .await
        .ok(201);
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.problem(404), "company-not-found");
    assert_eq!(app.get(&format!("{path}/qna")).await.problem(404), "company-not-found");
    assert_eq!(app.delete(&path).await.problem(404), "company-not-found");
    app.company("+15551234567").await;
}

#[tokio::test]
async fn lists_go_on_where_the_cursor_says() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.company(&format!("+1555123450{number}")).await;
    }
    let mut found = Vec::new();
    let mut next = "?limit=2".to_owned();
    loop {
        let page = app.get(&format!("{COMPANIES}{next}")).await.ok(200);
        found.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|company| company["phone"].clone()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!(page["nextCursor"], Value::Null);
            break;
        };
        next = format!("?limit=2&cursor={cursor}");
    }
    let phones: Vec<Value> = (0..5).map(|number| json!(format!("+1555123450{number}"))).collect();
    assert_eq!(found, phones, "ids sort by the order in which they were made");
}

#[tokio::test]
async fn a_full_last_page_has_no_next_one() {
    let app = TestApp::start().await;
    for number in 0..4 {
        app.company(&format!("+1555123450{number}")).await;
    }
    let first = app.get(&format!("{COMPANIES}?limit=2")).await.ok(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = app.get(&format!("{COMPANIES}?limit=2&cursor={cursor}")).await.ok(200);
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["nextCursor"]),
        (2, &Value::Null)
    );
}

#[tokio::test]
async fn many_patches_at_once_are_all_kept() {
    let app = TestApp::start().await;
    let path = app.company("+15551234567").await;
    let patches = (0..4).map(|number| {
        let patch = json!({ "variables": { format!("v{number}"): "x" } });
        let (app, path) = (&app, &path);
        async move { app.patch(path, patch).await.status }
    });
    let statuses = futures_util::future::join_all(patches).await;
    assert_eq!(statuses, [200; 4]);
    let variables = app.get(&path).await.json()["variables"].clone();
    assert_eq!(variables.as_object().unwrap().len(), 4, "{variables}");
}
