//! Holds what tier 3 promises of money and time against real processes; `cargo xtask verify` runs all of it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use frontdesk_testkit::{
    money::{
        hanging, injections, kills, mixed, outage, overhead,
        race::{self, Bills, Burst},
    },
    report::{end, say},
};

/// Races turns for a budget, kills servers that hold money, hangs the provider, and looks at every cent.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "Exit codes: 0 everything is as promised · 1 something is not"
)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH", global = true, default_value = "target/release/frontdesk")]
    frontdesk: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Part {
    /// Turns at once where only some fit the budget, over 1 to 4 processes
    Race,
    /// Smaller bills, refused requests and one of two processes killed (SIGKILL), each refusal held against the ledger
    Mixed,
    /// The server killed (SIGKILL) again and again while it holds money
    Kills {
        /// How often
        #[arg(long, default_value_t = 50)]
        rounds: u32,
    },
    /// A provider that hangs and comes back, turn by turn
    Outage,
    /// Very many turns that wait for a provider that hangs
    Hanging {
        /// How many
        #[arg(long, default_value_t = 1_000)]
        turns: usize,
    },
    /// Processor time of asking, beside the provider's own
    Overhead,
    /// Callers who tell the model what to do
    Injections,
}

const ALL: [Part; 7] = [
    Part::Race,
    Part::Mixed,
    Part::Kills { rounds: 50 },
    Part::Outage,
    Part::Hanging { turns: 1_000 },
    Part::Overhead,
    Part::Injections,
];

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let parts = arguments.part.map_or_else(|| ALL.to_vec(), |part| vec![part]);
    let mut is_right = true;
    for part in parts {
        is_right &= runtime.block_on(Box::pin(hold(part, &arguments.frontdesk)))?;
    }
    Ok(is_right)
}

async fn hold(part: Part, frontdesk: &Path) -> Result<bool> {
    match part {
        Part::Race => Box::pin(races(frontdesk)).await,
        Part::Mixed => all_at_once(frontdesk).await,
        Part::Kills { rounds } => killed(frontdesk, rounds).await,
        Part::Outage => an_outage(frontdesk).await,
        Part::Hanging { turns } => hanging_turns(frontdesk, turns).await,
        Part::Overhead => beside_the_provider(frontdesk).await,
        Part::Injections => injected(frontdesk).await,
    }
}

