//! Erasing a caller.

use rusqlite::{Connection, params};

use super::analytics;
use crate::ports::Erased;

/// So many calls are erased at once, with their turns.
const CALLS: i64 = 25;

/// So many messages are erased at once: a recording takes megabytes.
const MESSAGES: i64 = 5;

/// What a notification says in place of what was erased.
const ERASED: &str = "erased";

/// Some of what is kept of a caller.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Numbers of calls, and their ids.
    calls: Vec<(i64, String)>,
    messages: Vec<String>,
}

pub(super) fn find(connection: &Connection, company: &str, caller: &str) -> rusqlite::Result<Found> {
    let calls = "SELECT number, call_id FROM calls WHERE company_id = ?1 AND caller = ?2 LIMIT ?3";
    let calls = connection
        .prepare_cached(calls)?
        .query_map(params![company, caller, CALLS], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // A message of a call that is erased belongs to the caller as well, whatever number it came from.
    let messages = "SELECT id FROM messages WHERE company_id = ?1
        AND (?2 IN (json ->> '$.from', json ->> '$.callbackNumber') OR json ->> '$.callId' IN
            (SELECT call_id FROM calls WHERE company_id = ?1 AND caller = ?2)) LIMIT ?3";
    let messages = connection
        .prepare_cached(messages)?
        .query_map(params![company, caller, MESSAGES], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Found { calls, messages })
}

pub(super) fn erase(connection: &Connection, company: &str, caller: &str, found: &Found) -> rusqlite::Result<Erased> {
    let mut erased = Erased::default();
    for message in &found.messages {
        let audio = "DELETE FROM audio WHERE message_id = ?1";
        erased.recordings += connection.prepare_cached(audio)?.execute([message])? as u64;
        let parts = "DELETE FROM audio_parts WHERE message_id = ?1";
        connection.prepare_cached(parts)?.execute([message])?;
        let messages = "DELETE FROM messages WHERE id = ?1";
        erased.messages += connection.prepare_cached(messages)?.execute([message])? as u64;
    }
    // Calls go once their messages are gone: those are found through them.
    if !found.messages.is_empty() {
        return Ok(erased);
    }
    for (number, call) in &found.calls {
        analytics::thin(connection, company, *number)?;
        let turns = "DELETE FROM turns WHERE call = ?1";
        erased.turns += connection.prepare_cached(turns)?.execute([number])? as u64;
        let calls = "DELETE FROM calls WHERE number = ?1";
        erased.calls += connection.prepare_cached(calls)?.execute([number])? as u64;
        erased.notifications += unname(connection, company, call)?;
    }
    erased.notifications += unname(connection, company, caller)?;
    Ok(erased)
}

/// Takes a name out of a company's notifications.
fn unname(connection: &Connection, company: &str, name: &str) -> rusqlite::Result<u64> {
    let sql = "UPDATE notifications SET message = replace(message, ?2, ?3), details = replace(details, ?2, ?3)
        WHERE company_id = ?1 AND (instr(message, ?2) > 0 OR instr(details, ?2) > 0)";
    let changed = connection.prepare_cached(sql)?.execute([company, name, ERASED])?;
    Ok(changed as u64)
}
