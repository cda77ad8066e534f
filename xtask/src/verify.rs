//! `verify`: the long checks, in full size.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    step::{build_release, command, must},
    test::ORACLE,
};

/// Runs the long checks.
pub(crate) fn all() -> Result<ExitCode> {
    must(
        "comparing signature decisions with Twilio's own validator",
        command("python3").args([ORACLE, "--requests", "100000", "--mutations", "1000000"]),
    )?;
    let frontdesk = build_release("frontdesk", "frontdesk")?;
    let crash = build_release("frontdesk-testkit", "crash")?;
    must(
        "killing the server with SIGKILL under load and looking for what it had acknowledged",
        command(crash).arg("--frontdesk").arg(frontdesk),
    )?;
    Ok(ExitCode::SUCCESS)
}
