//! Companies to be called, what they know and what a right answer is.

use anyhow::Result;
use http::Method;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::{operator::Operator, twilio::Twilio};

/// What a scenario's trigger is, and its reply.
pub const VISIT: (&str, &str) = ("i would like to schedule a visit", "Gladly, which day suits you?");
/// What a Q&A asks, and its answer.
pub const PRICE: (&str, &str) = ("what does a visit cost", "A visit costs ninety dollars.");
/// Whoever says this is asked for a message.
pub const MESSAGE: &str = "i want to leave a message";
/// Whoever says this is told the template's revision.
pub const REVISION: &str = "which revision is this";

const COMPANIES: usize = 2;
const TRADE: &str = "Testing";

/// A company with a template of its own.
#[derive(Debug, Clone)]
pub struct Company {
    /// Its id.
    pub id: String,
    /// Its template's id.
    pub template: String,
    /// Who signs its webhooks.
    pub twilio: Twilio,
}

/// All companies.
#[derive(Debug, Clone)]
pub struct World {
    /// There are two.
    pub companies: Vec<Company>,
}

impl World {
    /// Makes the companies in a new store.
    ///
    /// # Errors
    /// The server refuses them.
    pub async fn create(operator: &mut Operator, rng: &mut StdRng) -> Result<Self> {
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
#[must_use]
pub fn template(company: &Company, revision: u64) -> Value {
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
#[must_use]
pub fn revision_told(speech: &str) -> Option<u64> {
    number_after(speech, "This is revision ")
}

/// The question of a numbered Q&A.
#[must_use]
pub fn question(number: u64) -> String {
    format!("is question number {number} stored")
}

/// The `version`th answer to a question.
#[must_use]
pub fn answer(number: u64, version: u64) -> String {
    format!("Question {number} has answer {version}.")
}

/// The version of an answer, if it answers this question.
#[must_use]
pub fn version_told(number: u64, speech: &str) -> Option<u64> {
    number_after(speech, &format!("Question {number} has answer "))
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    rest.split('.').next()?.parse().ok()
}
