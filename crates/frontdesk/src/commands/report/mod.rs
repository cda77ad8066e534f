//! `frontdesk report`: the maintenance checklist, line by line.
//!
//! What each line means and by which figure it is judged: docs/analytics.md.

use anyhow::{Result, bail};

use super::{Context, companies, runtime};
use crate::{admin::Admin, cli::ReportArguments, output::Output};

mod evidence;
mod lines;

pub(super) use evidence::{Company, Evidence, count, list, percent, usd};
pub(super) use lines::TURNS;

/// How a line of the checklist stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Somebody should look.
    Look,
    /// It cannot be said.
    Unknown,
}

/// A line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) verdict: Verdict,
    /// What is checked.
    pub(super) title: &'static str,
    /// The numbers behind the verdict.
    pub(super) evidence: String,
    /// What to do; empty if nothing.
    pub(super) remedy: String,
}

impl Line {
    fn new(verdict: Verdict, title: &'static str, evidence: impl Into<String>) -> Self {
        Self {
            verdict,
            title,
            evidence: evidence.into(),
            remedy: String::new(),
        }
    }

    fn ok(title: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, title, evidence)
    }

    fn unknown(title: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, title, evidence)
    }

    fn look(title: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            remedy: remedy.into(),
            ..Self::new(Verdict::Look, title, evidence)
        }
    }
}

pub(super) fn run(context: &Context, arguments: &ReportArguments) -> Result<()> {
    let admin = context.admin(&arguments.server)?;
    runtime()?.block_on(report(context.output, &admin, arguments))
}

async fn report(output: Output, admin: &Admin, arguments: &ReportArguments) -> Result<()> {
    let all = companies::all(admin).await?;
    let wanted = match &arguments.company {
        None => all,
        Some(name) => vec![companies::find(&all, name)?],
    };
    let days = match (arguments.quarter, arguments.month) {
        (true, _) => 90,
        (_, true) => 30,
        _ => 14,
    };
    let evidence = Evidence::gather(admin, &wanted, days).await?;
    let mut lines = vec![("Weekly", lines::weekly(&evidence))];
    if arguments.month || arguments.quarter {
        lines.push(("Monthly", lines::monthly(&evidence)));
    }
    if arguments.quarter {
        lines.push(("Quarterly", lines::quarterly(&evidence)));
    }
    let mut looks = 0;
    for (period, lines) in lines {
        output.line(output.bold(period))?;
        for line in lines {
            looks += usize::from(line.verdict == Verdict::Look);
            print(output, &line)?;
        }
    }
    match looks {
        0 => Ok(()),
        1 => bail!("one line needs a look"),
        looks => bail!("{looks} lines need a look"),
    }
}

fn print(output: Output, line: &Line) -> Result<()> {
    let verdict = match line.verdict {
        Verdict::Ok => output.good("ok     "),
        Verdict::Look => output.bad("look   "),
        Verdict::Unknown => output.bold("unknown"),
    };
    output.line(format_args!("  {verdict} {}: {}", line.title, line.evidence))?;
    if !line.remedy.is_empty() {
        output.line(output.dim(format_args!("          → {}", line.remedy)))?;
    }
    Ok(())
}
