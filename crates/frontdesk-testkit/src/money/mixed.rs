//! Everything at once: bills below their holds, a tenth of all requests refused, and one of two processes killed
//! (SIGKILL). Each refusal for want of budget is held against what the ledger had taken at that instant.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use frontdesk_llm_double::Script;
use futures_util::future::{join, join_all};
use http::Method;
use serde_json::Value;

use super::{Client, Office, nonsense, pico, settled};
use crate::{
    operator::Operator,
    store_file::{self, Taken},
    twilio::Caller,
};

/// How many holds fit the budget.
const FITS: i64 = 20;

const TURNS: usize = 300;

/// A turn comes each so many milliseconds.
const APART: u64 = 10;

/// The second process is killed after so long: half of the turns have come then.
const KILL: Duration = Duration::from_millis(APART * TURNS as u64 / 2);

/// The provider answers after so long.
const LATENCY: Duration = Duration::from_millis(300);

/// One request in so many is refused by the provider and costs nothing.
const REFUSE_EVERY: u64 = 10;

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// Turns that were answered.
    pub answered: usize,
    /// Of them, those that a budget refused, by the records.
    pub refused: usize,
    /// Refusals although the hold would have fitted all the while.
    pub unjustified: usize,
    /// Holds that were granted.
    pub granted: usize,
    /// Of them, those that were let go because the provider refused.
    pub released: usize,
    /// Of them, those that the killed process left.
    pub orphans: usize,
    /// Steps of the ledger that were looked at: all of them.
    pub steps: usize,
    /// The most that spent + held was above the limit after any step, pico-USD; negative or 0 is right.
    pub worst: i64,
    /// What was settled beyond the provider's bill for the same question, summed up without sign, pico-USD; 0 is right.
    pub difference: i64,
    /// Whether all of it is as promised.
    pub is_right: bool,
}

/// A turn as its caller lived through it, in Unix milliseconds.
struct Lived {
    call: String,
    words: String,
    began: i64,
    ended: i64,
}

/// What became of one question at the ledger, pico-USD.
#[derive(Debug, Clone, Copy, Default)]
struct Charged {
    settled: i64,
    is_orphaned: bool,
}

/// Runs it once.
///
/// # Errors
/// A server cannot be started or asked at all.
pub async fn run(frontdesk: &Path) -> Result<Found> {
    let script = Script {
        latency: LATENCY,
        usage: Some(frontdesk_llm_double::UsageScript::Dearest),
        ..Script::default()
    };
    let mut office = Office::open(frontdesk, 2, script.clone()).await?;
    let hold = office.hold().await?;
    office.provider.reset();
    office.provider.set(Script {
        usage: None,
        refuse_every: REFUSE_EVERY,
        ..script
    });
    let store = office.servers.first().context("no server runs")?.store();
    store_file::keep_history(&store)?;
    // Half a hold of room that fits no question.
    let limit = FITS * hold + hold / 2;
    let client = office.client(limit).await?;
    let lived = turns_and_a_kill(&mut office, &client).await?;
    let mut operator = office.operator()?;
    let end = settled(&mut operator, &client).await?;
    let history = store_file::history(&store, &client.id)?;
    let mut found = Found {
        answered: lived.len(),
        steps: history.len(),
        worst: history
            .iter()
            .map(|taken| taken.spent + taken.held - limit)
            .max()
            .unwrap_or(i64::MAX),
        ..Found::default()
    };
    for turn in &lived {
        if is_refused(&mut operator, &client, &turn.call).await? {
            found.refused += 1;
            found.unjustified += usize::from(!lacked_room(&history, turn, limit - hold));
        }
    }
    let charged = charges(&mut operator, &client, &mut found).await?;
    found.difference = difference(&office, &lived, &charged);
    let is_last = history
        .last()
        .is_some_and(|last| (last.spent, last.held) == (end.spent, 0));
    let is_mixed = found.refused > 0 && found.released > 0 && found.orphans > 0;
    found.is_right = is_mixed
        && is_last
        && found.granted >= usize::try_from(FITS)?
        && found.unjustified == 0
        && found.worst <= 0
        && found.difference == 0;
    Ok(found)
}

