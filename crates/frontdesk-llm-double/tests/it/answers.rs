//! What is said in each mode that is answered.

use frontdesk_llm_double::Mode;
use serde_json::{Value, json};

use crate::client::{Got, ask, exchange, question, start};

async fn in_mode(mode: Mode) -> Got {
    let double = start(mode).await;
    let got = ask(&double, "do you have a senior discount").await;
    assert_eq!(got.status(), 200, "{mode:?}");
    double.stop().await;
    got
}

fn right() -> Value {
    json!({"choice": "senior", "outOfScope": false, "confidence": 0.95})
}

#[tokio::test]
async fn the_offered_answer_that_shares_words_is_chosen() {
    let got = in_mode(Mode::Ok).await;
    assert_eq!(got.said(), right());
    let json = got.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "gpt-6-luna");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["choices"][0]["message"]["role"], "assistant");
    assert_eq!(json["choices"][0]["message"]["refusal"], Value::Null);
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes() {
    let (first, second) = (in_mode(Mode::Ok).await, in_mode(Mode::Ok).await);
    assert_eq!(first.body(), second.body());
}

#[tokio::test]
async fn words_that_fit_nothing_choose_none() {
    let double = start(Mode::Ok).await;
    let got = ask(&double, "I sell insurance").await;
    assert_eq!(
        got.said(),
        json!({"choice": "none", "outOfScope": false, "confidence": 0.9})
    );
}

#[tokio::test]
async fn a_plain_question_gets_a_plain_text() {
    let double = start(Mode::Ok).await;
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"ping"}]}"#;
    let got = exchange(&double, "POST", "/any/where/chat/completions", body).await;
    assert!(got.content().contains("double"));
    assert_eq!(got.json()["usage"]["completion_tokens"], 1);
}

#[tokio::test]
async fn half_json_is_a_whole_response_of_half_a_body() {
    let whole = in_mode(Mode::Ok).await;
    let half = in_mode(Mode::HalfJson).await;
    assert_eq!(half.body(), &whole.body()[..whole.body().len() / 2]);
    assert_eq!(half.header("content-length"), Some(half.body().len().to_string()));
}

#[tokio::test]
async fn a_page_is_no_json() {
    let got = in_mode(Mode::Html).await;
    assert_eq!(got.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert!(got.body().starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn a_wrong_schema_is_json_of_other_types() {
    let said = in_mode(Mode::WrongSchema).await.said();
    assert!(said["choice"].is_number() && said["confidence"].is_string() && said.get("outOfScope").is_none());
}

#[tokio::test]
async fn an_unknown_id_was_not_offered_and_all_else_is_right() {
    let said = in_mode(Mode::UnknownId).await.said();
    assert_eq!(
        said,
        json!({"choice": "no-such-answer", "outOfScope": false, "confidence": 0.95})
    );
}

#[tokio::test]
async fn free_text_names_an_offer_and_holds_no_object() {
    let content = in_mode(Mode::FreeText).await.content();
    assert!(content.contains("hours") && !content.contains('{'), "{content}");
}

#[tokio::test]
async fn a_fence_and_reasoning_stand_around_the_right_answer() {
    let fenced = in_mode(Mode::Fenced).await.content();
    let inner = fenced.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(inner).unwrap(), right());
    let got = in_mode(Mode::Reasoning).await;
    let content = got.content();
    let (thought, said) = content.split_once("</think>").unwrap();
    assert!(thought.starts_with("<think>"));
    assert_eq!(serde_json::from_str::<Value>(said).unwrap(), right());
    let usage = &got.json()["usage"];
    assert!(usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_truncated_message_ends_by_length() {
    let whole = in_mode(Mode::Ok).await.content();
    let got = in_mode(Mode::Truncated).await;
    assert_eq!(got.content(), whole[..whole.len() / 2]);
    assert_eq!(got.json()["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_refusal_has_no_content() {
    let message = in_mode(Mode::Refusal).await.json()["choices"][0]["message"].clone();
    assert!(message["refusal"].is_string() && message["content"].is_null());
}

#[tokio::test]
async fn choices_can_be_empty_and_the_choice_can_be_none() {
    assert_eq!(in_mode(Mode::EmptyChoices).await.json()["choices"], json!([]));
    let none = |out_of_scope| json!({"choice": "none", "outOfScope": out_of_scope, "confidence": 0.9});
    assert_eq!(in_mode(Mode::NoChoice).await.said(), none(false));
    assert_eq!(in_mode(Mode::OutOfScope).await.said(), none(true));
}

#[tokio::test]
async fn a_request_that_openai_refuses_is_an_error_of_the_request() {
    let double = start(Mode::Ok).await;
    for body in [
        "{".to_owned(),
        question("a").replace("gpt-6-luna", ""),
        question("a").replace("\"additionalProperties\":false,", ""),
    ] {
        let got = exchange(&double, "POST", "/v1/chat/completions", &body).await;
        assert_eq!(got.status(), 400, "{body}");
        assert_eq!(got.json()["error"]["type"], "invalid_request_error");
    }
    let stats = double.stats();
    assert_eq!((stats.calls, stats.errors, stats.billed), (3, 3, 0));
}
