//! The `callsim` command.

use std::{io::Write as _, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use frontdesk_callsim::{
    caller,
    cli::Arguments,
    network::Network,
    run::{self, Admin, Calls, Summary, World},
    server::{Server, SmallDisk},
};

/// The URL under which a server of our own would be reached; it is signed, never connected to.
const PUBLIC_URL: &str = "https://fd.example.test";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let held = match runtime {
        Ok(runtime) => runtime.block_on(hold(&arguments)),
        Err(error) => Err(error.into()),
    };
    match held.and_then(|summary| show(&arguments, &summary).map(|()| summary.is_clean())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody may be there to read it.
            _ = writeln!(std::io::stderr().lock(), "callsim: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn show(arguments: &Arguments, summary: &Summary) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, summary)?;
        writeln!(out)?;
    } else {
        write!(out, "{summary}")?;
    }
    Ok(())
}

async fn hold(arguments: &Arguments) -> Result<Summary> {
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let companies = run::companies(&read(&arguments.companies)?)
        .with_context(|| format!("{} holds no companies", arguments.companies.display()))?;
    let calls = match &arguments.script {
        Some(script) => Calls::Scripts(caller::scripts(&read(script)?)?),
        None => {
            let utterances = caller::utterances(&read(&arguments.utterances)?)
                .with_context(|| format!("{} holds no utterances", arguments.utterances.display()))?;
            Calls::Drawn(arguments.calls, utterances)
        }
    };
    let mut shares = arguments.faults.shares(arguments.server.is_some());

    // What is dropped last outlives the server.
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut folder = match &arguments.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => temporary.path().join("store"),
    };
    std::fs::create_dir_all(&folder)?;
    let mut disk = None;
    if shares.disk_full > 0.0 {
        let mounted = temporary.path().join("disk");
        match SmallDisk::mount(&mounted, arguments.disk) {
            Ok(small) => {
                disk = Some(small);
                folder = mounted;
            }
            Err(why) => {
                let mut err = std::io::stderr().lock();
                _ = writeln!(
                    err,
                    "no disk is filled in this run: a small one cannot be mounted here ({why:#})"
                );
                shares.disk_full = 0.0;
            }
        }
    }
    let public_url = match (&arguments.public_url, &arguments.server) {
        (Some(url), _) => url.as_str(),
        (None, Some(_)) => PUBLIC_URL,
        (None, None) => arguments.url.as_str(),
    };
    let (mut server, authority, token) = match &arguments.server {
        None => {
            let Some(authority) = arguments.url.strip_prefix("http://") else {
                bail!("--url is a server that is spoken to without TLS, such as http://127.0.0.1:8080");
            };
            let authority = authority.trim_end_matches('/').to_owned();
            (None, authority, arguments.admin_token.clone())
        }
        Some(command) => {
            let token = format!("callsim-{:032x}", rand::random::<u128>());
            let mut server = Server::new(command, &folder, public_url, &token, &arguments.environment)?;
            server.start().await?;
            let authority = server.address().to_string();
            (Some(server), authority, Some(token))
        }
    };
    let world = World {
        network: Network::new(public_url, &authority),
        companies,
        webhook: arguments.webhook.clone(),
        status_callback: Some(arguments.status_callback.clone()).filter(|url| !url.is_empty()),
        fallback_url: arguments.fallback_url.clone(),
        fallback_folder: arguments.fallback_dir.clone(),
        shares,
        seed: arguments.seed,
        began: (now(), Instant::now()),
        admin: token.map(|token| Admin {
            token,
            network: Network::new(public_url, &authority),
        }),
        transcripts: arguments.transcripts.clone(),
        tells: true,
    };
    let summary = run::run(&world, &calls, arguments.at_once, server.as_mut()).await;
    if let Some(server) = &mut server {
        // What the run found matters more than how its server ends.
        _ = server.kill().await;
    }
    drop(disk);
    summary
}

#[expect(clippy::disallowed_methods, reason = "the clock is read once, here")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
