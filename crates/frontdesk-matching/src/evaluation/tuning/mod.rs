//! Thresholds for a business: as many right answers as labels allow with at most a given share of wrong ones.
//!
//! What the ladder would answer under other thresholds is known where every step was asked: a [`Sample`] holds them all.
//!
//! A few hundred labels hold a handful of wrong answers, and thresholds chosen by these alone fit their accidents. So a
//! choice may also go by what confidences promise (an answer of 0.7 is wrong with 0.3), wholly or in part. Which way is
//! taken, labels decide that the choice did not see: each way chooses on four fifths of the labels and is measured on the
//! rest, again and again, and leaving the thresholds as they are is one of the ways.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{draw::Draw, float, ladder::Thresholds, metrics::Share};

/// Fewer labels than these say nothing about a share of a few percent.
pub const FEWEST_LABELS: usize = 30;
const FOLDS: usize = 5;
const REPEATS: usize = 10;
/// By how much a choice goes by what confidences promise in place of what labels say.
const TRUSTS: [f64; 3] = [0.0, 0.5, 1.0];
/// The limit within which a choice must stay, as a part of the limit that must hold.
const STRICTNESS: [f64; 2] = [1.0, 0.5];
/// So many right answers are given up to be rid of one wrong answer.
const PRICES: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1e6];
/// A choice that still moves after so many rounds goes in circles.
const ROUNDS: usize = 8;

/// A threshold of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Knob {
    /// Of its own Q&A.
    #[serde(rename = "companyQnA")]
    CompanyQna,
    /// Of its trades' Q&A.
    #[serde(rename = "tradeQnA")]
    TradeQna,
    /// Of templates by rules.
    #[serde(rename = "tier1Threshold")]
    Tier1,
    /// Of templates by meaning.
    #[serde(rename = "tier2Threshold")]
    Tier2,
}

impl Knob {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CompanyQna, Self::TradeQna, Self::Tier1, Self::Tier2];

    /// Its name in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CompanyQna => "companyQnA",
            Self::TradeQna => "tradeQnA",
            Self::Tier1 => "tier1Threshold",
            Self::Tier2 => "tier2Threshold",
        }
    }
}

impl Thresholds {
    /// The value of a threshold.
    #[must_use]
    pub const fn get(&self, knob: Knob) -> f64 {
        match knob {
            Knob::CompanyQna => self.company_qna,
            Knob::TradeQna => self.trade_qna,
            Knob::Tier1 => self.tier1,
            Knob::Tier2 => self.tier2,
        }
    }

    /// The same with another value of a threshold.
    #[must_use]
    pub const fn with(mut self, knob: Knob, value: f64) -> Self {
        match knob {
            Knob::CompanyQna => self.company_qna = value,
            Knob::TradeQna => self.trade_qna = value,
            Knob::Tier1 => self.tier1 = value,
            Knob::Tier2 => self.tier2 = value,
        }
        self
    }
}

/// A step of the ladder that was asked, and its best candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The company's threshold for it.
    pub knob: Knob,
    /// How sure it was.
    pub confidence: f64,
    /// The threshold that holds in place of the company's: a scenario's own.
    pub own_threshold: Option<f64>,
    /// Whether its answer would be right.
    pub right: bool,
}

/// A labelled utterance with every step that could answer it, in the order in which they are asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// The steps that thresholds decide on.
    pub steps: Vec<Seen>,
    /// What answers if none of them does, or before any of them, whatever the thresholds: whether that is right.
    pub settled: Option<bool>,
}

impl Sample {
    /// Whether it would be answered, and then, whether rightly.
    #[must_use]
    pub fn answer(&self, thresholds: &Thresholds) -> Option<bool> {
        self.step(thresholds).map(|step| step.right).or(self.settled)
    }

    fn step(&self, thresholds: &Thresholds) -> Option<&Seen> {
        let clears = |step: &&Seen| step.confidence >= step.own_threshold.unwrap_or_else(|| thresholds.get(step.knob));
        self.steps.iter().find(clears)
    }
}

/// What labels would be answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rightly.
    pub right: usize,
    /// Wrongly.
    pub wrong: usize,
    /// Labels.
    pub of: usize,
}

impl Counts {
    /// Counts what thresholds would do.
    pub fn new<'s>(samples: impl IntoIterator<Item = &'s Sample>, thresholds: &Thresholds) -> Self {
        let mut counts = Self::default();
        for sample in samples {
            counts.of += 1;
            match sample.answer(thresholds) {
                Some(true) => counts.right += 1,
                Some(false) => counts.wrong += 1,
                None => {}
            }
        }
        counts
    }

    /// Answered, rightly or wrongly.
    #[must_use]
    pub const fn answered(&self) -> usize {
        self.right + self.wrong
    }

    /// Wrong among answered.
    #[must_use]
    pub fn wrong_share(&self) -> Share {
        Share::new(self.wrong, self.answered())
    }

    /// Whether at most this share of the answers is wrong.
    #[must_use]
    pub fn is_within(&self, limit: f64) -> bool {
        float(self.wrong) <= limit * float(self.answered())
    }
}

