//! What instances tell each other of turns, calls and the LLM.

use frontdesk_store::{
    instances::{
        CallCount, CallLimits, Instances as _, LlmSwitch, LlmWord, RedisInstances, TurnAnswer, TurnClaim, TurnPlace,
    },
    seal::Sealer,
};
use redis::cmd;

use super::*;
use crate::support::id;

const SOON: Duration = Duration::from_secs(10);

const LIMITS: CallLimits = CallLimits {
    per_caller: 0,
    at_once: 2,
    idle: Duration::from_secs(3),
};

async fn instance(server: &RedisServer, key: u8, tasks: &TaskSet) -> Arc<RedisInstances> {
    let redis = connect(server, tasks).await;
    RedisInstances::start(redis, Arc::new(Sealer::from_key([key; 32])), tasks)
}

fn place(turn: &str) -> TurnPlace {
    TurnPlace {
        company: id(1),
        turn: frontdesk_domain::ids::TurnId::new(turn),
    }
}

fn answer() -> TurnAnswer {
    TurnAnswer {
        document: "<Response><Say>the caller hears this</Say></Response>".into(),
        response: "the caller hears this".into(),
    }
}

/// Asks until it is as wanted.
async fn until(instance: &RedisInstances, turn: &str, wanted: &TurnClaim) {
    let begun = Instant::now();
    loop {
        let found = instance.claim_turn(&place(turn)).await;
        if found == *wanted {
            return;
        }
        assert!(begun.elapsed() < SOON, "{turn}: {found:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_turn_is_one_instances_until_it_is_answered_or_let_go() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let (one, other) = (instance(&server, 7, &tasks).await, instance(&server, 7, &tasks).await);
    assert_eq!(one.claim_turn(&place("a")).await, TurnClaim::Mine);
    assert_eq!(one.claim_turn(&place("a")).await, TurnClaim::Mine, "asked again");
    assert_eq!(other.claim_turn(&place("a")).await, TurnClaim::UnderWay);
    // Nobody lets go what is another's.
    other.let_turn_go(place("a"));
    sleep(Duration::from_millis(50)).await;
    assert_eq!(other.claim_turn(&place("a")).await, TurnClaim::UnderWay);
    one.give_turn(place("a"), answer(), Box::pin(async {}));
    until(&other, "a", &TurnClaim::Answered(answer())).await;
    assert_eq!(one.claim_turn(&place("b")).await, TurnClaim::Mine);
    one.let_turn_go(place("b"));
    until(&other, "b", &TurnClaim::Mine).await;
}

#[tokio::test]
async fn a_claim_of_a_dead_instance_runs_out() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let (dead, other) = (instance(&server, 7, &tasks).await, instance(&server, 7, &tasks).await);
    assert_eq!(dead.claim_turn(&place("a")).await, TurnClaim::Mine);
    let begun = Instant::now();
    until(&other, "a", &TurnClaim::Mine).await;
    let took = begun.elapsed();
    assert!(
        (Duration::from_secs(3)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn answers_are_sealed_and_what_cannot_be_read_is_unknown() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let (one, stranger) = (instance(&server, 7, &tasks).await, instance(&server, 8, &tasks).await);
    assert_eq!(one.claim_turn(&place("a")).await, TurnClaim::Mine);
    one.give_turn(place("a"), answer(), Box::pin(async {}));
    until(&stranger, "a", &TurnClaim::Unknown).await;
    let looking = connect(&server, &tasks).await;
    let keys: Vec<String> = looking.ask(cmd("KEYS").arg("turn:*")).await.unwrap();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let bytes: Vec<u8> = looking.ask(cmd("GET").arg(key)).await.unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"the caller"), "sealed");
    let ttl: i64 = looking.ask(cmd("TTL").arg(key)).await.unwrap();
    assert!((86_000..=86_400).contains(&ttl), "{ttl}");
    looking.ask::<()>(cmd("SET").arg(key).arg("garbage")).await.unwrap();
    assert_eq!(one.claim_turn(&place("a")).await, TurnClaim::Unknown);
}

#[tokio::test]
async fn a_call_of_which_nothing_is_heard_counts_no_more() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let one = instance(&server, 7, &tasks).await;
    let note = async |call: &str| {
        one.note_call(id(1), &frontdesk_domain::ids::CallId::new(call), None, LIMITS)
            .await
    };
    assert_eq!(note("CA1").await, Some(CallCount::Within));
    assert_eq!(note("CA2").await, Some(CallCount::Within));
    assert_eq!(note("CA3").await, Some(CallCount::TooMany));
    assert_eq!(note("CA3").await, Some(CallCount::TooMany), "it stays so");
    assert_eq!(note("CA1").await, Some(CallCount::Within));
    sleep(Duration::from_millis(4_500)).await;
    assert_eq!(note("CA4").await, Some(CallCount::Within));
}

