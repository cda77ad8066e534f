//! A server of another make on a port of its own, which tests kill, stop and start again.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::signal;

/// The process, while it runs. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    port: u16,
    child: Option<Child>,
}

impl ServerProcess {
    /// A port that is free now, and nothing that runs on it yet.
    pub(crate) fn on_free_port() -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { port, child: None })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It runs already, cannot be started, or does not listen within `longest`.
    pub(crate) fn start(&mut self, command: &mut Command, longest: Duration) -> Result<()> {
        if self.child.is_some() {
            bail!("it runs");
        }
        let program = command.get_program().to_owned();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let until = Instant::now() + longest;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if Instant::now() > until || child.try_wait()?.is_some() {
                _ = child.kill();
                _ = child.wait();
                bail!("{} does not listen on port {}", program.display(), self.port);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Kills it (SIGKILL).
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Sends it a signal by its name.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        signal::send(self.child.as_ref().context("it does not run")?.id(), name)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It is gone if these fail.
            _ = child.kill();
            _ = child.wait();
        }
    }
}
