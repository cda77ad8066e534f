//! Processes killed (SIGKILL) while they hold money.

use std::{cell::Cell, path::Path, time::Duration};

use anyhow::Result;
use frontdesk_llm_double::Script;
use futures_util::future::{join, join_all};

use super::{Client, Month, Office, PICO, month, nonsense, settled, sum_of_entries};

/// What a round, and in the end the whole run, found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// Questions that reached the provider so far.
    pub asked: u64,
    /// What the provider has billed so far, pico-USD.
    pub billed: i64,
    /// What the ledger has charged, pico-USD.
    pub spent: i64,
    /// What it holds, pico-USD.
    pub held: i64,
    /// Whether spent + held covers the bill and stays within the limit, and `budget verify` agrees with every sum.
    pub is_right: bool,
}

/// The provider answers after so long: a kill always finds questions under way.
const LATENCY: Duration = Duration::from_millis(120);

const CALLERS: usize = 12;

/// Kills the server so many times under load, and looks at the ledger after each kill; in the end nothing is held.
/// `say` is told of each round.
///
/// # Errors
/// The server cannot be started again.
pub async fn run(frontdesk: &Path, rounds: u32, say: &mut dyn FnMut(u32, Found)) -> Result<Found> {
    let script = Script {
        latency: LATENCY,
        ..Script::default()
    };
    let mut office = Office::open(frontdesk, 1, script).await?;
    let client = office.client(PICO).await?;
    for round in 1..=rounds {
        load_and_kill(&mut office, &client).await?;
        let is_verified = verify(&office)?;
        for server in &mut office.servers {
            server.start().await?;
        }
        say(round, look(&office, &client, is_verified).await?);
    }
    // Whatever a killed process held is charged when its lease ends and another process has taken up the killed one's work.
    settled(&mut office.operator()?, &client).await?;
    let mut end = look(&office, &client, verify(&office)?).await?;
    let entries = sum_of_entries(&mut office.operator()?, &client).await?;
    end.is_right &= end.held == 0 && entries == end.spent;
    Ok(end)
}

async fn load_and_kill(office: &mut Office, client: &Client) -> Result<()> {
    let lasts = Duration::from_millis(rand::random_range(150..600));
    let is_over = Cell::new(false);
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        callers.push(office.caller(client, number)?);
    }
    let calling = join_all(callers.iter_mut().map(|caller| async {
        // What is not answered once the server is killed is no fault.
        while !is_over.get() && caller.say(&nonsense()).await.is_ok() {}
    }));
    let killing = async {
        tokio::time::sleep(lasts).await;
        is_over.set(true);
        office.servers.iter_mut().try_for_each(crate::server::Server::kill)
    };
    let (_, killed) = join(calling, killing).await;
    killed
}

/// Whether `budget verify` derives every sum again, on the file as the kill left it.
fn verify(office: &Office) -> Result<bool> {
    let Some(server) = office.servers.first() else {
        return Ok(false);
    };
    Ok(server.command(&["budget", "verify"])?.status.success())
}

async fn look(office: &Office, client: &Client, is_verified: bool) -> Result<Found> {
    // The bill before the budget: what was billed then must be covered now.
    let stats = office.provider.stats();
    let Month { limit, spent, held } = month(&mut office.operator()?, client).await?;
    let is_covered = spent + held >= stats.billed && spent + held <= limit;
    Ok(Found {
        asked: stats.calls,
        billed: stats.billed,
        spent,
        held,
        is_right: is_covered && is_verified,
    })
}
