//! What is evaluated: a folder of documents with labelled utterances, or an intent set as simulated businesses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use frontdesk_matching::evaluation::{
    Businesses, Labelled,
    data::{Documents, Safety, safety_rules},
    intents::{Question, read_intents},
    read_utterances,
    tenants::{Simulation, simulate},
};

use super::read;
use crate::cli::{EvalArguments, Shots};

/// Businesses, and what they are asked.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) businesses: Businesses,
    pub(super) utterances: Vec<Labelled>,
    /// Those of this build if there are none.
    pub(super) safety: Option<Safety>,
    pub(super) notes: Vec<String>,
}

/// The split that is evaluated if none is named.
const SPLIT: &str = "dev";
const SHOTS: usize = 10;

pub(super) fn read_set(arguments: &EvalArguments) -> Result<Set> {
    let path = &arguments.path;
    let kind = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if kind.is_dir() {
        let drawn = [
            ("--train", arguments.train.is_some()),
            ("--shots", arguments.shots.is_some()),
            ("--seed", arguments.seed.is_some()),
            ("--tenants", arguments.tenants.is_some()),
        ];
        if let Some((flag, _)) = drawn.iter().find(|(_, is_given)| *is_given) {
            bail!(
                "{flag} is for intent sets, and {} is a folder of documents",
                path.display()
            );
        }
        folder(arguments)
    } else {
        if arguments.split.is_some() {
            bail!(
                "--split is for folders of documents, and {} is an intent set",
                path.display()
            );
        }
        intent_set(arguments)
    }
}

fn folder(arguments: &EvalArguments) -> Result<Set> {
    let folder = &arguments.path;
    let mut documents = Documents::default();
    let templates = files(folder, ".template.json")?;
    if templates.is_empty() {
        bail!(
            "{} has no *.template.json: is it a folder as data/trades is?",
            folder.display()
        );
    }
    for path in templates {
        let added = documents.add_template(&read(&path)?);
        added.with_context(|| path.display().to_string())?;
    }
    let trades = folder.join("trades-qna.json");
    if trades.exists() {
        let added = documents.add_trade_qna(&read(&trades)?);
        added.with_context(|| trades.display().to_string())?;
    }
    let companies = folder.join("companies.jsonl");
    let businesses = documents.companies(&read(&companies)?);
    let businesses = businesses.with_context(|| companies.display().to_string())?;
    let (safety, about_safety) = safety(arguments)?;
    let split = split(folder, arguments.split.as_deref().unwrap_or(SPLIT))?;
    let checked = read_utterances(&read(&split)?).and_then(|utterances| {
        businesses.check(&utterances, safety.as_ref().map(|safety| &safety.matcher))?;
        Ok(utterances)
    });
    let utterances = checked.with_context(|| split.display().to_string())?;
    Ok(Set {
        name: format!(
            "{}: {} utterances to {} businesses",
            split.display(),
            utterances.len(),
            businesses.0.len()
        ),
        businesses,
        utterances,
        safety,
        notes: vec![about_safety],
    })
}

/// The safety rules, if they are not those of this build, and which they are.
fn safety(arguments: &EvalArguments) -> Result<(Option<Safety>, String)> {
    let own = arguments.path.join("safety.json");
    let path: Option<PathBuf> = match &arguments.safety {
        Some(path) if path.as_os_str() == "embedded" => None,
        Some(path) => Some(path.clone()),
        None => own.is_file().then_some(own),
    };
    let Some(path) = path else {
        return Ok((None, "safety rules of this build".to_owned()));
    };
    let rules = safety_rules(&read(&path)?).with_context(|| path.display().to_string())?;
    Ok((Some(rules), format!("safety rules of {}", path.display())))
}

/// The file of a split: `utterances.NAME.jsonl` in the folder, else a file of this name.
fn split(folder: &Path, name: &str) -> Result<PathBuf> {
    let own = folder.join(format!("utterances.{name}.jsonl"));
    if own.is_file() {
        return Ok(own);
    }
    let other = PathBuf::from(name);
    if other.is_file() {
        return Ok(other);
    }
    let of = |path: &PathBuf| {
        let file = path.file_name()?.to_str()?;
        Some(file.strip_prefix("utterances.")?.strip_suffix(".jsonl")?.to_owned())
    };
    let splits: Vec<String> = files(folder, ".jsonl")?.iter().filter_map(of).collect();
    if splits.is_empty() {
        bail!(
            "{} has no utterances.NAME.jsonl, and there is no file `{name}`",
            folder.display()
        );
    }
    bail!(
        "{} has no split `{name}`, and there is no such file; there are {}",
        folder.display(),
        splits.join(", ")
    )
}

/// The files of a folder whose names end so, in order.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in listed {
        let path = entry
            .with_context(|| format!("cannot read {}", folder.display()))?
            .path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(ending))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn intent_set(arguments: &EvalArguments) -> Result<Set> {
    let questions = |path: &Path| -> Result<Vec<Question>> {
        read_intents(&read(path)?).with_context(|| path.display().to_string())
    };
    let test = questions(&arguments.path)?;
    let train = arguments.train.as_deref().map(questions).transpose()?;
    let simulation = Simulation {
        shots: arguments.shots.unwrap_or(Shots(Some(SHOTS))).0,
        seed: arguments.seed.unwrap_or_default(),
        tenants: arguments.tenants.map(usize::from),
    };
    let simulated = simulate(&test, train.as_deref(), simulation);
    let simulated = simulated.with_context(|| arguments.path.display().to_string())?;
    let (safety, about_safety) = match &arguments.safety {
        Some(_) => safety(arguments)?,
        None => (None, "safety rules of this build".to_owned()),
    };
    let triggers = match simulation.shots {
        Some(shots) => format!("{shots} triggers an intent (seed {})", simulation.seed),
        None => "all triggers".to_owned(),
    };
    let businesses = simulated.businesses;
    let scenarios: usize = businesses.0.values().map(|business| business.units.len()).sum();
    let mut notes = simulated.notes;
    notes.push(about_safety);
    Ok(Set {
        name: format!(
            "{}: {} questions to {} simulated businesses of {scenarios} scenarios in all, {triggers}",
            arguments.path.display(),
            simulated.utterances.len(),
            businesses.0.len()
        ),
        businesses,
        utterances: simulated.utterances,
        safety,
        notes,
    })
}
