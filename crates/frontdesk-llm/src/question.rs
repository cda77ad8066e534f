//! Builds the request that asks the model to choose among a company's own answers.
//!
//! What is the same for all turns of a company comes first (instructions, business, entries by key), so that the provider's
//! prompt cache can serve it. The caller's words come last, as data: a JSON string in the user message, never in the system's.

mod line;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

/// What the model is told to do.
const INSTRUCTIONS: &str = include_str!("../data/instructions.txt");

/// The most tokens that an answer may have, reasoning included. A choice needs about 40.
pub const MAX_TOKENS: u64 = 160;

/// What the model says when it chooses none of the entries.
pub const NONE: &str = "none";

/// What kind of entry is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferedKind {
    /// A scenario of a template.
    Scenario,
    /// A question of the company's or its trade's.
    Question,
    /// A category of danger.
    Danger,
}

impl OfferedKind {
    /// Its name in the prompt.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Question => "question",
            Self::Danger => "danger",
        }
    }
}

/// One entry that the model may choose. Longer texts than it gets are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered<'a> {
    /// What the model answers to choose it; not `none`. Short keys cost less.
    pub key: &'a str,
    /// What kind of entry it is.
    pub kind: OfferedKind,
    /// Its name.
    pub name: &'a str,
    /// What callers say to get it: triggers or questions, the best first. Six are sent, each up to 80 characters.
    pub says: Vec<&'a str>,
    /// What its reply says; up to 160 characters are sent.
    pub gist: &'a str,
}

/// What the model is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// The company's name.
    pub business: &'a str,
    /// Its trades, in its own order.
    pub trades: &'a [&'a str],
    /// The entries to choose from, in any order. Of two with the same key the first is sent.
    pub offered: &'a [Offered<'a>],
    /// What the caller said, redacted.
    pub utterance: &'a str,
}

/// How the limit of an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitField {
    /// As `max_completion_tokens` alone: api.openai.com refuses the older name for its newer models. Such requests also say
    /// `store: false`, which only that server knows.
    MaxCompletionTokens,
    /// Under both names: any other server, which knows at least one of them.
    Both,
}

/// How a request is written for a model and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// The model.
    pub model: String,
    /// How much it may think, such as `none`. `None` leaves it out, for servers that do not know the field.
    pub reasoning_effort: Option<String>,
    /// How the limit is written.
    pub limit: LimitField,
}

impl Style {
    /// How to ask this model at that endpoint, without reasoning: a caller is waiting.
    #[must_use]
    pub fn new(model: impl Into<String>, endpoint: &crate::endpoint::Endpoint) -> Self {
        Self {
            model: model.into(),
            reasoning_effort: Some("none".to_owned()),
            limit: if endpoint.is_openai() {
                LimitField::MaxCompletionTokens
            } else {
                LimitField::Both
            },
        }
    }
}

/// A request for one token, with no caller's words: whether the model answers at all.
#[must_use]
pub fn probe(style: &Style) -> Request {
    let message = Message {
        role: "user",
        content: "Reply with: ok".to_owned(),
    };
    written(style, vec![message], 1, None)
}

/// A request, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The JSON body.
    pub body: Bytes,
    /// The most tokens that its answer can have.
    pub max_tokens: u64,
}

impl Request {
    /// The most tokens that its prompt can have: its bytes.
    ///
    /// No tokenizer makes more tokens than there are bytes, and none of the priced models' is published. What a server adds
    /// around the messages is less than the JSON around them.
    #[must_use]
    pub const fn prompt_bound(&self) -> u64 {
        self.body.len() as u64
    }
}

/// Without the body: it holds the caller's words.
impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Request")
            .field("bytes", &self.body.len())
            .field("max_tokens", &self.max_tokens)
            .finish()
    }
}

/// The body on the wire. What is the same for all turns of a company comes first.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    max_completion_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

/// Writes the request for a question.
#[must_use]
pub fn request(style: &Style, question: &Question<'_>) -> Request {
    let offered = in_order(question.offered);
    let messages = vec![
        Message {
            role: "system",
            content: system(question, &offered),
        },
        Message {
            role: "user",
            content: user(question.utterance),
        },
    ];
    written(style, messages, MAX_TOKENS, Some(response_format(&offered)))
}

fn written(style: &Style, messages: Vec<Message>, max_tokens: u64, response_format: Option<Value>) -> Request {
    let is_openai = style.limit == LimitField::MaxCompletionTokens;
    let effort = style.reasoning_effort.as_deref();
    let body = Body {
        model: &style.model,
        reasoning_effort: effort,
        // GPT-6 refuses a temperature while it reasons.
        temperature: (effort == Some("none")).then_some(0),
        max_completion_tokens: max_tokens,
        max_tokens: (!is_openai).then_some(max_tokens),
        stream: false,
        store: is_openai.then_some(false),
        response_format,
        messages,
    };
    Request {
        // Strings and numbers can always be written as JSON. An empty body would be refused by the server, unbilled.
        body: serde_json::to_vec(&body).unwrap_or_default().into(),
        max_tokens,
    }
}

/// The entries by key, each key once; `none` is taken.
fn in_order<'a>(offered: &'a [Offered<'a>]) -> Vec<&'a Offered<'a>> {
    let mut sorted: Vec<_> = offered.iter().filter(|offered| offered.key != NONE).collect();
    sorted.sort_by_key(|offered| offered.key);
    sorted.dedup_by_key(|offered| offered.key);
    sorted
}

fn system(question: &Question<'_>, offered: &[&Offered<'_>]) -> String {
    let mut text = String::with_capacity(INSTRUCTIONS.len() + 320 * (offered.len() + 1));
    text += INSTRUCTIONS;
    text += "\nBusiness: ";
    line::put_flat(&mut text, question.business, usize::MAX);
    for (number, trade) in question.trades.iter().enumerate() {
        text += if number == 0 { " (" } else { ", " };
        line::put_flat(&mut text, trade, usize::MAX);
    }
    if !question.trades.is_empty() {
        text += ")";
    }
    text += "\nEntries:\n";
    for offered in offered {
        line::put_entry(&mut text, offered);
        text += "\n";
    }
    text
}

/// The caller's words in a short frame. As a JSON string they cannot end the frame.
fn user(utterance: &str) -> String {
    format!("The caller's words: {}", Value::from(utterance))
}

/// The schema that the answer must have. Servers that do not know it ignore it; `verdict` holds the answer to it.
fn response_format(offered: &[&Offered<'_>]) -> Value {
    let choices: Vec<&str> = offered.iter().map(|offered| offered.key).chain([NONE]).collect();
    json!({
        "type": "json_schema",
        "json_schema": {
            "name": "choice",
            "strict": true,
            "schema": {
                "type": "object",
                "properties": {
                    "choice": { "type": "string", "enum": choices },
                    "outOfScope": { "type": "boolean" },
                    "confidence": { "type": "number" },
                },
                "required": ["choice", "outOfScope", "confidence"],
                "additionalProperties": false,
            },
        },
    })
}
