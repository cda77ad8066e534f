//! Simulated tenants and the trades: rows for the coefficients, and what they say at a threshold.

use std::{collections::BTreeMap, error::Error, fs, path::Path, sync::Arc};

use frontdesk_domain::{
    confidence::Confidence,
    documents::{qna::Qna, template::Template},
};
use frontdesk_matching::{
    Target,
    evaluation::{DEFAULT_THRESHOLDS, Labelled, read_utterances, walk},
    knowledge::{CompiledQna, CompiledTemplate, Parts, Source},
    language::Language,
    meaning::{
        ask::{Meanings, Meant},
        confidence::{CoefficientData, Coefficients, FEATURES, Features},
    },
    normal::normalize,
};
use serde_json::Value;

use crate::data::{Draw, Intents, Tenant, Vectors, parts};

const TRIGGERS: usize = 10;
const RIDGE: f64 = 1.0;
/// Wrong candidates of the trades count this much; `caution=NUMBER` shows what another value buys and costs.
const CAUTION: f64 = 1.0;
const NAMES: [&str; 3] = ["company_qna", "trade_qna", "template"];

/// A candidate, of which tenant, and whether it is right.
pub(crate) struct Row {
    group: String,
    features: Features,
    right: bool,
    weight: f64,
}

/// One question asked of a simulated tenant.
struct Asked {
    /// What is right; `None` for a foreign question.
    intent: Option<String>,
    /// The surest candidate.
    best: Option<(String, Meant)>,
}

/// Whose foreign questions a tenant is asked.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Foreign {
    Siblings,
    Elsewhere,
}

/// Asks simulated tenants; triggers come from `train`, questions from `asked`, or from what is left of `train`.
fn tenants(
    train: &Intents,
    asked: Option<&Intents>,
    foreign: Foreign,
    elsewhere: &[String],
    seeds: std::ops::Range<u64>,
    vectors: Option<&Vectors>,
    coefficients: &Coefficients,
    mut each: impl FnMut(u64, Asked),
) -> Result<(), Box<dyn Error>> {
    let all: Vec<&String> = train.keys().collect();
    for seed in seeds {
        let mut draw = Draw(0xf00d_0000 + seed);
        let order = draw.shuffled(&all);
        let size = 10 + draw.below(11);
        let (mine, others) = order.split_at_checked(size).unwrap_or_default();
        let mut triggers = Intents::new();
        let mut questions: Vec<(Option<String>, String)> = Vec::new();
        for intent in mine {
            let drawn = draw.shuffled(&train[*intent]);
            let (own, left) = drawn.split_at_checked(TRIGGERS).unwrap_or((&drawn, &[]));
            triggers.insert((*intent).clone(), own.to_vec());
            let pool = asked.map_or(left, |asked| &asked[*intent]);
            questions.extend(
                draw.shuffled(pool)
                    .into_iter()
                    .take(8)
                    .map(|one| (Some((*intent).clone()), one)),
            );
        }
        let pool: Vec<String> = match foreign {
            Foreign::Siblings => others
                .iter()
                .flat_map(|intent| asked.unwrap_or(train)[*intent].clone())
                .collect(),
            Foreign::Elsewhere => elsewhere.to_vec(),
        };
        let count = questions.len() / 3;
        questions.extend(draw.shuffled(&pool).into_iter().take(count).map(|one| (None, one)));
        let tenant = Tenant::new(&parts(&triggers)?, vectors)?;
        for (intent, question) in questions {
            let meanings = ask(&tenant, &question, vectors, coefficients)?;
            let best = meanings
                .of(Source::Template)
                .first()
                .map(|best| (id(&tenant, best), *best));
            each(seed, Asked { intent, best });
        }
    }
    Ok(())
}

fn ask(
    tenant: &Tenant,
    question: &str,
    vectors: Option<&Vectors>,
    coefficients: &Coefficients,
) -> Result<Meanings, Box<dyn Error>> {
    let embedding = vectors
        .map(|vectors| {
            vectors
                .of(question)
                .ok_or_else(|| format!("no embedding of {question:?}"))
        })
        .transpose()?;
    Ok(tenant.meaning.ask_with(
        &tenant.knowledge,
        &normalize(question),
        embedding.as_deref(),
        coefficients,
    ))
}

fn id(tenant: &Tenant, meant: &Meant) -> String {
    tenant
        .knowledge
        .target(&meant.candidate)
        .map(Target::id)
        .unwrap_or_default()
        .to_owned()
}

/// Figures at the threshold.
#[derive(Default)]
struct Figures {
    own: u32,
    right: u32,
    wrong: u32,
    foreign: u32,
    passed: u32,
    bins: [(u32, f64, u32); 10],
}

