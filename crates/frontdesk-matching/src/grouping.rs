//! What callers said, grouped by what it is about: by the stems of its content words, and further by embeddings.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    hash::Term,
    language::{Class, Language},
    meaning::embedding::Embedding,
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
pub fn by_words(texts: &[&str], language: &Language) -> Vec<usize> {
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
        let features: BTreeSet<Feature> = content.map(|word| (word.stem, is_denied(word.class))).collect();
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

/// First texts whose embeddings are at least so near are taken for the same wish.
///
/// Measured with all-MiniLM-L6-v2 on the labelled utterances of up to 25 words in `data/trades` (dev and train), in pairs of one
/// company, which were written to lie near each other: of pairs this near two of three have one label (12 pairs), of those
/// from 0.65 on every second (38), of those from 0.60 on four of nine (91). Who reads a list of what is missing loses more by
/// two wishes in one line than by one wish in two.
const NEAR: f32 = 0.70;

/// Joins groups of [`by_words`] whose first texts mean the same. `meanings` are the embeddings of first texts, by their
/// numbers, those first that were said most often; a group that has none stays as it is. What denies something is not
/// joined with what does not: embeddings hardly tell the two apart.
#[must_use]
pub fn by_meaning(
    texts: &[&str],
    groups: &[usize],
    meanings: &[(usize, &Embedding)],
    language: &Language,
) -> Vec<usize> {
    let (mut reader, mut words) = (Reader::default(), Vec::new());
    let mut firsts: Vec<(usize, bool, &Embedding)> = Vec::new();
    let mut joined: BTreeMap<usize, usize> = BTreeMap::new();
    for (group, embedding) in meanings {
        let Some(text) = texts.get(*group) else { continue };
        reader.read(text, language, &mut words);
        let denies = words.iter().any(|word| is_denied(word.class));
        let others = firsts.iter().filter(|(_, other, _)| *other == denies);
        let near = others.map(|(other, _, meant)| (*other, meant.cosine(embedding)));
        let nearest = near.max_by(|one, other| one.1.total_cmp(&other.1));
        match nearest.filter(|(_, near)| *near >= NEAR) {
            Some((other, _)) => _ = joined.insert(*group, other),
            None => firsts.push((*group, denies, *embedding)),
        }
    }
    let of = |group: &usize| joined.get(group).copied().unwrap_or(*group);
    groups.iter().map(of).collect()
}

/// Whether a word stands in the scope of a negation or a failure.
fn is_denied(class: Class) -> bool {
    class.any(Class::NEGATED.with(Class::FAILED))
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
        assert_eq!(by_words(&normal, Language::english()), want);
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

    #[test]
    fn groups_that_mean_the_same_are_one_unless_one_denies_something() {
        let texts = [
            "do you mend roofs",
            "is there a thatcher",
            "my gutter does not leak",
            "sell me a boat",
        ];
        let at = |x: f32, y: f32| Embedding::new(vec![x, y]).unwrap();
        let embeddings = [at(1.0, 0.0), at(1.0, 0.3), at(1.0, 0.1), at(0.0, 1.0)];
        let groups = by_words(&texts, Language::english());
        assert_eq!(groups, [0, 1, 2, 3]);
        let meanings: Vec<_> = embeddings.iter().enumerate().collect();
        let joined = by_meaning(&texts, &groups, &meanings, Language::english());
        assert_eq!(joined, [0, 0, 2, 3]);
        let two = by_meaning(&texts, &groups, &meanings[2..], Language::english());
        assert_eq!(two, groups, "who has no embedding stays alone");
    }

    #[test]
    fn all_wordings_of_a_group_go_with_its_first() {
        let texts = ["do you mend roofs", "sell me a boat", "can you mend my roof"];
        let at = |x: f32, y: f32| Embedding::new(vec![x, y]).unwrap();
        let (roof, boat) = (at(1.0, 0.0), at(1.0, 0.2));
        let groups = by_words(&texts, Language::english());
        assert_eq!(groups, [0, 1, 0]);
        let joined = by_meaning(&texts, &groups, &[(1, &boat), (0, &roof)], Language::english());
        assert_eq!(joined, [1, 1, 1]);
    }
}