#[tokio::test]
async fn what_one_says_of_the_llm_the_others_hear_and_it_does_not() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let (one, other) = (instance(&server, 7, &tasks).await, instance(&server, 7, &tasks).await);
    let word = LlmWord {
        state: "open".into(),
        cause: Some("the key is refused".into()),
        at: "2026-11-15T12:00:00Z".into(),
        by: "".into(),
        endpoint: "https://llm.example/v1".into(),
    };
    one.say_llm(word.clone());
    let mut words = other.llm_words();
    let heard = timeout(SOON, words.wait_for(Option::is_some))
        .await
        .unwrap()
        .unwrap()
        .clone()
        .unwrap();
    assert_eq!((&heard.state, &heard.cause), (&word.state, &word.cause));
    assert!(!heard.by.is_empty());
    let late = instance(&server, 7, &tasks).await;
    let mut words = late.llm_words();
    timeout(SOON, words.wait_for(Option::is_some))
        .await
        .expect("it was said before it came")
        .unwrap();
    assert!(one.llm_words().borrow().is_none(), "its own words are no news to it");
}

#[tokio::test]
async fn the_switch_of_the_llm_and_its_health_never_take_each_others_place() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let (one, other) = (instance(&server, 7, &tasks).await, instance(&server, 7, &tasks).await);
    let off = LlmSwitch {
        state: "off".into(),
        at: "2026-11-15T12:00:00Z".into(),
        by: "".into(),
        endpoint: "https://llm.example/v1".into(),
    };
    let open = LlmWord {
        state: "open".into(),
        cause: None,
        at: off.at.clone(),
        by: "".into(),
        endpoint: off.endpoint.clone(),
    };
    let (mut words, mut switches) = (other.llm_words(), other.llm_switches());
    one.say_llm_switch(off);
    timeout(SOON, switches.wait_for(Option::is_some))
        .await
        .unwrap()
        .unwrap();
    assert!(words.borrow().is_none(), "nothing was said of its health");
    one.say_llm(open);
    timeout(SOON, words.wait_for(Option::is_some)).await.unwrap().unwrap();
    let heard = switches.borrow().as_ref().map(|switch| switch.state.to_string());
    assert_eq!(heard.as_deref(), Some("off"), "nothing was said of the switch");
    // Who comes later hears both.
    let late = instance(&server, 7, &tasks).await;
    let (mut words, mut switches) = (late.llm_words(), late.llm_switches());
    timeout(SOON, words.wait_for(Option::is_some)).await.unwrap().unwrap();
    timeout(SOON, switches.wait_for(Option::is_some))
        .await
        .unwrap()
        .unwrap();
    assert!(one.llm_switches().borrow().is_none(), "its own words are no news to it");
    let looking = connect(&server, &tasks).await;
    for (key, seconds) in [("production-ai:llm-health", 480), ("production-ai:llm-switch", 86_400)] {
        let ttl: i64 = looking.ask(cmd("TTL").arg(key)).await.unwrap();
        assert!((seconds - 30..=seconds).contains(&ttl), "{key}: {ttl}");
    }
}

#[tokio::test]
async fn without_the_server_nothing_is_known() {
    let Some(mut server) = server() else { return };
    let tasks = TaskSet::new();
    let one = instance(&server, 7, &tasks).await;
    server.kill().unwrap();
    let begun = Instant::now();
    assert_eq!(one.claim_turn(&place("a")).await, TurnClaim::Unknown);
    let call = frontdesk_domain::ids::CallId::new("CA1");
    assert_eq!(one.note_call(id(1), &call, None, LIMITS).await, None);
    one.give_turn(place("a"), answer(), Box::pin(async {}));
    one.end_call(id(1), call);
    assert!(begun.elapsed() < Duration::from_millis(500));
}
