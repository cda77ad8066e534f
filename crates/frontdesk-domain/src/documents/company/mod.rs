//! Companies (tenants): their settings, and apart from them their secrets.

use std::sync::Arc;

use serde_json::Value;

use super::{Fault, Faults, Mode, Parsed, merge_patch, prompts::PromptTexts, reader, trade::TradeName};
use crate::{
    confidence::Confidence,
    ids::{CompanyId, TemplateId},
    money::PicoUsd,
    phone::{Country, PhoneNumber},
    time::{Hours, Schedule, TimeZone, Timestamp},
    variables::{Variables, Wording},
};

mod agent;
mod legacy;
mod read;
mod secrets;
#[cfg(test)]
mod tests;

pub(super) use read::language;

pub use secrets::{Change, CompanySecrets, NotSecrets, SecretChanges, SharedKey, SharedKeyChange};

/// How many days the records of calls are kept if a company does not say.
pub const DEFAULT_RETENTION_DAYS: u16 = 90;

/// Records of calls are kept for so many days at most.
pub const MAX_RETENTION_DAYS: u16 = 365;

/// A business whose phone is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its name, which is `{companyName}` in texts.
    pub name: Arc<str>,
    /// Its main number.
    pub phone: PhoneNumber,
    /// Its other numbers; none repeats another or `phone`.
    pub phones: Vec<PhoneNumber>,
    /// A label for people.
    pub industry_type: Option<Arc<str>>,
    /// The trades whose Q&A it uses.
    pub trades: Vec<TradeName>,
    /// Its zone: of its hours and its months.
    pub time_zone: TimeZone,
    /// Whether and how its calls are answered.
    pub status: Status,
    /// Where calls go while it forwards.
    pub forward_number: Option<PhoneNumber>,
    /// The Twilio account that its webhooks must name.
    pub account_sid: Option<Arc<str>>,
    /// How it sounds and listens.
    pub voice: Voice,
    /// What is said first, if it is not the prompts' greeting.
    pub greeting: Option<Wording>,
    /// Its own prompts, which win over the language's.
    pub prompts: PromptTexts,
    /// Its opening hours.
    pub schedule: Schedule,
    /// How long records of its calls are kept, in days.
    pub retention_days: u16,
    /// Who may be dialled.
    pub transfer: Transfer,
    /// What is filled in for placeholders, its name included.
    pub variables: Variables,
    /// Thresholds of its Q&A.
    pub thresholds: Thresholds,
    /// The template gatekeeper.
    pub gatekeeper: Gatekeeper,
    /// What is spoken when nothing matched.
    pub fallback: FallbackResponses,
    /// What is learnt from its calls.
    pub learning: LearningSettings,
    /// Its templates, in the order in which they are asked, disabled ones included.
    pub template_references: Vec<TemplateReference>,
}

/// The most characters of a text that is spoken.
const SPOKEN: usize = 2_000;

/// What the server owns of a company; a PATCH must not name it.
const SERVER_OWNED: [&str; 3] = [
    "/aiAgentLogic/templateGatekeeper/currentSpend",
    "/aiAgentLogic/templateGatekeeper/lastResetDate",
    "/aiAgentLogic/fallbackResponses/lastUsedIndex",
];

impl Company {
    /// Reads a company document. Give it its id before, with [`place_id`](super::place_id).
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, mode: Mode<'_>) -> Result<Parsed<CompanyDocument>, Faults> {
        reader::parse(document, mode, read::company)
    }

    /// The document that a merge patch makes of a stored one, to be parsed like that of a PUT.
    ///
    /// A `null` for a secret stays in it, because there it means *remove* and absence means *keep*.
    ///
    /// # Errors
    /// The patch names what the server owns, or is no object.
    pub fn patched(stored: &Value, patch: &Value) -> Result<Value, Faults> {
        if !patch.is_object() {
            return Err(Faults::one("", "should be an object of the fields to change"));
        }
        let owned = SERVER_OWNED.iter().filter(|pointer| patch.pointer(pointer).is_some());
        let faults: Vec<Fault> = owned
            .map(|pointer| Fault {
                pointer: (*pointer).to_owned(),
                detail: "is kept by the server and cannot be changed; leave it out".to_owned(),
            })
            .collect();
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let mut patched = stored.clone();
        merge_patch(&mut patched, patch);
        if let Some(fields) = patched.as_object_mut() {
            if patch.get("twilio") == Some(&Value::Null) {
                fields.insert("twilio".into(), Value::Null);
            }
            for name in ["authToken", "previousAuthToken", "sharedKeys"] {
                let removed = patch.get("twilio").and_then(|twilio| twilio.get(name)) == Some(&Value::Null);
                if let (true, Some(twilio)) = (removed, fields.get_mut("twilio").and_then(Value::as_object_mut)) {
                    twilio.insert(name.into(), Value::Null);
                }
            }
        }
        Ok(patched)
    }

    /// All of its numbers, the main one first.
    pub fn numbers(&self) -> impl Iterator<Item = PhoneNumber> {
        std::iter::once(self.phone).chain(self.phones.iter().copied())
    }

    /// Its country: that of its main number.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.phone.country()
    }

    /// The templates that are asked, in order.
    pub fn enabled_templates(&self) -> impl Iterator<Item = TemplateId> {
        self.template_references
            .iter()
            .filter(|reference| reference.enabled)
            .map(|reference| reference.template)
    }
}

