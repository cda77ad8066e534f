//! Kills a server under load and looks for what it had acknowledged; `cargo xtask verify` runs it.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use frontdesk_testkit::{
    crash::{self, BACK_WITHIN, Options, STOPPED_WITHIN},
    report::{end, say},
};

/// Kills a Frontdesk server under load (SIGKILL), starts it again and looks for everything that it had acknowledged.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "Exit codes: 0 everything was there · 1 something was not"
)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH")]
    frontdesk: PathBuf,
    /// How often the server is killed
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long each round's load lasts, in seconds; the kill comes up to a quarter earlier or later
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many call at once
    #[arg(long, default_value_t = 16)]
    callers: usize,
    /// Decides who says what and when the kills come [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    let options = Options {
        frontdesk: arguments.frontdesk,
        rounds: arguments.rounds,
        load: Duration::try_from_secs_f64(arguments.seconds).context("--seconds is no length of time")?,
        callers: arguments.callers,
        seed: arguments.seed.unwrap_or_else(rand::random),
    };
    say(&format!(
        "{} rounds of {} s with {} callers on one store; again with --seed {}",
        options.rounds, arguments.seconds, options.callers, options.seed
    ));
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(crash::run(&options, &mut say))?;
    say(&format!(
        "{}: {} kills; {} turns answered, {} of them to be found; {} writes and {} messages acknowledged; \
         back after {:.2} s at most (limit {} s); SIGTERM took {:.2} s (limit {} s); {} faults; {:.0} s",
        if report.is_pass() { "PASS" } else { "FAIL" },
        options.rounds,
        report.turns,
        report.due,
        report.writes,
        report.messages,
        report.back.as_secs_f32(),
        BACK_WITHIN.as_secs(),
        report.stopped.as_secs_f32(),
        STOPPED_WITHIN.as_secs(),
        report.faults.len(),
        began.elapsed().as_secs_f32(),
    ));
    Ok(report.is_pass())
}
