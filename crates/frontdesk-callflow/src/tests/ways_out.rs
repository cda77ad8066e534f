//! Ways out of a call: a person, a message, the end.

use frontdesk_domain::{alert::AlertCode, documents::Mode};
use serde_json::{Value, json};

use super::document::{self, attribute, dialled, hangs_up, outline, said};
use super::faults::{Fault, Part};
use super::scene::{COMPANY, DESTINATION, Scene};

#[tokio::test]
async fn a_suspended_company_says_so_and_a_forwarding_one_dials() {
    let scene = Scene::new(json!({ "status": "suspended" })).await;
    let document = scene.call("CA1").says("what are your hours").await;
    assert!(
        said(&document).contains("isn't taking calls") && document.contains("<Hangup/>"),
        "{document}"
    );
    let scene = Scene::new(json!({ "status": "forward", "forwardNumber": "+19375550188" })).await;
    let document = scene.call("CA1").post(&[]).await;
    assert!(
        document.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial"),
        "{document}"
    );
    assert!(document.contains(">+19375550188</Number>"), "{document}");
}

#[tokio::test]
async fn an_action_is_carried_out() {
    let scene = Scene::new(json!({})).await;
    let message = scene.call("CA1").says("schedule a visit").await;
    let action = format!("action=\"/api/twilio/message/{COMPANY}?s=");
    assert!(
        message.contains("<Record") && message.contains(&action) && !message.contains("<Gather"),
        "{message}"
    );
    let transfer = scene.call("CA2").says("let me talk to a person").await;
    let dial = transfer.find(&format!(">{DESTINATION}</Number>")).expect(&transfer);
    assert!(
        transfer[dial..].contains("<Record"),
        "what follows the dial is the message: {transfer}"
    );
    let bye = scene.call("CA3").says("goodbye then").await;
    assert!(
        bye.ends_with("<Hangup/></Response>") && !bye.contains("<Gather"),
        "{bye}"
    );
}

#[tokio::test]
async fn a_transfer_goes_to_the_first_destination_that_is_open_and_else_becomes_a_message() {
    let closed = json!({ "name": "Day", "number": "+19375550101", "hours": "sat 09:00-10:00" });
    let open = json!({ "name": "On call", "number": "+19375550102", "hours": "mon-fri 08:00-18:00" });
    let scene = Scene::new(json!({ "transfer": { "destinations": [closed, open] } })).await;
    let document = scene.call("CA1").says("let me talk to a person").await;
    assert!(
        document.contains(">+19375550102</Number>") && !document.contains("+19375550101"),
        "{document}"
    );
    let scene = Scene::new(json!({ "transfer": { "destinations": [closed] } })).await;
    let document = scene.call("CA1").says("let me talk to a person").await;
    assert!(
        !document.contains("<Dial") && document.contains("<Record"),
        "{document}"
    );
}

const FIRST: &str = "+19375550101";
const SECOND: &str = "+19375550102";

/// Two people at all hours.
fn two() -> Value {
    json!({ "transfer": { "destinations": [
        { "name": "One", "number": FIRST, "hours": "always" },
        { "name": "Two", "number": SECOND, "hours": "always" },
    ] } })
}

