//! Schemas of answers: which of them `OpenAI` takes, and a value of each.

use serde_json::{Map, Value, json};

/// Reads `response_format.json_schema` as `OpenAI`'s guide to structured outputs demands it: a name of 1 to 64 letters,
/// digits, `_` or `-`; if `strict`, no object that allows or leaves out anything.
pub(crate) fn read(named: &Value) -> Result<Value, String> {
    let name = named.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err("json_schema.name must be 1 to 64 letters, digits, underscores or dashes".to_owned());
    }
    let Some(schema) = named.get("schema").filter(|schema| schema.is_object()) else {
        return Err("json_schema.schema must be an object".to_owned());
    };
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("json_schema.schema must be of type object".to_owned());
    }
    if named.get("strict") == Some(&Value::Bool(true)) {
        hold_strict(schema)?;
    }
    Ok(schema.clone())
}

fn hold_strict(schema: &Value) -> Result<(), String> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err("a strict schema needs `additionalProperties: false` in every object".to_owned());
        }
        let required = schema.get("required").and_then(Value::as_array);
        for (name, property) in properties {
            let is_required = required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
            if !is_required {
                return Err(format!(
                    "a strict schema must require every property, and `{name}` is not"
                ));
            }
            hold_strict(property)?;
        }
    }
    schema.get("items").map_or(Ok(()), hold_strict)
}

/// The texts that the property `choice` may have, in their order.
pub(crate) fn offered(schema: &Value) -> Vec<&str> {
    let listed = schema.pointer("/properties/choice/enum").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A value of the schema; properties of the top that are among `known` have that value.
pub(crate) fn fill(schema: &Value, known: &Map<String, Value>) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    let filled = properties.iter().map(|(name, property)| {
        let value = known.get(name).cloned().unwrap_or_else(|| any_of(property));
        (name.clone(), value)
    });
    Value::Object(filled.collect())
}

/// The plainest value of a schema.
fn any_of(schema: &Value) -> Value {
    if let Some(first) = schema.pointer("/enum/0").or_else(|| schema.get("const")) {
        return first.clone();
    }
    let name = match schema.get("type") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        Some(name) => name.as_str(),
        None => None,
    };
    match name {
        Some("object") => fill(schema, &Map::new()),
        Some("array") => json!([]),
        Some("string") => json!(""),
        Some("boolean") => json!(false),
        Some("number" | "integer") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice() -> Value {
        json!({
            "type": "object", "additionalProperties": false, "required": ["choice", "more"],
            "properties": {
                "choice": {"type": "string", "enum": ["a", "none"]},
                "more": {"type": "object", "additionalProperties": false, "required": ["n", "t", "l", "b", "z"],
                    "properties": {
                        "n": {"type": "integer", "minimum": 3}, "t": {"type": ["string", "null"]},
                        "l": {"type": "array", "items": {"type": "string"}}, "b": {"type": "boolean"}, "z": {"const": 1}}}}
        })
    }

    #[test]
    fn known_properties_have_their_value_and_others_the_plainest() {
        let known = json!({"choice": "none", "stranger": 1});
        let filled = fill(&choice(), known.as_object().unwrap());
        let more = json!({"n": 3, "t": "", "l": [], "b": false, "z": 1});
        assert_eq!(filled, json!({"choice": "none", "more": more}));
        assert_eq!(offered(&choice()), ["a", "none"]);
    }

    #[test]
    fn a_strict_schema_leaves_nothing_open() {
        let strict = |schema: Value| read(&json!({"name": "a", "strict": true, "schema": schema}));
        assert_eq!(strict(choice()), Ok(choice()));
        let mut open = choice();
        open["properties"]["more"]["additionalProperties"] = json!(true);
        assert!(strict(open.clone()).unwrap_err().contains("additionalProperties"));
        assert_eq!(read(&json!({"name": "a", "schema": open.clone()})), Ok(open));
        let mut optional = choice();
        optional["required"] = json!(["more"]);
        assert!(strict(optional).unwrap_err().contains("`choice`"));
        assert!(strict(json!({"type": "array"})).is_err());
        assert!(read(&json!({"name": "a b", "schema": choice()})).is_err());
        assert!(read(&json!({"name": "a"})).is_err());
    }
}
