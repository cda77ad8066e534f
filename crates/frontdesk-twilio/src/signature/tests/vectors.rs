//! The vectors published with Twilio's own libraries (Python, Ruby, Java, C#, Go), numbered as they were collected.

use super::*;

/// Number, scheme and authority signed, target signed, parameters, signature.
type Vector = (
    u8,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const HOST: &str = "https://mycompany.com";
const HTTP: &str = "http://mycompany.com";

const P_AND_REASONS: &[(&str, &str)] = &[
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
    ("ReasonConferenceEnded", "test"),
    ("Reason", "Participant"),
];

const HASHED: &str =
    "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const HASHED_ONLY: &str = "/myapp.php?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

const VECTORS: &[Vector] = &[
    (1, HOST, TARGET, P, SIGNATURE),
    (
        2,
        "https://mycompany.com:443",
        TARGET,
        P,
        "kvajT1Ptam85bY51eRf/AJRuM3w=",
    ),
    (3, "http://mycompany.com:80", TARGET, P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    (
        4,
        "http://mycompany.com:1234",
        TARGET,
        P,
        "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
    ),
    (
        5,
        "https://mycompany.com:1234",
        TARGET,
        P,
        "CYn1h0gLBdNxDGkKJg6hYohgeD8=",
    ),
    (
        6,
        HOST,
        TARGET,
        &[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ],
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
    ),
    (7, HOST, HASHED, &[], "a9nBmqA0ju/hNViExpshrM61xv4="),
    (8, HOST, HASHED_ONLY, &[], "y77kIzt2vzLz71DgmJGsen2scGs="),
    (9, HOST, TARGET, &[], "zYQTYrRWXE7LtzbG4PfP7/bkkGo="),
    (10, HOST, "/myapp.php", P, "1xaxFBvyzXYvWplzNOSs28HWO94="),
    (
        11,
        HOST,
        "/myapp.php?foo=hello%20world&bar=test%2Bvalue",
        P,
        "er2tvAP1Wx+iuTTE2BPgvEaN1cs=",
    ),
    (
        12,
        HOST,
        TARGET,
        &[
            ("Message", "Hello & goodbye! @#$%^*()"),
            ("From", "+1 (415) 867-5309"),
            ("Special", "unicode: ñáéíóú"),
        ],
        "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=",
    ),
    (
        13,
        HOST,
        TARGET,
        &[("Digits", ""), ("CallSid", "CA1234567890ABCDE"), ("EmptyParam", "")],
        "9HHp/OqQMEwdrVebHDdA/+tqjX8=",
    ),
    (
        14,
        HOST,
        TARGET,
        &[
            ("Zebra", "last"),
            ("Alpha", "first"),
            ("Beta", "second"),
            ("Gamma", "third"),
        ],
        "enveUe73ZTVLAekHxez3Qx6JuuQ=",
    ),
    (
        15,
        HOST,
        TARGET,
        &[
            ("callSid", "lowercase"),
            ("CallSid", "uppercase"),
            ("CALLSID", "allcaps"),
        ],
        "jDK7WKT8wiNrwggd4ceTv4e1MJ4=",
    ),
    (16, HOST, "/webhook/España?año=2023", P, "G/Hx6mqqnjUNlPAoi2Sp9bGst0g="),
    (
        17,
        "https://mycompany.com:443",
        "//myapp.php?foo=1&bar=2",
        P,
        "A9lH3u16NjyiiM/+wylw5rirFUs=",
    ),
    (18, "https://MyCompany.com", TARGET, P, "g9IN/x4Cft2g517EjYvEvM/W7LU="),
    (
        19,
        "https://MyCompany.com:1234",
        TARGET,
        P,
        "PCqOZm8cnu/L6+u5i5fuEd+Iac4=",
    ),
    (20, "http://MyCompany.com", TARGET, P, "XY7AlKOKL6im4yWyX84gldUrtis="),
    (
        21,
        "http://username:password@MyCompany.com",
        TARGET,
        P,
        "PJ08CxXr7KLPjEQCTc8LkUSMwSM=",
    ),
    (
        22,
        "https://user:pass@mycompany.com:443",
        TARGET,
        P,
        "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=",
    ),
    (
        23,
        "https://user@mycompany.com:443",
        TARGET,
        P,
        "aZfj4hyX1MLZhSS6QIL18Vn2/RA=",
    ),
    (24, HOST, TARGET, P_AND_REASONS, "vOEb5UThFn24KEfnOFLQY2AE5FY="),
    (25, HTTP, TARGET, P_AND_REASONS, "n2xBNyzSW7rfYStDtOFiFMv7qNo="),
    (
        26,
        HOST,
        TARGET,
        &[("property", "value"), ("boolean", "true")],
        "NBdBDr/T/lgjI+tlgpXjKZQZs/k=",
    ),
    (
        27,
        HOST,
        "/myapp.php?foo=1&bar=2&type=thiswontbeusedinthesignaturegeneratorandsoshouldbeignored",
        P,
        "hYkNsTBttoNGkyCS0p+wWmQoRTg=",
    ),
    (
        28,
        HOST,
        TARGET,
        &[("Digits", ""), ("CallSid", "CA1234567890ABCDE"), ("NullParam", "")],
        "L9lTTwIlxM1xGAtLRwhOSZggRhM=",
    ),
];

const REAL_TOKEN: &str = "1c892n40nd03kdnc0112slzkl3091j20";
const REAL_SIGNATURE: &str = "fF+xx6dTinOaCdZ0aIeNkHr/ZAA=";
const REAL: &[(&str, &str)] = &[
    ("AccountSid", "AC9a9f9392lad99kla0sklakjs90j092j3"),
    ("ApiVersion", "2010-04-01"),
    ("CallSid", "CAd800bb12c0426a7ea4230e492fef2a4f"),
    ("CallStatus", "ringing"),
    ("Called", "+15306384866"),
    ("CalledCity", "OAKLAND"),
    ("CalledCountry", "US"),
    ("CalledState", "CA"),
    ("CalledZip", "94612"),
    ("Caller", "+15306666666"),
    ("CallerCity", "SOUTH LAKE TAHOE"),
    ("CallerCountry", "US"),
    ("CallerName", "CA Wireless Call"),
    ("CallerState", "CA"),
    ("CallerZip", "89449"),
    ("Direction", "inbound"),
    ("From", "+15306666666"),
    ("FromCity", "SOUTH LAKE TAHOE"),
    ("FromCountry", "US"),
    ("FromState", "CA"),
    ("FromZip", "89449"),
    ("To", "+15306384866"),
    ("ToCity", "OAKLAND"),
    ("ToCountry", "US"),
    ("ToState", "CA"),
    ("ToZip", "94612"),
];

#[test]
fn every_published_vector_verifies_and_is_signed_alike() {
    for (number, base, target, pairs, signature) in VECTORS {
        assert_eq!(verify(base, target, pairs, signature), Ok(()), "vector {number}");
        let signed = sign(TOKEN, &format!("{base}{target}"), &form(pairs));
        assert_eq!(signed, *signature, "vector {number}");
        assert_eq!(
            verify(base, target, &[*pairs, &[("Extra", "")]].concat(), signature),
            Err(Refusal::Mismatch)
        );
    }
    assert_eq!(VECTORS.len(), 28);
}

#[test]
fn the_captured_request_verifies() {
    let (form, public) = (form(REAL), public("http://www.postbin.org"));
    let request = request("/1ed898x", &form, REAL_SIGNATURE);
    assert_eq!(
        Verifier::new(Some(REAL_TOKEN)).verify(&public, &request),
        Ok(Verified {
            by: VerifiedBy::Current
        }),
        "vector 29"
    );
    assert_eq!(
        Verifier::new(Some(TOKEN)).verify(&public, &request),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn a_standard_port_that_was_signed_need_not_be_configured() {
    for number in [2, 3, 17, 22, 23] {
        let (_, base, target, pairs, signature) = VECTORS.iter().find(|vector| vector.0 == number).unwrap();
        let (without_port, _) = base.rsplit_once(':').unwrap();
        assert_eq!(
            verify(without_port, target, pairs, signature),
            Ok(()),
            "vector {number}"
        );
    }
}

#[test]
fn bodies_that_are_no_form_verify_by_their_hash() {
    for (number, target) in [(7, HASHED), (8, HASHED_ONLY)] {
        let signature = VECTORS[number - 1].4.as_bytes();
        let payload = Payload::Json(JSON);
        let request = SignedRequest {
            target,
            payload,
            signature: Some(signature),
            settings: None,
        };
        assert!(
            Verifier::new(Some(TOKEN)).verify(&public(HOST), &request).is_ok(),
            "vector {number}"
        );
        let unhashed = SignedRequest {
            target: TARGET,
            ..request
        };
        assert_eq!(
            Verifier::new(Some(TOKEN)).verify(&public(HOST), &unhashed),
            Err(Refusal::NoBodyHash)
        );
    }
}

#[test]
fn sorting_joined_strings_is_not_enough() {
    let wrong = "95+Bu0JVPi0r/SsESZCVf0dWAjw=";
    assert_eq!(verify(HOST, TARGET, P_AND_REASONS, wrong), Err(Refusal::Mismatch));
}

#[test]
fn the_case_of_the_host_matters() {
    for base in ["https://MyCompany.com", "http://MyCompany.com"] {
        assert_eq!(verify(base, TARGET, P, SIGNATURE), Err(Refusal::Mismatch), "{base}");
    }
}

#[test]
fn derived_vectors_verify() {
    let url = format!("{HOST}{TARGET}");
    assert_eq!(sign_with_shared_key(TOKEN, &url, &form(P)), SHA256_SIGNATURE);
    let socket = "lM6UJiYtNUnZy4yUnCQpSZd8RRQ=";
    assert_eq!(verify("wss://relay.example.com", "/cr/abc", &[], socket), Ok(()));
}
