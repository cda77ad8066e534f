//! Asks the front desk for its own records of the calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use http::header;
use serde_json::Value;
use tokio::time::sleep;

use super::{World, hold::CallReport};
use crate::{
    executor::{Event, Moment},
    form::Form,
    network::Network,
};

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
    check_calls(admin, reports).await;
    check_messages(world, admin, reports).await;
    world.tell("records read");
}

/// Each recording is one message.
async fn check_messages(world: &World, admin: &Admin, reports: &mut [CallReport]) {
    for company in &world.companies {
        let recorded = |report: &&mut CallReport| report.company.id == company.id && report.recordings() > 0;
        let reports: Vec<_> = reports.iter_mut().filter(recorded).collect();
        if reports.is_empty() {
            continue;
        }
        let stored = match admin.messages(&company.id).await {
            Ok(stored) => stored,
            Err(why) => {
                for report in reports {
                    report.problems.push(format!("messages cannot be read: {why}"));
                }
                continue;
            }
        };
        for report in reports {
            let stored = stored.get(&report.call_sid).copied().unwrap_or_default();
            let recorded = report.recordings();
            report.missing_messages = recorded.saturating_sub(stored);
            let is_excused = report.was_disturbed || report.had_store_trouble;
            if stored > recorded {
                let why = format!("double messages: {stored} for {recorded} recordings");
                report.problems.push(why);
            } else if stored < recorded && !is_excused {
                let why = format!("lost messages: {stored} for {recorded} recordings");
                report.problems.push(why);
            }
        }
    }
}

async fn check_calls(admin: &Admin, reports: &mut [CallReport]) {
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

impl CallReport {
    fn recordings(&self) -> usize {
        let recorded = |moment: &&Moment| matches!(moment.what, Event::Recorded(_));
        self.moments.iter().filter(recorded).count()
    }
}

impl Admin {
    /// How many messages each call of a company has.
    async fn messages(&self, company: &str) -> Result<BTreeMap<String, usize>, String> {
        let mut stored = BTreeMap::new();
        let mut page = Form::default();
        page.push("limit", "200");
        loop {
            let target = format!("/api/v1/companies/{company}/messages?{}", page.encode());
            let list = self.get(&target).await?.ok_or("there are none")?;
            let items = list
                .get("items")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            for message in items {
                let is_recorded = message.get("kind").and_then(Value::as_str) == Some("message");
                if let Some(call) = message.get("callId").and_then(Value::as_str).filter(|_| is_recorded) {
                    *stored.entry(call.to_owned()).or_default() += 1;
                }
            }
            match list.get("nextCursor").and_then(Value::as_str) {
                Some(next) => page.set("cursor", next),
                None => return Ok(stored),
            }
        }
    }

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
