//! A real cache server as a process of its own, to be killed, stopped and started again.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::server_process::ServerProcess;

/// The path of `redis-server`; without it the one on `PATH`.
const PROGRAM: &str = "FRONTDESK_TEST_REDIS_PROGRAM";

/// How long a start may take before it is given up.
const START: Duration = Duration::from_secs(20);

/// A cache server on a port of its own, which keeps nothing over a restart. It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    program: OsString,
    folder: TempDir,
    process: ServerProcess,
}

impl RedisServer {
    /// A started server. `None`, and a line that says so, if there is no such program here.
    ///
    /// # Errors
    /// It does not start; or there is no such program and `CI` is set, where nothing may be skipped.
    #[expect(
        clippy::print_stdout,
        reason = "a test that is skipped says so where tests say things"
    )]
    pub fn start_or_skip() -> Result<Option<Self>> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "redis-server".into());
        let there = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
        if there.is_err() {
            if std::env::var_os("CI").is_some() {
                bail!(
                    "there is no {}; install redis-server or set {PROGRAM}",
                    program.display()
                );
            }
            println!("skipped: there is no redis-server; install it, set {PROGRAM}, or use `cargo xtask test`");
            return Ok(None);
        }
        let mut server = Self {
            program,
            folder: tempfile::tempdir()?,
            process: ServerProcess::on_free_port()?,
        };
        server.start()?;
        Ok(Some(server))
    }

    /// Its address, with a database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.process.port())
    }

    /// Starts it again on its port, empty.
    ///
    /// # Errors
    /// It runs already, or does not listen in time.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(["--port", &self.process.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path());
        self.process.start(&mut command, START)
    }

    /// Kills it; what it had is gone.
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Stops it as a hanging machine would: it keeps its connections and answers nothing.
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
