use std::collections::BTreeSet;

use utoipa::OpenApi as _;

use super::*;

fn written() -> Value {
    serde_json::from_str(WRITTEN).unwrap()
}

/// Every `$ref` in a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(name.trim_start_matches("#/components/schemas/").to_owned());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn each_schema_that_an_annotation_names_is_written() {
    let written = written();
    for name in schema::NAMES {
        let is_list = name.strip_suffix("List").is_some_and(|of| LISTED.contains(&of));
        let properties = &written["components"]["schemas"][*name]["properties"];
        assert!(
            is_list || properties.as_object().is_some_and(|properties| !properties.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn each_written_schema_is_named_somewhere() {
    let written = written();
    let mut named: BTreeSet<String> = schema::NAMES.iter().map(ToString::to_string).collect();
    references(&written, &mut named);
    named.extend(LISTED.iter().map(ToString::to_string));
    for name in written["components"]["schemas"].as_object().unwrap().keys() {
        assert!(named.contains(name), "{name}");
    }
}

#[test]
fn each_reference_leads_somewhere() {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(schema::Company, schema::CompanyList)))]
    struct Annotated;

    let document = document(&Annotated::openapi()).unwrap();
    let mut named = BTreeSet::new();
    references(&document, &mut named);
    for name in named {
        assert!(document["components"]["schemas"].get(&name).is_some(), "{name}");
    }
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["schemas"]["Company"]["properties"]["name"]["type"],
        "string"
    );
}

#[test]
fn the_document_says_of_itself_only_what_is_written() {
    let annotated = serde_json::from_value(serde_json::json!({
        "openapi": "3.1.0",
        "info": { "title": "a library", "version": "9", "contact": { "name": "its author" } },
        "paths": {},
    }));
    let document = document(&annotated.unwrap()).unwrap();
    assert_eq!(document["info"], written()["info"]);
}
