//! A server for the tests of the `MongoDB` store: the one that is named, else `SecantusDB`, which speaks its protocol.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    step::{command, note, say, target_directory},
    tools,
};

/// The address of a server, for the tests.
pub(crate) const URI: &str = "FRONTDESK_TEST_MONGODB_URI";

/// The path of the program that tests start which kill their server.
pub(crate) const PROGRAM: &str = "FRONTDESK_TEST_MONGODB_PROGRAM";

/// It listens within so long.
const START: Duration = Duration::from_mins(1);

/// A server that runs as long as this lives.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    /// Its address.
    pub(crate) uri: String,
}

impl Server {
    /// Starts one on a free port, unless the variable names one that runs.
    pub(crate) fn start() -> Result<Option<Self>> {
        if env::var_os(URI).is_some() {
            say(format_args!(
                "the tests of the MongoDB store use the server that {URI} names"
            ));
            return Ok(None);
        }
        let program = tools::secantusd()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = target_directory()?.join(format!("mongodb-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let uri = format!("mongodb://127.0.0.1:{port}");
        say(format_args!(
            "starting SecantusDB for the tests of the MongoDB store: {uri}"
        ));
        // Without --sync-on-commit it acknowledges writes that a kill loses.
        let child = command(&program)
            .args([
                "--host",
                "127.0.0.1",
                "--sync-on-commit",
                "--port",
                &port.to_string(),
                "--storage-path",
            ])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let server = Self { child, folder, uri };
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > until {
                bail!("{} does not listen on port {port}", program.display());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(Some(server))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What fails here leaves a folder of a few megabytes below `target/`.
        _ = self.child.kill();
        _ = self.child.wait();
        if fs::remove_dir_all(&self.folder).is_err() {
            note(format_args!("{} could not be removed", self.folder.display()));
        }
    }
}