#[tokio::test]
async fn who_is_not_reached_is_followed_by_the_next_and_the_last_by_a_message() {
    let results: [&[(&str, &str)]; 9] = [
        &[("DialCallStatus", "busy")],
        &[("DialCallStatus", "no-answer")],
        &[("DialCallStatus", "failed")],
        &[("DialCallStatus", "declined")],
        &[("DialCallStatus", "something new")],
        &[("DialCallStatus", "")],
        &[],
        &[("DialCallStatus", "completed"), ("DialBridged", "false")],
        &[
            ("DialCallStatus", "answered"),
            ("DialBridged", "false"),
            ("DialCallDuration", "9"),
        ],
    ];
    let scene = Scene::new(two()).await;
    for (number, result) in results.into_iter().enumerate() {
        let mut call = scene.call(&format!("CA{number}"));
        let document = call.says("operator").await;
        assert_eq!(dialled(&document).as_deref(), Some(FIRST), "{document}");
        let document = call.dial_result(result).await;
        assert_eq!(dialled(&document).as_deref(), Some(SECOND), "{result:?} {document}");
        assert!(!said(&document).is_empty());
        let document = call.dial_result(result).await;
        assert!(
            dialled(&document).is_none() && document.contains("<Record"),
            "{result:?} {document}"
        );
        assert!(said(&document).contains("after the tone"), "{document}");
        let thanks = call
            .message(&[("RecordingSid", &format!("RE{number}")), ("RecordingDuration", "5")])
            .await;
        assert!(hangs_up(&thanks), "{thanks}");
        let outcomes: Vec<_> = scene
            .records(&call.sid, 3)
            .await
            .iter()
            .map(|record| record["outcome"].clone())
            .collect();
        assert_eq!(outcomes, ["transfer", "transfer", "message"]);
    }
    assert_eq!(scene.messages().await.len(), 9);
    assert_eq!(scene.raised(AlertCode::MessageTaken), 9);
}

#[tokio::test]
async fn nobody_is_dialled_twice_in_a_call() {
    let scene = Scene::new(two()).await;
    let mut call = scene.call("CA1");
    call.says("operator").await;
    call.dial_result(&[("DialCallStatus", "busy")]).await;
    call.dial_result(&[("DialCallStatus", "busy")]).await;
    call.message(&[("RecordingSid", "RE1"), ("RecordingDuration", "0")])
        .await;
    for words in [
        "operator",
        "let me talk to a person",
        "the eagle told the parrot",
        "the parrot told the eagle",
    ] {
        let document = call.says(words).await;
        assert_eq!(dialled(&document), None, "{words} {document}");
    }
    let document = call.says("I smell gas in my kitchen").await;
    assert_eq!(dialled(&document), None, "{document}");
}

#[tokio::test]
async fn the_same_dial_result_dials_the_same_person() {
    let scene = Scene::new(two()).await;
    let mut call = scene.call("CA1");
    call.says("operator").await;
    let mut again = call.clone();
    let document = call.dial_result(&[("DialCallStatus", "busy")]).await;
    assert_eq!(again.dial_result(&[("DialCallStatus", "busy")]).await, document);
    assert_eq!(scene.records("CA1", 2).await.len(), 2);
}

#[tokio::test]
async fn whoever_has_talked_hears_a_goodbye() {
    let scene = Scene::new(two()).await;
    for (number, result) in [
        [("DialCallStatus", "completed"), ("DialBridged", "true")],
        [("DialCallStatus", "completed"), ("DialCallDuration", "61")],
        [("DialCallStatus", "answered"), ("DialBridged", "true")],
        [("DialCallStatus", "canceled"), ("DialBridged", "false")],
    ]
    .into_iter()
    .enumerate()
    {
        let mut call = scene.call(&format!("CA{number}"));
        call.says("operator").await;
        let document = call.dial_result(&result).await;
        assert!(
            hangs_up(&document) && dialled(&document).is_none(),
            "{result:?} {document}"
        );
    }
}

#[tokio::test]
async fn a_dialled_person_sees_who_calls_and_has_to_press_a_key() {
    let scene = Scene::new(two()).await;
    for (sid, from, shown) in [
        ("CA1", "+15550100000", "+15550100000"),
        ("CA2", "anonymous", "+19375559011"),
        ("CA3", "+266696687", "+19375559011"),
        ("CA4", "client:web", "+19375559011"),
    ] {
        let document = scene.call(sid).from(from).says("operator").await;
        assert_eq!(
            attribute(&document, "Dial", "callerId").as_deref(),
            Some(shown),
            "{from}"
        );
        let whisper = attribute(&document, "Number", "url").unwrap();
        assert!(whisper.starts_with("/api/twilio/whisper/"), "{whisper}");
        assert!(attribute(&document, "Dial", "timeout").is_some());
        assert_eq!(attribute(&document, "Dial", "answerOnBridge").as_deref(), Some("true"));
    }
}

