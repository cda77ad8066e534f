use super::*;
use crate::form::Form;

mod vectors;

pub(super) const TOKEN: &str = "12345";
pub(super) const P: &[(&str, &str)] = &[
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
];
pub(super) const TARGET: &str = "/myapp.php?foo=1&bar=2";
/// Vector 1: `https://mycompany.com` + `TARGET`, `P`.
pub(super) const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
const SHA256_SIGNATURE: &str = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=";
const JSON: &[u8] = br#"{"property": "value", "boolean": true}"#;
const JSON_HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

pub(super) fn form(pairs: &[(&str, &str)]) -> Form {
    pairs.iter().copied().collect()
}

pub(super) fn public(url: &str) -> PublicUrl {
    PublicUrl::parse(url).expect(url)
}

fn request<'a>(target: &'a str, form: &'a Form, signature: &'a str) -> SignedRequest<'a> {
    SignedRequest {
        target,
        payload: Payload::Form(form),
        signature: Some(signature.as_bytes()),
        settings: None,
    }
}

/// What a company with the test token says to vector 1's request with these differences.
fn verify(base: &str, target: &str, pairs: &[(&str, &str)], signature: &str) -> Result<(), Refusal> {
    let verifier = Verifier::new(Some(TOKEN));
    verifier
        .verify(&public(base), &request(target, &form(pairs), signature))
        .map(drop)
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let base = "https://mycompany.com";
    assert_eq!(verify(base, TARGET, P, SIGNATURE), Ok(()));
    for place in 0..SIGNATURE.len() {
        let mut changed = SIGNATURE.as_bytes().to_vec();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(verify(base, TARGET, P, &changed), Err(Refusal::Mismatch), "{changed}");
    }
    for place in 1..TARGET.len() {
        let changed = format!("{}~{}", &TARGET[..place], &TARGET[place + 1..]);
        assert_eq!(
            verify(base, &changed, P, SIGNATURE),
            Err(Refusal::Mismatch),
            "{changed}"
        );
    }
    for place in 0..P.len() {
        let mut changed = P.to_vec();
        changed[place].1 = "other";
        assert_eq!(verify(base, TARGET, &changed, SIGNATURE), Err(Refusal::Mismatch));
        changed.remove(place);
        assert_eq!(verify(base, TARGET, &changed, SIGNATURE), Err(Refusal::Mismatch));
    }
}

#[test]
fn repeats_and_order_of_parameters_do_not_matter() {
    let mut pairs = P.to_vec();
    pairs.reverse();
    pairs.push(P[0]);
    assert_eq!(verify("https://mycompany.com", TARGET, &pairs, SIGNATURE), Ok(()));
}

#[test]
fn a_signature_out_of_form_is_refused() {
    let base = "https://mycompany.com";
    assert_eq!(verify(base, TARGET, P, ""), Err(Refusal::Missing));
    let lower = SIGNATURE.to_lowercase();
    assert_eq!(verify(base, TARGET, P, &lower), Err(Refusal::Mismatch));
    let malformed = [
        &format!("NOT{SIGNATURE}"),
        &SIGNATURE[1..],
        &format!(" {SIGNATURE}"),
        "ñ",
        "RSOYDt4T1cUTdK1PDd93/VVr8B =",
    ];
    for signature in malformed {
        assert_eq!(
            verify(base, TARGET, P, signature),
            Err(Refusal::Malformed),
            "{signature}"
        );
    }
    let form = form(P);
    let without = SignedRequest {
        signature: None,
        ..request(TARGET, &form, "")
    };
    assert_eq!(
        Verifier::new(Some(TOKEN)).verify(&public(base), &without),
        Err(Refusal::Missing)
    );
}

#[test]
fn the_fragment_is_not_signed() {
    let target = format!("{TARGET}#rc=3&rp=5xx");
    assert_eq!(verify("https://mycompany.com", &target, P, SIGNATURE), Ok(()));
    let signed = sign(TOKEN, &format!("https://mycompany.com{target}"), &form(P));
    assert_eq!(signed, SIGNATURE);
}

