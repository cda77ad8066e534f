//! What goes over the wire in each mode that breaks it.

use std::time::Duration;

use frontdesk_llm_double::{Double, Mode, Script};
use serde_json::Value;

use crate::client::{Got, ask, ask_in_vain, exchange, question, receive, send, start, until};

const MODELS: &str = "/v1/models";

/// The body of the right answer.
async fn whole() -> Vec<u8> {
    let double = start(Mode::Ok).await;
    ask(&double, "senior discount").await.body().to_vec()
}

async fn models_in_vain(double: &Double) -> Got {
    let stream = send(double, "GET", MODELS, "").await;
    receive(stream, Duration::from_millis(500)).await
}

#[tokio::test]
async fn a_hang_sends_nothing_and_stays_open_until_the_client_goes() {
    let double = start(Mode::Hang).await;
    for got in [ask_in_vain(&double).await, models_in_vain(&double).await] {
        assert!(got.bytes.is_empty() && !got.is_closed, "{got:?}");
    }
    until(&double, |stats| stats.in_flight == 0).await;
    let stats = double.stats();
    assert_eq!((stats.calls, stats.answered, stats.errors, stats.probes), (1, 0, 0, 1));
}

#[tokio::test]
async fn a_close_sends_nothing_and_closes() {
    let double = start(Mode::Close).await;
    for got in [ask_in_vain(&double).await, models_in_vain(&double).await] {
        assert!(got.bytes.is_empty() && got.is_closed, "{got:?}");
    }
    assert_eq!(double.stats().answered, 0);
}

#[tokio::test]
async fn a_stall_sends_so_many_bytes_and_stays_open() {
    let whole = whole().await;
    for (after_bytes, expected) in [(0, 0), (1, 1), (40, 40), (1_000_000, whole.len() - 1)] {
        let double = start(Mode::Stall { after_bytes }).await;
        let got = ask_in_vain(&double).await;
        assert_eq!((got.status(), got.is_closed), (200, false));
        assert_eq!(got.header("content-length"), Some(whole.len().to_string()));
        assert_eq!(got.body(), &whole[..expected]);
        assert_eq!(
            models_in_vain(&double).await.body().len(),
            expected.min(models_length().await - 1)
        );
        until(&double, |stats| stats.in_flight == 0 && stats.answered == 0).await;
    }
}

async fn models_length() -> usize {
    let double = start(Mode::Ok).await;
    exchange(&double, "GET", MODELS, "").await.body().len()
}

#[tokio::test]
async fn a_cut_sends_so_many_bytes_and_closes() {
    let whole = whole().await;
    for (after_bytes, expected) in [(0, 0), (1, 1), (40, 40), (1_000_000, whole.len() - 1)] {
        let double = start(Mode::Cut { after_bytes }).await;
        let got = ask(&double, "senior discount").await;
        assert_eq!((got.status(), got.is_closed), (200, true));
        assert_eq!(got.header("content-length"), Some(whole.len().to_string()));
        assert_eq!(got.body(), &whole[..expected]);
        assert_eq!(double.stats().answered, 0);
    }
}

#[tokio::test]
async fn a_drip_takes_its_time_for_each_byte() {
    let per_byte = Duration::from_millis(2);
    let double = start(Mode::Drip { per_byte }).await;
    let got = ask(&double, "senior discount").await;
    let whole = whole().await;
    assert_eq!(got.body(), whole);
    let least = per_byte * u32::try_from(whole.len()).unwrap();
    assert!(
        *got.pieces.last().unwrap() >= least,
        "{:?} for {least:?}",
        got.pieces.last()
    );
    assert!(got.pieces.len() > 20, "{} pieces", got.pieces.len());
    until(&double, |stats| stats.answered == 1).await;
}

#[tokio::test]
async fn latency_holds_everything_back() {
    let latency = Duration::from_millis(150);
    for mode in [Mode::Ok, Mode::Quota, Mode::Close] {
        let script = Script {
            latency,
            ..Script::from(mode)
        };
        let double = start(script).await;
        let started = tokio::time::Instant::now();
        _ = ask(&double, "senior discount").await;
        assert!(started.elapsed() >= latency, "{mode:?}");
    }
}

