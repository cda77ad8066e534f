//! `bench`: what is measured, beside its limit.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    mongodb,
    step::{build_programs, build_release, cargo, command, must_and_keep, note, say, target_directory},
    tools::{self, ensure_packages},
};

/// The crates that have benchmarks of their own.
const BENCHED: [&str; 4] = [
    "frontdesk-twilio",
    "frontdesk-matching",
    "frontdesk-store",
    "frontdesk-callflow",
];

/// Measures single crates, then the whole server under load.
pub(crate) fn all(only_load: bool) -> Result<ExitCode> {
    let mut printed = String::new();
    if !only_load {
        for package in BENCHED {
            let mut bench = cargo(["bench", "--quiet", "--package", package, "--benches"]);
            printed.push_str(&must_and_keep("measuring a crate by itself", &mut bench)?);
        }
    }
    let frontdesk = build_release("frontdesk", "frontdesk")?;
    say("measuring the server under load: the server on core 0, the load on core 1");
    note("100 companies, 200 scenarios of 5 triggers each, 30 Q&As each, signed webhooks of new calls");
    let mut load = command(frontdesk);
    let load = must_and_keep("loading", load.arg("bench"))?;
    say("measured values beside their limits");
    if !only_load {
        for row in decisions(&printed)? {
            note(row);
        }
    }
    for line in load.lines() {
        note(line);
    }
    if !only_load {
        for line in capacity()?.lines() {
            note(line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What one process answers on each store, and how it goes on when more is asked of it.
fn capacity() -> Result<String> {
    ensure_packages()?;
    let programs = build_programs()?;
    must_and_keep(
        "measuring one process on each store, with more callers than it answers",
        command(programs.join("capacity"))
            .arg("--frontdesk")
            .arg(programs.join("frontdesk"))
            .arg("--plot")
            .arg(target_directory()?.join("capacity.svg"))
            .env(mongodb::PROGRAM, tools::secantusd()?),
    )
}

/// The limits of a decision, and of what is made durable for a question to the LLM.
fn decisions(printed: &str) -> Result<Vec<String>> {
    let small = percentile(printed, "decide 200 scenarios").context("the decision's p99 was not printed")?;
    let large = percentile(printed, "decide 2000 scenarios").context("the decision's p99 was not printed")?;
    let build = mean("build 200 scenarios")?;
    let fsync = mean("ledger/bare fsync")?;
    Ok(vec![
        format!(
            "{:<34}{:>12.1} µs    ≤ 50 µs",
            "decision p99, 200 scenarios",
            small / 1e3
        ),
        format!(
            "{:<34}{:>12.1} µs    ≤ {:.1} µs (twice that)",
            "decision p99, 2,000 scenarios",
            large / 1e3,
            small / 500.0
        ),
        format!("{:<34}{:>12.2} ms    ≤ 50 ms", "building 200 scenarios", build / 1e6),
        format!(
            "{:<34}{:>12.1} fsyncs ≤ 3.0 (one takes {:.0} µs)",
            "reserve and settle",
            mean("ledger/reserve and settle")? / fsync,
            fsync / 1e3
        ),
    ])
}

/// The p99 in nanoseconds of a line such as `decide 200 scenarios: p50 900 ns, …, p99 7000 ns, …`.
fn percentile(printed: &str, name: &str) -> Option<f64> {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    let value = line.split(", ").find_map(|part| part.strip_prefix("p99 "))?;
    value.strip_suffix(" ns")?.parse().ok()
}

/// The mean in nanoseconds that criterion has kept of its last run.
fn mean(benchmark: &str) -> Result<f64> {
    let file = target_directory()?
        .join("criterion")
        .join(benchmark)
        .join("new")
        .join("estimates.json");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let mean = estimates.pointer("/mean/point_estimate").and_then(Value::as_f64);
    mean.with_context(|| format!("{} names no mean", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_read_from_its_line() {
        let printed = "x\ndecide 200 scenarios: p50 900 ns, p90 2000 ns, p99 7000 ns, p99.9 9000 ns\n";
        assert_eq!(percentile(printed, "decide 200 scenarios"), Some(7000.0));
        assert_eq!(percentile(printed, "decide 2000 scenarios"), None);
    }
}
