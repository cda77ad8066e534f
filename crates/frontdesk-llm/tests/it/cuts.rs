//! Requests that were sent, and got no whole answer.

use std::time::Duration;

use frontdesk_llm::{
    client::MAX_BYTES,
    provider::{Asked, Cut, Outcome},
};

use crate::server::{COMPLETION, PLENTY, SLACK, SOON, Server, Step, head, response, send};

async fn check(script: Vec<Step>, patience: Duration, expected: Cut, has_first_byte: bool) {
    let server = Server::answering(script).await;
    let asked = server.ask(patience).await;
    assert_eq!(asked.outcome, Outcome::Cut(expected));
    assert_eq!(asked.first_byte.is_some(), has_first_byte, "{asked:?}");
    assert!(asked.took < patience + SLACK, "{asked:?}");
    // Nothing is sent twice.
    assert_eq!(server.requests().len(), 1);
}

async fn check_broken(script: Vec<Step>, has_first_byte: bool) {
    let server = Server::answering(script).await;
    let asked = server.ask(PLENTY).await;
    assert!(matches!(asked.outcome, Outcome::Cut(Cut::Broken(_))), "{asked:?}");
    assert_eq!(asked.first_byte.is_some(), has_first_byte, "{asked:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_stall_before_the_first_byte_ends_at_the_deadline() {
    check(vec![Step::Stall], SOON, Cut::TimedOut, false).await;
    check(
        vec![send("HTTP/1.1 200 OK\r\n"), Step::Stall],
        SOON,
        Cut::TimedOut,
        false,
    )
    .await;
}

#[tokio::test]
async fn a_stall_within_the_body_ends_at_the_deadline() {
    for sent in [0, 1, COMPLETION.len() - 1] {
        let script = vec![send(head(COMPLETION.len()) + &COMPLETION[..sent]), Step::Stall];
        check(script, SOON, Cut::TimedOut, true).await;
    }
}

#[tokio::test]
async fn a_deadline_closes_the_connection() {
    let server = Server::answering(vec![send(head(9)), Step::Stall]).await;
    let Asked { outcome, took, .. } = server.ask(SOON).await;
    assert_eq!(outcome, Outcome::Cut(Cut::TimedOut));
    assert!(took >= SOON);
    server.wait_for_the_client_to_leave().await;
}

#[tokio::test]
async fn dripping_bytes_do_not_move_the_deadline() {
    let pause = Duration::from_millis(20);
    let body = vec![send(head(COMPLETION.len())), Step::Drip(COMPLETION.into(), pause)];
    check(body, SOON, Cut::TimedOut, true).await;
    let whole = head(COMPLETION.len()) + COMPLETION;
    check(vec![Step::Drip(whole.into(), pause)], SOON, Cut::TimedOut, false).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_cut() {
    check_broken(vec![Step::Close], false).await;
    check_broken(vec![send("HTTP/1.1 200 OK\r\nContent-"), Step::Close], false).await;
    let half = head(COMPLETION.len()) + &COMPLETION[..COMPLETION.len() / 2];
    check_broken(vec![send(half), Step::Close], true).await;
    check_broken(
        vec![
            send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"),
            Step::Close,
        ],
        true,
    )
    .await;
}

#[tokio::test]
async fn what_is_no_http_is_a_cut() {
    check_broken(vec![send("SSH-2.0-OpenSSH_9.9\r\n\r\n"), Step::Stall], false).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    // Neither ever ends; reading on would end at the deadline.
    let announced = vec![send(head(1_000_000_000)), send(vec![b' '; MAX_BYTES + 1]), Step::Stall];
    check(announced, PLENTY, Cut::TooLarge, true).await;
    let chunk = format!("{:x}\r\n{}\r\n", MAX_BYTES + 1, " ".repeat(MAX_BYTES + 1));
    let endless = vec![
        send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        send(chunk),
        Step::Stall,
    ];
    check(endless, PLENTY, Cut::TooLarge, true).await;
}

#[tokio::test]
async fn a_body_just_within_the_bound_is_read() {
    let body = format!("{}{COMPLETION}", " ".repeat(MAX_BYTES - COMPLETION.len()));
    let server = Server::answering(vec![response(200, "", &body)]).await;
    let asked = server.ask(PLENTY).await;
    assert!(matches!(asked.outcome, Outcome::Answered(_)), "{asked:?}");
}

#[tokio::test]
async fn a_whole_body_that_is_no_json_object_is_a_cut() {
    let half = &COMPLETION[..COMPLETION.len() / 2];
    for body in [half, "", "[]", "<html>busy</html>", "data: {}\n\ndata: [DONE]\n\n"] {
        check(vec![response(200, "", body)], PLENTY, Cut::NotJson, true).await;
    }
}
