//! Troubles of a real process: raised, and resolved by themselves when they are over.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use frontdesk_llm_double::{Mode, Script};
use frontdesk_testkit::{
    money::{Office, PICO, nonsense},
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
