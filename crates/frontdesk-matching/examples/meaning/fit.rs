//! Coefficients from simulated tenants and the trades, and what they say at a threshold.

use std::{collections::BTreeMap, error::Error};

use frontdesk_domain::confidence::Confidence;
use frontdesk_matching::{
    evaluation::{Labelled, read_utterances},
    knowledge::Source,
    meaning::confidence::{CoefficientData, Coefficients, FEATURES, Features},
};

use crate::{
    data::{Intents, Vectors},
    tenants::{Asked, Figures, Foreign, tenants},
    trades::{Trades, show_trades, trades_file},
};

const RIDGE: f64 = 1.0;
/// Wrong candidates of the trades count this much; `caution=NUMBER` shows what another value buys and costs.
const CAUTION: f64 = 1.0;

/// A candidate, of which tenant, and whether it is right.
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) features: Features,
    pub(crate) right: bool,
    pub(crate) weight: f64,
}

/// Fits on training data, shows what held-out tenants and companies say, and gives all coefficients.
pub(crate) fn fit(
    train: &Intents,
    vectors: Option<&Vectors>,
    options: &[String],
) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let without = options
        .iter()
        .find_map(|option| option.strip_prefix("without="))
        .unwrap_or_default();
    let caution = options
        .iter()
        .find_map(|option| option.strip_prefix("caution="))
        .map_or(Ok(CAUTION), str::parse)?;
    let kept = FEATURES.map(|name| !without.split(',').any(|other| other == name));
    let trades = Trades::read(vectors)?;
    let utterances = read_utterances(&trades_file("utterances.train.jsonl")?)?;
    let elsewhere: Vec<String> = utterances.iter().map(|labelled| labelled.utterance.clone()).collect();
    let mut rows = trades.rows(&utterances, vectors, 2.0, caution)?;
    let banking: Vec<String> = train
        .values()
        .flat_map(|questions| questions.iter().step_by(40).cloned())
        .collect();
    for (at, question) in banking.iter().enumerate() {
        // Far foreign questions for the trades.
        let Some((company, tenant)) = trades.tenants.iter().nth(at % trades.tenants.len()) else {
            continue;
        };
        let meanings = tenant.ask(question, vectors, Coefficients::embedded())?;
        if let Some(best) = meanings.of(Source::Template).first() {
            rows.push(Row {
                group: company.clone(),
                features: best.features,
                right: false,
                weight: 1.0,
            });
        }
    }
    let mut held = Vec::new();
    for foreign in [Foreign::Siblings, Foreign::Elsewhere] {
        tenants(
            train,
            None,
            foreign,
            &elsewhere,
            0..24,
            vectors,
            Coefficients::embedded(),
            |seed, asked| {
                if let Some((id, best)) = &asked.best
                    && (foreign == Foreign::Siblings || asked.intent.is_none())
                {
                    rows.push(Row {
                        group: format!("drawn{seed}"),
                        features: best.features,
                        right: Some(id) == asked.intent.as_ref(),
                        weight: 1.0,
                    });
                }
                held.push((foreign, seed, asked));
            },
        )?;
    }
    println!("{} rows", rows.len());
    let is_lexical = vectors.is_none();
    let coefficients = |weights: &Features| coefficients(weights, is_lexical);
    for (foreign, name) in [
        (Foreign::Siblings, "held-out tenants, siblings"),
        (Foreign::Elsewhere, "held-out tenants, elsewhere"),
    ] {
        let mut figures = Figures::default();
        for part in 0..2 {
            let is_out = |seed: u64| seed % 2 == part;
            let fitted = solve(
                rows.iter().filter(|row| {
                    row.group
                        .strip_prefix("drawn")
                        .is_none_or(|seed| !is_out(seed.parse().unwrap_or(0)))
                }),
                &kept,
            );
            let fitted = coefficients(&fitted);
            for (_, _, asked) in held.iter().filter(|(of, seed, _)| *of == foreign && is_out(*seed)) {
                let best = asked.best.as_ref().map(|(id, meant)| {
                    let mut meant = *meant;
                    meant.candidate.confidence = Confidence::clamped(fitted.probability(is_lexical, &meant.features));
                    (id.clone(), meant)
                });
                figures.add(&Asked {
                    intent: asked.intent.clone(),
                    best,
                });
            }
        }
        figures.show(name);
    }
    let by_company: BTreeMap<&String, Coefficients> = trades
        .tenants
        .keys()
        .map(|company| {
            (
                company,
                coefficients(&solve(rows.iter().filter(|row| row.group != *company), &kept)),
            )
        })
        .collect();
    show_trades("train, left out", &trades, &utterances, vectors, &|company| {
        by_company[&company.to_owned()].clone()
    })?;
    let all = solve(rows.iter(), &kept);
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    let named: BTreeMap<String, f64> = FEATURES
        .iter()
        .map(|name| (*name).to_owned())
        .zip(all.map(rounded))
        .collect();
    println!("{named:?}");
    Ok(named)
}