impl Figures {
    fn add(&mut self, asked: &Asked) {
        let confidence = asked
            .best
            .as_ref()
            .map_or(0.0, |(_, best)| best.candidate.confidence.get());
        let is_right = asked
            .best
            .as_ref()
            .is_some_and(|(id, _)| Some(id) == asked.intent.as_ref());
        let answers = confidence >= 0.60;
        if asked.intent.is_some() {
            self.own += 1;
            self.right += u32::from(answers && is_right);
            self.wrong += u32::from(answers && !is_right);
        } else {
            self.foreign += 1;
            self.passed += u32::from(answers);
        }
        let tenth = (0_u8..9)
            .find(|tenth| confidence < f64::from(tenth + 1) / 10.0)
            .unwrap_or(9);
        if let Some(bin) = self.bins.get_mut(usize::from(tenth)) {
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u32::from(is_right));
        }
    }

    fn show(&self, name: &str) {
        let share = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
        let all: u32 = self.bins.iter().map(|bin| bin.0).sum();
        let gap = |bin: &(u32, f64, u32)| (bin.1 - f64::from(bin.2)).abs();
        let error: f64 = self.bins.iter().map(gap).sum::<f64>() / f64::from(all.max(1));
        println!(
            "{name:34} right {:5.1}  wrong {:4.1}  foreign {:4.1}  ECE {:4.1}   ({} own, {} foreign)",
            share(self.right, self.own),
            share(self.wrong, self.own),
            share(self.passed, self.foreign),
            100.0 * error,
            self.own,
            self.foreign
        );
    }
}

/// The trades with their companies.
pub(crate) struct Trades {
    tenants: BTreeMap<String, Tenant>,
}

impl Trades {
    pub(crate) fn read(vectors: Option<&Vectors>) -> Result<Self, Box<dyn Error>> {
        let mut tenants = BTreeMap::new();
        for (company, parts) in company_parts()? {
            tenants.insert(company, Tenant::new(&parts, vectors)?);
        }
        Ok(Self { tenants })
    }

    fn rows(
        &self,
        utterances: &[Labelled],
        vectors: Option<&Vectors>,
        weight: f64,
        caution: f64,
    ) -> Result<Vec<Row>, Box<dyn Error>> {
        let mut rows = Vec::new();
        for labelled in utterances
            .iter()
            .filter(|labelled| labelled.expect.source.as_str() != "safety")
        {
            let Some(tenant) = self.tenants.get(&labelled.company) else {
                continue;
            };
            if !tenant
                .knowledge
                .decide(&normalize(&labelled.utterance))
                .equal
                .is_empty()
            {
                continue;
            }
            let meanings = ask(tenant, &labelled.utterance, vectors, Coefficients::embedded())?;
            for (source, name) in Source::ALL.into_iter().zip(NAMES) {
                if let Some(best) = meanings.of(source).first() {
                    let right = is_right(labelled, name, &id(tenant, best));
                    rows.push(Row {
                        group: labelled.company.clone(),
                        features: best.features,
                        right,
                        weight: if right { weight } else { weight * caution },
                    });
                }
            }
        }
        Ok(rows)
    }
}

/// What each company of the trades knows.
pub(crate) fn company_parts() -> Result<BTreeMap<String, Parts>, Box<dyn Error>> {
    let language = Language::english();
    let mut templates = BTreeMap::new();
    for name in ["universal", "hvac", "plumbing"] {
        let template: Template = serde_json::from_str(&trades_file(&format!("{name}.template.json"))?)?;
        templates.insert(
            template.id.to_string(),
            Arc::new(CompiledTemplate::new(&template, language)),
        );
    }
    let mut by_trade: BTreeMap<String, Vec<Qna>> = BTreeMap::new();
    for entry in serde_json::from_str::<Vec<Value>>(&trades_file("trades-qna.json")?)? {
        let trade = entry["trade"].as_str().unwrap_or_default().to_owned();
        by_trade.entry(trade).or_default().push(serde_json::from_value(entry)?);
    }
    let mut all = BTreeMap::new();
    for line in trades_file("companies.jsonl")?.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line)?;
        let company = &line["company"];
        let qna: Vec<Qna> = serde_json::from_value(line["qna"].clone())?;
        let mut references: Vec<(i64, String)> = Vec::new();
        let listed = company["aiAgentSettings"]["templateReferences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for (at, reference) in (0..).zip(listed) {
            match reference {
                Value::String(id) => references.push((at, id)),
                other => references.push((
                    other["priority"].as_i64().unwrap_or(at),
                    other["templateId"].as_str().unwrap_or_default().to_owned(),
                )),
            }
        }
        references.sort();
        let trades = company["trades"].as_array().cloned().unwrap_or_default();
        let trades = trades.iter().filter_map(|trade| by_trade.get(trade.as_str()?));
        let parts = Parts {
            company_qna: Some(Arc::new(CompiledQna::new(&qna, language))),
            trade_qna: trades.map(|qna| Arc::new(CompiledQna::new(qna, language))).collect(),
            templates: references
                .iter()
                .filter_map(|(_, id)| templates.get(id).cloned())
                .collect(),
            overlay: None,
        };
        all.insert(company["_id"].as_str().unwrap_or_default().to_owned(), parts);
    }
    Ok(all)
}

