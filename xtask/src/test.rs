//! `test`: everything that must hold before a change is taken.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    step::{cargo, command, must},
    tools::NEXTEST,
};

/// The signature oracle, from the project's folder.
pub(crate) const ORACLE: &str = "crates/frontdesk-twilio/tests/oracle.py";

/// Runs all tests; the crates' tests come last, because their summary is the line to read.
pub(crate) fn all() -> Result<ExitCode> {
    NEXTEST.ensure()?;
    must(
        "comparing signature decisions with Twilio's own validator, in a small size",
        command("python3").args([ORACLE, "--requests", "1000", "--mutations", "10000", "--profile", "dev"]),
    )?;
    must(
        "testing the examples in the documentation",
        &mut cargo(["test", "--quiet", "--workspace", "--doc"]),
    )?;
    must("testing every crate", &mut cargo(["nextest", "run", "--workspace"]))?;
    Ok(ExitCode::SUCCESS)
}
