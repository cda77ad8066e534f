//! Errors that a server answers, and secrets that it repeats.

use std::time::Duration;

use frontdesk_llm::{
    provider::{Outcome, Progress, Provider as _, Refusal, RefusalKind},
    question::{Question, Style, request},
};
use tokio::time::Instant;

use crate::server::{COMPLETION, KEY, PLENTY, SOON, Server, Step, head, response, send};

async fn refused(script: Vec<Step>) -> Refusal {
    let server = Server::answering(script).await;
    let asked = server.ask(PLENTY).await;
    assert!(asked.first_byte.is_some());
    assert_eq!(server.requests().len(), 1);
    match asked.outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn error(code: &str) -> String {
    format!(r#"{{"error":{{"message":"scripted","type":"requests","param":null,"code":"{code}"}}}}"#)
}

#[tokio::test]
async fn each_error_is_told_apart() {
    for (status, headers, code, kind, retry_after) in [
        (401, "", "invalid_api_key", RefusalKind::Credentials, None),
        (402, "", "payment_required", RefusalKind::Payment, None),
        (403, "", "forbidden", RefusalKind::Credentials, None),
        (404, "", "model_not_found", RefusalKind::NoSuchModel, None),
        (422, "", "unknown_parameter", RefusalKind::BadRequest, None),
        (429, "", "rate_limit_exceeded", RefusalKind::RateLimited, None),
        (
            429,
            "Retry-After: 7\r\n",
            "slow_down",
            RefusalKind::RateLimited,
            Some(Duration::from_secs(7)),
        ),
        (429, "", "insufficient_quota", RefusalKind::Payment, None),
        (500, "", "server_error", RefusalKind::Server, None),
        (
            503,
            "Retry-After: 2\r\n",
            "overloaded",
            RefusalKind::Server,
            Some(Duration::from_secs(2)),
        ),
    ] {
        let expected = Refusal {
            status,
            kind,
            retry_after,
            code: Some(code.to_owned()),
        };
        assert_eq!(refused(vec![response(status, headers, &error(code))]).await, expected);
    }
}

#[tokio::test]
async fn the_status_counts_though_the_body_never_comes() {
    let stalled = vec![send("HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n{\"err"), Step::Stall];
    let started = Instant::now();
    let refusal = refused(stalled).await;
    assert_eq!((refusal.kind, refusal.code), (RefusalKind::Credentials, None));
    // Nor is the deadline waited for.
    assert!(started.elapsed() < PLENTY / 2);
    let broken = vec![send("HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\n{\"err"), Step::Close];
    assert_eq!(refused(broken).await.kind, RefusalKind::Server);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let elsewhere = Server::answering(vec![response(200, "", COMPLETION)]).await;
    for status in [301, 302, 307, 308] {
        let location = format!("Location: {}/chat/completions\r\n", elsewhere.url());
        let refusal = refused(vec![response(status, &location, "")]).await;
        assert_eq!((refusal.status, refusal.kind), (status, RefusalKind::Other));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn the_key_is_in_no_form_of_what_can_be_seen() {
    let half = head(COMPLETION.len()) + &COMPLETION[..9];
    let (start_of_the_key, _) = KEY.split_at(12);
    let scripts = [
        vec![response(200, "", COMPLETION)],
        vec![response(401, &format!("X-Key: {KEY}\r\n"), &error(KEY))],
        vec![response(401, "", &error(&format!("bad_key_{KEY}")))],
        vec![response(401, "", &error(start_of_the_key))],
        vec![send(half), Step::Close],
        vec![send(format!("{KEY} is no HTTP\r\n\r\n")), Step::Stall],
        vec![response(302, &format!("Location: http://{KEY}@127.0.0.1:1/\r\n"), "")],
        vec![Step::Stall],
    ];
    let mut seen = Vec::new();
    for script in scripts {
        let server = Server::answering(script).await;
        let client = server.client();
        let asked = crate::server::ask(&client, SOON).await;
        // It was sent, or there would be nothing to hide.
        assert!(server.requests()[0].contains(KEY));
        seen.push(format!("{client:?} {client:#?} {asked:?} {}", client.endpoint()));
        if let Outcome::Cut(cut) = &asked.outcome {
            seen.push(cut.to_string());
        }
        seen.push(format!("{:?}", client.probe(Instant::now() + SOON).await));
    }
    assert!(!seen.concat().contains(start_of_the_key), "{seen:?}");
}

#[tokio::test]
async fn a_written_request_is_what_is_sent() {
    let server = Server::answering(vec![response(200, "", COMPLETION)]).await;
    let question = Question {
        business: "Norvell & Tate",
        trades: &[],
        offered: &[],
        utterance: "what about the gizmo",
    };
    let endpoint = frontdesk_llm::endpoint::Endpoint::parse(&server.url(), false).unwrap();
    let request = request(&Style::new("m", &endpoint), &question);
    let body = String::from_utf8(request.body.clone().into()).unwrap();
    server
        .client()
        .ask(request.body, Instant::now() + PLENTY, &Progress::default())
        .await;
    assert!(server.requests()[0].ends_with(&body));
}
