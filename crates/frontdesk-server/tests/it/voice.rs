//! The voice routes from outside: what is verified, what is refused, what is spoken.

use axum::body::Body;
use frontdesk_twilio::{
    form::Form,
    signature::{SETTINGS_HEADER, SIGNATURE_HEADER, settings_header, sign, sign_with_shared_key},
};
use http::{Request, header};
use serde_json::json;

use crate::support::{Reply, TestApp};

pub(crate) const PUBLIC: &str = "https://fd.example.test";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// A webhook as Twilio would send it.
pub(crate) struct Post {
    target: String,
    form: Form,
    url: Option<String>,
    token: String,
    headers: Vec<(String, String)>,
}

impl Post {
    pub(crate) fn to(target: &str, parameters: &[(&str, &str)]) -> Self {
        let usual = [("CallSid", "CA1"), ("AccountSid", ACCOUNT), ("From", "+15550100000")];
        Self {
            target: target.to_owned(),
            form: usual.iter().chain(parameters).copied().collect(),
            url: None,
            token: TOKEN.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn saying(company: &str, words: &str) -> Self {
        Self::to(&respond(company), &[("SpeechResult", words)])
    }

    fn signed_for(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    pub(crate) fn signed_with(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn send(self, app: &TestApp) -> Reply {
        let url = self.url.unwrap_or_else(|| format!("{PUBLIC}{}", self.target));
        let mut request = Request::post(&self.target)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
            .header(header::HOST, "internal.invalid");
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE_HEADER))
        {
            request = request.header(SIGNATURE_HEADER, sign(&self.token, &url, &self.form));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        app.send(request.body(Body::from(self.form.encode())).unwrap()).await
    }
}

fn respond(company: &str) -> String {
    format!("/api/twilio/v2-agent-respond/{}", company.rsplit('/').next().unwrap())
}

/// A company with a token and one scenario; gives its path.
pub(crate) async fn company(app: &TestApp) -> String {
    let template = app.template(&["sesame"]).await;
    let document = json!({ "name": "Acme", "phone": "+15551234567",
        "twilio": { "accountSid": ACCOUNT, "authToken": TOKEN },
        "aiAgentSettings": { "templateReferences": [template] } });
    let made = app.post("/api/v1/companies", document).await;
    made.ok(201);
    made.header("location").unwrap().to_owned()
}

#[track_caller]
pub(crate) fn spoken(reply: &Reply) -> String {
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/xml; charset=utf-8"))
    );
    reply.text()
}

/// The details of the only notification of that code, once it is stored.
pub(crate) async fn notified(app: &TestApp, code: &str) -> serde_json::Value {
    for _ in 0..300 {
        let all = app.get("/api/v1/notifications").await.ok(200);
        if let Some(found) = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["code"] == code)
        {
            return found.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no notification {code}");
}

#[tokio::test]
async fn a_signed_webhook_is_answered_with_twiml() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let reply = spoken(&Post::saying(&company, "sesame").send(&app).await);
    assert!(reply.contains(">Yes.</Say>") && reply.contains("<Gather"), "{reply}");
}

#[tokio::test]
async fn what_is_not_signed_by_the_company_gets_403() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let say = || Post::saying(&company, "sesame");
    let http = format!("http://fd.example.test{}", respond(&company));
    let host = format!("https://internal.invalid{}", respond(&company));
    for (what, post) in [
        ("another token", say().signed_with("another")),
        ("no signature", say().header(SIGNATURE_HEADER, "")),
        ("junk", say().header(SIGNATURE_HEADER, "NOT a signature")),
        ("another scheme", say().signed_for(&http)),
        ("the host of the request", say().signed_for(&host)),
        (
            "another account",
            Post::to(&respond(&company), &[])
                .header("x", "y")
                .tampered("AccountSid", "AC2"),
        ),
    ] {
        let refused = post.send(&app).await;
        assert_eq!(refused.status, 403, "{what}");
        assert!(
            !refused.text().contains('{') && !refused.text().contains("Acme"),
            "{what}"
        );
    }
}

impl Post {
    /// Replaces a parameter before the webhook is signed.
    fn tampered(mut self, name: &str, value: &str) -> Self {
        let pairs: Vec<_> = self
            .form
            .pairs()
            .filter(|(own, _)| *own != name)
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        self.form = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .chain([(name, value)])
            .collect();
        self
    }
}

#[tokio::test]
async fn the_query_is_verified_as_it_was_sent() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    for query in ["a=it's&b=@*", "a=%3A%7e", "a=1&a=2", "x=", "a=%C3%B1+b"] {
        let target = format!("{}?{query}", respond(&company));
        let post = || Post::to(&target, &[("SpeechResult", "sesame")]);
        assert_eq!(post().send(&app).await.status, 200, "{query}");
        let with_port = format!("https://fd.example.test:443{target}");
        assert_eq!(post().signed_for(&with_port).send(&app).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn previous_tokens_and_shared_keys_are_accepted_while_they_are_set() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let keys = json!({ "twilio": { "previousAuthToken": "old", "sharedKeys": [{ "id": "k1", "secret": "shared" }] } });
    app.patch(&company, keys).await.ok(200);
    let say = || Post::saying(&company, "sesame");
    assert_eq!(say().signed_with("old").send(&app).await.status, 200);
    let by_key = |secret: &str, settings: &str| {
        let post = say();
        let signature = sign_with_shared_key(secret, &format!("{PUBLIC}{}", post.target), &post.form);
        post.header(SIGNATURE_HEADER, &signature)
            .header(SETTINGS_HEADER, settings)
    };
    assert_eq!(by_key("shared", &settings_header("k1")).send(&app).await.status, 200);
    assert_eq!(by_key("shared", &settings_header("k2")).send(&app).await.status, 403);
    assert_eq!(by_key("wrong", &settings_header("k1")).send(&app).await.status, 403);
    app.patch(&company, json!({ "twilio": { "previousAuthToken": null } }))
        .await
        .ok(200);
    assert_eq!(say().signed_with("old").send(&app).await.status, 403);
}

#[tokio::test]
async fn a_path_that_does_not_decode_is_refused_as_any_other() {
    let app = TestApp::start().await;
    let request = Request::post("/api/twilio/v2-agent-respond/%ff")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let refused = app.send(request.body(Body::from("CallSid=CA1")).unwrap()).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let body = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::post(respond(&company)).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(app.send(request.body(body).unwrap()).await.status, 403);
}

#[tokio::test]
async fn other_bodies_and_methods_are_refused() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let target = respond(&company);
    for (kind, body) in [
        ("application/json", "{}".to_owned()),
        ("multipart/form-data", String::new()),
        ("application/x-www-form-urlencoded", "a=%zz".to_owned()),
        ("application/x-www-form-urlencoded", "a=%ff".to_owned()),
        ("application/x-www-form-urlencoded", format!("a={}", "x".repeat(70_000))),
    ] {
        let request = Request::post(&target).header(header::CONTENT_TYPE, kind);
        assert_eq!(
            app.send(request.body(Body::from(body)).unwrap()).await.status,
            403,
            "{kind}"
        );
    }
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let request = Request::builder()
            .method(method)
            .uri(&target)
            .body(Body::empty())
            .unwrap();
        let refused = app.send(request).await;
        assert_eq!(refused.status, 405, "{method}");
        assert!(!refused.text().contains('{'), "no JSON on voice routes");
    }
}

