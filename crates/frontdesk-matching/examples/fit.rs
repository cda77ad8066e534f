//! Fits `data/calibration.json` on `utterances.train.jsonl` and shows what held-out companies and trades say of it.
//!
//! A conditional logit by Newton's method: of the candidates of a source and "none of them", the labelled one. `fit` only
//! reports; `fit write` writes the file.

#![expect(clippy::print_stdout, reason = "a report for the terminal")]

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use frontdesk_matching::{
    calibration::{Calibration, CalibrationData},
    evaluation::{Businesses, LabelSource, Labelled, Tally, measure, read_utterances},
    evidence::{FEATURES, NONE_FEATURES},
    knowledge::Source,
    normal::normalize,
    rules::Candidate,
};

/// Strength of the pull of every coefficient towards 0.
const RIDGE: f64 = 1.0;
/// A wrong answer costs a caller more than a question passed on, and other trades' callers use words that no trigger here
/// has: choices of which none is right count this much.
const CAUTION: f64 = 2.0;
const STEPS: usize = 40;
const WIDTH: usize = FEATURES.len() + NONE_FEATURES.len();

/// One choice: a row per candidate, the row of "none" first, and which of them is right.
struct Choice {
    company: String,
    rows: Vec<Vec<f64>>,
    right: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let crate_path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = crate_path.join("../../data/trades");
    let read = |name: &str| fs::read_to_string(data.join(name));
    let templates = [
        read("universal.template.json")?,
        read("hvac.template.json")?,
        read("plumbing.template.json")?,
    ];
    let templates: Vec<&str> = templates.iter().map(String::as_str).collect();
    let businesses = Businesses::read(&templates, &read("companies.jsonl")?, &read("trades-qna.json")?)?;
    let utterances = read_utterances(&read("utterances.train.jsonl")?)?;
    let choices = choices(&businesses, &utterances);
    println!("{} utterances, {} choices", utterances.len(), choices.len());

    let companies: Vec<&String> = businesses.0.keys().collect();
    let mut held_out = Tally::default();
    let (mut error, mut loss) = (0.0, 0.0);
    for company in &companies {
        let fitted = fit(choices.iter().filter(|choice| choice.company != **company));
        let tested: Vec<Labelled> = utterances
            .iter()
            .filter(|one| one.company == **company)
            .cloned()
            .collect();
        let report = measure(&businesses, &tested, &Calibration::new(&named(&fitted, String::new())));
        held_out = add(&held_out, &report.total);
        loss += choices
            .iter()
            .filter(|choice| choice.company == **company)
            .map(|choice| surprise(choice, &fitted))
            .sum::<f64>();
        error += report.reliability.error * ratio(report.total.asked);
    }
    let (error, loss) = (100.0 * error / ratio(held_out.asked), loss / ratio(choices.len()));
    println!("each company held out:  {held_out}  calibration error {error:.1} %, {loss:.4} nats a choice");
    // The first three companies are of one trade, the next three of the other, the last two of both.
    for (name, trained, tested) in [
        ("first trade to second", 0..3, 3..6),
        ("second trade to first", 3..6, 0..3),
    ] {
        let of = |range: std::ops::Range<usize>| companies.get(range).unwrap_or_default().to_vec();
        let (trained, tested) = (of(trained), of(tested));
        let fitted = fit(choices.iter().filter(|choice| trained.contains(&&choice.company)));
        let tested: Vec<Labelled> = utterances
            .iter()
            .filter(|one| tested.contains(&&one.company))
            .cloned()
            .collect();
        let report = measure(&businesses, &tested, &Calibration::new(&named(&fitted, String::new())));
        println!(
            "{name}:  {}  calibration error {:.1} %",
            report.total,
            100.0 * report.reliability.error
        );
    }

    let fitted = fit(choices.iter());
    let provenance = format!(
        "conditional logit, ridge {RIDGE}, choices without a right answer counted {CAUTION} times, on {} choices of data/trades/utterances.train.jsonl; \
         cargo run --release -p frontdesk-matching --example fit -- write",
        choices.len()
    );
    let named = named(&fitted, provenance);
    let report = measure(&businesses, &utterances, &Calibration::new(&named));
    println!("all of train on itself\n{report}");
    for (name, value) in named.candidate.iter().chain(&named.none) {
        println!("  {name:20} {value:8.3}");
    }
    if std::env::args().any(|argument| argument == "write") {
        let path = std::env::args()
            .nth(2)
            .map_or_else(|| crate_path.join("data/calibration.json"), Into::into);
        fs::write(path, serde_json::to_string_pretty(&named)? + "\n")?;
    }
    Ok(())
}

