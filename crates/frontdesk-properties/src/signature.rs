//! The headers that prove who sent a request.

use frontdesk_twilio::{
    form::Form,
    signature::{
        Payload, PublicUrl, Refusal, SignedRequest, Verified, VerifiedBy, Verifier, settings_header, sign,
        sign_with_shared_key,
    },
};

const PUBLIC: &str = "https://fd.example.test";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
const KEY: (&str, &str) = ("key-1", "a shared secret of the second scheme");

/// Of a signature header, a settings header, a request target (a line each) and a body: they verify only if one of the
/// secrets signed just that; what is signed verifies; and nothing of it can be changed then.
///
/// # Panics
/// That does not hold.
pub fn holds(input: &[u8]) {
    let mut lines = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (signature, settings, target, body) = (line(), line(), line(), line());
    let Ok(public) = PublicUrl::parse(PUBLIC) else {
        panic!("{PUBLIC} is a public URL")
    };
    let verifier = Verifier::new(Some(TOKEN))
        .with_previous(Some(PREVIOUS))
        .with_shared_key(KEY.0, KEY.1);
    let target = String::from_utf8_lossy(target);
    let form = Form::parse(body).unwrap_or_default();
    for payload in [Payload::Form(&form), Payload::Json(body)] {
        let signed_form = match payload {
            Payload::Form(form) => form,
            Payload::Json(_) => &Form::default(),
        };
        for settings in [None, Some(settings)] {
            let request = SignedRequest {
                target: &target,
                payload,
                signature: Some(signature),
                settings,
            };
            let decision = verifier.verify(&public, &request);
            if let Ok(Verified { by }) = decision {
                let made = signatures(by, &target, signed_form);
                assert!(
                    made.iter().any(|made| made.as_bytes() == signature),
                    "{by:?} signed something else"
                );
            }
            let named = verifier.diagnose(&public, &request, &["fd.example.test:8443", &target]);
            assert!(
                named.is_none() || decision == Err(Refusal::Mismatch),
                "{decision:?} {named:?}"
            );
        }
    }
    signed_requests_verify(&public, &verifier, &target, &form);
    if let Ok(text) = str::from_utf8(signature)
        && let Ok(url) = PublicUrl::parse(text)
    {
        assert_eq!(
            PublicUrl::parse(url.as_str()).as_ref(),
            Ok(&url),
            "a public URL is read back"
        );
    }
}

/// What this secret makes of the request, whichever of the allowed spellings of its URL was signed.
fn signatures(by: VerifiedBy<'_>, target: &str, form: &Form) -> Vec<String> {
    let plain = target.split('#').next().unwrap_or_default();
    let (path, query) = plain.split_once('?').map_or((plain, ""), |(path, query)| (path, query));
    let paths = [path, path.strip_suffix(';').unwrap_or(path)];
    let mut made = Vec::new();
    for authority in [PUBLIC.to_owned(), format!("{PUBLIC}:443")] {
        for path in paths {
            let question = if query.is_empty() { "" } else { "?" };
            let url = format!("{authority}{path}{question}{query}");
            made.push(match by {
                VerifiedBy::Current => sign(TOKEN, &url, form),
                VerifiedBy::Previous => sign(PREVIOUS, &url, form),
                VerifiedBy::SharedKey(_) => sign_with_shared_key(KEY.1, &url, form),
            });
        }
    }
    made
}

fn signed_requests_verify(public: &PublicUrl, verifier: &Verifier, target: &str, form: &Form) {
    let url = format!("{PUBLIC}{target}");
    let named = settings_header(KEY.0);
    let ways = [
        (VerifiedBy::Current, sign(TOKEN, &url, form), None),
        (VerifiedBy::Previous, sign(PREVIOUS, &url, form), None),
        (
            VerifiedBy::SharedKey(KEY.0),
            sign_with_shared_key(KEY.1, &url, form),
            Some(named.as_bytes()),
        ),
    ];
    for (by, signature, settings) in ways {
        let decide = |target: &str, form: &Form, signature: &str, settings| {
            let request = SignedRequest {
                target,
                payload: Payload::Form(form),
                signature: Some(signature.as_bytes()),
                settings,
            };
            verifier
                .verify(public, &request)
                .map(|verified| format!("{:?}", verified.by))
        };
        let decision = decide(target, form, &signature, settings);
        // A `?` or `;` that nothing follows is signed by some and not by others: both sides drop it before they sign.
        let plain = target.split('#').next().unwrap_or_default();
        let is_usual = plain.starts_with('/')
            && !plain.contains(|c: char| c.is_ascii_control() || c == ';')
            && !plain.ends_with('?');
        match decision {
            Ok(found) => assert_eq!(found, format!("{by:?}")),
            Err(refusal) => assert!(!is_usual, "{by:?}: {refusal}"),
        }
        if !is_usual {
            continue;
        }
        let mut longer = form.clone();
        longer.push("Added", "later");
        let flipped = flipped(&signature);
        let changes = [
            decide(target, &longer, &signature, settings),
            decide(&format!("/x{plain}"), form, &signature, settings),
            decide(target, form, &flipped, settings),
            decide(target, form, signature.get(1..).unwrap_or_default(), settings),
            decide(target, form, &signature, Some(b"key=key-2,algorithm=HMAC_SHA256")),
        ];
        for (place, change) in changes.iter().enumerate() {
            assert!(change.is_err(), "{by:?}: change {place} is accepted");
        }
    }
}

/// The signature with another first character.
fn flipped(signature: &str) -> String {
    let rest = signature.get(1..).unwrap_or_default();
    format!("{}{rest}", if signature.starts_with('A') { 'B' } else { 'A' })
}
