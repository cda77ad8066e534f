//! What is in the store after a run, compared with what callers were told.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Cluster, load::Seen};
use crate::money;

/// So long after the last call every record is in the store.
const CAUGHT_UP: Duration = Duration::from_secs(30);

/// What the store says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Answered turns of which there is no record.
    pub missing: usize,
    /// Records beyond one a turn.
    pub double: usize,
    /// What the ledger says was spent, pico-USD.
    pub spent: i64,
    /// The sum of its entries, pico-USD.
    pub entries: i64,
    /// What the provider billed, pico-USD.
    pub billed: i64,
    /// Whether `budget verify` found the ledger right.
    pub is_verified: bool,
}

/// Waits until every record is there, or nothing comes any more, and looks at all of it.
///
/// # Errors
/// No instance answers, or not with what it should.
pub async fn look(cluster: &Cluster, seen: &Seen, billed_before: i64) -> Result<Found> {
    let until = Instant::now() + CAUGHT_UP;
    let (mut missing, mut double) = records(cluster, seen).await?;
    while missing > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (missing, double) = records(cluster, seen).await?;
    }
    let mut operator = cluster.office.operator()?;
    let month = money::settled(&mut operator, &cluster.client).await?;
    let entries = money::sum_of_entries(&mut operator, &cluster.client).await?;
    let first = cluster.office.servers.first().context("there is no instance")?;
    let verified = first.command(&["budget", "verify"])?;
    Ok(Found {
        missing,
        double,
        spent: month.spent,
        entries,
        billed: billed(cluster) - billed_before,
        is_verified: verified.status.success(),
    })
}

/// What the provider has billed so far, pico-USD.
#[must_use]
pub fn billed(cluster: &Cluster) -> i64 {
    cluster.office.provider.stats().billed
}

/// Turns without a record, and records beyond one a turn.
async fn records(cluster: &Cluster, seen: &Seen) -> Result<(usize, usize)> {
    let mut told: HashMap<&str, BTreeMap<&str, usize>> = HashMap::new();
    for call in &seen.calls {
        told.entry(&call.company).or_default().insert(&call.sid, call.turns);
    }
    let mut operator = cluster.office.operator()?;
    let (mut missing, mut double) = (0, 0);
    for (company, calls) in told {
        for (sid, turns) in calls {
            let reply = operator
                .send(
                    http::Method::GET,
                    &format!("/api/v1/companies/{company}/calls/{sid}"),
                    None,
                )
                .await?;
            if reply.status == 404 {
                missing += turns;
                continue;
            }
            let call: Value = serde_json::from_slice(&reply.body).context("a call is no JSON")?;
            let recorded = call.get("turns").and_then(Value::as_array).map_or(0, Vec::len);
            missing += turns.saturating_sub(recorded);
            let mut numbers: Vec<_> = call
                .get("turns")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|turn| turn["turn"].as_i64())
                .collect();
            numbers.sort_unstable();
            let all = numbers.len();
            numbers.dedup();
            double += all - numbers.len();
        }
    }
    Ok((missing, double))
}
