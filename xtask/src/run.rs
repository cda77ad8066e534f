//! `run` and `call`: Frontdesk on this machine, with the demo businesses.

use std::{
    fs::File,
    io::{IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::step::{build_release, command, must, note, root, say};

/// How long the server may take to answer for the first time.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END: Duration = Duration::from_secs(8);
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Builds, serves and, on a terminal, calls.
pub(crate) fn serve(arguments: &[String]) -> Result<ExitCode> {
    let frontdesk = build_release("frontdesk", "frontdesk")?;
    install_model(&frontdesk);
    let address = listen_address(arguments);
    let mut server = command(&frontdesk);
    server.args(["serve", "--demo"]).args(arguments);
    say(format_args!(
        "starting Frontdesk with the demo businesses on the embedded store in {}",
        shown("frontdesk-data")
    ));
    note(format_args!("admin API: http://{address}/api/docs"));
    let on_the_phone = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !on_the_phone {
        note("this is no terminal, so it serves until it is stopped");
        // The server takes this process's place, so that whoever stops the task stops the server.
        return Err(server.exec()).context("cannot start the server");
    }
    let log_path = root().join("frontdesk-data").join("serve.log");
    std::fs::create_dir_all(root().join("frontdesk-data")).context("cannot make frontdesk-data/")?;
    let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
    note(format_args!("log: {}", shown("frontdesk-data/serve.log")));
    server.stdout(log.try_clone()?).stderr(log);
    let mut running = server.spawn().context("cannot start the server")?;
    let called = wait_until_ready(&mut running, &address, &log_path).and_then(|()| {
        say("you are on the phone now; /help lists what you can do, /hangup ends the call and the server");
        let mut phone = command(&frontdesk);
        phone.args(["call", "--url", &format!("http://{address}")]);
        phone.status().context("cannot start `frontdesk call`")
    });
    stop(&mut running)?;
    Ok(if called?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds and calls.
pub(crate) fn call(arguments: &[String]) -> Result<ExitCode> {
    let frontdesk = build_release("frontdesk", "frontdesk")?;
    install_model(&frontdesk);
    say("calling; a server that listens is used, else one is started for this call");
    let mut phone: Command = command(frontdesk);
    Err(phone.arg("call").args(arguments).exec()).context("cannot start `frontdesk call`")
}

/// Gets the sentence encoder. Frontdesk works without it, by words alone.
fn install_model(frontdesk: &Path) {
    let installed = must(
        "getting the sentence encoder behind tier 2, if it is not there",
        command(frontdesk).args(["model", "install"]),
    );
    if installed.is_err() {
        note("it goes on without the encoder: words alone decide, and every decision says `lexical`");
    }
}

/// The address in the arguments of `serve`, else the default one.
fn listen_address(arguments: &[String]) -> String {
    let mut listen = DEFAULT_LISTEN;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if let Some(value) = argument.strip_prefix("--listen=") {
            listen = value;
        } else if argument == "--listen" {
            listen = rest.next().map_or(listen, String::as_str);
        }
    }
    listen.to_owned()
}

fn wait_until_ready(server: &mut Child, address: &str, log: &Path) -> Result<()> {
    let since = Instant::now();
    while since.elapsed() < START {
        if let Some(status) = server.try_wait()? {
            bail!("the server ended with {status}:\n{}", last_lines(log));
        }
        if is_ready(address) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "the server was not ready after {} s:\n{}",
        START.as_secs(),
        last_lines(log)
    )
}

fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(
            stream,
            "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Asks the server to end, as a service manager would.
fn stop(server: &mut Child) -> Result<()> {
    if server.try_wait()?.is_none() {
        // The shell's own `kill`: a small system has no other.
        Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &server.id().to_string()])
            .status()
            .context("cannot send SIGTERM")?;
    }
    let since = Instant::now();
    while since.elapsed() < END {
        if server.try_wait()?.is_some() {
            say("the server has ended; its data stays in frontdesk-data/");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill().context("cannot kill the server")?;
    bail!("the server did not end within {} s and was killed", END.as_secs())
}

fn last_lines(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
}

fn shown(path: &str) -> String {
    root().join(path).display().to_string()
}
