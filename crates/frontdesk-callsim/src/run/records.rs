//! Asks the front desk for its own records of the calls.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use http::header;
use serde_json::Value;
use tokio::time::sleep;

use super::{World, hold::CallReport};
use crate::network::Network;

/// How long records may take to be written.
const PATIENCE: Duration = Duration::from_secs(10);

/// The admin API.
#[derive(Debug)]
pub struct Admin {
    /// Its bearer token.
    pub token: String,
    /// Where it listens.
    pub network: Network,
}

pub(super) async fn check(world: &World, admin: &Admin, reports: &mut [CallReport]) {
    let deadline = Instant::now() + PATIENCE;
    for report in reports {
        let target = format!("/api/v1/companies/{}/calls/{}", report.company.id, report.call_sid);
        let mut call = None;
        loop {
            match admin.get(&target).await {
                Ok(Some(found)) => call = Some(found),
                Ok(None) => {}
                Err(why) => {
                    report
                        .problems
                        .push(format!("the record of the call cannot be read: {why}"));
                    break;
                }
            }
            let turns = call.as_ref().map_or(0, |call| turns(call).len());
            if turns >= report.conversation.len() || Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let found = call.as_ref().map_or(0, |call| turns(call).len());
        report.missing_records = report.conversation.len().saturating_sub(found);
        if let Some(call) = call {
            judge(report, &call);
        } else if !report.conversation.is_empty() && !report.was_disturbed {
            report.problems.push("the call has no record".to_owned());
        }
    }
    world.tell("records read");
}

fn turns(call: &Value) -> &[Value] {
    call.get("turns").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One record a turn, not one more and not one less, and no secret in it.
fn judge(report: &mut CallReport, call: &Value) {
    report.recorded_ending = call.get("ending").and_then(Value::as_str).map(str::to_owned);
    let turns = turns(call);
    let ids: BTreeSet<_> = turns.iter().filter_map(|turn| turn.get("turnId")?.as_str()).collect();
    let numbers: BTreeSet<_> = turns.iter().filter_map(|turn| turn.get("turn")?.as_u64()).collect();
    let (records, asked) = (turns.len(), report.conversation.len());
    if ids.len() < records || numbers.len() < records {
        let why = format!(
            "double records: {records} with {} identities and {} numbers",
            ids.len(),
            numbers.len()
        );
        report.problems.push(why);
    } else if records > asked && !report.was_disturbed {
        report
            .problems
            .push(format!("double records: {records} for {asked} turns"));
    }
    if records < asked && !report.was_disturbed {
        report
            .problems
            .push(format!("lost records: {records} for {asked} turns"));
    }
    if let Some(secret) = &report.secret {
        let digits: String = turns
            .iter()
            .filter_map(|turn| turn.get("utterance")?.as_str())
            .flat_map(str::chars)
            .filter(char::is_ascii_digit)
            .collect();
        if digits.contains(secret.as_str()) {
            report
                .problems
                .push("the number of a card stands in the record".to_owned());
        }
    }
}

impl Admin {
    /// What stands there; `None` where nothing does.
    async fn get(&self, target: &str) -> Result<Option<Value>, String> {
        let reply = self
            .network
            .get(
                target,
                &[(header::AUTHORIZATION.as_str(), &format!("Bearer {}", self.token))],
            )
            .await
            .map_err(|fault| fault.to_string())?;
        match reply.status {
            200 => serde_json::from_slice(&reply.body)
                .map(Some)
                .map_err(|error| error.to_string()),
            404 => Ok(None),
            status => Err(format!("the admin API answered {status}")),
        }
    }
}
