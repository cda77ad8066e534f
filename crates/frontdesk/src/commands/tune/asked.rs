//! What a server decides for labels, read from its traces.

use anyhow::Result;
use frontdesk_matching::evaluation::{
    LabelSource, Labelled,
    ladder::Thresholds,
    tuning::{Counts, Knob, Sample, Seen},
};
use serde_json::{Value, json};

use crate::admin::{Admin, text};

/// Asks a server for decisions of one company.
pub(super) struct Asking<'a> {
    admin: &'a Admin,
    path: String,
}

/// What a label can say about thresholds.
pub(super) enum Asked {
    /// All steps that could answer it.
    Sample(Sample),
    /// Nothing: the conversation itself answers, such as "say that again".
    Conversation,
}

/// Only what is certain clears them.
const STRICTEST: Thresholds = Thresholds {
    company_qna: 1.0,
    trade_qna: 1.0,
    tier1: 1.0,
    tier2: 1.0,
};

impl<'a> Asking<'a> {
    pub(super) const fn new(admin: &'a Admin, path: String) -> Self {
        Self { admin, path }
    }

    /// A dry run, with these thresholds if they are given.
    pub(super) async fn decision(&self, labelled: &Labelled, thresholds: Option<&Thresholds>) -> Result<Value> {
        let question = json!({ "utterance": labelled.utterance, "dryRun": true, "thresholds": thresholds });
        Ok(self.admin.send("POST", &self.path, &question).await?)
    }

    /// What every step has, asked with thresholds that nothing clears but what is certain.
    pub(super) async fn strictly(&self, labelled: &Labelled) -> Result<Asked> {
        let decision = self.decision(labelled, Some(&STRICTEST)).await?;
        Ok(read(&decision, labelled))
    }
}

/// Whether a decision answers, and then, whether as labelled. The caller's other wish is right as well.
pub(super) fn verdict(decision: &Value, labelled: &Labelled) -> Option<bool> {
    let (source, id) = match text(decision, "source") {
        "safety" => (LabelSource::Safety, text(decision, "safetyId")),
        "company_qna" => (LabelSource::CompanyQna, text(decision, "qnaId")),
        "trade_qna" => (LabelSource::TradeQna, text(decision, "qnaId")),
        "template" => (LabelSource::Template, text(decision, "scenarioId")),
        _ => return None,
    };
    Some(is_right(labelled, source, id))
}

fn is_right(labelled: &Labelled, source: LabelSource, id: &str) -> bool {
    let mut labels = std::iter::once(&labelled.expect).chain(&labelled.second);
    labels.any(|label| label.is(source, id))
}

pub(super) fn counts(verdicts: impl IntoIterator<Item = Option<bool>>) -> Counts {
    let mut counts = Counts::default();
    for verdict in verdicts {
        counts.of += 1;
        counts.right += usize::from(verdict == Some(true));
        counts.wrong += usize::from(verdict == Some(false));
    }
    counts
}

/// The threshold that a step had most often.
pub(super) fn usual_threshold(decisions: &[Value], step: &str) -> Option<f64> {
    let entries = decisions
        .iter()
        .flat_map(trace)
        .filter(|entry| text(entry, "step") == step);
    let mut thresholds: Vec<f64> = entries.filter_map(|entry| entry.get("threshold")?.as_f64()).collect();
    thresholds.sort_by(f64::total_cmp);
    let groups = thresholds.chunk_by(|one, other| one.total_cmp(other).is_eq());
    groups
        .max_by_key(|group| group.len())
        .and_then(|group| group.first().copied())
}

fn trace(decision: &Value) -> &[Value] {
    decision
        .get("trace")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn read(decision: &Value, labelled: &Labelled) -> Asked {
    if text(decision, "source") == "conversation" {
        return Asked::Conversation;
    }
    let below = trace(decision)
        .iter()
        .filter(|entry| text(entry, "outcome") == "below_threshold");
    Asked::Sample(Sample {
        steps: below.filter_map(|entry| seen(entry, labelled)).collect(),
        settled: verdict(decision, labelled),
    })
}

fn seen(entry: &Value, labelled: &Labelled) -> Option<Seen> {
    let (knob, source) = match text(entry, "step") {
        "company_qna" => (Knob::CompanyQna, LabelSource::CompanyQna),
        "trade_qna" => (Knob::TradeQna, LabelSource::TradeQna),
        "tier1" => (Knob::Tier1, LabelSource::Template),
        "tier2" => (Knob::Tier2, LabelSource::Template),
        _ => return None,
    };
    let confidence = entry.get("confidence")?.as_f64()?;
    let threshold = entry.get("threshold")?.as_f64()?;
    Some(Seen {
        knob,
        confidence,
        // Another one than was asked with is the scenario's own, or that of a gatekeeper which is off.
        own_threshold: (threshold < 1.0).then_some(threshold),
        right: is_right(labelled, source, text(entry.get("candidates")?.get(0)?, "id")),
    })
}

#[cfg(test)]
mod tests {
    use frontdesk_matching::evaluation::read_utterances;

    use super::*;

    fn labelled() -> Labelled {
        let line = r#"{"company": "c", "utterance": "u", "expect": {"source": "template", "id": "s"}}"#;
        read_utterances(line).unwrap().remove(0)
    }

    #[test]
    fn a_trace_becomes_steps_that_thresholds_decide_on() {
        let entry = |step: &str, outcome: &str, confidence: f64, threshold: f64, id: &str| {
            json!({ "step": step, "outcome": outcome, "confidence": confidence, "threshold": threshold,
                "candidates": [{ "id": id, "confidence": confidence }] })
        };
        let decision = json!({ "source": "template", "scenarioId": "s", "trace": [
            { "step": "safety", "outcome": "below_threshold", "confidence": null, "threshold": null, "candidates": [] },
            entry("company_qna", "below_threshold", 0.4, 1.0, "q"),
            entry("tier1", "below_threshold", 0.7, 0.9, "s"),
            entry("tier2", "matched", 0.95, 0.9, "s"),
        ] });
        let Asked::Sample(sample) = read(&decision, &labelled()) else {
            panic!("no conversation")
        };
        assert_eq!(sample.settled, Some(true));
        let [first, second] = sample.steps.as_slice() else {
            panic!("{sample:?}")
        };
        assert_eq!(
            (first.knob, first.own_threshold, first.right),
            (Knob::CompanyQna, None, false)
        );
        assert_eq!(
            (second.knob, second.own_threshold, second.right),
            (Knob::Tier1, Some(0.9), true)
        );
        assert!(matches!(
            read(&json!({ "source": "conversation" }), &labelled()),
            Asked::Conversation
        ));
        assert_eq!(verdict(&json!({ "source": "fallback" }), &labelled()), None);
        assert_eq!(usual_threshold(&[decision], "tier1"), Some(0.9));
    }
}
