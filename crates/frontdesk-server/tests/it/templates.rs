//! Templates.

use serde_json::json;

use crate::support::TestApp;

const TEMPLATES: &str = "/api/v1/templates";

#[tokio::test]
async fn a_template_goes_round() {
    let app = TestApp::start().await;
    let id = app.template(&["hours", "price"]).await;
    let path = format!("{TEMPLATES}/{id}");
    let shown = app.get(&path).await;
    let mut template = shown.ok(200);
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(template["categories"][0]["scenarios"][0]["status"], "live");
    template["categories"][0]["scenarios"][0]["quickReplies"] = json!(["Eight to six."]);
    let put = app.put(&path, template).await.ok(200);
    assert_eq!(
        (&put["rev"], &put["categories"][0]["scenarios"][0]["quickReplies"]),
        (&json!(2), &json!(["Eight to six."]))
    );
    assert_eq!(
        app.patch(&path, json!({ "fillerWords": ["um"] })).await.ok(200)["fillerWords"],
        json!(["um"])
    );
    assert_eq!(app.get(TEMPLATES).await.ok(200)["items"][0]["rev"], 3);
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.problem(404), "template-not-found");
}

#[tokio::test]
async fn what_cannot_be_an_id_is_not_found() {
    let app = TestApp::start().await;
    for id in [
        "x",
        "65f123456789abcdef01234",
        "65f123456789abcdef0123456",
        "%20",
        "%ff",
    ] {
        let path = format!("{TEMPLATES}/{id}");
        for reply in [
            app.get(&path).await,
            app.put(&path, json!({})).await,
            app.delete(&path).await,
        ] {
            assert_eq!(reply.status, 404, "{id}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn a_regular_expression_that_does_not_compile_is_pointed_to() {
    let app = TestApp::start().await;
    let scenario = json!({ "id": "s", "regexTriggers": ["fine", "(broken"] });
    let template = json!({ "name": "T", "categories": [{ "id": "c", "scenarios": [scenario] }] });
    assert_eq!(
        app.post(TEMPLATES, template).await.refused(),
        ["/categories/0/scenarios/0/regexTriggers/1"]
    );
}

#[tokio::test]
async fn a_template_in_use_is_not_deleted_and_names_the_companies() {
    let app = TestApp::start().await;
    let id = app.template(&["hours"]).await;
    let company = app.company("+15551234567").await;
    let reference = json!({ "templateId": id, "enabled": false, "priority": 1 });
    app.patch(
        &company,
        json!({ "aiAgentSettings": { "templateReferences": [reference] } }),
    )
    .await
    .ok(200);
    let refused = app.delete(&format!("{TEMPLATES}/{id}")).await;
    assert_eq!(refused.problem(409), "template-in-use");
    assert!(refused.json()["errors"][0]["detail"].as_str().unwrap().contains("Acme"));
    app.patch(&company, json!({ "aiAgentSettings": { "templateReferences": [] } }))
        .await
        .ok(200);
    assert_eq!(app.delete(&format!("{TEMPLATES}/{id}")).await.status, 204);
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let app = TestApp::start().await;
    let path = format!("{TEMPLATES}/{}", app.template(&["hours"]).await);
    app.patch(&path, json!({ "name": "U" })).await.ok(200);
    let stale = app
        .call("PATCH", &path, &[("if-match", "\"1\"")], Some(&json!({ "name": "V" })))
        .await;
    assert_eq!(stale.problem(412), "stale-revision");
    assert_eq!(
        app.call("DELETE", &path, &[("if-match", "\"1\"")], None)
            .await
            .problem(412),
        "stale-revision"
    );
    assert_eq!(app.get(&path).await.json()["name"], "U");
}

#[tokio::test]
async fn a_taken_id_is_refused() {
    let app = TestApp::start().await;
    let id = app.template(&[]).await;
    assert_eq!(
        app.post(TEMPLATES, json!({ "_id": id, "name": "T" }))
            .await
            .problem(409),
        "id-taken"
    );
}

#[tokio::test]
async fn a_trigger_that_two_scenarios_have_is_told_to_whoever_writes_it() {
    let app = TestApp::start().await;
    let scenarios = |second: &str| {
        let scenario =
            |id: &str, trigger: &str| json!({ "id": id, "name": id, "triggers": [trigger], "fullReplies": ["Yes."] });
        json!({ "name": "T", "categories": [{ "id": "c", "name": "c",
            "scenarios": [scenario("first", "when do you open"), scenario("second", second)] }] })
    };
    let told = json!([{ "pointer": "/categories/0/scenarios/1/triggers/0",
        "detail": "says the same as \"when do you open\" of scenario \"first\"; of the two, \"first\" answers" }]);
    let made = app.post(TEMPLATES, scenarios("When do you OPEN?")).await.ok(201);
    assert_eq!(made["warnings"], told);
    let path = format!("{TEMPLATES}/{}", made["_id"].as_str().unwrap());
    assert!(app.get(&path).await.ok(200).get("warnings").is_none(), "it is not kept");
    let put_back = app.put(&path, made).await.ok(200);
    assert_eq!(put_back["warnings"], told, "what was answered can be put back");
    let patched = app.patch(&path, json!({ "name": "U" })).await.ok(200);
    assert_eq!(patched["warnings"], told);
    let apart = app.put(&path, scenarios("who are you")).await.ok(200);
    assert!(apart.get("warnings").is_none(), "{apart}");
}
