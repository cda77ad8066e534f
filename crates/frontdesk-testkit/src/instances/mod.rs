//! Several instances on one database server and one cache server, with calls in progress while parts of it fail.
//!
//! - [`load`]: many calls at once, each turn by a balancer that repeats a webhook elsewhere when a connection breaks.
//! - [`fault`]: what fails, for how long, and how it comes back.
//! - [`found`]: what is in the store afterwards, compared with what callers were told.
//! - [`plot`]: a run as a picture.

use std::{net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result};
use frontdesk_llm_double::{Double, Script};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    line::Line,
    money::{self, Client},
    mongo_server::MongoServer,
    redis_server::RedisServer,
    server::Server,
    world::World,
};

pub mod fault;
pub mod found;
pub mod load;
pub mod plot;

/// So many instances share the store.
pub const INSTANCES: usize = 3;

/// What a company may spend whose callers ask the LLM: more than a run can.
const BUDGET: i64 = 1_000 * money::PICO;

/// Everything that a deployment of several instances has.
#[derive(Debug)]
pub struct Cluster {
    /// The instances with the provider that they ask.
    pub office: money::Office,
    /// The database server.
    pub mongo: MongoServer,
    /// The cache server.
    pub redis: RedisServer,
    /// The way of all instances to the database server.
    pub line: Line,
    /// Companies whose callers are answered for free.
    pub world: World,
    /// A company whose callers ask the LLM.
    pub client: Client,
}

impl Cluster {
    /// Starts all of it. `None` if there is no database server or no cache server here.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn open(frontdesk: &Path) -> Result<Option<Self>> {
        let (Some(mongo), Some(redis)) = (MongoServer::start_or_skip()?, RedisServer::start_or_skip()?) else {
            return Ok(None);
        };
        let line = Line::to(mongo.port())?;
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let provider = Double::start((Ipv4Addr::LOCALHOST, 0).into(), Script::default()).await?;
        let url = format!("mongodb://127.0.0.1:{}/frontdesk", line.port());
        let key = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let token = format!("testkit-{:032x}", rand::random::<u128>());
        let mut servers = Vec::new();
        for number in 0..INSTANCES {
            let own = folder.path().join(number.to_string());
            std::fs::create_dir(&own)?;
            let mut server = Server::new(frontdesk, &own)?
                .with_token(&token)
                .with_setting("STORE__URL", &url)
                .with_setting("CACHE__URL", redis.url())
                .with_setting("SECRETS__KEY", &key)
                .with_setting("LLM__BASE_URL", provider.base_url())
                .with_setting("LLM__API_KEY", "key-of-the-double")
                .with_setting("LLM__LEASE_SECONDS", money::LEASE_SECONDS.to_string());
            server.start().await?;
            servers.push(server);
        }
        let mut office = money::Office::of(servers, provider, folder).await?;
        let world = World::create(&mut office.operator()?, &mut StdRng::seed_from_u64(1)).await?;
        let client = office.client(BUDGET).await?;
        Ok(Some(Self {
            office,
            mongo,
            redis,
            line,
            world,
            client,
        }))
    }
}

impl Cluster {
    /// Whom callers call.
    #[must_use]
    pub fn targets(&self) -> load::Targets {
        load::Targets {
            instances: self.office.servers.iter().map(Server::address).collect(),
            companies: self.world.companies.clone(),
            client: self.client.clone(),
        }
    }
}
