//! Adding it all up again, from the entries alone.

use std::collections::BTreeMap;

use frontdesk_domain::{
    ledger::{Spend, Usage},
    money::PicoUsd,
};
use rusqlite::{Connection, Row};

use crate::{
    common::audit::{Adding, Entry, Key},
    ports::Audit,
    sqlite::rows,
};

const ENTRIES: &str = "SELECT account, month, id, kind, prompt_tokens, cached_tokens, cache_write_tokens,
    completion_tokens, price_row, hold, amount FROM ledger";

pub(super) fn audit(connection: &Connection) -> rusqlite::Result<Audit> {
    let mut adding = Adding::default();
    let mut statement = connection.prepare_cached(ENTRIES)?;
    let mut entries = statement.query([])?;
    while let Some(row) = entries.next()? {
        adding.add(read(row)?);
    }
    Ok(adding.end(stored_sums(connection)?))
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

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let usage = match (row.get(4)?, row.get(7)?) {
        (Some(prompt), Some(completion)) => Some(Usage {
            prompt,
            cached: row.get::<_, Option<u64>>(5)?.unwrap_or_default(),
            cache_write: row.get::<_, Option<u64>>(6)?.unwrap_or_default(),
            completion,
        }),
        _ => None,
    };
    Ok(Entry {
        key: (row.get(0)?, row.get(1)?),
        id: row.get(2)?,
        kind: rows::word(row.get_ref(3)?.as_str()?, "a ledger entry's kind")?,
        usage,
        price: row.get(8)?,
        hold: row.get::<_, Option<i64>>(9)?.map(PicoUsd::from_pico),
        amount: PicoUsd::from_pico(row.get(10)?),
    })
}
