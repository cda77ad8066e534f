//! Which wordings of what no scripted match answered are about the same: by words, and by meaning where the encoder is
//! there and has looked at them.

use std::{collections::BTreeMap, time::Duration};

use frontdesk_callflow::meaning::Meanings;
use frontdesk_domain::analytics::Miss;
use frontdesk_matching::{grouping, language::Language};
use serde::Serialize;

/// So many different wordings are grouped at most; the others, said least often, stand alone.
const WORDINGS: usize = 4_000;

/// Of so many groups, the largest, meanings are compared: 20 are listed.
const MEANT: usize = 200;

/// So long embeddings are waited for. A list that comes sooner than they do is grouped by words.
const WAIT: Duration = Duration::from_millis(100);

/// By what wordings were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum GroupedBy {
    Words,
    Meaning,
}

/// The groups of wordings.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) by: GroupedBy,
    language: String,
    /// Different wordings, those that were said most often first.
    wordings: Vec<Box<str>>,
    /// The number of each one's group: that of its first wording.
    numbers: Vec<usize>,
}

impl Groups {
    /// Groups by words.
    pub(super) fn by_words(misses: &[Miss], language: &str) -> Self {
        let mut said: BTreeMap<&str, usize> = BTreeMap::new();
        for miss in misses {
            *said.entry(&miss.normalized).or_default() += 1;
        }
        let mut wordings: Vec<(&str, usize)> = said.into_iter().collect();
        wordings.sort_by_key(|(_, turns)| std::cmp::Reverse(*turns));
        let wordings: Vec<&str> = wordings.into_iter().map(|(text, _)| text).collect();
        let grouped = wordings.get(..WORDINGS).unwrap_or(&wordings);
        let mut numbers = grouping::by_words(grouped, Language::of_tag(language));
        numbers.extend(numbers.len()..wordings.len());
        Self {
            by: GroupedBy::Words,
            language: language.to_owned(),
            wordings: wordings.into_iter().map(Into::into).collect(),
            numbers,
        }
    }

    /// The first wordings of the largest groups, by their numbers.
    fn firsts(&self) -> Vec<(usize, &str)> {
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for number in &self.numbers {
            *sizes.entry(*number).or_default() += 1;
        }
        // Of equals the one whose first wording was said more often: numbers are in that order.
        let mut firsts: Vec<(usize, usize)> = sizes.into_iter().collect();
        firsts.sort_by_key(|(_, wordings)| std::cmp::Reverse(*wordings));
        firsts.truncate(MEANT);
        let firsts = firsts.into_iter().filter_map(|(number, _)| {
            let text = self.wordings.get(number)?;
            (!text.is_empty()).then_some((number, &**text))
        });
        firsts.collect()
    }

    /// Joins groups that mean the same, if there is an encoder and it is done in time.
    pub(super) async fn joined(self, meanings: &Meanings) -> Self {
        let firsts = self.firsts();
        let texts: Vec<Box<str>> = firsts.iter().map(|(_, text)| Box::from(*text)).collect();
        let Some(found) = meanings.embeddings(&texts, WAIT).await else {
            return self;
        };
        let meant = firsts.iter().zip(&found);
        let meant: Vec<_> = meant
            .filter_map(|((number, _), embedding)| Some((*number, (**embedding).as_ref()?)))
            .collect();
        let wordings: Vec<&str> = self.wordings.iter().map(|text| &**text).collect();
        let numbers = grouping::by_meaning(&wordings, &self.numbers, &meant, Language::of_tag(&self.language));
        Self {
            by: GroupedBy::Meaning,
            numbers,
            ..self
        }
    }

    /// The number of each turn's group.
    pub(super) fn of_misses(&self, misses: &[Miss]) -> Vec<usize> {
        let wordings = self.wordings.iter().map(|text| &**text);
        let numbers: BTreeMap<&str, usize> = wordings.zip(self.numbers.iter().copied()).collect();
        let number = |miss: &Miss| numbers.get(&*miss.normalized).copied().unwrap_or_default();
        misses.iter().map(number).collect()
    }
}
