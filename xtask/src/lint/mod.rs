//! `lint`: what can be said about the code without running it.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    step::{cargo, command, must, note, say},
    tools::{self, DENY, MACHETE},
};

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
    MACHETE.ensure()?;
    // With `.` it does not search what cargo builds.
    must("looking for dependencies that nothing uses", &mut cargo(["machete"]))?;
    DENY.ensure()?;
    must(
        "checking licences, sources and bans of dependencies",
        &mut cargo(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]),
    )?;
    advisories();
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

/// Known vulnerabilities. Their database is on another host, which a build must not depend on, so this only reports.
fn advisories() {
    let mut check = cargo(["deny", "--log-level", "error", "check", "advisories"]);
    if let Err(failure) = must("looking for known vulnerabilities in dependencies", &mut check) {
        say(
            "known vulnerabilities were NOT ruled out: either the list above names one, or its database is out of reach",
        );
        note(format_args!("{failure:#}"));
    }
}