/// Figures of the coefficients of the build, once, on what nothing was fitted on.
pub(crate) fn figures(train: &Intents, test: &Intents, vectors: Option<&Vectors>) -> Result<(), Box<dyn Error>> {
    let dev = read_utterances(&trades_file("utterances.dev.jsonl")?)?;
    let elsewhere: Vec<String> = dev.iter().map(|labelled| labelled.utterance.clone()).collect();
    for (foreign, name) in [
        (Foreign::Siblings, "siblings foreign"),
        (Foreign::Elsewhere, "elsewhere foreign"),
    ] {
        let mut figures = Figures::default();
        tenants(
            train,
            Some(test),
            foreign,
            &elsewhere,
            1_000..1_024,
            vectors,
            Coefficients::embedded(),
            |_, asked| figures.add(&asked),
        )?;
        figures.show(name);
    }
    let trades = Trades::read(vectors)?;
    let asr = read_utterances(&trades_file("utterances.asr.jsonl")?)?;
    let spoken: Vec<Labelled> = asr
        .iter()
        .filter_map(|heard| {
            heard.spoken.clone().map(|utterance| Labelled {
                utterance,
                ..heard.clone()
            })
        })
        .collect();
    for (name, set) in [("dev", &dev), ("asr", &asr), ("asr as spoken", &spoken)] {
        show_trades(name, &trades, set, vectors, &|_| Coefficients::embedded().clone())?;
    }
    Ok(())
}

fn coefficients(weights: &Features, is_lexical: bool) -> Coefficients {
    let map: BTreeMap<String, f64> = FEATURES.iter().map(|name| (*name).to_owned()).zip(*weights).collect();
    let (semantic, lexical) = if is_lexical {
        (BTreeMap::new(), map)
    } else {
        (map, BTreeMap::new())
    };
    Coefficients::new(&CoefficientData {
        semantic,
        lexical,
        ..CoefficientData::default()
    })
}

/// Logistic regression by Newton's method with a pull towards 0, but for the constant.
fn solve<'a>(rows: impl Iterator<Item = &'a Row>, kept: &[bool; FEATURES.len()]) -> Features {
    const WIDTH: usize = FEATURES.len();
    let rows: Vec<(Features, f64, f64)> = rows
        .map(|row| {
            let mut features = row.features;
            features
                .iter_mut()
                .zip(kept)
                .filter(|(_, kept)| !**kept)
                .for_each(|(cell, _)| *cell = 0.0);
            (features, f64::from(u8::from(row.right)), row.weight)
        })
        .collect();
    let mut weights = [0.0; WIDTH];
    for _ in 0..30 {
        let mut gradient = [0.0; WIDTH];
        let mut curvature = [[0.0; WIDTH]; WIDTH];
        for at in 0..WIDTH {
            let pull = if at == 0 { 1e-6 } else { RIDGE };
            gradient[at] = -pull * weights[at];
            curvature[at][at] = pull;
        }
        for (features, right, weight) in &rows {
            let odds: f64 = features.iter().zip(&weights).map(|(one, other)| one * other).sum();
            let probability = 1.0 / (1.0 + (-odds).exp());
            let (miss, bend) = (
                weight * (right - probability),
                weight * probability * (1.0 - probability),
            );
            for at in 0..WIDTH {
                gradient[at] += miss * features[at];
                for beside in 0..WIDTH {
                    curvature[at][beside] += bend * features[at] * features[beside];
                }
            }
        }
        for at in 0..WIDTH {
            let (pivot, pivot_row) = (curvature[at][at], curvature[at]);
            for below in (0..WIDTH).filter(|below| *below != at) {
                let factor = curvature[below][at] / pivot;
                for beside in 0..WIDTH {
                    curvature[below][beside] -= factor * pivot_row[beside];
                }
                gradient[below] -= factor * gradient[at];
            }
        }
        for at in 0..WIDTH {
            weights[at] += gradient[at] / curvature[at][at];
        }
    }
    weights
}
