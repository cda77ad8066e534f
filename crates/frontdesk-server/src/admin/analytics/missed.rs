//! What no scripted match answered: what callers said, what it cost, and which thresholds stood in the way.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::{
    analytics::Miss,
    decision::{FallbackKind, SkipReason, Source, Step},
    ids::{CallId, TurnId},
    money::PicoUsd,
};
use serde::Serialize;

use super::alike::{GroupedBy, Groups};

/// So many groups of wordings are listed.
const GROUPS: usize = 20;

/// So many examples each has.
const EXAMPLES: usize = 3;

/// A threshold is tried so many hundredths lower.
const LOWER_BY: [u32; 3] = [5, 10, 15];

/// Something that was said, as an example.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Example {
    call_id: CallId,
    turn_id: TurnId,
    utterance: String,
}

impl Example {
    fn of(miss: &Miss) -> Self {
        Self {
            call_id: miss.call_id.clone(),
            turn_id: miss.turn_id.clone(),
            utterance: miss.utterance.to_string(),
        }
    }
}

/// Turns that are about the same and ended in a fallback.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unmatched {
    /// The wording that was said most often.
    words: String,
    turns: usize,
    calls: usize,
    /// How many different wordings there are.
    wordings: usize,
    by_fallback_type: BTreeMap<&'static str, usize>,
    examples: Vec<Example>,
}

/// Turns that are about the same and that the LLM was paid for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spent {
    words: String,
    turns: usize,
    calls: usize,
    cost_usd: PicoUsd,
    /// The scenario that the LLM chose; null if it chose none.
    scenario_id: Option<String>,
    /// The Q&A that the LLM chose; null if it chose none.
    qna_id: Option<String>,
    advice: String,
    examples: Vec<Example>,
}

/// What a lower threshold would have answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WhatIf {
    step: Step,
    /// The threshold that was in force for these candidates.
    threshold: f64,
    instead: f64,
    /// Turns that the step would have answered.
    turns: usize,
    /// Of these, turns that ended in a fallback.
    fallbacks: usize,
    /// What the others were paid for.
    cost_usd: PicoUsd,
    examples: Vec<WhatIfExample>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WhatIfExample {
    #[serde(flatten)]
    example: Example,
    /// What would have answered.
    candidate: String,
    confidence: f64,
}

/// How often a company's own words for a fallback were spoken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spoken {
    fallback_type: FallbackKind,
    /// Which of them, from 0.
    variation: u32,
    turns: usize,
    /// Of these, turns of a call that had heard it before.
    heard_before: usize,
}

/// What no scripted match answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Missed {
    /// Turns that this was read from: those whose records are kept.
    turns_kept: usize,
    /// False if there were more than are read at once: the newest were.
    is_complete: bool,
    /// By what wordings were put together.
    grouped_by: GroupedBy,
    unmatched: Vec<Unmatched>,
    spend_by_missing_scenario: Vec<Spent>,
    what_if: Vec<WhatIf>,
    fallback_variations: Vec<Spoken>,
    /// Fallbacks by why the LLM was not asked.
    fallbacks_without_llm: BTreeMap<String, usize>,
}

impl Missed {
    /// Reads these turns, the newest first.
    pub(super) fn of(misses: &[Miss], groups: &Groups, is_complete: bool) -> Self {
        let numbers = groups.of_misses(misses);
        Self {
            turns_kept: misses.len(),
            is_complete,
            grouped_by: groups.by,
            unmatched: unmatched(misses, &numbers),
            spend_by_missing_scenario: spent(misses, &numbers),
            what_if: what_if(misses),
            fallback_variations: variations(misses),
            fallbacks_without_llm: without_llm(misses),
        }
    }
}

/// Turns of one group.
#[derive(Default)]
struct Gathered<'m> {
    misses: Vec<&'m Miss>,
    cost: PicoUsd,
}

impl<'m> Gathered<'m> {
    fn add(&mut self, miss: &'m Miss) {
        self.misses.push(miss);
        self.cost = self.cost + miss.cost_usd;
    }

