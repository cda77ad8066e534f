//! The bill is what the usages say, whether they arrive or not.

use std::time::Duration;

use frontdesk_llm_double::{Mode, Prices, Script, UsageScript};
use serde_json::Value;

use crate::client::{Got, ask, ask_in_vain, question, start, until};

/// What a usage costs at the default prices, counted apart from the double's own code.
fn cost(usage: &Value) -> i64 {
    let tokens = |pointer: &str| usage.pointer(pointer).and_then(Value::as_i64).unwrap();
    let cached = tokens("/prompt_tokens_details/cached_tokens");
    let written = tokens("/prompt_tokens_details/cache_write_tokens");
    let fresh = tokens("/prompt_tokens") - cached - written;
    assert_eq!(
        tokens("/total_tokens"),
        tokens("/prompt_tokens") + tokens("/completion_tokens")
    );
    fresh * 100_000 + cached * 10_000 + written * 125_000 + tokens("/completion_tokens") * 500_000
}

fn usage(got: &Got) -> Value {
    got.json()["usage"].clone()
}

#[tokio::test]
async fn each_bill_is_what_its_usage_says() {
    let tokens = UsageScript::Tokens {
        prompt: 1_500,
        completion: 60,
    };
    let double = start(Mode::Ok).await;
    let mut costs = Vec::new();
    for mode in [
        Mode::Ok,
        Mode::WrongSchema,
        Mode::UnknownId,
        Mode::FreeText,
        Mode::Fenced,
        Mode::Reasoning,
        Mode::Truncated,
        Mode::Refusal,
        Mode::EmptyChoices,
        Mode::NoChoice,
        Mode::OutOfScope,
        Mode::UsageAbove,
    ] {
        for usage_script in [
            None,
            Some(tokens),
            Some(UsageScript::AllOfMaxTokens),
            Some(UsageScript::Dearest),
        ] {
            double.set(Script {
                usage: usage_script,
                cached_share: 0.8,
                cache_write_share: 0.1,
                ..Script::from(mode)
            });
            let got = ask(&double, "do you have a senior discount").await;
            costs.push(cost(&usage(&got)));
        }
    }
    let stats = double.stats();
    assert_eq!(stats.bills, costs);
    assert_eq!(stats.billed, costs.iter().sum::<i64>());
    assert_eq!(stats.answered, 48);
}

#[tokio::test]
async fn tokens_are_about_a_quarter_of_the_bytes_and_within_what_is_allowed() {
    let double = start(Mode::Ok).await;
    let got = ask(&double, "do you have a senior discount").await;
    let asked: Value = serde_json::from_str(&question("do you have a senior discount")).unwrap();
    let messages = asked["messages"].as_array().unwrap();
    let bytes: usize = messages
        .iter()
        .map(|message| message["content"].as_str().unwrap().len())
        .sum();
    assert_eq!(usage(&got)["prompt_tokens"], bytes.div_ceil(4));
    assert_eq!(usage(&got)["completion_tokens"], got.content().len().div_ceil(4));
}

#[tokio::test]
async fn the_dearest_usage_is_the_worst_case_of_the_request() {
    let script = Script {
        usage: Some(UsageScript::Dearest),
        ..Script::default()
    };
    let double = start(script).await;
    _ = ask(&double, "hello there").await;
    let bytes = i64::try_from(question("hello there").len()).unwrap();
    assert_eq!(double.stats().bills, [bytes * 125_000 + 60 * 500_000]);
}

#[tokio::test]
async fn twice_what_is_allowed_is_said_and_billed() {
    let double = start(Mode::UsageAbove).await;
    let usage = usage(&ask(&double, "hello there").await);
    assert_eq!(usage["completion_tokens"], 120);
    assert_eq!(double.stats().billed, cost(&usage));
}

#[tokio::test]
async fn a_usage_that_is_missing_or_absurd_is_billed_as_ever() {
    let double = start(Mode::Ok).await;
    let honest = cost(&usage(&ask(&double, "hello there").await));
    double.set(Mode::UsageMissing.into());
    assert!(ask(&double, "hello there").await.json().get("usage").is_none());
    double.set(Mode::UsageAbsurd.into());
    let absurd = usage(&ask(&double, "hello there").await);
    assert_eq!(absurd["completion_tokens"], -7);
    assert_eq!(double.stats().bills, [honest; 3]);
}

#[tokio::test]
async fn what_never_arrives_is_billed_if_the_script_is_cruel() {
    let double = start(Mode::Ok).await;
    let honest = cost(&usage(&ask(&double, "senior discount").await));
    let broken = [
        Mode::Hang,
        Mode::Close,
        Mode::Stall { after_bytes: 10 },
        Mode::Cut { after_bytes: 10 },
        Mode::Drip {
            per_byte: Duration::from_secs(1),
        },
    ];
    for bill_unanswered in [true, false] {
        for mode in broken {
            double.reset();
            double.set(Script {
                bill_unanswered,
                ..Script::from(mode)
            });
            _ = ask_in_vain(&double).await;
            until(&double, |stats| stats.in_flight == 0).await;
            let expected = if bill_unanswered { vec![honest] } else { Vec::new() };
            assert_eq!(double.stats().bills, expected, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn what_arrives_is_billed_by_a_kind_script_too() {
    let script = Script {
        bill_unanswered: false,
        prices: Prices {
            input: 0,
            output: 1,
            ..Prices::default()
        },
        ..Script::default()
    };
    let double = start(script).await;
    let usage = usage(&ask(&double, "hello there").await);
    assert_eq!(Some(double.stats().billed), usage["completion_tokens"].as_i64());
}

#[tokio::test]
async fn each_tenth_is_refused_and_every_request_is_kept_with_its_own_bill() {
    let script = Script {
        refuse_every: 10,
        ..Script::default()
    };
    let double = start(script).await;
    let mut expected = Vec::new();
    for number in 1..=20_usize {
        let got = ask(&double, &"word ".repeat(number)).await;
        expected.push(if number % 10 == 0 {
            assert_eq!(got.status(), 503);
            0
        } else {
            cost(&usage(&got))
        });
    }
    let billed: Vec<i64> = double.bodies().iter().map(|received| received.billed).collect();
    assert_eq!(billed, expected);
    let stats = double.stats();
    assert_eq!((stats.errors, stats.answered), (2, 18));
    assert_eq!(stats.billed, expected.iter().sum::<i64>());
}
