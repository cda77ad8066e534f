//! Somebody who calls a company, as Twilio plays them: each webhook goes where the last document says.

use std::time::Duration;

use frontdesk_twilio::form::Form;

use super::{
    document::{self, attribute, find},
    scene::{COMPANY, Scene},
};
use crate::{Route, Webhook, settings};

/// The number that callers have who are given no other.
pub(super) const CALLER: &str = "+15550100000";

#[derive(Clone)]
pub(super) struct Caller<'s> {
    scene: &'s Scene,
    pub(super) sid: String,
    company: String,
    from: String,
    /// Where words, keys and silence go.
    pub(super) target: String,
    /// Where the result of a dial goes.
    pub(super) dial_target: String,
    /// Where a recorded message goes.
    pub(super) message_target: String,
    /// How long an answer may take.
    pub(super) patience: Duration,
}

impl<'s> Caller<'s> {
    pub(super) fn new(scene: &'s Scene, sid: &str) -> Self {
        let caller = Self {
            scene,
            sid: sid.to_owned(),
            company: String::new(),
            from: CALLER.to_owned(),
            target: String::new(),
            dial_target: String::new(),
            message_target: String::new(),
            patience: settings::TURN_DEADLINE,
        };
        caller.of_company(COMPANY)
    }

    pub(super) fn of_company(mut self, company: &str) -> Self {
        company.clone_into(&mut self.company);
        self.target = format!("/api/twilio/v2-agent-respond/{company}");
        self.dial_target = format!("/api/twilio/dial-result/{company}");
        self.message_target = format!("/api/twilio/message/{company}");
        self
    }

    pub(super) fn from(mut self, number: &str) -> Self {
        number.clone_into(&mut self.from);
        self
    }

    /// The same caller at another instance, or after a restart.
    pub(super) fn at<'n>(&self, scene: &'n Scene) -> Caller<'n> {
        let Self {
            sid,
            company,
            from,
            target,
            dial_target,
            message_target,
            patience,
            ..
        } = self.clone();
        Caller {
            scene,
            sid,
            company,
            from,
            target,
            dial_target,
            message_target,
            patience,
        }
    }

    /// The call begins.
    pub(super) async fn voice(&mut self) -> String {
        let target = format!("/api/twilio/voice/{}", self.company);
        self.post_to(Route::Voice, &target, &[]).await
    }

    /// Says something; the next words go to where the answer asks for them.
    pub(super) async fn says(&mut self, words: &str) -> String {
        self.post(&[("SpeechResult", words), ("Confidence", "0.91")]).await
    }

    /// Presses keys.
    pub(super) async fn keys(&mut self, keys: &str) -> String {
        self.post(&[("Digits", keys)]).await
    }

    /// Says nothing until Twilio gives up.
    pub(super) async fn silence(&mut self) -> String {
        self.post(&[("SpeechResult", "")]).await
    }

    /// Posts a turn with these parameters.
    pub(super) async fn post(&mut self, parameters: &[(&str, &str)]) -> String {
        let target = self.target.clone();
        self.post_to(Route::Respond, &target, parameters).await
    }

    /// The dialled person was reached or not.
    pub(super) async fn dial_result(&mut self, parameters: &[(&str, &str)]) -> String {
        let target = self.dial_target.clone();
        self.post_to(Route::DialResult, &target, parameters).await
    }

    /// A message was recorded.
    pub(super) async fn message(&mut self, parameters: &[(&str, &str)]) -> String {
        let target = self.message_target.clone();
        self.post_to(Route::Message, &target, parameters).await
    }

    /// Posts anything anywhere, checks the document and goes where it sends the call.
    pub(super) async fn post_to(&mut self, route: Route, target: &str, parameters: &[(&str, &str)]) -> String {
        let document = self.post_form(route, target, &self.form(parameters)).await;
        if !document.ends_with("<Response/>") {
            document::check(&document);
        }
        if let Some(action) = attribute(&document, "Gather", "action") {
            self.target = action;
        }
        // Whoever leaves no message is sent on.
        if let Some(redirect) = find(&document, "Redirect") {
            self.target = redirect.text;
        }
        if let Some(action) = attribute(&document, "Dial", "action") {
            self.dial_target = action;
        }
        if let Some(action) = attribute(&document, "Record", "action") {
            self.message_target = action;
        }
        document
    }

    /// The parameters of a webhook, Twilio's own among them.
    pub(super) fn form(&self, parameters: &[(&str, &str)]) -> Form {
        let mut form: Form = parameters.iter().copied().collect();
        form.push("CallSid", &self.sid);
        form.push("From", &self.from);
        form
    }

    /// Posts a form as it is.
    pub(super) async fn post_form(&self, route: Route, target: &str, form: &Form) -> String {
        let tenant = self.scene.tenant(&self.company).await;
        let webhook = Webhook {
            route,
            target,
            form,
            arrived: self.scene.now(),
            deadline: tokio::time::Instant::now() + self.patience,
        };
        let flow = &self.scene.flow;
        let document = if route == Route::Message {
            flow.message(&tenant, &webhook).await
        } else {
            flow.respond(&tenant, &webhook).await
        };
        document.to_string()
    }
}
