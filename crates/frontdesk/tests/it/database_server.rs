//! A process on a database server that hangs, is killed, or is slow: callers still hear a sentence in time, and nothing
//! acknowledged is lost.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    line::Line,
    mongo_server::MongoServer,
    operator::Operator,
    redis_server::RedisServer,
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A turn's deadline, with a little for the way.
const DEADLINE: Duration = Duration::from_millis(4_200);

/// What becomes of trouble is seen within so long, and what waited is stored. A stand-in for the server on a busy machine
/// is slow.
const SEEN: Duration = Duration::from_secs(40);

/// So long the trouble lasts: two rounds of the health check and more than the store's own deadlines.
const TROUBLE: Duration = Duration::from_secs(6);

/// What callers say who are answered from memory, and those whose answer is counted or kept in the store.
const FAST: [&str; 2] = [world::VISIT.0, world::PRICE.0];
const SLOW: [&str; 2] = ["flurb gazonk wibblesnatch", world::MESSAGE];

/// What was promised while the server was in trouble.
#[derive(Debug, Default)]
struct Promised {
    answered: Vec<String>,
    messages: Vec<String>,
    written: Vec<u64>,
    refused: usize,
    slowest: Duration,
    /// Of each call's first answer.
    took: Vec<Duration>,
}

struct Office {
    mongo: MongoServer,
    line: Line,
    server: Server,
    world: World,
    _folder: TempDir,
}

