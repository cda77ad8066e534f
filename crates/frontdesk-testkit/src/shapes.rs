//! A document of every shape that calls bring out, from the real binary, as it came.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::{
    operator::Operator,
    server::Server,
    twilio::{Call, Caller, Twilio},
};

/// Signs webhooks for companies that do not exist.
const PLATFORM_TOKEN: &str = "11111111111111111111111111111111";
const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// So many turns a call may have here; the longest of the calls below has fewer.
const TURNS: u32 = 24;
/// The company that is called most: people to dial, messages, callbacks.
const OPEN: &str = "66f000000000000000000c01";
/// Nobody to dial, and no word of its own can be cut off.
const QUIET: &str = "66f000000000000000000c02";
const FORWARDING: &str = "66f000000000000000000c03";
const SUSPENDED: &str = "66f000000000000000000c04";
/// Nobody has this id.
const UNKNOWN: &str = "66f000000000000000000cff";
const TEMPLATE: &str = "66f000000000000000000d01";

/// A document and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Where in a call it comes from.
    pub name: String,
    /// The document.
    pub xml: String,
}

/// Starts the binary in an empty folder and plays calls with it until each shape was answered once.
///
/// # Errors
/// The server cannot be started or refuses something, or an answer is not of the shape that is due.
pub async fn collect(frontdesk: &Path, folder: &Path) -> Result<Vec<Shape>> {
    let prelude = format!(
        "export FRONTDESK_TWILIO__AUTH_TOKEN={PLATFORM_TOKEN}; export FRONTDESK_LIMITS__TURNS_PER_CALL={TURNS}"
    );
    // What the shell exports wins over what the server sets for loads.
    let mut server = Server::new(frontdesk, folder)?.with_prelude(&prelude);
    server.start().await?;
    create(&mut server.operator()).await?;
    let mut found = Collection {
        caller: Caller::new(server.connection()),
        company: String::new(),
        shapes: Vec::new(),
        last: String::new(),
        calls: 0,
    };
    found.answers().await?;
    found.silence().await?;
    found.transfer().await?;
    found.callback().await?;
    found.endings().await?;
    found.other_companies().await?;
    Ok(found.shapes)
}

async fn create(operator: &mut Operator) -> Result<()> {
    let scenario = |id: &str, name: &str, triggers: &[&str], action: &str| {
        json!({ "id": id, "name": name, "status": "live", "triggers": triggers, "action": action,
            "fullReplies": [format!("This is about {name}: it costs $89.50 & more, and takes < 2 hours.")] })
    };
    let template = json!({
        "_id": TEMPLATE, "name": "Template", "trade": "Testing", "version": "1",
        "categories": [{ "id": "all", "name": "All", "scenarios": [
            scenario("red", "red widgets", &["how long do red widgets last"], "none"),
            scenario("blue", "blue widgets", &["how long do blue widgets last"], "none"),
            scenario("visit", "a visit", &["i would like to schedule a visit"], "takeMessage"),
            scenario("owner", "the owner", &["put the owner of the business on"], "transfer"),
            scenario("end", "the end", &["that was the last of my questions"], "hangup"),
        ] }],
    });
    operator
        .must(Method::POST, "/api/v1/templates", Some(&template))
        .await?;
    let company = |id: &str, change: Value| {
        let mut document = json!({
            "_id": id, "name": "Tom & Ann's <Desk>", "phone": format!("+12025550{}", &id[21..].replace('c', "1")),
            "industryType": "Testing", "timezone": "America/New_York",
            "twilio": { "accountSid": ACCOUNT, "authToken": TOKEN },
            "aiAgentSettings": { "templateReferences": [TEMPLATE] },
        });
        if let (Some(fields), Value::Object(change)) = (document.as_object_mut(), change) {
            fields.extend(change);
        }
        document
    };
    let people = json!({ "destinations": [
        { "name": "Front", "number": "+12025550171", "hours": "always" },
        { "name": "Back", "number": "+12025550172", "hours": "always" },
    ] });
    let companies = [
        company(OPEN, json!({ "transfer": people, "phone": "+12025550199" })),
        company(
            QUIET,
            json!({ "voice": { "bargeIn": false, "voice": "Google.en-US-Neural2-F" }, "hours": "closed" }),
        ),
        company(
            FORWARDING,
            json!({ "status": "forward", "forwardNumber": "+12025550173" }),
        ),
        company(SUSPENDED, json!({ "status": "suspended" })),
    ];
    for document in companies {
        operator
            .must(Method::POST, "/api/v1/companies", Some(&document))
            .await?;
    }
    Ok(())
}

/// What was answered so far, and the call that goes on.
struct Collection {
    caller: Caller,
    company: String,
    shapes: Vec<Shape>,
    /// The document that came last.
    last: String,
    calls: u32,
}