#[tokio::test]
async fn a_forwarded_call_is_dialled_plainly_and_its_failure_becomes_a_message() {
    let scene = Scene::new(json!({ "status": "forward", "forwardNumber": "+19375550188",
        "transfer": { "destinations": [] } }))
    .await;
    let mut call = scene.call("CA1");
    let document = call.voice().await;
    assert_eq!(outline(&document).split(' ').next(), Some("Dial"), "{document}");
    assert_eq!(dialled(&document).as_deref(), Some("+19375550188"));
    assert_eq!(attribute(&document, "Number", "url"), None, "no whisper: {document}");
    let mut other = call.clone();
    let document = call.dial_result(&[("DialCallStatus", "no-answer")]).await;
    assert!(
        dialled(&document).is_none() && document.contains("<Record"),
        "{document}"
    );
    let thanks = call
        .message(&[("RecordingSid", "RE1"), ("RecordingDuration", "5")])
        .await;
    assert!(hangs_up(&thanks));
    other.sid = "CA2".into();
    other.dial_target = other.dial_target.split('?').next().unwrap().to_owned();
    let document = other
        .dial_result(&[("DialCallStatus", "completed"), ("DialBridged", "true")])
        .await;
    assert!(hangs_up(&document), "{document}");
}

#[tokio::test]
async fn a_number_that_calls_are_forwarded_to_is_dialled_once_whatever_else_comes() {
    let scene = Scene::new(json!({ "status": "forward", "forwardNumber": "+19375550188",
        "transfer": { "destinations": [] } }))
    .await;
    let mut call = scene.call("CA1");
    let document = call.voice().await;
    assert_eq!(dialled(&document).as_deref(), Some("+19375550188"));
    let (_, state) = call.dial_target.split_once('?').unwrap();
    call.target = format!("{}?{state}", call.target);
    let document = call.says("hello").await;
    assert!(
        dialled(&document).is_none() && document.contains("<Record"),
        "{document}"
    );
}

#[tokio::test]
async fn a_suspended_company_dials_nobody_but_for_danger() {
    let mut change = two();
    change["status"] = json!("suspended");
    let scene = Scene::new(change).await;
    for words in ["operator", "what are your hours"] {
        let document = scene.call(words).says(words).await;
        assert!(hangs_up(&document) && dialled(&document).is_none(), "{document}");
    }
    assert!(hangs_up(&scene.call("CA1").voice().await));
    let mut call = scene.call("CA2");
    let document = call.says("I smell gas in my kitchen").await;
    if dialled(&document).is_some() {
        let next = call.dial_result(&[("DialCallStatus", "busy")]).await;
        assert!(!hangs_up(&next), "a transfer for danger goes on: {next}");
    }
}

#[tokio::test]
async fn a_transfer_for_danger_goes_on_although_the_company_is_suspended() {
    let mut change = two();
    change["status"] = json!("suspended");
    let scene = Scene::new(change).await;
    let mut call = scene.call("CA1");
    let document = call.says("my father collapsed and is not breathing").await;
    let document = if dialled(&document).is_some() {
        document
    } else {
        call.says("there is water coming out of the breaker panel").await
    };
    assert_eq!(dialled(&document).as_deref(), Some(FIRST), "{document}");
    let document = call.dial_result(&[("DialCallStatus", "busy")]).await;
    assert_eq!(dialled(&document).as_deref(), Some(SECOND), "{document}");
    let document = call.dial_result(&[("DialCallStatus", "busy")]).await;
    assert!(document.contains("<Record"), "{document}");
}

