//! Fits what makes a confidence of the meaning of a danger, and measures rules and meaning together.
//!
//! The encoder stands outside, so texts go out and vectors come in, in three steps:
//! `cargo run --release -p frontdesk-matching --example safety_fit -- texts TEXTS FILE…` writes every text of the FILEs and
//! of both training sets, in normal form, as a JSON array; an encoder writes the vectors of these texts in their order,
//! 32-bit little-endian numbers; then `-- fit TEXTS VECTORS MODEL_SHA256` writes `data/safety.examples.en-US.json` and
//! `data/safety.meaning.json`, and `-- measure TEXTS VECTORS FILE…` prints recall and false alarms with what is embedded.
//!
//! Everything is fitted on `data/safety/utterances.train.jsonl` and `data/trades/utterances.train.jsonl`, out of fold.

use std::{collections::HashMap, error::Error, fs, io::Write};

use frontdesk_matching::{
    meaning::{
        embedding::Embedding,
        safety::{COEFFICIENTS, EXAMPLES, Lesson, SafetyByMeaning, SafetyCoefficients, SafetyExamples, lessons},
    },
    normal::normalize,
    safety::{EMBEDDED, embedded_rules},
};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
const TRAIN: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/safety/utterances.train.jsonl"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/trades/utterances.train.jsonl"),
];
const FOLDS: usize = 10;
/// Of harmless utterances out of fold, how many may be heard as a danger by meaning.
const FALSE_ALARMS: f64 = 0.015;

struct Labelled {
    /// The file.
    set: String,
    /// As it was said.
    utterance: String,
    text: String,
    danger: Option<usize>,
    category: String,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["texts", out, files @ ..] => {
            let mut texts = Vec::new();
            for file in TRAIN.iter().chain(files) {
                texts.extend(read(file)?.into_iter().map(|line| line.text));
            }
            texts.sort_unstable();
            texts.dedup();
            Ok(fs::write(out, serde_json::to_string(&texts)?)?)
        }
        ["fit", texts, vectors, model] => fit(&embeddings(texts, vectors)?, model),
        ["measure", texts, vectors, files @ ..] => measure(&embeddings(texts, vectors)?, files),
        _ => Err("texts TEXTS FILE… | fit TEXTS VECTORS MODEL_SHA256 | measure TEXTS VECTORS FILE…".into()),
    }
}

/// A caller with two wishes, one of them a danger, may hear of the danger: such lines are left out.
fn read(file: &str) -> Outcome<Vec<Labelled>> {
    let mut lines = Vec::new();
    for line in fs::read_to_string(file)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let is_danger = text("/expect/source") == "safety";
        if !is_danger && text("/second/source") == "safety" {
            continue;
        }
        let category = text("/expect/id");
        let position = EMBEDDED
            .categories()
            .iter()
            .position(|known| known.id.as_str() == category);
        lines.push(Labelled {
            set: file.to_owned(),
            utterance: text("/utterance").to_owned(),
            text: normalize(text("/utterance")),
            danger: position.filter(|_| is_danger),
            category: category.to_owned(),
        });
    }
    Ok(lines)
}

fn embeddings(texts: &str, vectors: &str) -> Outcome<HashMap<String, Embedding>> {
    let texts: Vec<String> = serde_json::from_str(&fs::read_to_string(texts)?)?;
    let bytes = fs::read(vectors)?;
    let row = bytes.len() / texts.len().max(1);
    let read = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
    let numbers = bytes
        .chunks_exact(row.max(1))
        .map(|row| row.chunks_exact(4).map(read).collect());
    let pairs = texts.into_iter().zip(numbers);
    Ok(pairs
        .filter_map(|(text, row)| Some((text, Embedding::new(row)?)))
        .collect())
}

fn of<'e>(known: &'e HashMap<String, Embedding>, text: &str) -> Outcome<&'e Embedding> {
    known.get(text).ok_or_else(|| format!("no vector for `{text}`").into())
}