impl Office {
    async fn open(redis: Option<&RedisServer>) -> Option<Self> {
        let mongo = MongoServer::start_or_skip().unwrap()?;
        let line = Line::to(mongo.port()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path())
            .unwrap()
            .with_setting("STORE__URL", format!("mongodb://127.0.0.1:{}/frontdesk", line.port()))
            .with_setting("SECRETS__KEY", "0123456789abcdef".repeat(4));
        if let Some(redis) = redis {
            server = server.with_setting("CACHE__URL", redis.url());
        }
        server.start().await.unwrap();
        let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(1))
            .await
            .unwrap();
        let office = Self {
            mongo,
            line,
            server,
            world,
            _folder: folder,
        };
        // What callers have not asked for yet is not in memory.
        office.call(FAST[0], &mut Promised::default()).await;
        office.until_store_is("ok").await;
        Some(office)
    }

    fn path(&self) -> String {
        format!("/api/v1/companies/{}", self.world.companies[0].id)
    }

    /// A call of one turn, and a message where one is asked for.
    async fn call(&self, words: &str, promised: &mut Promised) {
        let company = &self.world.companies[0];
        let sid = format!("CA{:032x}", rand::random::<u128>());
        let mut caller = Caller::new(self.server.connection());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        let began = Instant::now();
        let heard = caller.say(words).await.unwrap().clone();
        let took = began.elapsed();
        promised.slowest = promised.slowest.max(took);
        promised.took.push(took);
        promised.answered.push(sid.clone());
        let right = [world::VISIT, world::PRICE]
            .into_iter()
            .find(|(asked, _)| *asked == words);
        match right {
            Some((_, answer)) => assert!(heard.speech().starts_with(answer), "answered from memory: {heard:?}"),
            None => assert!(!heard.speech().is_empty()),
        }
        if heard.record.is_some() {
            let recording = format!("RE{sid}");
            let began = Instant::now();
            let heard = caller.leave_message(&recording, "please call me back").await.unwrap();
            promised.slowest = promised.slowest.max(began.elapsed());
            assert!(!heard.speech().is_empty());
            // Who was not thanked is asked for it again.
            if heard.record.is_none() {
                promised.messages.push(recording);
            }
        }
    }

    async fn keep_calling(&self, words: [&str; 2], until: Instant) -> Promised {
        let mut promised = Promised::default();
        while Instant::now() < until {
            for words in words {
                self.call(words, &mut promised).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        promised
    }

    async fn keep_writing(&self, first: u64, until: Instant) -> Promised {
        let mut operator = self.server.operator();
        let mut promised = Promised::default();
        let mut number = first;
        while Instant::now() < until {
            let document = json!({
                "id": format!("stored-{number}"),
                "question": world::question(number),
                "answer": world::answer(number, number),
            });
            let target = format!("{}/qna", self.path());
            let reply = operator.send(Method::POST, &target, Some(&document)).await.unwrap();
            if reply.is_success() {
                promised.written.push(number);
            } else {
                assert_eq!(reply.status, 503, "{}", reply.text());
                promised.refused += 1;
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        promised
    }

    /// Calls and writes side by side for a while.
    async fn work(&self, first: u64, lasts: Duration) -> [Promised; 3] {
        let until = Instant::now() + lasts;
        let (fast, slow, writes) = tokio::join!(
            Box::pin(self.keep_calling(FAST, until)),
            Box::pin(self.keep_calling(SLOW, until)),
            Box::pin(self.keep_writing(first, until))
        );
        [fast, slow, writes]
    }

    /// What `/readyz` says once the store's check says that; other checks may find this machine odd.
    async fn until_store_is(&self, status: &str) -> Value {
        let until = Instant::now() + SEEN;
        loop {
            let reply = self.server.operator().send(Method::GET, "/readyz", None).await.unwrap();
            assert_eq!(reply.status, 200, "a process that answers calls stays in service");
            let readiness: Value = serde_json::from_slice(&reply.body).unwrap();
            let checks = readiness["checks"].as_array().unwrap();
            let store = checks.iter().find(|check| check["name"] == "store").unwrap();
            if store["status"] == status {
                return readiness;
            }
            assert!(
                Instant::now() < until,
                "the store does not become {status}: {readiness}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ids(&self, operator: &mut Operator, list: &str, field: &str) -> HashSet<String> {
        let items = operator.all(&format!("{}/{list}", self.path())).await.unwrap();
        items
            .iter()
            .filter_map(|item| item[field].as_str().map(str::to_owned))
            .collect()
    }

    /// Looks for everything that was promised; the records may take their time.
    async fn check(&self, promised: &[Promised]) {
        let mut operator = self.server.operator();
        let until = Instant::now() + SEEN;
        loop {
            let calls = self.ids(&mut operator, "calls", "callId").await;
            let answered = promised.iter().flat_map(|promised| &promised.answered);
            let missing = answered.filter(|call| !calls.contains(*call)).count();
            if missing == 0 {
                break;
            }
            assert!(Instant::now() < until, "{missing} answered calls are not in the log");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let messages = self.ids(&mut operator, "messages", "recordingSid").await;
        let qnas = self.ids(&mut operator, "qna", "id").await;
        for promised in promised {
            assert!(promised.slowest < DEADLINE, "{:?}", promised.slowest);
            assert!(promised.messages.iter().all(|message| messages.contains(message)));
            assert!(
                promised
                    .written
                    .iter()
                    .all(|number| qnas.contains(&format!("stored-{number}")))
            );
            println!(
                "{} calls, the slowest answer after {:?}; {} messages kept; {} writes taken, {} refused",
                promised.answered.len(),
                promised.slowest,
                promised.messages.len(),
                promised.written.len(),
                promised.refused
            );
        }
        let verified = self.server.command(&["budget", "verify"]).unwrap();
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stdout)
        );
    }

    async fn until_told(&self, code: &str) {
        let until = Instant::now() + SEEN;
        loop {
            let all = self.server.operator().all("/api/v1/notifications").await.unwrap();
            if all.iter().any(|notice| notice["code"] == code) {
                return;
            }
            assert!(Instant::now() < until, "{code} is not told: {all:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn doctor(&self) -> String {
        let doctor = self.server.command(&["doctor"]).unwrap();
        String::from_utf8_lossy(&[&doctor.stdout[..], &doctor.stderr[..]].concat()).into_owned()
    }
}

#[tokio::test]
async fn a_database_server_that_hangs_costs_no_caller_a_turn() {
    let Some(office) = Office::open(None).await else { return };
    office.mongo.hang().unwrap();
    let hanging = office.work(0, TROUBLE).await;
    assert!(hanging[2].written.is_empty() && hanging[2].refused > 0, "{hanging:?}");
    let readiness = office.until_store_is("down").await;
    assert_eq!(readiness["status"], "degraded", "{readiness}");
    office.mongo.go_on().unwrap();
    office.until_store_is("ok").await;
    // The server may still be busy with what it was asked while it hung.
    let until = Instant::now() + SEEN;
    let mut all = Vec::from(hanging);
    for round in 1.. {
        all.extend(office.work(round * 1_000, Duration::from_secs(1)).await);
        if all.last().is_some_and(|writes| !writes.written.is_empty()) {
            break;
        }
        assert!(Instant::now() < until, "it takes no writes again");
    }
    office.check(&all).await;
    office.until_told("PRODUCTION_AI_DATABASE_ERROR").await;
}

#[tokio::test]
async fn a_database_server_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut office) = Office::open(None).await else {
        return;
    };
    let before = office.work(0, Duration::from_secs(2)).await;
    office.mongo.kill().unwrap();
    let away = office.work(1_000, TROUBLE).await;
    assert!(away[2].written.is_empty() && away[2].refused > 0, "{away:?}");
    let doctor = office.doctor();
    assert!(
        doctor.contains("cannot be used: no server that takes writes is found"),
        "{doctor}"
    );
    office.until_store_is("down").await;
    office.mongo.start().unwrap();
    office.until_store_is("ok").await;
    let after = office.work(2_000, Duration::from_secs(1)).await;
    let all: Vec<_> = before.into_iter().chain(away).chain(after).collect();
    office.check(&all).await;
    let doctor = office.doctor();
    assert!(
        doctor.contains("a write that a majority has in its journals takes"),
        "{doctor}"
    );
}

#[tokio::test]
async fn a_slow_database_server_is_not_waited_for_by_those_who_need_it_not() {
    let Some(office) = Office::open(None).await else { return };
    office.line.keep_back(Duration::from_millis(500));
    let slow = office.work(0, TROUBLE).await;
    let [fast, ..] = &slow;
    assert!(
        fast.slowest < Duration::from_secs(1),
        "answered from memory: {:?}",
        fast.slowest
    );
    office.line.keep_back(Duration::ZERO);
    office.until_store_is("ok").await;
    office.check(&slow).await;
}

#[tokio::test]
async fn without_both_servers_callers_are_answered_from_memory() {
    let Some(mut redis) = RedisServer::start_or_skip().unwrap() else {
        return;
    };
    let Some(mut office) = Office::open(Some(&redis)).await else {
        return;
    };
    redis.kill().unwrap();
    office.mongo.kill().unwrap();
    let alone = office.work(0, TROUBLE).await;
    let readiness = office.until_store_is("down").await;
    let down = readiness["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] == "down");
    assert!(down.count() >= 2, "{readiness}");
    redis.start().unwrap();
    office.mongo.start().unwrap();
    office.until_store_is("ok").await;
    office.check(&alone).await;
}
