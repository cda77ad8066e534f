//! A process on a database server that hangs, is killed, or is slow: callers still hear a sentence in time, and nothing
//! acknowledged is lost.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use frontdesk_testkit::{line::Line, mongo_server::MongoServer, redis_server::RedisServer, server::Server};
use http::Method;
use serde_json::Value;

use crate::trouble::{Office, Promised};

/// What becomes of trouble is seen within so long, and what waited is stored. A stand-in for the server on a busy machine
/// is slow.
const SEEN: Duration = Duration::from_secs(40);

/// So long the trouble lasts: two rounds of the health check and more than the store's own deadlines.
const TROUBLE: Duration = Duration::from_secs(6);

/// An office whose store is on a server of its own, which it reaches by a line.
struct Apart {
    mongo: MongoServer,
    line: Line,
    office: Office,
}

impl Apart {
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
        let office = Office::open(server, folder, Duration::from_millis(50)).await;
        let apart = Self { mongo, line, office };
        apart.until_store_is("ok").await;
        Some(apart)
    }

    /// Calls and writes that are not taken, while the server is away.
    async fn work_away(&self, promised: &mut Promised) {
        let before = (promised.writes.taken.len(), promised.writes.refused);
        self.office.work(TROUBLE, promised).await;
        assert_eq!(promised.writes.taken.len(), before.0, "{promised:?}");
        assert!(promised.writes.refused > before.1, "{promised:?}");
    }

    /// Calls and writes until one is taken: the server may still be busy with what it was asked while it was in trouble.
    async fn work_again(&self, promised: &mut Promised) {
        let (until, before) = (Instant::now() + SEEN, promised.writes.taken.len());
        while promised.writes.taken.len() == before {
            assert!(Instant::now() < until, "it takes no writes again");
            self.office.work(Duration::from_secs(1), promised).await;
        }
    }

    /// What `/readyz` says once the store's check says that; other checks may find this machine odd.
    async fn until_store_is(&self, status: &str) -> Value {
        let until = Instant::now() + SEEN;
        loop {
            let reply = self
                .office
                .server
                .operator()
                .send(Method::GET, "/readyz", None)
                .await
                .unwrap();
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

    /// Looks for everything that was promised.
    async fn check(&self, promised: &Promised) {
        self.office.check(promised, SEEN).await;
        let verified = self.office.server.command(&["budget", "verify"]).unwrap();
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stdout)
        );
    }

    async fn until_told(&self, code: &str) {
        let until = Instant::now() + SEEN;
        loop {
            let all = self
                .office
                .server
                .operator()
                .all("/api/v1/notifications")
                .await
                .unwrap();
            if all.iter().any(|notice| notice["code"] == code) {
                return;
            }
            assert!(Instant::now() < until, "{code} is not told: {all:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn doctor(&self) -> String {
        let doctor = self.office.server.command(&["doctor"]).unwrap();
        String::from_utf8_lossy(&[&doctor.stdout[..], &doctor.stderr[..]].concat()).into_owned()
    }
}

#[tokio::test]
async fn a_database_server_that_hangs_costs_no_caller_a_turn() {
    let Some(apart) = Apart::open(None).await else { return };
    let mut promised = Promised::default();
    apart.mongo.hang().unwrap();
    apart.work_away(&mut promised).await;
    let readiness = apart.until_store_is("down").await;
    assert_eq!(readiness["status"], "degraded", "{readiness}");
    apart.mongo.go_on().unwrap();
    apart.until_store_is("ok").await;
    apart.work_again(&mut promised).await;
    apart.check(&promised).await;
    apart.until_told("PRODUCTION_AI_DATABASE_ERROR").await;
}

#[tokio::test]
async fn a_database_server_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut apart) = Apart::open(None).await else {
        return;
    };
    let mut promised = Promised::default();
    apart.office.work(Duration::from_secs(2), &mut promised).await;
    apart.mongo.kill().unwrap();
    apart.work_away(&mut promised).await;
    let doctor = apart.doctor();
    assert!(
        doctor.contains("cannot be used: no server that takes writes is found"),
        "{doctor}"
    );
    apart.until_store_is("down").await;
    apart.mongo.start().unwrap();
    apart.until_store_is("ok").await;
    apart.work_again(&mut promised).await;
    apart.check(&promised).await;
    let doctor = apart.doctor();
    assert!(
        doctor.contains("a write that a majority has in its journals takes"),
        "{doctor}"
    );
}

#[tokio::test]
async fn a_slow_database_server_is_not_waited_for_by_those_who_need_it_not() {
    let Some(apart) = Apart::open(None).await else { return };
    let mut promised = Promised::default();
    apart.line.keep_back(Duration::from_millis(500));
    apart.office.work(TROUBLE, &mut promised).await;
    let middle = promised.fast.middle();
    assert!(middle < Duration::from_millis(500), "answered from memory: {middle:?}");
    apart.line.keep_back(Duration::ZERO);
    apart.until_store_is("ok").await;
    apart.check(&promised).await;
}

#[tokio::test]
async fn without_both_servers_callers_are_answered_from_memory() {
    let Some(mut redis) = RedisServer::start_or_skip().unwrap() else {
        return;
    };
    let Some(mut apart) = Apart::open(Some(&redis)).await else {
        return;
    };
    let mut promised = Promised::default();
    redis.kill().unwrap();
    apart.mongo.kill().unwrap();
    apart.work_away(&mut promised).await;
    let readiness = apart.until_store_is("down").await;
    let down = readiness["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] == "down");
    assert!(down.count() >= 2, "{readiness}");
    redis.start().unwrap();
    apart.mongo.start().unwrap();
    apart.until_store_is("ok").await;
    apart.check(&promised).await;
}