fn fit(known: &HashMap<String, Embedding>, model: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let mut all = Vec::new();
    for file in TRAIN {
        all.extend(read(file)?);
    }
    let mut best: Option<(f64, SafetyCoefficients)> = None;
    for care in [10.0, 30.0] {
        let mut coefficients = SafetyCoefficients {
            provenance: format!(
                "multinomial logistic regression, out of {FOLDS} folds of {} utterances of data/safety and data/trades, train; \
                 threshold: at most {FALSE_ALARMS} of the harmless ones heard by meaning; cargo run --release -p \
                 frontdesk-matching --example safety_fit -- fit",
                all.len()
            ),
            model_sha256: model.to_owned(),
            care,
            ..SafetyCoefficients::default()
        };
        let scored = out_of_fold(&all, known, &coefficients)?;
        let (scale, shift) = platt(&scored);
        let mut harmless: Vec<f64> = scored
            .iter()
            .filter(|(_, danger)| !danger)
            .map(|(odds, _)| *odds)
            .collect();
        harmless.sort_unstable_by(f64::total_cmp);
        let allowed = (count(harmless.len()) * FALSE_ALARMS).floor();
        let mut over = harmless.iter().rev();
        let mut cut = f64::INFINITY;
        let mut seen = 0.0;
        // Just above the harmless utterance that would be one too many.
        for odds in over.by_ref() {
            cut = *odds;
            seen += 1.0;
            if seen > allowed {
                break;
            }
        }
        let dangers: Vec<f64> = scored
            .iter()
            .filter(|(_, danger)| *danger)
            .map(|(odds, _)| *odds)
            .collect();
        let recall = count(dangers.iter().filter(|odds| **odds > cut).count()) / count(dangers.len());
        writeln!(
            out,
            "care {care}: scale {scale:.3}, shift {shift:.3}, recall of meaning alone {:.1} %",
            100.0 * recall
        )?;
        curve(&mut out, &all, &scored)?;
        coefficients.scale = round(scale);
        coefficients.shift = round(shift);
        let threshold = 1.0 / (1.0 + (-(scale * cut + shift)).exp());
        coefficients.threshold = ((threshold + 5e-4) * 1e3).ceil() / 1e3;
        if best.as_ref().is_none_or(|(so_far, _)| recall > *so_far) {
            best = Some((recall, coefficients));
        }
    }
    let (_, coefficients) = best.ok_or("nothing fitted")?;
    write_json("safety.meaning.json", &coefficients)?;
    write_json("safety.examples.en-US.json", &examples(all.iter()))?;
    Ok(())
}

fn write_json(name: &str, value: &impl serde::Serialize) -> Outcome<()> {
    Ok(fs::write(
        format!("{DATA}/{name}"),
        serde_json::to_string_pretty(value)? + "\n",
    )?)
}

fn examples<'l>(lines: impl Iterator<Item = &'l Labelled>) -> SafetyExamples {
    let mut examples = SafetyExamples {
        provenance:
            "data/safety/utterances.train.jsonl and data/trades/utterances.train.jsonl, written for this project"
                .to_owned(),
        language: "en".to_owned(),
        ..SafetyExamples::default()
    };
    for line in lines {
        if line.danger.is_some() {
            examples
                .dangers
                .entry(line.category.clone())
                .or_default()
                .push(line.utterance.clone());
        } else {
            examples.harmless.push(line.utterance.clone());
        }
    }
    examples
}

/// Log-odds of each utterance by what was learnt without it, and whether it is a danger.
fn out_of_fold(
    all: &[Labelled],
    known: &HashMap<String, Embedding>,
    coefficients: &SafetyCoefficients,
) -> Outcome<Vec<(f64, bool)>> {
    let rules = embedded_rules()?;
    let mut scored = Vec::new();
    for fold in 0..FOLDS {
        let inside = all.iter().enumerate().filter(|(index, _)| index % FOLDS != fold);
        let taught = learn(
            &lessons(&rules, &examples(inside.map(|(_, line)| line))),
            known,
            coefficients,
        )?;
        for (_, line) in all.iter().enumerate().filter(|(index, _)| index % FOLDS == fold) {
            // All withheld: as good as impossible.
            let weighed = taught.weigh(&EMBEDDED.withheld(&line.text), of(known, &line.text)?);
            // A danger that rules hear shows what meaning makes of it as well: nothing is withheld from it.
            let open = vec![false; EMBEDDED.categories().len()];
            let weighed = if EMBEDDED.find(&line.text).is_some() {
                taught.weigh(&open, of(known, &line.text)?)
            } else {
                weighed
            };
            scored.push((weighed.map_or(-20.0, |(_, odds)| odds), line.danger.is_some()));
        }
    }
    Ok(scored)
}

fn learn(
    lessons: &[Lesson],
    known: &HashMap<String, Embedding>,
    coefficients: &SafetyCoefficients,
) -> Outcome<SafetyByMeaning> {
    let embeddings = lessons.iter().map(|lesson| of(known, &lesson.text).cloned());
    let embeddings = embeddings.collect::<Outcome<Vec<_>>>()?;
    Ok(SafetyByMeaning::learn(lessons, &embeddings, coefficients, &|| false).ok_or("nothing to learn")?)
}

