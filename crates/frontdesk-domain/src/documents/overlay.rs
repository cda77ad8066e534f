//! A company's own additions to the templates it uses.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::template::SynonymMap;
use crate::ids::ScenarioId;

/// A company's own additions: one tenant's callers never change what another tenant's hear.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overlay {
    /// More triggers of a scenario.
    pub triggers: BTreeMap<ScenarioId, Vec<String>>,
    /// More negative triggers of a scenario.
    pub negative_triggers: BTreeMap<ScenarioId, Vec<String>>,
    /// More synonyms.
    pub synonym_map: SynonymMap,
    /// More words without content.
    pub filler_words: Vec<String>,
    /// Scenarios that do not answer this company's callers.
    pub disabled_scenarios: BTreeSet<ScenarioId>,
}
