//! One call, as Twilio would hold it.

use frontdesk_twilio::{
    form::Form,
    signature::{SIGNATURE_HEADER, sign},
};
use rand::RngExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    document::{Document, NotTwiml, Verb},
    steps::{Next, Steps},
};
use crate::http_client::{BaseUrl, Client, Unreachable};

/// Documents that only lead to other documents; Twilio follows no more either.
const MOST_REDIRECTS: usize = 10;

/// Who signs the webhooks, and for which URL.
#[derive(Debug, Clone)]
pub struct SignedAs {
    /// The auth token; absent: webhooks go unsigned.
    pub token: Option<SecretString>,
    /// The server's public URL, without a slash at the end.
    pub public_url: String,
}

/// Who is called.
#[derive(Debug, Clone)]
pub struct Callee {
    /// The company's id.
    pub company: String,
    /// The number that was called.
    pub number: String,
    /// The Twilio account of the company, if one is set.
    pub account_sid: Option<String>,
}

/// A call. Its webhooks are posted one after the other, each to where the document before said.
#[derive(Debug)]
pub struct Call {
    client: Client,
    signed_as: SignedAs,
    callee: Callee,
    /// Twilio's id of the call.
    pub sid: String,
    /// The caller's number.
    pub from: String,
    /// The document that came last: where it came from and what is left of it.
    place: Place,
}

#[derive(Debug, Clone)]
struct Place {
    target: String,
    next: Next,
    rest: Vec<Verb>,
}