/// What was measured on labels that the choice did not see, on average over all ways in which they were left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldOut {
    /// Wrong among answered, with the interval that so many labels allow.
    pub wrong: Share,
    /// Answered rightly among all labels.
    pub right: Share,
}

/// What is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The thresholds now.
    pub now: Thresholds,
    /// Those that are proposed.
    pub proposed: Thresholds,
    /// What the thresholds of now do with the labels.
    pub before: Counts,
    /// What the proposed ones do.
    pub after: Counts,
    /// What to expect of them.
    pub held_out: HeldOut,
    /// Whether the limit held on labels that the choice did not see.
    pub holds: bool,
}

/// Why nothing is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoProposal {
    /// There are too few labels.
    #[error(
        "{labels} labels are too few to say anything about a share of a few percent: give at least {FEWEST_LABELS}, better 200"
    )]
    TooFew {
        /// How many there are.
        labels: usize,
    },
    /// What no threshold decides on is wrong too often.
    #[error(
        "no thresholds are strict enough: of {answered} answers that hold whatever the thresholds, {wrong} are wrong (safety, equal words, scenarios with a minConfidence of their own)"
    )]
    TooWrong {
        /// Wrong with the strictest thresholds.
        wrong: usize,
        /// Answered with the strictest thresholds.
        answered: usize,
    },
}

/// Proposes thresholds with which at most the share `limit` of the answers is wrong.
///
/// # Errors
/// There are too few labels, or no thresholds keep the limit.
pub fn propose(samples: &[Sample], limit: f64, now: Thresholds, seed: u64) -> Result<Proposal, NoProposal> {
    if samples.len() < FEWEST_LABELS {
        return Err(NoProposal::TooFew { labels: samples.len() });
    }
    let all: Vec<&Sample> = samples.iter().collect();
    let found = ways(&all, limit, now)
        .into_iter()
        .zip(held_out(samples, limit, now, seed));
    let mut best: Option<(Thresholds, HeldOut)> = None;
    for (thresholds, held_out) in found {
        let Some(thresholds) = thresholds else { continue };
        let holds = |held_out: &HeldOut| held_out.wrong.share <= limit;
        let is_better = best
            .as_ref()
            .is_none_or(|(_, known)| match (holds(&held_out), holds(known)) {
                (true, true) => held_out.right.share > known.right.share,
                (false, false) => held_out.wrong.share < known.wrong.share,
                (is_held, _) => is_held,
            });
        if is_better {
            best = Some((thresholds, held_out));
        }
    }
    let Some((proposed, held_out)) = best else {
        let strictest = Counts::new(samples, &STRICTEST);
        return Err(NoProposal::TooWrong {
            wrong: strictest.wrong,
            answered: strictest.answered(),
        });
    };
    Ok(Proposal {
        now,
        proposed,
        before: Counts::new(samples, &now),
        after: Counts::new(samples, &proposed),
        held_out,
        holds: held_out.wrong.share <= limit,
    })
}

/// What each way of choosing chooses, first to leave the thresholds as they are; `None` where it has nothing within the
/// limit.
fn ways(samples: &[&Sample], limit: f64, now: Thresholds) -> Vec<Option<Thresholds>> {
    let is_within = Counts::new(samples.iter().copied(), &now).is_within(limit);
    let mut ways = vec![is_within.then_some(now)];
    for trust in TRUSTS {
        let frontier = Frontier::new(samples, now, trust);
        ways.extend(STRICTNESS.map(|strictness| frontier.choose(strictness * limit)));
    }
    ways
}

/// The thresholds with the most right answers of which at most the share `limit` of all answers is wrong; `None` if even
/// the strictest are wrong more often.
#[must_use]
pub fn choose(samples: &[&Sample], limit: f64, now: Thresholds) -> Option<Thresholds> {
    Frontier::new(samples, now, 0.0).choose(limit)
}

const STRICTEST: Thresholds = Thresholds {
    company_qna: 1.0,
    trade_qna: 1.0,
    tier1: 1.0,
    tier2: 1.0,
};

/// Thresholds that are best at some price of a wrong answer, with what they do. It does not depend on a limit, so that a
/// looser limit never chooses fewer right answers.
struct Frontier(Vec<(Thresholds, Counts, Weighed)>);

/// Right and wrong answers, as far as confidences are trusted.
#[derive(Debug, Clone, Copy, Default)]
struct Weighed {
    right: f64,
    wrong: f64,
}

