//! `lint`: what can be said about the code without running it.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    step::{cargo, command, must, note, say},
    tools::{self, DENY, MACHETE},
};

mod deploy;
mod purity;
mod size;
mod sources;

/// Runs every check and stops at the first that fails; file sizes are reported only.
pub(crate) fn all() -> Result<ExitCode> {
    must("checking the format", &mut cargo(["fmt", "--all", "--check"]))?;
    purity::check()?;
    size::report()?;
    must(
        "looking for misspelt words",
        command(tools::typos()?).args(["--format", "brief"]),
    )?;
    deploy::check()?;
    MACHETE.ensure()?;
    // With `.` it does not search what cargo builds.
    // Called by its own name: as a subcommand inside another cargo it takes that name for a folder.
    must(
        "looking for dependencies that nothing uses",
        &mut command("cargo-machete"),
    )?;
    DENY.ensure()?;
    must(
        "checking licences, sources and bans of dependencies",
        &mut cargo(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]),
    )?;
    advisories()?;
    must(
        "checking the code with clippy",
        &mut cargo([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Known vulnerabilities. Their database is on another host, which may be out of reach: then this only says so.
fn advisories() -> Result<()> {
    let fetched = must(
        "fetching the database of known vulnerabilities",
        cargo(["deny", "fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0"),
    );
    if let Err(failure) = fetched {
        note(format_args!("{failure:#}"));
        say("known vulnerabilities were NOT looked for: their database is out of reach");
        return Ok(());
    }
    must(
        "looking for known vulnerabilities in dependencies",
        &mut cargo(["deny", "--log-level", "error", "check", "--disable-fetch", "advisories"]),
    )
}