    fn calls(&self) -> usize {
        let calls: BTreeSet<_> = self.misses.iter().map(|miss| miss.call_id.as_str()).collect();
        calls.len()
    }

    fn wordings(&self) -> BTreeMap<&'m str, usize> {
        let mut wordings = BTreeMap::new();
        for miss in &self.misses {
            *wordings.entry(&*miss.normalized).or_default() += 1;
        }
        wordings
    }

    /// The wording that was said most often; of equals the first in the order of letters.
    fn words(&self) -> String {
        let most = self.wordings().into_iter().rev().max_by_key(|(_, turns)| *turns);
        most.map_or_else(String::new, |(words, _)| words.to_owned())
    }

    /// The newest turns of different wordings.
    fn examples(&self) -> Vec<Example> {
        let mut seen = BTreeSet::new();
        let different = self.misses.iter().filter(|miss| seen.insert(&*miss.normalized));
        different.take(EXAMPLES).map(|miss| Example::of(miss)).collect()
    }
}

fn unmatched(misses: &[Miss], groups: &[usize]) -> Vec<Unmatched> {
    let mut gathered: BTreeMap<usize, Gathered<'_>> = BTreeMap::new();
    for (miss, group) in misses.iter().zip(groups) {
        if miss.source == Source::Fallback && !miss.normalized.is_empty() {
            gathered.entry(*group).or_default().add(miss);
        }
    }
    let mut gathered: Vec<_> = gathered.into_values().collect();
    gathered.sort_by_key(|group| std::cmp::Reverse(group.misses.len()));
    gathered.truncate(GROUPS);
    let list = |group: &Gathered<'_>| {
        let mut by_fallback_type = BTreeMap::new();
        for kind in group.misses.iter().filter_map(|miss| miss.fallback_type) {
            *by_fallback_type.entry(kind.as_str()).or_default() += 1;
        }
        Unmatched {
            words: group.words(),
            turns: group.misses.len(),
            calls: group.calls(),
            wordings: group.wordings().len(),
            by_fallback_type,
            examples: group.examples(),
        }
    };
    gathered.iter().map(list).collect()
}

fn spent(misses: &[Miss], groups: &[usize]) -> Vec<Spent> {
    type Choice<'m> = (Option<&'m str>, Option<&'m str>, usize);
    let mut gathered: BTreeMap<Choice<'_>, Gathered<'_>> = BTreeMap::new();
    for (miss, group) in misses.iter().zip(groups) {
        if miss.cost_usd > PicoUsd::ZERO {
            let scenario = miss.scenario_id.as_ref().map(frontdesk_domain::ids::ScenarioId::as_str);
            let qna = miss.qna_id.as_ref().map(frontdesk_domain::ids::QnaId::as_str);
            gathered.entry((scenario, qna, *group)).or_default().add(miss);
        }
    }
    let mut gathered: Vec<_> = gathered.into_iter().collect();
    gathered.sort_by_key(|(_, group)| std::cmp::Reverse(group.cost));
    gathered.truncate(GROUPS);
    let list = |((scenario, qna, _), group): &(Choice<'_>, Gathered<'_>)| {
        let (calls, cost) = (group.calls(), group.cost);
        let what = match (scenario, qna) {
            (Some(id), _) => format!("add these wordings to the triggers of scenario {id}"),
            (None, Some(id)) => format!("add these wordings to the variants of Q&A {id}"),
            (None, None) => "add a scenario that answers this".to_owned(),
        };
        let these = if calls == 1 {
            "this call"
        } else {
            &format!("these {calls} calls")
        };
        Spent {
            words: group.words(),
            turns: group.misses.len(),
            calls,
            cost_usd: cost,
            scenario_id: scenario.map(str::to_owned),
            qna_id: qna.map(str::to_owned),
            advice: format!("{these} cost ${cost}: {what}"),
            examples: group.examples(),
        }
    };
    gathered.iter().map(list).collect()
}

