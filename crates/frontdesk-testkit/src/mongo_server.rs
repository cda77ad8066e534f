//! A real database server as a process of its own, to be killed, stopped and started again: `SecantusDB`, which speaks
//! `MongoDB`'s protocol.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::signal;

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
    port: u16,
    folder: TempDir,
    child: Option<Child>,
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
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = Self {
            program,
            port,
            folder: tempfile::tempdir()?,
            child: None,
        };
        server.start()?;
        Ok(Some(server))
    }

    /// Its address, with a database of this name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mongodb://127.0.0.1:{}/{database}", self.port)
    }

    /// Its port on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on its port, with what it had.
    ///
    /// # Errors
    /// It runs already, or does not listen in time.
    pub fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("it runs");
        }
        let storage: &Path = self.folder.path();
        // Without --sync-on-commit it acknowledges writes that a kill loses.
        let mut child = Command::new(&self.program)
            .args(["--host", "127.0.0.1", "--sync-on-commit", "--port"])
            .arg(self.port.to_string())
            .arg("--storage-path")
            .arg(storage)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if Instant::now() > until || child.try_wait()?.is_some() {
                _ = child.kill();
                _ = child.wait();
                bail!("secantusd-py does not listen on port {}", self.port);
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Kills it (SIGKILL): connections break, and new ones are refused.
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops it as a hanging machine would: it keeps its connections, takes new ones and answers nothing.
    ///
    /// # Errors
    /// It does not run.
    pub fn hang(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on after [`hang`](Self::hang).
    ///
    /// # Errors
    /// It does not run.
    pub fn go_on(&self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        signal::send(self.child.as_ref().context("it does not run")?.id(), name)
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It is gone if these fail.
            _ = child.kill();
            _ = child.wait();
        }
    }
}