/// Turns one after the other at both processes, the second of which is killed in the middle. Gives those that were
/// answered.
async fn turns_and_a_kill(office: &mut Office, client: &Client) -> Result<Vec<Lived>> {
    let mut callers = Vec::new();
    for number in 0..TURNS {
        callers.push(office.caller(client, number)?);
    }
    let calling = join_all(callers.iter_mut().enumerate().map(|(number, caller)| async move {
        tokio::time::sleep(Duration::from_millis(APART * number as u64)).await;
        one(caller).await
    }));
    let killing = async {
        tokio::time::sleep(KILL).await;
        office.servers.last_mut().context("no server runs")?.kill()
    };
    let (lived, killed) = join(calling, killing).await;
    killed?;
    Ok(lived.into_iter().flatten().collect())
}

/// One turn; `None` if nobody answered it, as once its process is killed.
async fn one(caller: &mut Caller) -> Option<Lived> {
    let call = caller.call()?.sid.clone();
    let words = nonsense();
    let began = now();
    caller.say(&words).await.ok()?;
    Some(Lived {
        call,
        words,
        began,
        ended: now(),
    })
}

/// Whether a call's turn was refused for want of budget, by its record; `false` where a killed process took that with it.
async fn is_refused(operator: &mut Operator, client: &Client, call: &str) -> Result<bool> {
    let target = format!("/api/v1/companies/{}/calls/{call}", client.id);
    let reply = operator.send(Method::GET, &target, None).await?;
    if reply.status == 404 {
        return Ok(false);
    }
    let call: Value = serde_json::from_slice(&reply.body)?;
    let trace = call.pointer("/turns/0/trace").and_then(Value::as_array);
    let steps = trace.context("a turn has no trace")?;
    let is = |step: &Value, field: &str, value: &str| step.get(field).and_then(Value::as_str) == Some(value);
    Ok(steps
        .iter()
        .any(|step| is(step, "step", "llm") && is(step, "reason", "budget")))
}

/// Whether more than `most` was taken at some instant of a turn.
fn lacked_room(history: &[Taken], turn: &Lived, most: i64) -> bool {
    let ends = history.iter().skip(1).map(|next| next.at).chain([i64::MAX]);
    let mut states = history.iter().zip(ends);
    states.any(|(taken, until)| taken.at <= turn.ended && turn.began <= until && taken.spent + taken.held > most)
}

/// What the ledger has charged for each call.
async fn charges(operator: &mut Operator, client: &Client, found: &mut Found) -> Result<HashMap<String, Charged>> {
    let mut charged = HashMap::<String, Charged>::new();
    for entry in operator.all(&format!("/api/v1/companies/{}/ledger", client.id)).await? {
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        let call = text("callId").context("an entry names no call")?;
        let charge = charged.entry(call.to_owned()).or_default();
        found.granted += 1;
        match text("kind") {
            Some("settled") => charge.settled += pico(&entry, "amount")?,
            Some("void") => found.released += 1,
            Some("orphan") => {
                found.orphans += 1;
                charge.is_orphaned = true;
            }
            other => anyhow::bail!("an entry is {other:?}"),
        }
    }
    Ok(charged)
}

/// How far what was settled is from the provider's own bills, question by question. What a killed process was asking is
/// charged in full and has no bill to compare with.
fn difference(office: &Office, lived: &[Lived], charged: &HashMap<String, Charged>) -> i64 {
    let received = office.provider.bodies();
    let off = lived.iter().map(|turn| {
        let charge = charged.get(&turn.call).copied().unwrap_or_default();
        let about = received.iter().filter(|received| received.body.contains(&turn.words));
        let billed: i64 = about.map(|received| received.billed).sum();
        if charge.is_orphaned {
            0
        } else {
            (charge.settled - billed).abs()
        }
    });
    off.sum()
}

#[expect(clippy::disallowed_methods, reason = "what the store wrote has the system's time")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_justified_by_what_was_taken_while_it_was_decided() {
        let taken = |at, spent| Taken { at, spent, held: 0 };
        let history = [taken(100, 5), taken(200, 9), taken(300, 4)];
        let check = |began, ended, expected| {
            let turn = Lived {
                call: String::new(),
                words: String::new(),
                began,
                ended,
            };
            assert_eq!(lacked_room(&history, &turn, 8), expected, "{began} to {ended}");
        };
        check(120, 190, false);
        check(120, 200, true);
        check(220, 230, true);
        check(301, 900, false);
        check(10, 90, false);
    }
}
