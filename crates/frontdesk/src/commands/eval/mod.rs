//! `frontdesk eval`: how well utterances with known answers are answered.

mod meaning;
mod set;

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use anyhow::{Context as _, Result, bail};
use frontdesk_domain::decision::Matcher;
use frontdesk_matching::{
    evaluation::{
        baseline::Saved,
        ladder::{ByMeaning, Ladder, PLATFORM_THRESHOLDS, Thresholds},
        outcome::Outcome,
        plot,
        report::{About, Report},
    },
    safety::EMBEDDED,
};

use self::set::Set;
use super::Context;
use crate::{cli::EvalArguments, output::complain, wiring};

/// Tier 2 of each business, by the id of its company.
type Meanings<'b> = BTreeMap<String, Box<dyn ByMeaning + 'b>>;

pub(super) fn run(context: &Context, arguments: &EvalArguments) -> Result<()> {
    // A baseline that cannot be read is not found out after minutes.
    let baseline = arguments.baseline.as_deref().map(read_baseline).transpose()?;
    let set = set::read_set(arguments)?;
    let thresholds = arguments.thresholds.map(|given| {
        let ([company_qna, trade_qna, tier1], [_, platform]) = (given.0, PLATFORM_THRESHOLDS);
        Thresholds {
            company_qna,
            trade_qna,
            tier1,
            tier2: given.1.unwrap_or(platform),
        }
    });
    let config = context.config()?;
    let encoder = wiring::encoder::load(&config.model.folders())
        .inspect_err(|why| complain(format_args!("words alone decide (lexical): {why}")))
        .ok();
    let meanings = meaning::learn(
        set.businesses.0.iter(),
        set.safety.as_ref().map(|safety| &safety.rules),
        encoder.as_ref(),
    )?;
    let outcomes = outcomes(&set, thresholds, &meanings);
    let semantic = meanings.values().any(|meaning| meaning.matcher() == Matcher::Semantic);
    let about = About {
        set: set.name.clone(),
        matcher: if semantic { "semantic" } else { "lexical" },
        thresholds: thresholds.map_or_else(|| "each company's own".to_owned(), described),
        notes: set.notes.clone(),
    };
    let saved = Saved::new(
        format!("{}; {}; {}", about.set, about.matcher, about.thresholds),
        &outcomes,
    );
    let mut report = Report::new(about, &outcomes, &set.businesses);
    if let (Some(baseline), Some(path)) = (&baseline, &arguments.baseline) {
        let comparison = saved.compare(baseline).with_context(|| path.display().to_string())?;
        report.baseline = Some(comparison);
    }
    if let Some(path) = &arguments.plot {
        write(path, &plot::svg(&set.name, &report.reliability))?;
    }
    if let Some(path) = &arguments.save {
        write(path, &saved.text()?)?;
    }
    if arguments.json {
        context.output.line(serde_json::to_string_pretty(&report)?)?;
    } else {
        context.output.part(&report)?;
    }
    match &report.baseline {
        Some(comparison) if comparison.is_loss() => bail!(
            "worse than the baseline beyond noise: right {} lost, {} gained (p = {:.4}); wrongly answered {} more, {} less (p = {:.4})",
            comparison.right.before,
            comparison.right.now,
            comparison.right.p,
            comparison.wrong.now,
            comparison.wrong.before,
            comparison.wrong.p
        ),
        _ => Ok(()),
    }
}

/// Asks everything, one after the other, as one caller after the other would.
fn outcomes(set: &Set, thresholds: Option<Thresholds>, meanings: &Meanings<'_>) -> Vec<Outcome> {
    let safety = set.safety.as_ref().map_or(&*EMBEDDED, |safety| &safety.matcher);
    let mut outcomes = Vec::with_capacity(set.utterances.len());
    for labelled in &set.utterances {
        let Some(business) = set.businesses.0.get(&labelled.company) else {
            continue;
        };
        let ladder = Ladder::new(business, safety)
            .with_thresholds(thresholds)
            .with_meaning(meanings.get(&labelled.company).map(|meaning| &**meaning));
        if outcomes.is_empty() {
            // What is made at the first use is no part of a decision.
            _ = ladder.decide(&labelled.utterance);
        }
        let since = Instant::now();
        let decided = ladder.decide(&labelled.utterance);
        let micros = since.elapsed().as_secs_f64() * 1e6;
        let outcome = Outcome::new(labelled, decided).with_micros(micros);
        outcomes.push(match &labelled.spoken {
            Some(spoken) => outcome.with_spoken(&ladder.decide(spoken)),
            None => outcome,
        });
    }
    outcomes
}

fn described(thresholds: Thresholds) -> String {
    let Thresholds {
        company_qna,
        trade_qna,
        tier1,
        tier2,
    } = thresholds;
    format!("company Q&A {company_qna}, trade Q&A {trade_qna}, tier 1 {tier1}, tier 2 {tier2}")
}

fn read_baseline(path: &Path) -> Result<Saved> {
    Saved::read(&read(path)?).with_context(|| path.display().to_string())
}

/// The text of a file.
fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8; convert it with iconv", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
