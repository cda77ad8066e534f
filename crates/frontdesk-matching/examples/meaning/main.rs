//! Measures tier 2 and fits `data/meaning.json`: `meaning COMMAND BANKING VECTORS`, where `BANKING` is a folder with
//! `banking77_train.csv` and `banking77_test.csv` and `VECTORS` one with `texts.json` and `vectors.f32`.
//!
//! Commands: `accuracy train|test [lexical]`, `full [lexical]`, `fit [lexical] [without=FEATURE,…]` on training data alone, `write` to
//! fit both and write the file, `figures [lexical]` of what the build carries on test and dev,
//! `sizes [lexical]` of heads and how long they take.

#![expect(clippy::print_stdout, reason = "a report for the terminal")]
#![expect(
    clippy::indexing_slicing,
    clippy::too_many_arguments,
    clippy::too_many_lines,
    reason = "a program for development: a fault in its files may end it, and its tables are of fixed size"
)]

mod accuracy;
mod data;
mod fit;
mod sizes;
mod tenants;
mod trades;

use frontdesk_matching::meaning::confidence::CoefficientData;
use std::{error::Error, fs, path::Path};

/// The SHA-256 of the weights of the encoder.
const MODEL: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, banking, vectors, options @ ..] = arguments.as_slice() else {
        return Err("meaning COMMAND BANKING VECTORS [OPTION…]".into());
    };
    let has = |option: &str| options.iter().any(|given| given == option);
    let read = |name: &str| fs::read_to_string(Path::new(banking).join(name));
    let train = data::intents(&read("banking77_train.csv")?);
    let test = data::intents(&read("banking77_test.csv")?);
    let vectors = if has("lexical") {
        None
    } else {
        Some(data::Vectors::read(Path::new(vectors))?)
    };
    match command.as_str() {
        "accuracy" => accuracy::few(&train, has("test").then_some(&test), vectors.as_ref()),
        "full" => accuracy::full(&train, &test, vectors.as_ref()),
        "fit" => fit::fit(&train, vectors.as_ref(), options).map(|_| ()),
        "write" => write(&train, vectors.as_ref(), options),
        "sizes" => sizes::sizes(&train, vectors.as_ref()),
        "figures" => fit::figures(&train, &test, vectors.as_ref()),
        other => Err(format!("no command {other}").into()),
    }
}

fn write(train: &data::Intents, vectors: Option<&data::Vectors>, options: &[String]) -> Result<(), Box<dyn Error>> {
    let data = CoefficientData {
        provenance: "logistic regression, ridge 1, on simulated tenants of banking77_train.csv and data/trades/utterances.train.jsonl; cargo run --release -p frontdesk-matching --example meaning -- write BANKING VECTORS".to_owned(),
        model: MODEL.to_owned(),
        semantic: fit::fit(train, vectors, options)?,
        lexical: fit::fit(train, None, options)?,
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/meaning.json");
    fs::write(file, serde_json::to_string_pretty(&data)? + "\n")?;
    Ok(())
}