/// Whether and how a company's calls are answered (DESIGN 4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Calls are answered.
    Active,
    /// Calls are dialled through to the company's `forward_number`.
    Forward,
    /// Callers hear a notice.
    Suspended,
}

/// How a company sounds and listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// The BCP 47 language, such as `en-US`.
    pub language: Arc<str>,
    /// The name of the voice: letters, digits, dots and dashes.
    pub voice: Arc<str>,
    /// The silence that ends what a caller says, in seconds.
    pub speech_timeout_seconds: u16,
    /// How long a caller may say nothing, in seconds.
    pub initial_timeout_seconds: u16,
    /// Whether a caller may cut off what is spoken.
    pub barge_in: bool,
    /// Texts to bridge a pause; reserved.
    pub fillers: Vec<Wording>,
}

/// Who may be dialled for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    /// In the order in which they are tried.
    pub destinations: Vec<Destination>,
    /// Countries that may be dialled beside the company's own.
    pub allowed_countries: Vec<Country>,
}

/// Somebody who takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Who it is, for operators.
    pub name: Arc<str>,
    /// The number to dial.
    pub number: PhoneNumber,
    /// When somebody is there; the company's holidays are not theirs.
    pub hours: Hours,
}

/// Thresholds of Q&A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// For the company's own.
    pub company_qna: Confidence,
    /// For those of its trades.
    pub trade_qna: Confidence,
}

/// Settings of the template gatekeeper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gatekeeper {
    /// Off means tier 1 alone, at the platform's threshold (DESIGN 4.12).
    pub enabled: bool,
    /// Over the template's own.
    pub tier1_threshold: Option<Confidence>,
    /// Over the template's own.
    pub tier2_threshold: Option<Confidence>,
    /// Whether the LLM may be asked.
    pub llm_enabled: bool,
    /// What the LLM may cost in a month; none and zero both mean no LLM.
    pub monthly_budget: Option<PicoUsd>,
}

/// What a company says when nothing matched, and what it offers then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackResponses {
    /// The tone in which prompts are spoken.
    pub tone: Arc<str>,
    /// When something nearly matched.
    pub clarification_needed: Vec<Wording>,
    /// When nothing did.
    pub no_match_found: Vec<Wording>,
    /// After an error or a time-out.
    pub technical_issue: Vec<Wording>,
    /// When it is another trade's business.
    pub out_of_scope: Vec<Wording>,
    /// What is offered when answering has failed.
    pub escalation: EscalationOptions,
}

/// What is offered when answering has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscalationOptions {
    /// A person.
    pub transfer: bool,
    /// A recorded message.
    pub message: bool,
    /// A call back.
    pub callback: bool,
}

/// What is learnt from a company's calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningSettings {
    /// Whether suggestions are made.
    pub auto_learn: bool,
    /// Whether they may be made for the shared template too.
    pub share_patterns: bool,
    /// How sure a suggestion must be.
    pub min_confidence: Confidence,
}

/// A template that a company uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateReference {
    /// The template.
    pub template: TemplateId,
    /// Whether it is asked.
    pub enabled: bool,
}

/// A company document as it came in: the settings, and what does not rest with them.
#[derive(Debug, Clone)]
pub struct CompanyDocument {
    /// The settings.
    pub company: Company,
    /// What the document says about secrets; see [`SecretChanges::apply`].
    pub secrets: SecretChanges,
    /// What an import opens the company with; empty otherwise.
    pub opening: Opening,
}

/// What the server owns and an import may bring along.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Opening {
    /// `currentSpend`: becomes an `imported` ledger entry if `last_reset` lies in the current month.
    pub current_spend: Option<PicoUsd>,
    /// `lastResetDate`.
    pub last_reset: Option<Timestamp>,
    /// `lastUsedIndex`, from which rotation goes on.
    pub last_used: LastUsedIndex,
}

/// The index of the variation last spoken, by fallback type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastUsedIndex {
    /// Of `clarificationNeeded`.
    pub clarification: Option<u32>,
    /// Of `noMatchFound`.
    pub no_match: Option<u32>,
    /// Of `technicalIssue`.
    pub technical: Option<u32>,
    /// Of `outOfScope`.
    pub out_of_scope: Option<u32>,
}
