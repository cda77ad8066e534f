//! Templates and their scenarios.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    confidence::Confidence,
    ids::{ScenarioId, TemplateId},
};

/// A set of scenarios that many companies share.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The template's id.
    #[serde(rename = "_id")]
    pub id: TemplateId,
    /// Its name, for operators.
    pub name: Arc<str>,
    /// The trade it is for.
    pub trade: Arc<str>,
    /// Its author's label; the server's own counter is `rev`.
    #[serde(default)]
    pub version: Arc<str>,
    /// Words and phrases without content.
    #[serde(default)]
    pub filler_words: Vec<String>,
    /// Technical term → what callers say for it.
    #[serde(default)]
    pub synonym_map: SynonymMap,
    /// Threshold of tier 1 for companies that set none.
    #[serde(default)]
    pub tier1_threshold: Option<Confidence>,
    /// Threshold of tier 2 for companies that set none.
    #[serde(default)]
    pub tier2_threshold: Option<Confidence>,
    /// The scenarios, grouped for operators.
    #[serde(default)]
    pub categories: Vec<Category>,
}

/// Technical term → colloquial aliases.
pub type SynonymMap = BTreeMap<String, Vec<String>>;

impl Template {
    /// All scenarios in the order in which they are listed.
    pub fn scenarios(&self) -> impl Iterator<Item = &Scenario> {
        self.categories.iter().flat_map(|category| &category.scenarios)
    }
}

/// A group of scenarios.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Category {
    /// Its id.
    pub id: Arc<str>,
    /// Its name, for operators.
    pub name: Arc<str>,
    /// Its scenarios.
    #[serde(default)]
    pub scenarios: Vec<Scenario>,
}

/// An intent: what callers say and what they hear.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Unique within the template.
    pub id: ScenarioId,
    /// Its name, for operators.
    pub name: Arc<str>,
    /// Only live scenarios match.
    #[serde(default)]
    pub status: ScenarioStatus,
    /// Of two equal triggers the scenario of higher priority answers.
    #[serde(default)]
    pub priority: i32,
    /// What callers say.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Regular expressions over the normal form.
    #[serde(default)]
    pub regex_triggers: Vec<String>,
    /// What speaks against this scenario.
    #[serde(default)]
    pub negative_triggers: Vec<String>,
    /// Short replies; `{variable}` is filled in.
    #[serde(default)]
    pub quick_replies: Vec<Arc<str>>,
    /// Long replies.
    #[serde(default)]
    pub full_replies: Vec<Arc<str>>,
    /// Which replies are spoken.
    #[serde(default)]
    pub reply_strategy: ReplyStrategy,
    /// The threshold of this scenario alone.
    #[serde(default)]
    pub min_confidence: Option<Confidence>,
    /// How long it does not answer again within one call.
    #[serde(default)]
    pub cooldown_seconds: u32,
    /// An urgency mark on the turn.
    #[serde(default)]
    pub emergency: bool,
    /// What follows the reply.
    #[serde(default)]
    pub action: Action,
}

/// Whether a scenario takes part in matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScenarioStatus {
    /// Being written.
    Draft,
    /// Answers callers.
    #[default]
    Live,
    /// Kept, but silent.
    Archived,
}

/// Which replies of a scenario are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReplyStrategy {
    /// Full replies if there are any, else quick ones.
    #[default]
    Auto,
    /// Full replies.
    Full,
    /// Quick replies.
    Quick,
    /// A quick reply and then a full one.
    QuickThenFull,
}

/// What follows a spoken reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The next turn is gathered.
    #[default]
    None,
    /// The caller is connected to a person.
    Transfer,
    /// A message is recorded.
    TakeMessage,
    /// The call ends.
    Hangup,
}
