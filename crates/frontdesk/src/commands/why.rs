//! Why an answer was given, from a decision or a turn record.

use serde_json::Value;

use crate::{admin::text, output::table, wiring::DOUBLE};

fn entries(decision: &Value) -> &[Value] {
    decision
        .get("trace")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// One line: where the answer came from, how sure that is, what matched, how long it took and what it cost.
pub(super) fn line(decision: &Value) -> String {
    let source = text(decision, "source");
    let mut parts = vec![match decision.get("tier").and_then(Value::as_u64) {
        Some(tier) => format!("{source}, tier {tier}"),
        None => source.to_owned(),
    }];
    if source == "fallback" {
        parts.push(text(decision, "fallbackType").to_owned());
        parts.extend(nearest(decision));
    } else if let Some(confidence) = number(decision, "confidence") {
        let threshold = number(decision, "threshold").map(|threshold| format!(" (threshold {threshold:.2})"));
        parts.push(format!("confidence {confidence:.2}{}", threshold.unwrap_or_default()));
    }
    let ids = ["scenarioId", "qnaId", "safetyId"].map(|name| text(decision, name).to_owned());
    parts.extend(ids.into_iter().filter(|id| !id.is_empty()));
    let answered = entries(decision)
        .iter()
        .rev()
        .find(|entry| text(entry, "outcome") == "matched");
    parts.extend(answered.and_then(ground));
    parts.extend(stand_in(decision));
    if decision.pointer("/escalation/required").and_then(Value::as_bool) == Some(true) {
        parts.push("a person is needed".to_owned());
    }
    parts.push(format!("{} µs", number(decision, "latencyMicros").unwrap_or_default()));
    parts.push(format!("${}", text(decision, "costUsd")));
    parts.join(" · ")
}

/// That no real LLM was asked.
fn stand_in(record: &Value) -> Option<String> {
    let model = record.pointer("/replay/llm/model").and_then(Value::as_str)?;
    (model == DOUBLE).then(|| format!("{model} stands in for an LLM; OPENAI_API_KEY sets a real one"))
}

/// The candidate that came nearest, of a turn that nothing answered.
fn nearest(decision: &Value) -> Option<String> {
    let with_candidate = entries(decision)
        .iter()
        .filter(|entry| text(entry, "step") != "fallback");
    let best = with_candidate
        .filter_map(|entry| Some((number(entry, "confidence")?, entry)))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    let (confidence, entry) = best;
    let id = text(entry.get("candidates")?.get(0)?, "id");
    let threshold = number(entry, "threshold").unwrap_or_default();
    Some(format!("nearest: {id} {confidence:.2} (threshold {threshold:.2})"))
}

/// The whole trace, one line a step.
pub(super) fn trace(decision: &Value) -> Vec<String> {
    let head = [
        "step",
        "tier",
        "outcome",
        "confidence",
        "threshold",
        "candidates",
        "because of",
        "reason",
        "µs",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(entries(decision).iter().map(row));
    table(&rows)
}

fn row(entry: &Value) -> [String; 9] {
    let score = |name: &str| number(entry, name).map_or_else(String::new, |score| format!("{score:.2}"));
    let candidates = entry
        .get("candidates")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let shown = candidates.iter().take(3).map(|candidate| {
        format!(
            "{} {:.2}",
            text(candidate, "id"),
            number(candidate, "confidence").unwrap_or_default()
        )
    });
    [
        text(entry, "step").to_owned(),
        entry
            .get("tier")
            .and_then(Value::as_u64)
            .map_or_else(String::new, |tier| tier.to_string()),
        text(entry, "outcome").to_owned(),
        score("confidence"),
        score("threshold"),
        shown.collect::<Vec<_>>().join(", "),
        ground(entry).unwrap_or_default(),
        text(entry, "reason").to_owned(),
        number(entry, "micros").map_or_else(String::new, |micros| micros.to_string()),
    ]
}

/// What speaks for the best candidate: the words that matched, or the wording that means nearly the same.
fn ground(entry: &Value) -> Option<String> {
    let (matched, nearest) = (words(entry), text(entry, "nearestTrigger"));
    if !matched.is_empty() {
        Some(format!("matched: {matched}"))
    } else if !nearest.is_empty() {
        Some(format!("like: {nearest}"))
    } else {
        None
    }
}

fn words(entry: &Value) -> String {
    let words = entry
        .get("matchedWords")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.get(name)?.as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stand_in_says_so() {
        let record = |model: &str| {
            json!({ "source": "llm", "tier": 3, "confidence": 0.9, "threshold": 0.6, "scenarioId": "hours", "latencyMicros": 9000,
                "costUsd": "0.0001", "replay": { "llm": { "model": model, "choice": "hours" } } })
        };
        assert!(line(&record(DOUBLE)).contains("stands in for an LLM"));
        assert!(!line(&record("gpt-6-luna")).contains("stands in"));
    }

    #[test]
    fn an_answer_names_its_source_words_and_cost() {
        let decision = json!({
            "source": "company_qna", "tier": 1, "confidence": 0.97, "threshold": 0.8, "qnaId": "qna-fee", "scenarioId": null,
            "latencyMicros": 143, "costUsd": "0", "escalation": { "required": false, "offers": [] },
            "trace": [
                { "step": "safety", "outcome": "below_threshold", "matchedWords": [] },
                { "step": "company_qna", "outcome": "matched", "matchedWords": ["service", "call", "fee"] },
            ],
        });
        let want = "company_qna, tier 1 · confidence 0.97 (threshold 0.80) · qna-fee · matched: service call fee · 143 µs · $0";
        assert_eq!(line(&decision), want);
    }

    #[test]
    fn an_answer_by_meaning_names_the_wording_that_is_nearest() {
        let decision = json!({
            "source": "template", "tier": 2, "confidence": 0.83, "threshold": 0.6, "scenarioId": "cooling",
            "latencyMicros": 5100, "costUsd": "0",
            "trace": [
                { "step": "tier1", "outcome": "below_threshold", "matchedWords": ["box"], "nearestTrigger": null },
                { "step": "tier2", "outcome": "matched", "matchedWords": [], "nearestTrigger": "AC not cooling" },
            ],
        });
        let want =
            "template, tier 2 · confidence 0.83 (threshold 0.60) · cooling · like: AC not cooling · 5100 µs · $0";
        assert_eq!(line(&decision), want);
    }

    #[test]
    fn a_fallback_names_what_came_nearest() {
        let decision = json!({
            "source": "fallback", "tier": null, "confidence": 0.0, "fallbackType": "noMatchFound", "latencyMicros": 9, "costUsd": "0",
            "escalation": { "required": true, "offers": ["transfer"] },
            "trace": [
                { "step": "company_qna", "confidence": 0.3, "threshold": 0.8, "candidates": [{ "id": "q", "confidence": 0.3 }] },
                { "step": "tier1", "confidence": 0.41, "threshold": 0.7, "candidates": [{ "id": "s", "confidence": 0.41 }] },
                { "step": "fallback", "outcome": "matched", "matchedWords": [] },
            ],
        });
        let want = "fallback · noMatchFound · nearest: s 0.41 (threshold 0.70) · a person is needed · 9 µs · $0";
        assert_eq!(line(&decision), want);
        assert_eq!(trace(&decision).len(), 4);
    }
}
