//! Simulated calls: Twilio and its callers played against the real binary.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::step::{command, must, target_directory};

/// A load is no abuse; and what an encoder learns at the first start would take the calls' time.
const SETTINGS: [&str; 5] = [
    "FRONTDESK_MODEL__PATH=/nonexistent/model",
    "FRONTDESK_LIMITS__TURNS_PER_CALL=0",
    "FRONTDESK_LIMITS__SECONDS_PER_CALL=0",
    "FRONTDESK_LIMITS__CALLS_PER_CALLER_PER_HOUR=0",
    "FRONTDESK_LIMITS__CONCURRENT_CALLS_PER_COMPANY=0",
];

/// Holds many calls, with faults of webhooks, store and process, and the exported fallback documents for when the server
/// is away.
pub(crate) fn hold_with_faults(callsim: &Path, frontdesk: &Path, calls: u32) -> Result<()> {
    let folder = target_directory()?.join("callsim");
    let (store, fallback) = (folder.join("store"), folder.join("fallback"));
    std::fs::create_dir_all(&store).with_context(|| format!("cannot make {}", store.display()))?;
    must(
        "holding a first call, so that there is a store with the demo",
        simulator(callsim, frontdesk)
            .arg("--folder")
            .arg(&store)
            .args(["--calls", "1"]),
    )?;
    must(
        "writing the documents for Twilio's fallback URL",
        command(frontdesk)
            .args(["fallback-documents", "--store"])
            .arg(format!("sqlite:{}", store.join("frontdesk.db").display()))
            .arg("--out")
            .arg(&fallback),
    )?;
    must(
        "simulating calls, with faults of webhooks, store and process",
        simulator(callsim, frontdesk)
            .args([
                "--calls",
                &calls.to_string(),
                "--at-once",
                "16",
                "--faults",
                "5",
                "--disk",
                "2000",
            ])
            .arg("--fallback-dir")
            .arg(&fallback)
            .arg("--transcripts")
            .arg(folder.join("transcripts")),
    )
}

/// Holds some calls, with webhooks that come twice, late and at once.
pub(crate) fn hold(callsim: &Path, frontdesk: &Path, calls: u32) -> Result<()> {
    must(
        "simulating calls whose webhooks come twice, late and at the same time",
        simulator(callsim, frontdesk).args([
            "--calls",
            &calls.to_string(),
            "--at-once",
            "4",
            "--duplicates",
            "5",
            "--parallel",
            "5",
            "--reordered",
            "5",
            "--hang-ups",
            "5",
        ]),
    )
}

fn simulator(callsim: &Path, frontdesk: &Path) -> std::process::Command {
    let mut command = command(callsim);
    command
        .arg("--server")
        .arg(format!("{} serve --demo", frontdesk.display()));
    for setting in SETTINGS {
        command.args(["--env", setting]);
    }
    command
}
