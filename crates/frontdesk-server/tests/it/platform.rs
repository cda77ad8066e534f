//! Overlay, safety rules and prompts.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn an_overlay_is_empty_until_it_is_put() {
    let app = TestApp::start().await;
    let template = app.template(&["hours", "price"]).await;
    let company = app.company("+15551234567").await;
    app.patch(
        &company,
        json!({ "aiAgentSettings": { "templateReferences": [template] } }),
    )
    .await
    .ok(200);
    let path = format!("{company}/overlay");
    let empty = app.get(&path).await;
    assert_eq!(empty.header("etag"), Some("\"0\""));
    let empty = empty.ok(200);
    assert_eq!(
        (&empty["rev"], &empty["triggers"], &empty["updatedAt"]),
        (&json!(0), &json!({}), &Value::Null)
    );
    let overlay = json!({ "triggers": { "hours": ["when are you there"] }, "disabledScenarios": ["price"] });
    let put = app
        .call("PUT", &path, &[("if-match", "\"0\"")], Some(&overlay))
        .await
        .ok(200);
    assert_eq!((&put["rev"], &put["disabledScenarios"]), (&json!(1), &json!(["price"])));
    assert_eq!(app.get(&path).await.ok(200), put);
    let stale = app.call("PUT", &path, &[("if-match", "\"0\"")], Some(&overlay)).await;
    assert_eq!(stale.problem(412), "stale-revision");
}

#[tokio::test]
async fn an_overlay_names_scenarios_of_its_companys_templates() {
    let app = TestApp::start().await;
    let template = app.template(&["opening-hours"]).await;
    let company = app.company("+15551234567").await;
    let path = format!("{company}/overlay");
    let overlay = json!({ "triggers": { "opening-hour": ["x"] }, "disabledScenarios": ["nothing"] });
    app.patch(
        &company,
        json!({ "aiAgentSettings": { "templateReferences": [template] } }),
    )
    .await
    .ok(200);
    let refused = app.put(&path, overlay).await;
    assert_eq!(refused.problem(422), "unknown-reference");
    assert_eq!(refused.refused(), ["/triggers/opening-hour", "/disabledScenarios/0"]);
    assert!(refused.text().contains("did you mean \\\"opening-hours\\\"?"));
    let known = json!({ "triggers": { "opening-hours": ["x"] } });
    app.put(&path, known.clone()).await.ok(200);
    // The template changes afterwards; the overlay can still be put as it stands.
    app.put(&format!("/api/v1/templates/{template}"), json!({ "name": "T" }))
        .await
        .ok(200);
    app.put(&path, known).await.ok(200);
}

#[tokio::test]
async fn built_in_safety_rules_are_shown_until_others_are_put() {
    let app = TestApp::start().await;
    let built_in = app.get("/api/v1/safety").await;
    assert_eq!(built_in.header("etag"), Some("\"0\""));
    let mut rules = built_in.ok(200);
    assert!(!rules["categories"].as_array().unwrap().is_empty());
    rules["version"] = json!("2.0.0");
    let put = app.put("/api/v1/safety", rules).await.ok(200);
    assert_eq!((&put["rev"], &put["version"]), (&json!(1), &json!("2.0.0")));
    assert_eq!(app.get("/api/v1/safety").await.ok(200), put);
}

#[tokio::test]
async fn safety_rules_that_could_not_be_on_are_refused() {
    let app = TestApp::start().await;
    let rules = |fields: Value| {
        let mut category = json!({ "id": "fire", "name": "Fire", "sentence": "Get out.", "phrases": ["fire"] });
        category
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!({ "categories": [category] })
    };
    app.put("/api/v1/safety", rules(json!({}))).await.ok(200);
    for (fields, pointer) in [
        (json!({ "patterns": ["(fire"] }), "/categories/0/patterns/0"),
        (json!({ "phrases": ["fire", "…"] }), "/categories/0/phrases/1"),
    ] {
        assert_eq!(app.put("/api/v1/safety", rules(fields)).await.refused(), [pointer]);
    }
    assert_eq!(
        app.put("/api/v1/safety", json!({ "categories": [] })).await.refused(),
        ["/categories"]
    );
}

#[tokio::test]
async fn prompts_are_put_by_language() {
    let app = TestApp::start().await;
    let built_in = app.get("/api/v1/prompts/en-US").await.ok(200);
    assert_eq!((&built_in["rev"], &built_in["language"]), (&json!(0), &json!("en-US")));
    let missing = app.get("/api/v1/prompts/es-US").await;
    assert_eq!(missing.problem(404), "prompts-not-found");
    assert!(missing.text().contains("en-US"));
    let spanish = json!({ "texts": { "greeting": { "default": ["Hola."] } } });
    let put = app.put("/api/v1/prompts/es-US", spanish).await.ok(200);
    assert_eq!((&put["rev"], &put["language"]), (&json!(1), &json!("es-US")));
    assert_eq!(app.get("/api/v1/prompts/es-US").await.ok(200), put);
    let other = json!({ "language": "fr-FR", "texts": {} });
    assert_eq!(app.put("/api/v1/prompts/es-US", other).await.refused(), ["/language"]);
    assert_eq!(
        app.put("/api/v1/prompts/nonsense!", json!({ "texts": {} }))
            .await
            .refused(),
        ["/language"]
    );
    assert_eq!(app.put("/api/v1/prompts/en-US", built_in).await.ok(200)["rev"], 1);
}