#[tokio::test]
async fn a_status_comes_with_its_code_and_its_time_to_wait() {
    let check = async |status, code, retry_after, expected: &str| {
        let double = start(Mode::Status {
            status,
            code,
            retry_after,
        })
        .await;
        let models = exchange(&double, "GET", MODELS, "").await;
        for got in [ask(&double, "senior discount").await, models] {
            assert_eq!(got.status(), status);
            assert_eq!(got.json()["error"]["code"], expected);
            assert_eq!(
                got.header("retry-after"),
                retry_after.map(|seconds| seconds.to_string())
            );
        }
        let stats = double.stats();
        assert_eq!((stats.errors, stats.answered, stats.billed), (1, 0, 0));
        assert_eq!(stats.bills, Vec::<i64>::new());
    };
    check(401, None, None, "invalid_api_key").await;
    check(403, None, None, "unsupported_country_region_territory").await;
    check(429, None, None, "rate_limit_exceeded").await;
    check(429, Some("slow_down"), Some(7), "slow_down").await;
    check(500, None, None, "server_error").await;
    check(503, None, Some(0), "server_is_overloaded").await;
}

#[tokio::test]
async fn a_used_up_quota_is_told_from_a_rate() {
    let double = start(Mode::Quota).await;
    let got = ask(&double, "senior discount").await;
    assert_eq!((got.status(), got.header("retry-after")), (429, None));
    assert_eq!(got.json()["error"]["code"], "insufficient_quota");
    assert_eq!(got.json()["error"]["type"], "insufficient_quota");
    assert_eq!(double.stats().billed, 0);
}

#[tokio::test]
async fn a_huge_body_has_no_length_and_is_white_space_before_the_answer() {
    let double = start(Mode::HugeBody).await;
    let got = ask(&double, "senior discount").await;
    assert_eq!(got.header("content-length"), None);
    assert_eq!(got.header("transfer-encoding").as_deref(), Some("chunked"));
    let blanks: usize = got.body().split(|byte| *byte != b' ').map(<[u8]>::len).sum();
    assert!(blanks >= 64 * 1024 * 1024, "{blanks}");
    let whole = whole().await;
    let ends_right = got
        .body()
        .windows(whole.len())
        .rev()
        .take(64)
        .any(|bytes| bytes == whole);
    assert!(ends_right);
    assert_eq!(double.stats().answered, 1);
}

#[tokio::test]
async fn models_are_listed_unless_the_mode_breaks_the_wire() {
    for mode in [Mode::Ok, Mode::Refusal, Mode::UsageMissing, Mode::WrongSchema] {
        let double = start(mode).await;
        let json = exchange(&double, "GET", MODELS, "").await.json();
        assert_eq!(json["data"][0]["id"], "gpt-6-luna", "{mode:?}");
        let one = exchange(&double, "GET", "/v1/models/llama", "").await.json();
        assert_eq!(one["id"], "llama");
        let stats = double.stats();
        assert_eq!((stats.probes, stats.probe_arrivals.len(), stats.calls), (2, 2, 0));
    }
    for mode in [Mode::HalfJson, Mode::Html] {
        let double = start(mode).await;
        let got = exchange(&double, "GET", MODELS, "").await;
        assert!(serde_json::from_slice::<Value>(got.body()).is_err(), "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_in_flight_is_counted_and_keeps_its_script() {
    let double = start(Mode::Hang).await;
    let mut hanging = Vec::new();
    for _ in 0..20 {
        hanging.push(send(&double, "POST", "/v1/chat/completions", &question("a")).await);
    }
    until(&double, |stats| stats.in_flight == 20).await;
    double.set(Mode::Ok.into());
    assert_eq!(ask(&double, "senior discount").await.status(), 200);
    until(&double, |stats| stats.in_flight == 20).await;
    hanging.truncate(5);
    until(&double, |stats| stats.in_flight == 5).await;
    let stats = double.stats();
    assert_eq!((stats.calls, stats.answered, stats.max_in_flight), (21, 1, 21));
    assert!(stats.arrivals.len() == 21 && stats.arrivals.is_sorted());
}

#[tokio::test]
async fn a_stop_closes_what_hangs_and_frees_the_port() {
    let double = start(Mode::Hang).await;
    let address = double.address();
    let stream = send(&double, "POST", "/v1/chat/completions", &question("a")).await;
    until(&double, |stats| stats.in_flight == 1).await;
    let other = double.clone();
    double.stop().await;
    assert!(receive(stream, Duration::from_secs(5)).await.is_closed);
    assert_eq!(other.stats().in_flight, 0);
    let again = Double::start(address, Script::default()).await.unwrap();
    assert_eq!(ask(&again, "senior discount").await.status(), 200);
}
