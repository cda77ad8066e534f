//! Keeps calls in progress over three instances while parts of the deployment fail; `cargo xtask verify` runs all of it.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use frontdesk_testkit::{
    instances::{
        Cluster,
        fault::Fault,
        found::{self, Found},
        load::{Pace, Running, Seen},
        plot,
    },
    report::{end, quantile, say},
};

/// Three instances on one database server and one cache server, with calls in progress while something fails.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "Exit codes: 0 no caller heard anything wrong and nothing was lost · 1 something was"
)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH", default_value = "target/release/frontdesk")]
    frontdesk: PathBuf,
    /// What fails; several are tried one after the other [default: all of them]
    #[arg(long = "fault", value_name = "NAME", value_parser = fault)]
    faults: Vec<Fault>,
    /// So many calls are in progress at once
    #[arg(long, default_value_t = 300)]
    calls: usize,
    /// What a caller takes to listen and to speak, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    thinks: u64,
    /// Draws each run there, as FAULT.svg
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

fn fault(name: &str) -> Result<Fault, String> {
    let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    found.ok_or_else(|| format!("should be one of {}", Fault::ALL.map(Fault::name).join(", ")))
}

fn main() -> ExitCode {
    end(run())
}

fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    // The provider answers in threads of its own while this one waits for processes.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let faults = if arguments.faults.is_empty() {
        Fault::ALL.to_vec()
    } else {
        arguments.faults.clone()
    };
    say(&format!(
        "{} calls at once, a caller speaks after {} ms, three instances\n",
        arguments.calls, arguments.thinks
    ));
    say(
        "| fault | turns | calls | wrong | repeated | p50 | p99 | slowest | records missing | double | billed, pico-USD | spent | entries | verified | |",
    );
    say("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut is_right = true;
    for fault in faults {
        is_right &= runtime.block_on(Box::pin(hold(fault, &arguments)))?;
    }
    Ok(is_right)
}

/// One fault, on a deployment of its own.
async fn hold(fault: Fault, arguments: &Arguments) -> Result<bool> {
    let Some(mut cluster) = Cluster::open(&arguments.frontdesk).await? else {
        return Ok(true);
    };
    let pace = Pace {
        calls: arguments.calls,
        thinks: Duration::from_millis(arguments.thinks),
    };
    let running = Running::start(cluster.targets(), pace);
    let mut events = Vec::new();
    let happened = fault
        .happen(&mut cluster, |event| events.push((running.lasts(), event)))
        .await;
    let seen = running.end()?;
    happened?;
    let found = found::look(&cluster, &seen, 0).await?;
    let is_right = tell(fault, &seen, &found);
    for (at, event) in &events {
        note(&format!("  {:5.1} s  {event}", at.as_secs_f64()));
    }
    let wrong = seen
        .calls
        .iter()
        .filter_map(|call| Some((&call.sid, call.wrong.as_ref()?)));
    for (sid, wrong) in wrong.take(5) {
        note(&format!("  {sid}: {wrong}"));
    }
    if let Some(folder) = &arguments.plots {
        draw(folder, fault, &seen, &events, arguments)?;
    }
    Ok(is_right)
}

fn tell(fault: Fault, seen: &Seen, found: &Found) -> bool {
    let mut times: Vec<_> = seen.turns.iter().map(|turn| turn.took).collect();
    let wrong = seen.calls.iter().filter(|call| call.wrong.is_some()).count();
    let repeated = seen.turns.iter().filter(|turn| turn.attempts > 1).count();
    let Found {
        missing,
        double,
        spent,
        entries,
        billed,
        is_verified,
    } = *found;
    // What was billed is charged; more is charged only for questions whose process died.
    let is_covered = spent >= billed && spent == entries && is_verified;
    let is_right = wrong == 0 && double == 0 && (missing == 0 || fault.may_lose_records()) && is_covered;
    let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1_000.0);
    say(&format!(
        "| {} | {} | {} | {wrong} | {repeated} | {} | {} | {} | {missing} | {double} | {billed} | {spent} | {entries} | {} | {} |",
        fault.name(),
        seen.turns.len(),
        seen.calls.len(),
        milliseconds(quantile(&mut times, 0.5)),
        milliseconds(quantile(&mut times, 0.99)),
        milliseconds(quantile(&mut times, 1.0)),
        if is_verified { "yes" } else { "NO" },
        if is_right { "ok" } else { "FAIL" },
    ));
    is_right
}

fn draw(folder: &Path, fault: Fault, seen: &Seen, events: &[(Duration, String)], arguments: &Arguments) -> Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}.svg", fault.name()));
    let title = format!(
        "{}: {} calls in progress over three instances",
        fault.name(),
        arguments.calls
    );
    let drawn = plot::svg(&title, &seen.turns, events);
    fs::write(&path, drawn).with_context(|| format!("{} cannot be written", path.display()))
}

/// What is no part of the table.
fn note(text: &str) {
    // As above.
    _ = writeln!(io::stderr().lock(), "{text}");
}
