//! Reads the body of a chat completion, as leniently as servers differ.

use frontdesk_domain::ledger::Usage;
use serde_json::{Number, Value};

/// A model's name has at most so many characters here.
const MODEL_LENGTH: usize = 128;

/// What a server answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Completion {
    /// What the model wrote. `None` when there is nothing or only blanks.
    pub content: Option<String>,
    /// Why it refused, if it did.
    pub refusal: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// What was billed. `None` when the tokens of prompt and answer are not both known.
    pub usage: Option<Usage>,
    /// The model that answered, by its provider's word; printable ASCII, at most 128 characters.
    pub model: Option<String>,
}

/// Without the texts: a model may repeat what a caller said.
impl std::fmt::Debug for Completion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = |text: &Option<String>| text.as_ref().map(String::len);
        formatter
            .debug_struct("Completion")
            .field("content_bytes", &bytes(&self.content))
            .field("refusal_bytes", &bytes(&self.refusal))
            .field("finish", &self.finish)
            .field("usage", &self.usage)
            .field("model", &self.model)
            .finish()
    }
}

/// Why a model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It had said all.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// A filter of the provider's cut it.
    ContentFilter,
    /// Another reason, or one that we do not know.
    Other,
    /// The server did not say.
    Absent,
}

/// A body that is no completion: no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct NotACompletion;

impl Completion {
    /// Reads the body of a response. Of several choices the first counts; what is missing is `None`.
    ///
    /// # Errors
    /// The body is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, NotACompletion> {
        let body: Value = serde_json::from_slice(body).map_err(|_| NotACompletion)?;
        if !body.is_object() {
            return Err(NotACompletion);
        }
        let choice = body.pointer("/choices/0").unwrap_or(&Value::Null);
        let message = choice.get("message").unwrap_or(&Value::Null);
        Ok(Self {
            content: message.get("content").and_then(text),
            refusal: message.get("refusal").and_then(text),
            finish: finish(choice.get("finish_reason")),
            usage: body.get("usage").and_then(usage),
            model: body.get("model").and_then(Value::as_str).and_then(model),
        })
    }
}

/// A string, or the text of an array of parts; `None` when nothing is left.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

fn finish(reason: Option<&Value>) -> Finish {
    match reason {
        None | Some(Value::Null) => Finish::Absent,
        Some(reason) => match reason.as_str() {
            Some("stop") => Finish::Stop,
            Some("length") => Finish::Length,
            Some("content_filter") => Finish::ContentFilter,
            _ => Finish::Other,
        },
    }
}

fn model(name: &str) -> Option<String> {
    let printable = name.chars().filter(char::is_ascii_graphic);
    let name: String = printable.take(MODEL_LENGTH).collect();
    (!name.is_empty()).then_some(name)
}

/// The tokens that were billed. One that is missing is what the others leave of the total.
fn usage(usage: &Value) -> Option<Usage> {
    let count = |path: &str| usage.pointer(path).and_then(tokens);
    let total = count("/total_tokens");
    let (prompt, completion) = match (count("/prompt_tokens"), count("/completion_tokens")) {
        (Some(prompt), Some(completion)) => (prompt, completion),
        (Some(prompt), None) => (prompt, total?.saturating_sub(prompt)),
        (None, Some(completion)) => (total?.saturating_sub(completion), completion),
        (None, None) => return None,
    };
    Some(Usage {
        prompt,
        cached: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
        cache_write: count("/prompt_tokens_details/cache_write_tokens").unwrap_or(0),
        // Some servers count reasoning in the total alone; it is billed as the rest of the answer is.
        completion: completion.max(total.unwrap_or(0).saturating_sub(prompt)),
    })
}

/// A count of tokens: a fraction is rounded up, what 64 bits do not hold is their largest number. Less than none is no count:
/// what was used is not known then.
fn tokens(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    number.as_u64().or_else(|| rounded(number))
}

