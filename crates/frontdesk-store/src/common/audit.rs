//! Adding the ledger up again, from its entries alone.

use std::collections::BTreeMap;

use frontdesk_domain::{
    ledger::{EntryKind, PriceRow, Spend, Usage},
    money::PicoUsd,
};

use crate::ports::{Audit, Drift};

/// An account and a month, as they are written.
pub(crate) type Key = (String, String);

/// Sums of pico-USD, which no number of entries overflows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    spent: i128,
    held: i128,
}

/// What of an entry is added up and derived again.
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) id: String,
    pub(crate) kind: EntryKind,
    pub(crate) usage: Option<Usage>,
    /// A [`PriceRow`] as JSON.
    pub(crate) price: Option<String>,
    pub(crate) hold: Option<PicoUsd>,
    pub(crate) amount: PicoUsd,
}

/// A ledger that is being added up.
#[derive(Default)]
pub(crate) struct Adding {
    found: Audit,
    months: BTreeMap<Key, Sums>,
}

impl Adding {
    /// Adds an entry, and derives its amount again.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.found.entries += 1;
        if let Err(detail) = entry.check() {
            let detail = format!("entry {} ({}) {detail}", entry.id, entry.kind.as_str());
            self.found.drifts.push(drift(&entry.key, detail));
        }
        self.months.entry(entry.key).or_default().add(entry.kind, entry.amount);
    }

    /// Compares what was added up with the sums that are stored.
    pub(crate) fn end(self, mut stored: BTreeMap<Key, Spend>) -> Audit {
        let Self { mut found, months } = self;
        found.months = months.len() as u64;
        for (key, sums) in months {
            let stored = stored.remove(&key).unwrap_or_default();
            found.drifts.extend(compare(&key, stored, sums));
        }
        // Of these months there is no entry at all.
        for (key, stored) in stored {
            found.months += 1;
            found.drifts.extend(compare(&key, stored, Sums::default()));
        }
        found
    }
}

fn drift((account, month): &Key, detail: String) -> Drift {
    Drift {
        account: account.clone(),
        month: month.clone(),
        detail,
    }
}

fn compare(key: &Key, stored: Spend, sums: Sums) -> Vec<Drift> {
    let figures = [("spent", stored.spent, sums.spent), ("held", stored.held, sums.held)];
    let differing = figures.into_iter().filter_map(|(figure, stored, sum)| {
        // As large as a sum of the store can be.
        let sum = PicoUsd::from_pico(i64::try_from(sum).unwrap_or(i64::MAX));
        let detail = format!("{figure} is {stored} USD, but the entries add up to {sum} USD");
        (stored != sum).then(|| drift(key, detail))
    });
    differing.collect()
}

impl Sums {
    fn add(&mut self, kind: EntryKind, amount: PicoUsd) {
        let amount = i128::from(amount.pico());
        match kind {
            EntryKind::Held => self.held += amount,
            kind if kind.is_spent() => self.spent += amount,
            _ => {}
        }
    }
}

impl Entry {
    /// Derives the amount again. What is wrong with it, if it is another.
    fn check(&self) -> Result<(), String> {
        let expected = match self.kind {
            // Nothing else says what these are.
            EntryKind::Overrun | EntryKind::Imported => self.amount,
            EntryKind::Void => self.held().map(|_| PicoUsd::ZERO)?,
            EntryKind::Held | EntryKind::Orphan => self.held()?,
            EntryKind::Settled => self.bill()?,
        };
        if self.amount == expected {
            return Ok(());
        }
        Err(format!("takes {} USD, but should take {expected} USD", self.amount))
    }

    fn held(&self) -> Result<PicoUsd, String> {
        self.hold
            .ok_or_else(|| format!("takes {} USD without a hold", self.amount))
    }

    /// What its tokens cost by its price, and at most its hold; the hold where it has no tokens.
    fn bill(&self) -> Result<PicoUsd, String> {
        let hold = self.held()?;
        let Some(usage) = &self.usage else {
            return Ok(hold);
        };
        let Some(price) = &self.price else {
            return Err(format!("takes {} USD for tokens without a price", self.amount));
        };
        let price = serde_json::from_str::<PriceRow>(price)
            .map_err(|error| format!("takes {} USD by a price that cannot be read: {error}", self.amount))?;
        Ok(price.cost(usage).min(hold))
    }
}
