//! What the double says in each mode, as `OpenAI` writes it.

use std::hash::{DefaultHasher, Hasher as _};

use serde_json::{Map, Value, json};

use crate::{
    bill::{self, Spoken, Usage},
    choice::{self, Verdict},
    request::{Asked, BadRequest, Format},
    schema,
    script::{Mode, Script},
};

/// When every answer was made: 1 January 2026. The same request gets the same bytes.
const CREATED: u64 = 1_767_225_600;

/// Models that are listed. Others are answered as well.
const MODELS: [&str; 4] = ["gpt-6-luna", "gpt-6.1-terra", "gpt-6-sol", "frontdesk-double"];

const THOUGHT: &str =
    "<think>\nThe caller's words have to be held against what is offered, {\"one\": 1} by one.\n</think>\n\n";

/// The answer to a chat completion and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) json: Value,
    /// Pico-USD.
    pub(crate) cost: i64,
}

/// Answers a request by the script.
pub(crate) fn answer(asked: &Asked, body: &[u8], script: &Script) -> Answer {
    let message = Message::of(asked, script.mode);
    let usage = Usage::of(asked, message.spoken(), script);
    let choices = if script.mode == Mode::EmptyChoices {
        json!([])
    } else {
        json!([message.json()])
    };
    let mut json = json!({
        "id": format!("chatcmpl-double-{:016x}", hash(body)),
        "object": "chat.completion",
        "created": CREATED,
        "model": asked.model,
        "choices": choices,
        "usage": usage.json(),
        "service_tier": "default",
        "system_fingerprint": null,
    });
    match (script.mode, json.as_object_mut()) {
        (Mode::UsageMissing, Some(fields)) => _ = fields.remove("usage"),
        (Mode::UsageAbsurd, Some(fields)) => _ = fields.insert("usage".to_owned(), bill::absurd()),
        _ => {}
    }
    Answer {
        json,
        cost: usage.cost(script.prices),
    }
}

/// What the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    content: Option<String>,
    refusal: Option<&'static str>,
    finish_reason: &'static str,
    reasoning_bytes: usize,
}

impl Message {
    fn of(asked: &Asked, mode: Mode) -> Self {
        let right = right_content(asked, mode);
        let mut message = Self {
            content: None,
            refusal: None,
            finish_reason: "stop",
            reasoning_bytes: 0,
        };
        message.content = match mode {
            Mode::WrongSchema => Some(json!({"choice": 7, "answers": ["a"], "confidence": "high"}).to_string()),
            Mode::FreeText => Some(free_text(asked)),
            Mode::Fenced => Some(format!("Here it is:\n\n```json\n{right}\n```\n")),
            Mode::Reasoning => {
                message.reasoning_bytes = THOUGHT.len();
                Some(format!("{THOUGHT}{right}"))
            }
            Mode::Truncated => {
                message.finish_reason = "length";
                Some(first_half(&right).to_owned())
            }
            Mode::Refusal => {
                message.refusal = Some("I'm sorry, I can't help with that.");
                None
            }
            _ => Some(right),
        };
        message
    }

    fn spoken(&self) -> Spoken {
        let said = self.content.as_deref().or(self.refusal).unwrap_or_default();
        Spoken {
            bytes: said.len(),
            reasoning_bytes: self.reasoning_bytes,
        }
    }

    fn json(&self) -> Value {
        json!({
            "index": 0,
            "message": {
                "role": "assistant",
                "content": self.content,
                "refusal": self.refusal,
                "annotations": [],
            },
            "logprobs": null,
            "finish_reason": self.finish_reason,
        })
    }
}

fn right_content(asked: &Asked, mode: Mode) -> String {
    match &asked.format {
        Format::Text => "This is the double of a language model; all is well.".to_owned(),
        Format::AnyObject => json!({"text": "This is the double of a language model."}).to_string(),
        Format::Schema(schema) => schema::fill(schema, &properties(asked, schema, mode)).to_string(),
    }
}

fn properties(asked: &Asked, schema: &Value, mode: Mode) -> Map<String, Value> {
    let offered = schema::offered(schema);
    let verdict = match mode {
        Mode::NoChoice => Verdict::none(false),
        Mode::OutOfScope => Verdict::none(true),
        Mode::UnknownId => Verdict {
            choice: unknown(&offered),
            out_of_scope: false,
            confidence: 0.95,
        },
        _ => choice::choose(asked, schema),
    };
    let mut properties = verdict.properties();
    // `none` can only be said where it is offered; else the schema is filled, with no confidence in it.
    if mode != Mode::UnknownId && !offered.contains(&verdict.choice.as_str()) {
        properties.remove("choice");
        properties.insert("confidence".to_owned(), json!(0.0));
    }
    properties
}

/// A key that was not offered.
fn unknown(offered: &[&str]) -> String {
    let mut key = "no-such-answer".to_owned();
    while offered.contains(&key.as_str()) {
        key.push('-');
    }
    key
}

fn free_text(asked: &Asked) -> String {
    let named = match &asked.format {
        Format::Schema(schema) => schema::offered(schema).first().copied().unwrap_or("none"),
        _ => "none",
    };
    format!("I would say that the caller means {named}, but I am not sure.")
}

/// The first half of a text, by bytes, to the last whole letter.
fn first_half(text: &str) -> &str {
    let mut end = text.len() / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

/// The list of models.
pub(crate) fn models() -> Value {
    let models: Vec<Value> = MODELS.iter().map(|name| model(name)).collect();
    json!({"object": "list", "data": models})
}

/// One model; there is none that does not exist.
pub(crate) fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": "frontdesk"})
}

/// An error as `OpenAI` writes it.
pub(crate) fn error(status: u16, code: Option<&str>) -> Value {
    let (kind, usual) = match status {
        401 => ("invalid_request_error", "invalid_api_key"),
        403 => ("invalid_request_error", "unsupported_country_region_territory"),
        404 => ("invalid_request_error", "model_not_found"),
        429 if code == Some("insufficient_quota") => ("insufficient_quota", "insufficient_quota"),
        429 => ("requests", "rate_limit_exceeded"),
        503 => ("server_error", "server_is_overloaded"),
        500..=599 => ("server_error", "server_error"),
        _ => ("invalid_request_error", "invalid_request_error"),
    };
    let code = code.unwrap_or(usual);
    let message = format!("the double was told to fail with {status} {code}");
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// A refused request as `OpenAI` writes it.
pub(crate) fn bad_request(refused: &BadRequest) -> Value {
    json!({"error": {
        "message": refused.message, "type": "invalid_request_error", "param": refused.param, "code": null,
    }})
}
