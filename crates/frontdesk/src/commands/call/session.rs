//! A call as it is shown: what was spoken, and one line below, why.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    super::{Context, companies::Company, why},
    input::{HELP, Input},
};
use crate::{
    admin::{Admin, text},
    output::Output,
    phone::{Call, Dialled, Heard, Next, PhoneError},
};

/// A record is on disk within a second of its answer; this is how long it is waited for.
const RECORD_WAIT: Duration = Duration::from_millis(1_500);
const RECORD_POLL: Duration = Duration::from_millis(40);

/// A call that is going on.
pub(super) struct Session<'s> {
    admin: &'s Admin,
    company: &'s Company,
    call: Call,
    output: Output,
    on_terminal: bool,
    json: bool,
    /// Turns that were shown.
    turns: u32,
    /// Records of this call that were seen in the call log.
    recorded: usize,
    last: Option<Value>,
    /// Whether the call's end was reported.
    reported: bool,
}

impl<'s> Session<'s> {
    pub(super) fn new(context: &Context, admin: &'s Admin, company: &'s Company, call: Call, json: bool) -> Self {
        Self {
            admin,
            company,
            call,
            output: context.output,
            on_terminal: context.terminal.input,
            json,
            turns: 0,
            recorded: 0,
            last: None,
            reported: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.call.is_over()
    }

    /// The call comes in and is greeted.
    pub(super) async fn begin(&mut self) -> Result<()> {
        if !self.json {
            let Company { name, phone, .. } = self.company;
            self.output.line(
                self.output
                    .dim(format_args!("calling {name} at {phone} ({})", self.call.sid)),
            )?;
        }
        let heard = self.call.begin().await?;
        self.show(None, &heard).await
    }

    /// Shows a line that came from a pipe, where nobody sees it otherwise.
    pub(super) fn echo(&self, line: &str) -> Result<()> {
        if !self.json {
            self.output.line(format_args!("> {}", line.trim()))?;
        }
        Ok(())
    }

    /// The caller does something.
    pub(super) async fn take(&mut self, input: Input) -> Result<()> {
        let heard = match &input {
            Input::Words(words) => self.call.say(words).await,
            Input::Keys(keys) => self.call.press(keys).await,
            Input::Silence => self.call.stay_silent().await,
            Input::Hangup => return self.hang_up().await,
            Input::Why => return self.explain(),
            Input::Help => return self.tell(&HELP),
            Input::Unknown(said) => return self.tell(&[said]),
            Input::Nothing => return Ok(()),
        };
        match heard {
            Ok(heard) => self.show(Some(&input), &heard).await,
            Err(PhoneError::NotNow(why)) => self.tell(&[why]),
            Err(error) => Err(error.into()),
        }
    }

    async fn hang_up(&mut self) -> Result<()> {
        self.end().await?;
        self.tell(&["you hung up"])
    }

    /// The call is over, or nobody types any more: Twilio reports its end.
    pub(super) async fn end(&mut self) -> Result<()> {
        if !self.reported {
            self.call.hang_up().await?;
            self.reported = true;
        }
        Ok(())
    }

    async fn show(&mut self, input: Option<&Input>, heard: &Heard) -> Result<()> {
        self.turns += 1;
        let decision = self.new_record().await?;
        if self.json {
            self.output.line(self.as_json(input, heard, decision.as_ref()))?;
        } else {
            self.as_text(heard, decision.as_ref())?;
        }
        if decision.is_some() {
            self.last = decision;
        }
        Ok(())
    }

    fn as_text(&self, heard: &Heard, decision: Option<&Value>) -> Result<()> {
        let output = self.output;
        let dialled_after = |said: usize| heard.dialled.iter().filter(move |dialled| dialled.after == said);
        for (index, sentence) in heard.said.iter().enumerate() {
            for dialled in dialled_after(index) {
                self.show_dialled(dialled)?;
            }
            output.line(format_args!("  {sentence}"))?;
        }
        for dialled in dialled_after(heard.said.len()) {
            self.show_dialled(dialled)?;
        }
        if let Some(decision) = decision {
            output.line(output.dim(format_args!("    {}", why::line(decision))))?;
        }
        match heard.next {
            Next::Record { beep } => {
                let beep = if beep { "beep — " } else { "" };
                output.line(format_args!("  {beep}say your message"))?;
            }
            Next::End => output.line(output.dim("  the call has ended"))?,
            Next::Gather => {}
        }
        Ok(())
    }

    fn show_dialled(&self, dialled: &Dialled) -> Result<()> {
        let numbers = dialled.numbers.join(", ");
        let said = format!("  {numbers} is dialled; in the real call they would be connected. Here nobody picks up:");
        Ok(self.output.line(self.output.bold(said))?)
    }

    fn as_json(&self, input: Option<&Input>, heard: &Heard, decision: Option<&Value>) -> Value {
        let (did, what) = match input {
            Some(Input::Words(words)) => ("says", words.as_str()),
            Some(Input::Keys(keys)) => ("presses", keys.as_str()),
            Some(_) => ("is silent", ""),
            None => ("calls", self.call.from.as_str()),
        };
        let next = match heard.next {
            Next::Gather => "gather",
            Next::Record { .. } => "record",
            Next::End => "end",
        };
        json!({
            "callId": self.call.sid,
            "turn": self.turns,
            "caller": { "does": did, "what": what },
            "said": heard.said,
            "dialled": heard.dialled.iter().flat_map(|dialled| &dialled.numbers).collect::<Vec<_>>(),
            "next": next,
            "twiml": heard.twiml,
            "decision": decision,
        })
    }

    /// The newest record of this call, if it has a new one.
    async fn new_record(&mut self) -> Result<Option<Value>> {
        if self.call.is_over() && self.turns > 1 && self.last_was_message() {
            return Ok(None);
        }
        let path = format!("/api/v1/companies/{}/calls/{}", self.company.id, self.call.sid);
        let until = Instant::now() + RECORD_WAIT;
        loop {
            // Until the first record is there, the call is not either.
            let call = self.admin.get(&path).await.unwrap_or_default();
            let turns = call
                .get("turns")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            if turns.len() > self.recorded {
                self.recorded = turns.len();
                return Ok(turns.last().cloned());
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(RECORD_POLL).await;
        }
    }

    /// Whether the turn before asked for a message: what follows that is no turn and has no record.
    fn last_was_message(&self) -> bool {
        let outcome = self.last.as_ref().map(|record| text(record, "outcome"));
        matches!(outcome, Some("message" | "transfer" | "hangup"))
    }

    fn explain(&self) -> Result<()> {
        match &self.last {
            None => self.tell(&["there is nothing to explain yet"]),
            Some(record) => {
                let mut lines = why::trace(record);
                lines.insert(0, format!("heard as: {}", text(record, "normalized")));
                self.tell(&lines)
            }
        }
    }

    /// Says something that is no part of the call; with `--json`, to the standard error.
    fn tell(&self, lines: &[impl AsRef<str>]) -> Result<()> {
        for line in lines {
            let line = line.as_ref();
            if self.json {
                crate::output::complain(line);
            } else if self.on_terminal {
                self.output.line(self.output.dim(format_args!("    {line}")))?;
            } else {
                self.output.line(format_args!("    {line}"))?;
            }
        }
        Ok(())
    }
}

/// The URL that the server expected to be signed, from the alert that a refusal raises.
pub(super) async fn expected_url(admin: &Admin, company: &str) -> Option<String> {
    let until = Instant::now() + RECORD_WAIT;
    while Instant::now() < until {
        sleep(RECORD_POLL * 5).await;
        let notifications = admin.get("/api/v1/notifications").await.ok()?;
        let found = notifications
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|notification| {
                text(notification, "code") == "PRODUCTION_AI_SIGNATURE_REJECTED"
                    && text(notification, "companyId") == company
            });
        if let Some(url) = found.and_then(|notification| notification.pointer("/details/expectedUrl")) {
            return url.as_str().map(str::to_owned);
        }
    }
    None
}
