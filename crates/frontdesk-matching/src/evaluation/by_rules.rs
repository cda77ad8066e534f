//! Measuring rules alone at many thresholds and with other coefficients: what they are fitted with, and a floor for tests.

use std::{collections::BTreeMap, fmt};

use frontdesk_domain::confidence::Confidence;

use super::{
    data::Businesses,
    float,
    label::{Label, LabelSource, Labelled},
    metrics::Reliability,
};
use crate::{
    calibration::Calibration,
    knowledge::{Knowledge, Source},
    normal::normalize,
    piece::Target,
    rules::Findings,
};

/// Thresholds by source, in ladder order.
pub const DEFAULT_THRESHOLDS: [f64; 3] = [0.80, 0.75, 0.70];

/// What the ladder of rules answered to one utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The source that is surest of itself, measured from its threshold, and its best candidate.
    pub answer: Option<(Source, String, f64)>,
    /// The best candidate where nothing answered.
    pub nearest: Option<(Source, String, f64)>,
}

/// Walks the ladder: what is equal first, then each source against its threshold.
#[must_use]
pub fn walk(knowledge: &Knowledge, findings: &Findings, thresholds: [f64; 3]) -> Outcome {
    let id = |candidate| {
        knowledge
            .target(candidate)
            .map(Target::id)
            .unwrap_or_default()
            .to_owned()
    };
    if let Some(equal) = findings.equal.first() {
        return Outcome {
            answer: Some((equal.source, id(equal), 1.0)),
            nearest: None,
        };
    }
    let mut nearest: Option<(Source, String, f64)> = None;
    for (source, threshold) in Source::ALL.into_iter().zip(thresholds) {
        let Some(best) = findings.of(source).first() else {
            continue;
        };
        let threshold = match knowledge.target(best) {
            Some(Target::Scenario { scenario, .. }) => scenario.min_confidence.map_or(threshold, Confidence::get),
            _ => threshold,
        };
        let confidence = best.confidence.get();
        if confidence >= threshold {
            return Outcome {
                answer: Some((source, id(best), confidence)),
                nearest,
            };
        }
        if nearest.as_ref().is_none_or(|(_, _, known)| confidence > *known) {
            nearest = Some((source, id(best), confidence));
        }
    }
    Outcome { answer: None, nearest }
}

/// Counts over a set of utterances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Utterances, without those for safety.
    pub asked: usize,
    /// Of these, the ones that something could answer.
    pub answerable: usize,
    /// Answered at all.
    pub answered: usize,
    /// Answered as labelled.
    pub right: usize,
    /// Answered as labelled, or with the caller's other wish.
    pub right_with_second: usize,
}

impl Tally {
    /// Right among answered, other wishes accepted.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.right_with_second, self.answered)
    }

    /// Answered rightly among what could be answered.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        ratio(self.right_with_second, self.answerable)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "answered {:4}/{:4}  right {:5.1} % strict {:5.1} %  right of answerable {:5.1} %",
            self.answered,
            self.asked,
            100.0 * self.precision(),
            100.0 * ratio(self.right, self.answered),
            100.0 * self.coverage()
        )
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

/// Everything measured on one set.
#[derive(Debug)]
pub struct Report {
    /// At the default thresholds.
    pub total: Tally,
    /// The same, by the source that answered.
    pub by_source: BTreeMap<Source, Tally>,
    /// The same, by tag.
    pub by_tag: BTreeMap<String, Tally>,
    /// With one threshold for all sources.
    pub curve: Vec<(f64, Tally)>,
    /// Of the best candidates.
    pub reliability: Reliability,
    /// Wrong answers at the default thresholds.
    pub mistakes: Vec<String>,
}

