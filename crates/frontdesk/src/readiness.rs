//! Whether a company can answer its calls, and what to do where it cannot.

use frontdesk_domain::{
    documents::{
        company::Status,
        template::{ReplyStrategy, Scenario, ScenarioStatus, Template},
    },
    variables::{Variables, Wording},
};
use frontdesk_matching::{alike, language::Language};
use frontdesk_store::cache::{KnowledgeDocuments, Settings};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Calls are answered, less well than they could be.
    Warning,
    /// Calls are not answered.
    Failure,
}

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is so.
    pub text: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn fine(text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fine,
            text: text.into(),
            remedy: String::new(),
        }
    }

    /// Calls are answered, less well than they could be.
    #[must_use]
    pub fn warning(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            text: text.into(),
            remedy: remedy.into(),
        }
    }

    /// Calls are not answered.
    #[must_use]
    pub fn failure(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Failure,
            text: text.into(),
            remedy: remedy.into(),
        }
    }
}

/// What is wrong with a company. `has_platform_token` tells whether the platform's auth token stands in for its own.
#[must_use]
pub fn of_company(settings: &Settings, documents: &KnowledgeDocuments, has_platform_token: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let company = &*settings.company;
    if settings.secrets.auth_token.is_none() && settings.secrets.shared_keys.is_empty() && !has_platform_token {
        found.push(Finding::failure(
            "it has no Twilio auth token, so all of its webhooks are refused",
            "set twilio.authToken of the company to its account's token",
        ));
    }
    match company.status {
        Status::Active => {}
        Status::Forward => found.push(Finding::warning(
            "it forwards every call",
            "set status to active when it should answer",
        )),
        Status::Suspended => found.push(Finding::warning(
            "it is suspended: callers hear a notice",
            "set status to active when it should answer",
        )),
    }
    if documents.templates.is_empty() {
        found.push(Finding::warning(
            "it has no enabled template: only its Q&A, the safety rules and fallbacks answer",
            "name templates in aiAgentSettings.templateReferences",
        ));
    }
    let fallback = &company.fallback;
    let named = [
        ("clarificationNeeded", &fallback.clarification_needed),
        ("noMatchFound", &fallback.no_match_found),
        ("technicalIssue", &fallback.technical_issue),
        ("outOfScope", &fallback.out_of_scope),
    ];
    for (name, wordings) in named {
        if speakable(wordings, &company.variables) == 0 {
            found.push(Finding::warning(
                format!("it has no fallback `{name}` that can be spoken, so the platform's prompt stands in"),
                format!("write some in aiAgentLogic.fallbackResponses.{name}"),
            ));
        }
    }
    if company.transfer.destinations.is_empty() {
        found.push(Finding::warning(
            "nobody can be dialled for a caller who needs a person: a message is taken instead",
            "name somebody in transfer.destinations",
        ));
    }
    found.extend(company.greeting.iter().filter_map(|greeting| {
        let unset = unset(greeting, &company.variables)?;
        Some(Finding::warning(
            format!("its greeting lacks {unset}"),
            remedy_for(&unset),
        ))
    }));
    found.extend(silenced(documents, &company.variables));
    found.extend(said_twice(documents, Language::of_tag(&company.voice.language)));
    found
}

/// Wordings that two scenarios or Q&As of one source have; so many are named.
const NAMED: usize = 5;

fn said_twice(documents: &KnowledgeDocuments, language: &'static Language) -> Vec<Finding> {
    let templates: Vec<&Template> = documents.templates.iter().map(|template| &*template.document).collect();
    let overlay = documents.overlay.as_ref().map(|overlay| &*overlay.document);
    let mut alike = alike::in_templates(&templates, overlay, language);
    for set in std::iter::once(&documents.company_qna).chain(&documents.trade_qna) {
        alike.extend(alike::in_qna(set.items.iter().map(AsRef::as_ref), language));
    }
    let more = alike.len().saturating_sub(NAMED);
    let named = alike.iter().take(NAMED).map(|one| {
        Finding::warning(
            format!("\"{}\" of {} {one}", one.wording, one.id),
            "take the wording from one of them",
        )
    });
    let mut found: Vec<Finding> = named.collect();
    if more > 0 {
        found.push(Finding::warning(
            format!("{more} more wordings stand in two places"),
            String::new(),
        ));
    }
    found
}

/// Scenarios and Q&As that are never spoken, because a variable is not set.
fn silenced(documents: &KnowledgeDocuments, variables: &Variables) -> Vec<Finding> {
    let scenarios = documents
        .templates
        .iter()
        .flat_map(|template| template.document.scenarios());
    let live = scenarios.filter(|scenario| scenario.status == ScenarioStatus::Live);
    let scenarios = live.filter_map(|scenario| {
        let replies = replies(scenario);
        let silent = replies.iter().all(|reply| !reply.is_complete(variables));
        silent.then(|| finding("scenario", scenario.id.as_str(), replies.first().copied(), variables))
    });
    let sets = std::iter::once(&documents.company_qna).chain(&documents.trade_qna);
    let questions = sets
        .flat_map(|set| set.items.iter())
        .filter(|qna| qna.active && !qna.answer.is_complete(variables));
    let questions = questions.map(|qna| finding("Q&A", qna.id.as_str(), Some(&qna.answer), variables));
    scenarios.chain(questions).collect()
}

fn finding(what: &str, id: &str, wording: Option<&Wording>, variables: &Variables) -> Finding {
    match wording.and_then(|wording| unset(wording, variables)) {
        Some(unset) => Finding::warning(
            format!("its {what} {id} never answers, because {unset} is not set"),
            remedy_for(&unset),
        ),
        None => Finding::warning(
            format!("its {what} {id} never answers, because it has no reply"),
            "write a reply",
        ),
    }
}

/// The replies that its strategy may speak.
fn replies(scenario: &Scenario) -> Vec<&Wording> {
    let (quick, full) = (&scenario.quick_replies, &scenario.full_replies);
    match scenario.reply_strategy {
        ReplyStrategy::Full => full.iter().collect(),
        ReplyStrategy::Quick => quick.iter().collect(),
        ReplyStrategy::Auto | ReplyStrategy::QuickThenFull => full.iter().chain(quick).collect(),
    }
}

fn speakable(wordings: &[Wording], variables: &Variables) -> usize {
    wordings.iter().filter(|wording| wording.is_complete(variables)).count()
}

/// The variables that a wording lacks, as text.
fn unset(wording: &Wording, variables: &Variables) -> Option<String> {
    let mut names: Vec<_> = wording.names().filter(|name| variables.get(name).is_none()).collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

fn remedy_for(unset: &str) -> String {
    format!("set {unset} in variables of the company")
}
