//! Counting again what roll-ups say, from the turns that are still kept.
//!
//! Turns go on being stored meanwhile. So each roll-up is read before and after its turns: one that is the same both
//! times has been counted again, because whoever stores a turn changes the roll-up with it; any other is looked at once
//! more.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::{
    analytics::{Miss, Rollup, Slot, TurnFacts},
    ids::CompanyId,
};

use crate::ports::{Backend, CallCursor, CallFilter, Page, RollupScope, SlotRollup, StoreError};

/// So many calls are read at once.
const CALLS: usize = 200;

/// So many misses are restored at once.
const MISSES: usize = 200;

/// A roll-up that changed while its turns were read is looked at so often.
const ROUNDS: usize = 3;

/// What to count again.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// From this quarter of an hour on.
    pub from: Slot,
    /// Before this one.
    pub to: Slot,
}

/// A roll-up that was not what its turns add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose.
    pub scope: RollupScope,
    /// Of which quarter of an hour.
    pub slot: Slot,
    /// What it said; `None` if there was none.
    pub stored: Option<Rollup>,
    /// What its turns add up to.
    pub counted: Rollup,
    /// Whether it was corrected: some of the turns of another are deleted, so that it cannot be.
    pub corrected: bool,
}

/// What counting again has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recount {
    /// Roll-ups that were looked at.
    pub rollups: u64,
    /// Of these, those whose turns are still all there, and which were counted again.
    pub counted: u64,
    /// Of these, those of whose turns some are deleted: they were only held to be no less than what is left.
    pub thinned: u64,
    /// Of these, those that changed whenever they were looked at: calls are going on.
    pub busy: u64,
    /// Turns that were read.
    pub turns: u64,
    /// Turns that nothing matched and that were missing among those.
    pub restored: u64,
    /// Roll-ups that said something else.
    pub differences: Vec<Difference>,
}

/// The turns of one company, counted.
#[derive(Debug, Default)]
struct Counted {
    turns: u64,
    rollups: BTreeMap<Slot, Rollup>,
    misses: Vec<Miss>,
}

async fn count(store: &dyn Backend, company: CompanyId, range: Range) -> Result<Counted, StoreError> {
    let filter = CallFilter {
        to: Some(range.to.start()),
        ..CallFilter::default()
    };
    let mut counted = Counted::default();
    let mut after = None;
    loop {
        let page = Page { after, limit: CALLS };
        let calls = store.calls(company, &filter, page).await?;
        let Some(last) = calls.last() else { return Ok(counted) };
        after = Some(CallCursor {
            started_at: last.started_at,
            call_id: last.call_id.clone(),
        });
        for call in calls {
            for turn in call.turns {
                let facts = serde_json::from_value::<TurnFacts<'_>>(turn);
                let facts = facts.map_err(|error| StoreError::Unreadable {
                    what: format!("a turn of call {}", call.call_id),
                    detail: error.to_string(),
                })?;
                let slot = Slot::of(facts.at);
                if (range.from..range.to).contains(&slot) {
                    counted.turns += 1;
                    counted.rollups.entry(slot).or_default().count(&facts);
                    counted.misses.extend(Miss::of(&facts));
                }
            }
        }
    }
}

async fn stored(
    store: &dyn Backend,
    scope: RollupScope,
    range: Range,
) -> Result<BTreeMap<Slot, SlotRollup>, StoreError> {
    let found = store.rollups(scope, range.from, range.to).await?;
    Ok(found.into_iter().map(|rollup| (rollup.slot, rollup)).collect())
}

/// Counts the turns of these companies again and corrects each roll-up that says something else, that of all companies
/// together included.
///
/// # Errors
/// The store cannot answer, or a turn in it cannot be read.
pub async fn recount(store: &dyn Backend, companies: &[CompanyId], range: Range) -> Result<Recount, StoreError> {
    let mut all = Recount::default();
    for company in companies {
        recount_company(store, *company, range, &mut all).await?;
    }
    recount_platform(store, range, &mut all).await?;
    Ok(all)
}

