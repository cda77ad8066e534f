//! The `OpenAPI` document: complete, closed to strangers, and true.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

/// What DESIGN section 7 promises of the first step.
const DUE: &[&str] = &[
    "GET /api/v1/companies",
    "POST /api/v1/companies",
    "GET /api/v1/companies/{}",
    "PUT /api/v1/companies/{}",
    "PATCH /api/v1/companies/{}",
    "DELETE /api/v1/companies/{}",
    "GET /api/v1/companies/{}/qna",
    "POST /api/v1/companies/{}/qna",
    "GET /api/v1/companies/{}/qna/{}",
    "PUT /api/v1/companies/{}/qna/{}",
    "DELETE /api/v1/companies/{}/qna/{}",
    "GET /api/v1/trades/{}/qna",
    "POST /api/v1/trades/{}/qna",
    "GET /api/v1/trades/{}/qna/{}",
    "PUT /api/v1/trades/{}/qna/{}",
    "DELETE /api/v1/trades/{}/qna/{}",
    "GET /api/v1/companies/{}/overlay",
    "PUT /api/v1/companies/{}/overlay",
    "GET /api/v1/templates",
    "POST /api/v1/templates",
    "GET /api/v1/templates/{}",
    "PUT /api/v1/templates/{}",
    "PATCH /api/v1/templates/{}",
    "DELETE /api/v1/templates/{}",
    "GET /api/v1/safety",
    "PUT /api/v1/safety",
    "GET /api/v1/prompts/{}",
    "PUT /api/v1/prompts/{}",
    "POST /api/v1/companies/{}/route",
    "GET /api/v1/companies/{}/calls",
    "GET /api/v1/companies/{}/calls/{}",
    "GET /api/v1/companies/{}/messages",
    "PATCH /api/v1/companies/{}/messages/{}",
    "GET /api/v1/companies/{}/messages/{}/audio",
    "GET /api/v1/companies/{}/budget",
    "GET /api/v1/companies/{}/ledger",
    "GET /api/v1/health",
    "GET /api/v1/health/history",
    "GET /api/v1/llm/health",
    "POST /api/v1/llm/test-connection",
    "GET /api/v1/notifications",
    "GET /api/v1/notifications/stream",
    "POST /api/v1/notifications/{}/acknowledge",
    "POST /api/v1/notifications/{}/snooze",
    "POST /api/v1/notifications/{}/resolve",
    "POST /api/v1/notifications/{}/reopen",
    "GET /api/v1/runbooks/{}",
    "GET /api/v1/contacts",
    "POST /api/v1/contacts",
    "PUT /api/v1/contacts/{}",
    "DELETE /api/v1/contacts/{}",
    "POST /api/v1/contacts/{}/test",
    "GET /api/v1/outbox",
    "POST /api/v1/outbox/{}/resend",
    "POST /api/v1/import",
    "GET /api/v1/export",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /api/twilio/v2-agent-respond/{}",
    "POST /api/twilio/message/{}",
    "POST /api/twilio/status/{}",
];

/// Operations that need no token; the voice routes need a signature instead.
fn is_public(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz") || path.starts_with("/api/twilio/")
}

async fn document(app: &TestApp) -> Value {
    app.send(Request::get("/api/openapi.json").body(Body::empty()).unwrap())
        .await
        .ok(200)
}

/// Every operation as method, path and what is written of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        let path = path.clone();
        item.into_iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// `/companies/{companyId}` → `/companies/{}`.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn the_document_lists_every_operation_that_is_due_and_no_other() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    assert_eq!(document["openapi"], "3.1.0");
    let listed: BTreeSet<String> = operations(&document)
        .iter()
        .map(|(method, path, _)| format!("{method} {}", shape(path)))
        .collect();
    let due: BTreeSet<String> = DUE.iter().map(ToString::to_string).collect();
    assert_eq!(listed, due);
}

#[tokio::test]
async fn every_operation_refuses_no_token_and_a_wrong_one() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let id = company.rsplit('/').next().unwrap();
    for (method, path, operation) in operations(&document(&app).await) {
        if is_public(&path) {
            continue;
        }
        assert_eq!(operation["security"], json!([{ "operator": [] }]), "{method} {path}");
        let filled = path
            .replace("{companyId}", id)
            .replace("{templateId}", id)
            .replace("{language}", "en-US");
        for token in [None, Some("Bearer "), Some("Bearer wrong"), Some("Basic x")] {
            let mut request = Request::builder().method(method.as_str()).uri(&filled);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, token);
            }
            let body = if operation.get("requestBody").is_some() {
                "{}"
            } else {
                ""
            };
            let refused = app.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(refused.problem(401), "unauthorized", "{method} {path} with {token:?}");
        }
    }
    app.get(&company).await.ok(200);
}

