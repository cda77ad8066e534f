//! Tier 1 on intents that nothing here was fitted on: `banking FOLDER` with BANKING77's `banking77_train.csv` and
//! `banking77_test.csv`. Tenants of 15 intents with 10 triggers each; the other intents' questions are foreign.

#![expect(clippy::print_stdout, reason = "a report for the terminal")]

use std::{collections::BTreeMap, error::Error, fs, path::Path, sync::Arc};

use frontdesk_domain::documents::template::Template;
use frontdesk_matching::{
    knowledge::{CompiledTemplate, Knowledge, Parts, Source},
    language::Language,
    normal::normalize,
};
use serde_json::{Value, json};

const TENANT: usize = 15;
const TRIGGERS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder with BANKING77")?;
    let train = by_intent(&fs::read_to_string(Path::new(&folder).join("banking77_train.csv"))?);
    let test = by_intent(&fs::read_to_string(Path::new(&folder).join("banking77_test.csv"))?);
    let intents: Vec<&String> = train.keys().collect();
    for threshold in [0.5, 0.7, 0.8] {
        let (mut own, mut right, mut wrong, mut foreign, mut passed) = (0, 0, 0, 0, 0);
        for first in 0..5 {
            // Every fifth intent, so that a tenant's intents are not all of one kind.
            let mine: Vec<&String> = intents.iter().copied().skip(first).step_by(5).take(TENANT).collect();
            let knowledge = tenant(&mine, &train)?;
            for (intent, question) in test
                .iter()
                .flat_map(|(intent, all)| all.iter().map(move |one| (intent, one)))
            {
                let findings = knowledge.decide(&normalize(question));
                let best = findings.equal.first().or_else(|| findings.of(Source::Template).first());
                let best = best.filter(|best| best.confidence.get() >= threshold);
                let id = best
                    .and_then(|best| knowledge.target(best))
                    .map(|target| target.id().to_owned());
                let counts = if mine.contains(&intent) { &mut own } else { &mut foreign };
                *counts += 1;
                match id {
                    Some(id) if id == *intent => right += 1,
                    Some(_) if mine.contains(&intent) => wrong += 1,
                    Some(_) => passed += 1,
                    None => {}
                }
            }
        }
        let share = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
        println!(
            "at {threshold}: own right {:.1} %, own wrong {:.1} %, foreign answered {:.1} %, right of own answered {:.1} %",
            share(right, own),
            share(wrong, own),
            share(passed, foreign),
            share(right, right + wrong)
        );
    }
    Ok(())
}

fn by_intent(csv: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // A question may hold line breaks inside quotes; such lines have no intent and are left out.
    for (question, intent) in csv.lines().skip(1).filter_map(|line| line.rsplit_once(',')) {
        all.entry(intent.to_owned())
            .or_default()
            .push(question.trim_matches('"').to_owned());
    }
    all.retain(|_, questions| questions.len() >= TRIGGERS);
    all
}

fn tenant(intents: &[&String], train: &BTreeMap<String, Vec<String>>) -> Result<Knowledge, serde_json::Error> {
    let scenarios: Vec<Value> = intents
        .iter()
        .map(|intent| {
            let questions = train.get(*intent).map(Vec::as_slice).unwrap_or_default();
            let apart = (questions.len() / TRIGGERS).max(1);
            let triggers: Vec<&String> = questions.iter().step_by(apart).take(TRIGGERS).collect();
            json!({ "id": intent, "name": intent.replace('_', " "), "triggers": triggers })
        })
        .collect();
    let template: Template = serde_json::from_value(json!({
        "_id": "66f0a1c0de0000000000a0ff", "name": "banking", "trade": "banking",
        "categories": [{ "id": "all", "name": "all", "scenarios": scenarios }] }))?;
    let compiled = Arc::new(CompiledTemplate::new(&template, Language::english()));
    Ok(Knowledge::new(
        &Parts {
            templates: vec![compiled],
            ..Parts::default()
        },
        Language::english(),
    ))
}
