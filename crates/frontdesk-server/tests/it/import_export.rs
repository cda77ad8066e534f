//! Import and export.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::support::TestApp;

fn demo(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/trades");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn company(id: &str, phone: &str) -> Value {
    json!({ "_id": id, "name": "Acme", "phone": phone })
}

const ID: &str = "507f1f77bcf86cd799439011";

async fn count(app: &TestApp, path: &str) -> usize {
    app.get(&format!("{path}?limit=200")).await.ok(200)["items"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn the_demo_data_is_imported_as_it_stands() {
    let app = TestApp::start().await;
    let files = [
        "companies.jsonl",
        "hvac.template.json",
        "plumbing.template.json",
        "universal.template.json",
        "trades-qna.json",
        "safety.json",
    ];
    let all: Vec<String> = files.iter().map(|file| demo(file)).collect();
    let report = app.import(&all.join("\n")).await.ok(200);
    assert_eq!(
        report["imported"],
        json!({ "company": 8, "template": 3, "qna": 82, "tradeQna": 24, "overlay": 0, "safety": 1, "prompts": 0 })
    );
    assert_eq!(report["unknownFields"], json!([]));
    assert_eq!(count(&app, "/api/v1/companies").await, 8);
    assert_eq!(count(&app, "/api/v1/trades/hvac/qna").await, 12);
    let again = app.import(&all.join("\n")).await.ok(200);
    assert_eq!(again["imported"], report["imported"], "importing again replaces by id");
    assert_eq!(count(&app, "/api/v1/trades/hvac/qna").await, 12);
}

#[tokio::test]
async fn an_export_imports_again_without_loss() {
    let app = TestApp::start().await;
    let files = [
        "companies.jsonl",
        "hvac.template.json",
        "plumbing.template.json",
        "universal.template.json",
        "trades-qna.json",
    ];
    let all: Vec<String> = files.iter().map(|file| demo(file)).collect();
    app.import(&all.join("\n")).await.ok(200);
    let spanish = json!({ "texts": { "greeting": { "default": ["Hola."] } } });
    app.put("/api/v1/prompts/es-US", spanish).await.ok(200);
    app.post(
        "/api/v1/trades/Orphans/qna",
        json!({ "question": "who", "answer": "nobody's" }),
    )
    .await
    .ok(201);
    let spent = json!({ "_id": ID, "name": "Spender", "phone": "+15559990000", "loyaltyProgramme": 1,
        "aiAgentLogic": { "templateGatekeeper": { "currentSpend": 12.5, "lastResetDate": "2026-11-01T00:00:00Z" },
            "fallbackResponses": { "lastUsedIndex": { "noMatch": 2 } } } });
    app.import(&spent.to_string()).await.ok(200);
    app.put(
        &format!("/api/v1/companies/{ID}/overlay"),
        json!({ "fillerWords": ["um"] }),
    )
    .await
    .ok(200);

    let exported = app.get("/api/v1/export").await;
    assert_eq!(
        (exported.status, exported.header("content-type")),
        (200, Some("application/x-ndjson"))
    );
    let spends = exported.text().matches("currentSpend").count();
    assert_eq!(spends, 1, "a month in which nothing was spent opens no ledger");
    let copy = TestApp::start().await;
    let report = copy.import(&exported.text()).await.ok(200);
    assert_eq!(report["imported"]["company"], 9);
    let exported_again = copy.get("/api/v1/export").await.text();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (first, second) = (lines(&exported.text()), lines(&exported_again));
    assert!(
        first == second,
        "lost: {:#?}\nnew: {:#?}",
        first.difference(&second),
        second.difference(&first)
    );
    assert!(
        first.iter().any(|line| line.contains("Orphans")),
        "trades that no company has are exported too"
    );
}

#[tokio::test]
async fn spend_and_rotation_of_this_month_are_taken_over() {
    let app = TestApp::start().await;
    let with = |reset: &str| {
        let mut company = company(ID, "+15551234567");
        company["aiAgentLogic"] = json!({
            "templateGatekeeper": { "monthlyBudget": 200, "currentSpend": 145.50, "lastResetDate": { "$date": reset } },
            "fallbackResponses": { "lastUsedIndex": { "noMatch": 1 } }
        });
        company["_id"] = json!({ "$oid": ID });
        company.to_string()
    };
    app.import(&with("2026-10-01T00:00:00Z")).await.ok(200);
    let path = format!("/api/v1/companies/{ID}");
    let spend = |company: Value| company["aiAgentLogic"]["templateGatekeeper"]["currentSpend"].clone();
    let shown = app.get(&path).await.ok(200);
    assert_eq!(spend(shown.clone()), "0", "last month's spend opens nothing");
    assert_eq!(
        shown["aiAgentLogic"]["fallbackResponses"]["lastUsedIndex"]["noMatch"],
        1
    );
    app.import(&with("2026-11-01T00:00:00Z")).await.ok(200);
    assert_eq!(spend(app.get(&path).await.ok(200)), "145.5");
    app.import(&with("2026-11-01T00:00:00Z")).await.ok(200);
    assert_eq!(
        spend(app.get(&path).await.ok(200)),
        "145.5",
        "once per company and month"
    );
    app.clock.set("2026-12-02T00:00:00Z");
    assert_eq!(
        spend(app.get(&path).await.ok(200)),
        "0",
        "a new month begins at nothing"
    );
}

#[tokio::test]
async fn one_broken_line_refuses_all_and_every_fault_has_its_line() {
    let app = TestApp::start().await;
    let mut wrong = company("507f1f77bcf86cd799439012", "555");
    wrong["timezone"] = json!("Mars/Phobos");
    let qna = json!({ "type": "qna", "document": { "companyId": ID, "question": "q" } });
    let text = format!("{}\n\n{wrong}\n{qna}\n", company(ID, "+15551234567"));
    let refused = app.import(&text).await;
    assert_eq!(refused.problem(422), "import-refused");
    let errors = refused.json()["errors"].as_array().unwrap().clone();
    let places: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["pointer"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (3, "/phone".into()),
            (3, "/timezone".into()),
            (4, "/document/answer".into())
        ]
    );
    assert_eq!(count(&app, "/api/v1/companies").await, 0, "nothing was imported");
}

#[tokio::test]
async fn references_are_checked_at_the_end() {
    let app = TestApp::start().await;
    let template = "65f123456789abcdef012345";
    let mut company = company(ID, "+15551234567");
    company["aiAgentSettings"] = json!({ "templateReferences": [template] });
    let refused = app.import(&company.to_string()).await;
    assert_eq!(refused.problem(422), "import-refused");
    let error = &refused.json()["errors"][0];
    assert_eq!(
        (&error["line"], &error["pointer"]),
        (&json!(1), &json!("/aiAgentSettings/templateReferences/0"))
    );
    let later = json!({ "_id": template, "name": "T", "categories": [] });
    app.import(&format!("{company}\n{later}")).await.ok(200);
}

#[tokio::test]
async fn numbers_are_compared_over_the_whole_import() {
    let app = TestApp::start().await;
    let two = format!(
        "{}\n{}",
        company(ID, "+15551234567"),
        company("507f1f77bcf86cd799439012", "+15551234567")
    );
    let refused = app.import(&two).await;
    assert_eq!(refused.problem(422), "import-refused");
    assert_eq!(refused.json()["errors"][0]["line"], 2);
    app.import(&company(ID, "+15551234567").to_string()).await.ok(200);
    // Two companies may swap their numbers.
    app.import(&company("507f1f77bcf86cd799439012", "+15551234568").to_string())
        .await
        .ok(200);
    let swapped = format!(
        "{}\n{}",
        company(ID, "+15551234568"),
        company("507f1f77bcf86cd799439012", "+15551234567")
    );
    app.import(&swapped).await.ok(200);
}

#[tokio::test]
async fn secrets_that_a_line_does_not_give_stay() {
    let app = TestApp::start().await;
    let mut line = company(ID, "+15551234567");
    line["twilio"] = json!({ "authToken": "s3cret" });
    app.import(&line.to_string()).await.ok(200);
    app.import(&company(ID, "+15551234567").to_string()).await.ok(200);
    assert_eq!(
        app.store_secrets(&format!("/api/v1/companies/{ID}")).await.0.as_deref(),
        Some("s3cret")
    );
}

#[tokio::test]
async fn unknown_fields_are_kept_and_listed() {
    let app = TestApp::start().await;
    let mut line = company(ID, "+15551234567");
    line["gretting"] = json!("Hi.");
    line["voice"] = json!({ "pitch": 3 });
    let report = app
        .import(&json!({ "company": line, "qna": [] }).to_string())
        .await
        .ok(200);
    assert_eq!(
        report["unknownFields"],
        json!([
            { "line": 1, "pointer": "/company/voice/pitch", "nearest": null },
            { "line": 1, "pointer": "/company/gretting", "nearest": "greeting" }
        ])
    );
    let shown = app.get(&format!("/api/v1/companies/{ID}")).await.ok(200);
    assert_eq!(
        (&shown["gretting"], &shown["voice"]["pitch"]),
        (&json!("Hi."), &json!(3))
    );
    assert!(app.get("/api/v1/export").await.text().contains("\"pitch\":3"));
}

#[tokio::test]
async fn safety_rules_that_could_not_be_on_are_refused() {
    let app = TestApp::start().await;
    let category = json!({ "id": "fire", "name": "Fire", "sentence": "Get out.", "phrases": ["fire", "…"] });
    let refused = app
        .import(&json!({ "type": "safety", "document": { "categories": [category] } }).to_string())
        .await;
    assert_eq!(refused.problem(422), "import-refused");
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/document/categories/0/phrases/1"
    );
}

