//! The `callsim` command's options.

use std::path::PathBuf;

use clap::Parser;

use crate::faults::Shares;

/// Plays Twilio and its callers against a running front desk.
///
/// Exits with 1 when anything was wrong, with 2 when the run could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "callsim", version, about, max_term_width = 100)]
pub struct Arguments {
    /// Starts this server for the run, such as 'target/debug/frontdesk serve --demo'
    #[arg(long, value_name = "COMMAND", conflicts_with = "url")]
    pub server: Option<String>,
    /// A setting for that server; may be repeated
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = setting)]
    pub environment: Vec<(String, String)>,
    /// The folder for that server's store [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// How many megabytes its disk has when it is to be filled
    #[arg(long, value_name = "MB", default_value_t = 96)]
    pub disk: u32,
    /// A server that runs already
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The URL under which the server believes to be reached [default: --url]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The admin API's token; without one no records are asked for
    #[arg(long, value_name = "TOKEN", env = "CALLSIM_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Who is called, one JSON object a line
    #[arg(long, value_name = "FILE", default_value = "data/trades/companies.jsonl")]
    pub companies: PathBuf,
    /// What callers say, one JSON object a line
    #[arg(long, value_name = "FILE", default_value = "data/trades/utterances.dev.jsonl")]
    pub utterances: PathBuf,
    /// Callers that were written down (TOML or JSON), in place of drawn ones
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// How many calls are drawn
    #[arg(long, default_value_t = 100)]
    pub calls: usize,
    /// How many are held at once
    #[arg(long, default_value_t = 8)]
    pub at_once: usize,
    /// What everything is drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The webhook of a company's number, with Twilio's connection overrides in its fragment
    #[arg(
        long,
        value_name = "URL",
        default_value = "/api/twilio/voice/{companyId}#ct=2000&rt=5000&rc=1&rp=ct,rt,5xx&tt=15000"
    )]
    pub webhook: String,
    /// Where the progress of calls is told; empty: nowhere
    #[arg(long, value_name = "URL", default_value = "/api/twilio/status/{companyId}")]
    pub status_callback: String,
    /// The fallback URL of a company's number
    #[arg(long, value_name = "URL")]
    pub fallback_url: Option<String>,
    /// A folder of exported fallback documents, whose file names hold the company's id
    #[arg(long, value_name = "DIR", conflicts_with = "fallback_url")]
    pub fallback_dir: Option<PathBuf>,
    /// Where transcripts go
    #[arg(long, value_name = "DIR")]
    pub transcripts: Option<PathBuf>,
    /// Writes the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: FaultArguments,
}

/// Percentages.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Faults, in percent")]
pub struct FaultArguments {
    /// Of each kind below that has no percentage of its own, those of the server only with --server
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub faults: f64,
    /// Webhooks sent again
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub duplicates: Option<f64>,
    /// Webhooks sent several times at once
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub parallel: Option<f64>,
    /// Webhooks sent again after later ones
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub reordered: Option<f64>,
    /// Turns in which the caller hangs up while the answer is awaited
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub hang_ups: Option<f64>,
    /// Calls during which the store is locked for 2 s
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub store_locked: Option<f64>,
    /// Calls during which the disk is full for 2 s
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub disk_full: Option<f64>,
    /// Calls during which the server is restarted in order
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub restarts: Option<f64>,
    /// Calls during which it is killed
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub kills: Option<f64>,
}

impl FaultArguments {
    /// The shares, those of the server 0 if it is not ours and they were not named.
    #[must_use]
    pub fn shares(&self, own_server: bool) -> Shares {
        let share = |named: Option<f64>, default: f64| named.unwrap_or(default) / 100.0;
        let of_server = if own_server { self.faults } else { 0.0 };
        Shares {
            duplicates: share(self.duplicates, self.faults),
            parallel: share(self.parallel, self.faults),
            reordered: share(self.reordered, self.faults),
            hang_ups: share(self.hang_ups, self.faults),
            store_locked: share(self.store_locked, of_server),
            disk_full: share(self.disk_full, of_server),
            restarts: share(self.restarts, of_server),
            kills: share(self.kills, of_server),
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err("is not between 0 and 100".to_owned())
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
