//! A real database server as a process of its own, to be killed, stopped and started again: `SecantusDB`, which speaks
//! `MongoDB`'s protocol.

use std::{ffi::OsString, process::Command, time::Duration};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::server_process::ServerProcess;

/// The path of `secantusd-py`; without it the one that `cargo xtask test` installs.
const PROGRAM: &str = "FRONTDESK_TEST_MONGODB_PROGRAM";

/// Where that one is, below the home folder.
const INSTALLED: &str = ".cache/frontdesk/secantusdb-0.7.0b3/bin/secantusd-py";

/// How long a start may take before it is given up.
const START: Duration = Duration::from_mins(1);

/// A database server on a port of its own. What it acknowledged is there after a restart. It is killed when this is dropped.
#[derive(Debug)]
pub struct MongoServer {
    program: OsString,
    folder: TempDir,
    process: ServerProcess,
}

impl MongoServer {
    /// A started server. `None`, and a line that says so, if there is no such program here.
    ///
    /// # Errors
    /// It does not start; or there is no such program and `CI` is set, where nothing may be skipped.
    #[expect(
        clippy::print_stdout,
        reason = "a test that is skipped says so where tests say things"
    )]
    pub fn start_or_skip() -> Result<Option<Self>> {
        let installed = || {
            let path = std::env::home_dir()?.join(INSTALLED);
            path.exists().then(|| path.into_os_string())
        };
        let Some(program) = std::env::var_os(PROGRAM).or_else(installed) else {
            if std::env::var_os("CI").is_some() {
                bail!("there is no secantusd-py; set {PROGRAM} or use `cargo xtask test`");
            }
            println!("skipped: there is no secantusd-py; set {PROGRAM}, or use `cargo xtask test`");
            return Ok(None);
        };
        let mut server = Self {
            program,
            folder: tempfile::tempdir()?,
            process: ServerProcess::on_free_port()?,
        };
        server.start()?;
        Ok(Some(server))
    }

    /// Its address, with a database of this name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mongodb://127.0.0.1:{}/{database}", self.process.port())
    }

    /// Its port on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.process.port()
    }

    /// Starts it again on its port, with what it had.
    ///
    /// # Errors
    /// It runs already, or does not listen in time.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        // Without --sync-on-commit it acknowledges writes that a kill loses.
        command
            .args(["--host", "127.0.0.1", "--sync-on-commit", "--port"])
            .arg(self.port().to_string())
            .arg("--storage-path")
            .arg(self.folder.path());
        self.process.start(&mut command, START)
    }

    /// Kills it (SIGKILL): connections break, and new ones are refused.
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Stops it as a hanging machine would: it keeps its connections, takes new ones and answers nothing.
    ///
    /// # Errors
    /// It does not run.
    pub fn hang(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`hang`](Self::hang).
    ///
    /// # Errors
    /// It does not run.
    pub fn go_on(&self) -> Result<()> {
        self.process.signal("CONT")
    }
}
