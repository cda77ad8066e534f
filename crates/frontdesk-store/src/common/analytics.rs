//! What turns add to roll-ups.

use std::collections::BTreeMap;

use frontdesk_domain::{
    analytics::{Rollup, Slot, TurnFacts},
    ids::CompanyId,
};

use crate::ports::{FallbackCount, RollupScope};

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

/// How often callers of each company heard a fallback.
#[derive(Debug, Default)]
pub(crate) struct FallbackCounts(BTreeMap<CompanyId, (i64, i64)>);

impl FallbackCounts {
    /// Adds a roll-up of a company.
    pub(crate) fn add(&mut self, company: CompanyId, rollup: &Rollup) {
        let (asked, fallbacks) = self.0.entry(company).or_default();
        *asked += rollup.asked();
        *fallbacks += rollup.fallbacks();
    }

    /// The companies of which at least so many turns were counted.
    pub(crate) fn finish(self, turns: u64) -> Vec<FallbackCount> {
        let number = |count| u64::try_from(count).unwrap_or(0);
        let counts = self.0.into_iter().map(|(company, (asked, fallbacks))| FallbackCount {
            company,
            turns: number(asked),
            fallbacks: number(fallbacks),
        });
        counts.filter(|count| count.turns >= turns).collect()
    }
}
