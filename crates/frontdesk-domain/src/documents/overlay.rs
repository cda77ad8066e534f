//! A company's own additions to the templates it uses.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed, owner_of,
    reader::{
        Place, Read, Reader, parse,
        shapes::{is_slug, list, map, slug, string},
    },
    template::{SynonymMap, synonyms},
    with_owner,
};
use crate::ids::{CompanyId, ScenarioId};

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

impl Overlay {
    /// Reads the overlay document of a company. `companyId` may be left out.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, company: CompanyId, mode: Mode<'_>) -> Result<Parsed<Self>, Faults> {
        parse(document, mode, |doc| overlay(doc, Some(company)))
    }

    /// Reads an overlay document that says itself whose it is.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse_owned(document: &Value, mode: Mode<'_>) -> Result<(CompanyId, Parsed<Self>), Faults> {
        let owner = owner_of(
            document,
            "companyId",
            "the id of a company, of 24 hexadecimal digits",
            |id| id.parse().ok(),
        );
        let company = owner.as_ref().ok().copied();
        with_owner(owner, parse(document, mode, |doc| overlay(doc, company)))
    }
}

fn overlay(doc: &mut Reader<'_, '_>, company: Option<CompanyId>) -> Option<Overlay> {
    match company {
        Some(company) => doc.owner("companyId", &company.to_string()),
        None => doc.ignored("companyId"),
    }
    let triggers = doc.or("triggers", json!({}), words_of_scenarios);
    let negative_triggers = doc.or("negativeTriggers", json!({}), words_of_scenarios);
    let synonym_map = doc.or("synonymMap", json!({}), synonyms);
    let filler_words = doc.or("fillerWords", json!([]), list(0..=2_000, string(1..=100)));
    let disabled_scenarios = doc.or("disabledScenarios", json!([]), list(0..=5_000, slug(ScenarioId::new)));
    doc.ignored("rev");
    doc.ignored("warnings");
    doc.server_time("createdAt");
    doc.server_time("updatedAt");
    Some(Overlay {
        triggers: triggers?,
        negative_triggers: negative_triggers?,
        synonym_map: synonym_map?,
        filler_words: filler_words?,
        disabled_scenarios: disabled_scenarios?.into_iter().collect(),
    })
}

/// `{ scenarioId: [words] }`.
fn words_of_scenarios(value: &Value, place: &mut Place<'_>) -> Read<BTreeMap<ScenarioId, Vec<String>>> {
    let scenario = |id: &str| {
        is_slug(id)
            .then(|| ScenarioId::new(id))
            .ok_or("is no id of a scenario; it should be letters, digits, dots and dashes")
    };
    let (entries, json) = map(5_000, scenario, list(0..=200, string(1..=500)))(value, place)?;
    Some((entries.into_iter().collect(), json))
}
