//! Arguments of what evaluates matching on labelled utterances.

use std::path::PathBuf;

use clap::Args;

use super::ServerArguments;

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// A folder of documents with labelled utterances, or an intent set
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Which labelled utterances of the folder: NAME of utterances.NAME.jsonl, or a file [default: dev]
    #[arg(long, value_name = "NAME|FILE")]
    pub split: Option<String>,
    /// Safety rules in place of the folder's safety.json; `embedded` are those of this build
    #[arg(long, value_name = "FILE|embedded")]
    pub safety: Option<PathBuf>,
    /// An intent set from which triggers are drawn [default: from PATH, and the rest is asked]
    #[arg(long, value_name = "FILE")]
    pub train: Option<PathBuf>,
    /// Of an intent set: so many triggers for each intent, or `all` [default: 10]
    #[arg(long, value_name = "N|all")]
    pub shots: Option<Shots>,
    /// Of an intent set: draws with the same seed are the same [default: 0]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Of an intent set: so many businesses of 10 to 20 intents, a quarter of their questions foreign [default: one of all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub tenants: Option<u16>,
    /// Thresholds in place of the companies' own: company Q&A, trade Q&A, tier 1 and, if given, tier 2
    #[arg(long, value_name = "A,B,C[,D]")]
    pub thresholds: Option<GivenThresholds>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
    /// Draws how sure answers were against how often they were right
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Saves the run, for --baseline
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Compares with a saved run; a loss beyond noise is a failure
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// How many triggers are drawn for each intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shots(pub Option<usize>);

impl std::str::FromStr for Shots {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(0) | Err(_) if text != "all" => Err("give a number from 1, or `all`"),
            shots => Ok(Self(shots.ok())),
        }
    }
}

/// Thresholds of company Q&A, trade Q&A and tier 1, and of tier 2 if it is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GivenThresholds(pub [f64; 3], pub Option<f64>);

impl std::str::FromStr for GivenThresholds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "give three or four numbers from 0 to 1, such as 0.8,0.75,0.7,0.6";
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let numbers = numbers.map_err(|_| WANTED)?;
        if !numbers.iter().all(|number| (0.0..=1.0).contains(number)) {
            return Err(WANTED);
        }
        match numbers.as_slice() {
            [company, trade, tier1] => Ok(Self([*company, *trade, *tier1], None)),
            [company, trade, tier1, tier2] => Ok(Self([*company, *trade, *tier1], Some(*tier2))),
            _ => Err(WANTED),
        }
    }
}

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Whose thresholds: an id, or a part of the name
    #[arg(long, value_name = "NAME|ID")]
    pub company: String,
    /// Labelled utterances, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,
    /// At most this share of the answers may be wrong
    #[arg(long, value_name = "PERCENT")]
    pub max_wrong: Percent,
    /// Sets the proposed thresholds, if the limit held on labels that were left out
    #[arg(long)]
    pub apply: bool,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// A share, written in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(pub f64);

impl std::str::FromStr for Percent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
        match number {
            Ok(percent) if (0.0..=50.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err("give percent from 0 to 50, such as 3%"),
        }
    }
}
