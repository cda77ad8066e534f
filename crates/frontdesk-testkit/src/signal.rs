//! Signals to processes that tests have started.

use std::process::Command;

use anyhow::{Result, bail};

/// Sends a signal by its name, such as `STOP` or `CONT`.
pub(crate) fn send(id: u32, name: &str) -> Result<()> {
    // The shell's own `kill`: a small system has no other.
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()])
        .status()?;
    if !sent.success() {
        bail!("SIG{name} cannot be sent to process {id}");
    }
    Ok(())
}
