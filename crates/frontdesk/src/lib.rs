//! The frontdesk binary as a library: configuration, wiring, the telephone that `call` and tests use, the commands.
//!
//! [`wiring::start`] is where the process is put together, [`commands::run`] where the command line leads.

use std::{io, process::ExitCode};

pub mod admin;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod health;
pub mod http_client;
pub mod output;
pub mod phone;
pub mod readiness;
pub mod recordings;
pub mod retention;
pub mod wiring;

use http_client::Unreachable;

/// How the process ends: 0 done, 1 failed or refused, 2 wrong usage or configuration, 3 the server cannot be reached.
///
/// What went wrong is printed. A reader who has gone (`| head`) is no failure.
pub fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(is_gone) {
        return ExitCode::SUCCESS;
    }
    output::complain(format_args!("frontdesk: {error:#}"));
    if error.downcast_ref::<config::ConfigError>().is_some() {
        return ExitCode::from(2);
    }
    let is_unreachable = error.chain().any(<dyn std::error::Error>::is::<Unreachable>)
        || matches!(error.downcast_ref(), Some(admin::AdminError::Unreachable(_)))
        || matches!(error.downcast_ref(), Some(phone::PhoneError::Unreachable(_)));
    if is_unreachable {
        output::complain("start one with `frontdesk serve`, or name another with --url");
        return ExitCode::from(3);
    }
    ExitCode::FAILURE
}
