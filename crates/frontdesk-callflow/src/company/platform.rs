//! Safety rules and prompts, which all companies share.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use frontdesk_domain::documents::prompts::{PhraseName, Prompts};
use frontdesk_matching::{
    phrases::Phrases,
    safety::{EMBEDDED, SafetyMatcher, embedded_rules},
};
use frontdesk_store::cache::PlatformDocuments;
use tracing::error;

use crate::meaning::{LearntDangers, Meanings};

/// Safety rules and prompts, compiled. There is always one: the embedded data if nothing else can be read.
#[derive(Debug)]
pub struct Platform {
    pub(super) documents: Arc<PlatformDocuments>,
    stored: Option<SafetyMatcher>,
    /// The dangers of the rules in force, by their meaning.
    pub(crate) dangers: Arc<LearntDangers>,
    /// By language.
    phrases: BTreeMap<Arc<str>, Phrases>,
}

/// The phrases that come with the program.
static EMBEDDED_PHRASES: LazyLock<Phrases> = LazyLock::new(|| phrases_of(Prompts::embedded()));

fn phrases_of(prompts: &Prompts) -> Phrases {
    // What a language leaves out is recognised as in the embedded data.
    let lists = PhraseName::ALL.iter().map(|name| {
        let own = prompts.phrases(*name);
        let list = if own.is_empty() {
            Prompts::embedded().phrases(*name)
        } else {
            own
        };
        (*name, list.iter().map(|phrase| &**phrase))
    });
    Phrases::compile(lists)
}

impl Platform {
    pub(super) fn compile(documents: Arc<PlatformDocuments>, meanings: &Meanings) -> Self {
        let compiled = documents.safety.as_ref().map(|rules| SafetyMatcher::compile(rules));
        let stored = match compiled {
            Some(Ok(matcher)) => Some(matcher),
            Some(Err(faults)) => {
                // Stored rules are compiled before they are accepted; this guards a store that was written by hand.
                error!(faults = ?faults, "stored safety rules do not compile, the embedded ones are used");
                None
            }
            None => None,
        };
        if stored.is_none() {
            // Compiled here, not on the first turn.
            LazyLock::force(&EMBEDDED);
        }
        LazyLock::force(&EMBEDDED_PHRASES);
        let languages = documents.prompts.iter();
        let phrases = languages.map(|(language, prompts)| (Arc::from(&**language), phrases_of(prompts)));
        let rules = match (&stored, &documents.safety) {
            (Some(_), Some(rules)) => Some(Cow::Borrowed(&**rules)),
            _ => embedded_rules().ok().map(Cow::Owned),
        };
        Self {
            phrases: phrases.collect(),
            dangers: rules.map(|rules| meanings.of_rules(&rules)).unwrap_or_default(),
            documents,
            stored,
        }
    }

    /// What comes with the program.
    pub(super) fn embedded() -> Self {
        Self {
            documents: Arc::default(),
            dangers: Arc::default(),
            stored: None,
            phrases: BTreeMap::new(),
        }
    }

    /// The phrases of a language; those of the program if it has none.
    pub(super) fn phrases(&self, language: &str) -> &Phrases {
        self.phrases.get(language).unwrap_or(&EMBEDDED_PHRASES)
    }

    /// The life-safety rules: the stored ones, else those that come with the program.
    #[must_use]
    pub fn safety(&self) -> &SafetyMatcher {
        self.stored.as_ref().unwrap_or(&EMBEDDED)
    }

    /// The prompts of a language, if there are any.
    #[must_use]
    pub fn prompts(&self, language: &str) -> Option<&Prompts> {
        self.documents.prompts.get(language).map(|prompts| &**prompts)
    }
}
