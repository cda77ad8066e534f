//! Arguments of what counts calls and judges them.

use clap::{Args, Subcommand};
use frontdesk_domain::time::Date;

use super::ServerArguments;

/// Arguments of `analytics`.
#[derive(Debug, Args)]
pub struct AnalyticsArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: AnalyticsCommand,
}

/// What can be done about what is counted.
#[derive(Debug, Subcommand)]
pub enum AnalyticsCommand {
    /// Counts the stored turns again, in the configured store, and corrects each roll-up that says something else.
    ///
    /// Safe while calls are answered. Turns that are deleted cannot be counted again: what was counted of them stays.
    #[command(after_help = "\
Exit code 1 if a roll-up was wrong.

Examples:
  frontdesk analytics rebuild
  frontdesk analytics rebuild --company 66f000000000000000000c01 --from 2026-11-01 --to 2026-11-30")]
    Rebuild(RebuildArguments),
}

/// Arguments of `analytics rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArguments {
    /// Of which company: its id [default: all that have records]
    #[arg(long, value_name = "ID")]
    pub company: Option<String>,
    /// From this day on, in UTC [default: the first]
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Up to this day, included, in UTC [default: the last]
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("period").required(true))]
pub struct ReportArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// The weekly lines, of the last 7 days
    #[arg(long, group = "period")]
    pub week: bool,
    /// The monthly lines, of the last 30 days, after the weekly ones
    #[arg(long, group = "period")]
    pub month: bool,
    /// The quarterly lines, of the last 90 days, after the others
    #[arg(long, group = "period")]
    pub quarter: bool,
    /// Of which company: an id, or a part of the name [default: all]
    #[arg(long, value_name = "NAME|ID")]
    pub company: Option<String>,
}
