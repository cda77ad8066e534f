//! A real cache server as a process of its own, to be killed, stopped and started again.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::signal;

/// The path of `redis-server`; without it the one on `PATH`.
const PROGRAM: &str = "FRONTDESK_TEST_REDIS_PROGRAM";

/// How long a start may take before it is given up.
const START: Duration = Duration::from_secs(20);

/// A cache server on a port of its own, which keeps nothing over a restart. It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    program: OsString,
    port: u16,
    folder: TempDir,
    child: Option<Child>,
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

    /// Its address, with a database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it again on its port, empty.
    ///
    /// # Errors
    /// It runs already, or does not listen in time.
    pub fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("it runs");
        }
        let mut child = Command::new(&self.program)
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server cannot be started")?;
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if Instant::now() > until || child.try_wait()?.is_some() {
                _ = child.kill();
                _ = child.wait();
                bail!("redis-server does not listen on port {}", self.port);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Kills it; what it had is gone.
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops it as a hanging machine would: it keeps its connections and answers nothing.
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

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It is gone if these fail.
            _ = child.kill();
            _ = child.wait();
        }
    }
}
