//! Templates and their scenarios.

use std::{collections::BTreeMap, sync::Arc};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed,
    reader::{
        Place, Read, Reader, parse, refuse_repeats,
        shapes::{
            boolean, choice, confidence, integer, line, list, map, object, parsed, slug, string, trigger_pattern,
            wording,
        },
        texts_of,
    },
};
use crate::{
    confidence::Confidence,
    ids::{ScenarioId, TemplateId},
    variables::Wording,
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
    /// Reads a template document. Give it its id before, with [`place_id`](super::place_id).
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, mode: Mode<'_>) -> Result<Parsed<Self>, Faults> {
        parse(document, mode, template)
    }

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
    pub quick_replies: Vec<Wording>,
    /// Long replies.
    #[serde(default)]
    pub full_replies: Vec<Wording>,
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

/// The most scenarios that a template has.
const SCENARIOS: usize = 5_000;

fn template(doc: &mut Reader<'_, '_>) -> Option<Template> {
    let id = doc.required("_id", parsed("an id of 24 hexadecimal digits"));
    let name = doc.required("name", line(1..=200));
    let trade = doc.or("trade", "", line(0..=100));
    let version = doc.or("version", "", line(0..=100));
    let filler_words = doc.or("fillerWords", json!([]), list(0..=2_000, string(1..=100)));
    let synonym_map = doc.or("synonymMap", json!({}), synonyms);
    let tier1_threshold = doc.optional("tier1Threshold", confidence);
    let tier2_threshold = doc.optional("tier2Threshold", confidence);
    refuse_repeated_ids(doc);
    let categories: Option<Vec<Category>> = doc.or("categories", json!([]), list(0..=500, object(category)));
    doc.ignored("rev");
    doc.ignored("warnings");
    doc.server_time("createdAt");
    doc.server_time("updatedAt");
    let count: usize = categories
        .iter()
        .flatten()
        .map(|category| category.scenarios.len())
        .sum();
    if count > SCENARIOS {
        doc.place.fault_below(
            "/categories",
            format!("should have at most {SCENARIOS} scenarios, not {count}"),
        );
    }
    Some(Template {
        id: id?,
        name: name?,
        trade: trade?,
        version: version?,
        filler_words: filler_words?,
        synonym_map: synonym_map?,
        tier1_threshold,
        tier2_threshold,
        categories: categories?,
    })
}

fn refuse_repeated_ids(doc: &mut Reader<'_, '_>) {
    let categories = doc.raw("categories");
    refuse_repeats(doc.place, texts_of(categories, "/categories", "id"));
    let categories = categories.and_then(Value::as_array).into_iter().flatten().enumerate();
    let scenarios = categories.flat_map(|(index, category)| {
        texts_of(
            category.get("scenarios"),
            &format!("/categories/{index}/scenarios"),
            "id",
        )
    });
    refuse_repeats(doc.place, scenarios);
}

/// `{ technical: [colloquial] }`.
pub(super) fn synonyms(value: &Value, place: &mut Place<'_>) -> Read<SynonymMap> {
    let term = |name: &str| match name.trim() {
        "" => Err("is blank; it should be a technical term"),
        _ if name.chars().count() > 200 => Err("should have at most 200 characters"),
        _ => Ok(name.to_owned()),
    };
    let (entries, json) = map(5_000, term, list(0..=200, string(1..=200)))(value, place)?;
    Some((entries.into_iter().collect(), json))
}

fn category(doc: &mut Reader<'_, '_>) -> Option<Category> {
    let id = doc.required("id", slug(|text| text.into()));
    let name = doc.or("name", "", line(0..=200));
    let scenarios = doc.or("scenarios", json!([]), list(0..=SCENARIOS, object(scenario)));
    Some(Category {
        id: id?,
        name: name?,
        scenarios: scenarios?,
    })
}

fn scenario(doc: &mut Reader<'_, '_>) -> Option<Scenario> {
    let id = doc.required("id", slug(ScenarioId::new));
    let name = doc.or("name", "", line(0..=200));
    let status = doc.or("status", "live", choice(STATUSES));
    let priority = doc.or("priority", 0, integer(-1_000_000..=1_000_000));
    let triggers = doc.or("triggers", json!([]), list(0..=200, string(1..=500)));
    let regex_triggers = doc.or("regexTriggers", json!([]), list(0..=200, trigger_pattern));
    let negative_triggers = doc.or("negativeTriggers", json!([]), list(0..=200, string(1..=500)));
    let quick_replies = doc.or("quickReplies", json!([]), list(0..=50, wording(1..=2_000)));
    let full_replies = doc.or("fullReplies", json!([]), list(0..=50, wording(1..=2_000)));
    let reply_strategy = doc.or("replyStrategy", "auto", choice(STRATEGIES));
    let min_confidence = doc.optional("minConfidence", confidence);
    let cooldown_seconds = doc.or("cooldownSeconds", 0, integer(0..=86_400));
    let emergency = doc.or("emergency", false, boolean);
    let action = doc.or("action", "none", choice(ACTIONS));
    Some(Scenario {
        id: id?,
        name: name?,
        status: status?,
        priority: priority?,
        triggers: triggers?,
        regex_triggers: regex_triggers?,
        negative_triggers: negative_triggers?,
        quick_replies: quick_replies?,
        full_replies: full_replies?,
        reply_strategy: reply_strategy?,
        min_confidence,
        cooldown_seconds: cooldown_seconds?,
        emergency: emergency?,
        action: action?,
    })
}

const STATUSES: &[(&str, ScenarioStatus)] = &[
    ("draft", ScenarioStatus::Draft),
    ("live", ScenarioStatus::Live),
    ("archived", ScenarioStatus::Archived),
];

const STRATEGIES: &[(&str, ReplyStrategy)] = &[
    ("auto", ReplyStrategy::Auto),
    ("full", ReplyStrategy::Full),
    ("quick", ReplyStrategy::Quick),
    ("quickThenFull", ReplyStrategy::QuickThenFull),
];

/// The names of what may follow a reply.
pub(super) const ACTIONS: &[(&str, Action)] = &[
    ("none", Action::None),
    ("transfer", Action::Transfer),
    ("takeMessage", Action::TakeMessage),
    ("hangup", Action::Hangup),
];

/// Compiles a pattern of a scenario, whatever its case, within the limits of matching.
///
/// # Errors
/// It is no regular expression, or takes more than 256 KiB once compiled.
pub fn compile_trigger(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(1 << 18)
        .dfa_size_limit(1 << 16)
        .case_insensitive(true)
        .build()
}
