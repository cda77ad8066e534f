//! Roll-ups, written together with the turns they count, and the turns that no scripted match answered.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use frontdesk_domain::{
    analytics::{Miss, Rollup, Slot, TurnFacts},
    ids::CompanyId,
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{ADMIN, SqliteStore, erasure, failure::damaged, rollup_parts, rows};
use crate::{
    common::{analytics::Additions, unreadable},
    ports::{AnalyticsStore, Erased, RollupScope, SlotRollup, StoreError},
};

pub(super) fn key_of(scope: RollupScope) -> String {
    match scope {
        RollupScope::Platform => String::new(),
        RollupScope::Company(company) => company.to_string(),
    }
}

/// Counts turns that have just been stored, each with the number of its row.
pub(super) fn count(connection: &Connection, stored: &[(i64, TurnFacts<'_>)]) -> rusqlite::Result<()> {
    let mut additions = Additions::default();
    for (number, turn) in stored {
        additions.count(turn);
        if let Some(miss) = Miss::of(turn) {
            put_miss(connection, *number, turn.company_id, &miss)?;
        }
    }
    if stored.is_empty() {
        return Ok(());
    }
    rollup_parts::put(connection, &additions, stored.len())
}

/// Adds to a roll-up.
pub(super) fn add(connection: &Connection, scope: RollupScope, slot: Slot, added: Rollup) -> rusqlite::Result<()> {
    let key = key_of(scope);
    let mut rollup = added;
    let mut read = connection.prepare_cached("SELECT counts FROM rollups WHERE scope = ?1 AND slot = ?2")?;
    let mut found = read.query(params![key, slot.number()])?;
    if let Some(row) = found.next()?
        && let Err(error) = add_row(&mut rollup, row.get_ref(0)?.as_blob()?)
    {
        // The turns are stored all the same, and a recount puts it right.
        unreadable::note("a roll-up", &id_of(&key, slot), &error);
        return Ok(());
    }
    write(connection, &key, slot, &rollup)
}

fn id_of(key: &str, slot: Slot) -> String {
    let scope = if key.is_empty() { "the platform" } else { key };
    format!("of {scope}, slot {}", slot.number())
}

fn add_row(rollup: &mut Rollup, bytes: &[u8]) -> rusqlite::Result<()> {
    rollup.add_bytes(bytes).map_err(|error| damaged("a roll-up", error))
}

fn write(connection: &Connection, key: &str, slot: Slot, rollup: &Rollup) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rollups (scope, slot, counts) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET counts = excluded.counts";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .execute(params![key, slot.number(), rollup.to_bytes()])
        .map(drop)
}

fn put_miss(connection: &Connection, turn: i64, company: CompanyId, miss: &Miss) -> rusqlite::Result<usize> {
    let sql = "INSERT OR IGNORE INTO misses (turn, company_id, at, miss) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![
        turn,
        company.to_string(),
        miss.at.as_microsecond(),
        rows::to_json(miss)?
    ])
}

/// The companies that have roll-ups: one step in the index for each.
const COMPANIES: &str = "WITH RECURSIVE scopes (scope) AS (
        SELECT min(scope) FROM rollups
        UNION ALL
        SELECT (SELECT min(scope) FROM rollups WHERE scope > scopes.scope) FROM scopes
        WHERE scopes.scope IS NOT NULL
    )
    SELECT scope FROM scopes WHERE scope <> ''";

fn company(row: &Row<'_>) -> rusqlite::Result<CompanyId> {
    let company = row.get_ref(0)?.as_str()?.parse();
    company.map_err(|error| damaged("the company of a roll-up", error))
}

/// Shows each company's counts of the quarters from `from` on; those of a quarter may come in several.
pub(super) fn each_company(
    connection: &Connection,
    from: Slot,
    mut show: impl FnMut(CompanyId, &Rollup),
) -> rusqlite::Result<()> {
    let mut companies = connection.prepare_cached(COMPANIES)?;
    let mut recent = connection.prepare_cached("SELECT counts FROM rollups WHERE scope = ?1 AND slot >= ?2")?;
    let mut companies = companies.query([])?;
    while let Some(row) = companies.next()? {
        let company = company(row)?;
        let mut rollups = recent.query(params![row.get_ref(0)?.as_str()?, from.number()])?;
        while let Some(row) = rollups.next()? {
            let mut rollup = Rollup::default();
            add_row(&mut rollup, row.get_ref(0)?.as_blob()?)?;
            show(company, &rollup);
        }
    }
    rollup_parts::each(connection, |part| {
        if part.slot >= from {
            let mut rollup = Rollup::default();
            part.add_to(&mut rollup)?;
            show(part.company, &rollup);
        }
        Ok(())
    })
}

/// Notes that some of the turns that these roll-ups count are about to be deleted: the turns of a call.
pub(super) fn thin(connection: &Connection, company: &str, call: i64) -> rusqlite::Result<()> {
    rollup_parts::take_over(connection)?;
    let sql = "UPDATE rollups SET thinned = 1
        WHERE scope = ?1 AND thinned = 0 AND slot IN (SELECT at / ?3 FROM turns WHERE call = ?2)";
    let slot_micros = Slot::SECONDS * 1_000_000;
    connection
        .prepare_cached(sql)?
        .execute(params![company, call, slot_micros])
        .map(drop)
}