impl Collection {
    async fn answers(&mut self) -> Result<()> {
        self.call(OPEN);
        self.enter("greeting", "<Gather").await?;
        self.say("answer", "how long do red widgets last", "<Gather").await?;
        self.say("repeated", "say that again", "<Gather").await?;
        self.say("slowly", "slower please", "<Pause").await?;
        self.say("waiting", "one moment please", "timeout=\"20\"").await?;
        self.say("choice", "how long do widgets last", "numDigits=\"1\"")
            .await?;
        self.press("chosen", "1", "<Gather").await?;
        self.say("not-understood", "purple elephants like dancing", "<Gather")
            .await?;
        self.say("not-understood-again", "purple elephants like dancing", "<Dial")
            .await?;
        self.call(OPEN);
        self.say("danger", "i smell gas and there is a fire", "<").await?;
        self.call(OPEN);
        self.post("by-number", "/api/twilio/voice", &[], "<Gather").await
    }

    /// Says nothing until nobody listens any more.
    async fn silence(&mut self) -> Result<()> {
        self.call(OPEN);
        self.enter("greeting-before-silence", "<Gather").await?;
        for number in 1..=8 {
            if !self.last.contains("<Gather") {
                return Ok(());
            }
            let target = self.gathers()?;
            self.post(&format!("silence-{number}"), &target, &[("SpeechResult", "")], "<")
                .await?;
            if number == 2 {
                let shape = self.last.clone();
                let target = self.gathers()?;
                self.post("keys-not-understood", &target, &[("Digits", "9")], "<")
                    .await?;
                self.last = shape;
            }
        }
        bail!("silence does not end a call: {}", self.last)
    }

    async fn transfer(&mut self) -> Result<()> {
        self.call(OPEN);
        self.enter("greeting-before-transfer", "<Gather").await?;
        self.say("transfer", "i want to talk to a person", "<Dial").await?;
        let whisper = attribute(&self.last, "Number", "url")?;
        let result = attribute(&self.last, "Dial", "action")?;
        self.post("whisper", &whisper, &[], "<Gather").await?;
        let pressed = self.gathers()?;
        self.post("whisper-accepted", &pressed, &[("Digits", "1")], "<Response")
            .await?;
        self.post("whisper-declined", &pressed, &[("Digits", "2")], "<Hangup")
            .await?;
        self.post("transfer-next", &result, &[("DialCallStatus", "busy")], "<Dial")
            .await?;
        let result = attribute(&self.last, "Dial", "action")?;
        self.post("nobody-there", &result, &[("DialCallStatus", "no-answer")], "<Record")
            .await?;
        self.call(OPEN);
        self.say("transfer-by-scenario", "put the owner of the business on", "<Dial")
            .await?;
        let result = attribute(&self.last, "Dial", "action")?;
        let talked = [("DialCallStatus", "completed"), ("DialBridged", "true")];
        self.post("talked", &result, &talked, "<Response").await
    }

    async fn callback(&mut self) -> Result<()> {
        self.call(OPEN);
        self.say("message", "i would like to schedule a visit", "<Record")
            .await?;
        let recorded = attribute(&self.last, "Record", "action")?;
        let callback = attribute(&self.last, "Record", "recordingStatusCallback")?;
        let nothing = element_text(&self.last, "Redirect")?;
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1");
        let recording = [
            ("RecordingUrl", url.as_str()),
            ("RecordingSid", "RE1"),
            ("RecordingDuration", "4"),
        ];
        self.post("callback-offered", &nothing, &[], "<Gather").await?;
        self.say("callback-same-number", "yes please", "<Gather").await?;
        self.say("callback-number", "no", "<Gather").await?;
        self.press("callback-number-again", "12", "<Gather").await?;
        self.press("callback-confirm", "2025550144", "<Gather").await?;
        self.press("callback-time", "1", "<Gather").await?;
        self.say("callback-thanks", "tomorrow at nine", "<").await?;
        self.call(OPEN);
        self.say("message-by-scenario", "i would like to schedule a visit", "<Record")
            .await?;
        self.post("thanks", &recorded, &recording, "<Hangup").await?;
        self.post("recording-ready", &callback, &recording, "<Response").await
    }

    async fn endings(&mut self) -> Result<()> {
        for (name, words) in [
            ("goodbye", "goodbye"),
            ("wrong-number", "sorry wrong number"),
            ("end-by-scenario", "that was the last of my questions"),
        ] {
            self.call(OPEN);
            self.say(name, words, "<Hangup").await?;
        }
        self.call(OPEN);
        self.enter("greeting-before-hanging-up", "<Gather").await?;
        let listened = self.gathers()?;
        let ended = [("CallStatus", "completed"), ("CallDuration", "9")];
        self.post("status", &format!("/api/twilio/status/{OPEN}"), &ended, "<Response")
            .await?;
        self.post("call-over", &listened, &[("SpeechResult", "hello")], "<Hangup")
            .await?;
        self.call(OPEN);
        for turn in 0..=TURNS {
            let name = format!("turn-{turn}");
            if self.last.is_empty() || self.last.contains("<Gather") {
                self.say(&name, "how long do red widgets last", "<").await?;
            }
        }
        ensure!(!self.last.contains("<Gather"), "{TURNS} turns do not end a call");
        self.post(
            "fallback",
            &format!("/api/twilio/fallback/{OPEN}"),
            &[("ErrorCode", "11200")],
            "<Dial",
        )
        .await
    }

