//! Twilio's side of a call: webhooks, signed as Twilio signs them, and what comes back.

use anyhow::{Context as _, Result};
use frontdesk_twilio::{
    form::Form,
    signature::{SIGNATURE_HEADER, sign},
};
use http::Method;

use crate::{connection::Connection, server::PUBLIC_URL, twiml::Document};

/// Who signs the webhooks of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twilio {
    /// The account whose calls these are.
    pub account_sid: String,
    /// The token that signs.
    pub auth_token: String,
}

/// A telephone: one call after the other, on a connection of its own.
#[derive(Debug)]
pub struct Caller {
    connection: Connection,
    call: Option<Call>,
}

/// A call, kept apart from the connection, so that it can outlive a server.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who signs.
    pub twilio: Twilio,
    /// The company that is called.
    pub company: String,
    /// Twilio's id of the call.
    pub sid: String,
    /// The caller's number.
    pub from: String,
    /// The document that came last, if one came.
    pub heard: Option<Document>,
}

impl Call {
    /// A call that begins with its next webhook.
    #[must_use]
    pub fn new(twilio: &Twilio, company: &str, sid: &str) -> Self {
        Self {
            twilio: twilio.clone(),
            company: company.to_owned(),
            sid: sid.to_owned(),
            // 555-01xx numbers belong to nobody.
            from: "+12025550143".to_owned(),
            heard: None,
        }
    }

    fn form(&self, extra: &[(&str, &str)]) -> Form {
        let mut form = Form::default();
        let common = [
            ("AccountSid", self.twilio.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &self.sid),
            ("CallStatus", "in-progress"),
            ("Direction", "inbound"),
            ("From", &self.from),
            ("To", "+12025550199"),
        ];
        let is_extra = |name: &str| extra.iter().any(|(given, _)| *given == name);
        for (name, value) in common.iter().filter(|(name, _)| !is_extra(name)).chain(extra) {
            form.push(name, value);
        }
        form
    }
}

impl Caller {
    /// A telephone on this connection.
    #[must_use]
    pub const fn new(connection: Connection) -> Self {
        Self { connection, call: None }
    }

    /// Begins a call, or goes on with one that was begun elsewhere.
    pub fn take(&mut self, call: Call) {
        self.call = Some(call);
    }

    /// The call as it is now.
    #[must_use]
    pub const fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    /// The call comes in: the webhook without words.
    ///
    /// # Errors
    /// No document came back.
    pub async fn begin(&mut self) -> Result<&Document> {
        self.post(&[], |call, _| Ok(respond_path(&call.company))).await
    }

    /// The caller says something: to whoever listens, or as the first words of the call.
    ///
    /// # Errors
    /// Nobody listens, or no document came back.
    pub async fn say(&mut self, words: &str) -> Result<&Document> {
        let said = [("SpeechResult", words), ("Confidence", "0.91"), ("Language", "en-US")];
        self.post(&said, |call, heard| match heard {
            None => Ok(respond_path(&call.company)),
            Some(heard) => heard.gather.clone().context("nobody listens now"),
        })
        .await
    }

    /// The caller leaves a message after the beep; `recording` is its id at Twilio.
    ///
    /// # Errors
    /// Nothing is recorded now, or no document came back.
    pub async fn leave_message(&mut self, recording: &str, words: &str) -> Result<&Document> {
        let account = self
            .call
            .as_ref()
            .map(|call| call.twilio.account_sid.clone())
            .unwrap_or_default();
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{recording}");
        let recorded = [
            ("RecordingUrl", url.as_str()),
            ("RecordingSid", recording),
            ("RecordingDuration", "4"),
            ("Digits", "hangup"),
            ("TranscriptionText", words),
        ];
        let target = |_: &Call, heard: Option<&Document>| {
            heard
                .and_then(|heard| heard.record.clone())
                .context("nothing is recorded now")
        };
        self.post(&recorded, target).await
    }

    async fn post(
        &mut self,
        extra: &[(&str, &str)],
        target: impl FnOnce(&Call, Option<&Document>) -> Result<String>,
    ) -> Result<&Document> {
        let Self { connection, call } = self;
        let call = call.as_mut().context("there is no call")?;
        let target = target(call, call.heard.as_ref())?;
        let (_, document) = answered(connection, call, &target, extra).await?;
        Ok(call.heard.insert(document))
    }

    /// Posts any webhook of the call and gives the document as it came, which the call does not follow.
    ///
    /// # Errors
    /// There is no call, or no document came back.
    pub async fn fetch(&mut self, target: &str, extra: &[(&str, &str)]) -> Result<String> {
        let Self { connection, call } = self;
        let call = call.as_ref().context("there is no call")?;
        let (xml, _) = answered(connection, call, target, extra).await?;
        Ok(xml)
    }
}

/// Posts a webhook of a call; the document that answers it, as it came and as it is understood.
async fn answered(
    connection: &mut Connection,
    call: &Call,
    target: &str,
    extra: &[(&str, &str)],
) -> Result<(String, Document)> {
    // An action may be written as a whole URL; only what is signed differs then.
    let target = target.strip_prefix(PUBLIC_URL).unwrap_or(target);
    let form = call.form(extra);
    let signature = sign(&call.twilio.auth_token, &format!("{PUBLIC_URL}{target}"), &form);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
        ("user-agent", "TwilioProxy/1.1"),
        (SIGNATURE_HEADER, signature.as_str()),
    ];
    let reply = connection
        .send(&Method::POST, target, &headers, form.encode().into_bytes())
        .await?;
    if reply.status != 200 || !reply.content_type.contains("xml") {
        return Err(BadAnswer(format!(
            "a webhook was answered {} ({}): {}",
            reply.status,
            reply.content_type,
            reply.text()
        ))
        .into());
    }
    let xml = reply.text();
    match Document::parse(&xml) {
        Ok(document) => Ok((xml, document)),
        Err(error) => Err(BadAnswer(format!("a webhook was answered {xml}: {error:#}")).into()),
    }
}

/// An answer came, and it is none that Twilio would take.
#[derive(Debug)]
pub struct BadAnswer(String);

impl std::fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadAnswer {}

fn respond_path(company: &str) -> String {
    format!("/api/twilio/v2-agent-respond/{company}")
}