fn rounded(number: &Number) -> Option<u64> {
    let number: f64 = number.to_string().parse().ok()?;
    if number < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, which is what is wanted"
    )]
    let whole = number.ceil() as u64;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Completion {
        Completion::parse(body.to_string().as_bytes()).unwrap()
    }

    /// Prompt, cached, cache write and completion.
    fn check(usage: &str, expected: Option<[u64; 4]>) {
        let body = format!(r#"{{"usage":{usage}}}"#);
        let usage = Completion::parse(body.as_bytes()).unwrap().usage;
        let counts = usage.map(|usage| [usage.prompt, usage.cached, usage.cache_write, usage.completion]);
        assert_eq!(counts, expected, "{body}");
    }

    #[test]
    fn a_whole_completion_is_read() {
        let completion = parse(&json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-6-luna-2026-10-01",
            "choices": [{ "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": { "role": "assistant", "content": "{}", "refusal": null } }],
            "usage": { "prompt_tokens": 1500, "completion_tokens": 60, "total_tokens": 1560,
                "prompt_tokens_details": { "cached_tokens": 1200, "cache_write_tokens": 100, "audio_tokens": 0 },
                "completion_tokens_details": { "reasoning_tokens": 20 } },
        }));
        let expected = Completion {
            content: Some("{}".to_owned()),
            refusal: None,
            finish: Finish::Stop,
            usage: Some(Usage {
                prompt: 1_500,
                cached: 1_200,
                cache_write: 100,
                completion: 60,
            }),
            model: Some("gpt-6-luna-2026-10-01".to_owned()),
        };
        assert_eq!(completion, expected);
    }

    #[test]
    fn what_is_missing_is_none() {
        for body in [
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"message":7}],"usage":[],"model":5}"#,
        ] {
            let completion = Completion::parse(body.as_bytes()).unwrap();
            let expected = Completion {
                content: None,
                refusal: None,
                finish: Finish::Absent,
                usage: None,
                model: None,
            };
            assert_eq!(completion, expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_completion() {
        for body in ["", "[]", "null", "{\"choices\":", "<html>", "\u{feff}{}"] {
            assert_eq!(Completion::parse(body.as_bytes()), Err(NotACompletion), "{body}");
        }
        assert_eq!(Completion::parse(&[0xff, 0xfe]), Err(NotACompletion));
    }

    #[test]
    fn content_may_come_in_parts_and_blanks_are_nothing() {
        let with = |content: Value| parse(&json!({ "choices": [{ "message": { "content": content } }] })).content;
        let parts = json!([{ "type": "text", "text": "{\"a\"" }, { "type": "text", "text": ":1}" }, 5]);
        assert_eq!(with(parts).as_deref(), Some("{\"a\":1}"));
        assert_eq!(with(json!(" \n")), None);
        assert_eq!(with(json!([])), None);
        assert_eq!(with(json!({ "text": "x" })), None);
    }

    #[test]
    fn each_reason_to_end_is_known() {
        for (reason, expected) in [
            (json!("stop"), Finish::Stop),
            (json!("length"), Finish::Length),
            (json!("content_filter"), Finish::ContentFilter),
            (json!("tool_calls"), Finish::Other),
            (json!(3), Finish::Other),
            (json!(null), Finish::Absent),
        ] {
            let completion = parse(&json!({ "choices": [{ "finish_reason": reason }] }));
            assert_eq!(completion.finish, expected);
        }
    }

    #[test]
    fn usage_needs_no_details() {
        check(r#"{"prompt_tokens":5,"completion_tokens":7}"#, Some([5, 0, 0, 7]));
        check(
            r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":null,"total_tokens":null}"#,
            Some([5, 0, 0, 7]),
        );
        check(
            r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":[1]}"#,
            Some([5, 0, 0, 7]),
        );
    }

    #[test]
    fn a_missing_count_is_what_the_total_leaves_or_nothing_is_known() {
        check(r#"{"prompt_tokens":5,"total_tokens":12}"#, Some([5, 0, 0, 7]));
        check(r#"{"completion_tokens":7,"total_tokens":12}"#, Some([5, 0, 0, 7]));
        check(r#"{"prompt_tokens":5}"#, None);
        check(r#"{"completion_tokens":7}"#, None);
        check(r#"{"total_tokens":12}"#, None);
        check(r#"{"prompt_tokens":"5","completion_tokens":"7"}"#, None);
        check("null", None);
    }

    #[test]
    fn reasoning_that_only_the_total_counts_is_part_of_the_answer() {
        check(
            r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":30}"#,
            Some([5, 0, 0, 25]),
        );
        check(
            r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":3}"#,
            Some([5, 0, 0, 7]),
        );
    }

    #[test]
    fn absurd_counts_are_read_as_they_are() {
        check(
            r#"{"prompt_tokens":10000000000000,"completion_tokens":-5,"total_tokens":10000000000000}"#,
            Some([10_000_000_000_000, 0, 0, 0]),
        );
        check(
            r#"{"prompt_tokens":1e30,"completion_tokens":2.1}"#,
            Some([u64::MAX, 0, 0, 3]),
        );
        check(
            r#"{"prompt_tokens":99999999999999999999,"completion_tokens":1e999}"#,
            Some([u64::MAX, 0, 0, u64::MAX]),
        );
        check(r#"{"prompt_tokens":-0.5,"completion_tokens":-1e999}"#, None);
        check(r#"{"prompt_tokens":-100,"completion_tokens":-10}"#, None);
        check(r#"{"prompt_tokens":100,"completion_tokens":-10}"#, None);
    }

    #[test]
    fn a_models_name_is_short_and_printable() {
        let name = |name: &str| parse(&json!({ "model": name })).model;
        assert_eq!(name("gpt\n-6 \u{1f600}").as_deref(), Some("gpt-6"));
        assert_eq!(name(&"x".repeat(500)).map(|name| name.len()), Some(128));
        assert_eq!(name("\n"), None);
    }

    #[test]
    fn the_debug_form_has_no_words_of_the_models() {
        let completion = parse(&json!({ "choices": [{ "message": { "content": "walrus", "refusal": "walrus" } }] }));
        assert!(!format!("{completion:?}").contains("walrus"));
    }
}
