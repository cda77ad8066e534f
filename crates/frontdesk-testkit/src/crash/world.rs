//! The companies that are called, and what they know.

use anyhow::Result;
use http::Method;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::{operator::Operator, twilio::Twilio};

/// What callers say, and what a right answer holds.
pub(super) const VISIT: (&str, &str) = ("i would like to schedule a visit", "Gladly, which day suits you?");
pub(super) const PRICE: (&str, &str) = ("what does a visit cost", "A visit costs ninety dollars.");
pub(super) const MESSAGE: &str = "i want to leave a message";
pub(super) const REVISION: &str = "which revision is this";

const COMPANIES: usize = 2;
const TRADE: &str = "Testing";

pub(super) struct Company {
    pub(super) id: String,
    pub(super) template: String,
    pub(super) twilio: Twilio,
}

pub(super) struct World {
    pub(super) companies: Vec<Company>,
}

impl World {
    /// Makes the companies.
    pub(super) async fn create(operator: &mut Operator, rng: &mut StdRng) -> Result<Self> {
        let mut companies = Vec::new();
        for number in 0..COMPANIES {
            let mut hex = |digits: usize| format!("{:032x}", rng.random::<u128>()).split_off(32 - digits);
            let company = Company {
                id: hex(24),
                template: hex(24),
                twilio: Twilio {
                    account_sid: format!("AC{}", hex(32)),
                    auth_token: hex(32),
                },
            };
            let template = template(&company, 0);
            operator
                .must(Method::POST, "/api/v1/templates", Some(&template))
                .await?;
            let document = document(&company, number);
            operator
                .must(Method::POST, "/api/v1/companies", Some(&document))
                .await?;
            let qna = json!({ "id": "price", "question": PRICE.0, "answer": PRICE.1 });
            let target = format!("/api/v1/companies/{}/qna", company.id);
            operator.must(Method::POST, &target, Some(&qna)).await?;
            companies.push(company);
        }
        Ok(Self { companies })
    }
}

fn document(company: &Company, number: usize) -> Value {
    json!({
        "_id": company.id,
        "name": format!("Company {number}"),
        "phone": format!("+1202555017{number}"),
        "industryType": TRADE,
        "timezone": "America/New_York",
        "twilio": { "accountSid": company.twilio.account_sid, "authToken": company.twilio.auth_token },
        "variables": { "promo": "0" },
        "aiAgentLogic": { "fallbackResponses": {
            "noMatchFound": ["I did not find that.", "That is new to me."],
            "clarificationNeeded": ["Please say that in other words."],
            // Nobody can be dialled, so a second miss ends in a message.
            "escalationOptions": { "offerTransfer": false, "offerMessage": true, "offerCallback": false },
        } },
        "aiAgentSettings": { "templateReferences": [company.template] },
    })
}

/// A company's template, as an operator writes it for the `revision`th time.
pub(super) fn template(company: &Company, revision: u64) -> Value {
    let scenario = |id: &str, trigger: &str, reply: &str, action: &str| json!({ "id": id, "name": id, "status": "live", "triggers": [trigger], "fullReplies": [reply], "action": action });
    json!({
        "_id": company.template,
        "name": "Template",
        "trade": TRADE,
        "version": revision.to_string(),
        "categories": [{ "id": "all", "name": "All", "scenarios": [
            scenario("visit", VISIT.0, VISIT.1, "none"),
            scenario("message", MESSAGE, "Please leave it after the tone.", "takeMessage"),
            scenario("revision", REVISION, &revision_reply(revision), "none"),
        ] }],
    })
}

fn revision_reply(revision: u64) -> String {
    format!("This is revision {revision}.")
}

/// The revision that a caller was told.
pub(super) fn revision_told(speech: &str) -> Option<u64> {
    number_after(speech, "This is revision ")
}

pub(super) fn question(number: u64) -> String {
    format!("is question number {number} stored")
}

/// The `version`th answer to a question.
pub(super) fn answer(number: u64, version: u64) -> String {
    format!("Question {number} has answer {version}.")
}

/// The version of an answer, if it answers this question.
pub(super) fn version_told(number: u64, speech: &str) -> Option<u64> {
    number_after(speech, &format!("Question {number} has answer "))
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    rest.split('.').next()?.parse().ok()
}
