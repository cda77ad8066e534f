//! The `OpenAPI` 3.1 document.
//!
//! Operations come from the handlers' annotations, so none can be forgotten; what is the same for all (security,
//! parameters of paths, refusals) is added here. Schemas, and the voice routes, which speak forms and `TwiML`, stand in
//! `data/openapi.json`; tests compare the schemas with documents that the server writes.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Schemas and voice routes.
const WRITTEN: &str = include_str!("../data/openapi.json");

/// Lists of these are answered too.
const LISTED: [&str; 9] = [
    "Company",
    "Template",
    "Qna",
    "Call",
    "Message",
    "LedgerEntry",
    "Notification",
    "Contact",
    "Delivery",
];

/// Operations that need no token.
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];

/// The schemas that annotations name; what they look like stands in `data/openapi.json`.
pub(crate) mod schema {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{ObjectBuilder, RefOr, schema::Schema},
    };

    macro_rules! written_schemas {
        ($($name:ident)*) => {
            /// Their names.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

            $(
                pub(crate) struct $name;

                impl PartialSchema for $name {
                    fn schema() -> RefOr<Schema> {
                        ObjectBuilder::new().into()
                    }
                }

                impl ToSchema for $name {}
            )*
        };
    }

    written_schemas! {
        Budget Call CallList Company CompanyList Contact ContactList ContactTrial Decision Delivery DeliveryList Health HealthHistory ImportReport LedgerEntryList LlmHealth LlmTrial Message
        MessageChange MessageList Notification NotificationList Overlay Problem Prompts Qna QnaList Readiness RouteRequest SafetyRules Snooze Template TemplateList
    }
}

/// Completes what the annotations gave.
///
/// # Errors
/// Never in a build whose tests passed: both halves are constant.
pub(crate) fn document(annotated: &OpenApi) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(annotated)?;
    let written: Value = serde_json::from_str(WRITTEN)?;
    // The annotations bring the name of their library's author.
    if let Some(info) = document.get_mut("info") {
        *info = Value::Null;
    }
    merge(&mut document, &written);
    if let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        for name in LISTED {
            schemas.insert(format!("{name}List"), list_of(name));
        }
    }
    let paths = document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete(path, method, operation);
            }
        }
    }
    Ok(document)
}

/// Puts `part` over `target`, object by object.
fn merge(target: &mut Value, part: &Value) {
    match (target, part) {
        (Value::Object(target), Value::Object(part)) => {
            for (name, value) in part {
                // A written schema replaces its placeholder as a whole.
                let is_placeholder = target.get(name) == Some(&json!({ "type": "object" }));
                match target.get_mut(name) {
                    Some(inner) if !is_placeholder => merge(inner, value),
                    _ => _ = target.insert(name.clone(), value.clone()),
                }
            }
        }
        (target, part) => *target = part.clone(),
    }
}

fn list_of(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "nextCursor"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } },
            "nextCursor": {
                "type": ["string", "null"],
                "description": "Send it as `?cursor=` to get the next page; null on the last one."
            }
        }
    })
}

/// Adds what every operation of its kind has.
fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let is_admin = path.starts_with("/api/v1/") || path == "/metrics";
    let has_body = operation.contains_key("requestBody");
    let changes_document = operation
        .get("responses")
        .is_some_and(|responses| responses.get("412").is_some());
    let reads_document = operation
        .get("responses")
        .is_some_and(|responses| responses.get("304").is_some());
    let mut parameters: Vec<Value> = path_parameters(path).collect();
    let given = operation.get("parameters").and_then(Value::as_array);
    parameters.extend(given.into_iter().flatten().map(|parameter| described(path, parameter)));
    let takes_query = parameters.iter().any(|parameter| parameter["in"] == "query");
    if changes_document {
        parameters.push(header(
            "If-Match",
            "Change this revision only: an ETag that was read before, such as \"3\".",
        ));
    }
    if reads_document {
        parameters.push(header(
            "If-None-Match",
            "Answer 304 if this is the revision: an ETag that was read before.",
        ));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        describe_response(status, response);
    }
    if !is_admin {
        if PUBLIC.contains(&path) {
            operation.insert("security".into(), json!([]));
        }
        return;
    }
    let mut refusals = vec!["401"];
    if path.contains('{') {
        refusals.push("404");
    }
    if has_body {
        refusals.extend(["400", "413", "415", "422"]);
    } else if takes_query {
        refusals.push("422");
    }
    if path != "/metrics" {
        refusals.push("503");
    }
    for status in refusals {
        responses.entry(status).or_insert_with(|| problem(status));
    }
    responses.sort_keys();
    if method == "delete" {
        operation.remove("requestBody");
    }
    operation.insert("security".into(), json!([{ "operator": [] }]));
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        let description = match name {
            "companyId" => "A company's `_id`, of 24 hexadecimal digits.",
            "templateId" => "A template's `_id`, of 24 hexadecimal digits.",
            "qnaId" => "A Q&A's `id`.",
            "trade" => "The name of a trade, compared without regard to case.",
            "language" => "A language such as en-US (BCP 47).",
            "callId" => "Twilio's CallSid.",
            "alertCode" => "An alert code, such as PRODUCTION_AI_LLM_DOWN.",
            _ => "An id, of 24 hexadecimal digits.",
        };
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
    })
}