#[async_trait]
impl AnalyticsStore for SqliteStore {
    /// They are counted in the transaction that stores them; this brings the counts together.
    async fn count_turns(&self) -> Result<(), StoreError> {
        if self.read("look for counts", rollup_parts::is_empty).await? {
            return Ok(());
        }
        self.record("bring counts together", ADMIN, rollup_parts::take_over)
            .await
    }

    async fn rollups(&self, scope: RollupScope, from: Slot, to: Slot) -> Result<Vec<SlotRollup>, StoreError> {
        self.read("read roll-ups", move |connection| {
            let sql = "SELECT slot, thinned, counts FROM rollups
                WHERE scope = ?1 AND slot >= ?2 AND slot < ?3 ORDER BY slot";
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![key_of(scope), from.number(), to.number()];
            let mut rows = statement.query(values)?;
            let (mut found, mut damaged) = (BTreeMap::new(), BTreeSet::new());
            while let Some(row) = rows.next()? {
                let slot = Slot::from_number(row.get(0)?);
                let mut rollup = Rollup::default();
                if let Err(error) = add_row(&mut rollup, row.get_ref(2)?.as_blob()?) {
                    unreadable::note("a roll-up", &id_of(&key_of(scope), slot), &error);
                    damaged.insert(slot);
                    continue;
                }
                found.insert(slot, (row.get(1)?, rollup));
            }
            rollup_parts::each_of(connection, scope, |slot, added| {
                if (from..to).contains(&slot) && !damaged.contains(&slot) {
                    let (_, rollup) = found.entry(slot).or_insert_with(|| (false, Rollup::default()));
                    rollup.add(&added);
                }
            })?;
            let found = found.into_iter();
            Ok(found
                .map(|(slot, (thinned, rollup))| SlotRollup { slot, thinned, rollup })
                .collect())
        })
        .await
    }

    async fn counted_companies(&self) -> Result<Vec<CompanyId>, StoreError> {
        self.read("list the companies that have roll-ups", |connection| {
            let mut statement = connection.prepare_cached(COMPANIES)?;
            let mut companies: BTreeSet<_> = statement.query_map([], company)?.collect::<rusqlite::Result<_>>()?;
            rollup_parts::each(connection, |part| {
                companies.insert(part.company);
                Ok(())
            })?;
            Ok(companies.into_iter().collect())
        })
        .await
    }

    async fn misses(
        &self,
        company: CompanyId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Miss>, StoreError> {
        let limit = rows::limit(limit);
        self.read("read what nothing matched", move |connection| {
            let sql = "SELECT miss FROM misses WHERE company_id = ?1 AND at >= ?2 AND at < ?3
                ORDER BY at DESC LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![company.to_string(), from.as_microsecond(), to.as_microsecond(), limit];
            let misses = statement.query_map(values, |row| {
                rows::from_json(row.get_ref(0)?.as_str()?, "a turn that nothing matched")
            })?;
            misses.collect()
        })
        .await
    }

    async fn replace_rollup(
        &self,
        scope: RollupScope,
        slot: Slot,
        seen: Option<&Rollup>,
        counted: Rollup,
    ) -> Result<bool, StoreError> {
        let seen = seen.cloned();
        self.record("correct a roll-up", ADMIN, move |connection| {
            rollup_parts::take_over(connection)?;
            let key = key_of(scope);
            let sql = "SELECT thinned, counts FROM rollups WHERE scope = ?1 AND slot = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_row(params![key, slot.number()], |row| {
                let mut rollup = Rollup::default();
                // One that cannot be read counts as none: nobody has seen it, and it is written over.
                let is_read = add_row(&mut rollup, row.get_ref(1)?.as_blob()?).is_ok();
                Ok(is_read.then_some((row.get::<_, bool>(0)?, rollup)))
            });
            let found = found.optional()?.flatten();
            let is_thinned = found.as_ref().is_some_and(|(thinned, _)| *thinned);
            if is_thinned || found.map(|(_, rollup)| rollup) != seen {
                return Ok(false);
            }
            write(connection, &key, slot, &counted)?;
            Ok(true)
        })
        .await
    }

    async fn restore_misses(&self, company: CompanyId, misses: Vec<Miss>) -> Result<u64, StoreError> {
        self.record("add what nothing matched", ADMIN, move |connection| {
            let mut restored = 0;
            for miss in &misses {
                let Some(number) = super::calls::number_of_turn(connection, company, &miss.call_id, &miss.turn_id)?
                else {
                    continue;
                };
                restored += put_miss(connection, number, company, miss)? as u64;
            }
            Ok(restored)
        })
        .await
    }

    async fn erase(&self, company: CompanyId, caller: &str) -> Result<Erased, StoreError> {
        let (company, caller) = (company.to_string(), caller.to_owned());
        let asked = (company.clone(), caller.clone());
        // Without an index on callers this looks at each call of the company, so not on the thread that writes.
        let found = self.read("find what is kept of a caller", move |connection| {
            erasure::find(connection, &asked.0, &asked.1)
        });
        let found = found.await?;
        self.record("erase a caller", ADMIN, move |connection| {
            erasure::erase(connection, &company, &caller, &found)
        })
        .await
    }
}