#[tokio::test]
async fn premium_and_foreign_numbers_are_never_dialled_although_they_were_stored() {
    let numbers = ["+19005550101", "+442071838750", "+881612345678"];
    let destinations: Vec<_> = numbers
        .iter()
        .map(|number| json!({ "name": "Old", "number": number, "hours": "always" }))
        .collect();
    for status in ["active", "forward", "suspended"] {
        let scene = Scene::empty();
        let change = json!({ "status": status, "forwardNumber": numbers[0], "transfer": { "destinations": destinations },
            "aiAgentSettings": { "templateReferences": [] } });
        scene.company_as(Mode::Stored, COMPANY, change).await;
        let mut call = scene.call("CA1");
        let mut documents = vec![call.voice().await];
        for words in [
            "operator",
            "I smell gas in my kitchen",
            "the eagle told the parrot",
            "the parrot told the eagle",
        ] {
            documents.push(scene.call(words).says(words).await);
        }
        let tenant = scene.tenant(COMPANY).await;
        documents.push(scene.flow.fallback_document(&tenant));
        documents.push(crate::speech::emergency(&tenant, scene.now(), &[]));
        for document in documents {
            assert_eq!(dialled(&document), None, "{status} {document}");
            assert!(!said(&document).is_empty());
        }
    }
}

#[tokio::test]
async fn a_number_of_an_allowed_country_is_dialled() {
    let change = json!({ "transfer": { "allowedCountries": ["GB"],
        "destinations": [{ "name": "London", "number": "+442071838750", "hours": "always" }] } });
    let scene = Scene::new(change).await;
    let document = scene.call("CA1").says("operator").await;
    assert_eq!(dialled(&document).as_deref(), Some("+442071838750"), "{document}");
}

