//! Troubles of a real process: raised, and resolved by themselves when they are over.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use frontdesk_llm_double::{Mode, Script};
use frontdesk_testkit::{
    money::{Office, PICO, nonsense, settled},
    operator::Operator,
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;

/// Notifications of this code.
async fn notifications(operator: &mut Operator, code: &str) -> Vec<Value> {
    let all = operator.all("/api/v1/notifications").await.unwrap();
    all.into_iter().filter(|one| one["code"] == code).collect()
}

/// The notification of this code, once it is in this state.
async fn becomes(operator: &mut Operator, code: &str, state: &str, within: Duration) -> Value {
    let until = Instant::now() + within;
    loop {
        let found = notifications(operator, code).await;
        if let Some(one) = found.iter().find(|one| one["state"] == state) {
            return one.clone();
        }
        assert!(
            Instant::now() < until,
            "{code} is not {state} within {within:?}: {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_llm_that_hangs_is_told_and_resolved_when_it_is_well_again() {
    let mut office = Office::open(Path::new(env!("CARGO_BIN_EXE_frontdesk")), 1, Script::default())
        .await
        .unwrap();
    let client = office.client(PICO).await.unwrap();
    let mut operator = office.operator().unwrap();
    office.caller(&client, 0).unwrap().say(&nonsense()).await.unwrap();
    office.provider.set(Script::from(Mode::Hang));
    let began = Instant::now();
    let note = |what: &str| println!("{:>6.1} s  {what}", began.elapsed().as_secs_f64());
    note("the provider hangs; a caller asks what no rule answers");
    office.caller(&client, 0).unwrap().say(&nonsense()).await.unwrap();
    note("that caller has heard a fallback");
    let down = becomes(&mut operator, "PRODUCTION_AI_LLM_DOWN", "open", Duration::from_secs(30)).await;
    note("PRODUCTION_AI_LLM_DOWN is open");
    assert_eq!(down["companyId"], Value::Null);
    let health = operator.get("/api/v1/health").await.unwrap();
    let llm = health["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "llm")
        .unwrap()
        .clone();
    note(&format!(
        "GET /api/v1/health: llm is {}: {}",
        llm["status"], llm["detail"]
    ));
    tokio::time::sleep(Duration::from_secs(12).saturating_sub(began.elapsed())).await;
    office.provider.set(Script::default());
    note("the provider answers again");
    becomes(
        &mut operator,
        "PRODUCTION_AI_LLM_DOWN",
        "resolved",
        Duration::from_secs(30),
    )
    .await;
    note("PRODUCTION_AI_LLM_DOWN is resolved");
    let history = operator.get("/api/v1/health/history?check=llm").await.unwrap();
    for entry in history["items"].as_array().unwrap().iter().rev() {
        println!(
            "          history: {} {} {}",
            entry["at"], entry["status"], entry["detail"]
        );
    }
    let found = notifications(&mut operator, "PRODUCTION_AI_LLM_DOWN").await;
    assert_eq!(found.len(), 1, "one notification for one outage: {found:?}");
}

/// Calls of one turn each.
async fn calls(server: &Server, world: &World, words: &str, count: usize) {
    let company = &world.companies[0];
    let mut caller = Caller::new(server.connection());
    for _ in 0..count {
        let sid = format!("CA{:032x}", rand::random::<u128>());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        caller.say(words).await.unwrap();
    }
}

#[tokio::test]
async fn a_fallback_rate_is_told_after_a_restart_and_resolved_when_callers_hear_answers() {
    const CODE: &str = "PRODUCTION_AI_FALLBACK_RATE_HIGH";
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path()).unwrap();
    server.start().await.unwrap();
    let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(1))
        .await
        .unwrap();
    calls(&server, &world, "flurb gazonk wibblesnatch", 6).await;
    calls(&server, &world, world::VISIT.0, 20).await;
    // The process that judges has seen none of these turns.
    server.stop(Duration::from_secs(8)).await.unwrap();
    server.start().await.unwrap();
    let mut operator = server.operator();
    let told = becomes(&mut operator, CODE, "open", Duration::from_mins(1)).await;
    let details = (&told["details"]["fallbacks"], &told["details"]["turns"]);
    assert_eq!(details, (&6.into(), &26.into()), "{told}");
    assert_eq!(told["companyId"], world.companies[0].id.as_str());
    calls(&server, &world, world::VISIT.0, 40).await;
    let resolved = becomes(&mut operator, CODE, "resolved", Duration::from_mins(1)).await;
    assert_eq!(resolved["count"], 1, "once for the whole time: {resolved}");
}

/// What a shell sets so that a program's clock is ten minutes ahead, by a library that stands between the program and the
/// clock. `None`, and a line that says so, if it is not here.
fn ahead() -> Option<String> {
    let found = Command::new("faketime")
        .args(["-f", "+0", "sh", "-c", "echo $LD_PRELOAD"])
        .output();
    match found {
        Ok(found) if found.status.success() => {
            let library = String::from_utf8(found.stdout).unwrap();
            Some(format!(
                "export LD_PRELOAD='{}' FAKETIME=+600s FAKETIME_DONT_FAKE_MONOTONIC=1",
                library.trim()
            ))
        }
        _ => {
            assert!(
                std::env::var_os("CI").is_none(),
                "there is no faketime; `cargo xtask test` installs it"
            );
            println!("skipped: there is no faketime; install it, or use `cargo xtask test`");
            None
        }
    }
}

#[tokio::test]
async fn a_clock_ten_minutes_ahead_is_told_and_costs_no_caller_and_no_cent() {
    let Some(ahead) = ahead() else { return };
    let program = Path::new(env!("CARGO_BIN_EXE_frontdesk"));
    let mut office = Office::open(program, 1, Script::default()).await.unwrap();
    let folder = office.servers[0].store().parent().unwrap().to_owned();
    let mut wrong = Server::new(program, &folder).unwrap().with_prelude(&ahead);
    for (name, value) in [
        ("LLM__BASE_URL", office.provider.base_url()),
        ("LLM__API_KEY", "key-of-the-double".to_owned()),
    ] {
        wrong = wrong.with_setting(name, value);
    }
    wrong.start().await.unwrap();
    office.servers.push(wrong);
    let client = office.client(PICO).await.unwrap();
    let mut operator = office.operator().unwrap();
    let began = Instant::now();
    let mut asked = 0;
    // Each is looked at every ten seconds, and believed when it says the same twice.
    let told = loop {
        for number in 0..2 {
            let heard = office
                .caller(&client, number)
                .unwrap()
                .say(&nonsense())
                .await
                .unwrap()
                .clone();
            assert!(!heard.speech().is_empty());
            asked += 1;
        }
        let told = notifications(&mut operator, "PRODUCTION_AI_DATABASE_ERROR").await;
        if let Some(told) = told.into_iter().find(|one| one["state"] == "open") {
            break told;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "nobody was told of the clock");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    println!("told after {:?}: {}", began.elapsed(), told["message"]);
    assert_eq!(told["details"]["check"], "clock", "{told}");
    let month = settled(&mut operator, &client).await.unwrap();
    let billed = office.provider.stats().billed;
    assert_eq!((month.spent, month.held), (billed, 0), "after {asked} questions");
    let verified = office.servers[0].command(&["budget", "verify"]).unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}