#[tokio::test]
async fn an_overlay_of_scenarios_that_are_gone_is_kept_and_told() {
    let app = TestApp::start().await;
    let overlay = json!({ "type": "overlay", "document": { "companyId": ID, "disabledScenarios": ["gone"] } });
    let report = app
        .import(&format!("{}\n{overlay}", company(ID, "+15551234567")))
        .await
        .ok(200);
    assert_eq!(
        (&report["notes"][0]["line"], &report["notes"][0]["pointer"]),
        (&json!(2), &json!("/document/disabledScenarios/0"))
    );
    assert_eq!(
        app.get(&format!("/api/v1/companies/{ID}/overlay")).await.ok(200)["disabledScenarios"],
        json!(["gone"])
    );
    let orphan = json!({ "type": "overlay", "document": { "companyId": "507f1f77bcf86cd799439099" } });
    assert_eq!(app.import(&orphan.to_string()).await.problem(422), "import-refused");
}

#[tokio::test]
async fn of_two_documents_with_one_id_the_later_counts() {
    let app = TestApp::start().await;
    let mut later = company(ID, "+15551234568");
    later["name"] = json!("Later");
    let report = app
        .import(&format!("{}\n{later}", company(ID, "+15551234567")))
        .await
        .ok(200);
    assert_eq!(report["notes"][0]["line"], 2);
    assert_eq!(
        app.get(&format!("/api/v1/companies/{ID}")).await.ok(200)["name"],
        "Later"
    );
}

