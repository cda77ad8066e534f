//! Adding it all up again, from the entries alone.

use std::collections::BTreeMap;

use frontdesk_domain::{
    ledger::{EntryKind, PriceRow, Spend, Usage},
    money::PicoUsd,
};
use rusqlite::{Connection, Row};

use crate::{
    ports::{Audit, Drift},
    sqlite::rows,
};

/// An account and a month, as they are written.
type Key = (String, String);

/// Sums of pico-USD, which no number of entries overflows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    spent: i128,
    held: i128,
}

/// What of an entry is added up and derived again.
struct Entry {
    key: Key,
    id: String,
    kind: EntryKind,
    usage: Option<Usage>,
    price: Option<String>,
    hold: Option<PicoUsd>,
    amount: PicoUsd,
}

const ENTRIES: &str = "SELECT account, month, id, kind, prompt_tokens, cached_tokens, cache_write_tokens,
    completion_tokens, price_row, hold, amount FROM ledger";

pub(super) fn audit(connection: &Connection) -> rusqlite::Result<Audit> {
    let mut found = Audit::default();
    let mut months = BTreeMap::<Key, Sums>::new();
    let mut statement = connection.prepare_cached(ENTRIES)?;
    let mut entries = statement.query([])?;
    while let Some(row) = entries.next()? {
        let entry = Entry::read(row)?;
        found.entries += 1;
        if let Err(detail) = entry.check() {
            let detail = format!("entry {} ({}) {detail}", entry.id, entry.kind.as_str());
            found.drifts.push(drift(&entry.key, detail));
        }
        months.entry(entry.key).or_default().add(entry.kind, entry.amount);
    }
    let mut stored = stored_sums(connection)?;
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
    Ok(found)
}

fn drift((account, month): &Key, detail: String) -> Drift {
    Drift {
        account: account.clone(),
        month: month.clone(),
        detail,
    }
}

fn stored_sums(connection: &Connection) -> rusqlite::Result<BTreeMap<Key, Spend>> {
    let mut statement = connection.prepare_cached("SELECT account, month, spent, held FROM ledger_months")?;
    let sums = statement.query_map([], |row| {
        let spend = Spend {
            spent: PicoUsd::from_pico(row.get(2)?),
            held: PicoUsd::from_pico(row.get(3)?),
        };
        Ok(((row.get(0)?, row.get(1)?), spend))
    })?;
    sums.collect()
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
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let usage = match (row.get(4)?, row.get(7)?) {
            (Some(prompt), Some(completion)) => Some(Usage {
                prompt,
                cached: row.get::<_, Option<u64>>(5)?.unwrap_or_default(),
                cache_write: row.get::<_, Option<u64>>(6)?.unwrap_or_default(),
                completion,
            }),
            _ => None,
        };
        Ok(Self {
            key: (row.get(0)?, row.get(1)?),
            id: row.get(2)?,
            kind: rows::word(row.get_ref(3)?.as_str()?, "a ledger entry's kind")?,
            usage,
            price: row.get(8)?,
            hold: row.get::<_, Option<i64>>(9)?.map(PicoUsd::from_pico),
            amount: PicoUsd::from_pico(row.get(10)?),
        })
    }

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
