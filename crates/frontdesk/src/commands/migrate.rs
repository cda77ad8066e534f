//! `frontdesk migrate`: one store's holdings into another.

use anyhow::{Context as _, Result};
use frontdesk_domain::money::PicoUsd;
use frontdesk_store::moving::Part;

use super::{Context, runtime};
use crate::{cli::MigrateArguments, config::StoreUrl, output::complain, wiring::moving::move_all};

/// So many more of a part are told in a line of their own.
const TELL_EVERY: usize = 1_000;

pub(super) fn run(context: &Context, arguments: &MigrateArguments) -> Result<()> {
    let config = context.config()?;
    // The address itself is left out: it may hold a password.
    let store = |name: &'static str, url: &str| url.parse::<StoreUrl>().context(name);
    let from = store("--from", &arguments.from)?;
    let to = store("--to", &arguments.to)?;
    complain(format_args!(
        "moving {from} to {to}; both are left to this process for as long as it takes"
    ));
    let mut counted = Counted::default();
    let moved = {
        let mut told = |part, count| counted.add(part, count);
        runtime()?.block_on(move_all(&config, from, to, arguments.resume, &mut told))?
    };
    counted.tell();
    context.output.line(format_args!(
        "moved and compared: {} companies, {} templates, {} Q&As, {} calls with {} turns, {} messages, {} notifications, {} ledger entries of {} USD",
        moved.companies,
        moved.templates,
        moved.qnas,
        moved.calls,
        moved.turns,
        moved.messages,
        moved.notifications,
        moved.entries,
        PicoUsd::from_pico(moved.spent),
    ))?;
    context.output.line(
        "the first store is as it was; set FRONTDESK_STORE__URL to the second and start the instances, then `frontdesk doctor`",
    )?;
    Ok(())
}

/// How many of the part at hand were moved.
#[derive(Default)]
struct Counted {
    part: Option<Part>,
    count: usize,
    told: usize,
}

impl Counted {
    fn add(&mut self, part: Part, count: usize) {
        if self.part != Some(part) {
            self.tell();
            *self = Self {
                part: Some(part),
                ..Self::default()
            };
        }
        self.count += count;
        if self.count >= self.told + TELL_EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if let Some(part) = self.part
            && self.count > self.told
        {
            complain(format_args!("  {} {}", self.count, part.as_str()));
            self.told = self.count;
        }
    }
}
