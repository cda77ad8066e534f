//! Life-safety rules: decided before anything else.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed,
    company::language,
    reader::{
        Reader, parse, refuse_repeats,
        shapes::{choice, integer, line, list, object, pattern, slug, spoken, string},
        texts_of,
    },
    template::{ACTIONS, Action},
};
use crate::ids::SafetyId;

/// The safety rules of one language.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SafetyRules {
    /// Its author's label.
    pub version: Arc<str>,
    /// The language of phrases and sentences, such as `en-US`.
    pub language: Arc<str>,
    /// The dangers.
    pub categories: Vec<SafetyCategory>,
}

/// One kind of danger and what a caller in it hears.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SafetyCategory {
    /// Its id.
    pub id: SafetyId,
    /// Its name, for operators.
    pub name: Arc<str>,
    /// The highest that matches decides.
    pub priority: i32,
    /// What follows the sentence.
    pub action: Action,
    /// What is spoken.
    pub sentence: Arc<str>,
    /// What is spoken when nobody can be reached by transfer.
    pub sentence_without_transfer: Arc<str>,
    /// Words in a row that mean this danger.
    #[serde(default)]
    pub phrases: Vec<String>,
    /// Regular expressions over the normal form.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Words in a row that are taken out of the text before this category is tried.
    #[serde(default)]
    pub exclusions: Vec<String>,
    /// Regular expressions whose matches are taken out likewise.
    #[serde(default)]
    pub exclusion_patterns: Vec<String>,
}

impl SafetyRules {
    /// Reads a safety rules document.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, mode: Mode<'_>) -> Result<Parsed<Self>, Faults> {
        parse(document, mode, |doc| {
            let version = doc.or("version", "", line(0..=100));
            let language = doc.or("language", "en-US", language);
            refuse_repeats(doc.place, texts_of(doc.raw("categories"), "/categories", "id"));
            // At least one: these rules are always on.
            let categories = doc.required("categories", list(1..=200, object(category)));
            doc.ignored("rev");
            doc.server_time("createdAt");
            doc.server_time("updatedAt");
            Some(Self {
                version: version?,
                language: language?,
                categories: categories?,
            })
        })
    }
}

fn category(doc: &mut Reader<'_, '_>) -> Option<SafetyCategory> {
    let id = doc.required("id", slug(SafetyId::new));
    let name = doc.required("name", line(1..=200));
    let priority = doc.or("priority", 0, integer(-1_000_000..=1_000_000));
    let action = doc.or("action", "transfer", choice(ACTIONS));
    let sentence = doc.required("sentence", spoken(1..=1_000));
    // Absent, it is the sentence; the stand-in is never kept, because then the sentence is faulty.
    let default = sentence.as_deref().unwrap_or("x");
    let without_transfer = doc.or("sentenceWithoutTransfer", default, spoken(1..=1_000));
    let phrases = doc.or("phrases", json!([]), list(0..=2_000, string(1..=200)));
    let patterns = doc.or("patterns", json!([]), list(0..=500, pattern));
    let exclusions = doc.or("exclusions", json!([]), list(0..=2_000, string(1..=200)));
    let exclusion_patterns = doc.or("exclusionPatterns", json!([]), list(0..=500, pattern));
    if phrases.as_ref().is_some_and(Vec::is_empty) && patterns.as_ref().is_some_and(Vec::is_empty) {
        doc.place.fault_below(
            "/phrases",
            "is empty, and so is `patterns`; a danger needs words by which it is recognised",
        );
    }
    Some(SafetyCategory {
        id: id?,
        name: name?,
        priority: priority?,
        action: action?,
        sentence: sentence?,
        sentence_without_transfer: without_transfer?,
        phrases: phrases?,
        patterns: patterns?,
        exclusions: exclusions?,
        exclusion_patterns: exclusion_patterns?,
    })
}
