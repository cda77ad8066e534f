//! Very many turns that wait for a provider at once.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use frontdesk_llm_double::{Mode, Script};
use futures_util::future::join_all;

use super::{Client, Office, PICO, nonsense};

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Questions that the provider had at once, unanswered.
    pub in_flight: u64,
    /// The server's resident memory before, MB.
    pub before: f64,
    /// Its most while they waited, MB.
    pub most: f64,
    /// The median and the slowest of the turns that rules answered before.
    pub alone: (Duration, Duration),
    /// The same while the others waited.
    pub beside: (Duration, Duration),
    /// The slowest turn that waited.
    pub slowest: Duration,
}

/// Turns that rules answer, one after the other, and what a caller says in them.
const RULE_TURNS: usize = 200;
const RULE_WORDS: &str = "i would like to schedule a visit";

/// Lets so many turns wait for a provider that never answers.
///
/// # Errors
/// The server cannot be started or asked, or `/proc` cannot be read.
pub async fn run(frontdesk: &Path, turns: usize) -> Result<Found> {
    let mut office = Office::open(frontdesk, 1, Script::from(Mode::Hang)).await?;
    let client = office.client(100 * PICO).await?;
    let mut waiting = Vec::new();
    for number in 0..turns {
        let mut caller = office.caller(&client, number)?;
        // The connection, and the call, are there before.
        caller.begin().await?;
        waiting.push(caller);
    }
    let alone = by_rules(&office, &client).await?;
    let before = resident(&office)?;
    let asking = join_all(waiting.iter_mut().map(|caller| async {
        let words = nonsense();
        let began = Instant::now();
        caller.say(&words).await.map(|_| began.elapsed())
    }));
    let watching = async {
        // By then all have asked, and the first are not cut yet.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let beside = by_rules(&office, &client).await?;
        Ok::<_, anyhow::Error>((beside, resident(&office)?))
    };
    let (took, watched) = futures_util::future::join(asking, watching).await;
    let (beside, most) = watched?;
    let took = took.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Found {
        in_flight: office.provider.stats().max_in_flight,
        before,
        most,
        alone,
        beside,
        slowest: took.into_iter().max().unwrap_or_default(),
    })
}

async fn by_rules(office: &Office, client: &Client) -> Result<(Duration, Duration)> {
    let mut took = Vec::with_capacity(RULE_TURNS);
    for _ in 0..RULE_TURNS {
        let mut caller = office.caller(client, 0)?;
        let began = Instant::now();
        let heard = caller.say(RULE_WORDS).await?;
        anyhow::ensure!(heard.speech().contains("which day suits you"), "rules did not answer");
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    Ok((median, took.last().copied().unwrap_or_default()))
}

/// The resident memory of the first server, MB.
fn resident(office: &Office) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", office.process()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .context("/proc names no memory")?
        .parse()?;
    Ok(kilobytes / 1e3)
}
