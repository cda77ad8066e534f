//! Verifies requests given as JSON lines, for `tests/oracle.py`: prints `accept <key>` or `refuse <reason>` for each.
//!
//! A line is `{"public", "target", "form" | "json", "signature", "settings", "current", "previous", "shared"}`:
//! `form` is an encoded body, `json` any other body, `shared` a list of `[id, secret]`. Absent headers and secrets are
//! null.

use std::error::Error;
use std::io::{self, BufRead as _, BufWriter, Write as _};

use frontdesk_twilio::form::Form;
use frontdesk_twilio::signature::{Payload, PublicUrl, SignedRequest, Verifier};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        writeln!(out, "{}", decide(&line))?;
    }
    out.flush()?;
    Ok(())
}

fn decide(line: &Value) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let public_url = match PublicUrl::parse(text("public").unwrap_or_default()) {
        Ok(url) => url,
        Err(fault) => return format!("refuse {fault}"),
    };
    let mut company = Verifier::new(text("current")).with_previous(text("previous"));
    for pair in line.get("shared").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(id), Some(secret)) = (pair.get(0).and_then(Value::as_str), pair.get(1).and_then(Value::as_str)) {
            company = company.with_shared_key(id, secret);
        }
    }
    let encoded = if text("json").is_some() { None } else { text("form") };
    let form = match Form::parse(encoded.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(fault) => return format!("refuse {fault}"),
    };
    let request = SignedRequest {
        target: text("target").unwrap_or_default(),
        payload: text("json").map_or(Payload::Form(&form), |body| Payload::Json(body.as_bytes())),
        signature: text("signature").map(str::as_bytes),
        settings: text("settings").map(str::as_bytes),
    };
    match company.verify(&public_url, &request) {
        Ok(verified) => format!("accept {:?}", verified.by),
        Err(refusal) => format!("refuse {refusal}"),
    }
}