pub(crate) fn trades_file(name: &str) -> Result<String, std::io::Error> {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../data/trades")
            .join(name),
    )
}

fn is_right(labelled: &Labelled, source: &str, id: &str) -> bool {
    let is = |label: &frontdesk_matching::evaluation::Label| {
        label.source.as_str() == source && label.id.as_deref() == Some(id)
    };
    is(&labelled.expect) || labelled.second.as_ref().is_some_and(is)
}

/// In which order rules and meaning are asked.
#[derive(Clone, Copy)]
enum Order {
    RulesOnly,
    RulesFirst,
    SourceFirst,
    MeaningOnly,
}

/// What is answered to one utterance.
fn answer(tenant: &Tenant, utterance: &str, meanings: &Meanings, order: Order) -> Option<(&'static str, String)> {
    let findings = tenant.knowledge.weigh(&normalize(utterance));
    let name = |source: Source| {
        NAMES
            .into_iter()
            .zip(Source::ALL)
            .find(|(_, is)| *is == source)
            .map_or("", |(name, _)| name)
    };
    let rules = walk(&tenant.knowledge, &findings, DEFAULT_THRESHOLDS).answer;
    let by_rules = rules.map(|(source, id, _)| (name(source), id));
    let threshold_of = |meant: &Meant, threshold: f64| match tenant.knowledge.target(&meant.candidate) {
        Some(Target::Scenario { scenario, .. }) => scenario.min_confidence.map_or(threshold, Confidence::get),
        _ => threshold,
    };
    let by_meaning = || {
        Source::ALL
            .into_iter()
            .zip([0.80, 0.75, 0.60])
            .find_map(|(source, threshold)| {
                let best = meanings.of(source).first()?;
                let is_sure = best.candidate.confidence.get() >= threshold_of(best, threshold);
                is_sure.then(|| (name(source), id(tenant, best)))
            })
    };
    match order {
        Order::RulesOnly => by_rules,
        Order::RulesFirst => by_rules.or_else(by_meaning),
        Order::MeaningOnly => by_meaning(),
        Order::SourceFirst => {
            let rank = |found: &(&str, String)| NAMES.iter().position(|name| *name == found.0);
            let is_equal = !findings.equal.is_empty();
            match (by_rules, by_meaning()) {
                (Some(rules), Some(meaning)) if !is_equal && rank(&meaning) < rank(&rules) => Some(meaning),
                (rules, meaning) => rules.or(meaning),
            }
        }
    }
}

fn show_trades(
    name: &str,
    trades: &Trades,
    utterances: &[Labelled],
    vectors: Option<&Vectors>,
    coefficients: &dyn Fn(&str) -> Coefficients,
) -> Result<(), Box<dyn Error>> {
    for (order, text) in [
        (Order::RulesOnly, "rules"),
        (Order::MeaningOnly, "meaning"),
        (Order::RulesFirst, "rules first"),
        (Order::SourceFirst, "source first"),
    ] {
        let (mut answered, mut right, mut answerable, mut foreign, mut passed) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
        for labelled in utterances
            .iter()
            .filter(|labelled| labelled.expect.source.as_str() != "safety")
        {
            let Some(tenant) = trades.tenants.get(&labelled.company) else {
                continue;
            };
            let meanings = ask(tenant, &labelled.utterance, vectors, &coefficients(&labelled.company))?;
            let found = answer(tenant, &labelled.utterance, &meanings, order);
            let is_foreign = labelled.expect.id.is_none();
            answerable += u32::from(!is_foreign);
            foreign += u32::from(is_foreign);
            if let Some((source, id)) = found {
                answered += 1;
                passed += u32::from(is_foreign);
                let is_right = is_right(labelled, source, &id);
                right += u32::from(is_right);
                if std::env::args().any(|argument| argument == "mistakes")
                    && !is_right
                    && matches!(order, Order::RulesFirst)
                {
                    println!("  {source} {id} for {:?}: {}", labelled.expect.id, labelled.utterance);
                }
            }
        }
        let share = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
        println!(
            "{name:14} {text:13} precision {:5.1}  coverage {:5.1}  foreign answered {:4.1}",
            share(right, answered),
            share(right, answerable),
            share(passed, foreign)
        );
    }
    Ok(())
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
        let meanings = ask(tenant, question, vectors, Coefficients::embedded())?;
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
