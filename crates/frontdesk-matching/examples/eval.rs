//! Measures tier 1 on the labelled utterances of `data/trades`: `eval train|dev|asr [mistakes]`.

#![expect(clippy::print_stdout, reason = "a report for the terminal")]

use std::{error::Error, fs, path::Path};

use frontdesk_matching::calibration::Calibration;
use frontdesk_matching::evaluation::{Businesses, measure, read_utterances};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/trades");
    let read = |name: &str| fs::read_to_string(data.join(name));
    let templates = [
        read("universal.template.json")?,
        read("hvac.template.json")?,
        read("plumbing.template.json")?,
    ];
    let templates: Vec<&str> = templates.iter().map(String::as_str).collect();
    let businesses = Businesses::read(&templates, &read("companies.jsonl")?, &read("trades-qna.json")?)?;
    let sets = ["train", "dev", "asr"];
    let asked: Vec<&str> = sets
        .into_iter()
        .filter(|set| arguments.iter().any(|argument| argument == set))
        .collect();
    for set in if asked.is_empty() { sets.to_vec() } else { asked } {
        let report = measure(
            &businesses,
            &read_utterances(&read(&format!("utterances.{set}.jsonl"))?)?,
            Calibration::embedded(),
        );
        println!("== {set}\n{report}");
        if arguments.iter().any(|argument| argument == "mistakes") {
            report
                .mistakes
                .iter()
                .for_each(|mistake| println!("  wrong: {mistake}"));
        }
    }
    Ok(())
}
