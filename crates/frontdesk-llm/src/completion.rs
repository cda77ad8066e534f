//! A chat completion as a provider writes it, read leniently: servers differ in what they leave out.

use frontdesk_domain::ledger::Usage;
use serde_json::Value;

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// Its tokens were used up: what it wrote is cut.
    Length,
    /// Something else.
    Other,
}

/// What a provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What the model wrote.
    pub content: Option<String>,
    /// Whether it refused to answer.
    pub refused: bool,
    /// Why it stopped.
    pub finish: Finish,
    /// What it used; none if the provider does not say.
    pub usage: Option<Usage>,
}

impl Completion {
    /// Reads the body of an answer; `None` if it is no JSON object.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        body.as_object()?;
        let choice = body.pointer("/choices/0").unwrap_or(&Value::Null);
        let message = choice.get("message").unwrap_or(&Value::Null);
        let is_said = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        let finish = match choice.get("finish_reason").and_then(Value::as_str) {
            Some("stop") | None => Finish::Stop,
            Some("length") => Finish::Length,
            Some(_) => Finish::Other,
        };
        Some(Self {
            content: message.get("content").and_then(Value::as_str).map(str::to_owned),
            refused: message.get("refusal").is_some_and(is_said),
            finish,
            usage: body.get("usage").and_then(usage),
        })
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    let tokens = |pointer: &str| usage.pointer(pointer).and_then(tokens);
    let (prompt, completion) = (tokens("/prompt_tokens"), tokens("/completion_tokens"));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    Some(Usage {
        prompt: prompt.unwrap_or_default(),
        cached: tokens("/prompt_tokens_details/cached_tokens").unwrap_or_default(),
        cache_write: tokens("/prompt_tokens_details/cache_write_tokens").unwrap_or_default(),
        completion: completion.unwrap_or_default(),
    })
}

/// A number of tokens; one below nothing is nothing, one beyond all bounds is the bound.
fn tokens(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates: a fraction, a number below nothing or an absurd one is read all the same"
    )]
    number.as_u64().or_else(|| number.as_f64().map(|number| number.ceil() as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Completion {
        Completion::read(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_whole_answer_is_read() {
        let completion = read(&json!({
            "choices": [{ "message": { "role": "assistant", "content": "{}", "refusal": null }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 1500, "completion_tokens": 60, "total_tokens": 1560,
                "prompt_tokens_details": { "cached_tokens": 1200, "cache_write_tokens": 100 },
                "completion_tokens_details": { "reasoning_tokens": 20 } },
        }));
        assert_eq!(completion.content.as_deref(), Some("{}"));
        assert_eq!((completion.refused, completion.finish), (false, Finish::Stop));
        let usage = completion.usage.unwrap();
        assert_eq!((usage.prompt, usage.cached, usage.cache_write, usage.completion), (1500, 1200, 100, 60));
    }

    #[test]
    fn what_servers_leave_out_is_no_failure() {
        let bare = read(&json!({ "choices": [{ "message": { "content": "x" } }] }));
        assert_eq!((bare.usage, bare.finish), (None, Finish::Stop));
        assert_eq!(read(&json!({})).content, None);
        assert_eq!(read(&json!({ "usage": {} })).usage, None);
        assert_eq!(read(&json!({ "usage": { "prompt_tokens": 7 } })).usage.unwrap().prompt, 7);
    }

    #[test]
    fn absurd_numbers_are_read_to_the_payers_safety() {
        let usage = |prompt: Value, completion: Value| {
            let body = json!({ "usage": { "prompt_tokens": prompt, "completion_tokens": completion } });
            let usage = read(&body).usage.unwrap();
            (usage.prompt, usage.completion)
        };
        assert_eq!(usage(json!(10_000_000_000_000_u64), json!(-5)), (10_000_000_000_000, 0));
        assert_eq!(usage(json!(1e300), json!(1.5)), (u64::MAX, 2));
    }

    #[test]
    fn a_refusal_and_a_cut_are_told() {
        let refusal = read(&json!({ "choices": [{ "message": { "content": null, "refusal": "I cannot" } }] }));
        assert!(refusal.refused);
        let cut = read(&json!({ "choices": [{ "message": { "content": "{" }, "finish_reason": "length" }] }));
        assert_eq!(cut.finish, Finish::Length);
    }

    #[test]
    fn what_is_no_json_object_is_no_answer() {
        for body in ["", "[]", "<html>", "{\"choices\": [", "null"] {
            assert_eq!(Completion::read(body.as_bytes()), None, "{body}");
        }
    }
}
