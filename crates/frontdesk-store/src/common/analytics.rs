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
    companies: BTreeMap<(CompanyId, Slot), Rollup>,
}

impl Additions {
    /// Counts a turn.
    pub(crate) fn count(&mut self, turn: &TurnFacts<'_>) {
        let slot = Slot::of(turn.at);
        self.companies.entry((turn.company_id, slot)).or_default().count(turn);
    }

    /// Lets something add to a company's counts.
    pub(crate) fn add<E>(
        &mut self,
        company: CompanyId,
        slot: Slot,
        add: impl FnOnce(&mut Rollup) -> Result<(), E>,
    ) -> Result<(), E> {
        add(self.companies.entry((company, slot)).or_default())
    }

    /// What is to be added to each company's roll-ups.
    pub(crate) fn companies(&self) -> impl Iterator<Item = (CompanyId, Slot, &Rollup)> {
        self.companies
            .iter()
            .map(|((company, slot), rollup)| (*company, *slot, rollup))
    }

    /// Each roll-up with what is to be added to it. That of the platform comes last: all wait for it.
    pub(crate) fn finish(self) -> impl Iterator<Item = ((RollupScope, Slot), Rollup)> {
        let mut platform: BTreeMap<Slot, Rollup> = BTreeMap::new();
        for ((_, slot), rollup) in &self.companies {
            platform.entry(*slot).or_default().add(&rollup.without_answers());
        }
        let companies = self.companies.into_iter();
        let companies = companies.map(|((company, slot), rollup)| ((RollupScope::Company(company), slot), rollup));
        let platform = platform.into_iter();
        companies.chain(platform.map(|(slot, rollup)| ((RollupScope::Platform, slot), rollup)))
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
