//! The front desk as a process that the run starts, stops and kills.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long a start may take.
const START: Duration = Duration::from_mins(1);
/// How long an orderly end may take before the process is killed.
const END: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

/// A server with a store of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// A server that runs this command, its words parted by blanks, with its store in `folder`; it is not started yet.
    ///
    /// # Errors
    /// There is no such program, or no free port.
    pub fn new(
        command: &str,
        folder: &Path,
        public_url: &str,
        token: &str,
        extra: &[(String, String)],
    ) -> Result<Self> {
        let mut words = command.split_whitespace();
        let program = words.next().context("the server's command is empty")?;
        // It runs in another folder than this process.
        let program = std::path::absolute(program)?;
        if !program.is_file() {
            bail!("there is no program at {}", program.display());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let address = listener.local_addr()?;
        let store = folder.join("frontdesk.db");
        let mut environment = vec![
            ("FRONTDESK_HTTP__LISTEN".to_owned(), address.to_string()),
            ("FRONTDESK_HTTP__PUBLIC_URL".to_owned(), public_url.to_owned()),
            ("FRONTDESK_ADMIN__TOKEN".to_owned(), token.to_owned()),
            ("FRONTDESK_STORE__URL".to_owned(), format!("sqlite:{}", store.display())),
        ];
        environment.extend_from_slice(extra);
        Ok(Self {
            program,
            arguments: words.map(OsString::from).collect(),
            environment,
            folder: folder.to_owned(),
            address,
            child: None,
        })
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

    /// The folder of its store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it and waits until `/readyz` says 200.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time.
    pub async fn start(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let log = self.folder.with_extension("log");
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.program);
        // What whoever runs this has set must not change what is found.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FRONTDESK_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        let child = self.child.insert(child);
        while began.elapsed() < START {
            if is_ready(self.address).await {
                return Ok(began.elapsed());
            }
            if let Some(status) = child.try_wait()? {
                let log = self.folder.with_extension("log");
                bail!(
                    "the server ended at its start with {status}; its log is {}",
                    log.display()
                );
            }
            sleep(LOOK).await;
        }
        bail!("the server was not ready after {} s", START.as_secs())
    }

    /// Kills it (SIGKILL).
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server does not run")?;
        child.kill().await?;
        Ok(())
    }

    /// Asks it to end (SIGTERM). Gives the time that this took.
    ///
    /// # Errors
    /// It does not run, ends with a failure, or does not end in time and was killed.
    pub async fn stop(&mut self) -> Result<Duration> {
        let mut child = self.child.take().context("the server does not run")?;
        let id = child.id().context("the server has ended by itself")?;
        let began = Instant::now();
        // The shell's own `kill`: a small system has no other.
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &id.to_string()])
            .status()
            .await?;
        if !sent.success() {
            bail!("SIGTERM cannot be sent to process {id}");
        }
        match timeout(END, child.wait()).await {
            Ok(status) => match status? {
                status if status.success() => Ok(began.elapsed()),
                status => bail!("the server ended with {status} after SIGTERM"),
            },
            Err(_) => bail!(
                "the server did not end within {} s of SIGTERM and was killed",
                END.as_secs()
            ),
        }
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    use std::io::ErrorKind::WouldBlock;

    let Ok(stream) = TcpStream::connect(address).await else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    if stream.writable().await.is_err() || stream.try_write(request).is_err() {
        return false;
    }
    let mut start = [0; 12];
    loop {
        if stream.readable().await.is_err() {
            return false;
        }
        match stream.try_read(&mut start) {
            Ok(_) => return start.ends_with(b" 200"),
            Err(error) if error.kind() == WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// A small disk in memory, unmounted when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// It may not be mounted here.
    pub fn mount(folder: &Path, megabytes: u32) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let output = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "callsim"])
            .arg(folder)
            .output()
            .context("there is no `mount`")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left then is left to the system.
        _ = std::process::Command::new("umount").arg(&self.folder).status();
    }
}
