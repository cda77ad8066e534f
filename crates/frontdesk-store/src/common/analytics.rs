//! What turns add to roll-ups.

use std::collections::BTreeMap;

use frontdesk_domain::analytics::{Rollup, Slot, TurnFacts};

use crate::ports::RollupScope;

/// What turns add to the roll-ups, those of companies first.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    companies: BTreeMap<(RollupScope, Slot), Rollup>,
    platform: BTreeMap<(RollupScope, Slot), Rollup>,
}

impl Additions {
    /// Counts a turn.
    pub(crate) fn count(&mut self, turn: &TurnFacts<'_>) {
        let slot = Slot::of(turn.at);
        let company = (RollupScope::Company(turn.company_id), slot);
        self.companies.entry(company).or_default().count(turn);
    }

    /// Each roll-up with what is to be added to it. That of the platform comes last: all wait for it.
    pub(crate) fn finish(mut self) -> impl Iterator<Item = ((RollupScope, Slot), Rollup)> {
        for ((_, slot), rollup) in &self.companies {
            let platform = self.platform.entry((RollupScope::Platform, *slot)).or_default();
            platform.add(&rollup.without_answers());
        }
        self.companies.into_iter().chain(self.platform)
    }
}
