//! What people and scripts ask for.

use std::time::Duration;

use frontdesk_llm_double::{Double, Mode, Script, serve_until};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::{ask, exchange, question, start};

async fn control(double: &Double, body: &Value) -> (u16, Value) {
    let got = exchange(double, "POST", "/control", &body.to_string()).await;
    (got.status(), got.json())
}

#[tokio::test]
async fn a_control_changes_the_script_and_gives_it_back() {
    let double = start(Mode::Ok).await;
    let wanted = json!({"mode": "status", "status": 429, "retryAfter": 7, "latencyMs": 5});
    let (status, script) = control(&double, &wanted).await;
    assert_eq!(
        (status, &script["retryAfter"], &script["cachedShare"]),
        (200, &json!(7), &json!(0.0))
    );
    let mode = Mode::Status {
        status: 429,
        code: None,
        retry_after: Some(7),
    };
    let latency = Duration::from_millis(5);
    assert_eq!(double.script(), Script { latency, ..mode.into() });
    assert_eq!(ask(&double, "a").await.header("retry-after").as_deref(), Some("7"));
    assert_eq!(exchange(&double, "GET", "/control", "").await.json(), script);
}

#[tokio::test]
async fn a_control_that_makes_no_sense_changes_nothing_and_says_why() {
    let double = start(Mode::Refusal).await;
    for (body, why) in [
        (json!({"mode": "hagn"}), "there is no mode `hagn`"),
        (json!({"mode": "ok", "latency": 5}), "unknown field `latency`"),
        (json!({"mode": "cut", "latencyMs": 5}), "`cut` needs `afterBytes`"),
    ] {
        let (status, json) = control(&double, &body).await;
        assert_eq!(status, 400);
        assert!(json["error"].as_str().unwrap().contains(why), "{json}");
        assert_eq!(double.script(), Mode::Refusal.into());
    }
}

#[tokio::test]
async fn stats_over_http_are_those_of_the_library_and_a_reset_forgets_them() {
    let double = start(Mode::Ok).await;
    _ = ask(&double, "a").await;
    _ = exchange(&double, "GET", "/v1/models", "").await;
    let json = exchange(&double, "GET", "/stats", "").await.json();
    assert_eq!(json, serde_json::to_value(double.stats()).unwrap());
    assert_eq!(
        (&json["calls"], &json["maxInFlight"], &json["probes"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(json["bills"], json!([json["billed"]]));
    let json = exchange(&double, "POST", "/reset", "").await.json();
    assert_eq!((&json["calls"], &json["billed"]), (&json!(0), &json!(0)));
    assert!(double.bodies().is_empty());
}

#[tokio::test]
async fn bodies_are_kept_byte_for_byte() {
    let double = start(Mode::Close).await;
    _ = ask(&double, "première question").await;
    let kept = double.bodies();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].body, question("première question"));
    assert_eq!(kept[0].path, "/v1/chat/completions");
    assert_eq!(kept[0].authorization.as_deref(), Some("Bearer sk-a"));
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let double = start(Mode::Ok).await;
    assert_eq!(exchange(&double, "POST", "/v1/responses", "{}").await.status(), 404);
    assert_eq!(exchange(&double, "GET", "/v1/chat/completions", "").await.status(), 404);
}

#[tokio::test]
async fn serve_until_runs_until_it_is_told_and_gives_the_counts() {
    let (tell, told) = oneshot::channel::<()>();
    let (give, given) = oneshot::channel();
    let listen = "127.0.0.1:0".parse().unwrap();
    let serving = serve_until(
        listen,
        Script::default(),
        |double| give.send(double.clone()).unwrap(),
        async { told.await.unwrap() },
    );
    let asking = async {
        let double = given.await.unwrap();
        let port = double.address().port();
        assert_eq!(double.base_url(), format!("http://127.0.0.1:{port}/v1"));
        _ = ask(&double, "a").await;
        tell.send(()).unwrap();
    };
    let (stats, ()) = tokio::join!(serving, asking);
    assert_eq!(stats.unwrap().calls, 1);
}