#[tokio::test]
async fn a_language_may_come_with_the_import() {
    let app = TestApp::start().await;
    let mut line = company(ID, "+15551234567");
    line["voice"] = json!({ "language": "es-US" });
    let refused = app.import(&line.to_string()).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/voice/language");
    let prompts = json!({ "type": "prompts", "document": { "language": "es-US", "texts": { "greeting": { "default": ["Hola."] } } } });
    app.import(&format!("{line}\n{prompts}")).await.ok(200);
}

#[tokio::test]
async fn an_empty_import_imports_nothing() {
    let app = TestApp::start().await;
    for text in ["", "\n\n", "[]"] {
        assert_eq!(app.import(text).await.ok(200)["imported"]["company"], 0, "{text:?}");
    }
    assert_eq!(app.get("/api/v1/export").await.text(), "");
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_refused_and_shown_nowhere() {
    let app = TestApp::start().await;
    for (field, value, pointer) in [
        ("twilio", json!({ "auth_token": "top-secret" }), "/twilio/auth_token"),
        ("authToken", json!("top-secret"), "/authToken"),
        (
            "configuration",
            json!({ "twilio": { "authToken": "top-secret" } }),
            "/configuration/twilio/authToken",
        ),
    ] {
        let mut document = company(ID, "+15551234567");
        document[field] = value;
        let refused = app.import(&document.to_string()).await;
        assert_eq!(refused.problem(422), "import-refused");
        let body = refused.json();
        assert_eq!(body["errors"][0]["pointer"], pointer, "{body}");
        assert!(!body.to_string().contains("top-secret"), "{body}");
    }
    assert_eq!(count(&app, "/api/v1/companies").await, 0);
}

#[tokio::test]
async fn money_that_was_rounded_is_noted() {
    let app = TestApp::start().await;
    let budget = r#"{ "_id": "507f1f77bcf86cd799439011", "name": "Acme", "phone": "+15551234567",
        "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": 145.49999999999997 } } }"#;
    let report = app.import(budget).await.ok(200);
    assert_eq!(
        report["notes"][0]["pointer"],
        "/aiAgentLogic/templateGatekeeper/monthlyBudget"
    );
    let stored = app.get(&format!("/api/v1/companies/{ID}")).await.ok(200);
    assert_eq!(stored["aiAgentLogic"]["templateGatekeeper"]["monthlyBudget"], "145.5");
}