async fn recount_company(
    store: &dyn Backend,
    company: CompanyId,
    range: Range,
    all: &mut Recount,
) -> Result<(), StoreError> {
    let scope = RollupScope::Company(company);
    let mut left: Option<BTreeSet<Slot>> = None;
    for _ in 0..ROUNDS {
        let before = stored(store, scope, range).await?;
        let counted = count(store, company, range).await?;
        let after = stored(store, scope, range).await?;
        let slots: BTreeSet<Slot> = match &left {
            Some(left) => left.clone(),
            None => before
                .keys()
                .chain(after.keys())
                .chain(counted.rollups.keys())
                .copied()
                .collect(),
        };
        if left.is_none() {
            all.turns += counted.turns;
            all.rollups += slots.len() as u64;
            for misses in counted.misses.chunks(MISSES) {
                all.restored += store.restore_misses(company, misses.to_vec()).await?;
            }
        }
        let mut again = BTreeSet::new();
        for slot in slots {
            let seen = after.get(&slot);
            let now = counted.rollups.get(&slot).cloned().unwrap_or_default();
            let is_same = before.get(&slot) == seen;
            if !is_same || !compare(store, scope, slot, seen, now, all).await? {
                again.insert(slot);
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        left = Some(again);
    }
    all.busy += left.map_or(0, |left| left.len() as u64);
    Ok(())
}

/// Compares a roll-up with what its turns add up to, and corrects it; `false` if it has changed meanwhile.
async fn compare(
    store: &dyn Backend,
    scope: RollupScope,
    slot: Slot,
    seen: Option<&SlotRollup>,
    counted: Rollup,
    all: &mut Recount,
) -> Result<bool, StoreError> {
    let said = seen.map(|seen| &seen.rollup);
    if seen.is_some_and(|seen| seen.thinned) {
        all.thinned += 1;
        if !said.is_some_and(|said| counted.is_within(said)) {
            all.differences.push(Difference {
                scope,
                slot,
                stored: said.cloned(),
                counted,
                corrected: false,
            });
        }
        return Ok(true);
    }
    let is_right = said.map_or_else(|| counted.is_empty(), |said| *said == counted);
    if !is_right {
        if !store.replace_rollup(scope, slot, said, counted.clone()).await? {
            return Ok(false);
        }
        all.differences.push(Difference {
            scope,
            slot,
            stored: said.cloned(),
            counted,
            corrected: true,
        });
    }
    all.counted += 1;
    Ok(true)
}

/// What is counted of all companies together is the sum of what is counted of each.
async fn recount_platform(store: &dyn Backend, range: Range, all: &mut Recount) -> Result<(), StoreError> {
    let mut left: Option<BTreeSet<Slot>> = None;
    for _ in 0..ROUNDS {
        let before = stored(store, RollupScope::Platform, range).await?;
        let mut sums: BTreeMap<Slot, Rollup> = BTreeMap::new();
        for company in store.counted_companies().await? {
            for (slot, found) in stored(store, RollupScope::Company(company), range).await? {
                sums.entry(slot).or_default().add(&found.rollup.without_answers());
            }
        }
        let after = stored(store, RollupScope::Platform, range).await?;
        let slots: BTreeSet<Slot> = match &left {
            Some(left) => left.clone(),
            None => before.keys().chain(after.keys()).chain(sums.keys()).copied().collect(),
        };
        if left.is_none() {
            all.rollups += slots.len() as u64;
        }
        let mut again = BTreeSet::new();
        for slot in slots {
            let seen = after.get(&slot);
            let sum = sums.get(&slot).cloned().unwrap_or_default();
            if before.get(&slot) != seen || !compare(store, RollupScope::Platform, slot, seen, sum, all).await? {
                again.insert(slot);
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        left = Some(again);
    }
    all.busy += left.map_or(0, |left| left.len() as u64);
    Ok(())
}
