//! `bench`: what is measured, beside its limit.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{build_release, cargo, command, must, note, say};

/// The crates that have benchmarks of their own.
const BENCHED: [&str; 3] = ["frontdesk-twilio", "frontdesk-matching", "frontdesk-store"];

/// Measures single crates, then the whole server under load.
pub(crate) fn all(only_load: bool) -> Result<ExitCode> {
    if !only_load {
        for package in BENCHED {
            must(
                "measuring a crate by itself",
                &mut cargo(["bench", "--quiet", "--package", package]),
            )?;
        }
    }
    let frontdesk = build_release("frontdesk", "frontdesk")?;
    say("measuring the server under load: the server on core 0, the load on core 1");
    note("100 companies, 200 scenarios of 5 triggers each, 30 Q&As each, signed webhooks of new calls");
    must("loading", command(frontdesk).arg("bench"))?;
    Ok(ExitCode::SUCCESS)
}
