//! How long a decision and a build take, on made-up knowledge of several sizes and on the demo businesses.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to the terminal and stops at the first fault"
)]

use std::{fmt::Write as _, fs, hint::black_box, path::Path, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use frontdesk_domain::documents::{qna::Qna, template::Template};
use frontdesk_matching::{
    evaluation::{Businesses, read_utterances},
    knowledge::{CompiledQna, CompiledTemplate, Knowledge, Parts},
    language::Language,
    normal::normalize,
};
use serde_json::json;

/// A small generator of always the same words.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Few words are frequent, most are rare, as in a language.
    fn word(&mut self, vocabulary: u64) -> String {
        const GRAMMAR: [&str; 12] = [
            "my", "the", "is", "not", "how", "do", "you", "i", "a", "it", "can", "on",
        ];
        if self.next(5) < 2 {
            let at = usize::try_from(self.next(12)).unwrap_or_default();
            return GRAMMAR.get(at).copied().unwrap_or("the").to_owned();
        }
        let spread = self.next(vocabulary) * self.next(vocabulary) / vocabulary;
        let mut word = String::new();
        let mut rest = spread + 7;
        while rest > 0 {
            let syllable = usize::try_from(rest % 10).unwrap_or_default();
            word.push_str(
                ["ba", "ko", "ri", "tu", "me", "sol", "den", "pra", "vi", "ga"]
                    .get(syllable)
                    .copied()
                    .unwrap_or("ba"),
            );
            rest /= 10;
        }
        word
    }

    fn sentence(&mut self, words: u64, vocabulary: u64) -> String {
        let mut text = String::new();
        for _ in 0..words {
            let _ = write!(text, "{} ", self.word(vocabulary));
        }
        text.trim().to_owned()
    }
}

fn template(scenarios: usize, words: &mut Sequence, vocabulary: u64) -> Template {
    let scenarios: Vec<serde_json::Value> = (0..scenarios)
        .map(|at| {
            let triggers: Vec<String> = (0..5).map(|_| { let length = 4 + words.next(5); words.sentence(length, vocabulary) }).collect();
            json!({ "id": format!("s{at}"), "name": words.sentence(3, vocabulary), "triggers": triggers, "fullReplies": ["yes"],
                "negativeTriggers": [words.sentence(3, vocabulary)] })
        })
        .collect();
    let document = json!({ "_id": "66f0a1c0de0000000000a0ff", "name": "made up", "trade": "none",
        "fillerWords": ["um", "like", "you know"], "synonymMap": { "bako": ["kori", "ri tu"] },
        "categories": [{ "id": "c", "name": "c", "scenarios": scenarios }] });
    serde_json::from_value(document).expect("a template")
}

fn made_up(scenarios: usize) -> (Template, Knowledge, Vec<String>) {
    let mut words = Sequence(7);
    let vocabulary = 1_500;
    let template = template(scenarios, &mut words, vocabulary);
    let qna: Vec<Qna> = (0..30)
        .map(|at| {
            let value = json!({ "id": format!("q{at}"), "question": words.sentence(7, vocabulary), "variants": [words.sentence(5, vocabulary)],
                "answer": "yes", "keywords": [words.word(vocabulary)] });
            serde_json::from_value(value).expect("a Q&A")
        })
        .collect();
    let parts = Parts {
        company_qna: Some(Arc::new(CompiledQna::new(&qna, Language::english()))),
        templates: vec![Arc::new(CompiledTemplate::new(&template, Language::english()))],
        ..Parts::default()
    };
    let utterances = (0..500)
        .map(|at| {
            let length = 4 + words.next(14);
            let scenario = template.scenarios().nth(at % scenarios);
            let trigger = scenario
                .and_then(|scenario| scenario.triggers.first())
                .cloned()
                .unwrap_or_default();
            if at % 3 == 0 {
                format!("{} {trigger}", words.sentence(4, vocabulary))
            } else {
                words.sentence(length, vocabulary)
            }
        })
        .map(|text| normalize(&text))
        .collect();
    (template, Knowledge::new(&parts, Language::english()), utterances)
}

fn percentiles(name: &str, knowledge: &Knowledge, utterances: &[String]) {
    let mut nanos = Vec::new();
    for _ in 0..40 {
        for utterance in utterances {
            let start = std::time::Instant::now();
            black_box(knowledge.decide(black_box(utterance)));
            nanos.push(start.elapsed().as_nanos());
        }
    }
    nanos.sort_unstable();
    let at = |share: usize| nanos.get(nanos.len() * share / 1000).copied().unwrap_or_default();
    println!(
        "{name}: p50 {} ns, p90 {} ns, p99 {} ns, p99.9 {} ns",
        at(500),
        at(900),
        at(990),
        at(999)
    );
}

fn bench(criterion: &mut Criterion) {
    for scenarios in [200, 2_000] {
        let (template, knowledge, utterances) = made_up(scenarios);
        percentiles(&format!("decide {scenarios} scenarios"), &knowledge, &utterances);
        let mut next = utterances.iter().cycle();
        criterion.bench_function(&format!("decide {scenarios} scenarios"), |bencher| {
            bencher.iter(|| next.next().map(|utterance| knowledge.decide(utterance)));
        });
        criterion.bench_function(&format!("build {scenarios} scenarios"), |bencher| {
            bencher.iter(|| CompiledTemplate::new(&template, Language::english()));
        });
        let parts = Parts {
            templates: vec![Arc::new(CompiledTemplate::new(&template, Language::english()))],
            ..Parts::default()
        };
        criterion.bench_function(&format!("combine {scenarios} scenarios"), |bencher| {
            bencher.iter(|| Knowledge::new(&parts, Language::english()));
        });
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/trades");
    let read = |name: &str| fs::read_to_string(data.join(name)).expect("the demo data");
    let templates = [
        read("universal.template.json"),
        read("hvac.template.json"),
        read("plumbing.template.json"),
    ];
    let templates: Vec<&str> = templates.iter().map(String::as_str).collect();
    let businesses =
        Businesses::read(&templates, &read("companies.jsonl"), &read("trades-qna.json")).expect("they parse");
    let business = businesses.0.get("66f0a1c0de00000000000c08");
    let knowledge = &business.expect("a company of two trades").knowledge;
    let utterances = read_utterances(&read("utterances.train.jsonl")).expect("they parse");
    let utterances: Vec<String> = utterances
        .iter()
        .map(|labelled| normalize(&labelled.utterance))
        .collect();
    percentiles("decide demo business", knowledge, &utterances);
    let mut next = utterances.iter().cycle();
    criterion.bench_function("decide demo business", |bencher| {
        bencher.iter(|| next.next().map(|utterance| knowledge.decide(utterance)));
    });
    let long = normalize(&"the unit is making a loud noise and ".repeat(1_250));
    criterion.bench_function("decide 10,000 words", |bencher| {
        bencher.iter(|| knowledge.decide(black_box(&long)));
    });
    criterion.bench_function("normalize", |bencher| {
        bencher.iter(|| normalize(black_box("Hi, my AC isn't cooling -- can you send someone out today?")));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
