//! Probes: what a server's list of models tells.

use std::time::Duration;

use frontdesk_llm::{
    client::MAX_BYTES,
    provider::{Cut, Outcome, Probed, Provider as _, RefusalKind},
};
use tokio::time::Instant;

use crate::server::{PLENTY, SLACK, SOON, Server, Step, response, send};

async fn probe(script: Vec<Step>, patience: Duration) -> Probed {
    let server = Server::answering(script).await;
    let probed = server.client().probe(Instant::now() + patience).await;
    let [request] = server.requests().try_into().unwrap();
    assert!(request.starts_with("GET /v1/models HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer "), "{request}");
    probed
}

#[tokio::test]
async fn a_list_of_any_length_is_free() {
    let long = " ".repeat(MAX_BYTES + 1);
    for body in [r#"{"object":"list","data":[]}"#, "", &long] {
        let probed = probe(vec![response(200, "", body)], PLENTY).await;
        let Probed::Free { took } = probed else {
            panic!("{probed:?}");
        };
        assert!(took > Duration::ZERO && took < PLENTY);
    }
}

#[tokio::test]
async fn a_server_without_a_list_does_not_offer_it() {
    for status in [404, 405, 501] {
        let probed = probe(vec![response(status, "", "{}")], PLENTY).await;
        assert_eq!(probed, Probed::NotOffered, "{status}");
    }
}

#[tokio::test]
async fn an_error_is_a_failure_with_its_reason() {
    for (status, kind) in [
        (401, RefusalKind::Credentials),
        (429, RefusalKind::RateLimited),
        (500, RefusalKind::Server),
        (302, RefusalKind::Other),
    ] {
        let probed = probe(vec![response(status, "", "{}")], PLENTY).await;
        let Probed::Failed(Outcome::Refused(refusal)) = probed else {
            panic!("{probed:?}");
        };
        assert_eq!((refusal.status, refusal.kind), (status, kind));
    }
}

#[tokio::test]
async fn a_list_that_does_not_come_is_a_failure_at_the_deadline() {
    for script in [
        vec![Step::Stall],
        vec![send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Step::Stall],
    ] {
        let started = Instant::now();
        let probed = probe(script, SOON).await;
        assert_eq!(probed, Probed::Failed(Outcome::Cut(Cut::TimedOut)));
        assert!(started.elapsed() < SOON + SLACK);
    }
}
