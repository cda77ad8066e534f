//! A provider that hangs and comes back, as callers live through it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use frontdesk_llm_double::{Mode, Script};
use serde_json::Value;

use super::{Client, Office, PICO, nonsense};

/// One turn of the timeline.
#[derive(Debug, Clone)]
pub struct Turn {
    /// When it came, since the provider began to hang.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// What became of tier 3: `asked`, or why it was not.
    pub tier_3: String,
    /// What answered.
    pub source: String,
    /// The breaker when the turn was over.
    pub breaker: String,
    /// Whether the provider was healthy when the turn came.
    pub is_healthy: bool,
}

/// How long the provider hangs, and how long it is watched after that.
const HANGS: Duration = Duration::from_secs(12);
const WATCHED: Duration = Duration::from_secs(14);

/// A caller comes so often.
const EVERY: Duration = Duration::from_millis(500);

/// Lets the provider hang for a while and be well again, with a caller twice a second.
///
/// # Errors
/// The server cannot be started or asked.
pub async fn run(frontdesk: &Path) -> Result<Vec<Turn>> {
    let mut office = Office::open(frontdesk, 1, Script::default()).await?;
    let client = office.client(PICO).await?;
    office.caller(&client, 0)?.say(&nonsense()).await?;
    office.provider.set(Script::from(Mode::Hang));
    let began = Instant::now();
    let mut turns = Vec::new();
    let mut is_healthy = false;
    while began.elapsed() < HANGS + WATCHED {
        if !is_healthy && began.elapsed() >= HANGS {
            office.provider.set(Script::default());
            is_healthy = true;
        }
        let at = began.elapsed();
        turns.push(turn(&office, &client, at, is_healthy).await?);
        tokio::time::sleep(EVERY.saturating_sub(began.elapsed().saturating_sub(at))).await;
    }
    for turn in &mut turns {
        fill_in(&office, &client, turn).await?;
    }
    Ok(turns)
}

async fn turn(office: &Office, client: &Client, at: Duration, is_healthy: bool) -> Result<Turn> {
    let mut caller = office.caller(client, 0)?;
    let began = Instant::now();
    caller.say(&nonsense()).await?;
    let took = began.elapsed();
    let call = caller.call().map(|call| call.sid.clone()).unwrap_or_default();
    let health = office.operator()?.get("/api/v1/llm/health").await?;
    Ok(Turn {
        at,
        took,
        // Until the record is read: the call that has it.
        tier_3: call,
        source: String::new(),
        breaker: text(&health, "breaker"),
        is_healthy,
    })
}

/// Reads what became of the turn out of its record.
async fn fill_in(office: &Office, client: &Client, turn: &mut Turn) -> Result<()> {
    let target = format!("/api/v1/companies/{}/calls/{}", client.id, turn.tier_3);
    let call = office.operator()?.get(&target).await?;
    let record = call.pointer("/turns/0").cloned().unwrap_or_default();
    turn.source = text(&record, "source");
    let steps = record
        .get("trace")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let llm = steps.iter().find(|step| text(step, "step") == "llm");
    turn.tier_3 = match llm {
        None => "-".to_owned(),
        Some(step) if text(step, "outcome") == "skipped" => text(step, "reason"),
        Some(step) => format!("asked: {}", text(step, "outcome")),
    };
    Ok(())
}

fn text(document: &Value, field: &str) -> String {
    document
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