#[test]
fn a_target_cannot_continue_the_host() {
    let form = form(&[]);
    for target in [".evil.com/", "@evil.com/", ":80/", "x", "*", "/a\tb", "/a\r\nb", "/\0"] {
        let signature = sign(TOKEN, &format!("https://mycompany.com{target}"), &form);
        assert_eq!(
            verify("https://mycompany.com", target, &[], &signature),
            Err(Refusal::MalformedTarget),
            "{target}"
        );
    }
}

#[test]
fn the_query_is_taken_as_sent() {
    for target in [
        "/x?a='&b=%27",
        "/x?a=%3a%3A&a=%3a",
        "/x?@*~%7e",
        "/x?a=1&a=1",
        "/%41?%",
        "/x??",
        "/x?a=?b",
        "/a;b?c",
        "//x",
    ] {
        let signature = sign(TOKEN, &format!("https://mycompany.com{target}"), &form(P));
        assert_eq!(
            verify("https://mycompany.com", target, P, &signature),
            Ok(()),
            "{target}"
        );
        assert_eq!(
            verify("https://mycompany.com:443", target, P, &signature),
            Ok(()),
            "{target}"
        );
        let changed = target.replace('x', "%78").replace("41", "42").replace("b?", "B?");
        assert_eq!(
            verify("https://mycompany.com", &changed, P, &signature),
            Err(Refusal::Mismatch),
            "{target}"
        );
    }
}

#[test]
fn delimiters_that_nothing_follows_are_not_signed() {
    for (sent, signed) in [
        ("/x?", "/x"),
        ("/x;", "/x"),
        ("/x;?", "/x"),
        ("/a;b/x;?q", "/a;b/x?q"),
        ("/x;;", "/x;;"),
        ("/x;y;", "/x;y;"),
    ] {
        let signature = sign(TOKEN, &format!("https://mycompany.com{signed}"), &form(P));
        assert_eq!(verify("https://mycompany.com", sent, P, &signature), Ok(()), "{sent}");
    }
}

