//! One call, as Twilio would hold it.

use std::time::Duration;

use frontdesk_callsim::{
    code::Fault,
    document::{self, Link, Method, Verb},
    executor::{self, Act, Answer, Event, Line, Listening, Purpose, Request, Rung, Step, When},
    form::Form,
    signature,
};
use rand::RngExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::http_client::{BaseUrl, Client, Unreachable};

/// The longest form that a server takes, by the contract of the voice routes. Twilio's are a few KiB.
const LONGEST_FORM: usize = 64 * 1024;

/// How long whoever types is taken to think.
const THOUGHT: Duration = Duration::from_millis(500);

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
    /// The call as it is carried out, once it has begun.
    held: Option<executor::Call>,
    /// How much of what happened was told.
    told: usize,
    /// Whether the prompts of a `<Gather>` were told before they were carried out: whoever types reads them first.
    foretold: bool,
}

/// What came back, and what the caller lived through.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The last document, as it came. Empty if it did not take a request.
    pub twiml: String,
    /// What was spoken, in order.
    pub said: Vec<String>,
    /// Who was dialled on the way. Nobody picks up here, so the call goes on.
    pub dialled: Vec<Dialled>,
    /// What comes then.
    pub next: Next,
}

/// A person who would be connected in the real call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// Whom.
    pub numbers: Vec<String>,
    /// How much had been said before: this many sentences of [`Heard::said`].
    pub after: usize,
}

