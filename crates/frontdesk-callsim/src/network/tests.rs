use super::*;
use crate::{
    desk::{Desk, Gives, Got},
    executor::Purpose,
};

const PUBLIC: &str = "https://fd.example";

fn request(target: &str) -> Request {
    let mut form = Form::default();
    form.push("CallSid", "CA1");
    form.push("SpeechResult", "no heat & smoke");
    Request {
        url: format!("{PUBLIC}{target}"),
        method: Method::Post,
        form,
        purpose: Purpose::Turn,
    }
}

fn desk(handler: impl Fn(&Got) -> Gives + Send + Sync + 'static) -> (Desk, Network) {
    let desk = Desk::open(handler);
    let network = Network::new(PUBLIC, &desk.address.to_string());
    (desk, network)
}

fn says(words: &str) -> Gives {
    Gives::Verbs(format!("<Say>{words}</Say>"))
}

/// What came of asking: `ok`, or Twilio's code, and how often the server was asked.
async fn check(target: &str, gives: Gives, want: (&str, usize)) {
    let (desk, network) = desk(move |_| gives.clone());
    let asked = network.ask(&request(target), Some("token"), &Fallback::None).await;
    let came = asked
        .answer
        .map_or_else(|fault| fault.code.number().to_string(), |_| "ok".to_owned());
    assert_eq!((came.as_str(), desk.log().len()), want, "{target}");
}

#[tokio::test]
async fn a_webhook_is_signed_for_its_url_without_the_fragment() {
    let (desk, network) = desk(|_| says("a"));
    network
        .deliver(&request("/v?s=1#rc=2"), Some("token"))
        .await
        .reply
        .unwrap();
    let log = desk.log();
    assert_eq!((log[0].target.as_str(), log[0].method.as_str()), ("/v?s=1", "POST"));
    assert_eq!(log[0].body, "CallSid=CA1&SpeechResult=no+heat+%26+smoke");
    assert_eq!(
        log[0].signature,
        signature::sign("token", "https://fd.example/v?s=1", &request("").form)
    );
}

#[tokio::test]
async fn a_repeated_webhook_has_the_same_idempotency_token_and_another_one_does_not() {
    let (desk, network) = desk(|_| says("a"));
    for target in ["/v", "/v", "/w"] {
        network.deliver(&request(target), None).await.reply.unwrap();
    }
    let tokens: Vec<_> = desk.log().into_iter().map(|got| got.token).collect();
    assert_eq!((tokens[0].len(), &tokens[0]), (36, &tokens[1]));
    assert_ne!(tokens[0], tokens[2]);
}

#[tokio::test]
async fn a_get_has_its_parameters_in_the_signed_url() {
    let (desk, network) = desk(|_| says("a"));
    let request = Request {
        method: Method::Get,
        ..request("/v?s=1")
    };
    network.deliver(&request, Some("token")).await.reply.unwrap();
    let log = desk.log();
    assert_eq!(log[0].target, "/v?s=1&CallSid=CA1&SpeechResult=no+heat+%26+smoke");
    let url = format!("https://fd.example{}", log[0].target);
    assert_eq!(log[0].signature, signature::sign("token", &url, &Form::default()));
}

#[tokio::test]
async fn an_answer_that_fails_is_tried_again_only_as_the_url_says() {
    check("/v", says("a"), ("ok", 1)).await;
    check("/v", Gives::Status(500, None), ("11200", 1)).await;
    check("/v#rc=2&rp=5xx", Gives::Status(500, None), ("11200", 3)).await;
    check("/v#rc=2&rp=5xx", Gives::Status(404, None), ("11200", 1)).await;
    check("/v#rc=1&rp=4xx", Gives::Status(404, None), ("11200", 2)).await;
    check("/v#rc=0&rp=all", Gives::Status(500, None), ("11200", 1)).await;
    check("/v", Gives::Cut, ("11205", 1)).await;
    check("/v#rp=rt", Gives::Cut, ("11205", 2)).await;
    check("/v", Gives::Json("{}".into()), ("12300", 1)).await;
    check("/v", Gives::Verbs("<Say>".into()), ("12100", 1)).await;
}

#[tokio::test]
async fn a_late_answer_is_none() {
    let late = Gives::Late(Duration::from_secs(3));
    check("/v#rt=100", late.clone(), ("11200", 1)).await;
    check("/v#rt=100&rp=rt&rc=2", late.clone(), ("11200", 3)).await;
    check("/v#tt=200&rp=rt&rc=5", late, ("11200", 1)).await;
}

#[tokio::test]
async fn without_a_connection_it_is_tried_once_more() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let network = Network::new(PUBLIC, &closed.to_string());
    let delivery = network.deliver(&request("/v"), None).await;
    assert_eq!(
        (delivery.reply.unwrap_err().code, delivery.attempts),
        (Code::Connection, 2)
    );
}

#[tokio::test]
async fn a_redirection_loses_what_was_posted() {
    let (desk, network) = desk(|got| match got.path() {
        "/v" => Gives::Status(302, Some("/v/")),
        _ => says("a"),
    });
    let asked = network.ask(&request("/v"), None, &Fallback::None).await;
    assert_eq!(asked.answer.unwrap().url, "https://fd.example/v/");
    let log = desk.log();
    assert_eq!(
        (log[1].method.as_str(), log[1].target.as_str(), log[1].body.as_str()),
        ("GET", "/v/", "")
    );
    check("/v", Gives::Status(302, Some("/v")), ("11215", 11)).await;
}

#[tokio::test]
async fn the_fallback_learns_what_was_wrong() {
    let (desk, network) = desk(|got| match got.path() {
        "/v" => Gives::Status(503, None),
        _ => says("one moment"),
    });
    let fallback = Fallback::Url(format!("{PUBLIC}/f"));
    let asked = network.ask(&request("/v?s=1"), None, &fallback).await;
    assert_eq!(asked.fault.unwrap().code, Code::Retrieval);
    assert_eq!(asked.answer.unwrap().url, "https://fd.example/f");
    let got = &desk.log()[1];
    assert_eq!(got.parameter("ErrorCode"), Some("11200"));
    assert_eq!(got.parameter("ErrorUrl"), Some("https%3A%2F%2Ffd.example%2Fv%3Fs%3D1"));
    assert_eq!(got.parameter("CallSid"), Some("CA1"));
}

#[tokio::test]
async fn a_static_file_goes_on_where_no_server_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.xml");
    std::fs::write(
        &file,
        "<Response><Say>one moment</Say><Dial>+19375550111</Dial></Response>",
    )
    .unwrap();
    let (_desk, network) = desk(|_| Gives::Cut);
    let asked = network.ask(&request("/v"), None, &Fallback::File(file)).await;
    assert_eq!(asked.answer.unwrap().document.verbs.len(), 2);
    let asked = network
        .ask(&request("/v"), None, &Fallback::File(folder.path().join("d.xml")))
        .await;
    assert_eq!(asked.answer.unwrap_err().code, Code::Retrieval);
}

#[tokio::test]
async fn only_this_machine_is_ever_connected_to() {
    let network = Network::new(PUBLIC, "127.0.0.1:1");
    for url in [
        "https://fd.example.evil/v",
        "http://192.0.2.1/v",
        "ftp://fd.example/v",
        "https://other.example/v",
    ] {
        let request = Request {
            url: url.into(),
            ..request("")
        };
        let fault = network.deliver(&request, None).await.reply.unwrap_err();
        assert!(fault.detail.contains("no way"), "{url}: {fault}");
    }
}
