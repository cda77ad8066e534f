//! Measuring rules on labelled utterances: what is answered, what of it is right, and whether confidence keeps its word.

use std::{collections::BTreeMap, fmt, sync::Arc};

use frontdesk_domain::{
    confidence::Confidence,
    documents::{qna::Qna, template::Template},
    ids::TemplateId,
};
use serde::Deserialize;

use crate::{
    calibration::Calibration,
    knowledge::{CompiledQna, CompiledTemplate, Knowledge, Parts, Source},
    language::Language,
    normal::normalize,
    piece::Target,
    rules::Findings,
};

/// An answer in a labelled file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// `template`, `company_qna`, `trade_qna`, `safety` or `none`.
    pub source: String,
    /// The id of the scenario, Q&A or safety category.
    pub id: Option<String>,
}

/// A labelled utterance.
#[derive(Debug, Clone, Deserialize)]
pub struct Labelled {
    /// The id of the company that was called.
    pub company: String,
    /// What was said.
    pub utterance: String,
    /// What answers it.
    pub expect: Label,
    /// What kind of utterance it is.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Another answer that is right as well.
    #[serde(default)]
    pub second: Option<Label>,
}

/// Companies with their compiled knowledge, by id.
#[derive(Debug, Default)]
pub struct Businesses {
    /// The knowledge of each company.
    pub knowledge: BTreeMap<String, Knowledge>,
}

/// Thresholds by source, in ladder order.
pub const DEFAULT_THRESHOLDS: [f64; 3] = [0.80, 0.75, 0.70];

#[derive(Deserialize)]
struct CompanyLine {
    company: CompanyFields,
    qna: Vec<Qna>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompanyFields {
    #[serde(rename = "_id")]
    id: String,
    trades: Vec<String>,
    ai_agent_settings: AgentSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgentSettings {
    template_references: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Bare(TemplateId),
    #[serde(rename_all = "camelCase")]
    Ranked {
        template_id: TemplateId,
        priority: i32,
    },
}

#[derive(Deserialize)]
struct TradeQna {
    trade: String,
    #[serde(flatten)]
    qna: Qna,
}

/// The lines of a file of labelled utterances.
///
/// # Errors
/// When a line is no labelled utterance.
pub fn read_utterances(lines: &str) -> Result<Vec<Labelled>, serde_json::Error> {
    lines
        .lines()
        .filter(|line| !line.is_empty())
        .map(serde_json::from_str)
        .collect()
}

impl Businesses {
    /// Reads and compiles templates (one JSON text each), companies (JSON lines) and the trades' Q&A (a JSON list).
    ///
    /// # Errors
    /// When a document does not parse.
    pub fn read(templates: &[&str], companies: &str, trade_qna: &str) -> Result<Self, serde_json::Error> {
        let language = Language::english();
        let mut compiled = BTreeMap::new();
        for text in templates {
            let template: Template = serde_json::from_str(text)?;
            compiled.insert(template.id, Arc::new(CompiledTemplate::new(&template, language)));
        }
        let mut by_trade: BTreeMap<String, Vec<Qna>> = BTreeMap::new();
        for entry in serde_json::from_str::<Vec<TradeQna>>(trade_qna)? {
            by_trade.entry(entry.trade).or_default().push(entry.qna);
        }
        let by_trade: BTreeMap<String, Arc<CompiledQna>> = by_trade
            .into_iter()
            .map(|(trade, qna)| (trade, Arc::new(CompiledQna::new(&qna, language))))
            .collect();
        let mut businesses = Self::default();
        for line in companies.lines().filter(|line| !line.is_empty()) {
            let line: CompanyLine = serde_json::from_str(line)?;
            let mut references: Vec<(i32, TemplateId)> = (0..)
                .zip(line.company.ai_agent_settings.template_references)
                .map(|(at, reference)| match reference {
                    Reference::Bare(id) => (at, id),
                    Reference::Ranked { template_id, priority } => (priority, template_id),
                })
                .collect();
            references.sort_by_key(|(rank, _)| *rank);
            let parts = Parts {
                company_qna: Some(Arc::new(CompiledQna::new(&line.qna, language))),
                trade_qna: line
                    .company
                    .trades
                    .iter()
                    .filter_map(|trade| by_trade.get(trade).cloned())
                    .collect(),
                templates: references
                    .iter()
                    .filter_map(|(_, id)| compiled.get(id).cloned())
                    .collect(),
                overlay: None,
            };
            businesses
                .knowledge
                .insert(line.company.id, Knowledge::new(&parts, language));
        }
        Ok(businesses)
    }
}

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
    let float = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

/// Everything measured on one set.
#[derive(Debug, Default)]
pub struct Report {
    /// At the default thresholds.
    pub total: Tally,
    /// The same, by the source that answered.
    pub by_source: BTreeMap<Source, Tally>,
    /// The same, by tag.
    pub by_tag: BTreeMap<String, Tally>,
    /// With one threshold for all sources.
    pub curve: Vec<(f64, Tally)>,
    /// Per tenth of confidence: predictions, their mean confidence, the share that was right.
    pub reliability: Vec<(usize, f64, f64)>,
    /// Expected calibration error over these tenths.
    pub calibration_error: f64,
    /// Wrong answers at the default thresholds.
    pub mistakes: Vec<String>,
}

/// Runs the ladder over labelled utterances.
#[must_use]
pub fn measure(businesses: &Businesses, utterances: &[Labelled], calibration: &Calibration) -> Report {
    let mut report = Report {
        curve: CURVE.map(|threshold| (threshold, Tally::default())).to_vec(),
        ..Report::default()
    };
    let mut bins = [(0_usize, 0.0, 0_usize); 10];
    for labelled in utterances.iter().filter(|labelled| labelled.expect.source != "safety") {
        let Some(knowledge) = businesses.knowledge.get(&labelled.company) else {
            continue;
        };
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
            let tenth = (0_u8..9)
                .find(|tenth| *confidence < f64::from(tenth + 1) / 10.0)
                .unwrap_or(9);
            if let Some((predictions, sum, right)) = bins.get_mut(usize::from(tenth)) {
                *predictions += 1;
                *sum += confidence;
                *right += usize::from(is_right(labelled, *source, id).0);
            }
        }
        if let Some((source, id, confidence)) = &outcome.answer
            && !is_right(labelled, *source, id).1
        {
            let Label {
                source: expected,
                id: right,
            } = &labelled.expect;
            let right = right.as_deref().unwrap_or("-");
            let line = format!("{confidence:.2} {id} for {expected} {right}: {}", labelled.utterance);
            report.mistakes.push(line);
        }
    }
    for (predictions, sum, right) in bins {
        let mean = sum / f64::from(u32::try_from(predictions.max(1)).unwrap_or(u32::MAX));
        let share = ratio(right, predictions);
        report.calibration_error += ratio(predictions, report.total.asked) * (mean - share).abs();
        report.reliability.push((predictions, mean, share));
    }
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
    let name = match source {
        Source::CompanyQna => "company_qna",
        Source::TradeQna => "trade_qna",
        Source::Template => "template",
    };
    let is = |label: &Label| label.source == name && label.id.as_deref() == Some(id);
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
        writeln!(f, "reliability (error {:.1} %)", 100.0 * self.calibration_error)?;
        for (tenth, (predictions, mean, share)) in self.reliability.iter().enumerate() {
            writeln!(
                f,
                "  0.{tenth}: {predictions:4} predictions, mean {mean:.2}, right {share:.2}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! data {
        ($name:literal) => {
            include_str!(concat!("../../../data/trades/", $name))
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
        assert!(train.calibration_error < 0.12, "{train}");
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
