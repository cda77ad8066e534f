//! The real binary as a process of its own.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use http::Method;

use crate::{connection::Connection, operator::Operator, signal};

/// The URL under which Twilio would reach the server; it is signed, never connected to.
pub const PUBLIC_URL: &str = "https://fd.example.test";

/// How long a start may take before it is given up.
const START: Duration = Duration::from_secs(20);

/// How often a process is looked at that should start or end.
const LOOK: Duration = Duration::from_millis(5);

/// A server with a store of its own, on a port of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    /// Run by a shell before the program takes its place.
    prelude: Option<String>,
    /// Settings beside those that every server here gets.
    settings: Vec<(String, String)>,
    folder: PathBuf,
    address: SocketAddr,
    token: String,
    child: Option<Child>,
}

impl Server {
    /// A server that runs `program` with its store in `folder`; nothing is started yet. It keeps its port and its token
    /// over restarts.
    ///
    /// # Errors
    /// There is no such program, or no free port.
    pub fn new(program: &Path, folder: &Path) -> Result<Self> {
        // The server runs in another folder than this process.
        let program = std::path::absolute(program)?;
        if !program.is_file() {
            bail!("there is no program at {}", program.display());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        Ok(Self {
            program,
            prelude: None,
            settings: Vec::new(),
            folder: folder.to_owned(),
            address: listener.local_addr()?,
            token: format!("testkit-{:032x}", rand::random::<u128>()),
            child: None,
        })
    }

    /// Runs shell commands in the server's process before the server takes it over, such as a `ulimit`.
    #[must_use]
    pub fn with_prelude(mut self, commands: &str) -> Self {
        self.prelude = Some(commands.to_owned());
        self
    }

    /// Sets `FRONTDESK_{name}`, such as `LLM__BASE_URL`.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((format!("FRONTDESK_{name}"), value.into()));
        self
    }

    /// Takes this admin token, which several servers may share.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The store's file.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join("frontdesk.db")
    }

    /// Where it logs to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("frontdesk.log")
    }

    /// A new connection to it.
    #[must_use]
    pub const fn connection(&self) -> Connection {
        Connection::new(self.address)
    }

    /// An operator with its token and a connection of their own.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::new(self.connection(), &self.token)
    }

    /// Starts the process and does not wait.
    ///
    /// # Errors
    /// It cannot be started, or runs already.
    pub fn spawn(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("the server runs already");
        }
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = match &self.prelude {
            Some(prelude) => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", &format!("{prelude}\nexec \"$0\" serve")])
                    .arg(&self.program);
                shell
            }
            None => {
                let mut command = Command::new(&self.program);
                command.arg("serve");
                command
            }
        };
        let child = self
            .configure(&mut command)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Runs another command of the program with the server's settings, such as `budget verify`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.configure(&mut command)
            .output()
            .context("the program cannot be started")
    }

    fn configure<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // What whoever runs the tests has set must not change what they find.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("FRONTDESK_") || name == "OPENAI_API_KEY" {
                command.env_remove(&*name);
            }
        }
        command
            .current_dir(&self.folder)
            .env("FRONTDESK_HTTP__LISTEN", self.address.to_string())
            .env("FRONTDESK_HTTP__PUBLIC_URL", PUBLIC_URL)
            .env("FRONTDESK_ADMIN__TOKEN", &self.token)
            // Words alone: these tests are about other things, and each starts on an empty store.
            .env("FRONTDESK_MODEL__PATH", "/nonexistent/model")
            // A load is no abuse.
            .env("FRONTDESK_LIMITS__TURNS_PER_CALL", "0")
            .env("FRONTDESK_LIMITS__SECONDS_PER_CALL", "0")
            .env("FRONTDESK_LIMITS__CALLS_PER_CALLER_PER_HOUR", "0")
            .env("FRONTDESK_LIMITS__CONCURRENT_CALLS_PER_COMPANY", "0")
            .env("FRONTDESK_STORE__URL", format!("sqlite:{}", self.store().display()))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
    }

    /// Starts the process and waits until `/readyz` says 200. Gives the time that this took.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready after 20 s.
    pub async fn start(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.spawn()?;
        let mut connection = self.connection();
        while began.elapsed() < START {
            if let Ok(reply) = connection.send(&Method::GET, "/readyz", &[], Vec::new()).await
                && reply.status == 200
            {
                return Ok(began.elapsed());
            }
            if let Some(status) = self.ended()? {
                bail!("the server ended at its start with {status}:\n{}", self.last_lines());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!(
            "the server was not ready after {} s:\n{}",
            START.as_secs(),
            self.last_lines()
        )
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let ended = child.try_wait()?;
        if ended.is_some() {
            self.child = None;
        }
        Ok(ended)
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills the process (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// It does not run, or cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Sends the process a signal by its name, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// It does not run, or the signal cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal::send(self.id().context("the server does not run")?, name)
    }

    /// Asks the process to end (SIGTERM), as a service manager would. Gives the time that it took.
    ///
    /// # Errors
    /// It does not run, does not end within `limit`, or ends with a failure.
    pub async fn stop(&mut self, limit: Duration) -> Result<Duration> {
        let began = Instant::now();
        self.signal("TERM")?;
        while began.elapsed() < limit {
            match self.ended()? {
                Some(status) if status.success() => return Ok(began.elapsed()),
                Some(status) => bail!("the server ended with {status}:\n{}", self.last_lines()),
                None => tokio::time::sleep(LOOK).await,
            }
        }
        self.kill()?;
        bail!(
            "the server did not end within {} s of SIGTERM and was killed",
            limit.as_secs_f32()
        )
    }

    /// The end of its log.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let read = || -> std::io::Result<String> {
            use std::io::{Read as _, Seek as _, SeekFrom};
            let mut file = File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(3_000)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            _ = child.kill();
            _ = child.wait();
        }
    }
}
