//! What asking an LLM costs beside the provider's own time: processor time of the server a turn.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use frontdesk_llm_double::Script;
use futures_util::future::try_join_all;
use http::Method;
use serde_json::json;

use super::{Client, Office, PICO, nonsense};

/// Processor time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// Of the store's writer, which makes holds, bills and records durable: one by one where turns come alone.
    pub writer: Duration,
    /// Of all other threads.
    pub others: Duration,
}

/// Processor time a turn.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Where the LLM is switched off, so that the fallback answers.
    pub without: Parts,
    /// Where the provider is asked and answers at once.
    pub with: Parts,
}

/// The thread that writes.
const WRITER: &str = "sqlite-writer";

/// Compares turns that ask with turns that do not, so many at once.
///
/// # Errors
/// The server cannot be started or asked, or `/proc` cannot be read.
pub async fn run(frontdesk: &Path, turns: u32, at_once: u32) -> Result<Found> {
    let mut office = Office::open(frontdesk, 1, Script::default()).await?;
    let client = office.client(100 * PICO).await?;
    _ = a_turn(&office, &client, turns / 4, at_once).await?;
    let with = a_turn(&office, &client, turns, at_once).await?;
    let off = json!({ "aiAgentLogic": { "templateGatekeeper": { "enableLLMFallback": false } } });
    let target = format!("/api/v1/companies/{}", client.id);
    office.operator()?.must(Method::PATCH, &target, Some(&off)).await?;
    _ = a_turn(&office, &client, turns / 4, at_once).await?;
    let without = a_turn(&office, &client, turns, at_once).await?;
    Ok(Found { without, with })
}

async fn a_turn(office: &Office, client: &Client, turns: u32, at_once: u32) -> Result<Parts> {
    let before = processor_time(office)?;
    let rounds = turns / at_once.max(1);
    for _ in 0..rounds {
        let calls = (0..at_once).map(async |_| {
            let mut caller = office.caller(client, 0)?;
            caller.say(&nonsense()).await.map(|_| ())
        });
        try_join_all(calls).await?;
    }
    let turns = rounds * at_once;
    // Records are written behind the turns.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = processor_time(office)?;
    Ok(Parts {
        writer: after.writer.saturating_sub(before.writer) / turns,
        others: after.others.saturating_sub(before.others) / turns,
    })
}

/// What the first server's threads have used so far, in user space and for them in the kernel.
fn processor_time(office: &Office) -> Result<Parts> {
    let mut parts = Parts::default();
    for thread in fs::read_dir(format!("/proc/{}/task", office.process()?))? {
        let thread = thread?.path();
        let line = fs::read_to_string(thread.join("schedstat"))?;
        let time = Duration::from_nanos(line.split(' ').next().unwrap_or_default().parse()?);
        match fs::read_to_string(thread.join("comm"))?.trim() {
            WRITER => parts.writer += time,
            _ => parts.others += time,
        }
    }
    Ok(parts)
}
