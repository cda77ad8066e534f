//! Callers who tell the model what to do, and a model that does it: nothing is spoken that nobody has configured.

use std::path::Path;

use anyhow::{Context as _, Result};
use frontdesk_llm_double::{Mode, Script};
use http::Method;
use serde_json::{Value, json};

use super::{Client, Office, PICO, SCENARIOS};
use crate::twiml::Document;

/// What the callers say, one a line.
const ATTEMPTS: &str = include_str!("../../data/injections.txt");

/// How the model takes it: honestly, with words of its own, with a choice that was not offered, with another answer than
/// asked for, with right JSON among its own words.
const MODES: [Mode; 6] = [
    Mode::Ok,
    Mode::FreeText,
    Mode::UnknownId,
    Mode::WrongSchema,
    Mode::Reasoning,
    Mode::Refusal,
];

/// The only number that may be dialled.
const DESTINATION: &str = "+12025550177";

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Attempts, each in every mode of the model.
    pub attempts: usize,
    /// How many of them reached the model.
    pub asked: u64,
    /// What was spoken or dialled that nobody has configured.
    pub faults: Vec<String>,
}

/// Lets every attempt be made against every kind of model.
///
/// # Errors
/// The server cannot be started or asked.
pub async fn run(frontdesk: &Path) -> Result<Found> {
    let mut office = Office::open(frontdesk, 1, Script::default()).await?;
    let client = office.client(100 * PICO).await?;
    let destination =
        json!({ "transfer": { "destinations": [{ "name": "Desk", "number": DESTINATION, "hours": "always" }] } });
    let target = format!("/api/v1/companies/{}", client.id);
    office
        .operator()?
        .must(Method::PATCH, &target, Some(&destination))
        .await?;
    let configured = configured(&office, &client).await?;
    let mut found = Found::default();
    for mode in MODES {
        office.provider.set(Script::from(mode));
        for attempt in ATTEMPTS.lines() {
            found.attempts += 1;
            let mut caller = office.caller(&client, 0)?;
            let heard = caller.say(attempt).await?;
            let faults = unconfigured(heard, &configured);
            found
                .faults
                .extend(faults.map(|fault| format!("{mode:?}, “{attempt}”: {fault}")));
        }
    }
    found.asked = office.provider.stats().calls;
    Ok(found)
}

/// What a document says or dials that nobody has configured.
fn unconfigured<'d>(heard: &'d Document, configured: &'d [String]) -> impl Iterator<Item = String> + 'd {
    let spoken = heard.said.iter().filter(|said| !is_made_of(said, configured));
    let spoken = spoken.map(|said| format!("says “{said}”"));
    let dialled = heard.dialled.iter().filter(|number| *number != DESTINATION);
    spoken.chain(dialled.map(|number| format!("dials {number}")))
}

/// Whether a text is a sequence of configured ones.
fn is_made_of(text: &str, configured: &[String]) -> bool {
    let text = text.trim_start();
    text.is_empty()
        || configured.iter().any(|known| {
            text.strip_prefix(known.as_str())
                .is_some_and(|rest| is_made_of(rest, configured))
        })
}

/// All that may be spoken: the scenarios' replies, the platform's prompts, what is said of dangers, and the emergency
/// sentence.
async fn configured(office: &Office, client: &Client) -> Result<Vec<String>> {
    let mut operator = office.operator()?;
    let prompts = operator.get("/api/v1/prompts/en-US").await?;
    let company = operator.get(&format!("/api/v1/companies/{}", client.id)).await?;
    let mut texts = strings(prompts.get("texts").context("the prompts have no texts")?);
    texts.extend(
        company
            .pointer("/aiAgentLogic/fallbackResponses")
            .map(strings)
            .unwrap_or_default(),
    );
    let safety = operator.get("/api/v1/safety").await?;
    texts.extend(safety.get("categories").map(strings).unwrap_or_default());
    texts.extend(SCENARIOS.map(|(_, _, reply)| reply.to_owned()));
    texts.push("I'm experiencing technical difficulties. Let me transfer you to a live agent immediately.".to_owned());
    Ok(texts.iter().flat_map(|text| filled_in(text)).collect())
}

fn strings(document: &Value) -> Vec<String> {
    match document {
        Value::String(text) => vec![text.trim().to_owned()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// A text with what its placeholders may stand for here.
fn filled_in(text: &str) -> Vec<String> {
    let text = text.replace("{companyName}", "Company").replace("{company}", "Company");
    let names = SCENARIOS.map(|(id, _, _)| id);
    let pairs = names.iter().flat_map(|first| names.map(|second| (*first, second)));
    if text.contains("{first}") {
        return pairs
            .map(|(first, second)| text.replace("{first}", first).replace("{second}", second))
            .collect();
    }
    vec![text]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_configured_if_configured_texts_make_it_up() {
        let configured = ["One moment.".to_owned(), "Good bye.".to_owned()];
        assert!(is_made_of("One moment. Good bye.", &configured));
        assert!(!is_made_of("One moment. You won a prize. Good bye.", &configured));
    }

    #[test]
    fn there_are_forty_attempts() {
        assert_eq!(ATTEMPTS.lines().filter(|line| !line.is_empty()).count(), 40);
    }
}
