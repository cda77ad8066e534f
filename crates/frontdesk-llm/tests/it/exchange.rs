//! What is sent, over which connections, and what a whole answer is.

use std::time::Duration;

use frontdesk_domain::ledger::Usage;
use frontdesk_llm::{
    client::OpenAiCompatible,
    completion::{Completion, Finish},
    endpoint::Endpoint,
    provider::{Asked, Outcome, Provider as _},
};
use tokio::{net::TcpListener, time::Instant};

use crate::server::{COMPLETION, KEY, PLENTY, SOON, Server, Step, ask, client, response, send};

fn answered() -> Outcome {
    Outcome::Answered(Completion {
        content: Some("{}".to_owned()),
        refusal: None,
        finish: Finish::Stop,
        usage: Some(Usage {
            prompt: 5,
            completion: 7,
            ..Usage::default()
        }),
        model: Some("m".to_owned()),
    })
}

#[tokio::test]
async fn a_request_has_path_key_and_exactly_the_body() {
    let server = Server::answering(vec![response(200, "", COMPLETION)]).await;
    let Asked {
        outcome,
        took,
        first_byte,
    } = server.ask(PLENTY).await;
    assert_eq!(outcome, answered());
    assert!(first_byte.unwrap() <= took && took < PLENTY);
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for line in [
        format!("authorization: bearer {KEY}"),
        "content-type: application/json".to_owned(),
    ] {
        assert!(head.lines().any(|found| found == line), "{head}");
    }
    assert_eq!(body, r#"{"model":"m","messages":[]}"#);
}

#[tokio::test]
async fn a_server_without_a_key_gets_none() {
    let server = Server::answering(vec![response(200, "", COMPLETION)]).await;
    let endpoint = Endpoint::parse(&server.url(), false).unwrap();
    let client = OpenAiCompatible::new(endpoint, None).unwrap();
    assert_eq!(ask(&client, PLENTY).await.outcome, answered());
    assert!(!server.requests()[0].to_lowercase().contains("authorization"));
}

#[tokio::test]
async fn an_answer_may_come_in_chunks() {
    let (first, second) = COMPLETION.split_at(40);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let server = Server::answering(vec![send(chunked)]).await;
    assert_eq!(server.ask(PLENTY).await.outcome, answered());
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_requests() {
    let server = Server::start(vec![
        vec![response(200, "", COMPLETION)],
        vec![response(429, "", "{}")],
        vec![response(200, "", "{}")],
        vec![response(200, "", COMPLETION)],
    ])
    .await;
    let client = server.client();
    assert_eq!(ask(&client, PLENTY).await.outcome, answered());
    assert!(matches!(ask(&client, PLENTY).await.outcome, Outcome::Refused(_)));
    client.probe(Instant::now() + PLENTY).await;
    assert_eq!(ask(&client, PLENTY).await.outcome, answered());
    assert_eq!((server.requests().len(), server.connections()), (4, 1));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let server = Server::start(vec![
        vec![response(200, "", COMPLETION), Step::Close],
        vec![response(200, "", COMPLETION)],
    ])
    .await;
    let client = server.client();
    assert_eq!(ask(&client, PLENTY).await.outcome, answered());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask(&client, PLENTY).await.outcome, answered());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let asked = ask(&client(&url), PLENTY).await;
    let Outcome::NotConnected(why) = &asked.outcome else {
        panic!("{asked:?}");
    };
    assert!(why.contains("refused") && !why.contains("127.0.0.1"), "{why}");
    assert_eq!(asked.first_byte, None);
}

#[tokio::test]
async fn a_server_without_tls_is_sent_nothing_over_https() {
    let server = Server::answering(vec![response(200, "", COMPLETION)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let client = client(&url);
    let (asked, ()) = tokio::join!(ask(&client, PLENTY), async {
        drop(listener.accept().await.unwrap());
    });
    assert!(matches!(asked.outcome, Outcome::NotConnected(_)), "{asked:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn nothing_is_sent_when_no_time_is_left() {
    let server = Server::answering(vec![response(200, "", COMPLETION)]).await;
    let asked = server.ask(Duration::ZERO).await;
    assert_eq!(asked.outcome, Outcome::NotConnected("no time was left".to_owned()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_dropped_request_closes_its_connection() {
    let server = Server::answering(vec![Step::Stall]).await;
    let client = server.client();
    let dropped = tokio::time::timeout(SOON, ask(&client, PLENTY)).await;
    assert!(dropped.is_err());
    server.wait_for_the_client_to_leave().await;
}

#[tokio::test]
async fn the_endpoint_is_named_without_credentials() {
    let server = Server::answering(vec![]).await;
    assert_eq!(server.client().endpoint(), server.url());
}
