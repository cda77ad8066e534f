//! Adds every entry up again.

use std::collections::BTreeMap;

use frontdesk_domain::{
    ledger::{EntryKind, LedgerEntry, Spend, Usage},
    money::PicoUsd,
};
use rusqlite::Connection;

use super::entries;
use crate::ports::{Audit, Drift};

/// Readers read in a transaction: entries and sums are of the same instant.
pub(super) fn audit(connection: &Connection) -> rusqlite::Result<Audit> {
    let mut audit = Audit::default();
    let mut counted: BTreeMap<(String, String), Spend> = BTreeMap::new();
    entries::each(connection, |account, entry| {
        audit.entries += 1;
        let month = entry.month.to_string();
        if let Some(detail) = fault(&entry) {
            audit.drifts.push(Drift {
                account: account.clone(),
                month: month.clone(),
                detail: format!("entry {}: {detail}", entry.id),
            });
        }
        let sums = counted.entry((account, month)).or_default();
        match entry.kind {
            EntryKind::Held => sums.held = sums.held + entry.amount,
            kind if kind.is_spent() => sums.spent = sums.spent + entry.amount,
            _ => {}
        }
    })?;
    let mut statement = connection.prepare("SELECT account, month, spent, held FROM ledger_months")?;
    let mut kept = statement.query([])?;
    while let Some(row) = kept.next()? {
        let key: (String, String) = (row.get(0)?, row.get(1)?);
        let kept = Spend {
            spent: PicoUsd::from_pico(row.get(2)?),
            held: PicoUsd::from_pico(row.get(3)?),
        };
        audit.months += 1;
        let counted = counted.remove(&key).unwrap_or_default();
        compare(&mut audit, key, counted, kept);
    }
    for (key, counted) in counted {
        audit.months += 1;
        compare(&mut audit, key, counted, Spend::default());
    }
    Ok(audit)
}

fn compare(audit: &mut Audit, (account, month): (String, String), counted: Spend, kept: Spend) {
    for (name, counted, kept) in [("spent", counted.spent, kept.spent), ("held", counted.held, kept.held)] {
        if counted != kept {
            audit.drifts.push(Drift {
                account: account.clone(),
                month: month.clone(),
                detail: format!("{name} is kept as {kept} USD, and the entries add up to {counted} USD"),
            });
        }
    }
}

/// What is wrong with an entry by itself.
fn fault(entry: &LedgerEntry) -> Option<String> {
    let amount = entry.amount;
    let hold = entry.hold;
    let derived = match entry.kind {
        EntryKind::Held | EntryKind::Orphan => hold,
        EntryKind::Void => Some(PicoUsd::ZERO),
        EntryKind::Settled => match billed(entry) {
            Some(bill) => hold.map(|hold| bill.min(hold)),
            None => hold,
        },
        // What an import says, and what was beyond a hold that stands elsewhere, cannot be derived.
        EntryKind::Overrun | EntryKind::Imported => {
            return (amount <= PicoUsd::ZERO).then(|| format!("it is {amount} USD"));
        }
    };
    match derived {
        None => Some("it does not say what was held".to_owned()),
        Some(derived) if derived != amount => Some(format!(
            "it is {amount} USD, and hold, tokens and price make {derived} USD"
        )),
        Some(_) => None,
    }
}

/// What the provider billed, from its tokens and their price; `None` where it did not say.
fn billed(entry: &LedgerEntry) -> Option<PicoUsd> {
    let usage = Usage {
        prompt: entry.prompt_tokens?,
        cached: entry.cached_tokens?,
        cache_write: entry.cache_write_tokens?,
        completion: entry.completion_tokens?,
    };
    Some(entry.price_row.as_ref()?.cost(&usage))
}