/// What came back, and what the caller lived through.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The document, as it came. Empty if it did not take a request.
    pub twiml: String,
    /// What the caller lived through.
    pub steps: Steps,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The server cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It does not take the signature.
    #[error("the server refused the webhook's signature (403)")]
    Refused,
    /// It answered with a status that Twilio takes for a failure.
    #[error("the server answered {status}: {}", body.trim())]
    Status {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// It answered with something else than `TwiML`.
    #[error(transparent)]
    NotTwiml(#[from] NotTwiml),
    /// The document waits for something else.
    #[error("{0}")]
    NotNow(&'static str),
}

impl Call {
    /// A new call; nothing is posted yet.
    #[must_use]
    pub fn new(server: BaseUrl, signed_as: SignedAs, callee: Callee) -> Self {
        let mut rng = rand::rng();
        let sid = format!("CA{:016x}{:016x}", rng.random::<u64>(), rng.random::<u64>());
        // 555-01xx numbers belong to nobody.
        let from = format!("+1202555{:04}", 100 + rng.random_range(0..100));
        let target = format!("/api/twilio/v2-agent-respond/{}", callee.company);
        Self {
            client: Client::new(server),
            signed_as,
            callee,
            sid,
            from,
            place: Place {
                target,
                next: Next::End,
                rest: Vec::new(),
            },
        }
    }

    /// The call comes in: the first webhook, without words.
    ///
    /// # Errors
    /// No document came back.
    pub async fn begin(&mut self) -> Result<Heard, PhoneError> {
        self.post(self.place.target.clone(), "ringing", &[]).await
    }

    /// Whether the document waits for a message rather than for words.
    #[must_use]
    pub const fn records(&self) -> bool {
        matches!(self.place.next, Next::Record(_))
    }

    /// Whether the call is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.place.next, Next::End)
    }

    /// The caller says something: to whoever listens, or as a message after the beep.
    ///
    /// # Errors
    /// Nobody listens, or no document came back.
    pub async fn say(&mut self, words: &str) -> Result<Heard, PhoneError> {
        match &self.place.next {
            Next::Gather(gather) => {
                if !gather.speech {
                    return Err(PhoneError::NotNow("only keys are listened to now"));
                }
                let target = self.resolve(gather.action.as_deref());
                let words = [("SpeechResult", words), ("Confidence", "0.9"), ("Language", "en-US")];
                self.post(target, "in-progress", &words).await
            }
            Next::Record(_) => self.leave_message(words).await,
            _ => Err(PhoneError::NotNow("nobody listens now")),
        }
    }

    /// The caller presses keys.
    ///
    /// # Errors
    /// Nobody listens to keys, or no document came back.
    pub async fn press(&mut self, keys: &str) -> Result<Heard, PhoneError> {
        let Next::Gather(gather) = &self.place.next else {
            return Err(PhoneError::NotNow("no keys are listened to now"));
        };
        if !gather.keys {
            return Err(PhoneError::NotNow("only words are listened to now"));
        }
        let target = self.resolve(gather.action.as_deref());
        self.post(target, "in-progress", &[("Digits", keys), ("FinishedOnKey", "")])
            .await
    }

    /// The caller says nothing: an empty result is posted where the document asks for one, else the document goes on.
    ///
    /// # Errors
    /// No document came back.
    pub async fn stay_silent(&mut self) -> Result<Heard, PhoneError> {
        if let Next::Gather(gather) = &self.place.next
            && gather.action_on_empty_result
        {
            let target = self.resolve(gather.action.as_deref());
            return self.post(target, "in-progress", &[("SpeechResult", "")]).await;
        }
        let steps = Steps::of_verbs(std::mem::take(&mut self.place.rest));
        self.follow(String::new(), steps).await
    }

    async fn leave_message(&mut self, words: &str) -> Result<Heard, PhoneError> {
        let Next::Record(record) = &self.place.next else {
            return Err(PhoneError::NotNow("nothing is recorded now"));
        };
        let target = self.resolve(record.action.as_deref());
        let mut rng = rand::rng();
        let recording = format!("RE{:016x}{:016x}", rng.random::<u64>(), rng.random::<u64>());
        let account = self.account_sid().to_owned();
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{recording}");
        let seconds = (words.split_whitespace().count() / 2 + 1).to_string();
        let posted = [
            ("RecordingUrl", url.as_str()),
            ("RecordingSid", recording.as_str()),
            ("RecordingDuration", seconds.as_str()),
            ("Digits", "hangup"),
            ("TranscriptionText", words),
        ];
        self.post(target, "in-progress", &posted).await
    }

    /// The caller hangs up, or the call has ended: Twilio reports it.
    ///
    /// # Errors
    /// The report was not taken.
    pub async fn hang_up(&mut self) -> Result<(), PhoneError> {
        self.place.next = Next::End;
        let target = format!("/api/twilio/status/{}", self.callee.company);
        self.exchange(&target, "completed", &[("CallDuration", "1")])
            .await
            .map(|_| ())
    }

    /// Posts a webhook and carries out the document, and those that it leads to without the caller.
    async fn post(&mut self, target: String, status: &str, extra: &[(&str, &str)]) -> Result<Heard, PhoneError> {
        let twiml = self.exchange(&target, status, extra).await?;
        let document = Document::parse(&twiml)?;
        self.place.target = target;
        self.follow(twiml, Steps::of(document)).await
    }

    async fn follow(&mut self, mut twiml: String, mut steps: Steps) -> Result<Heard, PhoneError> {
        for _ in 0..MOST_REDIRECTS {
            let (target, extra): (String, &[(&str, &str)]) = match &steps.next {
                Next::Redirect(url) => (self.resolve(Some(url)), &[]),
                Next::DialOutcome(url) => (self.resolve(Some(url)), &[("DialCallStatus", "no-answer")]),
                _ => break,
            };
            twiml = self.exchange(&target, "in-progress", extra).await?;
            let document = Document::parse(&twiml)?;
            self.place.target = target;
            let mut more = Steps::of(document);
            let said_before = steps.said.len();
            for dialled in &mut more.dialled {
                dialled.after += said_before;
            }
            steps.said.append(&mut more.said);
            steps.dialled.append(&mut more.dialled);
            (steps.next, steps.rest) = (more.next, more.rest);
        }
        self.place.next = steps.next.clone();
        self.place.rest.clone_from(&steps.rest);
        Ok(Heard { twiml, steps })
    }

    async fn exchange(&mut self, target: &str, status: &str, extra: &[(&str, &str)]) -> Result<String, PhoneError> {
        let form: Form = self.parameters(status).chain(extra.iter().copied()).collect();
        let signature = self.signed_as.token.as_ref().map(|token| {
            let url = format!("{}{target}", self.signed_as.public_url);
            sign(token.expose_secret(), &url, &form)
        });
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("user-agent", "TwilioProxy/1.1"),
            ("accept", "*/*"),
        ];
        headers.extend(signature.as_deref().map(|signature| (SIGNATURE_HEADER, signature)));
        let reply = self
            .client
            .send("POST", target, &headers, form.encode().into_bytes())
            .await?;
        let body = reply.text().into_owned();
        match reply.status {
            403 => Err(PhoneError::Refused),
            _ if reply.is_success() => Ok(body),
            status => Err(PhoneError::Status { status, body }),
        }
    }

    fn parameters<'c>(&'c self, status: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
        [
            ("AccountSid", self.account_sid()),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", self.sid.as_str()),
            ("CallStatus", status),
            ("Called", self.callee.number.as_str()),
            ("Caller", self.from.as_str()),
            ("Direction", "inbound"),
            ("From", self.from.as_str()),
            ("To", self.callee.number.as_str()),
        ]
        .into_iter()
    }

    fn account_sid(&self) -> &str {
        self.callee
            .account_sid
            .as_deref()
            .unwrap_or("AC00000000000000000000000000000000")
    }

    /// Where an action leads: an absolute URL of this server, an absolute path, or the document's own URL.
    fn resolve(&self, action: Option<&str>) -> String {
        let Some(action) = action.filter(|action| !action.is_empty()) else {
            return self.place.target.clone();
        };
        let path = action
            .strip_prefix(self.signed_as.public_url.as_str())
            .unwrap_or(action);
        if path.starts_with('/') {
            return path.to_owned();
        }
        let own_path = self.place.target.split('?').next().unwrap_or_default();
        let folder = own_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if path.starts_with('?') {
            format!("{own_path}{path}")
        } else {
            format!("{folder}/{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: Option<&str>, want: &str) {
        let signed_as = SignedAs {
            token: None,
            public_url: "https://a.example".into(),
        };
        let callee = Callee {
            company: "1".into(),
            number: "+1".into(),
            account_sid: None,
        };
        let call = Call::new("http://127.0.0.1:1".parse().unwrap(), signed_as, callee);
        assert_eq!(call.resolve(action), want);
    }

    #[test]
    fn an_action_is_resolved_as_twilio_does() {
        let own = "/api/twilio/v2-agent-respond/1";
        check(None, own);
        check(Some(""), own);
        check(Some("/x?s=1"), "/x?s=1");
        check(Some("https://a.example/x?s=1"), "/x?s=1");
        check(Some("?s=1"), "/api/twilio/v2-agent-respond/1?s=1");
        check(Some("2"), "/api/twilio/v2-agent-respond/2");
    }

    #[test]
    fn ids_have_the_form_that_twilio_gives_them() {
        let signed_as = SignedAs {
            token: None,
            public_url: String::new(),
        };
        let callee = Callee {
            company: "1".into(),
            number: "+1".into(),
            account_sid: None,
        };
        let call = Call::new("http://127.0.0.1:1".parse().unwrap(), signed_as, callee);
        assert_eq!((call.sid.len(), call.from.len()), (34, 12));
    }
}
