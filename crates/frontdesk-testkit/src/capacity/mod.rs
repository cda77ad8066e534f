//! How much one process answers, and how it goes on when more is asked of it than that: on its own file, and on a database
//! server and a cache server, one after the other.
//!
//! - [`load`]: callers who wait for their answers, and callers who come at their times whatever happens.
//! - [`plot`]: what was measured, as a picture.
//!
//! The server runs on core 0, this process and the other servers on core 1.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rand::{SeedableRng as _, rngs::StdRng};
use tempfile::TempDir;

use crate::{
    mongo_server::MongoServer,
    redis_server::RedisServer,
    server::Server,
    world::{Company, World},
};

pub mod load;
pub mod plot;

use load::{Arrivals, Outcomes};

/// The first load is not measured: caches fill and companies are compiled.
const WARM_UP: Duration = Duration::from_secs(2);

/// What one company's callers ask beside another's, for each of its own.
const NOISE: u32 = 20;

/// What the process keeps its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A file of its own.
    Sqlite,
    /// A database server, and a cache server.
    Servers,
}

impl Store {
    /// Both, in the order in which they are measured.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Servers];

    /// Its name, for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Servers => "MongoDB and Redis",
        }
    }
}

/// What was measured of a process on one store.
#[derive(Debug)]
pub struct Measured {
    /// One caller, one turn after the other.
    pub alone: Outcomes,
    /// As many callers as keep it busy, each of whom waits for an answer before the next turn.
    pub busy: Outcomes,
    /// Callers who come at one, two and three times the rate that it answered when it was busy.
    pub offered: Vec<(u32, Outcomes)>,
    /// The callers of a quiet company: alone, and beside a company with twenty times as many, twice what the process
    /// answers.
    pub quiet: [Outcomes; 2],
    /// The callers of that other company.
    pub noisy: Outcomes,
}

struct Deployment {
    // The instance ends before what it needs.
    server: Server,
    companies: Vec<Company>,
    _servers: Option<(MongoServer, RedisServer)>,
    _folder: TempDir,
}

/// Measures a process on this store; each load lasts so long. `None` if what the store needs is not here.
///
/// # Errors
/// A process does not start, or does not answer.
pub async fn measure(frontdesk: &Path, store: Store, lasts: Duration) -> Result<Option<Measured>> {
    let Some(deployment) = Deployment::open(frontdesk, store).await? else {
        return Ok(None);
    };
    let Deployment { server, companies, .. } = &deployment;
    let (Some(quiet), Some(noisy)) = (companies.first(), companies.get(1)) else {
        anyhow::bail!("there are fewer companies than two");
    };
    let address = server.address();
    load::waiting(address, noisy, 16, WARM_UP).await;
    load::waiting(address, quiet, 16, WARM_UP).await;
    let alone = load::waiting(address, quiet, 1, lasts).await;
    let busy = load::waiting(address, quiet, 64, lasts).await;
    rest().await;
    let most = busy.right_a_second();
    let coming = |company, rate| Arrivals { company, rate, lasts };
    let mut offered = Vec::new();
    for times in 1..=3_u32 {
        let outcomes = load::coming(address, &[coming(quiet, most * f64::from(times))]).await;
        offered.push((times, outcomes.into_iter().next().context("a load gave no outcome")?));
        rest().await;
    }
    let share = most * 2.0 / f64::from(NOISE);
    let mut by_itself = load::coming(address, &[coming(quiet, share)]).await;
    rest().await;
    let noise = coming(noisy, share * f64::from(NOISE));
    let mut beside = load::coming(address, &[coming(quiet, share), noise]).await;
    let (Some(noisy), Some(beside), Some(by_itself)) = (beside.pop(), beside.pop(), by_itself.pop()) else {
        anyhow::bail!("a load gave no outcome");
    };
    Ok(Some(Measured {
        alone,
        busy,
        offered,
        quiet: [by_itself, beside],
        noisy,
    }))
}

/// What was answered is stored meanwhile.
async fn rest() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

impl Deployment {
    async fn open(frontdesk: &Path, store: Store) -> Result<Option<Self>> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let server = Server::new(frontdesk, folder.path())?.with_prelude(&on_core(0, "$$"));
        let (mut server, servers) = match store {
            Store::Sqlite => (server, None),
            Store::Servers => {
                let (Some(mongo), Some(redis)) = (MongoServer::start_or_skip()?, RedisServer::start_or_skip()?) else {
                    return Ok(None);
                };
                let key = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
                let url = format!("mongodb://127.0.0.1:{}/frontdesk", mongo.port());
                let server = server
                    .with_setting("STORE__URL", url)
                    .with_setting("CACHE__URL", redis.url())
                    .with_setting("SECRETS__KEY", key);
                (server, Some((mongo, redis)))
            }
        };
        server.start().await?;
        let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(7)).await?;
        Ok(Some(Self {
            server,
            companies: world.companies,
            _servers: servers,
            _folder: folder,
        }))
    }
}

/// Puts this process, and what it starts, on core 1, where cores can be chosen. Whether they can.
pub fn keep_off_the_servers_core() -> bool {
    let own = std::process::id().to_string();
    let chosen = Command::new("sh")
        .args(["-c", &on_core(1, &own)])
        .stdout(Stdio::null())
        .status();
    let is_chosen = |core: &str| {
        let tried = Command::new("taskset").args(["-c", core, "true"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    chosen.is_ok_and(|status| status.success()) && is_chosen("0") && is_chosen("1")
}

/// Moves a process to a core. A machine that cannot do so runs it anywhere.
fn on_core(core: u32, process: &str) -> String {
    format!("taskset --all-tasks --cpu-list --pid {core} {process} >/dev/null 2>&1 || true")
}
