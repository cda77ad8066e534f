//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Flag, Origins},
    http_client::BaseUrl,
};

/// Answers the phone for many small businesses at once.
#[derive(Debug, Parser)]
#[command(
    name = "frontdesk",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done · 1 failed or refused · 2 wrong usage or configuration · 3 the server cannot be reached

Examples:
  frontdesk serve --demo                      serve the demo businesses on http://127.0.0.1:8080
  frontdesk call                              call one of them, from another terminal
  frontdesk doctor                            say what is missing, and what to do about it"
)]
pub struct Cli {
    /// Settings that every command reads.
    #[command(flatten)]
    pub settings: SettingFlags,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Settings that every command reads.
#[derive(Debug, Args)]
pub struct SettingFlags {
    /// The configuration file [default: frontdesk.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The store, such as sqlite:frontdesk-data/frontdesk.db
    #[arg(long, global = true, value_name = "URL")]
    pub store: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the voice routes and the admin API until it is stopped.
    #[command(after_help = "\
Every setting with its default and its meaning: frontdesk config

Examples:
  frontdesk serve --demo
  FRONTDESK_HTTP__PUBLIC_URL=https://voice.example.com frontdesk serve --listen 0.0.0.0:8080")]
    Serve(ServeArguments),
    /// Calls a business by its webhook, as Twilio would, and shows why each answer was given.
    #[command(after_help = "\
During the call: what you type is what the caller says. /why, /press KEYS, /silence, /hangup, /help.
If no server listens at the default address, one is started for the call.

Examples:
  frontdesk call
  frontdesk call --company norvell
  printf 'how much is a visit\\n/why\\n' | frontdesk call --company norvell
  echo 'i smell gas' | frontdesk call --company norvell --json")]
    Call(CallArguments),
    /// Shows what a caller would hear, without a call.
    #[command(after_help = "\
Examples:
  frontdesk route --company norvell \"when do you open on saturdays\"
  frontdesk route --company norvell --json \"my furnace is not heating\"")]
    Route(RouteArguments),
    /// Imports documents: all of them, or none and the reasons.
    #[command(after_help = "\
A file holds one JSON document a line, or several over many lines, as `frontdesk export` writes them:
{\"type\": \"company|template|qna|tradeQna|overlay|safety|prompts\", \"document\": {…}}. Bare companies and templates
are recognised. Documents are matched by id: what is there is replaced.

Examples:
  frontdesk import companies.jsonl templates.jsonl
  mongoexport --collection companies | frontdesk import -")]
    Import(ImportArguments),
    /// Writes all documents as JSON lines, without secrets.
    #[command(after_help = "\
Examples:
  frontdesk export -o backup.jsonl
  frontdesk export | jq 'select(.type == \"company\") | .document.name'")]
    Export(ExportArguments),
    /// Looks at configuration, store, server and companies, and says what is missing and what to do.
    Doctor(DoctorArguments),
    /// Writes what Twilio does when Frontdesk itself is gone, as files for any web host.
    #[command(after_help = "\
Each company gets a file named by its id: one sentence, a dial, a goodbye. Put the folder on a web host of another
provider and enter each file's URL at Twilio as the number's fallback URL (\"primary handler fails\"), method GET.

Examples:
  frontdesk fallback-documents --out fallback
  frontdesk fallback-documents --out /srv/www/fallback --watch")]
    FallbackDocuments(FallbackArguments),
    /// Prints the default configuration, which explains every setting.
    Config,
    /// Measures a server of its own under load.
    #[command(after_help = "\
The server runs on core 0 and the load on core 1, on a store in a temporary folder.

Example:
  frontdesk bench --companies 20 --seconds 3")]
    Bench(BenchArguments),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Imports the demo businesses, if none of them is there
    #[arg(long)]
    pub demo: bool,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The URL under which Twilio reaches this server
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// How the log looks: text or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// Which server, and the token for it.
#[derive(Debug, Args)]
pub struct ServerArguments {
    /// The server [default: where this configuration listens, `http://127.0.0.1:8080`]
    #[arg(long, value_name = "URL")]
    pub url: Option<BaseUrl>,
    /// The admin token [default: `FRONTDESK_ADMIN__TOKEN`, else the file beside the store]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// Arguments of `call`.
#[derive(Debug, Args)]
pub struct CallArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Whom to call: an id, or a part of the name
    #[arg(long, value_name = "NAME|ID")]
    pub company: Option<String>,
    /// The company's Twilio auth token [default: the demo's, else the one in the store]
    #[arg(long, value_name = "TOKEN")]
    pub auth_token: Option<String>,
    /// The public URL of the server, which is signed [default: the configured one, else --url]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The caller's number
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<String>,
    /// Prints one JSON object a turn
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `route`.
#[derive(Debug, Args)]
pub struct RouteArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Of which company: an id, or a part of the name
    #[arg(long, value_name = "NAME|ID")]
    pub company: String,
    /// Prints the decision as JSON
    #[arg(long)]
    pub json: bool,
    /// What the caller says
    #[arg(required = true, value_name = "WORDS")]
    pub words: Vec<String>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Files, imported together; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Where to write [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Tests each company's signature and prints a signed sample request to paste
    #[arg(long)]
    pub twilio: bool,
}

/// Arguments of `fallback-documents`.
#[derive(Debug, Args)]
pub struct FallbackArguments {
    /// The folder; it is made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Goes on and keeps the files current
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArguments {
    /// How many companies
    #[arg(long, default_value_t = 100)]
    pub companies: u32,
    /// How many scenarios each of them has
    #[arg(long, default_value_t = 200)]
    pub scenarios: u32,
    /// How long each measurement lasts, in seconds
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// Sends this load to a server and prints what came of it; the command starts itself with it
    #[arg(long, hide = true, value_name = "JSON")]
    pub load: Option<String>,
}

impl SettingFlags {
    /// Where the configuration comes from. `environment` are the process's variables.
    #[must_use]
    pub fn origins(&self, environment: Vec<(String, String)>) -> Origins {
        let mut origins = Origins {
            file: self.config.clone(),
            environment,
            flags: Vec::new(),
        };
        origins.set("store.url", "--store", self.store.as_ref());
        origins
    }
}

impl Origins {
    /// Adds a setting of the command line, if it was given.
    pub fn set(&mut self, key: &'static str, name: &'static str, value: Option<&String>) {
        self.flags.extend(value.map(|value| Flag {
            key,
            name,
            value: value.clone(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_server_without_a_scheme_is_refused_with_what_would_be_right() {
        let error = Cli::try_parse_from(["frontdesk", "doctor", "--url", "localhost"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("http://127.0.0.1:8080"), "{error}");
    }
}
