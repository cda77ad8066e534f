//! `frontdesk bench`: a server of its own under load, measured from outside.
//!
//! The server is this binary in a process of its own on core 0, on a store in a temporary folder. The load is this
//! binary again, on core 1, with connections that are kept and that each wait for their answer before they ask again
//! (a closed loop). Every request is the first of a new call and is signed.

use std::{
    fs,
    path::{self, Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use frontdesk_encoder::files;
use tokio::time::{Instant, sleep};

use super::{Context, runtime};
use crate::{
    cli::{BenchArguments, BenchModel},
    output::{Output, complain, table},
};

mod corpus;
mod load;
mod process;
mod server;
mod wire;

use corpus::{Corpus, Kind};
use load::{Load, Measured};
use server::{Counts, Server};

/// So many callers always wait for a meaning: on one core one is computed and eight wait, and more would be turned away,
/// which costs no more than any turn.
const SATURATING: u32 = 9;

/// So many companies are imported at once: far less than an import may be.
const IMPORTED_AT_ONCE: u32 = 1_000;

pub(super) fn run(context: &Context, arguments: &BenchArguments) -> Result<()> {
    let corpus = Corpus::new(arguments);
    match &arguments.load {
        Some(plan) => Ok(context.output.line(load::run(&serde_json::from_str(plan)?, corpus)?)?),
        None => runtime()?.block_on(measure(context.output, arguments, corpus)),
    }
}

async fn measure(output: Output, arguments: &BenchArguments, corpus: Corpus) -> Result<()> {
    let encoder = encoder(&arguments.model)?;
    let folder = std::env::temp_dir().join(format!("frontdesk-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let results = measure_in(arguments, corpus, &folder, encoder.as_deref()).await;
    // What was measured is worth more than a clean temporary folder.
    _ = fs::remove_dir_all(&folder);
    for line in table(&rows(&results?)) {
        output.line(line)?;
    }
    output.line("closed loop; server on core 0 with its store's writer, load on core 1; full traces recorded")?;
    output.line(match &encoder {
        None => "without an encoder: rules alone decide".to_owned(),
        Some(encoder) => format!("with the encoder in {}", encoder.display()),
    })?;
    Ok(())
}

/// The folder of the encoder to measure with, if any; one that is asked for and not there is an error.
fn encoder(model: &BenchModel) -> Result<Option<PathBuf>> {
    let BenchModel::In(path) = model else { return Ok(None) };
    let found = files::find(&[path::absolute(path)?]);
    let missing = || {
        format!(
            "no encoder is in {}: `frontdesk model install` gets one",
            path.display()
        )
    };
    found.with_context(missing).map(Some)
}

/// Everything that was measured.
struct Results {
    start: Duration,
    narrow: Measured,
    wide: Measured,
    cpu: process::Times,
    counts: Counts,
    resident: u64,
    peak: u64,
    at_start: u64,
    /// `/healthz` at 16 connections, and the processor time for it.
    bare: (Measured, Duration),
    /// One caller whom rules answer, without callers beside who ask meaning, and with them where there is an encoder.
    beside: Vec<(Measured, Option<Measured>)>,
}

async fn measure_in(
    arguments: &BenchArguments,
    corpus: Corpus,
    folder: &Path,
    encoder: Option<&Path>,
) -> Result<Results> {
    complain("importing the companies");
    let server = Server::start(folder, encoder).await?;
    for documents in corpus.imports(IMPORTED_AT_ONCE) {
        let imported = server.admin.import(documents.into_bytes()).await;
        imported.context("the server refused the documents")?;
    }
    server.stop().await?;

    let since = Instant::now();
    let server = Server::start(folder, encoder).await?;
    let mut first_call = 1;
    let mut plan = |connections: u32, seconds: f64| {
        first_call += 100_000_000_000;
        Load {
            address: server.address.clone(),
            connections,
            seconds,
            first_call,
            bare: false,
            only: None,
            once_each: false,
        }
    };
    let status = load::once(&plan(1, 0.0), corpus).await?;
    let start = since.elapsed();
    if status != 200 {
        bail!("the first signed webhook was answered {status}");
    }

    let at_start = server.memory("VmRSS")?;
    complain("calling every company once");
    let each = Load {
        once_each: true,
        ..plan(16, 0.0)
    };
    send(arguments, &each)?;
    complain("waiting until the server has learnt what answers mean");
    server.has_learnt().await?;
    complain("warming up");
    send(arguments, &plan(16, 2.0))?;
    server.drained().await?;
    let seconds = f64::from(arguments.seconds);
    complain(format_args!("16 connections for {seconds} s"));
    let narrow = send(arguments, &plan(16, seconds))?;
    server.drained().await?;
    let (times_before, counts_before) = (server.times()?, server.counts().await?);
    complain(format_args!("64 connections for {seconds} s"));
    let wide = send(arguments, &plan(64, seconds))?;
    server.drained().await?;
    let (cpu, counts) = (
        server.times()?.since(&times_before),
        server.counts().await?.since(&counts_before),
    );
    let times_before = server.times()?;
    complain("HTTP alone");
    let bare = send(
        arguments,
        &Load {
            bare: true,
            ..plan(16, 2.0)
        },
    )?;
    let bare_cpu = server.times()?.since(&times_before).total();
    // Without an encoder there is nobody to ask meaning.
    let others: &[u32] = if encoder.is_some() { &[0, SATURATING] } else { &[0] };
    let beside = rules_beside_meaning(arguments, &server, others, &mut plan).await?;
    let (resident, peak) = (server.memory("VmRSS")?, server.memory("VmHWM")?);
    server.stop().await?;
    let of_beside = beside
        .iter()
        .flat_map(|(answered, asked)| [Some(answered), asked.as_ref()]);
    let failures = narrow.failures + wide.failures + bare.failures;
    let failures = failures + of_beside.flatten().map(|measured| measured.failures).sum::<u64>();
    if failures > 0 {
        bail!("{failures} requests were not answered with 200 and a document");
    }
    Ok(Results {
        start,
        narrow,
        wide,
        cpu,
        counts,
        resident,
        peak,
        at_start,
        bare: (bare, bare_cpu),
        beside,
    })
}

/// One caller whom rules answer, beside so many who ask meaning.
async fn rules_beside_meaning(
    arguments: &BenchArguments,
    server: &Server,
    others: &[u32],
    plan: &mut impl FnMut(u32, f64) -> Load,
) -> Result<Vec<(Measured, Option<Measured>)>> {
    let seconds = f64::from(arguments.seconds);
    let mut beside = Vec::new();
    for others in others.iter().copied() {
        complain(format_args!(
            "one caller whom rules answer, {others} who ask meaning, for {seconds} s"
        ));
        let asking = Load {
            only: Some(Kind::Nonsense),
            ..plan(others, seconds + 2.0)
        };
        let asking = (others > 0).then(|| begin(arguments, &asking)).transpose()?;
        // They are all there before anything is measured, and until it was.
        sleep(Duration::from_secs(1)).await;
        let load = Load {
            only: Some(Kind::Trigger),
            ..plan(1, seconds)
        };
        let answered = send(arguments, &load)?;
        beside.push((answered, asking.map(finish).transpose()?));
        server.drained().await?;
    }
    Ok(beside)
}

/// Sends a load from a process of its own, on a core of its own.
fn send(arguments: &BenchArguments, load: &Load) -> Result<Measured> {
    finish(begin(arguments, load)?)
}

fn begin(arguments: &BenchArguments, load: &Load) -> Result<Child> {
    let mut command = pinned(1)?;
    command.arg("bench");
    command.args([
        "--companies",
        &arguments.companies.to_string(),
        "--templates",
        &arguments.templates.to_string(),
        "--scenarios",
        &arguments.scenarios.to_string(),
        "--questions",
        &arguments.questions.to_string(),
    ]);
    command.args(["--load", &serde_json::to_string(load)?]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().context("cannot start the load")
}

/// What came of a load, once it has ended.
fn finish(load: Child) -> Result<Measured> {
    let ran = load.wait_with_output().context("cannot wait for the load")?;
    if !ran.status.success() {
        bail!(
            "the load ended with {}: {}",
            ran.status,
            String::from_utf8_lossy(&ran.stderr).trim()
        );
    }
    serde_json::from_slice(&ran.stdout).context("the load printed no result")
}

/// This binary with the default configuration, on this core where that can be chosen.
fn pinned(core: u32) -> Result<Command> {
    let mut command = on_core(core)?;
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FRONTDESK_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn on_core(core: u32) -> Result<Command> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let can_choose = Command::new("taskset").args(["-c", &core.to_string(), "true"]).output();
    if can_choose.is_ok_and(|tried| tried.status.success()) {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(own);
        return Ok(command);
    }
    complain(format_args!(
        "core {core} cannot be chosen (no taskset, or no such core): the numbers are not comparable"
    ));
    Ok(Command::new(own))
}

fn rows(results: &Results) -> Vec<[String; 3]> {
    let Results {
        start,
        narrow,
        wide,
        cpu,
        counts,
        resident,
        peak,
        at_start,
        bare: (bare, bare_cpu),
        beside,
    } = results;
    let per_turn = |time: Duration| micros(time) / approximate(wide.turns.max(1));
    let (total, writer) = (cpu.total(), cpu.of_thread(server::WRITER));
    let megabytes = |bytes: u64| format!("{:.0} MB", approximate(bytes) / 1e6);
    let row = |what: &str, measured: String, limit: &str| [what.to_owned(), measured, limit.to_owned()];
    let mut rows = vec![
        row("what", "measured".to_owned(), "limit"),
        row(
            "turns/s at 64 connections",
            format!("{:.0}", approximate(wide.turns) / wide.seconds),
            "≥ 15,000 (aim 25,000)",
        ),
        row(
            "p50 at 64 connections",
            format!("{:.2} ms", approximate(wide.p50_micros) / 1e3),
            "",
        ),
        row(
            "p99 at 64 connections",
            format!("{:.2} ms", approximate(wide.p99_micros) / 1e3),
            "",
        ),
        row(
            "turns/s at 16 connections",
            format!("{:.0}", approximate(narrow.turns) / narrow.seconds),
            "",
        ),
        row(
            "p50 at 16 connections",
            format!("{:.2} ms", approximate(narrow.p50_micros) / 1e3),
            "",
        ),
        row(
            "p99 at 16 connections",
            format!("{:.2} ms", approximate(narrow.p99_micros) / 1e3),
            "≤ 5 ms",
        ),
        row(
            "longest at 16 connections",
            format!("{:.2} ms", approximate(narrow.max_micros) / 1e3),
            "",
        ),
        row(
            "CPU a turn, request path",
            format!("{:.1} µs", per_turn(total.saturating_sub(writer))),
            "≤ 25 µs, with state ≤ 30 µs",
        ),
        row(
            "CPU a turn, the store's writer",
            format!("{:.1} µs", per_turn(writer)),
            "",
        ),
        row("CPU a turn, whole process", format!("{:.1} µs", per_turn(total)), ""),
        row(
            "CPU of a bare answer, for comparison",
            format!("{:.1} µs", micros(*bare_cpu) / approximate(bare.turns.max(1))),
            "9.1 µs where the limits were set",
        ),
        row("turns recorded", format!("{} of {}", counts.stored, wide.turns), "all"),
        row("turns dropped", counts.dropped.to_string(), "0"),
        row("memory at the start", megabytes(*at_start), ""),
        row("memory after the load", megabytes(*resident), "< 120 MB"),
        row("memory at its peak", megabytes(*peak), ""),
        row(
            "start to first answer",
            format!("{:.0} ms", micros(*start) / 1e3),
            "< 1 s",
        ),
    ];
    rows.extend(beside.iter().map(beside_row));
    rows
}

fn beside_row((answered, asked): &(Measured, Option<Measured>)) -> [String; 3] {
    let [p50, p99] = [answered.p50_micros, answered.p99_micros].map(|micros| approximate(micros) / 1e3);
    let (what, limit) = match asked {
        None => ("p99 of turns that rules answer, one caller".to_owned(), ""),
        Some(asked) => {
            let rate = approximate(asked.turns) / asked.seconds;
            (
                format!("the same beside {SATURATING} who ask meaning ({rate:.0} turns/s)"),
                "≤ 5 ms (aim 2 ms)",
            )
        }
    };
    [what, format!("{p99:.2} ms (p50 {p50:.2} ms)"), limit.to_owned()]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// For ratios: all numbers here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_that_is_asked_for_and_not_there_is_refused() {
        assert_eq!(encoder(&BenchModel::None).unwrap(), None);
        let empty = tempfile::tempdir().unwrap();
        let refusal = encoder(&BenchModel::In(empty.path().to_owned())).unwrap_err();
        assert!(refusal.to_string().starts_with("no encoder is in"), "{refusal}");
    }
}
