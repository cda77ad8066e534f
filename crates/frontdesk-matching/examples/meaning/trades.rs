//! The trades and their companies: rows for the coefficients, and what is answered.

use std::{collections::BTreeMap, error::Error, fs, path::Path, sync::Arc};

use frontdesk_domain::{
    confidence::Confidence,
    documents::{qna::Qna, template::Template},
};
use frontdesk_matching::{
    Target,
    evaluation::{DEFAULT_THRESHOLDS, Labelled, walk},
    knowledge::{CompiledQna, CompiledTemplate, Parts, Source},
    language::Language,
    meaning::{
        ask::{Meanings, Meant},
        confidence::Coefficients,
    },
    normal::normalize,
};
use serde_json::Value;

use crate::{
    data::{Tenant, Vectors},
    fit::Row,
};

const NAMES: [&str; 3] = ["company_qna", "trade_qna", "template"];

/// The trades with their companies.
pub(crate) struct Trades {
    pub(crate) tenants: BTreeMap<String, Tenant>,
}

impl Trades {
    pub(crate) fn read(vectors: Option<&Vectors>) -> Result<Self, Box<dyn Error>> {
        let mut tenants = BTreeMap::new();
        for (company, parts) in company_parts()? {
            tenants.insert(company, Tenant::new(&parts, vectors)?);
        }
        Ok(Self { tenants })
    }

    pub(crate) fn rows(
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
            let meanings = tenant.ask(&labelled.utterance, vectors, Coefficients::embedded())?;
            for (source, name) in Source::ALL.into_iter().zip(NAMES) {
                if let Some(best) = meanings.of(source).first() {
                    let right = is_right(labelled, name, &tenant.id(best));
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
                is_sure.then(|| (name(source), tenant.id(best)))
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

pub(crate) fn show_trades(
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
            let meanings = tenant.ask(&labelled.utterance, vectors, &coefficients(&labelled.company))?;
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