/// A confidence in ten-thousandths, so that sums and comparisons are exact.
fn fine(confidence: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a confidence is from 0 to 1"
    )]
    {
        (confidence * 10_000.0).round() as u32
    }
}

fn what_if(misses: &[Miss]) -> Vec<WhatIf> {
    /// How sure a step was, of what, in which turn.
    type Near<'m> = (u32, &'m str, &'m Miss);
    // A source that is asked by rules and by meaning has two candidates; the surer one would answer.
    let mut near: BTreeMap<(u8, u32), Vec<Near<'_>>> = BTreeMap::new();
    for miss in misses {
        let mut best: BTreeMap<(u8, u32), (u32, &str)> = BTreeMap::new();
        for candidate in &miss.near {
            let key = (order_of(candidate.step), fine(candidate.threshold.get()));
            let found = (fine(candidate.confidence.get()), &*candidate.id);
            let entry = best.entry(key).or_insert(found);
            *entry = (*entry).max(found);
        }
        for (key, (confidence, id)) in best {
            near.entry(key).or_default().push((confidence, id, miss));
        }
    }
    let mut all = Vec::new();
    for ((step, threshold), candidates) in near {
        let Some(step) = STEPS.get(usize::from(step)) else {
            continue;
        };
        for lower in LOWER_BY {
            let Some(instead) = threshold.checked_sub(lower * 100) else {
                continue;
            };
            let gained = candidates.iter().filter(|(confidence, ..)| *confidence >= instead);
            let gained: Vec<_> = gained.collect();
            if gained.is_empty() {
                continue;
            }
            let cost = gained
                .iter()
                .fold(PicoUsd::ZERO, |sum, (_, _, miss)| sum + miss.cost_usd);
            let examples = gained
                .iter()
                .take(EXAMPLES)
                .map(|(confidence, id, miss)| WhatIfExample {
                    example: Example::of(miss),
                    candidate: (*id).to_owned(),
                    confidence: f64::from(*confidence) / 10_000.0,
                });
            all.push(WhatIf {
                step: *step,
                threshold: f64::from(threshold) / 10_000.0,
                instead: f64::from(instead) / 10_000.0,
                turns: gained.len(),
                fallbacks: gained
                    .iter()
                    .filter(|(_, _, miss)| miss.source == Source::Fallback)
                    .count(),
                cost_usd: cost,
                examples: examples.collect(),
            });
        }
    }
    all
}

/// The steps that have thresholds, in the order in which they are asked.
const STEPS: [Step; 4] = [Step::CompanyQna, Step::TradeQna, Step::Tier1, Step::Tier2];

fn order_of(step: Step) -> u8 {
    let place = STEPS.iter().position(|one| *one == step).unwrap_or(STEPS.len());
    u8::try_from(place).unwrap_or(u8::MAX)
}

fn variations(misses: &[Miss]) -> Vec<Spoken> {
    let mut spoken: BTreeMap<(FallbackKind, u32), (usize, usize)> = BTreeMap::new();
    let mut heard = BTreeSet::new();
    for miss in misses {
        let (Some(kind), Some(variation)) = (miss.fallback_type, miss.variation) else {
            continue;
        };
        let (turns, before) = spoken.entry((kind, variation)).or_default();
        *turns += 1;
        *before += usize::from(!heard.insert((miss.call_id.as_str(), kind, variation)));
    }
    let spoken = spoken.into_iter();
    spoken
        .map(|((fallback_type, variation), (turns, heard_before))| Spoken {
            fallback_type,
            variation,
            turns,
            heard_before,
        })
        .collect()
}

fn without_llm(misses: &[Miss]) -> BTreeMap<String, usize> {
    let fallbacks = misses.iter().filter(|miss| miss.source == Source::Fallback);
    let mut reasons = BTreeMap::new();
    for reason in fallbacks.filter_map(|miss| miss.llm_skipped) {
        *reasons.entry(name_of(reason)).or_default() += 1;
    }
    reasons
}

fn name_of(reason: SkipReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