/// What the call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// For words or keys.
    Gather,
    /// For a message.
    Record {
        /// Whether a beep is heard first.
        beep: bool,
    },
    /// For nothing: it is over.
    End,
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
    /// The caller says more than a webhook holds.
    #[error(
        "that is too long: its webhook would have {bytes} bytes, and a server takes 64 KiB (65536) at most; \
         callers say a few sentences at a time"
    )]
    TooLong {
        /// The length of the webhook's form.
        bytes: usize,
    },
    /// It answered with a status that Twilio takes for a failure.
    #[error("the server answered {status}: {}", body.trim())]
    Status {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// It answered with what Twilio does not take, or warns of.
    #[error("the answer is no TwiML that Twilio would take: {0}")]
    NotTwiml(#[from] Fault),
    /// The document leads to a server that this telephone does not reach.
    #[error("the document leads to another server: {0}")]
    Elsewhere(String),
    /// The document waits for something else.
    #[error("{0}")]
    NotNow(&'static str),
}

impl Call {
    /// A new call; nothing is posted yet.
    #[must_use]
    pub fn new(server: BaseUrl, signed_as: SignedAs, callee: Callee) -> Self {
        let mut rng = rand::rng();
        Self {
            client: Client::new(server),
            signed_as,
            callee,
            sid: format!("CA{:016x}{:016x}", rng.random::<u64>(), rng.random::<u64>()),
            // 555-01xx numbers belong to nobody.
            from: format!("+1202555{:04}", 100 + rng.random_range(0..100)),
            held: None,
            told: 0,
            foretold: false,
        }
    }

    /// The call comes in: the first webhook, without words.
    ///
    /// # Errors
    /// No document came back.
    pub async fn begin(&mut self) -> Result<Heard, PhoneError> {
        let webhook = Link {
            url: self.url(&format!("/api/twilio/v2-agent-respond/{}", self.callee.company)),
            method: Method::Post,
        };
        self.held = Some(executor::Call::begin(self.line(), &webhook));
        self.go_on().await
    }

    /// Whether the call is over, or has not begun.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.held
            .as_ref()
            .is_none_or(|held| matches!(held.step(), Step::Over(_)))
    }

    /// The caller says something: to whoever listens, or as a message after the beep.
    ///
    /// # Errors
    /// Nobody listens, or no document came back.
    pub async fn say(&mut self, words: &str) -> Result<Heard, PhoneError> {
        match self.listening() {
            Some(Listening::Gather(gather)) if !gather.speech => {
                return Err(PhoneError::NotNow("only keys are listened to now"));
            }
            Some(_) => {}
            None => return Err(PhoneError::NotNow("nobody listens now")),
        }
        self.act(Act::Speak {
            words: words.to_owned(),
            confidence: Some(0.9),
            when: When::After(THOUGHT),
            hangs_up: false,
        })
        .await
    }

    /// The caller presses keys.
    ///
    /// # Errors
    /// Nobody listens to keys, or no document came back.
    pub async fn press(&mut self, keys: &str) -> Result<Heard, PhoneError> {
        match self.listening() {
            Some(Listening::Gather(gather)) if gather.keys => {}
            Some(Listening::Gather(_)) => return Err(PhoneError::NotNow("only words are listened to now")),
            _ => return Err(PhoneError::NotNow("no keys are listened to now")),
        }
        self.act(Act::Press {
            keys: keys.to_owned(),
            when: When::After(THOUGHT),
        })
        .await
    }

    /// The caller says nothing: an empty result is posted where the document asks for one, else the document goes on.
    ///
    /// # Errors
    /// No document came back.
    pub async fn stay_silent(&mut self) -> Result<Heard, PhoneError> {
        self.act(Act::Wait).await
    }

    /// The caller hangs up, or the call has ended: Twilio reports it.
    ///
    /// # Errors
    /// The report was not taken.
    pub async fn hang_up(&mut self) -> Result<(), PhoneError> {
        self.held = None;
        let mut form = self.line().form("completed");
        form.push("CallDuration", "1");
        let url = self.url(&format!("/api/twilio/status/{}", self.callee.company));
        let report = Request {
            url,
            method: Method::Post,
            form,
            purpose: Purpose::Notice,
        };
        self.exchange(&report).await.map(|_| ())
    }

    fn listening(&self) -> Option<Listening> {
        match self.held.as_ref()?.step() {
            Step::Listen(listening) => Some(listening),
            _ => None,
        }
    }

    async fn act(&mut self, act: Act) -> Result<Heard, PhoneError> {
        if let Some(held) = &mut self.held {
            held.act(act);
        }
        self.go_on().await
    }

    /// Carries the call on up to the point at which the caller does something.
    async fn go_on(&mut self) -> Result<Heard, PhoneError> {
        let mut twiml = String::new();
        let next = loop {
            let Some(held) = &mut self.held else { break Next::End };
            let notices = held.take_notices();
            let step = held.step();
            for notice in notices {
                self.exchange(&notice).await?;
            }
            match step {
                Step::Over(_) => break Next::End,
                Step::Listen(Listening::Gather(_)) => break Next::Gather,
                Step::Listen(Listening::Record(record)) => break Next::Record { beep: record.beep },
                Step::Ring(_) => {
                    if let Some(held) = &mut self.held {
                        held.rung(Rung::NoAnswer);
                    }
                }
                Step::Request(request) => {
                    let (content_type, body) = self.exchange(&request).await?;
                    let document = document::read(200, Some(&content_type), &body)?;
                    // Twilio passes over it; whoever tries a front desk out wants to know.
                    if let Some(warning) = document.warnings.first() {
                        return Err(warning.clone().into());
                    }
                    twiml = String::from_utf8_lossy(&body).into_owned();
                    if let Some(held) = &mut self.held {
                        held.answered(Answer {
                            document,
                            url: request.url,
                            took: Duration::ZERO,
                        });
                    }
                }
            }
        };
        Ok(self.tell(twiml, next))
    }

    /// What happened since the last time.
    fn tell(&mut self, twiml: String, next: Next) -> Heard {
        let moments = self.held.as_ref().map_or(&[][..], executor::Call::moments);
        let (mut said, mut dialled) = (Vec::new(), Vec::new());
        for moment in moments.get(self.told..).unwrap_or_default() {
            match &moment.what {
                Event::Spoken { .. } if self.foretold => {}
                Event::Said(_) | Event::Pressed(_) | Event::Unheard(_) | Event::Silence => self.foretold = false,
                Event::Spoken { words, .. } => said.push(words.clone()),
                Event::Rang(numbers) => dialled.push(Dialled {
                    numbers: numbers.clone(),
                    after: said.len(),
                }),
                _ => {}
            }
        }
        self.told = moments.len();
        if let Some(Listening::Gather(gather)) = self.listening() {
            self.foretold = true;
            said.extend(gather.prompts.into_iter().filter_map(|prompt| match prompt {
                Verb::Say(say) => Some(say.text),
                _ => None,
            }));
        }
        Heard {
            twiml,
            said,
            dialled,
            next,
        }
    }

    /// Sends a webhook and gives content type and body of a good answer.
    async fn exchange(&mut self, request: &Request) -> Result<(String, Vec<u8>), PhoneError> {
        let url = request.url.split('#').next().unwrap_or_default();
        let mut target = match url.strip_prefix(self.signed_as.public_url.as_str()) {
            Some(target) if target.starts_with('/') => target.to_owned(),
            _ => return Err(PhoneError::Elsewhere(url.to_owned())),
        };
        let mut headers = vec![("user-agent", "TwilioProxy/1.1"), ("accept", "*/*")];
        let encoded = request.form.encode();
        if encoded.len() > LONGEST_FORM {
            return Err(PhoneError::TooLong { bytes: encoded.len() });
        }
        let (body, signed) = match request.method {
            Method::Post => {
                headers.push(("content-type", "application/x-www-form-urlencoded; charset=UTF-8"));
                (encoded.into_bytes(), request.form.clone())
            }
            Method::Get => {
                target.push(if target.contains('?') { '&' } else { '?' });
                target.push_str(&encoded);
                (Vec::new(), Form::default())
            }
        };
        let signature = self
            .signed_as
            .token
            .as_ref()
            .map(|token| signature::sign(token.expose_secret(), &self.url(&target), &signed));
        headers.extend(signature.as_deref().map(|signature| (signature::HEADER, signature)));
        let reply = self.client.send(request.method.name(), &target, &headers, body).await?;
        match reply.status {
            403 => Err(PhoneError::Refused),
            _ if reply.is_success() => Ok((reply.content_type, reply.body)),
            status => Err(PhoneError::Status {
                status,
                body: reply.text().into_owned(),
            }),
        }
    }

    fn url(&self, target: &str) -> String {
        format!("{}{target}", self.signed_as.public_url)
    }

    fn line(&self) -> Line {
        Line {
            call_sid: self.sid.clone(),
            account_sid: self
                .callee
                .account_sid
                .clone()
                .unwrap_or_else(|| "AC00000000000000000000000000000000".to_owned()),
            from: self.from.clone(),
            to: self.callee.number.clone(),
            sends_empty_speech: true,
            ..Line::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_no_webhook_holds_is_refused_before_it_is_sent() {
        let public_url = "http://127.0.0.1:1".to_owned();
        let callee = Callee {
            company: "1".into(),
            number: "+1".into(),
            account_sid: None,
        };
        let signed_as = SignedAs {
            token: None,
            public_url,
        };
        let mut call = Call::new("http://127.0.0.1:1".parse().unwrap(), signed_as, callee);
        let mut exchanged = async |words: usize| {
            let mut form = Form::default();
            form.push("SpeechResult", "é".repeat(words));
            let request = Request {
                url: "http://127.0.0.1:1/api/twilio/v2-agent-respond/1".into(),
                method: Method::Post,
                form,
                purpose: Purpose::Turn,
            };
            call.exchange(&request).await.unwrap_err()
        };
        // Six bytes for each of these letters, and 13 for the name.
        let (fits, does_not) = (exchanged(10_920).await, exchanged(10_921).await);
        assert!(matches!(fits, PhoneError::Unreachable(_)), "{fits}");
        assert!(matches!(does_not, PhoneError::TooLong { bytes: 65_539 }), "{does_not}");
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
