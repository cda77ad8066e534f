//! Recall and false alarms of the embedded safety rules on labelled utterances, with 95 % Wilson intervals.
//!
//! `cargo run --release -p frontdesk-matching --example safety_eval [-- [--misses] FILE…]`, by default on the three
//! sets of `data/trades`. `--misses` prints what went wrong: for the training set only. No rule may be changed after
//! reading the others.

use std::{io::Write, path::PathBuf, process::ExitCode};

use frontdesk_matching::{normal::normalize, safety::EMBEDDED};
use serde_json::Value;

/// What was counted in one set.
#[derive(Debug, Default)]
struct Tally {
    dangers: usize,
    heard: usize,
    exact: usize,
    harmless: usize,
    alarms: usize,
    misses: Vec<String>,
}

fn main() -> ExitCode {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut show = false;
    for argument in std::env::args().skip(1) {
        if argument == "--misses" {
            show = true;
        } else {
            files.push(argument.into());
        }
    }
    if files.is_empty() {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/trades");
        files = ["train", "dev", "asr"]
            .map(|set| format!("{data}/utterances.{set}.jsonl").into())
            .to_vec();
    }
    let mut out = std::io::stdout().lock();
    for file in files {
        let written = match std::fs::read_to_string(&file) {
            Ok(lines) => report(&mut out, &file.display().to_string(), &tally(&lines), show),
            Err(error) => writeln!(out, "{}: {error}", file.display()),
        };
        if written.is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn tally(lines: &str) -> Tally {
    let mut tally = Tally::default();
    for line in lines.lines() {
        let Ok(labelled) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |pointer: &str| labelled.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let utterance = text("/utterance");
        let normal = normalize(utterance);
        let found = EMBEDDED.find(&normal);
        let id = found.as_ref().map_or("-", |found| found.category.id.as_str());
        // A caller with two wishes, one of them a danger, may hear of the danger.
        let is_danger = text("/expect/source") == "safety";
        let may_be_danger = is_danger || text("/second/source") == "safety";
        if is_danger {
            tally.dangers += 1;
            tally.heard += usize::from(found.is_some());
            tally.exact += usize::from(id == text("/expect/id"));
        } else if !may_be_danger {
            tally.harmless += 1;
            tally.alarms += usize::from(found.is_some());
        }
        if is_danger && id != text("/expect/id") || !may_be_danger && found.is_some() {
            let words = found.as_ref().map_or("", |found| found.words(&normal));
            tally
                .misses
                .push(format!("{} -> {id} by {words:?}: {utterance}", text("/expect/id")));
        }
    }
    tally
}

fn report(out: &mut impl Write, name: &str, tally: &Tally, show: bool) -> std::io::Result<()> {
    writeln!(out, "{name}")?;
    writeln!(out, "  recall          {}", share(tally.heard, tally.dangers))?;
    writeln!(out, "  exact category  {}", share(tally.exact, tally.dangers))?;
    writeln!(out, "  false alarms    {}", share(tally.alarms, tally.harmless))?;
    if show {
        for miss in &tally.misses {
            writeln!(out, "    {miss}")?;
        }
    }
    Ok(())
}

/// A share with its 95 % interval (Wilson 1927).
#[expect(clippy::cast_precision_loss, reason = "counts of utterances are small")]
fn share(hits: usize, of: usize) -> String {
    if of == 0 {
        return "none".to_owned();
    }
    let (n, p, z) = (of as f64, hits as f64 / of as f64, 1.96_f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let percent = |share: f64| 100.0 * share;
    let (low, high) = (percent(centre - half).max(0.0), percent(centre + half).min(100.0));
    format!("{hits:>4} of {of:<4} = {:5.1} %  [{low:.1}, {high:.1}]", percent(p))
}
