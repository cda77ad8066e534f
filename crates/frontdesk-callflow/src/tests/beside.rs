//! Instances that hear each other through a cache server: a real one.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::ids::CallId;
use frontdesk_llm::provider::RefusalKind;
use frontdesk_store::{
    instances::{Instances as _, LlmWord, RedisInstances, TurnClaim, TurnPlace},
    redis::Redis,
    redis_url::RedisUrl,
    seal::Sealer,
    tasks::TaskSet,
};
use frontdesk_testkit::redis_server::RedisServer;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    caller::Caller,
    document::{hangs_up, said},
    faults::{Fault, Part},
    llm::FOREIGN,
    scene::{COMPANY, Scene},
    scripted::{ABSURD, Does, ONE_TOKEN, Scripted},
};
use crate::{
    limits::Limits,
    webhook::{Route, turn_id},
};

fn server() -> Option<RedisServer> {
    RedisServer::start_or_skip().unwrap()
}

/// One more instance that only claims turns: the tasks it works by, and what it is.
async fn third(server: &RedisServer) -> (TaskSet, Arc<RedisInstances>) {
    let tasks = TaskSet::new();
    let redis = Redis::start(&RedisUrl::parse(&server.url()).unwrap(), &tasks)
        .await
        .unwrap();
    let instances = RedisInstances::start(redis, Arc::new(Sealer::from_key([7; 32])), &tasks);
    (tasks, instances)
}

/// Where instances tell each other of a turn of a call that has just begun.
fn place_of(call: &Caller<'_>, target: &str, words: &str) -> TurnPlace {
    let form = call.form(&[("SpeechResult", words)]);
    let key = crate::Webhook {
        route: Route::Respond,
        target,
        form: &form,
        arrived: frontdesk_domain::time::Timestamp::UNIX_EPOCH,
        deadline: Instant::now(),
    }
    .turn_key(None);
    TurnPlace {
        company: COMPANY.parse().unwrap(),
        turn: turn_id(&CallId::new(&call.sid), key),
    }
}

fn nobody() -> Value {
    json!({ "transfer": { "destinations": [] } })
}

