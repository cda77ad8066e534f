//! Who calls whom, and what Twilio says of it in each webhook.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

use crate::form::Form;

/// Where a number is at home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The city.
    pub city: String,
    /// The state.
    pub state: String,
    /// The postal code.
    pub zip: String,
    /// The country.
    pub country: String,
}

/// A call as Twilio knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The call's id: `CA` and 32 hexadecimal digits.
    pub call_sid: String,
    /// The account's id.
    pub account_sid: String,
    /// Who calls: a number, `anonymous`, `client:x` or `sip:x`.
    pub from: String,
    /// Which number was called.
    pub to: String,
    /// Where the caller's number is at home.
    pub from_place: Place,
    /// Where the called number is at home.
    pub to_place: Place,
    /// The caller's name, where the network knows one.
    pub caller_name: Option<String>,
    /// The number that sent the call on.
    pub forwarded_from: Option<String>,
    /// Whether an empty result of speech still has its (empty) `SpeechResult`; Twilio's recognisers differ.
    pub sends_empty_speech: bool,
}

impl Line {
    /// What every webhook of the call carries.
    #[must_use]
    pub fn form(&self, status: &str) -> Form {
        let mut form = Form::default();
        form.push("AccountSid", self.account_sid.as_str());
        form.push("ApiVersion", "2010-04-01");
        form.push("CallSid", self.call_sid.as_str());
        form.push("CallStatus", status);
        for (role, number, place) in [
            ("Called", &self.to, &self.to_place),
            ("Caller", &self.from, &self.from_place),
            ("From", &self.from, &self.from_place),
            ("To", &self.to, &self.to_place),
        ] {
            form.push(role, number.as_str());
            form.push(&format!("{role}City"), place.city.as_str());
            form.push(&format!("{role}State"), place.state.as_str());
            form.push(&format!("{role}Zip"), place.zip.as_str());
            form.push(&format!("{role}Country"), place.country.as_str());
        }
        form.push("Direction", "inbound");
        if let Some(name) = &self.caller_name {
            form.push("CallerName", name.as_str());
        }
        if let Some(number) = &self.forwarded_from {
            form.push("ForwardedFrom", number.as_str());
        }
        if status == "ringing" {
            form.push("StirVerstat", "TN-Validation-Passed-A");
        }
        form
    }

    /// What the webhooks of a leg that the call dials carry.
    #[must_use]
    pub(super) fn leg_form(&self, leg: &str, number: &str, caller_id: Option<&str>, status: &str) -> Form {
        let from = caller_id.unwrap_or(&self.from);
        let mut form = Form::default();
        form.push("AccountSid", self.account_sid.as_str());
        form.push("ApiVersion", "2010-04-01");
        form.push("CallSid", leg);
        form.push("ParentCallSid", self.call_sid.as_str());
        form.push("CallStatus", status);
        form.push("Called", number);
        form.push("Caller", from);
        form.push("From", from);
        form.push("To", number);
        form.push("Direction", "outbound-dial");
        form
    }

    /// The id of the call's `nth` leg or recording: always the same for the same call.
    #[must_use]
    pub(super) fn sid(&self, prefix: &str, nth: usize) -> String {
        let mut hash = Sha1::new();
        hash.update(format!("{} {prefix} {nth}", self.call_sid));
        let mut sid = prefix.to_owned();
        for byte in hash.finalize().iter().take(16) {
            // Writing to a text cannot fail.
            _ = write!(sid, "{byte:02x}");
        }
        sid
    }
}
