//! The files in `deploy/`, each by the linter of its own kind.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    step::{command, must, root, say, target_directory},
    tools,
};

const UNIT: &str = "deploy/systemd/frontdesk.service";

const RULES: &str = "deploy/prometheus/alerts.yml";

/// The highest exposure that `systemd-analyze security` may find, in tenths: 1.2 is what a service on the network has.
const EXPOSURE: &str = "--threshold=13";

pub(super) fn check() -> Result<()> {
    must(
        "checking the Dockerfile",
        command(tools::hadolint()?).arg("deploy/Dockerfile"),
    )?;
    must(
        "checking the compose file",
        command(tools::check_jsonschema()?).args([
            "--quiet",
            "--builtin-schema",
            "vendor.compose-spec",
            "deploy/compose/compose.yaml",
        ]),
    )?;
    must(
        "checking the manifest for Kubernetes",
        command(tools::kubernetes_validate()?).args(["--strict", "--quiet", "deploy/kubernetes/frontdesk.yaml"]),
    )?;
    rules()?;
    unit()
}

/// The rules for Prometheus, where its tools are on the machine. A test compares their names with a running server's.
fn rules() -> Result<()> {
    if command("promtool").arg("--version").output().is_err() {
        say("the rules for Prometheus were NOT checked: promtool is not on this machine (apt-get install prometheus)");
        return Ok(());
    }
    must(
        "checking the rules for Prometheus",
        command("promtool").args(["check", "rules", RULES]),
    )
}

/// The unit for systemd, where that is on the machine.
fn unit() -> Result<()> {
    if command("systemd-analyze").arg("--version").output().is_err() {
        say("the unit for systemd was NOT checked: systemd-analyze is not on this machine");
        return Ok(());
    }
    // The program is not installed where the unit will find it.
    let text = fs::read_to_string(root().join(UNIT)).context(UNIT)?;
    let folder = target_directory()?.join("tools");
    fs::create_dir_all(&folder)?;
    let copy = folder.join("frontdesk.service");
    fs::write(&copy, text.replace("/usr/local/bin/frontdesk", "/bin/true"))?;
    must(
        "checking the unit for systemd",
        command("systemd-analyze").args(["verify", "--man=no"]).arg(&copy),
    )?;
    must(
        "checking how closed the unit is",
        command("systemd-analyze").args(["security", "--no-pager", "--offline=true", EXPOSURE, UNIT]),
    )
}
