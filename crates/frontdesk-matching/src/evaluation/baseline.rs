//! Comparing a run with a saved one, utterance by utterance.
//!
//! What is saved holds no words of callers: each utterance is a hash of company, place among equal ones, and text.

use std::{collections::BTreeMap, fmt};

use frontdesk_domain::fnv::fnv1a;
use serde::{Deserialize, Serialize};

use super::{label::DataFault, metrics::mcnemar, outcome::Outcome};

/// The version of the format.
const FORMAT: u32 = 1;
/// A loss is one if it would come about by chance less often than this.
pub const SIGNIFICANCE: f64 = 0.05;

/// A run, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    format: u32,
    /// What was evaluated and how, in words.
    pub about: String,
    /// By the hash of an utterance: `+` right, `-` wrongly answered, `0` neither.
    outcomes: BTreeMap<String, Verdict>,
}

/// What became of one utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Verdict {
    #[serde(rename = "+")]
    Right,
    #[serde(rename = "-")]
    WronglyAnswered,
    #[serde(rename = "0")]
    Neither,
}

/// Which utterances changed sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// In the saved run only.
    pub before: usize,
    /// In this run only.
    pub now: usize,
    /// How likely so large a difference is by chance.
    pub p: f64,
}

/// A run beside a saved one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// What the saved run says of itself.
    pub baseline: String,
    /// Utterances that are in both.
    pub paired: usize,
    /// Utterances of this run that the saved one does not have.
    pub new: usize,
    /// Utterances of the saved run that this one does not have.
    pub gone: usize,
    /// Right in one of the runs.
    pub right: Change,
    /// Wrongly answered in one of the runs.
    pub wrong: Change,
}

impl Saved {
    /// What is saved of a run.
    #[must_use]
    pub fn new(about: String, outcomes: &[Outcome]) -> Self {
        let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let outcomes = outcomes.iter().map(|outcome| {
            let place = times.entry((&outcome.company, &outcome.utterance)).or_default();
            let text = format!("{}\u{0}{place}\u{0}{}", outcome.company, outcome.utterance);
            *place += 1;
            let verdict = if outcome.right_with_second {
                Verdict::Right
            } else if outcome.answer.is_some() {
                Verdict::WronglyAnswered
            } else {
                Verdict::Neither
            };
            (format!("{:016x}", fnv1a(text.bytes())), verdict)
        });
        Self {
            format: FORMAT,
            about,
            outcomes: outcomes.collect(),
        }
    }

    /// Reads a saved run.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn read(text: &str) -> Result<Self, DataFault> {
        let saved: Self = serde_json::from_str(text).map_err(|error| DataFault::of_text(&error))?;
        if saved.format == FORMAT {
            Ok(saved)
        } else {
            let detail = format!(
                "it has format {}, this version reads {FORMAT}; save it again",
                saved.format
            );
            Err(DataFault::new(None, detail))
        }
    }

    /// As text, one utterance a line, so that a difference of two runs can be read.
    ///
    /// # Errors
    /// Never: all of it can be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Compares this run with an earlier one.
    ///
    /// # Errors
    /// They have no utterance in common.
    pub fn compare(&self, baseline: &Self) -> Result<Comparison, DataFault> {
        let pairs: Vec<(Verdict, Verdict)> = self
            .outcomes
            .iter()
            .filter_map(|(key, now)| Some((*baseline.outcomes.get(key)?, *now)))
            .collect();
        if pairs.is_empty() {
            return Err(DataFault::new(
                None,
                format!(
                    "the baseline is of other utterances ({}); none is in both",
                    baseline.about
                ),
            ));
        }
        let change = |verdict: Verdict| {
            let of = |one: bool, other: bool| {
                let is_so = |pair: &&(Verdict, Verdict)| (pair.0 == verdict) == one && (pair.1 == verdict) == other;
                pairs.iter().filter(is_so).count()
            };
            let (before, now) = (of(true, false), of(false, true));
            Change {
                before,
                now,
                p: mcnemar(before, now),
            }
        };
        Ok(Comparison {
            baseline: baseline.about.clone(),
            paired: pairs.len(),
            new: self.outcomes.len() - pairs.len(),
            gone: baseline.outcomes.len() - pairs.len(),
            right: change(Verdict::Right),
            wrong: change(Verdict::WronglyAnswered),
        })
    }
}

impl Comparison {
    /// Whether fewer are right, or more are wrongly answered, beyond what chance explains.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        let fewer_right = self.right.before > self.right.now && self.right.p < SIGNIFICANCE;
        let more_wrong = self.wrong.now > self.wrong.before && self.wrong.p < SIGNIFICANCE;
        fewer_right || more_wrong
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "against the baseline ({}): {} utterances in both",
            self.baseline, self.paired
        )?;
        if self.new + self.gone > 0 {
            writeln!(f, "  not compared: {} only here, {} only there", self.new, self.gone)?;
        }
        let Change { before, now, p } = self.right;
        writeln!(f, "  right            gained {now:4}  lost {before:4}  p = {p:.4}")?;
        let Change { before, now, p } = self.wrong;
        write!(f, "  wrongly answered gained {now:4}  lost {before:4}  p = {p:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::label::Label;

    fn outcome(utterance: usize, right: bool) -> Outcome {
        Outcome {
            company: "c".into(),
            utterance: format!("u{utterance}"),
            expect: Label::NOTHING,
            second: None,
            tags: vec![],
            answer: None,
            nearest: None,
            right,
            right_with_second: right,
            spoken_right: None,
            micros: None,
        }
    }

    fn run(count: usize, wrong: std::ops::Range<usize>) -> Saved {
        let outcomes: Vec<_> = (0..count).map(|at| outcome(at, !wrong.contains(&at))).collect();
        Saved::new("a test".into(), &outcomes)
    }

    #[test]
    fn a_loss_beyond_noise_is_told_from_noise() {
        let before = run(100, 0..10);
        assert!(!run(100, 0..10).compare(&before).unwrap().is_loss(), "the same");
        assert!(
            !run(100, 0..15).compare(&before).unwrap().is_loss(),
            "5 lost: p = 0.0625"
        );
        assert!(run(100, 0..16).compare(&before).unwrap().is_loss(), "6 lost: p = 0.03");
        assert!(!run(100, 0..0).compare(&before).unwrap().is_loss(), "a gain");
        // Twelve lost and ten gained: noise.
        assert!(!run(100, 10..22).compare(&before).unwrap().is_loss());
    }

    #[test]
    fn a_saved_run_comes_back_and_holds_no_words() {
        let saved = run(3, 0..1);
        let text = saved.text().unwrap();
        assert_eq!(Saved::read(&text).unwrap(), saved);
        assert!(!text.contains("u1"));
        assert!(
            Saved::read(&text.replace("\"format\": 1", "\"format\": 2"))
                .unwrap_err()
                .detail
                .contains("format 2")
        );
        assert!(Saved::read("{").is_err());
    }

    #[test]
    fn runs_of_other_utterances_are_not_compared() {
        let fault = run(3, 0..0)
            .compare(&Saved::new("elsewhere".into(), &[outcome(7, true)]))
            .unwrap_err();
        assert!(fault.detail.contains("elsewhere"), "{fault}");
        let comparison = run(5, 0..0).compare(&run(4, 0..0)).unwrap();
        assert_eq!((comparison.paired, comparison.new, comparison.gone), (4, 1, 0));
    }

    #[test]
    fn the_same_words_twice_are_two_utterances() {
        let twice = [outcome(1, true), outcome(1, false)];
        assert_eq!(Saved::new(String::new(), &twice).outcomes.len(), 2);
    }
}