#[tokio::test]
async fn an_empty_message_is_followed_by_a_call_back_or_an_end() {
    for offers_callback in [true, false] {
        let mut change = json!({ "aiAgentLogic": { "fallbackResponses": { "escalationOptions": {
            "offerTransfer": false, "offerMessage": true, "offerCallback": offers_callback } } } });
        change["transfer"] = json!({ "destinations": [] });
        let scene = Scene::new(change).await;
        let mut call = scene.call("CA1");
        let document = call.says("operator").await;
        assert!(document.contains("<Record"), "{document}");
        let document = call
            .message(&[("RecordingSid", "RE1"), ("RecordingDuration", "0")])
            .await;
        if offers_callback {
            assert!(said(&document).contains("call you back?"), "{document}");
        } else {
            assert!(hangs_up(&document), "{document}");
        }
        let report = [
            ("RecordingSid", "RE1"),
            ("RecordingDuration", "0"),
            ("RecordingStatus", "completed"),
        ];
        assert!(call.message(&report).await.ends_with("<Response/>"));
        assert_eq!(scene.messages().await.len(), 0, "nothing was said");
        assert_eq!(scene.raised(AlertCode::MessageTaken), 0);
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_is_asked_for_once_more_and_never_thanked_for() {
    let scene = Scene::new(two()).await;
    let mut call = scene.call("CA1");
    call.says("schedule a visit").await;
    for fault in [Fault::Fails, Fault::Panics] {
        scene.breaks(Part::Messages, fault);
        let mut call = call.clone();
        let recording = [("RecordingSid", "RE1"), ("RecordingDuration", "5")];
        let again = call.message(&recording).await;
        assert!(
            again.contains("<Record") && !said(&again).contains("will call you back"),
            "{again}"
        );
        let given_up = call.message(&recording).await;
        assert!(
            !given_up.contains("<Record") && !said(&given_up).contains("will call you back"),
            "{given_up}"
        );
        assert_eq!(dialled(&given_up).as_deref(), Some(FIRST), "{given_up}");
    }
    assert!(scene.alerts().contains(&AlertCode::DatabaseError));
    // Whoever was dialled before is not dialled again.
    let mut call = scene.call("CA2");
    call.says("operator").await;
    for _ in 0..2 {
        call.dial_result(&[("DialCallStatus", "busy")]).await;
    }
    call.message(&[("RecordingSid", "RE2"), ("RecordingDuration", "5")])
        .await;
    let given_up = call
        .message(&[("RecordingSid", "RE3"), ("RecordingDuration", "5")])
        .await;
    assert_eq!(dialled(&given_up), None, "{given_up}");
    assert!(hangs_up(&given_up), "{given_up}");
    scene.breaks(Part::Messages, Fault::None);
    assert_eq!(scene.messages().await.len(), 0);
}

#[tokio::test]
async fn a_recording_is_one_message_however_often_it_is_told() {
    let scene = Scene::new(two()).await;
    let mut call = scene.call("CA1");
    call.says("schedule a visit").await;
    let target = call.message_target.clone();
    let recording = [("RecordingSid", "RE1"), ("RecordingDuration", "5")];
    let report = [
        ("RecordingSid", "RE1"),
        ("RecordingDuration", "5"),
        ("RecordingStatus", "completed"),
    ];
    for _ in 0..3 {
        call.message_target.clone_from(&target);
        let thanks = call.message(&recording).await;
        assert!(hangs_up(&thanks) && said(&thanks).contains("call you back"), "{thanks}");
        let report = call.message(&report).await;
        assert!(report.ends_with("<Response/>"), "{report}");
    }
    assert_eq!(scene.messages().await.len(), 1);
    assert_eq!(scene.raised(AlertCode::MessageTaken), 1);
}

#[tokio::test]
async fn a_recording_that_is_not_at_twilio_is_a_message_without_audio() {
    let scene = Scene::new(two()).await;
    for (number, (url, is_kept)) in [
        ("https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1", true),
        (
            "https://api.twilio.com.example/2010-04-01/Accounts/AC1/Recordings/RE1",
            false,
        ),
        ("http://169.254.169.254/latest/meta-data", false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut call = scene.call(&format!("CA{number}"));
        call.says("schedule a visit").await;
        let (sid, seconds) = (format!("RE{number}"), ("RecordingDuration", "5"));
        let thanks = call
            .message(&[("RecordingSid", &sid), seconds, ("RecordingUrl", url)])
            .await;
        assert!(said(&thanks).contains("call you back"), "{thanks}");
        let messages = scene.messages().await;
        let kept = messages
            .iter()
            .find(|message| message.recording_sid.as_deref() == Some(&*sid));
        assert_eq!(kept.unwrap().recording_url.is_some(), is_kept, "{url}");
    }
}

#[tokio::test]
async fn the_fallback_document_says_a_sentence_and_dials_without_this_service() {
    let scene = Scene::new(two()).await;
    let tenant = scene.tenant(COMPANY).await;
    let document = scene.flow.fallback_document(&tenant);
    document::check(&document);
    assert!(
        !said(&document).is_empty() && document.ends_with("<Hangup/></Response>"),
        "{document}"
    );
    assert_eq!(dialled(&document).as_deref(), Some(FIRST));
    assert!(
        !document.contains("/api/twilio/"),
        "nothing of it comes back here: {document}"
    );
}

#[tokio::test]
async fn a_destination_is_open_by_the_clock_on_the_wall_when_clocks_change() {
    let night = json!({ "name": "Night", "number": FIRST, "hours": "sun 01:30-03:30" });
    let scene = Scene::new(json!({ "transfer": { "destinations": [night] } })).await;
    // In New York clocks go back on 1 November 2026 at 06:00 UTC, and forward on 8 March 2026 at 07:00 UTC.
    for (number, (time, is_open)) in [
        ("2026-11-01T05:29:00Z", false),
        ("2026-11-01T05:31:00Z", true),
        ("2026-11-01T06:31:00Z", true),
        ("2026-11-01T08:29:00Z", true),
        ("2026-11-01T08:31:00Z", false),
        ("2026-03-08T06:29:00Z", false),
        ("2026-03-08T06:31:00Z", true),
        ("2026-03-08T07:01:00Z", true),
        ("2026-03-08T07:31:00Z", false),
    ]
    .into_iter()
    .enumerate()
    {
        scene.is_at(time);
        let document = scene.call(&format!("CA{number}")).says("operator").await;
        assert_eq!(dialled(&document).is_some(), is_open, "{time} {document}");
    }
}
