//! What a running server tells of itself: numbers that dashboards, rules and documentation name, and a log without callers.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;

const CALL: &str = "CA0000000000000000000000000000000e";

/// What a caller says that is found nowhere else.
const WORDS: &str = "flurb gazonk wibblesnatch";

/// Their number, as a log might show it.
const NUMBER: &str = "2025550143";

/// A server that has answered a call of two turns, one of them by a fallback; its numbers, and its log.
struct Told {
    numbers: String,
    log: String,
    company: String,
}

async fn told() -> Told {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path()).unwrap();
    server.start().await.unwrap();
    let mut operator = server.operator();
    let world = World::create(&mut operator, &mut StdRng::seed_from_u64(1))
        .await
        .unwrap();
    let company = &world.companies[0];
    let mut caller = Caller::new(server.connection());
    caller.take(Call::new(&company.twilio, &company.id, CALL));
    caller.say(world::VISIT.0).await.unwrap();
    caller.say(WORDS).await.unwrap();
    // A method that nobody knows, and a path that is none, make no series of their own.
    _ = operator
        .send(Method::from_bytes(b"GAZONK").unwrap(), "/api/v1/companies", None)
        .await;
    _ = operator.send(Method::GET, "/api/v1/wibblesnatch", None).await;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let numbers = operator.send(Method::GET, "/metrics", None).await.unwrap().text();
        let log = fs::read_to_string(server.log()).unwrap();
        if numbers.contains("source=\"fallback\"") && log.contains("turn 2 of call") {
            return Told {
                numbers,
                log,
                company: company.id.clone(),
            };
        }
        assert!(Instant::now() < until, "{numbers}\n{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The names of the metrics that are exported; a histogram's is that of all its series.
fn exported(numbers: &str) -> BTreeSet<String> {
    let types = numbers.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
}

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

/// The names of metrics in a text; a histogram's without its suffix.
fn named(text: &str, exported: &BTreeSet<String>) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    let ours = words.filter(|word| word.starts_with("frontdesk_") || word.starts_with("process_"));
    ours.map(|word| {
        let bare = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| word.strip_suffix(suffix));
        bare.filter(|bare| exported.contains(*bare)).unwrap_or(word).to_owned()
    })
    .collect()
}

#[tokio::test]
async fn dashboards_rules_and_documentation_name_what_a_running_server_exports() {
    let told = told().await;
    let exported = exported(&told.numbers);
    assert!(exported.contains("frontdesk_turn_seconds"), "{}", told.numbers);
    let documented = named(&fs::read_to_string(repository("docs/metrics.md")).unwrap(), &exported);
    let undocumented: Vec<_> = exported.difference(&documented).collect();
    assert!(undocumented.is_empty(), "not in docs/metrics.md: {undocumented:?}");
    let stale: Vec<_> = documented.difference(&exported).collect();
    assert!(stale.is_empty(), "in docs/metrics.md, but not exported: {stale:?}");
    let mut files = vec![repository("deploy/prometheus/alerts.yml")];
    let dashboards = fs::read_dir(repository("deploy/grafana")).unwrap();
    files.extend(dashboards.map(|entry| entry.unwrap().path()));
    assert!(files.len() >= 2);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        if file.extension().is_some_and(|end| end == "json") {
            serde_json::from_str::<Value>(&text).unwrap();
        }
        let named = named(&text, &exported);
        assert!(named.len() > 5, "{}: {named:?}", file.display());
        let missing: Vec<_> = named.difference(&exported).collect();
        assert!(missing.is_empty(), "{} names {missing:?}", file.display());
    }
}

#[tokio::test]
async fn neither_numbers_nor_log_hold_what_a_caller_said_or_their_number() {
    let told = told().await;
    let spoken = [NUMBER, "flurb", "gazonk", "GAZONK", "wibblesnatch", world::VISIT.0];
    for word in spoken {
        assert!(!told.numbers.contains(word), "{word}: {}", told.numbers);
    }
    assert!(
        !told.numbers.contains(&told.company),
        "no series a company: {}",
        told.numbers
    );
    // The path of a request that an operator sent is no caller's words.
    for word in [NUMBER, "flurb", "gazonk", world::VISIT.0] {
        assert!(!told.log.contains(word), "{word}: {}", told.log);
    }
    let lines: Vec<Value> = told
        .log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_turn = |number: u64| {
        lines
            .iter()
            .find(|line| line["call.id"] == CALL && line["turn"] == number)
    };
    let (first, second) = (of_turn(1).unwrap(), of_turn(2).unwrap());
    assert_eq!(
        (&first["company.id"], &first["outcome"]),
        (&told.company.as_str().into(), &"answered".into())
    );
    assert!(second["turn.id"].as_str().unwrap().starts_with(CALL), "{second}");
    assert_eq!(
        (&second["source"], &second["outcome"]),
        (&"fallback".into(), &"fallback".into())
    );
}
