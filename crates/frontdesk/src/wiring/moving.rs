//! Two stores of which one takes over what the other holds, with nobody else at work on either.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use frontdesk_domain::clock::Clock;
use frontdesk_store::{
    leader,
    moving::{self, Part},
    ports::{Holdings, Movable},
    seal::load_or_create_key_file,
    system::SystemClock,
    tasks::TaskSet,
};
use tokio::time::{self, Instant};

use super::{
    BACKGROUND, TASK_DRAIN,
    store::{open_movable, sealer},
};
use crate::config::{Config, StoreUrl};

/// A process that still works on a store has renewed its lease after this time, and keeps it.
const NOBODY_ELSE: Duration = Duration::from_secs(15);

const LOOK: Duration = Duration::from_millis(100);

/// Moves everything. `told` hears how many of each part were moved since it last heard.
///
/// # Errors
/// A store cannot be opened, somebody works on it, the one that takes over is not empty, or what arrived is not what was
/// there.
pub async fn move_all(
    config: &Config,
    from: StoreUrl,
    to: StoreUrl,
    resume: bool,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<Holdings> {
    if from == to {
        bail!("--from and --to are the same store");
    }
    if let StoreUrl::Sqlite(path) = &from
        && !path.exists()
    {
        bail!("there is no store at {}", path.display());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let from = open(config, from, &clock).await?;
    let to = open(config, to, &clock).await?;
    let tasks = TaskSet::new();
    alone(&from, "--from", &tasks).await?;
    alone(&to, "--to", &tasks).await?;
    let there = to.holdings().await?;
    if there != Holdings::default() && !resume {
        bail!(
            "the store at --to is not empty: it holds {} companies and {} calls; give another one, or --resume to go on with a move that broke off",
            there.companies,
            there.calls
        );
    }
    let moved = moving::move_all(&*from, &*to, clock.now(), told).await;
    // Gives the leases up.
    tasks.shutdown(TASK_DRAIN).await;
    Ok(moved?)
}

async fn open(config: &Config, store: StoreUrl, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Movable>> {
    let own = Config {
        store,
        ..config.clone()
    };
    let mut sealer = sealer(&own)?;
    let file = own.key_file();
    // Written with the key beside it, before another one was set.
    if own.secrets.key.is_some() && matches!(own.store, StoreUrl::Sqlite(_)) && file.exists() {
        let key = load_or_create_key_file(&file).with_context(|| format!("cannot read {}", file.display()))?;
        sealer = sealer.with_previous(&key);
    }
    open_movable(&own, Arc::new(sealer), Arc::clone(clock)).await
}

/// Takes the lease that every process at work takes part in: who gets it is alone.
async fn alone(store: &Arc<dyn Movable>, name: &str, tasks: &TaskSet) -> Result<()> {
    let leadership = leader::start(Arc::clone(store) as _, BACKGROUND, tasks);
    let until = Instant::now() + NOBODY_ELSE;
    while !leadership.is_held() {
        if Instant::now() > until {
            bail!("a process still works on the store at {name}: stop every instance first, then run this again");
        }
        time::sleep(LOOK).await;
    }
    Ok(())
}
