//! Two processes on one store: one of them works for both, and the other takes over when that one is gone.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use frontdesk_llm_double::Script;
use frontdesk_testkit::{
    money::{Office, PICO, month, nonsense},
    server::Server,
};
use serde_json::Value;

/// A killed or stopped process is replaced within so long.
const TAKEN_OVER: Duration = Duration::from_secs(15);

/// One that has ended in order hands over: the other looks every second.
const HANDED_OVER: Duration = Duration::from_secs(3);

const TAKEN: &str = "this process works for all of them now";
const LOST: &str = "another process works for all of them now";
const CHARGED: &str = "a hold that nobody settled was charged in full";

async fn two(script: Script) -> Office {
    let office = Office::open(Path::new(env!("CARGO_BIN_EXE_frontdesk")), 2, script)
        .await
        .unwrap();
    let taken = logged(&office.servers[0], TAKEN, 1, Duration::from_secs(5)).await;
    assert_eq!(taken[0]["fence"], 1);
    assert_eq!(holder(&taken[0]), office.servers[0].id(), "the first to start");
    office
}

/// The lines of the common log that say this, once there are so many.
async fn logged(server: &Server, said: &str, count: usize, within: Duration) -> Vec<Value> {
    let until = Instant::now() + within;
    loop {
        let log = std::fs::read_to_string(server.log()).unwrap();
        let lines = log.lines().filter(|line| line.contains(said));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "not said within {within:?}: {said}\n{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The process that took the lease.
fn holder(line: &Value) -> Option<u32> {
    line["holder"].as_str()?.split_once('-')?.0.parse().ok()
}

#[tokio::test]
async fn the_work_of_a_killed_process_is_taken_over_and_its_holds_are_charged_once() {
    let script = Script {
        latency: Duration::from_secs(3),
        ..Script::default()
    };
    let mut office = two(script).await;
    let client = office.client(PICO).await.unwrap();
    let mut caller = office.caller(&client, 0).unwrap();
    let asking = tokio::time::timeout(Duration::from_secs(1), async { caller.say(&nonsense()).await });
    assert!(asking.await.is_err(), "the provider is slow");
    let mut operator = office.servers[1].operator();
    assert!(month(&mut operator, &client).await.unwrap().held > 0);
    office.servers[0].kill().unwrap();
    let killed = Instant::now();
    let taken = logged(&office.servers[1], TAKEN, 2, TAKEN_OVER).await;
    println!("taken over after {:?}", killed.elapsed());
    assert_eq!(
        (&taken[1]["fence"], holder(&taken[1])),
        (&Value::from(2), office.servers[1].id())
    );
    logged(&office.servers[1], CHARGED, 1, Duration::from_secs(8)).await;
    // The hold's lease had ended before, while nobody's turn it was to charge it.
    let log = std::fs::read_to_string(office.servers[1].log()).unwrap();
    assert!(log.rfind(TAKEN) < log.find(CHARGED), "{log}");
    // Whoever is started again waits for its turn.
    office.servers[0].start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(logged(&office.servers[1], CHARGED, 1, Duration::ZERO).await.len(), 1);
    assert_eq!(logged(&office.servers[1], TAKEN, 2, Duration::ZERO).await.len(), 2);
    let entries = operator
        .all(&format!("/api/v1/companies/{}/ledger", client.id))
        .await
        .unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["orphan"]);
}

#[tokio::test]
async fn a_stopped_process_that_goes_on_finds_itself_replaced() {
    let mut office = two(Script::default()).await;
    office.servers[0].signal("STOP").unwrap();
    let stopped = Instant::now();
    let taken = logged(&office.servers[1], TAKEN, 2, TAKEN_OVER).await;
    println!("taken over after {:?}", stopped.elapsed());
    assert_eq!(holder(&taken[1]), office.servers[1].id());
    office.servers[0].signal("CONT").unwrap();
    let lost = logged(&office.servers[0], LOST, 1, Duration::from_secs(5)).await;
    assert_eq!((lost.len(), &lost[0]["fence"]), (1, &Value::from(1)));
    // The one that took over ends in order: the first may work again, under a new fence.
    office.servers[1].stop(Duration::from_secs(6)).await.unwrap();
    let taken = logged(&office.servers[0], TAKEN, 3, HANDED_OVER).await;
    assert_eq!(
        (&taken[2]["fence"], holder(&taken[2])),
        (&Value::from(3), office.servers[0].id())
    );
}