#[tokio::test]
async fn what_says_the_same_after_an_import_is_noted() {
    let app = TestApp::start().await;
    app.import(&company(ID, "+15551234567").to_string()).await.ok(200);
    let qna = format!("/api/v1/companies/{ID}/qna");
    app.post(
        &qna,
        json!({ "id": "stays", "question": "Do you take cards?", "answer": "Yes." }),
    )
    .await
    .ok(201);
    let template = "507f1f77bcf86cd7994390aa";
    let scenario =
        |id: &str, trigger: &str| json!({ "id": id, "name": id, "triggers": [trigger], "fullReplies": ["Yes."] });
    let mut referring = company(ID, "+15551234567");
    referring["aiAgentSettings"] = json!({ "templateReferences": [template] });
    let lines = [
        json!({ "type": "overlay", "document": { "companyId": ID, "triggers": { "b": ["No heat!"], "a": ["brr"] } } }),
        json!({ "_id": template, "name": "T", "categories": [{ "id": "c", "name": "c",
            "scenarios": [scenario("a", "no heat"), scenario("b", "no light"), scenario("c", "no light")] }] }),
        referring,
        json!({ "type": "qna", "document": { "companyId": ID, "id": "comes", "question": "do you take cards", "answer": "No." } }),
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let report = app.import(&lines.join("\n")).await.ok(200);
    let mut notes: Vec<_> = report["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| {
            (
                note["line"].as_u64().unwrap(),
                note["pointer"].as_str().unwrap(),
                note["detail"].as_str().unwrap(),
            )
        })
        .collect();
    notes.sort_unstable();
    assert_eq!(
        notes,
        [
            (
                1,
                "/document/triggers/b/0",
                "says the same as \"no heat\" of scenario \"a\"; of the two, \"a\" answers"
            ),
            (
                2,
                "/categories/0/scenarios/2/triggers/0",
                "says the same as \"no light\" of scenario \"b\"; of the two, \"b\" answers"
            ),
            (
                4,
                "/document/question",
                "says the same as \"Do you take cards?\" of Q&A \"stays\"; of the two, \"stays\" answers"
            ),
        ]
    );
    let overlay = format!("/api/v1/companies/{ID}/overlay");
    let put = app
        .put(&overlay, json!({ "triggers": { "a": ["no light"] } }))
        .await
        .ok(200);
    assert_eq!(put["warnings"][0]["pointer"], "/triggers/a/0");
    assert_eq!(
        put["warnings"].as_array().unwrap().len(),
        1,
        "those of the template are told with it: {put}"
    );
    let disabled = json!({ "triggers": { "a": ["no light"] }, "disabledScenarios": ["b", "c"] });
    assert!(app.put(&overlay, disabled).await.ok(200).get("warnings").is_none());
}
