//! Twilio's signature of a webhook: HMAC-SHA1 over the URL and the sorted parameters.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::form::Form;

/// The header that carries it.
pub const HEADER: &str = "x-twilio-signature";

/// Signs a webhook. The URL is the one that Twilio was given, without its fragment; a GET has no form.
#[must_use]
pub fn sign(token: &str, url: &str, form: &Form) -> String {
    let mut signed = url.to_owned();
    // Names in byte order, the different values of a name likewise.
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in form.iter() {
        sorted.entry(name).or_default().insert(value);
    }
    for (name, values) in sorted {
        for value in values {
            signed.push_str(name);
            signed.push_str(value);
        }
    }
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.as_bytes()) else {
        return String::new();
    };
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const CALL: &[(&str, &str)] = &[
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    ];

    #[track_caller]
    fn check(url: &str, parameters: &[(&str, &str)], want: &str) {
        let mut form = Form::default();
        for (name, value) in parameters {
            form.push(name, *value);
        }
        assert_eq!(sign("12345", url, &form), want, "{url}");
    }

    #[test]
    fn the_published_vectors_are_met() {
        check(URL, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        check(&URL.replace(".com", ".com:443"), CALL, "kvajT1Ptam85bY51eRf/AJRuM3w=");
        check(
            "http://mycompany.com:80/myapp.php?foo=1&bar=2",
            CALL,
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        );
        check(
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
            CALL,
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
        );
        check(
            "https://mycompany.com:1234/myapp.php?foo=1&bar=2",
            CALL,
            "CYn1h0gLBdNxDGkKJg6hYohgeD8=",
        );
        check(URL, &[], "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
        check("https://mycompany.com/myapp.php", CALL, "1xaxFBvyzXYvWplzNOSs28HWO94=");
    }

    #[test]
    fn the_values_of_one_name_are_sorted_and_each_counts_once() {
        let repeated = [
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ];
        check(URL, &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }

    #[test]
    fn names_are_sorted_not_names_with_their_values() {
        let mut parameters = CALL.to_vec();
        parameters.extend([("ReasonConferenceEnded", "test"), ("Reason", "Participant")]);
        check(URL, &parameters, "vOEb5UThFn24KEfnOFLQY2AE5FY=");
    }

    #[test]
    fn letters_of_all_languages_are_signed() {
        let parameters = [
            ("Message", "Hello & goodbye! @#$%^*()"),
            ("From", "+1 (415) 867-5309"),
            ("Special", "unicode: ñáéíóú"),
        ];
        check(URL, &parameters, "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=");
        check(
            "https://mycompany.com/webhook/España?año=2023",
            CALL,
            "G/Hx6mqqnjUNlPAoi2Sp9bGst0g=",
        );
    }
}