/// What each rate of false alarms would buy: of the dangers that rules miss, how many meaning hears.
fn curve(out: &mut impl Write, all: &[Labelled], scored: &[(f64, bool)]) -> Outcome<()> {
    // The folds interleave: put the lines into the order in which they were scored.
    let order = (0..FOLDS).flat_map(|fold| (fold..all.len()).step_by(FOLDS));
    let scored: Vec<_> = order.filter_map(|index| all.get(index)).zip(scored).collect();
    let of_rules = |line: &Labelled| EMBEDDED.find(&line.text).is_some();
    for set in TRAIN {
        let here = || scored.iter().filter(|(line, _)| line.set == set);
        let mut harmless: Vec<f64> = here()
            .filter(|(_, (_, danger))| !danger)
            .map(|(_, (odds, _))| *odds)
            .collect();
        harmless.sort_unstable_by(|one, other| other.total_cmp(one));
        let missed: Vec<f64> = here()
            .filter(|(line, (_, danger))| *danger && !of_rules(line))
            .map(|(_, (odds, _))| *odds)
            .collect();
        let every: Vec<f64> = here()
            .filter(|(_, (_, danger))| *danger)
            .map(|(_, (odds, _))| *odds)
            .collect();
        for per_mille in [2_usize, 5, 10, 15, 20, 30] {
            let cut = harmless
                .get(harmless.len() * per_mille / 1000)
                .copied()
                .unwrap_or_default();
            let heard = |odds: &[f64]| odds.iter().filter(|odds| **odds > cut).count();
            writeln!(
                out,
                "  {per_mille:>3} ‰ of {} harmless, log-odds over {cut:.2}: {} of {} missed by rules, {} of all {} dangers",
                harmless.len(),
                heard(&missed),
                missed.len(),
                heard(&every),
                every.len()
            )?;
        }
    }
    Ok(())
}

/// Logistic regression of one feature by Newton's method (Platt 1999).
fn platt(scored: &[(f64, bool)]) -> (f64, f64) {
    let (mut scale, mut shift) = (1.0, 0.0);
    for _ in 0..50 {
        let (mut along_scale, mut along_shift) = (0.0, 0.0);
        let (mut bend_scale, mut bend_both, mut bend_shift) = (1e-6, 0.0, 1e-6);
        for (odds, danger) in scored {
            let probability = 1.0 / (1.0 + f64::exp(-(scale * odds + shift)));
            let miss = probability - f64::from(u8::from(*danger));
            let weight = probability * (1.0 - probability);
            along_scale += miss * odds;
            along_shift += miss;
            bend_scale += weight * odds * odds;
            bend_both += weight * odds;
            bend_shift += weight;
        }
        let determinant = bend_scale * bend_shift - bend_both * bend_both;
        scale -= (bend_shift * along_scale - bend_both * along_shift) / determinant;
        shift -= (bend_scale * along_shift - bend_both * along_scale) / determinant;
    }
    (scale, shift)
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_rules: usize,
    /// Of those that rules do not hear.
    by_meaning: usize,
    /// Of those, with the right category.
    exact: usize,
}

fn measure(known: &HashMap<String, Embedding>, files: &[&str]) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let taught = learn(&lessons(&embedded_rules()?, &EXAMPLES), known, &COEFFICIENTS)?;
    for file in files {
        let (mut dangers, mut harmless) = (Counts::default(), Counts::default());
        for line in read(file)? {
            let counts = if line.danger.is_some() {
                &mut dangers
            } else {
                &mut harmless
            };
            let by_rules = EMBEDDED.find(&line.text).is_some();
            let embedding = of(known, &line.text)?;
            let meant = taught.decide(&EMBEDDED, &line.text, embedding).filter(|_| !by_rules);
            counts.all += 1;
            counts.by_rules += usize::from(by_rules);
            counts.by_meaning += usize::from(meant.is_some());
            counts.exact += usize::from(meant.is_some_and(|meant| meant.category.id.as_str() == line.category));
        }
        writeln!(out, "{file}")?;
        for (name, counts) in [("recall", &dangers), ("false alarms", &harmless)] {
            let both = counts.by_rules + counts.by_meaning;
            writeln!(
                out,
                "  {name:<13} rules             {}",
                share(counts.by_rules, counts.all)
            )?;
            writeln!(out, "  {name:<13} rules and meaning {}", share(both, counts.all))?;
        }
        let Counts { by_meaning, exact, .. } = dangers;
        writeln!(out, "  by meaning {by_meaning}, {exact} of the right category")?;
    }
    let (_, embedding) = known.iter().next().ok_or("no vector")?;
    let text = "the garage door spring broke and it is stuck half way can somebody come out";
    let begin = std::time::Instant::now();
    for _ in 0..10_000 {
        std::hint::black_box(taught.decide(&EMBEDDED, std::hint::black_box(text), embedding));
    }
    writeln!(out, "a decision takes {:.1} µs", begin.elapsed().as_secs_f64() * 100.0)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of utterances are small")]
fn count(of: usize) -> f64 {
    of as f64
}

/// A share with its 95 % interval (Wilson 1927).
fn share(hits: usize, of: usize) -> String {
    if of == 0 {
        return "none".to_owned();
    }
    let (n, p, z) = (count(of), count(hits) / count(of), 1.96_f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let (low, high) = (100.0 * (centre - half).max(0.0), 100.0 * (centre + half).min(1.0));
    format!("{hits:>4} of {of:<4} = {:5.1} %  [{low:.1}, {high:.1}]", 100.0 * p)
}
