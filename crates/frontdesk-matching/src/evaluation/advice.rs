//! What is taken for what, what is missed, and what an operator could do about it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    data::{Businesses, Unit},
    label::{Label, LabelSource},
    outcome::Outcome,
};
use crate::normal::normalize;

/// A scenario or Q&A with fewer wordings than this is too little to learn from (10 of them are 86 % right, 3 are 75 %).
pub const FEW_WORDINGS: usize = 5;
/// So many utterances are shown of each.
const EXAMPLES: usize = 3;

/// Answers that were given in place of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confusion {
    /// What should have answered.
    pub expected: Label,
    /// What did.
    pub answered: Label,
    /// How often.
    pub count: usize,
    /// Some of the utterances.
    pub examples: Vec<String>,
    /// What could be done.
    pub advice: String,
}

/// What should have answered and did not, nor anything else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missed {
    /// What should have answered.
    pub expected: Label,
    /// How often it did not.
    pub count: usize,
    /// How often it was asked for.
    pub of: usize,
    /// Some of the utterances.
    pub examples: Vec<String>,
    /// What could be done.
    pub advice: String,
}

/// The most frequent wrong answers, at most so many; of equals the first by id.
#[must_use]
pub fn confusions(outcomes: &[Outcome], businesses: &Businesses, most: usize) -> Vec<Confusion> {
    let mut groups: BTreeMap<(Label, Label), Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.is_wrongly_answered()) {
        if let Some(answered) = answered(outcome) {
            groups
                .entry((outcome.expect.clone(), answered))
                .or_default()
                .push(outcome);
        }
    }
    let mut groups: Vec<_> = groups.iter().collect();
    groups.sort_by_key(|(_, confused)| std::cmp::Reverse(confused.len()));
    let mutual: BTreeSet<(&Label, &Label)> = groups
        .iter()
        .map(|((expected, answered), _)| (answered, expected))
        .collect();
    let confusions = groups
        .iter()
        .take(most)
        .map(|((expected, answered), confused)| Confusion {
            expected: expected.clone(),
            answered: answered.clone(),
            count: confused.len(),
            examples: examples(confused),
            advice: match shared(expected, answered, confused, businesses) {
                Some(both) => format!(
                    "{} and {} both have “{both}”: take it from one of them",
                    named(expected),
                    named(answered)
                ),
                None if mutual.contains(&(expected, answered)) => format!(
                    "{} and {} are taken for each other: merge them, or give each triggers that tell them apart",
                    named(expected),
                    named(answered)
                ),
                None => about_confusion(expected, answered, confused, outcomes, businesses),
            },
        });
    confusions.collect()
}

/// What is missed most, at most so many.
#[must_use]
pub fn missed(outcomes: &[Outcome], businesses: &Businesses, most: usize) -> Vec<Missed> {
    let mut groups: BTreeMap<Label, (Vec<&Outcome>, usize)> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_foreign()) {
        let (missed, asked) = groups.entry(outcome.expect.clone()).or_default();
        *asked += 1;
        if outcome.answer.is_none() {
            missed.push(outcome);
        }
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .filter(|(_, (missed, _))| !missed.is_empty())
        .collect();
    groups.sort_by_key(|(_, (missed, _))| std::cmp::Reverse(missed.len()));
    let missed = groups.into_iter().take(most).map(|(expected, (missed, of))| Missed {
        count: missed.len(),
        of,
        examples: examples(&missed),
        advice: about_missed(&expected, &missed, businesses),
        expected,
    });
    missed.collect()
}

fn answered(outcome: &Outcome) -> Option<Label> {
    let answer = outcome.answer.as_ref()?;
    Some(Label {
        source: answer.source,
        id: Some(answer.id.clone()),
    })
}

fn examples(outcomes: &[&Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .take(EXAMPLES)
        .map(|outcome| outcome.utterance.clone())
        .collect()
}

fn named(label: &Label) -> String {
    label
        .id
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), |id| format!("`{id}`"))
}

fn unit<'b>(label: &Label, confused: &[&Outcome], businesses: &'b Businesses) -> Option<&'b Unit> {
    let id = label.id.clone()?;
    let mut companies = confused.iter().filter_map(|outcome| businesses.0.get(&outcome.company));
    companies.find_map(|business| business.units.get(&(label.source, id.clone())))
}

/// What the wordings of a scenario or Q&A are called.
const fn wordings_of(source: LabelSource) -> &'static str {
    match source {
        LabelSource::CompanyQna | LabelSource::TradeQna => "variants",
        _ => "triggers",
    }
}

