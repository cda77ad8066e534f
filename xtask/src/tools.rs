//! Tools that tasks need: found on the machine, else installed.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::step::{self, cargo, must};

/// A cargo subcommand from crates.io.
pub(crate) struct CargoTool {
    crate_name: &'static str,
    version: &'static str,
}

/// Runs tests, each in its own process.
pub(crate) const NEXTEST: CargoTool = CargoTool {
    crate_name: "cargo-nextest",
    version: "0.9.143",
};
/// Checks licences, sources and bans of dependencies.
pub(crate) const DENY: CargoTool = CargoTool {
    crate_name: "cargo-deny",
    version: "0.20.2",
};
/// Finds dependencies that nothing uses.
pub(crate) const MACHETE: CargoTool = CargoTool {
    crate_name: "cargo-machete",
    version: "0.9.2",
};
/// Builds and runs fuzz targets.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool {
    crate_name: "cargo-fuzz",
    version: "0.13.2",
};

/// The version of the spelling check, from `PyPI`, where it is a finished program.
const TYPOS: &str = "typos==1.52.0";

impl CargoTool {
    /// Installs it if it is missing. A version that is there is taken as it is.
    pub(crate) fn ensure(&self) -> Result<()> {
        if runs(Command::new(self.crate_name).arg("--version")) || runs(Command::new(self.crate_name).arg("--help")) {
            return Ok(());
        }
        let wanted = format!("{}@{}", self.crate_name, self.version);
        must(
            "installing a tool that is missing (some minutes)",
            &mut cargo(["install", "--locked", &wanted]),
        )
    }
}

/// The spelling check: the one on the machine, else one in a virtual environment below `target/`.
pub(crate) fn typos() -> Result<PathBuf> {
    if runs(Command::new("typos").arg("--version")) {
        return Ok("typos".into());
    }
    let environment = step::target_directory()?.join("tools").join("typos");
    let program = environment.join("bin").join("typos");
    if !program.exists() {
        must(
            "making a place for the spelling check",
            step::command("python3").args(["-m", "venv"]).arg(&environment),
        )?;
        let pip = environment.join("bin").join("pip");
        must(
            "installing the spelling check",
            step::command(pip).args(["install", "--quiet", "--disable-pip-version-check", TYPOS]),
        )?;
    }
    Ok(program)
}

fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
