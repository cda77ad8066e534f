//! Life-safety rules: whether an utterance tells of a danger, decided before anything else.
//!
//! For each category, from the highest priority: every exclusion and exclusion pattern is blanked out of the text, then
//! phrases (whole words) and patterns are tried on what is left; the first category that still matches decides. An
//! exclusion blanks whole words only, so it never cuts a word into another one.
//!
//! Negation takes away the danger words that it governs and no others ([`negation`]): "I don't smell gas" is no danger,
//! "I'm not sure if it's gas I smell" is one. A phrase or pattern that itself names a negation ("not breathing") is
//! danger as it stands.
//!
//! One automaton finds all phrases and, for each pattern, words without which it cannot match; patterns run only where
//! these occur, so most utterances cost one pass over their bytes.

mod literals;
mod negation;
mod rules;
mod text;

use std::{ops::Range, sync::LazyLock};

use frontdesk_domain::documents::safety::{SafetyCategory, SafetyRules};

use rules::Rules;
pub use rules::{SafetyFault, SafetyField};
use text::{Masked, View};

/// The rules that are always on, compiled: `data/safety.en-US.json`.
///
/// A test compiles them; were they broken, nothing would match.
pub static EMBEDDED: LazyLock<SafetyMatcher> = LazyLock::new(|| {
    embedded_rules()
        .ok()
        .and_then(|rules| SafetyMatcher::compile(&rules).ok())
        .unwrap_or_default()
});

/// The rules that are always on, as a document.
///
/// # Errors
/// Never in a build whose tests passed.
pub fn embedded_rules() -> Result<SafetyRules, serde_json::Error> {
    serde_json::from_str(EMBEDDED_JSON)
}

/// The text of the rules that are always on.
pub const EMBEDDED_JSON: &str = include_str!("../../data/safety.en-US.json");

/// The dangers, from the highest priority; of two alike, the one listed first.
pub(crate) fn by_priority(rules: &SafetyRules) -> Vec<SafetyCategory> {
    let mut categories = rules.categories.clone();
    categories.sort_by_key(|category| std::cmp::Reverse(category.priority));
    categories
}

/// Compiled safety rules. Cheap to share, costly to make.
#[derive(Debug, Default)]
pub struct SafetyMatcher {
    /// From the highest priority.
    categories: Vec<SafetyCategory>,
    rules: Rules,
}

/// A danger and the words that told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SafetyMatch<'m> {
    /// The danger.
    pub category: &'m SafetyCategory,
    /// Where in the normal form its words stand, in bytes.
    pub span: Range<usize>,
}

impl SafetyMatch<'_> {
    /// The words, given the text that was searched.
    #[must_use]
    pub fn words<'t>(&self, normalized: &'t str) -> &'t str {
        normalized.get(self.span.clone()).unwrap_or_default()
    }
}

impl SafetyMatcher {
    /// Compiles rules, the embedded ones and a platform's own alike.
    ///
    /// # Errors
    /// Every phrase that holds no word and every pattern that is no regular expression, is too large, matches nothing
    /// at all or asks for capitals, which the normal form does not have.
    pub fn compile(rules: &SafetyRules) -> Result<Self, Vec<SafetyFault>> {
        let categories = by_priority(rules);
        let negates = rules
            .language
            .get(..2)
            .is_some_and(|language| language.eq_ignore_ascii_case("en"));
        let compiled = Rules::compile(&categories, negates)?;
        Ok(Self {
            categories,
            rules: compiled,
        })
    }

    /// The danger that a text in normal form tells of, if any.
    #[must_use]
    pub fn find(&self, normalized: &str) -> Option<SafetyMatch<'_>> {
        let hits = self.rules.prefilter(normalized)?;
        let view = View::of(normalized, self.rules.reads_ascii());
        let governed = if self.rules.negates() {
            negation::governed(normalized, &hits.phrases)
        } else {
            Vec::new()
        };
        self.categories.iter().enumerate().find_map(|(index, category)| {
            if !hits.touches(index) {
                return None;
            }
            let span = self.rules.category(index).search(&view, &hits, &governed)?;
            Some(SafetyMatch { category, span })
        })
    }

    /// The dangers, in the order of [`Self::categories`], of which a text in normal form is known not to tell although
    /// it comes near: it names an exclusion, or names the danger to deny it. For a text in which [`Self::find`] finds
    /// nothing.
    #[must_use]
    pub fn withheld(&self, normalized: &str) -> Vec<bool> {
        let Some(hits) = self.rules.all_hits(normalized) else {
            return vec![false; self.categories.len()];
        };
        let view = View::of(normalized, self.rules.reads_ascii());
        (0..self.categories.len())
            .map(|index| self.rules.category(index).is_withheld(&view, &hits))
            .collect()
    }

    /// The compiled dangers, from the highest priority.
    #[must_use]
    pub fn categories(&self) -> &[SafetyCategory] {
        &self.categories
    }

    /// What [`Self::find`] says, without its shortcuts: every pattern runs.
    #[cfg(test)]
    fn find_plainly(&self, normalized: &str) -> Option<SafetyMatch<'_>> {
        let hits = self.rules.every_hit(normalized);
        let view = View::of(normalized, self.rules.reads_ascii());
        let governed = if self.rules.negates() {
            negation::governed(normalized, &hits.phrases)
        } else {
            Vec::new()
        };
        self.categories.iter().enumerate().find_map(|(index, category)| {
            let span = self.rules.category(index).search(&view, &hits, &governed)?;
            Some(SafetyMatch { category, span })
        })
    }
}

#[cfg(test)]
mod tests;