#[tokio::test]
async fn the_same_webhook_gets_the_same_bytes_from_every_instance() {
    let Some(server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let (one, other) = (scene.beside_through(&server).await, scene.beside_through(&server).await);
    for round in 0..10 {
        let sid = format!("CA{round}");
        let mut call = one.call(&sid);
        call.voice().await;
        let (mut here, mut there) = (call.clone(), call.at(&other));
        // At once, and one after the other.
        let (first, second) = tokio::join!(
            here.says("the eagle told the parrot"),
            there.says("the eagle told the parrot"),
        );
        assert_eq!(first, second);
        let mut later = call.at(&other);
        assert_eq!(later.says("the eagle told the parrot").await, first);
        assert_eq!(scene.records(&sid, 2).await.len(), 2);
    }
}

#[tokio::test]
async fn a_duplicate_waits_for_the_instance_that_answers() {
    let Some(server) = server() else { return };
    // It hangs for longer than the other looks.
    let provider = Scripted::new([Does::Hangs]);
    let scene = Scene::with_llm(&provider, json!({})).await;
    let (one, other) = (scene.beside_through(&server).await, scene.beside_through(&server).await);
    one.tenant(COMPANY).await;
    other.tenant(COMPANY).await;
    let call = one.call("CA1");
    let (mut here, mut there) = (call.clone(), call.at(&other));
    let (first, second) = tokio::join!(here.says(FOREIGN), async {
        sleep(Duration::from_millis(300)).await;
        there.says(FOREIGN).await
    });
    assert_eq!(first, second);
    assert_eq!(provider.asked().len(), 1, "it is paid once");
}

#[tokio::test]
async fn a_turn_of_an_instance_that_died_is_answered_by_the_next_one() {
    let Some(server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let one = scene.beside_through(&server).await;
    one.tenant(COMPANY).await;
    let mut call = one.call("CA1");
    let place = place_of(&call, &call.target, "what are your hours");
    let (_tasks, dead) = third(&server).await;
    assert_eq!(dead.claim_turn(&place).await, TurnClaim::Mine);
    // The webhook comes again at once, as when the connection broke: the claim outlives its deadline.
    let begun = Instant::now();
    let heard = call.post(&[("SpeechResult", "what are your hours")]).await;
    assert!(said(&heard).contains("We open at eight."), "{heard}");
    assert!(
        begun.elapsed() > Duration::from_secs(3),
        "it waited for the other one first"
    );
    assert_eq!(scene.records("CA1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for_where_the_cache_server_has_no_answer() {
    let Some(mut server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let one = scene.beside_through(&server).await;
    one.tenant(COMPANY).await;
    let mut call = one.call("CA1");
    call.voice().await;
    one.breaks(Part::Recall, Fault::Hangs);
    let begun = Instant::now();
    let heard = call.says("what are your hours").await;
    assert!(said(&heard).contains("We open at eight."), "{heard}");
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    // Without that server only the store can tell.
    server.kill().unwrap();
    let begun = Instant::now();
    let heard = call.says("what are your hours").await;
    assert!(said(&heard).contains("We open at eight."), "{heard}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_could_not_be_told_is_found_in_the_store() {
    let Some(server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let other = scene.beside_through(&server).await;
    other.tenant(COMPANY).await;
    let call = scene.call("CA1");
    let mut again = call.at(&other);
    let place = place_of(&call, &call.target, "what are your hours");
    let (_tasks, third) = third(&server).await;
    assert_eq!(third.claim_turn(&place).await, TurnClaim::Mine);
    // The claim's instance answers and records, and is not heard.
    let words = [("SpeechResult", "what are your hours")];
    let first = call.clone().post(&words).await;
    scene.records("CA1", 1).await;
    let begun = Instant::now();
    assert_eq!(again.post(&words).await, first);
    assert!(
        begun.elapsed() > Duration::from_millis(100),
        "it waited for the other one first"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "the claim would have run out only then"
    );
}

#[tokio::test]
async fn an_answer_is_told_once_its_record_is_stored() {
    let Some(server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let one = scene.beside_through(&server).await;
    one.tenant(COMPANY).await;
    let (_tasks, other) = third(&server).await;
    // All scripts are known to the server, so that no claim is late.
    let mut first = one.call("CA0");
    other.claim_turn(&place_of(&first, &first.target, "hello")).await;
    first.voice().await;
    one.breaks(Part::Turns, Fault::Fails);
    let mut call = one.call("CA1");
    let place = place_of(&call, &call.target, "what are your hours");
    call.post(&[("SpeechResult", "what are your hours")]).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(
        other.claim_turn(&place).await,
        TurnClaim::UnderWay,
        "it would be lost with this process"
    );
    one.breaks(Part::Turns, Fault::None);
    let begun = Instant::now();
    while !matches!(other.claim_turn(&place).await, TurnClaim::Answered(_)) {
        assert!(begun.elapsed() < Duration::from_secs(3), "it is not told");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn without_the_server_each_instance_answers_alone() {
    let Some(mut server) = server() else { return };
    let scene = Scene::new(json!({})).await;
    let one = scene.beside_through(&server).await;
    one.tenant(COMPANY).await;
    for hangs in [true, false] {
        if hangs {
            server.hang().unwrap();
        } else {
            server.go_on().unwrap();
            server.kill().unwrap();
        }
        let begun = Instant::now();
        let mut call = one.call(&format!("CA-{hangs}"));
        let heard = call.says("what are your hours").await;
        let took = begun.elapsed();
        assert!(said(&heard).contains("We open at eight."), "{heard}");
        assert!(took < Duration::from_millis(700), "{took:?}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_all_instances_together() {
    let Some(server) = server() else { return };
    let limits = Limits {
        concurrent_calls_per_company: 2,
        calls_per_caller_per_hour: 3,
        ..Limits::NONE
    };
    let scene = Scene::limited(limits, nobody()).await;
    let (one, other) = (scene.beside_through(&server).await, scene.beside_through(&server).await);
    let is_refused = |document: &str| hangs_up(document) && said(document).contains("call again later");
    let mut first = one.call("CA1").from("+15550100001");
    let mut second = other.call("CA2").from("+15550100002");
    assert!(!is_refused(&first.voice().await) && !is_refused(&second.voice().await));
    let mut third = one.call("CA3").from("+15550100003");
    assert!(is_refused(&third.voice().await), "two are all there may be");
    // It stays refused, whoever hears of it.
    assert!(is_refused(&third.at(&other).says("what are your hours").await));
    // A call that goes on elsewhere is no new one.
    assert!(!is_refused(&first.at(&other).says("what are your hours").await));
    for (instance, sid) in [(&one, "CA1"), (&other, "CA2"), (&one, "CA3")] {
        instance
            .flow
            .call_ended(COMPANY.parse().unwrap(), CallId::new(sid), None, "completed");
    }
    // The ends are told behind.
    let mut answered = false;
    for number in 4..60 {
        let sid = format!("CA{number}");
        let from = format!("+155501001{number:02}");
        let mut call = other.call(&sid).from(&from);
        answered = !is_refused(&call.voice().await);
        if answered {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(answered, "calls that have ended count no more");
    // One caller, at whichever instance.
    let mut refused = 0;
    for number in 0..4 {
        let instance = if number % 2 == 0 { &one } else { &other };
        let sid = format!("CB{number}");
        let mut call = instance.call(&sid).from("+15550100077");
        refused += usize::from(is_refused(&call.voice().await));
        instance
            .flow
            .call_ended(COMPANY.parse().unwrap(), CallId::new(&sid), None, "completed");
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(refused, 1, "the fourth within the hour");
}

#[tokio::test]
async fn what_one_instance_finds_of_the_llm_the_others_do_not_try_out() {
    let Some(server) = server() else { return };
    let provider = Scripted::new([Does::Refuses(401, RefusalKind::Credentials)]);
    let scene = Scene::with_llm(&provider, json!({})).await;
    let (one, other) = (scene.beside_through(&server).await, scene.beside_through(&server).await);
    one.tenant(COMPANY).await;
    other.tenant(COMPANY).await;
    // Both have looked once, and hear each other.
    sleep(Duration::from_millis(500)).await;
    provider.fail_probes();
    one.call("CA1").says(FOREIGN).await;
    assert_eq!(one.flow.llm().health().unwrap().breaker, "open");
    let begun = Instant::now();
    while other.flow.llm().health().unwrap().breaker == "closed" {
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "the other does not hear of it"
        );
        sleep(Duration::from_millis(5)).await;
    }
    let asked = provider.asked().len();
    let begun = Instant::now();
    other.call("CA2").says(FOREIGN).await;
    assert_eq!(provider.asked().len(), asked, "no caller tries it out there");
    assert!(begun.elapsed() < Duration::from_secs(1));
    // One that is started meanwhile knows it too.
    let late = scene.beside_through(&server).await;
    let begun = Instant::now();
    while late.flow.llm().health().unwrap().breaker == "closed" {
        assert!(begun.elapsed() < Duration::from_secs(2), "it is not told at the start");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_model_that_one_instance_switches_off_is_off_in_all() {
    let Some(server) = server() else { return };
    let provider = Scripted::new([Does::Bills("cooling", ABSURD), Does::Bills("ok", ONE_TOKEN)]);
    let scene = Scene::with_llm(&provider, json!({})).await;
    let (one, other) = (scene.beside_through(&server).await, scene.beside_through(&server).await);
    one.tenant(COMPANY).await;
    other.tenant(COMPANY).await;
    sleep(Duration::from_millis(500)).await;
    let status = |scene: &Scene| scene.flow.llm().health().unwrap().status;
    let soon = async |status_is: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !status_is() {
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "the other does not hear of it"
            );
            sleep(Duration::from_millis(5)).await;
        }
    };
    // The clock of the scene stands still: what was said before the process began must be older.
    scene.pass(1);
    one.call("CA1").says(FOREIGN).await;
    soon(&|| status(&one) == "disabled").await;
    soon(&|| status(&other) == "disabled").await;
    other.call("CA2").says(FOREIGN).await;
    assert_eq!(provider.asked().len(), 1, "no caller tries it out there");
    scene.pass(1);
    let late = scene.beside_through(&server).await;
    late.tenant(COMPANY).await;
    sleep(Duration::from_millis(300)).await;
    assert_ne!(status(&late), "disabled", "a start switches it on again");
    let tested = other.flow.llm().test_connection().await.unwrap();
    assert!(tested.ok, "{tested:?}");
    soon(&|| status(&one) != "disabled").await;
}

#[tokio::test]
async fn how_the_llm_is_found_does_not_hide_that_it_is_off() {
    let Some(server) = server() else { return };
    let provider = Scripted::new([Does::Bills("cooling", ABSURD)]);
    let scene = Scene::with_llm(&provider, json!({})).await;
    let one = scene.beside_through(&server).await;
    one.tenant(COMPANY).await;
    one.call("CA1").says(FOREIGN).await;
    let health = |scene: &Scene| scene.flow.llm().health().unwrap();
    assert_eq!(
        (health(&one).status, health(&one).breaker),
        ("disabled", "closed"),
        "what it bills says nothing of how it answers"
    );
    // Another instance finds that it answers, as each does every ten minutes.
    let (_tasks, other) = third(&server).await;
    let word = LlmWord {
        state: "closed".into(),
        cause: None,
        at: "2026-11-25T17:00:00Z".into(),
        by: "".into(),
        endpoint: health(&one).endpoint,
    };
    other.say_llm(word);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(health(&one).status, "disabled");
    // The clock stands still: to this one it was switched off while the cache server was out of its reach.
    let late = scene.beside_through(&server).await;
    let begun = Instant::now();
    while health(&late).status != "disabled" {
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "it is not told that the model is off"
        );
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(health(&late).breaker, "closed");
}
