//! The server under load: this binary in a process of its own.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use super::process::{Times, memory};
use crate::{admin::Admin, http_client::BaseUrl};

/// The name of the thread that writes the store.
pub(super) const WRITER: &str = "sqlite-writer";
const TOKEN: &str = "token-of-the-benchmark";
const PATIENCE: Duration = Duration::from_mins(1);
/// How long learning may take.
const LEARNING: Duration = Duration::from_mins(20);

/// A server process; killed when it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    pub(super) admin: Admin,
    log: PathBuf,
}

/// Turn records so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) waiting: u64,
    pub(super) stored: u64,
    pub(super) dropped: u64,
}

impl Counts {
    pub(super) const fn since(self, earlier: &Self) -> Self {
        Self {
            waiting: self.waiting,
            stored: self.stored - earlier.stored,
            dropped: self.dropped - earlier.dropped,
        }
    }

    fn read(metrics: &str) -> Self {
        let value = |name: &str| {
            let line = metrics
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
        };
        Self {
            waiting: value("frontdesk_turn_records_waiting"),
            stored: value("frontdesk_turn_records_stored_total"),
            dropped: value("frontdesk_turn_records_dropped_total"),
        }
    }
}

impl Server {
    /// Starts a server on a store in this folder, with this encoder or none, and waits until it listens.
    pub(super) async fn start(folder: &Path, encoder: Option<&Path>) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = folder.join("server.log");
        let file = File::create(&log)?;
        let mut command = super::pinned(0)?;
        command
            .arg("--store")
            .arg(format!("sqlite:{}", folder.join("bench.db").display()));
        command
            .args(["serve", "--listen", &address])
            // A load is no abuse.
            .env("FRONTDESK_LIMITS__TURNS_PER_CALL", "0")
            .env("FRONTDESK_LIMITS__SECONDS_PER_CALL", "0")
            .env("FRONTDESK_LIMITS__CALLS_PER_CALLER_PER_HOUR", "0")
            .env("FRONTDESK_LIMITS__CONCURRENT_CALLS_PER_COMPANY", "0")
            // The store's folder holds none, and no other is looked at.
            .env("FRONTDESK_MODEL__PATH", encoder.unwrap_or(folder))
            .env("FRONTDESK_ADMIN__TOKEN", TOKEN);
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let child = command.spawn().context("cannot start the server")?;
        let base: BaseUrl = format!("http://{address}").parse()?;
        let admin = Admin {
            server: base,
            token: Some(TOKEN.into()),
            token_hint: String::new(),
        };
        let mut server = Self {
            child,
            address,
            admin,
            log,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the server ended with {status}: {}",
                    fs::read_to_string(&self.log).unwrap_or_default()
                );
            }
            match self.admin.server.send("GET", "/readyz", &[], Vec::new()).await {
                Ok(reply) if reply.is_success() => return Ok(()),
                _ => sleep(Duration::from_millis(2)).await,
            }
        }
        bail!(
            "the server was not ready in time: {}",
            fs::read_to_string(&self.log).unwrap_or_default()
        )
    }

    /// Waits until nothing is left to learn; the first start learns what all answers mean, beside the calls.
    pub(super) async fn has_learnt(&self) -> Result<()> {
        let until = Instant::now() + LEARNING;
        let mut calm = 0;
        while calm < 5 {
            if Instant::now() > until {
                bail!(
                    "the server still learns what answers mean after {} s",
                    LEARNING.as_secs()
                );
            }
            let reply = self.admin.server.send("GET", "/readyz", &[], Vec::new()).await?;
            let readiness: serde_json::Value = serde_json::from_slice(&reply.body)?;
            let is_calm = readiness.get("training").and_then(serde_json::Value::as_u64) == Some(0);
            calm = if is_calm { calm + 1 } else { 0 };
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Turn records so far.
    pub(super) async fn counts(&self) -> Result<Counts> {
        let bearer = format!("Bearer {TOKEN}");
        let reply = self
            .admin
            .server
            .send("GET", "/metrics", &[("authorization", &bearer)], Vec::new())
            .await?;
        Ok(Counts::read(&reply.text()))
    }

    /// Waits until no turn record waits to be stored.
    pub(super) async fn drained(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.counts().await?.waiting == 0 {
                // The last group may be in the writer's hands.
                sleep(Duration::from_millis(300)).await;
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("turn records still wait to be stored after {} s", PATIENCE.as_secs())
    }

    pub(super) fn times(&self) -> Result<Times> {
        Times::of(self.child.id())
    }

    pub(super) fn memory(&self, name: &str) -> Result<u64> {
        memory(self.child.id(), name)
    }

    /// Ends it in order.
    pub(super) async fn stop(mut self) -> Result<()> {
        // The shell's own `kill`: a small system has no other.
        Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()])
            .status()
            .context("cannot send SIGTERM")?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() {
                    Ok(())
                } else {
                    bail!("the server ended with {status}")
                };
            }
            sleep(Duration::from_millis(10)).await;
        }
        bail!("the server did not end in time")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_metrics() {
        let metrics = "# TYPE x counter\nfrontdesk_turn_records_stored_total 12\nfrontdesk_turn_records_waiting 3\n";
        assert_eq!(
            Counts::read(metrics),
            Counts {
                waiting: 3,
                stored: 12,
                dropped: 0
            }
        );
    }
}
