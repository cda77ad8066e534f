//! Life-safety rules: decided before anything else.

use std::sync::Arc;

use serde::Deserialize;

use super::template::Action;
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
