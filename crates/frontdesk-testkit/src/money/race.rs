//! Turns at once where only some fit the budget.

use std::{
    cell::Cell,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use frontdesk_llm_double::{Script, UsageScript};
use futures_util::future::{join, join_all};

use super::{Client, Month, Office, month, nonsense, settled, sum_of_entries};
use crate::operator::Operator;

/// What each question costs in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bills {
    /// Its hold, to the pico-dollar: exactly what fits is asked.
    TheHold,
    /// Less than its hold: at least what fits is asked, and more as room comes back.
    Less,
}

/// One burst.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// How many holds fit the budget.
    pub fits: u32,
    /// How many turns come at once.
    pub turns: u32,
    /// What they cost.
    pub bills: Bills,
}

/// What became of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// How many questions reached the provider.
    pub asked: u64,
    /// The most that spent + held was ever seen above the limit, pico-USD; negative or 0 is right.
    pub worst: i64,
    /// How often spent and held were looked at.
    pub looks: u32,
    /// What the ledger has charged beyond the provider's bill, pico-USD; 0 is right.
    pub difference: i64,
    /// The slowest turn.
    pub slowest: Duration,
    /// Whether all of it is as promised.
    pub is_right: bool,
}

/// The provider answers after so long.
const LATENCY: Duration = Duration::from_millis(300);

/// How often spent and held are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// No turn may take longer.
const DEADLINE: Duration = Duration::from_secs(4);

/// Runs bursts on so many processes, one after the other; `say` is told of each.
///
/// # Errors
/// A server cannot be started or asked at all.
pub async fn run(
    frontdesk: &Path,
    processes: usize,
    bursts: &[Burst],
    say: &mut dyn FnMut(Burst, Outcome),
) -> Result<()> {
    let mut office = Office::open(frontdesk, processes, script(Bills::TheHold)).await?;
    let hold = office.hold().await?;
    for burst in bursts {
        office.provider.reset();
        office.provider.set(script(burst.bills));
        let outcome = once(&mut office, *burst, hold).await?;
        say(*burst, outcome);
    }
    Ok(())
}

fn script(bills: Bills) -> Script {
    Script {
        latency: LATENCY,
        usage: (bills == Bills::TheHold).then_some(UsageScript::Dearest),
        ..Script::default()
    }
}

async fn once(office: &mut Office, burst: Burst, hold: i64) -> Result<Outcome> {
    // Half a hold of room that fits no question.
    let client = office.client(i64::from(burst.fits) * hold + hold / 2).await?;
    let is_over = Cell::new(false);
    let mut callers = Vec::new();
    for number in 0..burst.turns {
        callers.push(office.caller(&client, number as usize)?);
    }
    let turns = join_all(callers.iter_mut().map(|caller| async {
        let words = nonsense();
        let began = Instant::now();
        caller.say(&words).await.map(|_| began.elapsed())
    }));
    let turns = async {
        let took = turns.await;
        is_over.set(true);
        took
    };
    let (took, watched) = join(turns, watch(office.operator()?, &client, &is_over)).await;
    let (worst, looks) = watched?;
    let slowest = took
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .max()
        .unwrap_or_default();
    let mut operator = office.operator()?;
    let end = settled(&mut operator, &client).await?;
    let stats = office.provider.stats();
    let difference = end.spent - stats.billed;
    let fit = u64::from(burst.fits.min(burst.turns));
    let is_count_right = match burst.bills {
        Bills::TheHold => stats.calls == fit,
        Bills::Less => stats.calls >= fit,
    };
    let entries = sum_of_entries(&mut operator, &client).await?;
    Ok(Outcome {
        asked: stats.calls,
        worst: worst.max(end.spent - end.limit),
        looks,
        difference,
        slowest,
        is_right: is_count_right && worst <= 0 && difference == 0 && entries == end.spent && slowest <= DEADLINE,
    })
}

/// The most that spent + held was above the limit, and how often they were looked at.
async fn watch(mut operator: Operator, client: &Client, is_over: &Cell<bool>) -> Result<(i64, u32)> {
    let (mut worst, mut looks) = (i64::MIN, 0);
    while !is_over.get() {
        let Month { limit, spent, held } = month(&mut operator, client).await?;
        worst = worst.max(spent + held - limit);
        looks += 1;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok((worst, looks))
}
