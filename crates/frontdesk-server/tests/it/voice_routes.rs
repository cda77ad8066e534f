//! The voice routes beside a turn's own: by number, whisper, fallback, status, dial results.

use axum::body::Body;
use frontdesk_twilio::{
    form::Form,
    signature::{SIGNATURE_HEADER, sign},
};
use http::Request;
use serde_json::json;

use crate::{
    support::TestApp,
    voice::{ACCOUNT, PUBLIC, Post, TOKEN, company, notified, spoken},
};

/// The route of a company's voice webhooks.
fn route(name: &str, company: &str) -> String {
    format!("/api/twilio/{name}/{}", company.rsplit('/').next().unwrap())
}

#[tokio::test]
async fn a_call_is_taken_for_the_company_that_has_the_number() {
    let app = TestApp::start_with_platform_token(Some("platform"), true).await;
    let company = company(&app).await;
    app.patch(
        &company,
        json!({ "phones": ["+15551234568"], "greeting": "You reached {companyName}." }),
    )
    .await
    .ok(200);
    for (number, path) in [
        ("+15551234567", "/api/twilio/voice".to_owned()),
        ("+15551234568", "/api/twilio/voice".to_owned()),
        ("+15559999999", route("voice", &company)),
    ] {
        let greeting = spoken(&Post::to(&path, &[("To", number)]).send(&app).await);
        assert!(
            greeting.contains("You reached Acme.") && greeting.contains("<Gather"),
            "{number} {greeting}"
        );
    }
    let by_number = |number: &str| Post::to("/api/twilio/voice", &[("To", number)]);
    let as_platform = by_number("+15551234567").signed_with("platform").send(&app).await;
    assert_eq!(
        as_platform.status, 403,
        "a company with a token of its own is verified with that"
    );
    for number in ["+15550000000", "", "sip:x@example.test"] {
        assert_eq!(by_number(number).send(&app).await.status, 403, "{number}");
        let apology = spoken(&by_number(number).signed_with("platform").send(&app).await);
        assert!(
            apology.contains("<Say") && apology.contains("<Hangup/>"),
            "{number} {apology}"
        );
    }
    notified(&app, "PRODUCTION_AI_COMPANY_NOT_FOUND").await;
}

#[tokio::test]
async fn a_dialled_person_takes_the_call_by_a_key() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let target = route("whisper", &company);
    let asked = spoken(&Post::to(&target, &[]).send(&app).await);
    assert!(asked.contains("input=\"dtmf\"") && asked.contains("<Say"), "{asked}");
    assert!(
        asked.ends_with("<Hangup/></Response>"),
        "a machine presses nothing: {asked}"
    );
    let (_, rest) = asked.split_once("action=\"").unwrap();
    let action = rest.split('"').next().unwrap().replace("&amp;", "&");
    let taken = spoken(&Post::to(&action, &[("Digits", "1")]).send(&app).await);
    assert!(!taken.contains("<Hangup/>") && !taken.contains("<Gather"), "{taken}");
    for digits in ["2", "", "11"] {
        let declined = spoken(&Post::to(&action, &[("Digits", digits)]).send(&app).await);
        assert!(declined.ends_with("<Hangup/></Response>"), "{digits} {declined}");
    }
    assert_eq!(Post::to(&target, &[]).signed_with("wrong").send(&app).await.status, 403);
}

