//! Two processes on one store and one cache server, which is killed, hangs and comes back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    redis_server::RedisServer,
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;

/// A turn's deadline, with a little for the way.
const DEADLINE: Duration = Duration::from_millis(4_200);

/// What becomes of an outage is seen within so long.
const SEEN: Duration = Duration::from_secs(15);

struct Office {
    redis: RedisServer,
    servers: [Server; 2],
    world: World,
    _folder: TempDir,
}

impl Office {
    async fn open() -> Option<Self> {
        let redis = RedisServer::start_or_skip().unwrap()?;
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_frontdesk"));
        let server = || {
            let server = Server::new(program, folder.path()).unwrap();
            server.with_setting("CACHE__URL", redis.url())
        };
        let mut servers = [server(), server()];
        for server in &mut servers {
            server.start().await.unwrap();
        }
        let world = World::create(&mut servers[0].operator(), &mut StdRng::seed_from_u64(1))
            .await
            .unwrap();
        Some(Self {
            redis,
            servers,
            world,
            _folder: folder,
        })
    }

    /// A new call to the first company at one of the servers.
    fn call(&self, server: usize) -> Caller {
        let company = &self.world.companies[0];
        let sid = format!("CA{:032x}", rand::random::<u128>());
        let mut caller = Caller::new(self.servers[server].connection());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        caller
    }

    /// What `/readyz` says of the cache.
    async fn cache(&self, server: usize) -> String {
        let readiness = self.servers[server].operator().get("/readyz").await.unwrap();
        let checks = readiness["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "sharedCache").unwrap();
        check["status"].as_str().unwrap().to_owned()
    }

    async fn until_cache_is(&self, status: &str) {
        let until = Instant::now() + SEEN;
        while self.cache(0).await != status || self.cache(1).await != status {
            assert!(Instant::now() < until, "the cache does not become {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Edits the template at the first server; how long until callers of the second one hear it.
    async fn edit(&self, revision: u64) -> Duration {
        let template = world::template(&self.world.companies[0], revision);
        let target = format!("/api/v1/templates/{}", self.world.companies[0].template);
        let mut operator = self.servers[0].operator();
        operator.must(Method::PUT, &target, Some(&template)).await.unwrap();
        let told = async |server| {
            let begun = Instant::now();
            let speech = self.call(server).say(world::REVISION).await.unwrap().speech();
            assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
            world::revision_told(&speech)
        };
        assert_eq!(told(0).await, Some(revision), "the next turn at the server that wrote");
        let begun = Instant::now();
        while told(1).await != Some(revision) {
            assert!(begun.elapsed() < SEEN, "revision {revision} is not heard");
        }
        begun.elapsed()
    }

    async fn notices(&self) -> Vec<Value> {
        let all = self.servers[0].operator().all("/api/v1/notifications").await.unwrap();
        all.into_iter()
            .filter(|notice| notice["code"] == "PRODUCTION_AI_CACHE_ERROR")
            .collect()
    }
}

#[tokio::test]
async fn an_outage_of_the_cache_server_is_told_and_no_caller_hears_it() {
    let Some(mut office) = Office::open().await else { return };
    office.until_cache_is("ok").await;
    let with = office.edit(1).await;
    office.redis.kill().unwrap();
    office.until_cache_is("down").await;
    let without = office.edit(2).await;
    assert!(without < Duration::from_secs(3), "the store tells: {without:?}");
    let until = Instant::now() + SEEN;
    while office.notices().await.is_empty() {
        assert!(Instant::now() < until, "nobody is told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    office.redis.start().unwrap();
    office.until_cache_is("ok").await;
    let again = office.edit(3).await;
    office.redis.hang().unwrap();
    let hanging = office.edit(4).await;
    office.redis.go_on().unwrap();
    office.until_cache_is("ok").await;
    let after = office.edit(5).await;
    println!("heard: with {with:?}, killed {without:?}, back {again:?}, hanging {hanging:?}, back {after:?}");
}

#[tokio::test]
async fn a_webhook_that_two_processes_get_has_one_answer() {
    let Some(office) = Office::open().await else { return };
    let mut here = office.call(0);
    here.begin().await.unwrap();
    let call = here.call().unwrap().clone();
    let mut there = Caller::new(office.servers[1].connection());
    there.take(call.clone());
    let target = call.heard.as_ref().unwrap().gather.clone().unwrap();
    let said = [("SpeechResult", "flurb gazonk wibblesnatch"), ("Confidence", "0.5")];
    let (first, second) = tokio::join!(here.fetch(&target, &said), there.fetch(&target, &said));
    assert_eq!(first.unwrap(), second.unwrap());
    let path = format!("/api/v1/companies/{}/calls/{}", call.company, call.sid);
    let until = Instant::now() + SEEN;
    loop {
        let recorded = office.servers[0]
            .operator()
            .send(Method::GET, &path, None)
            .await
            .unwrap();
        let recorded: Value = serde_json::from_slice(&recorded.body).unwrap();
        if recorded["turns"].as_array().is_some_and(|turns| turns.len() == 2) {
            break;
        }
        assert!(Instant::now() < until, "{recorded}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn numbers_of_the_cache_server_are_shown() {
    let Some(office) = Office::open().await else { return };
    office.call(0).say(world::VISIT.0).await.unwrap();
    let shown = office.servers[0]
        .operator()
        .send(Method::GET, "/metrics", None)
        .await
        .unwrap()
        .text();
    for name in [
        "frontdesk_shared_cache_up 1",
        "frontdesk_shared_cache_commands_total",
        "frontdesk_shared_cache_fills_total",
    ] {
        assert!(shown.contains(name), "{name}: {shown}");
    }
    let doctor = office.servers[0].command(&["doctor"]).unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("the cache server redis://127.0.0.1"), "{said}");
}
