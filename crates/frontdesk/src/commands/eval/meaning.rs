//! Tier 2 of the businesses that are measured: learnt from their documents as a server learns it.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use frontdesk_domain::{decision::Matcher, documents::safety::SafetyRules};
use frontdesk_encoder::Encoder;
use frontdesk_matching::{
    evaluation::{
        data::Business,
        ladder::{ByMeaning, Meant},
    },
    knowledge::Knowledge,
    meaning::{
        Meaning,
        embedding::Embedding,
        ground::Ground,
        safety::{COEFFICIENTS, EXAMPLES, SafetyByMeaning, lessons},
        train::Embeddings,
        wordings::{Key, OwnWordings, SharedWordings},
    },
    safety::{SafetyMatcher, embedded_rules},
};

use super::Meanings;
use crate::output::complain;

/// Learns what the answers of each business mean. Without an encoder words alone decide.
pub(super) fn learn<'b>(
    businesses: impl Iterator<Item = (&'b String, &'b Business)>,
    safety: Option<&SafetyRules>,
    encoder: Option<&Arc<dyn Encoder>>,
) -> Result<Meanings<'b>> {
    let mut embedded = Embedded::new(encoder);
    let dangers = embedded.dangers(safety)?.map(Arc::new);
    let mut grounds: HashMap<Key, Ground> = HashMap::new();
    let mut meanings = BTreeMap::new();
    for (id, business) in businesses {
        let (common, own) = (SharedWordings::of(&business.parts), OwnWordings::of(&business.parts));
        embedded.embed(common.texts().chain(own.texts()))?;
        let find = |text: &str| embedded.known.get(text).map(Arc::clone);
        let embeddings: Option<Embeddings<'_>> = encoder.is_some().then_some(&find);
        let ground = match grounds.entry(common.key("")) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Ground::learn(&common, embeddings, &|| false)?),
        };
        let meaning: Box<dyn ByMeaning + 'b> = Box::new(OfBusiness {
            meaning: ground.meaning(&own, embeddings, &|| false)?,
            knowledge: &business.knowledge,
            encoder: encoder.map(Arc::clone),
            dangers: dangers.clone(),
        });
        meanings.insert(id.clone(), meaning);
    }
    Ok(meanings)
}

/// The embeddings of wordings.
struct Embedded<'e> {
    encoder: Option<&'e Arc<dyn Encoder>>,
    known: HashMap<String, Arc<Embedding>>,
}

/// So many texts at least are worth a line that says that they are embedded.
const MANY: usize = 500;

impl<'e> Embedded<'e> {
    fn new(encoder: Option<&'e Arc<dyn Encoder>>) -> Self {
        Self {
            encoder,
            known: HashMap::new(),
        }
    }

    fn embed<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> Result<()> {
        let Some(encoder) = self.encoder else { return Ok(()) };
        let mut missing: Vec<&str> = texts.filter(|text| !self.known.contains_key(*text)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.len() > MANY {
            complain(format_args!("embedding {} wordings", missing.len()));
        }
        let embeddings = encoder
            .embed_all(&missing, &|| false)
            .context("wordings cannot be embedded")?;
        let all = missing
            .into_iter()
            .map(str::to_owned)
            .zip(embeddings.into_iter().map(Arc::new));
        self.known.extend(all);
        Ok(())
    }

    /// Dangers by their meaning, if this is the encoder that they were fitted with.
    fn dangers(&mut self, rules: Option<&SafetyRules>) -> Result<Option<Dangers>> {
        let is_theirs = self
            .encoder
            .is_some_and(|encoder| encoder.weights() == COEFFICIENTS.model_sha256);
        if !is_theirs {
            return Ok(None);
        }
        let embedded;
        let rules = match rules {
            Some(rules) => rules,
            None => {
                embedded = embedded_rules()?;
                &embedded
            }
        };
        let lessons = lessons(rules, &EXAMPLES);
        self.embed(lessons.iter().map(|lesson| &*lesson.text))?;
        let in_order = lessons.iter().filter_map(|lesson| self.known.get(&*lesson.text));
        let in_order: Vec<Embedding> = in_order.map(|embedding| Embedding::clone(embedding)).collect();
        let learnt = SafetyByMeaning::learn(&lessons, &in_order, &COEFFICIENTS, &|| false);
        let matcher = SafetyMatcher::compile(rules).ok();
        Ok(learnt.zip(matcher).map(|(learnt, matcher)| Dangers { learnt, matcher }))
    }
}

struct Dangers {
    learnt: SafetyByMeaning,
    matcher: SafetyMatcher,
}

struct OfBusiness<'b> {
    meaning: Meaning,
    knowledge: &'b Knowledge,
    encoder: Option<Arc<dyn Encoder>>,
    dangers: Option<Arc<Dangers>>,
}

impl ByMeaning for OfBusiness<'_> {
    fn matcher(&self) -> Matcher {
        if self.meaning.is_lexical() {
            Matcher::Lexical
        } else {
            Matcher::Semantic
        }
    }

    fn ask(&self, utterance: &str, normalized: &str) -> Meant {
        // An utterance without words means nothing.
        let embedding = self.encoder.as_ref().and_then(|encoder| encoder.embed(utterance).ok());
        let danger = self
            .dangers
            .as_ref()
            .zip(embedding.as_ref())
            .and_then(|(dangers, embedding)| {
                let found = dangers.learnt.decide(&dangers.matcher, normalized, embedding)?;
                Some((found.category.id.to_string(), found.confidence))
            });
        let meant = self.meaning.ask(self.knowledge, normalized, embedding.as_ref());
        Meant {
            danger,
            candidates: meant.all().iter().map(|meant| meant.candidate).collect(),
        }
    }
}