#[tokio::test]
async fn the_fallback_document_is_got_and_posted_with_a_signature() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let there = json!({ "destinations": [{ "name": "Desk", "number": "+15551230000", "hours": "always" }] });
    app.patch(&company, json!({ "transfer": there })).await.ok(200);
    let target = route("fallback", &company);
    let posted = spoken(&Post::to(&target, &[("ErrorCode", "11200")]).send(&app).await);
    let query = format!("CallSid=CA1&AccountSid={ACCOUNT}&ErrorCode=11200&ErrorUrl=https%3A%2F%2Fx.test%2F");
    let got = |signature: String, query: String| {
        let request = Request::get(format!("{target}?{query}")).header(SIGNATURE_HEADER, signature);
        app.send(request.body(Body::empty()).unwrap())
    };
    let signature = sign(TOKEN, &format!("{PUBLIC}{target}?{query}"), &Form::default());
    let document = spoken(&got(signature.clone(), query.clone()).await);
    assert_eq!(document, posted);
    assert!(
        document.contains(">+15551230000</Number>") && document.contains("<Say"),
        "{document}"
    );
    assert!(document.ends_with("<Hangup/></Response>"), "{document}");
    assert_eq!(
        got(signature, format!("{query}&x=1")).await.status,
        403,
        "the query is signed"
    );
    assert_eq!(got(String::new(), query.clone()).await.status, 403);
    let wrong = sign("wrong", &format!("{PUBLIC}{target}?{query}"), &Form::default());
    assert_eq!(got(wrong, query.replace(ACCOUNT, "AC2")).await.status, 403);
    let foreign = query.replace(ACCOUNT, "AC2");
    let signature = sign(TOKEN, &format!("{PUBLIC}{target}?{foreign}"), &Form::default());
    assert_eq!(got(signature, foreign).await.status, 403, "another account");
}

#[tokio::test]
async fn a_turn_after_the_reported_end_is_hung_up() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let target = route("status", &company);
    for status in ["ringing", "in-progress", "nonsense", ""] {
        let reply = spoken(&Post::to(&target, &[("CallStatus", status)]).send(&app).await);
        assert!(reply.ends_with("<Response/>"), "{status}: {reply}");
    }
    let first = spoken(&Post::saying(&company, "sesame").send(&app).await);
    assert!(first.contains(">Yes.</Say>"), "the call goes on: {first}");
    for _ in 0..2 {
        let reply = spoken(&Post::to(&target, &[("CallStatus", "completed")]).send(&app).await);
        assert!(reply.ends_with("<Response/>"), "{reply}");
    }
    let late = spoken(&Post::saying(&company, "sesame two").send(&app).await);
    assert!(
        late.contains("<Say") && late.ends_with("<Hangup/></Response>"),
        "{late}"
    );
    let again = spoken(&Post::saying(&company, "sesame").send(&app).await);
    assert_eq!(again, first, "what was answered before has its answer");
}

#[tokio::test]
async fn an_unreached_person_is_followed_by_a_message() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let there = json!({ "destinations": [{ "name": "Desk", "number": "+15551230000", "hours": "always" }] });
    app.patch(&company, json!({ "transfer": there })).await.ok(200);
    let dial = spoken(&Post::saying(&company, "operator").send(&app).await);
    let (_, rest) = dial.split_once("<Dial action=\"").unwrap();
    let action = rest.split('"').next().unwrap().replace("&amp;", "&");
    assert!(action.starts_with(&route("dial-result", &company)), "{action}");
    let busy = || Post::to(&action, &[("DialCallStatus", "busy")]);
    let message = spoken(&busy().send(&app).await);
    assert!(message.contains("<Record") && !message.contains("<Dial"), "{message}");
    assert_eq!(spoken(&busy().send(&app).await), message, "the same webhook");
    assert_eq!(busy().signed_with("wrong").send(&app).await.status, 403);
}

#[tokio::test]
async fn no_voice_route_knows_another_method() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let routes = [
        "voice",
        "v2-agent-respond",
        "dial-result",
        "message",
        "whisper",
        "status",
        "fallback",
    ];
    let mut targets: Vec<_> = routes.iter().map(|name| route(name, &company)).collect();
    targets.push("/api/twilio/voice".to_owned());
    for target in targets {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let request = Request::builder().method(method).uri(&target);
            let refused = app.send(request.body(Body::empty()).unwrap()).await;
            let want = if method == "GET" && target.contains("fallback") {
                403
            } else {
                405
            };
            assert_eq!(refused.status, want, "{method} {target}");
            assert!(!refused.text().contains('{'), "no JSON on voice routes");
        }
    }
}
