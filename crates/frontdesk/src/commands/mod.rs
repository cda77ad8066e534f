//! The commands, one module each.

use anyhow::{Context as _, Result};
use secrecy::SecretString;
use tokio::runtime::Runtime;

use crate::{
    admin::Admin,
    cli::{Cli, Command, ServerArguments},
    config::{Config, DEFAULT, Origins},
    http_client::BaseUrl,
    output::{Output, Terminal},
};

mod analytics;
mod bench;
mod budget;
mod call;
mod companies;
mod dev;
mod doctor;
mod doctor_calls;
mod doctor_servers;
mod doctor_store;
mod doctor_twilio;
mod eval;
mod export;
mod fallback_documents;
mod import;
mod import_existing;
mod migrate;
mod model;
mod report;
mod route;
mod serve;
mod tune;
mod why;

/// What every command has at hand.
#[derive(Debug)]
pub struct Context {
    /// Where the configuration comes from.
    pub origins: Origins,
    /// The standard streams.
    pub terminal: Terminal,
    /// The standard output.
    pub output: Output,
}

/// Runs a command.
///
/// # Errors
/// It failed; [`crate::exit_code`] says how the process should end.
pub fn run(cli: Cli, environment: Vec<(String, String)>, terminal: Terminal) -> Result<()> {
    let origins = cli.settings.origins(environment);
    let context = Context {
        origins,
        terminal,
        output: Output::new(terminal),
    };
    match cli.command {
        Command::Serve(arguments) => serve::run(context, &arguments),
        Command::Call(arguments) => call::run(&context, &arguments),
        Command::Route(arguments) => route::run(&context, &arguments),
        Command::Import(arguments) => import::run(&context, &arguments),
        Command::Export(arguments) => export::run(&context, &arguments),
        Command::Doctor(arguments) => doctor::run(&context, &arguments),
        Command::FallbackDocuments(arguments) => fallback_documents::run(&context, &arguments),
        Command::Model(arguments) => model::run(&context, &arguments),
        Command::Eval(arguments) => eval::run(&context, &arguments),
        Command::Tune(arguments) => tune::run(&context, &arguments),
        Command::Budget(arguments) => budget::run(&context, &arguments),
        Command::Migrate(arguments) => migrate::run(&context, &arguments),
        Command::Analytics(arguments) => analytics::run(&context, &arguments),
        Command::Report(arguments) => report::run(&context, &arguments),
        Command::Dev(arguments) => dev::run(&context, &arguments),
        Command::Config => Ok(context.output.part(DEFAULT)?),
        Command::Bench(arguments) => bench::run(&context, &arguments),
    }
}

impl Context {
    /// The configuration.
    fn config(&self) -> Result<Config> {
        Ok(Config::load(&self.origins)?)
    }

    /// The server that the arguments or the configuration name, and the token for it.
    fn admin(&self, arguments: &ServerArguments) -> Result<Admin> {
        let config = self.config()?;
        let server = arguments
            .url
            .clone()
            .unwrap_or_else(|| BaseUrl::of_listener(config.http.listen));
        Ok(admin_of(
            &config,
            server,
            arguments.token.clone().map(SecretString::from),
        ))
    }
}

/// The admin API of a server: with this token, else the configured one, else the one that the server made.
fn admin_of(config: &Config, server: BaseUrl, token: Option<SecretString>) -> Admin {
    let file = config.token_file();
    let from_file = || {
        let token = std::fs::read_to_string(&file).ok()?;
        Some(SecretString::from(token.trim()))
    };
    let token_hint = format!(
        "give the right one with --token or FRONTDESK_ADMIN__TOKEN, or run this where the server keeps its own ({})",
        file.display()
    );
    let token = token.or_else(|| config.token.clone()).or_else(from_file);
    Admin {
        server,
        token,
        token_hint,
    }
}

/// A runtime for a command that waits for one answer after the other.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
