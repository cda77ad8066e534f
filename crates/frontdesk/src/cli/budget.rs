//! Arguments of what shows and changes budgets.

use clap::{Args, Subcommand};
use frontdesk_domain::money::PicoUsd;

use super::ServerArguments;

/// Arguments of `budget`.
#[derive(Debug, Args)]
pub struct BudgetArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: BudgetCommand,
}

/// What can be done about budgets.
#[derive(Debug, Subcommand)]
pub enum BudgetCommand {
    /// Shows what the LLM may cost this month and did.
    Show(BudgetShowArguments),
    /// Sets what the LLM may cost a company in a month; 0 switches it off.
    #[command(after_help = "\
Example:
  frontdesk budget set --company norvell 25")]
    Set(BudgetSetArguments),
    /// Announces the month that counts: drops what is cached of the companies. A new month begins by itself.
    Reset(BudgetResetArguments),
    /// Adds every entry of the ledger up again, in the store on this machine; exit code 1 if any figure is wrong.
    Verify,
}

/// Arguments of `budget show`.
#[derive(Debug, Args)]
pub struct BudgetShowArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Of which company: an id, or a part of the name [default: all]
    #[arg(long, value_name = "NAME|ID")]
    pub company: Option<String>,
    /// Prints one JSON object a company
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `budget set`.
#[derive(Debug, Args)]
pub struct BudgetSetArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Of which company: an id, or a part of the name
    #[arg(long, value_name = "NAME|ID")]
    pub company: String,
    /// USD a month
    #[arg(value_name = "USD", value_parser = budget)]
    pub amount: PicoUsd,
}

/// Arguments of `budget reset`.
#[derive(Debug, Args)]
pub struct BudgetResetArguments {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Of which company: an id, or a part of the name [default: all]
    #[arg(long, value_name = "NAME|ID")]
    pub company: Option<String>,
}

fn budget(text: &str) -> Result<PicoUsd, String> {
    match text.strip_prefix('$').unwrap_or(text).parse::<PicoUsd>() {
        Ok(amount) if amount >= PicoUsd::ZERO => Ok(amount),
        Ok(_) => Err("give 0 or more".to_owned()),
        Err(error) => Err(format!("{text} {error}")),
    }
}