#[test]
fn a_custom_port_is_kept_and_also_dropped() {
    for signed in ["https://mycompany.com:8443/x", "https://mycompany.com/x"] {
        let signature = sign(TOKEN, signed, &form(P));
        assert_eq!(
            verify("https://mycompany.com:8443", "/x", P, &signature),
            Ok(()),
            "{signed}"
        );
    }
    let signature = sign(TOKEN, "https://mycompany.com:443/x", &form(P));
    assert_eq!(
        verify("https://mycompany.com:8443", "/x", P, &signature),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn either_token_verifies_until_it_is_withdrawn() {
    let (form, public) = (form(P), public("https://mycompany.com"));
    let request = request(TARGET, &form, SIGNATURE);
    let by = |verifier: &Verifier| {
        verifier
            .verify(&public, &request)
            .map(|verified| format!("{:?}", verified.by))
    };
    assert_eq!(
        by(&Verifier::new(Some(TOKEN)).with_previous(Some("old"))),
        Ok("Current".to_owned())
    );
    assert_eq!(
        by(&Verifier::new(Some("new")).with_previous(Some(TOKEN))),
        Ok("Previous".to_owned())
    );
    assert_eq!(by(&Verifier::new(Some("new"))), Err(Refusal::Mismatch));
    assert_eq!(by(&Verifier::new(None)), Err(Refusal::NoToken));
    assert_eq!(
        by(&Verifier::new(None).with_shared_key("k", TOKEN)),
        Err(Refusal::NoToken)
    );
}

#[test]
fn an_empty_secret_verifies_nothing() {
    let empty = Verifier::new(Some("")).with_previous(Some("")).with_shared_key("k", "");
    assert!(empty.is_empty());
    assert_eq!(sign("", "https://mycompany.com/x", &form(P)), "");
}

#[test]
fn a_settings_header_binds_key_and_algorithm() {
    let verifier = Verifier::new(Some("token"))
        .with_shared_key("other", "secret")
        .with_shared_key("k1", TOKEN);
    let (form, public) = (form(P), public("https://mycompany.com"));
    let by_key = Ok(Verified {
        by: VerifiedBy::SharedKey("k1"),
    });
    let by_token = Ok(Verified {
        by: VerifiedBy::Current,
    });
    let token_sha1 = sign("token", "https://mycompany.com/myapp.php?foo=1&bar=2", &form);
    let token_sha256 = sign_with_shared_key("token", "https://mycompany.com/myapp.php?foo=1&bar=2", &form);
    for (settings, signature, expected) in [
        (Some("key=k1,algorithm=HMAC_SHA256"), SHA256_SIGNATURE, by_key),
        (Some(" algorithm = hmac_sha256 , key = k1 ,x"), SHA256_SIGNATURE, by_key),
        (Some("key=k1,algorithm=HMAC_SHA256"), SIGNATURE, Err(Refusal::Malformed)),
        (
            Some("key=k1,algorithm=HMAC_SHA256"),
            &token_sha256,
            Err(Refusal::Mismatch),
        ),
        (
            Some("key=other,algorithm=HMAC_SHA256"),
            SHA256_SIGNATURE,
            Err(Refusal::Mismatch),
        ),
        (
            Some("key=K1,algorithm=HMAC_SHA256"),
            SHA256_SIGNATURE,
            Err(Refusal::UnknownKey),
        ),
        (Some("algorithm=HMAC_SHA256"), &token_sha256, Err(Refusal::UnknownKey)),
        (
            Some("key=k1,algorithm=HMAC_SHA1"),
            SIGNATURE,
            Err(Refusal::WrongAlgorithm),
        ),
        (Some("key=k1"), SIGNATURE, Err(Refusal::WrongAlgorithm)),
        (
            Some("key=k1,algorithm=HMAC_MD5"),
            SHA256_SIGNATURE,
            Err(Refusal::UnknownAlgorithm),
        ),
        (
            Some("key=kñ,algorithm=HMAC_SHA256"),
            SHA256_SIGNATURE,
            Err(Refusal::MalformedSettings),
        ),
        (None, SHA256_SIGNATURE, Err(Refusal::Malformed)),
        (None, SIGNATURE, Err(Refusal::Mismatch)),
        (None, &token_sha1, by_token),
        (Some(""), &token_sha1, by_token),
        (Some("key=,algorithm=HMAC_SHA1"), &token_sha1, by_token),
        (
            Some("key=unknown,algorithm=HMAC_SHA1"),
            &token_sha1,
            Err(Refusal::UnknownKey),
        ),
    ] {
        let request = SignedRequest {
            settings: settings.map(str::as_bytes),
            ..request(TARGET, &form, signature)
        };
        assert_eq!(verifier.verify(&public, &request), expected, "{settings:?} {signature}");
    }
    assert_eq!(settings_header("k1"), "key=k1,algorithm=HMAC_SHA256");
}

#[test]
fn a_body_that_is_no_form_is_bound_by_its_hash() {
    let verifier = Verifier::new(Some(TOKEN));
    let public = public("https://mycompany.com");
    let check = |target: &str, body: &[u8], expected: Result<(), Refusal>| {
        let signature = sign(TOKEN, &format!("https://mycompany.com{target}"), &form(&[]));
        let payload = Payload::Json(body);
        let request = SignedRequest {
            target,
            payload,
            signature: Some(signature.as_bytes()),
            settings: None,
        };
        assert_eq!(verifier.verify(&public, &request).map(drop), expected, "{target}");
    };
    check(&format!("/x?bodySHA256={JSON_HASH}"), JSON, Ok(()));
    check(
        &format!("/x?bodySHA256=&a=%zz&body%53HA256={JSON_HASH}&bodySHA256=0"),
        JSON,
        Ok(()),
    );
    check(
        &format!("/x?bodySHA256={}", JSON_HASH.to_uppercase()),
        JSON,
        Err(Refusal::WrongBodyHash),
    );
    check(
        &format!("/x?bodySHA256=0&bodySHA256={JSON_HASH}"),
        JSON,
        Err(Refusal::WrongBodyHash),
    );
    check(
        &format!("/x?bodySHA256={JSON_HASH}"),
        b"{}",
        Err(Refusal::WrongBodyHash),
    );
    check("/x?foo=1", JSON, Err(Refusal::NoBodyHash));
    check("/x?foo=1", b"", Ok(()));
}

#[test]
fn a_public_url_is_scheme_host_and_port() {
    for (text, shown) in [
        ("https://Host.example", "https://Host.example"),
        ("HTTPS://host/", "https://host"),
        ("http://u:p@host:8080", "http://u:p@host:8080"),
        ("wss://[::1]:443", "wss://[::1]:443"),
    ] {
        assert_eq!(public(text).as_str(), shown);
    }
    for (text, error) in [
        ("host", PublicUrlError::Scheme),
        ("ftp://host", PublicUrlError::Scheme),
        ("https://", PublicUrlError::Host),
        ("https://:443", PublicUrlError::Host),
        ("https://user@", PublicUrlError::Host),
        ("https://hö.st", PublicUrlError::Host),
        ("https://a b", PublicUrlError::Host),
        ("https://[::1", PublicUrlError::Host),
        ("https://[v]x", PublicUrlError::Host),
        ("https://h:", PublicUrlError::Port),
        ("https://h:0", PublicUrlError::Port),
        ("https://h:+80", PublicUrlError::Port),
        ("https://h:65536", PublicUrlError::Port),
        ("https://h::443", PublicUrlError::Port),
        ("https://h/path", PublicUrlError::Path),
        ("https://h?x", PublicUrlError::Path),
        ("https://h#x", PublicUrlError::Path),
    ] {
        assert_eq!(PublicUrl::parse(text), Err(error), "{text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", Verifier::new(Some("s3cret")).with_shared_key("id", "hush"));
    assert_eq!(shown, r#"Verifier { current: true, previous: false, shared: ["id"] }"#);
}

/// What is diagnosed for a request to `https://mycompany.com/x?q=1` that was signed for `signed`.
fn diagnose(signed: &str, hosts: &[&str]) -> Option<(String, Vec<Mistake>)> {
    let verifier = Verifier::new(Some("new")).with_previous(Some(TOKEN));
    let (form, public) = (form(P), public("https://mycompany.com"));
    let signature = sign(TOKEN, signed, &form);
    let request = request("/x?q=1", &form, &signature);
    let diagnosis = verifier.diagnose(&public, &request, hosts)?;
    assert_eq!(
        verifier.verify(&public, &request),
        Err(Refusal::Mismatch),
        "a diagnosis accepts nothing"
    );
    Some((diagnosis.url, diagnosis.mistakes))
}

#[test]
fn a_diagnosis_names_the_url_that_was_signed() {
    for (signed, hosts, mistakes) in [
        ("http://mycompany.com/x?q=1", &[][..], &[Mistake::Scheme][..]),
        ("https://mycompany.com/x/?q=1", &[], &[Mistake::TrailingSlash]),
        ("https://mycompany.com:8443/x?q=1", &[], &[Mistake::Port]),
        ("https://other.example/x?q=1", &["other.example"], &[Mistake::Host]),
        (
            "https://other.example:9999/x?q=1",
            &["a.example", "other.example:9999"],
            &[Mistake::Host, Mistake::Port],
        ),
        (
            "http://other.example/x/?q=1",
            &["other.example"],
            &[Mistake::Scheme, Mistake::Host, Mistake::TrailingSlash],
        ),
    ] {
        assert_eq!(diagnose(signed, hosts), Some((signed.to_owned(), mistakes.to_vec())));
    }
}

#[test]
fn a_diagnosis_needs_the_right_secret_and_a_likely_mistake() {
    assert_eq!(diagnose("https://other.example/x?q=1", &[]), None);
    assert_eq!(diagnose("https://mycompany.com/y?q=1", &["mycompany.com"]), None);
    assert_eq!(
        diagnose("https://mycompany.com/x?q=1", &[]),
        None,
        "a request that verifies has no mistake"
    );
}
