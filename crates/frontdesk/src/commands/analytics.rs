//! `frontdesk analytics`: counts stored calls again.

use anyhow::{Result, bail};
use frontdesk_domain::{
    analytics::{Counter, Rollup, Slot},
    ids::CompanyId,
    time::{Date, TimeZone, Timestamp},
};
use frontdesk_store::{
    ports::RollupScope,
    recount::{Difference, Range},
};

use super::{Context, runtime};
use crate::{
    cli::{AnalyticsArguments, AnalyticsCommand, RebuildArguments},
    wiring,
};

/// So many differences are shown one by one.
const SHOWN: usize = 20;

pub(super) fn run(context: &Context, arguments: &AnalyticsArguments) -> Result<()> {
    match &arguments.command {
        AnalyticsCommand::Rebuild(arguments) => runtime()?.block_on(rebuild(context, arguments)),
    }
}

fn midnight(date: Date) -> Timestamp {
    let midnight = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    midnight.unwrap_or(Timestamp::MAX)
}

async fn rebuild(context: &Context, arguments: &RebuildArguments) -> Result<()> {
    let company = match &arguments.company {
        None => None,
        Some(text) => match text.parse::<CompanyId>() {
            Ok(company) => Some(company),
            Err(_) => bail!(
                "`{text}` is no id of a company: it has 24 hexadecimal digits, as `frontdesk budget show --json` lists them"
            ),
        },
    };
    let from = arguments
        .from
        .map_or(Slot::from_number(i64::MIN), |day| Slot::of(midnight(day)));
    let after = arguments.to.map(|day| day.tomorrow().unwrap_or(day));
    let to = after.map_or(Slot::from_number(i64::MAX), |day| Slot::of(midnight(day)));
    if from >= to {
        bail!("--from is later than --to");
    }
    let found = wiring::recount(&context.config()?, company, Range { from, to }).await?;
    let output = context.output;
    for difference in found.differences.iter().take(SHOWN) {
        output.line(output.bad(shown(difference)))?;
    }
    let more = found.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        output.line(format_args!("and {more} more"))?;
    }
    output.line(format_args!(
        "{} turns counted again: {} of {} roll-ups were compared",
        found.turns, found.counted, found.rollups
    ))?;
    if found.thinned > 0 {
        output.line(format_args!(
            "{} count turns that are deleted by now (retention or erasure): they stay as they are, and are not less than what is left",
            found.thinned
        ))?;
    }
    if found.busy > 0 {
        output.line(format_args!(
            "{} changed while they were counted, because calls are going on: run this again for them",
            found.busy
        ))?;
    }
    if found.restored > 0 {
        output.line(format_args!(
            "{} turns that nothing matched were added to the lists of those",
            found.restored
        ))?;
    }
    match found.differences.len() {
        0 => Ok(output.line(output.good("every roll-up is what its turns add up to"))?),
        wrong => {
            let corrected = found
                .differences
                .iter()
                .filter(|difference| difference.corrected)
                .count();
            bail!("{wrong} roll-ups were not what their turns add up to; {corrected} are corrected")
        }
    }
}

fn shown(difference: &Difference) -> String {
    let scope = match difference.scope {
        RollupScope::Platform => "all companies".to_owned(),
        RollupScope::Company(company) => format!("company {company}"),
    };
    let figures = |rollup: &Rollup| {
        format!(
            "{} turns, {} fallbacks, ${}",
            rollup.get(Counter::Turns),
            rollup.fallbacks(),
            rollup.cost()
        )
    };
    let stored = difference.stored.as_ref().map_or_else(|| "nothing".to_owned(), figures);
    let what = if difference.corrected {
        "corrected"
    } else {
        "some of its turns are deleted, so it stays"
    };
    format!(
        "{scope} {}: said {stored}; its turns are {}; {what}",
        difference.slot.start(),
        figures(&difference.counted)
    )
}