    async fn other_companies(&mut self) -> Result<()> {
        self.call(QUIET);
        self.enter("greeting-after-hours", "<Gather").await?;
        self.say("no-person", "i want to talk to a person", "<").await?;
        self.call(QUIET);
        self.say(
            "message-without-a-person",
            "i would like to schedule a visit",
            "<Record",
        )
        .await?;
        self.post(
            "fallback-without-a-person",
            &format!("/api/twilio/fallback/{QUIET}"),
            &[],
            "<Hangup",
        )
        .await?;
        self.call(FORWARDING);
        self.enter("forward", "<Dial").await?;
        self.post(
            "fallback-forward",
            &format!("/api/twilio/fallback/{FORWARDING}"),
            &[],
            "<Dial",
        )
        .await?;
        self.call(SUSPENDED);
        self.enter("suspended", "<Hangup").await?;
        self.post(
            "fallback-suspended",
            &format!("/api/twilio/fallback/{SUSPENDED}"),
            &[],
            "<Hangup",
        )
        .await?;
        self.call(UNKNOWN);
        self.enter("unknown-company", "<Hangup").await?;
        self.say("unknown-company-danger", "i smell gas and there is a fire", "<Hangup")
            .await
    }

    /// A new call to a company.
    fn call(&mut self, company: &str) {
        self.calls += 1;
        let twilio = Twilio {
            account_sid: ACCOUNT.to_owned(),
            auth_token: if company == UNKNOWN { PLATFORM_TOKEN } else { TOKEN }.to_owned(),
        };
        self.caller
            .take(Call::new(&twilio, company, &format!("CA{:032x}", self.calls)));
        company.clone_into(&mut self.company);
        self.last.clear();
    }

    /// The call comes in.
    async fn enter(&mut self, name: &str, holds: &str) -> Result<()> {
        let target = format!("/api/twilio/voice/{}", self.company);
        self.post(name, &target, &[], holds).await
    }

    async fn say(&mut self, name: &str, words: &str, holds: &str) -> Result<()> {
        let target = self.gathers()?;
        self.post(name, &target, &[("SpeechResult", words), ("Confidence", "0.91")], holds)
            .await
    }

    async fn press(&mut self, name: &str, keys: &str, holds: &str) -> Result<()> {
        let target = self.gathers()?;
        self.post(name, &target, &[("Digits", keys)], holds).await
    }

    /// Where the last document listens; a call's first turn where none has come.
    fn gathers(&self) -> Result<String> {
        if self.last.is_empty() || !self.last.contains("<Gather") {
            return Ok(format!("/api/twilio/v2-agent-respond/{}", self.company));
        }
        attribute(&self.last, "Gather", "action")
    }

    /// Posts a webhook; the answer must hold this, and is kept under that name.
    async fn post(&mut self, name: &str, target: &str, extra: &[(&str, &str)], holds: &str) -> Result<()> {
        let answered = self.caller.fetch(target, extra).await;
        let xml = answered.with_context(|| format!("the shape `{name}`"))?;
        ensure!(xml.contains(holds), "the shape `{name}` should hold {holds}: {xml}");
        xml.clone_into(&mut self.last);
        self.shapes.push(Shape {
            name: name.to_owned(),
            xml,
        });
        Ok(())
    }
}

/// The value of an attribute of the first element of this name.
fn attribute(xml: &str, element: &str, attribute: &str) -> Result<String> {
    let tag = xml
        .split_once(&format!("<{element} "))
        .and_then(|(_, rest)| rest.split_once('>'));
    let value = tag
        .and_then(|(tag, _)| tag.split_once(&format!("{attribute}=\"")))
        .and_then(|(_, rest)| rest.split_once('"'));
    let (value, _) = value.with_context(|| format!("no `{attribute}` of <{element}> in {xml}"))?;
    Ok(value.replace("&amp;", "&"))
}

fn element_text(xml: &str, element: &str) -> Result<String> {
    let rest = xml
        .split_once(&format!("<{element}"))
        .and_then(|(_, rest)| rest.split_once('>'));
    let text = rest.and_then(|(_, rest)| rest.split_once('<'));
    let (text, _) = text.with_context(|| format!("no <{element}> in {xml}"))?;
    Ok(text.replace("&amp;", "&"))
}