fn about_confusion(
    expected: &Label,
    answered: &Label,
    confused: &[&Outcome],
    outcomes: &[Outcome],
    businesses: &Businesses,
) -> String {
    let (right, wrong) = (named(expected), named(answered));
    let heard = confused.first().map_or("", |outcome| outcome.utterance.as_str());
    if expected.source == LabelSource::Safety {
        return format!("a danger that was not heard: give the safety category {right} a phrase of these words");
    }
    if answered.source == LabelSource::Safety {
        return format!("a false alarm: give the safety category {wrong} an exclusion of these words");
    }
    let has_negatives = answered.source == LabelSource::Template;
    let own = unit(expected, confused, businesses);
    if let Some(few) = own.filter(|unit| unit.wordings.len() < FEW_WORDINGS) {
        let what = wordings_of(expected.source);
        return format!(
            "{right} has {} {what} only: give it more, such as “{heard}”",
            few.wordings.len()
        );
    }
    if has_negatives && let Some(word) = telling_word(answered, confused, outcomes, businesses) {
        return format!("give {wrong} the negative trigger “{word}”");
    }
    let surest = confused.iter().filter_map(|outcome| outcome.answer.as_ref());
    let surest = surest.map(|answer| answer.confidence).fold(0.0, f64::max);
    match (expected.source, has_negatives) {
        (LabelSource::None, true) if surest < 0.995 => {
            format!("nothing answers these: give {wrong} a negative trigger, or a minConfidence above {surest:.2}")
        }
        (LabelSource::None, true) => format!("nothing answers these: give {wrong} a negative trigger"),
        (LabelSource::None, false) => {
            format!("nothing answers these: make the keywords and variants of {wrong} narrower, or answer them")
        }
        _ => format!("give {right} {} such as “{heard}”", wordings_of(expected.source)),
    }
}

/// A wording of what should have answered that what did answer has as well.
fn shared<'b>(
    expected: &Label,
    answered: &Label,
    confused: &[&Outcome],
    businesses: &'b Businesses,
) -> Option<&'b str> {
    let (own, other) = unit(expected, confused, businesses).zip(unit(answered, confused, businesses))?;
    let others: BTreeSet<String> = other.wordings.iter().map(|wording| normalize(wording)).collect();
    let mut wordings = own.wordings.iter().map(String::as_str);
    wordings.find(|wording| others.contains(&normalize(wording)))
}

/// A word that most of the confused utterances have, and neither the wordings of what answered, nor what it answers
/// rightly, nor more than a twentieth of all others.
fn telling_word(
    answered: &Label,
    confused: &[&Outcome],
    outcomes: &[Outcome],
    businesses: &Businesses,
) -> Option<String> {
    if confused.len() < 2 {
        return None;
    }
    let words = |text: &str| -> BTreeSet<String> { normalize(text).split(' ').map(str::to_owned).collect() };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in confused {
        for word in words(&outcome.utterance) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let wordings = unit(answered, confused, businesses).map_or(&[][..], |unit| unit.wordings.as_slice());
    let own: BTreeSet<String> = wordings.iter().flat_map(|wording| words(wording)).collect();
    let is_own = |outcome: &&Outcome| {
        let answer = outcome.answer.as_ref();
        answer.is_some_and(|answer| answered.is(answer.source, &answer.id)) && outcome.right_with_second
    };
    let kept: BTreeSet<String> = outcomes
        .iter()
        .filter(is_own)
        .flat_map(|outcome| words(&outcome.utterance))
        .collect();
    let mut best: Option<(usize, String)> = None;
    for (word, count) in counts {
        let is_most = count >= 2 && 2 * count > confused.len();
        if !is_most
            || own.contains(&word)
            || kept.contains(&word)
            || best.as_ref().is_some_and(|(most, _)| *most >= count)
        {
            continue;
        }
        let everywhere = outcomes
            .iter()
            .filter(|outcome| words(&outcome.utterance).contains(&word))
            .count();
        if (everywhere - count) * 20 <= outcomes.len() {
            best = Some((count, word));
        }
    }
    best.map(|(_, word)| word)
}

fn about_missed(expected: &Label, missed: &[&Outcome], businesses: &Businesses) -> String {
    let name = named(expected);
    let heard = missed.first().map_or("", |outcome| outcome.utterance.as_str());
    let what = wordings_of(expected.source);
    if expected.source == LabelSource::Safety {
        return format!("a danger that was not heard: give the safety category {name} a phrase of these words");
    }
    if let Some(few) = unit(expected, missed, businesses).filter(|unit| unit.wordings.len() < FEW_WORDINGS) {
        return format!(
            "{name} has {} {what} only: give it more, such as “{heard}”",
            few.wordings.len()
        );
    }
    let near: Vec<f64> = missed
        .iter()
        .filter(|outcome| outcome.is_best_right())
        .filter_map(|outcome| outcome.best().map(|best| best.confidence))
        .collect();
    if 2 * near.len() > missed.len() {
        let surest = near.iter().copied().fold(0.0, f64::max);
        return format!(
            "{name} was nearest in {} of them, by up to {surest:.2}: {what} such as “{heard}” make it surer",
            near.len()
        );
    }
    format!("give {name} {what} such as “{heard}”")
}
