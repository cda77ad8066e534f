//! The body of a webhook.

use frontdesk_twilio::{
    form::{Form, is_form_content_type},
    webhook::TurnParameters,
};

/// A body is a form exactly if each name and value decodes to UTF-8 by itself; then it holds just these pairs, and what
/// is written of it is read back. What is refused is refused at a byte of the body.
///
/// # Panics
/// That does not hold.
pub fn holds(body: &[u8]) {
    let expected = decoded(body);
    match Form::parse(body) {
        Ok(form) => {
            let pairs: Vec<(String, String)> = form.pairs().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            assert_eq!(Some(&pairs), expected.as_ref(), "the pairs are those of the body");
            let again = Form::parse(form.encode().as_bytes());
            assert_eq!(again.as_ref(), Ok(&form), "what is written is read back");
            let parameters = TurnParameters::of(&form);
            let mut calls = pairs
                .iter()
                .filter(|(name, _)| name == "CallSid")
                .map(|(_, value)| value.as_str());
            let call = calls.find(|value| !value.trim().is_empty());
            assert_eq!(parameters.call_sid, call, "the first value that is not blank counts");
            _ = (parameters.said(), parameters.pressed());
        }
        Err(fault) => {
            assert_eq!(expected, None, "refused: {fault}");
            assert!(fault.offset() < body.len(), "{fault}");
        }
    }
    _ = is_form_content_type(body);
}

/// The pairs of a body, read piece by piece; `None` if one of the pieces does not decode.
fn decoded(body: &[u8]) -> Option<Vec<(String, String)>> {
    let parameters = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pairs = parameters.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = piece(halves.next().unwrap_or_default())?;
        Some((name, piece(halves.next().unwrap_or_default())?))
    });
    pairs.collect()
}

fn piece(encoded: &[u8]) -> Option<String> {
    let mut bytes = encoded.iter();
    let mut plain = Vec::new();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}