#[tokio::test]
async fn unknown_companies_are_refused_like_wrong_signatures_and_apologised_to_the_platform() {
    let app = TestApp::start_with_platform_token(Some("platform"), true).await;
    let company = company(&app).await;
    let unknown = "/api/v1/companies/507f1f77bcf86cd799439099";
    let refused = Post::saying(unknown, "hello").send(&app).await;
    let wrong = Post::saying(&company, "hello").signed_with("wrong").send(&app).await;
    assert_eq!((refused.status, refused.text()), (wrong.status, wrong.text()));
    let apology = spoken(&Post::saying(unknown, "hello").signed_with("platform").send(&app).await);
    assert!(
        apology.contains("take your call right now") && apology.contains("<Hangup/>"),
        "{apology}"
    );
    notified(&app, "PRODUCTION_AI_COMPANY_NOT_FOUND").await;
    let not_an_id = spoken(
        &Post::saying("/x/not-an-id", "I smell gas")
            .signed_with("platform")
            .send(&app)
            .await,
    );
    assert!(not_an_id.contains("leave the building"), "{not_an_id}");
    let other = Post::saying(&company, "hello").signed_with("platform").send(&app).await;
    assert_eq!(
        other.status, 403,
        "a company with tokens of its own is not verified with the platform's"
    );
}

