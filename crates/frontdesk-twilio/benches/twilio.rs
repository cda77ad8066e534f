//! What one webhook costs: reading its form, verifying its signature, writing the answer.

#![expect(clippy::expect_used, reason = "a benchmark without its input has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use frontdesk_twilio::form::Form;
use frontdesk_twilio::signature::{Payload, PublicUrl, SignedRequest, Verifier, sign};
use frontdesk_twilio::twiml::{Gather, Prompt, Response, Say, Verb};
use frontdesk_twilio::webhook::TurnParameters;

const TOKEN: &str = "1c892n40nd03kdnc0112slzkl3091j20";

/// A turn of twelve parameters, sealed state in the query.
fn webhook() -> (String, Form) {
    let target = format!(
        "/api/twilio/v2-agent-respond/507f1f77bcf86cd799439011?s={}",
        "Ab3_".repeat(60)
    );
    let form = Form::from_iter([
        ("AccountSid", "AC9a9f9392a0d99d0a0a0b0c0d0e0f0102"),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", "CAd800bb12c0426a7ea4230e492fef2a4f"),
        ("CallStatus", "in-progress"),
        ("Called", "+15306384866"),
        ("Caller", "+15306666666"),
        ("Confidence", "0.91234"),
        ("Direction", "inbound"),
        ("From", "+15306666666"),
        ("Language", "en-US"),
        ("SpeechResult", "my furnace is making a loud noise and there is no heat"),
        ("To", "+15306384866"),
    ]);
    (target, form)
}

fn bench(criterion: &mut Criterion) {
    let (target, form) = webhook();
    let body = form.encode();
    criterion.bench_function("parse a form of 12 parameters", |bencher| {
        bencher.iter(|| Form::parse(black_box(body.as_bytes())));
    });
    criterion.bench_function("name the parameters of a turn", |bencher| {
        bencher.iter(|| TurnParameters::of(black_box(&form)).said().map(str::len));
    });

    let public = PublicUrl::parse("https://frontdesk.example.com").expect("a URL");
    let verifier = Verifier::new(Some(TOKEN));
    let signature = sign(TOKEN, &public.url_of(&target), &form);
    let request = SignedRequest {
        target: &target,
        payload: Payload::Form(&form),
        signature: Some(signature.as_bytes()),
        settings: None,
    };
    assert!(verifier.verify(&public, &request).is_ok());
    criterion.bench_function("verify a right signature", |bencher| {
        bencher.iter(|| verifier.verify(black_box(&public), black_box(&request)).is_ok());
    });
    let wrong = SignedRequest {
        signature: Some(b"RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ..request
    };
    criterion.bench_function("refuse a wrong signature", |bencher| {
        bencher.iter(|| verifier.verify(black_box(&public), black_box(&wrong)).is_ok());
    });
    criterion.bench_function("diagnose a wrong signature", |bencher| {
        bencher.iter(|| verifier.diagnose(&public, black_box(&wrong), &["internal.invalid:3000"]));
    });

    let answer = Response {
        verbs: vec![Verb::Gather(Gather {
            action: (&*target).into(),
            speech_timeout: Some(3),
            timeout: Some(5),
            language: Some("en-US".into()),
            action_on_empty_result: true,
            prompts: vec![Prompt::Say(Say {
                text: "I'm sorry to hear that. A technician can be with you between eight and ten tomorrow. Shall I book it?".into(),
                voice: Some("Polly.Joanna-Neural".into()),
                language: Some("en-US".into()),
            })],
            ..Gather::default()
        })],
    };
    criterion.bench_function("write a usual document", |bencher| {
        bencher.iter(|| black_box(&answer).to_xml());
    });
    let long = "Bread & butter. ".repeat(5_000);
    let long = Response {
        verbs: vec![Verb::Say((&*long).into())],
    };
    criterion.bench_function("cut a document of 80 kB", |bencher| {
        bencher.iter(|| black_box(&long).to_xml());
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
