//! What is found after a restart, held against what was promised.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::promises::{Faults, LoggedTurns, Promises};
use crate::{
    operator::Operator,
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};

/// Companies, templates and Q&A.
pub(super) async fn documents(operator: &mut Operator, world: &World, promises: &Promises) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (company, writes) in world.companies.iter().zip(&promises.writes) {
        let path = format!("/api/v1/companies/{}", company.id);
        let document = operator.get(&path).await?;
        let variable = document.pointer("/variables/promo").and_then(Value::as_str);
        let variable = variable.and_then(|value| value.parse().ok());
        faults.extend(
            writes
                .variable
                .fault(&format!("the variable of company {}", company.id), variable),
        );
        let template = operator.get(&format!("/api/v1/templates/{}", company.template)).await?;
        let revision = template.get("version").and_then(Value::as_str);
        let revision = revision.and_then(|version| version.parse().ok());
        faults.extend(
            writes
                .template
                .fault(&format!("the template of company {}", company.id), revision),
        );
        let qnas = operator.all(&format!("{path}/qna")).await?;
        let mut found = HashMap::new();
        for qna in &qnas {
            if found.insert(text(qna, "id")?, text(qna, "answer")?).is_some() {
                faults.push(format!("the Q&A {} is there twice", text(qna, "id")?));
            }
        }
        let mut wrong = Faults::default();
        for (number, written) in &writes.qnas {
            let answer = found.get(format!("stored-{number}").as_str());
            let version = answer.and_then(|answer| world::version_told(*number, answer));
            if let Some(fault) = written.fault(&format!("stored-{number}"), version) {
                wrong.add(|| fault);
            }
        }
        let what = format!("Q&A of company {} are not as acknowledged", company.id);
        faults.extend(wrong.of(writes.qnas.len(), &what));
    }
    Ok(faults)
}

/// What callers hear of it.
pub(super) async fn answers(server: &Server, world: &World, promises: &Promises) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut caller = Caller::new(server.connection());
    for (company, writes) in world.companies.iter().zip(&promises.writes) {
        let mut ask = async |words: &str| -> Result<String> {
            let sid = format!("CA{:032x}", rand::random::<u128>());
            caller.take(Call::new(&company.twilio, &company.id, &sid));
            Ok(caller.say(words).await?.speech())
        };
        let told = ask(world::REVISION).await?;
        faults.extend(writes.template.fault("the revision told", world::revision_told(&told)));
        let known = writes.qnas.iter().rev().find(|(_, written)| written.acknowledged > 0);
        if let Some((number, written)) = known {
            let told = ask(&world::question(*number)).await?;
            let version = world::version_told(*number, &told);
            faults.extend(written.fault(&format!("the answer told to question {number}"), version));
        }
    }
    Ok(faults)
}

/// Calls and messages.
pub(super) async fn records(operator: &mut Operator, world: &World, promises: &Promises) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut log: HashMap<(usize, String), LoggedTurns> = HashMap::new();
    let mut messages = Vec::new();
    for (number, company) in world.companies.iter().enumerate() {
        let path = format!("/api/v1/companies/{}", company.id);
        for call in operator.all(&format!("{path}/calls")).await? {
            let id = text(&call, "callId")?.to_owned();
            let turns = call
                .get("turns")
                .and_then(Value::as_array)
                .context("a call without turns")?;
            let turns = turns.iter().map(|turn| {
                let place = turn
                    .get("turn")
                    .and_then(Value::as_u64)
                    .context("a turn without its number")?;
                Ok((place, text(turn, "utterance")?.to_owned()))
            });
            if log
                .insert((number, id.clone()), turns.collect::<Result<_>>()?)
                .is_some()
            {
                faults.push(format!("the call {id} is there twice"));
            }
        }
        let mut of_company: HashMap<String, Vec<String>> = HashMap::new();
        for message in operator.all(&format!("{path}/messages")).await? {
            let recording = text(&message, "recordingSid")?.to_owned();
            of_company
                .entry(recording)
                .or_default()
                .push(text(&message, "callId")?.to_owned());
        }
        messages.push(of_company);
    }
    faults.extend(promises.turn_faults(&log));
    faults.extend(promises.message_faults(&messages));
    Ok(faults)
}

fn text<'v>(document: &'v Value, field: &str) -> Result<&'v str> {
    let text = document.get(field).and_then(Value::as_str);
    text.with_context(|| format!("`{field}` is missing in {document}"))
}
