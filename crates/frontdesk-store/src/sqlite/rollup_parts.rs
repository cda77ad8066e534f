//! What stored turns add to the roll-ups, before it is added.
//!
//! A roll-up of a company with hundreds of answers has kilobytes. Reading and writing it with every turn would be half of
//! what a turn costs the writer; so a batch of turns adds one short row, in its own transaction, and the roll-ups take
//! over thousands of turns at once. Whoever reads roll-ups adds the parts that are left.

use frontdesk_domain::{
    analytics::{Damaged, Rollup, Slot},
    ids::CompanyId,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::analytics;
use crate::{
    common::{analytics::Additions, unreadable},
    ports::RollupScope,
};

/// The roll-ups take over so many turns at once.
const TURNS: i64 = 2_000;

/// The length of a company's id, as text.
const ID: usize = 24;

/// What some turns of a company add to one of its roll-ups.
pub(super) struct Part<'b> {
    pub(super) company: CompanyId,
    pub(super) slot: Slot,
    counts: &'b [u8],
}

impl Part<'_> {
    /// Adds it to a roll-up of its company.
    pub(super) fn add_to(&self, rollup: &mut Rollup) -> Result<(), Damaged> {
        rollup.add_bytes(self.counts)
    }
}

/// Writes down what turns add; for so many of them together the roll-ups take it over.
pub(super) fn put(connection: &Connection, additions: &Additions, turns: usize) -> rusqlite::Result<()> {
    let mut bytes = Vec::with_capacity(turns * 96);
    for (company, slot, rollup) in additions.companies() {
        let counts = rollup.to_bytes();
        bytes.extend_from_slice(company.to_string().as_bytes());
        bytes.extend_from_slice(&slot.number().to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(counts.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&counts);
    }
    let sql = "INSERT INTO rollup_parts (turns, counts)
        VALUES (?1 + (SELECT ifnull(max(turns), 0) FROM rollup_parts), ?2)";
    connection.prepare_cached(sql)?.execute(params![turns, bytes])?;
    if connection.last_insert_rowid() >= TURNS {
        take_over(connection)?;
    }
    Ok(())
}

/// Adds all parts to their roll-ups.
pub(super) fn take_over(connection: &Connection) -> rusqlite::Result<()> {
    if is_empty(connection)? {
        return Ok(());
    }
    let mut additions = Additions::default();
    each(connection, |part| {
        additions.add(part.company, part.slot, |rollup| part.add_to(rollup))
    })?;
    for ((scope, slot), added) in additions.finish() {
        analytics::add(connection, scope, slot, added)?;
    }
    connection
        .prepare_cached("DELETE FROM rollup_parts")?
        .execute([])
        .map(drop)
}

/// Whether the roll-ups hold everything.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM rollup_parts LIMIT 1")?;
    let found = statement.query_row([], |_| Ok(())).optional()?;
    Ok(found.is_none())
}

/// Shows each part. What cannot be read is noted: its turns are stored all the same, and a recount puts it right.
pub(super) fn each(
    connection: &Connection,
    mut show: impl FnMut(Part<'_>) -> Result<(), Damaged>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT turns, counts FROM rollup_parts ORDER BY turns")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut bytes = row.get_ref(1)?.as_blob()?;
        while !bytes.is_empty() {
            let read = next(&mut bytes).and_then(&mut show);
            if let Err(error) = read {
                let id = format!("up to turn {}", row.get::<_, i64>(0)?);
                unreadable::note("a part of the roll-ups", &id, error);
                break;
            }
        }
    }
    Ok(())
}

fn next<'b>(bytes: &mut &'b [u8]) -> Result<Part<'b>, Damaged> {
    let (id, rest) = bytes.split_first_chunk::<ID>().ok_or(Damaged)?;
    let (slot, rest) = rest.split_first_chunk().ok_or(Damaged)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Damaged)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Damaged)?;
    let (counts, rest) = rest.split_at_checked(length).ok_or(Damaged)?;
    *bytes = rest;
    let company = std::str::from_utf8(id).map_err(|_| Damaged)?;
    Ok(Part {
        company: company.parse().map_err(|_| Damaged)?,
        slot: Slot::from_number(i64::from_le_bytes(*slot)),
        counts,
    })
}

/// Shows the parts of a scope, as its roll-ups count them.
pub(super) fn each_of(
    connection: &Connection,
    scope: RollupScope,
    mut show: impl FnMut(Slot, Rollup),
) -> rusqlite::Result<()> {
    each(connection, |part| {
        let is_asked_for = match scope {
            RollupScope::Platform => true,
            RollupScope::Company(company) => part.company == company,
        };
        if is_asked_for {
            let mut rollup = Rollup::default();
            part.add_to(&mut rollup)?;
            if scope == RollupScope::Platform {
                rollup = rollup.without_answers();
            }
            show(part.slot, rollup);
        }
        Ok(())
    })
}
