//! Measures how much one process answers, on each store, and how it goes on when more is asked of it.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use frontdesk_testkit::{
    capacity::{
        Measured, Store, keep_off_the_servers_core,
        load::Outcomes,
        measure,
        plot::{self, Group},
    },
    report::{end, say},
};

/// One process under load, on a file of its own and on a database server with a cache server: a warm turn, more callers than
/// it can answer, and a quiet company beside a noisy one
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "Exit codes: 0 it was measured · 1 it could not be"
)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH", default_value = "target/release/frontdesk")]
    frontdesk: PathBuf,
    /// Each load lasts so many seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Draws what was measured there
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    if !keep_off_the_servers_core() {
        say("cores cannot be chosen here (no taskset, or one core): server and load disturb each other\n");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lasts = Duration::from_secs(arguments.seconds);
    let mut measured = Vec::new();
    for store in Store::ALL {
        match runtime.block_on(Box::pin(measure(&arguments.frontdesk, store, lasts)))? {
            Some(found) => measured.push((store, found)),
            None => say(&format!("{} was not measured: its servers are not here", store.name())),
        }
    }
    say("| store | load | offered a second | right within 1 s, a second | p50 | p99 | something else | later | none |");
    say("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (store, found) in &measured {
        for (load, outcomes) in loads(found) {
            say(&row(store.name(), &load, outcomes));
        }
    }
    if let Some(file) = &arguments.plot {
        let drawn = plot::svg(
            "One process on one core, on each store, measured in one run",
            &groups(&measured),
        );
        fs::write(file, drawn).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(true)
}

/// Every load that was measured, with what it is called.
fn loads(found: &Measured) -> Vec<(String, &Outcomes)> {
    let [quiet, beside] = &found.quiet;
    let mut loads = vec![
        ("one caller".to_owned(), &found.alone),
        ("64 callers who wait".to_owned(), &found.busy),
    ];
    let offered = found.offered.iter();
    loads.extend(offered.map(|(times, outcomes)| (format!("callers who come, {times} ×"), outcomes)));
    loads.push(("a quiet company".to_owned(), quiet));
    loads.push(("a quiet company beside a noisy one".to_owned(), beside));
    loads.push(("the noisy one, 20 ×".to_owned(), &found.noisy));
    loads
}

fn row(store: &str, load: &str, outcomes: &Outcomes) -> String {
    let came = outcomes.right.len() + outcomes.other + outcomes.late + outcomes.failed;
    let came = f64::from(u32::try_from(came).unwrap_or(u32::MAX));
    format!(
        "| {store} | {load} | {:.0} | {:.0} | {:.2} ms | {:.2} ms | {} | {} | {} |",
        came / outcomes.lasts.as_secs_f64(),
        outcomes.right_a_second(),
        outcomes.within(0.5),
        outcomes.within(0.99),
        outcomes.other,
        outcomes.late,
        outcomes.failed
    )
}

fn groups(measured: &[(Store, Measured)]) -> Vec<Group> {
    let bars = |value: &dyn Fn(&Measured) -> Vec<(String, f64)>| {
        let of_stores = measured.iter().enumerate();
        of_stores
            .flat_map(|(of, (store, found))| {
                let named = move |(what, value)| (format!("{}, {what}", store.name()), of, value);
                value(found).into_iter().map(named).collect::<Vec<_>>()
            })
            .collect()
    };
    let warm = |found: &Measured| {
        vec![
            ("p50".to_owned(), found.alone.within(0.5)),
            ("p99".to_owned(), found.alone.within(0.99)),
        ]
    };
    let goodput = |found: &Measured| {
        let offered = found.offered.iter();
        offered
            .map(|(times, outcomes)| (format!("{times} ×"), outcomes.right_a_second()))
            .collect()
    };
    let quiet = |found: &Measured| {
        let [alone, beside] = &found.quiet;
        vec![
            ("alone".to_owned(), alone.within(0.99)),
            ("beside".to_owned(), beside.within(0.99)),
        ]
    };
    vec![
        Group {
            title: "A warm turn, one caller, ms".into(),
            bars: bars(&warm),
        },
        Group {
            title: "Right answers within 1 s a second, at so many times what it answers".into(),
            bars: bars(&goodput),
        },
        Group {
            title: "A quiet company's p99, alone and beside one with 20 times as many callers, ms".into(),
            bars: bars(&quiet),
        },
    ]
}
