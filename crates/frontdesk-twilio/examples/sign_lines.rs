//! Signs requests given as JSON lines, for `tests/node_oracle.py`: prints the signature of each.
//!
//! A line is `{"token", "url", "form"}`; `form` is an encoded body.

use std::error::Error;
use std::io::{self, BufRead as _, BufWriter, Write as _};

use frontdesk_twilio::form::Form;
use frontdesk_twilio::signature::sign;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let form = Form::parse(text("form").as_bytes())?;
        writeln!(out, "{}", sign(text("token"), text("url"), &form))?;
    }
    out.flush()?;
    Ok(())
}
