//! How the parts are, and how they were.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::AlertCode,
    health::{HealthState, Hysteresis},
};
use frontdesk_server::health::{Check, Concern, Health, Monitor, MonitorParts};
use frontdesk_store::{
    leader,
    ports::{HealthEntry, HealthStore as _, InstanceHealth, PartHealth},
    tasks::TaskSet,
};
use serde_json::{Value, json};

use crate::support::TestApp;

fn check<'h>(health: &'h Value, name: &str) -> &'h Value {
    let checks = health["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[tokio::test]
async fn health_shows_each_part_since_when_and_what_to_do() {
    let app = TestApp::start().await;
    let health = app.get("/api/v1/health").await.ok(200);
    let store = check(&health, "store");
    assert_eq!((&store["status"], &store["fix"]), (&json!("ok"), &Value::Null));
    assert_eq!(store["since"], "2026-11-25T12:00:00Z");
    assert_eq!(store["code"], "PRODUCTION_AI_DATABASE_ERROR");
    assert_eq!(health["others"], json!([]));
    assert!(
        health["instance"]
            .as_str()
            .unwrap()
            .starts_with(&std::process::id().to_string())
    );
}

#[tokio::test]
async fn the_trouble_of_another_instance_is_shown_and_is_everybodys_status() {
    let app = TestApp::start().await;
    let disk = PartHealth {
        name: "disk".into(),
        state: Some(HealthState::Down),
        since: Some("2026-11-25T11:00:00Z".parse().unwrap()),
        detail: "12 MB free".into(),
        code: None,
        fix: "make room".into(),
    };
    let other = |at: &str| InstanceHealth {
        instance: "7-other".into(),
        beat: 1,
        at: at.parse().unwrap(),
        parts: vec![disk.clone()],
    };
    app.store.put_instance(other("2026-11-25T11:59:30Z")).await.unwrap();
    let health = app.get("/api/v1/health").await.ok(200);
    assert_eq!(health["status"], "down");
    assert_eq!(health["others"][0]["instance"], "7-other");
    let disk = check(&health["others"][0], "disk");
    assert_eq!((&disk["status"], &disk["fix"]), (&json!("down"), &json!("make room")));
    // One that has not written for a minute is gone.
    app.store.put_instance(other("2026-11-25T11:58:59Z")).await.unwrap();
    let health = app.get("/api/v1/health").await.ok(200);
    assert_eq!(health["others"], json!([]));
}

#[tokio::test]
async fn the_history_is_listed_by_check_and_time_in_pages() {
    let app = TestApp::start().await;
    // What the monitor itself has found is written soon.
    let listed = async |query: &str| {
        let page = app.get(&format!("/api/v1/health/history?{query}")).await.ok(200);
        let items = page["items"].as_array().unwrap().clone();
        (items, page["nextCursor"].as_str().map(str::to_owned))
    };
    let own = loop {
        let (items, _) = listed("check=store").await;
        if !items.is_empty() {
            break items;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&own[0]["status"], &own[0]["changed"]), (&json!("ok"), &json!(true)));
    let entries = (1..=3_u8).map(|number| HealthEntry {
        id: format!("7000000000000000000000{number:02}").parse().unwrap(),
        instance: "7-other".into(),
        check: "disk".into(),
        at: format!("2026-11-2{number}T12:00:00Z").parse().unwrap(),
        state: HealthState::Degraded,
        detail: "little room".into(),
        is_change: number == 1,
    });
    app.store.keep_health(entries.collect()).await.unwrap();
    let (first, cursor) = listed("check=disk&limit=2").await;
    let times = |items: &[Value]| items.iter().map(|item| item["at"].clone()).collect::<Vec<_>>();
    assert_eq!(times(&first), ["2026-11-23T12:00:00Z", "2026-11-22T12:00:00Z"]);
    let (second, cursor) = listed(&format!("check=disk&limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((times(&second), cursor), (vec![json!("2026-11-21T12:00:00Z")], None));
    let (ranged, _) = listed("check=disk&from=2026-11-22&to=2026-11-22").await;
    assert_eq!(times(&ranged), ["2026-11-22T12:00:00Z"]);
    assert_eq!(app.get("/api/v1/health/history?chek=disk").await.refused(), ["chek"]);
    assert_eq!(
        app.get("/api/v1/health/history?from=yesterday").await.refused(),
        ["from"]
    );
}

/// A part that is as a test says.
struct Part(Mutex<HealthState>);

impl Part {
    fn is(&self, state: HealthState) {
        *self.0.lock().unwrap() = state;
    }
}

#[async_trait]
impl Check for Part {
    fn name(&self) -> &'static str {
        "part"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: Duration::ZERO,
            details: json!({ "stage": "TIER_2" }),
            ..Concern::raising(AlertCode::RoutingError, HealthState::Down, "mend it")
        }
    }

    async fn health(&self) -> Health {
        Health {
            state: *self.0.lock().unwrap(),
            detail: "as the test says".to_owned(),
        }
    }
}

fn watched(app: &TestApp) -> (Arc<Part>, Arc<Monitor>) {
    let part = Arc::new(Part(Mutex::new(HealthState::Ok)));
    let monitor = Monitor::new(MonitorParts {
        checks: vec![part.clone()],
        store: app.store.clone(),
        notifier: app.app.notifier.clone(),
        clock: app.clock.clone(),
    });
    (part, Arc::new(monitor))
}

/// The notifications, once they are as wanted: their counts and states.
async fn notified(app: &TestApp, want: &[(u64, &str)]) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let page = app.get("/api/v1/notifications").await.ok(200);
        let items = page["items"].as_array().unwrap();
        let found = items
            .iter()
            .map(|item| (item["count"].as_u64().unwrap(), item["state"].as_str().unwrap()));
        if found.eq(want.iter().copied()) {
            return page;
        }
        assert!(Instant::now() < until, "{page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_trouble_is_raised_when_it_is_believed_and_resolved_when_it_is_over() {
    let app = TestApp::start().await;
    let (part, monitor) = watched(&app);
    monitor.look().await;
    part.is(HealthState::Down);
    monitor.look().await;
    let state = || monitor.parts()[0].state;
    assert_eq!(state(), Some(HealthState::Ok), "one failure is none");
    monitor.look().await;
    monitor.look().await;
    assert_eq!(state(), Some(HealthState::Down));
    let page = notified(&app, &[(1, "open")]).await;
    let told = &page["items"][0];
    assert_eq!(
        (&told["code"], &told["companyId"]),
        (&json!("PRODUCTION_AI_ROUTING_ERROR"), &Value::Null)
    );
    let details = json!({ "check": "part", "instance": monitor.instance(), "state": "down", "cause": "as the test says",
        "fix": "mend it", "stage": "TIER_2" });
    assert_eq!(told["details"], details);
    part.is(HealthState::Ok);
    let tasks = TaskSet::new();
    monitor.start(leader::start(app.store.clone(), "other", &tasks), &tasks);
    notified(&app, &[(1, "resolved")]).await;
    tasks.shutdown(Duration::from_secs(2)).await;
    let left = app
        .store
        .instances("2000-01-01T00:00:00Z".parse().unwrap())
        .await
        .unwrap();
    assert!(
        left.iter().all(|one| one.instance != *monitor.instance()),
        "it has said that it leaves"
    );
}

#[tokio::test]
async fn what_another_instance_still_has_is_not_over() {
    let app = TestApp::start().await;
    let (part, monitor) = watched(&app);
    part.is(HealthState::Down);
    monitor.look().await;
    monitor.look().await;
    notified(&app, &[(1, "open")]).await;
    let other = |beat, state| InstanceHealth {
        instance: "7-other".into(),
        beat,
        at: "2026-11-25T12:00:00Z".parse().unwrap(),
        parts: vec![PartHealth {
            name: "part".into(),
            state: Some(state),
            since: None,
            detail: "".into(),
            code: Some(AlertCode::RoutingError),
            fix: "".into(),
        }],
    };
    app.store.put_instance(other(1, HealthState::Down)).await.unwrap();
    part.is(HealthState::Ok);
    let tasks = TaskSet::new();
    monitor.start(leader::start(app.store.clone(), "other", &tasks), &tasks);
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(monitor.parts()[0].state, Some(HealthState::Ok));
    notified(&app, &[(1, "open")]).await;
    app.store.put_instance(other(2, HealthState::Ok)).await.unwrap();
    notified(&app, &[(1, "resolved")]).await;
    tasks.shutdown(Duration::from_secs(2)).await;
}

/// A part that never answers.
struct Hanging;

#[async_trait]
impl Check for Hanging {
    fn name(&self) -> &'static str {
        "hanging"
    }

    fn concern(&self) -> Concern {
        Concern {
            hysteresis: Hysteresis::NONE,
            ..Concern::silent("")
        }
    }

    async fn health(&self) -> Health {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_part_that_never_answers_is_down_and_holds_up_no_other() {
    let app = TestApp::start().await;
    let (part, _) = watched(&app);
    let monitor = Monitor::new(MonitorParts {
        checks: vec![Arc::new(Hanging), part],
        store: app.store.clone(),
        notifier: app.app.notifier.clone(),
        clock: app.clock.clone(),
    });
    let began = Instant::now();
    monitor.look().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    let states: Vec<_> = monitor.parts().into_iter().map(|part| part.state).collect();
    assert_eq!(states, [Some(HealthState::Down), Some(HealthState::Ok)]);
}
