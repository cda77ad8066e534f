//! Reads a request for a chat completion.

use serde_json::Value;
use thiserror::Error;

use crate::schema;

/// A chat completion that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) model: String,
    messages: Vec<Message>,
    /// The most tokens of the answer, if that was said.
    pub(crate) max_tokens: Option<u64>,
    pub(crate) format: Format,
    /// Length of the request's body.
    pub(crate) body_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    role: String,
    text: String,
}

/// What the answer is to look like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    Text,
    AnyObject,
    Schema(Value),
}

/// A request that `OpenAI` would refuse, with its message for the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct BadRequest {
    pub(crate) message: String,
    pub(crate) param: Option<&'static str>,
}

fn bad<T>(param: &'static str, message: impl Into<String>) -> Result<T, BadRequest> {
    Err(BadRequest {
        message: message.into(),
        param: Some(param),
    })
}

impl Asked {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BadRequest> {
        let json: Value = serde_json::from_slice(body).map_err(|error| BadRequest {
            message: format!("the body is no JSON: {error}"),
            param: None,
        })?;
        if json.get("stream").is_some_and(|stream| *stream == Value::Bool(true)) {
            return bad("stream", "this double does not stream");
        }
        let Some(model) = json
            .get("model")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        else {
            return bad("model", "you must provide a model parameter");
        };
        Ok(Self {
            model: model.to_owned(),
            messages: messages(&json)?,
            max_tokens: max_tokens(&json)?,
            format: format(&json)?,
            body_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        })
    }

    /// The last message of the user, or nothing.
    pub(crate) fn caller_words(&self) -> &str {
        let last = self.messages.iter().rfind(|message| message.role == "user");
        last.map_or("", |message| message.text.as_str())
    }

    /// The lines of all messages of the system.
    pub(crate) fn system_lines(&self) -> Vec<&str> {
        let of_system = |message: &&Message| matches!(message.role.as_str(), "system" | "developer");
        let texts = self.messages.iter().filter(of_system);
        texts.flat_map(|message| message.text.lines()).collect()
    }

    /// Bytes of all messages' texts.
    pub(crate) fn message_bytes(&self) -> u64 {
        let bytes = self.messages.iter().map(|message| message.text.len()).sum::<usize>();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

fn messages(json: &Value) -> Result<Vec<Message>, BadRequest> {
    let Some(listed) = json
        .get("messages")
        .and_then(Value::as_array)
        .filter(|all| !all.is_empty())
    else {
        return bad("messages", "messages must be a list of at least one message");
    };
    listed.iter().map(message).collect()
}

fn message(json: &Value) -> Result<Message, BadRequest> {
    let role = json.get("role").and_then(Value::as_str).unwrap_or_default();
    if !["system", "developer", "user", "assistant", "tool"].contains(&role) {
        return bad("messages", format!("there is no role `{role}`"));
    }
    let text = match json.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join("\n"),
        Some(Value::Null) if role == "assistant" => String::new(),
        _ => return bad("messages", "a message's content must be a text or a list of parts"),
    };
    Ok(Message {
        role: role.to_owned(),
        text,
    })
}

fn max_tokens(json: &Value) -> Result<Option<u64>, BadRequest> {
    for name in ["max_completion_tokens", "max_tokens"] {
        let Some(value) = json.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        return match value.as_u64() {
            Some(tokens) if tokens > 0 => Ok(Some(tokens)),
            _ => bad(name, format!("{name} must be a whole number above 0")),
        };
    }
    Ok(None)
}

fn format(json: &Value) -> Result<Format, BadRequest> {
    const PARAM: &str = "response_format";
    let Some(wanted) = json.get(PARAM).filter(|wanted| !wanted.is_null()) else {
        return Ok(Format::Text);
    };
    match wanted.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::AnyObject),
        Some("json_schema") => {
            let Some(named) = wanted.get("json_schema") else {
                return bad(PARAM, "response_format.json_schema is missing");
            };
            match schema::read(named) {
                Ok(schema) => Ok(Format::Schema(schema)),
                Err(message) => bad(PARAM, message),
            }
        }
        _ => bad(PARAM, "response_format.type must be text, json_object or json_schema"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_user_message_is_the_caller_and_parts_are_read() {
        let body = br#"{"model":"m","max_tokens":9,"max_completion_tokens":7,"messages":[
            {"role":"system","content":"a\nb"},{"role":"user","content":"first"},
            {"role":"user","content":[{"type":"text","text":"last"}]},{"role":"assistant","content":null}]}"#;
        let asked = Asked::read(body).unwrap();
        assert_eq!(asked.caller_words(), "last");
        assert_eq!(asked.system_lines(), ["a", "b"]);
        assert_eq!((asked.max_tokens, asked.message_bytes()), (Some(7), 12));
        assert_eq!(asked.format, Format::Text);
    }

    #[test]
    fn what_openai_refuses_is_refused_with_its_parameter() {
        let check = |body: &str, param| {
            let refused = Asked::read(body.as_bytes()).unwrap_err();
            assert_eq!(refused.param, param, "{body}: {refused}");
        };
        let user = r#""messages":[{"role":"user","content":"a"}]"#;
        check("{", None);
        check(&format!("{{{user}}}"), Some("model"));
        check(r#"{"model":"m"}"#, Some("messages"));
        check(r#"{"model":"m","messages":[]}"#, Some("messages"));
        check(
            r#"{"model":"m","messages":[{"role":"caller","content":"a"}]}"#,
            Some("messages"),
        );
        check(r#"{"model":"m","messages":[{"role":"user"}]}"#, Some("messages"));
        check(&format!(r#"{{"model":"m",{user},"stream":true}}"#), Some("stream"));
        check(&format!(r#"{{"model":"m",{user},"max_tokens":0}}"#), Some("max_tokens"));
        check(
            &format!(r#"{{"model":"m",{user},"response_format":{{"type":"xml"}}}}"#),
            Some("response_format"),
        );
        check(
            &format!(r#"{{"model":"m",{user},"response_format":{{"type":"json_schema"}}}}"#),
            Some("response_format"),
        );
    }
}