/// Runs the ladder over labelled utterances.
#[must_use]
pub fn measure(businesses: &Businesses, utterances: &[Labelled], calibration: &Calibration) -> Report {
    let mut report = Report {
        total: Tally::default(),
        by_source: BTreeMap::new(),
        by_tag: BTreeMap::new(),
        curve: CURVE.map(|threshold| (threshold, Tally::default())).to_vec(),
        reliability: Reliability::new([]),
        mistakes: Vec::new(),
    };
    let mut predictions = Vec::new();
    let is_harmless = |labelled: &&Labelled| labelled.expect.source != LabelSource::Safety;
    for labelled in utterances.iter().filter(is_harmless) {
        let Some(business) = businesses.0.get(&labelled.company) else {
            continue;
        };
        let knowledge = &business.knowledge;
        let findings = knowledge.weigh_with(&normalize(&labelled.utterance), calibration);
        let outcome = walk(knowledge, &findings, DEFAULT_THRESHOLDS);
        count(&mut report.total, labelled, &outcome);
        if let Some((source, ..)) = &outcome.answer {
            count(report.by_source.entry(*source).or_default(), labelled, &outcome);
        }
        for tag in &labelled.tags {
            count(report.by_tag.entry(tag.clone()).or_default(), labelled, &outcome);
        }
        for (threshold, tally) in &mut report.curve {
            count(tally, labelled, &walk(knowledge, &findings, [*threshold; 3]));
        }
        if let Some((source, id, confidence)) = outcome.answer.as_ref().or(outcome.nearest.as_ref()) {
            predictions.push((*confidence, is_right(labelled, *source, id).0));
        }
        if let Some((source, id, confidence)) = &outcome.answer
            && !is_right(labelled, *source, id).1
        {
            let Label {
                source: expected,
                id: right,
            } = &labelled.expect;
            let (expected, right) = (expected.as_str(), right.as_deref().unwrap_or("-"));
            let line = format!("{confidence:.2} {id} for {expected} {right}: {}", labelled.utterance);
            report.mistakes.push(line);
        }
    }
    report.reliability = Reliability::new(predictions);
    report
}

const CURVE: [f64; 11] = [0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95];

fn count(tally: &mut Tally, labelled: &Labelled, outcome: &Outcome) {
    tally.asked += 1;
    tally.answerable += usize::from(labelled.expect.id.is_some());
    if let Some((source, id, _)) = &outcome.answer {
        let (right, right_with_second) = is_right(labelled, *source, id);
        tally.answered += 1;
        tally.right += usize::from(right);
        tally.right_with_second += usize::from(right_with_second);
    }
}

/// Whether an answer is as labelled; whether it is that or the caller's other wish.
fn is_right(labelled: &Labelled, source: Source, id: &str) -> (bool, bool) {
    let is = |label: &Label| label.is(source.into(), id);
    let right = is(&labelled.expect);
    (right, right || labelled.second.as_ref().is_some_and(is))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at default thresholds  {}", self.total)?;
        for (source, tally) in &self.by_source {
            writeln!(f, "  {:20} {tally}", format!("{source:?}"))?;
        }
        for (tag, tally) in &self.by_tag {
            writeln!(f, "  {tag:20} {tally}")?;
        }
        writeln!(f, "one threshold for all sources")?;
        for (threshold, tally) in &self.curve {
            writeln!(f, "  {threshold:<20} {tally}")?;
        }
        writeln!(f, "reliability (error {:.1} %)", 100.0 * self.reliability.error)?;
        for (tenth, bin) in self.reliability.bins.iter().enumerate() {
            writeln!(
                f,
                "  0.{tenth}: {:4} predictions, mean {:.2}, right {:.2}",
                bin.predictions, bin.confidence, bin.right
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::read_utterances;

    macro_rules! data {
        ($name:literal) => {
            include_str!(concat!("../../../../data/trades/", $name))
        };
    }

    const TEMPLATES: [&str; 3] = [
        data!("universal.template.json"),
        data!("hvac.template.json"),
        data!("plumbing.template.json"),
    ];

    fn report(utterances: &str) -> Report {
        let businesses = Businesses::read(&TEMPLATES, data!("companies.jsonl"), data!("trades-qna.json")).unwrap();
        measure(
            &businesses,
            &read_utterances(utterances).unwrap(),
            Calibration::embedded(),
        )
    }

    /// A floor under what was measured, so that a change that costs callers answers is seen.
    #[test]
    fn rules_answer_the_labelled_utterances_as_well_as_measured() {
        let train = report(data!("utterances.train.jsonl"));
        assert!(train.total.precision() > 0.93, "{train}");
        assert!(train.total.coverage() > 0.35, "{train}");
        assert!(train.reliability.error < 0.12, "{train}");
    }

    #[test]
    fn every_trigger_and_question_of_the_demo_data_is_answered() {
        let train = report(data!("utterances.train.jsonl"));
        let verbatim = &train.by_tag["verbatim"];
        assert_eq!(
            (verbatim.answered, verbatim.right),
            (verbatim.asked, verbatim.asked),
            "{train}"
        );
    }
}
