//! The project's commands. `cargo xtask --help` lists them.
//!
//! Each one says what it does before it does it, and stops at the first step that fails.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod calls;
mod fuzz;
mod lint;
mod mongodb;
mod run;
mod step;
mod test;
mod tools;
mod verify;

/// Builds, runs and checks Frontdesk.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds Frontdesk and starts it with the demo businesses; on a terminal it also puts you on the phone.
    ///
    /// Without a terminal it serves until it is stopped. The store is `frontdesk-data/` in the project's folder.
    Run {
        /// Arguments for `frontdesk serve`, such as `--listen 127.0.0.1:9000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Calls a business: `cargo xtask call --company norvell`. Arguments are those of `frontdesk call`.
    Call {
        /// Arguments for `frontdesk call`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs all tests: the signature oracle in a small size, documentation tests, then every crate's tests.
    Test,
    /// Checks format, clippy, the purity of the pure crates, file sizes, dependencies and spelling.
    Lint,
    /// Runs the long checks in full size: signatures and documents against Twilio's own SDKs, fuzzing, kill -9 under load.
    Verify {
        /// How long each of the six targets is fuzzed.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        fuzz_seconds: u64,
    },
    /// Measures, and prints each value beside its limit.
    Bench {
        /// Skips the benchmarks of single crates.
        #[arg(long)]
        only_load: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Run { arguments } => run::serve(&arguments),
        Task::Call { arguments } => run::call(&arguments),
        Task::Test => test::all(),
        Task::Lint => lint::all(),
        Task::Verify { fuzz_seconds } => verify::all(fuzz_seconds),
        Task::Bench { only_load } => bench::all(only_load),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            step::complain(&error);
            ExitCode::FAILURE
        }
    }
}