fn choices(businesses: &Businesses, utterances: &[Labelled]) -> Vec<Choice> {
    let mut choices = Vec::new();
    for labelled in utterances
        .iter()
        .filter(|labelled| labelled.expect.source != LabelSource::Safety)
    {
        let Some(business) = businesses.0.get(&labelled.company) else {
            continue;
        };
        let knowledge = &business.knowledge;
        let text = normalize(&labelled.utterance);
        if !knowledge.decide(&text).equal.is_empty() {
            continue; // Decided before any probability is asked for.
        }
        let evidence = knowledge.evidence(&text);
        for source in Source::ALL {
            let name = LabelSource::from(source);
            if labelled
                .second
                .as_ref()
                .is_some_and(|second| second.source == name && labelled.expect.source != name)
            {
                continue; // Either answer would do.
            }
            let mut none = vec![0.0; FEATURES.len()];
            none.extend(evidence.none);
            let mut choice = Choice {
                company: labelled.company.clone(),
                rows: vec![none],
                right: 0,
            };
            for (_, unit, features) in evidence.candidates.iter().filter(|candidate| candidate.0 == source) {
                let id = knowledge
                    .target(&Candidate::of_unit(*unit, source))
                    .map(|target| target.id().to_owned());
                if labelled.expect.source == name && labelled.expect.id == id {
                    choice.right = choice.rows.len();
                }
                let mut row = features.to_vec();
                row.resize(WIDTH, 0.0);
                choice.rows.push(row);
            }
            if choice.rows.len() > 1 {
                choices.push(choice);
            }
        }
    }
    choices
}

/// How unlikely the right answer was thought to be, in nats.
fn surprise(choice: &Choice, weights: &[f64]) -> f64 {
    let odds: Vec<f64> = choice.rows.iter().map(|row| dot(row, weights)).collect();
    let highest = odds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = odds.iter().map(|value| (value - highest).exp()).sum();
    highest + sum.ln() - odds.get(choice.right).copied().unwrap_or_default()
}

fn fit<'a>(choices: impl Iterator<Item = &'a Choice>) -> Vec<f64> {
    let choices: Vec<&Choice> = choices.collect();
    let mut weights = vec![0.0; WIDTH];
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| -RIDGE * weight).collect();
        let mut curvature = vec![vec![0.0; WIDTH]; WIDTH];
        curvature.iter_mut().enumerate().for_each(|(at, row)| {
            if let Some(cell) = row.get_mut(at) {
                *cell = RIDGE;
            }
        });
        for choice in &choices {
            let care = if choice.right == 0 { CAUTION } else { 1.0 };
            let mut odds: Vec<f64> = choice.rows.iter().map(|row| dot(row, &weights)).collect();
            let none = odds.remove(0);
            Calibration::probabilities(none, &mut odds);
            odds.insert(0, 1.0 - odds.iter().sum::<f64>());
            let mut mean = vec![0.0; WIDTH];
            for (row, probability) in choice.rows.iter().zip(&odds) {
                mean.iter_mut()
                    .zip(row)
                    .for_each(|(mean, value)| *mean += probability * value);
            }
            if let Some(right) = choice.rows.get(choice.right) {
                gradient
                    .iter_mut()
                    .zip(right)
                    .zip(&mean)
                    .for_each(|((cell, right), mean)| *cell += care * (right - mean));
            }
            for (row, probability) in choice.rows.iter().zip(&odds) {
                let away: Vec<f64> = row.iter().zip(&mean).map(|(value, mean)| value - mean).collect();
                for (line, one) in curvature.iter_mut().zip(&away) {
                    line.iter_mut()
                        .zip(&away)
                        .for_each(|(cell, other)| *cell += care * probability * one * other);
                }
            }
        }
        let step = solve(curvature, gradient);
        let largest = step.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let damping = if largest > 5.0 { 5.0 / largest } else { 1.0 };
        weights
            .iter_mut()
            .zip(&step)
            .for_each(|(weight, step)| *weight += damping * step);
        if largest < 1e-9 {
            break;
        }
    }
    weights
}

/// Gaussian elimination with pivoting; the matrix is positive definite.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let width = right.len();
    for at in 0..width {
        let pivot_row = matrix.get(at).cloned().unwrap_or_default();
        let pivot = pivot_row.get(at).copied().unwrap_or(1.0);
        let pivot_right = right.get(at).copied().unwrap_or_default();
        for (below, line) in matrix.iter_mut().enumerate().filter(|(row, _)| *row != at) {
            let factor = line.get(at).copied().unwrap_or_default() / pivot;
            line.iter_mut()
                .zip(&pivot_row)
                .for_each(|(cell, value)| *cell -= factor * value);
            if let Some(cell) = right.get_mut(below) {
                *cell -= factor * pivot_right;
            }
        }
    }
    let diagonal = |at: usize| matrix.get(at).and_then(|row| row.get(at)).copied().unwrap_or(1.0);
    right
        .iter()
        .enumerate()
        .map(|(at, value)| value / diagonal(at))
        .collect()
}

fn named(weights: &[f64], provenance: String) -> CalibrationData {
    let rounded = |value: &f64| (value * 1e4).round() / 1e4;
    let (candidate, none) = weights.split_at(FEATURES.len());
    let name = |names: &[&str], values: &[f64]| -> BTreeMap<String, f64> {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(values.iter().map(rounded))
            .collect()
    };
    CalibrationData {
        provenance,
        candidate: name(&FEATURES, candidate),
        none: name(&NONE_FEATURES, none),
    }
}

fn add(left: &Tally, right: &Tally) -> Tally {
    Tally {
        asked: left.asked + right.asked,
        answerable: left.answerable + right.answerable,
        answered: left.answered + right.answered,
        right: left.right + right.right,
        right_with_second: left.right_with_second + right.right_with_second,
    }
}

fn ratio(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}