impl Weighed {
    fn new(samples: &[&Sample], thresholds: &Thresholds, trust: f64) -> Self {
        let mut sums = Self::default();
        for sample in samples {
            let (right, promise) = match (sample.step(thresholds), sample.settled) {
                (Some(step), _) => (step.right, Some(step.confidence)),
                (None, Some(right)) => (right, None),
                (None, None) => continue,
            };
            let label = if right { 1.0 } else { 0.0 };
            let share = trust * promise.unwrap_or(label) + (1.0 - trust) * label;
            sums.right += share;
            sums.wrong += 1.0 - share;
        }
        sums
    }
}

impl Frontier {
    fn new(samples: &[&Sample], now: Thresholds, trust: f64) -> Self {
        let counted = |thresholds: Thresholds| {
            let counts = Counts::new(samples.iter().copied(), &thresholds);
            (thresholds, counts, Weighed::new(samples, &thresholds, trust))
        };
        let values = Knob::ALL.map(|knob| values(samples, knob));
        let mut found = vec![counted(now)];
        let mut at = now;
        for price in PRICES {
            at = ascend(samples, &values, at, price, trust);
            found.push(counted(at));
        }
        found.push(counted(STRICTEST));
        Self(found)
    }

    fn choose(&self, limit: f64) -> Option<Thresholds> {
        let mut best: Option<(Thresholds, Counts)> = None;
        for (thresholds, counts, weighed) in &self.0 {
            // Sums of shares are inexact.
            let is_promised = weighed.wrong <= limit * (weighed.right + weighed.wrong) + 1e-9;
            if !is_promised || !counts.is_within(limit) {
                continue;
            }
            let key = |counts: &Counts| (counts.right, std::cmp::Reverse(counts.wrong));
            if best.as_ref().is_none_or(|(_, best)| key(counts) > key(best)) {
                best = Some((*thresholds, *counts));
            }
        }
        best.map(|(thresholds, _)| thresholds)
    }
}

/// The values at which a threshold makes a difference, from the highest: each confidence, rounded down to a hundredth.
fn values(samples: &[&Sample], knob: Knob) -> Vec<f64> {
    let steps = samples.iter().flat_map(|sample| &sample.steps);
    let mut values: Vec<f64> = steps
        .filter(|step| step.knob == knob && step.own_threshold.is_none())
        .map(|step| (step.confidence * 100.0).floor() / 100.0)
        .chain([1.0])
        .collect();
    values.sort_by(|one, other| other.total_cmp(one));
    values.dedup();
    values
}

/// Moves one threshold after the other to where it is best at this price, as long as that helps. Where nothing speaks for
/// another value it stays; of equally good other values it takes the highest.
fn ascend(samples: &[&Sample], values: &[Vec<f64>; 4], start: Thresholds, price: f64, trust: f64) -> Thresholds {
    let worth = |thresholds: &Thresholds| {
        let Weighed { right, wrong } = Weighed::new(samples, thresholds, trust);
        right - price * wrong
    };
    let (mut best, mut most) = (start, worth(&start));
    for _ in 0..ROUNDS {
        let before = most;
        for (knob, values) in Knob::ALL.into_iter().zip(values) {
            for value in values {
                let moved = best.with(knob, *value);
                let worth = worth(&moved);
                if worth > most + 1e-9 {
                    (best, most) = (moved, worth);
                }
            }
        }
        if most <= before + 1e-9 {
            break;
        }
    }
    best
}

/// What comes of each way of choosing on labels that it did not see.
fn held_out(samples: &[Sample], limit: f64, now: Thresholds, seed: u64) -> Vec<HeldOut> {
    let mut draw = Draw::new(seed);
    let mut sums = vec![Counts::default(); 1 + TRUSTS.len() * STRICTNESS.len()];
    let mut order: Vec<&Sample> = samples.iter().collect();
    for _ in 0..REPEATS {
        draw.shuffle(&mut order);
        for fold in 0..FOLDS {
            let part = |is_out: bool| -> Vec<&Sample> {
                let chosen = order
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| (at % FOLDS == fold) == is_out);
                chosen.map(|(_, sample)| *sample).collect()
            };
            let mut ways = ways(&part(false), limit, now);
            // To leave the thresholds as they are is no choice that a part of the labels makes.
            if let Some(leave) = ways.first_mut() {
                *leave = Some(now);
            }
            let out = part(true);
            for (chosen, sum) in ways.into_iter().zip(&mut sums) {
                let counts = Counts::new(out.iter().copied(), &chosen.unwrap_or(STRICTEST));
                sum.right += counts.right;
                sum.wrong += counts.wrong;
                sum.of += counts.of;
            }
        }
    }
    // The same labels were left out several times; the interval is that of having them once.
    let mean = |sum: usize| (sum + REPEATS / 2) / REPEATS;
    let once = |hits: usize, of: usize| Share {
        share: Share::new(hits, of).share,
        ..Share::new(mean(hits), mean(of))
    };
    let held_out = sums.into_iter().map(|sum| HeldOut {
        wrong: once(sum.wrong, sum.answered()),
        right: once(sum.right, sum.of),
    });
    held_out.collect()
}