async fn races(frontdesk: &Path) -> Result<bool> {
    say(
        "| processes | fit | turns at once | a bill is | asked | most over the limit, pico-USD | looks | ledger − bill | slowest turn | |",
    );
    say("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let burst = |fits, turns, bills| Burst { fits, turns, bills };
    let bursts = [
        burst(1, 1, Bills::TheHold),
        burst(1, 50, Bills::TheHold),
        burst(10, 200, Bills::TheHold),
        burst(40, 40, Bills::TheHold),
        burst(100, 500, Bills::TheHold),
        burst(10, 200, Bills::Less),
        burst(100, 500, Bills::Less),
    ];
    let mut is_right = true;
    for processes in 1..=4 {
        let mut tell = |burst: Burst, outcome: race::Outcome| {
            is_right &= outcome.is_right;
            say(&format!(
                "| {processes} | {} | {} | {} | {} | {} | {} | {} | {:.0} ms | {} |",
                burst.fits,
                burst.turns,
                if burst.bills == Bills::TheHold {
                    "its hold"
                } else {
                    "less"
                },
                outcome.asked,
                outcome.worst,
                outcome.looks,
                outcome.difference,
                outcome.slowest.as_secs_f64() * 1e3,
                verdict(outcome.is_right),
            ));
        };
        race::run(frontdesk, processes, &bursts, &mut tell).await?;
    }
    Ok(is_right)
}

async fn all_at_once(frontdesk: &Path) -> Result<bool> {
    let found = mixed::run(frontdesk).await?;
    say(&format!(
        "{} turns answered, {} holds granted ({} let go, {} left by the killed process), {} turns refused for want of budget, \
         {} of these without need",
        found.answered, found.granted, found.released, found.orphans, found.refused, found.unjustified
    ));
    say(&format!(
        "after each of {} steps of the ledger at most {} pico-USD over the limit; settled − billed, question by question: {}: {}",
        found.steps,
        found.worst,
        found.difference,
        verdict(found.is_right)
    ));
    Ok(found.is_right)
}

async fn killed(frontdesk: &Path, rounds: u32) -> Result<bool> {
    let mut is_right = true;
    let line = |found: kills::Found| {
        format!(
            "{} asked, billed {}, spent {}, held {} pico-USD: {}",
            found.asked,
            found.billed,
            found.spent,
            found.held,
            verdict(found.is_right)
        )
    };
    let mut tell = |round: u32, found: kills::Found| {
        is_right &= found.is_right;
        say(&format!("kill {round}/{rounds}: {}", line(found)));
    };
    let end = kills::run(frontdesk, rounds, &mut tell).await?;
    say(&format!("after the last lease: {}", line(end)));
    Ok(is_right && end.is_right)
}

async fn an_outage(frontdesk: &Path) -> Result<bool> {
    let turns = outage::run(frontdesk).await?;
    say("| s | provider | turn took | tier 3 | answered by | breaker then |");
    say("| --- | --- | --- | --- | --- | --- |");
    for turn in &turns {
        say(&format!(
            "| {:.1} | {} | {:.0} ms | {} | {} | {} |",
            turn.at.as_secs_f64(),
            if turn.is_healthy { "well" } else { "hangs" },
            turn.took.as_secs_f64() * 1e3,
            turn.tier_3,
            turn.source,
            turn.breaker,
        ));
    }
    let slowest = turns.iter().map(|turn| turn.took).max().unwrap_or_default();
    let is_back = turns.last().is_some_and(|turn| turn.tier_3.starts_with("asked"));
    let cut = turns.iter().filter(|turn| turn.took > Duration::from_secs(1)).count();
    say(&format!(
        "{} of {} turns waited longer than a second, the slowest {:.2} s",
        cut,
        turns.len(),
        slowest.as_secs_f64()
    ));
    Ok(is_back && cut <= 1 && slowest <= Duration::from_secs(4))
}

async fn hanging_turns(frontdesk: &Path, turns: usize) -> Result<bool> {
    let found = hanging::run(frontdesk, turns).await?;
    let both = |(median, slowest): (Duration, Duration)| {
        format!(
            "median {:.2} ms, slowest {:.1} ms",
            median.as_secs_f64() * 1e3,
            slowest.as_secs_f64() * 1e3
        )
    };
    let more = found.most - found.before;
    say(&format!(
        "{} questions unanswered at once: {:.0} MB, {more:.0} MB more than before (limit 60 MB); the slowest of these turns {:.2} s",
        found.in_flight,
        found.most,
        found.slowest.as_secs_f64()
    ));
    say(&format!(
        "turns that rules answer: alone {}; beside them {}",
        both(found.alone),
        both(found.beside)
    ));
    Ok(found.in_flight >= turns as u64 && more <= 60.0 && found.slowest <= Duration::from_secs(4))
}

async fn beside_the_provider(frontdesk: &Path) -> Result<bool> {
    let more = |with: Duration, without: Duration| (with.as_secs_f64() - without.as_secs_f64()) * 1e6;
    let mut is_right = true;
    for at_once in [1, 8] {
        let found = overhead::run(frontdesk, 1_000, at_once).await?;
        let (with, without) = (found.with, found.without);
        let asking = more(with.others, without.others);
        say(&format!(
            "processor time of asking, {at_once} at once, a turn: {asking:.0} µs (limit 200 µs; a turn without it takes {:.0} µs), and {:.0} µs of the store's writer",
            without.others.as_secs_f64() * 1e6,
            more(with.writer, without.writer),
        ));
        is_right &= asking <= 200.0;
    }
    Ok(is_right)
}

async fn injected(frontdesk: &Path) -> Result<bool> {
    let found = injections::run(frontdesk).await?;
    for fault in &found.faults {
        say(&format!("FAIL {fault}"));
    }
    say(&format!(
        "{} attempts, {} of them reached the model; {} words or numbers that nobody has configured",
        found.attempts,
        found.asked,
        found.faults.len()
    ));
    Ok(found.faults.is_empty())
}

const fn verdict(is_right: bool) -> &'static str {
    if is_right { "right" } else { "WRONG" }
}
