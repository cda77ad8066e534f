//! `frontdesk doctor --twilio`: what to enter at Twilio, and whether signatures would be accepted.

use anyhow::Result;
use frontdesk_domain::documents::company::Company;
use frontdesk_store::cache::Settings;
use frontdesk_twilio::{
    form::Form,
    signature::{Payload, PublicUrl, SIGNATURE_HEADER, SignedRequest, Verifier, sign},
};
use secrecy::ExposeSecret as _;

use crate::{config::Config, output::Output, readiness::Finding};

/// Twilio's time-outs and retries, for the end of the webhook's URL: a dead server costs the caller one retry. Twilio
/// does not sign this part.
const RETRIES: &str = "#ct=2000&rt=5000&rc=1&rp=ct,rt,5xx&tt=15000";

/// Says what to enter at Twilio for a company's numbers.
pub(super) fn addresses(output: Output, base: &str, company: &Company) -> Result<()> {
    let id = company.id;
    output.line(format_args!(
        "  a call comes in, POST:    {base}/api/twilio/voice/{id}{RETRIES}"
    ))?;
    output.line(format_args!(
        "  primary handler fails:    {base}/api/twilio/fallback/{id}"
    ))?;
    output.line("                            or the company's file of `frontdesk fallback-documents` on another host, method GET")?;
    output.line(format_args!(
        "  call status changes:      {base}/api/twilio/status/{id}"
    ))?;
    Ok(())
}

/// Signs a sample request with the company's token, verifies it as the server would, and prints it to paste.
pub(super) fn self_test(output: Output, config: &Config, base: &str, settings: &Settings) -> Result<Finding> {
    let own = settings.secrets.auth_token.as_ref();
    let Some(token) = own.or(config.twilio.auth_token.as_ref()) else {
        return Ok(Finding::failure(
            "no signature can be tested: there is no auth token",
            "set twilio.authToken of the company, or FRONTDESK_TWILIO__AUTH_TOKEN",
        ));
    };
    let target = format!("/api/twilio/voice/{}", settings.company.id);
    let url = format!("{base}{target}");
    let account = settings
        .company
        .account_sid
        .as_deref()
        .unwrap_or("AC00000000000000000000000000000000");
    let number = settings.company.phone.to_string();
    let pairs = [
        ("CallSid", "CA00000000000000000000000000000000"),
        ("AccountSid", account),
        ("From", "+15550100000"),
        ("To", number.as_str()),
        ("CallStatus", "ringing"),
        ("ApiVersion", "2010-04-01"),
        ("Direction", "inbound"),
    ];
    let form: Form = pairs.into_iter().collect();
    let signature = sign(token.expose_secret(), &url, &form);
    let request = SignedRequest {
        target: &target,
        payload: Payload::Form(&form),
        signature: Some(signature.as_bytes()),
        settings: None,
    };
    let verified = PublicUrl::parse(base).is_ok_and(|public| {
        Verifier::new(Some(token.expose_secret()))
            .verify(&public, &request)
            .is_ok()
    });
    if !verified {
        return Ok(Finding::failure(
            "a signature made for this public URL is not accepted",
            "set FRONTDESK_HTTP__PUBLIC_URL to the URL that Twilio calls, without a path",
        ));
    }
    output.line(output.dim("  a signed sample call to paste (it is greeted; its call id is all zeros):"))?;
    let data: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("--data-urlencode '{name}={value}'"))
        .collect();
    output.line(format_args!(
        "  curl -sS '{url}' -H '{SIGNATURE_HEADER}: {signature}' {}",
        data.join(" ")
    ))?;
    Ok(Finding::fine(
        "signatures made with its token for this public URL are accepted",
    ))
}