#[tokio::test]
async fn without_verification_everything_is_answered() {
    let app = TestApp::start_with_platform_token(None, false).await;
    let company = company(&app).await;
    spoken(
        &Post::saying(&company, "sesame")
            .signed_with("whatever")
            .send(&app)
            .await,
    );
    spoken(
        &Post::saying("/x/507f1f77bcf86cd799439099", "hello")
            .signed_with("whatever")
            .send(&app)
            .await,
    );
}

#[tokio::test]
async fn a_refused_signature_tells_the_operator_the_likely_fix() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let http = format!("http://fd.example.test{}", respond(&company));
    for _ in 0..3 {
        Post::saying(&company, "my words").signed_for(&http).send(&app).await;
    }
    let found = notified(&app, "PRODUCTION_AI_SIGNATURE_REJECTED").await;
    assert_eq!(found["companyId"].as_str(), company.rsplit('/').next());
    let text = found.to_string();
    assert!(
        text.contains("https://fd.example.test/api/twilio") && !text.contains("my words"),
        "{text}"
    );
}

#[tokio::test]
async fn a_recorded_message_is_kept_once_and_thanked_for() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let target = format!("/api/twilio/message/{}", company.rsplit('/').next().unwrap());
    let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";
    let recording = [
        ("RecordingSid", "RE1"),
        ("RecordingUrl", url),
        ("RecordingDuration", "7"),
    ];
    for _ in 0..2 {
        let thanks = spoken(&Post::to(&target, &recording).send(&app).await);
        assert!(thanks.contains("<Say") && thanks.contains("<Hangup/>"), "{thanks}");
    }
    let report: Vec<_> = recording
        .into_iter()
        .chain([("RecordingStatus", "completed")])
        .collect();
    assert!(spoken(&Post::to(&target, &report).send(&app).await).ends_with("<Response/>"));
    let foreign = [("RecordingSid", "RE2"), ("RecordingUrl", "https://evil.example/x.wav")];
    spoken(&Post::to(&target, &foreign).send(&app).await);
    let messages = app.get(&format!("{company}/messages")).await.ok(200);
    let items = messages["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{messages}");
    let of = |sid: &str| items.iter().find(|item| item["recordingSid"] == sid).unwrap();
    assert_eq!(
        (&of("RE1")["recordingUrl"], &of("RE1")["from"], &of("RE1")["callId"]),
        (&json!(url), &json!("+15550100000"), &json!("CA1"))
    );
    assert_eq!(of("RE2")["recordingUrl"], json!(null));
    notified(&app, "PRODUCTION_AI_MESSAGE_TAKEN").await;
}

#[tokio::test]
async fn a_status_report_needs_no_answer() {
    let app = TestApp::start().await;
    let company = company(&app).await;
    let target = format!("/api/twilio/status/{}", company.rsplit('/').next().unwrap());
    let reply = spoken(&Post::to(&target, &[("CallStatus", "completed")]).send(&app).await);
    assert!(reply.ends_with("<Response/>"), "{reply}");
}
