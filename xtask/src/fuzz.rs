//! Fuzzing: random changes of the kept inputs, through the properties of `frontdesk-properties`.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    step::{command, must, note, output, root, say, target_directory},
    tools::CARGO_FUZZ,
};

/// The toolchain that can build for a fuzzer.
const TOOLCHAIN: &str = "nightly";

/// Fuzzes each target for so long and stops at the first that finds something.
pub(crate) fn all(seconds: u64) -> Result<()> {
    ensure_toolchain()?;
    CARGO_FUZZ.ensure()?;
    must(
        "building the fuzz targets with a nightly toolchain (some minutes the first time)",
        &mut cargo_fuzz("build"),
    )?;
    let targets = targets()?;
    let grown = target_directory()?.join("fuzz-grown");
    for (number, target) in (1..).zip(&targets) {
        let what = format!("fuzzing {target} for {seconds} s ({number} of {})", targets.len());
        // The first folder takes what the fuzzer finds worth keeping; the repository's own stays as it is.
        let found_here = grown.join(target);
        fs::create_dir_all(&found_here).with_context(|| format!("cannot make {}", found_here.display()))?;
        let before = artifacts(target);
        let mut fuzz = cargo_fuzz("run");
        fuzz.arg(target)
            .arg(&found_here)
            .arg(format!("fuzz/corpus/{target}"))
            .args([
                "--",
                &format!("-max_total_time={seconds}"),
                "-timeout=10",
                "-verbosity=0",
            ])
            .arg("-print_final_stats=1");
        if let Err(failure) = must(&what, &mut fuzz) {
            let Some(input) = artifacts(target).into_iter().find(|path| !before.contains(path)) else {
                return Err(failure);
            };
            let input = input.strip_prefix(root()).unwrap_or(&input).display();
            note(format_args!(
                "again: rustup run {TOOLCHAIN} cargo fuzz run --fuzz-dir fuzz --sanitizer none {target} {input}"
            ));
            bail!("{target} has an input for which its property does not hold: {input}");
        }
    }
    Ok(())
}

fn ensure_toolchain() -> Result<()> {
    let installed = output(command("rustup").args(["toolchain", "list"])).unwrap_or_default();
    if installed.lines().any(|line| line.starts_with(TOOLCHAIN)) {
        return Ok(());
    }
    say("fuzzing needs a nightly toolchain, which is missing");
    must(
        "installing it",
        command("rustup").args(["toolchain", "install", TOOLCHAIN, "--profile", "minimal"]),
    )
}

/// `cargo fuzz` by the nightly toolchain. No sanitizer: the code is safe Rust, and the time goes into inputs.
fn cargo_fuzz(action: &str) -> Command {
    let mut cargo = command("rustup");
    cargo
        .args(["run", TOOLCHAIN, "cargo", "fuzz", action])
        .args(["--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    cargo
}

/// The targets' names, in order.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("fuzz").join("fuzz_targets")).context("cannot list the fuzz targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The inputs that broke a target, this time or before.
fn artifacts(target: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(root().join("fuzz").join("artifacts").join(target));
    let entries = entries.into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