#[tokio::test]
async fn voice_routes_want_a_signature_and_speak_no_json() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let id = company.rsplit('/').next().unwrap();
    let operations = operations(&document(&app).await);
    for (method, path, operation) in operations
        .iter()
        .filter(|(_, path, _)| path.starts_with("/api/twilio/"))
    {
        assert_eq!(operation["security"], json!([{ "twilioSignature": [] }]), "{path}");
        let filled = path.replace("{companyId}", id);
        let with_token = app.call(method, &filled, &[], Some(&json!({}))).await;
        assert_eq!(with_token.status, 403, "{path}: the operator's token is no signature");
        let other_method = app.delete(&filled).await;
        assert_eq!(other_method.status, 405, "{path}");
        for reply in [with_token, other_method] {
            assert!(
                !reply.header("content-type").unwrap_or_default().contains("json"),
                "{path}: {}",
                reply.text()
            );
        }
    }
}

#[tokio::test]
async fn every_operation_says_what_it_is_and_what_it_answers() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(
            operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{at}"
        );
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{at}: operationId repeats"
        );
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for name in path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            let described = parameters
                .iter()
                .any(|parameter| parameter["name"] == name && parameter["in"] == "path");
            assert!(described || path.starts_with("/api/twilio/"), "{at}: {name}");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(
                response["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{at}: {status}"
            );
            if status.starts_with(['4', '5']) && path.starts_with("/api/v1/") {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{at}: {status}");
            }
        }
    }
}

/// Compares what the server writes with what the document says of it: no field is undescribed, none is described that
/// is not written.
#[track_caller]
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return check(
            document,
            &document["components"]["schemas"][name],
            value,
            &format!("{at}<{name}>"),
        );
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for value in values {
            check(document, items, value, &format!("{at}[]"));
        }
    }
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for (name, value) in fields {
        let property = properties
            .get(name)
            .unwrap_or_else(|| panic!("{at}/{name} is not described"));
        check(document, property, value, &format!("{at}/{name}"));
    }
    for (name, property) in properties {
        let may_lack = property["writeOnly"] == true || ["companyId", "trade", "warnings"].contains(&name.as_str());
        assert!(
            fields.contains_key(name) || may_lack,
            "{at}/{name} is described and not written"
        );
    }
}

#[tokio::test]
async fn what_the_server_writes_is_what_the_document_describes() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let template = app.template(&["hours"]).await;
    let company = json!({ "name": "Acme", "phone": "+15551234567", "holidays": [{ "date": "2026-12-25", "hours": "closed" }],
        "twilio": { "sharedKeys": [{ "id": "k", "secret": "s" }] }, "aiAgentSettings": { "templateReferences": [template] },
        "transfer": { "destinations": [{ "name": "Desk", "number": "+15551234569" }] } });
    let made = app.post("/api/v1/companies", company).await;
    let path = made.header("location").unwrap().to_owned();
    let shows = |schema: &str, value: &Value| {
        let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
        check(&document, &reference, value, "");
    };
    let is = |schema: &str, reply: &Reply| {
        assert!(reply.status < 300 || reply.status == 422, "{}", reply.text());
        shows(schema, &reply.json());
    };
    is("Company", &made);
    is("CompanyList", &app.get("/api/v1/companies").await);
    is("Template", &app.get(&format!("/api/v1/templates/{template}")).await);
    is("TemplateList", &app.get("/api/v1/templates").await);
    is(
        "Qna",
        &app.post(&format!("{path}/qna"), json!({ "question": "q", "answer": "a" }))
            .await,
    );
    is(
        "Qna",
        &app.post("/api/v1/trades/x/qna", json!({ "question": "q", "answer": "a" }))
            .await,
    );
    is("QnaList", &app.get(&format!("{path}/qna")).await);
    is("Overlay", &app.get(&format!("{path}/overlay")).await);
    is("Overlay", &app.put(&format!("{path}/overlay"), json!({})).await);
    is("SafetyRules", &app.get("/api/v1/safety").await);
    is("Prompts", &app.get("/api/v1/prompts/en-US").await);
    is("Readiness", &app.get("/readyz").await);
    is(
        "Problem",
        &app.post("/api/v1/companies", json!({ "gretting": 1 })).await,
    );
    is(
        "ImportReport",
        &app.import(r#"{"name": "B", "phone": "+15551234570", "gretting": 1}"#)
            .await,
    );
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    crate::calls::seed(&app, id).await;
    is("CallList", &app.get(&format!("{path}/calls")).await);
    is("MessageList", &app.get(&format!("{path}/messages")).await);
    crate::notifications::raise(
        &app,
        "65f123456789abcdef012345",
        frontdesk_domain::alert::AlertCode::LlmDown,
        1,
    )
    .await;
    let decision = app.route(&path, json!({ "utterance": "hours please" })).await;
    shows("Decision", &decision);
    is("NotificationList", &app.get("/api/v1/notifications").await);
    crate::budget::hold(&app, &path).await;
    is("Budget", &app.get(&format!("{path}/budget")).await);
    is("LedgerEntryList", &app.get(&format!("{path}/ledger")).await);
    is("Health", &app.get("/api/v1/health").await);
    is("HealthHistory", &app.get("/api/v1/health/history").await);
    is("LlmHealth", &app.get("/api/v1/llm/health").await);
    is("LlmTrial", &app.post("/api/v1/llm/test-connection", json!({})).await);
}