/// A query parameter with what is the same wherever it is taken.
fn described(path: &str, parameter: &Value) -> Value {
    let mut described = parameter.clone();
    let name = parameter["name"].as_str().unwrap_or_default();
    let (description, schema) = match name {
        "state" if path == "/api/v1/notifications" => (
            "Only those of this state.",
            json!({ "enum": ["open", "acknowledged", "resolved"] }),
        ),
        "from" if path == "/api/v1/notifications" => (
            "The newest alert came at or after: a time (RFC 3339), or a date in UTC.",
            json!({ "type": "string" }),
        ),
        "to" if path == "/api/v1/notifications" => (
            "The first alert came before: a time (RFC 3339), or a date in UTC, which is included.",
            json!({ "type": "string" }),
        ),
        "state" if path == "/api/v1/outbox" => (
            "Only those of this state.",
            json!({ "enum": ["pending", "sent", "dead"] }),
        ),
        "code" => ("Only those of this alert code.", json!({ "type": "string" })),
        "severity" => (
            "Only those of this severity.",
            json!({ "enum": ["INFO", "WARNING", "CRITICAL"] }),
        ),
        "companyId" => ("Only those about this company.", json!({ "type": "string" })),
        "contactId" => ("Only those to this contact.", json!({ "type": "string" })),
        "limit" => (
            "At most so many items.",
            json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }),
        ),
        "cursor" => ("The `nextCursor` of the page before.", json!({ "type": "string" })),
        "from" => (
            "Began at or after: a time (RFC 3339), or a date in the company's zone.",
            json!({ "type": "string" }),
        ),
        "to" => (
            "Began before: a time (RFC 3339), or a date, which is included.",
            json!({ "type": "string" }),
        ),
        "caller" => (
            "The caller's number as Twilio names it; write its plus as %2B.",
            json!({ "type": "string" }),
        ),
        "outcome" => (
            "How the call ended.",
            json!({ "enum": ["greeted", "answered", "fallback", "transfer", "message", "hangup"] }),
        ),
        "q" => (
            "A part of what was said, without regard to case.",
            json!({ "type": "string", "maxLength": 200 }),
        ),
        "check" => ("The name of a check, such as store.", json!({ "type": "string" })),
        "state" => ("Only those of this state.", json!({ "enum": ["new", "done"] })),
        "kind" => ("Only those of this kind.", json!({ "enum": ["message", "callback"] })),
        _ => return described,
    };
    if let Some(described) = described.as_object_mut() {
        described.insert("description".into(), description.into());
        described.insert("schema".into(), schema);
    }
    described
}

fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": description, "schema": { "type": "string" } })
}

fn problem(status: &str) -> Value {
    json!({
        "description": meaning(status),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    })
}

/// Says what a status means, and gives errors their content type.
fn describe_response(status: &str, response: &mut Value) {
    let schema = response
        .pointer("/content/application~1json/schema/$ref")
        .and_then(Value::as_str);
    if schema == Some("#/components/schemas/Problem") {
        *response = problem(status);
    }
    if let Some(response) = response.as_object_mut() {
        let given = response.get("description").and_then(Value::as_str);
        if given.is_none_or(str::is_empty) {
            response.insert("description".into(), meaning(status).into());
        }
    }
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "Done.",
        "201" => "Made; Location names its place.",
        "204" => "Deleted.",
        "304" => "The client has this revision.",
        "400" => "The body cannot be parsed.",
        "401" => "No token, or a wrong one.",
        "403" => "The request cannot be verified.",
        "404" => "There is no such thing, or not here.",
        "409" => "The id or number is taken, or the document is in use.",
        "412" => "The document has another revision than If-Match names.",
        "413" => "The body is too large.",
        "415" => "The body has another content type.",
        "422" => "A value is not valid, or refers to something that does not exist.",
        "429" => "Too many do this at once.",
        "503" => "The store does not answer, or the process is not ready.",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
