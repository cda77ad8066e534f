//! What the speech recogniser should expect: the company's own words, the most telling first.
//!
//! Twilio takes up to 500 hints. Every answer carries them, and each is kept with its turn, so these are far fewer: the
//! words that a recogniser would otherwise not think of.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::documents::{company::Company, template::ScenarioStatus};
use frontdesk_matching::{language::Language, normal::normalize};
use frontdesk_store::cache::KnowledgeDocuments;
use frontdesk_twilio::twiml::Hints;

/// So many hints are given at most.
const MOST: usize = 40;

/// The company's name, the technical terms that its callers' words stand for, then the words of its triggers and
/// questions that are no everyday words, those that are used most first.
pub(crate) fn of(company: &Company, documents: &KnowledgeDocuments, language: &Language) -> Hints {
    let mut told = BTreeSet::new();
    let mut hints = vec![company.name.to_string()];
    let overlay = documents.overlay.as_ref().map(|overlay| &overlay.document);
    let templates = || documents.templates.iter().map(|template| &template.document);
    let synonyms = overlay
        .map(|overlay| &overlay.synonym_map)
        .into_iter()
        .chain(templates().map(|template| &template.synonym_map));
    for technical in synonyms.flat_map(|map| map.keys()) {
        if told.insert(normalize(technical)) {
            hints.push(technical.clone());
        }
    }
    let scenarios = templates()
        .flat_map(|template| &template.categories)
        .flat_map(|category| &category.scenarios)
        .filter(|scenario| scenario.status == ScenarioStatus::Live);
    let triggers = scenarios.flat_map(|scenario| scenario.triggers.iter().map(|trigger| &**trigger));
    let qnas = documents
        .company_qna
        .items
        .iter()
        .chain(documents.trade_qna.iter().flat_map(|set| set.items.iter()));
    let questions = qnas.filter(|qna| qna.active).map(|qna| &*qna.question);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in triggers.chain(questions) {
        let normal = normalize(text);
        let words = normal.split(|c: char| !c.is_alphanumeric() && c != '\'');
        for word in words.filter(|word| word.chars().count() > 1 && !language.knows(word)) {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    let mut rare: Vec<(String, usize)> = counts.into_iter().collect();
    // A stable sort: of words used as often the one that comes first in the alphabet.
    rare.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    hints.extend(
        rare.into_iter()
            .map(|(word, _)| word)
            .filter(|word| !told.contains(word)),
    );
    Hints::new(hints.iter().take(MOST))
}
