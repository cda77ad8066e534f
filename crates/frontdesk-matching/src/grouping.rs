//! What callers said, grouped by what it is about: by the stems of its content words.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    hash::Term,
    language::{Class, Language},
    words::Reader,
};

/// A stem, and whether it stands in the scope of a negation or a failure: "no heat" is not about heat.
type Feature = (Term, bool);

/// Numbers the groups of these texts: equal numbers are about the same. A group's number is that of its first text, which
/// the others are compared with, so put those first that were said most often.
///
/// Two texts are about the same if at least half of the content words that either has are in both, by stem. A text
/// without content words is grouped with equal ones only.
#[must_use]
pub fn by_meaning(texts: &[&str], language: &Language) -> Vec<usize> {
    let mut reader = Reader::default();
    let mut words = Vec::new();
    let mut firsts: Vec<(usize, BTreeSet<Feature>)> = Vec::new();
    let mut having: BTreeMap<Feature, Vec<usize>> = BTreeMap::new();
    let mut equal: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        if let Some(group) = equal.get(text) {
            groups.push(*group);
            continue;
        }
        reader.read(text, language, &mut words);
        let content = words.iter().filter(|word| word.class.is_content());
        let features: BTreeSet<Feature> = content
            .map(|word| (word.stem, word.class.any(Class::NEGATED.with(Class::FAILED))))
            .collect();
        let group = nearest(&features, &firsts, &having).unwrap_or(index);
        if group == index {
            for feature in &features {
                having.entry(*feature).or_default().push(firsts.len());
            }
            firsts.push((index, features));
        }
        equal.insert(text, group);
        groups.push(group);
    }
    groups
}

/// The group whose first text shares most with these features, if that is half of them or more.
fn nearest(
    features: &BTreeSet<Feature>,
    firsts: &[(usize, BTreeSet<Feature>)],
    having: &BTreeMap<Feature, Vec<usize>>,
) -> Option<usize> {
    let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
    for at in features.iter().filter_map(|feature| having.get(feature)).flatten() {
        *shared.entry(*at).or_default() += 1;
    }
    let mut best: Option<(usize, usize, usize)> = None;
    for (at, both) in shared {
        let Some((group, first)) = firsts.get(at) else { continue };
        let either = features.len() + first.len() - both;
        let is_near = both * 2 >= either;
        // a/b > c/d without fractions; of equals the first.
        if is_near && best.is_none_or(|(_, most, of)| both * of > most * either) {
            best = Some((*group, both, either));
        }
    }
    best.map(|(group, ..)| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::normalize;

    #[track_caller]
    fn check(texts: &[&str], want: &[usize]) {
        let normal: Vec<String> = texts.iter().map(|text| normalize(text)).collect();
        let normal: Vec<&str> = normal.iter().map(String::as_str).collect();
        assert_eq!(by_meaning(&normal, Language::english()), want);
    }

    #[test]
    fn wordings_of_one_wish_are_one_group() {
        check(
            &[
                "do you install solar panels",
                "I'd like solar panels installed please",
                "what are your opening hours",
                "can you install a solar panel",
            ],
            &[0, 0, 2, 0],
        );
    }

    #[test]
    fn what_is_negated_is_another_wish() {
        check(&["the heating works", "the heating does not work"], &[0, 1]);
    }

    #[test]
    fn texts_without_content_are_grouped_with_equal_ones() {
        check(&["what is it", "and you", "what is it"], &[0, 1, 0]);
    }
}
