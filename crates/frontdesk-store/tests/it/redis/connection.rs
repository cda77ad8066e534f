//! A connection that is lost costs nobody more than its budget.

use redis::cmd;

use super::*;

/// More than the budget, for a machine that is busy.
const SOON: Duration = Duration::from_millis(250);

async fn get(redis: &Redis) -> Result<Option<String>, frontdesk_store::redis::NoAnswer> {
    redis.ask(cmd("GET").arg("a")).await
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_is_found_again() {
    let Some(mut server) = server() else { return };
    let tasks = TaskSet::new();
    let redis = connect(&server, &tasks).await;
    redis.ask::<()>(cmd("SET").arg("a").arg("1")).await.unwrap();
    assert_eq!(get(&redis).await.unwrap().as_deref(), Some("1"));
    server.kill().unwrap();
    until_here(&redis, false).await;
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert!(get(&redis).await.is_err());
    }
    let waited = begun.elapsed();
    assert!(
        waited < SOON,
        "nothing is sent where there is no connection: {waited:?}"
    );
    assert!(redis.counts().skipped >= 1_000, "{:?}", redis.counts());
    server.start().unwrap();
    until_here(&redis, true).await;
    assert_eq!(get(&redis).await.unwrap(), None, "it is empty");
    assert_eq!(redis.counts().losses, 1);
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_server_that_hangs_costs_those_who_ask_their_budget_once() {
    let Some(server) = server() else { return };
    let tasks = TaskSet::new();
    let redis = connect(&server, &tasks).await;
    get(&redis).await.unwrap();
    server.hang().unwrap();
    let begun = Instant::now();
    assert!(get(&redis).await.is_err());
    let first = begun.elapsed();
    assert!(first < BUDGET + SOON, "{first:?}");
    // Many at once, while connections are tried that hang too.
    let begun = Instant::now();
    for _ in 0..200 {
        assert!(get(&redis).await.is_err());
        sleep(Duration::from_millis(1)).await;
    }
    let all = begun.elapsed();
    assert!(all < Duration::from_secs(2), "{all:?}");
    server.go_on().unwrap();
    until_here(&redis, true).await;
    get(&redis).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_found_later() {
    let Some(mut server) = server() else { return };
    server.kill().unwrap();
    let tasks = TaskSet::new();
    let redis = connect(&server, &tasks).await;
    assert!(!redis.is_here());
    server.start().unwrap();
    until_here(&redis, true).await;
    get(&redis).await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_refused_keeps_the_connection() {
    let Some(server) = server() else { return };
    let redis = connect(&server, &TaskSet::new()).await;
    assert!(redis.ask::<()>(&cmd("NOSUCHCOMMAND")).await.is_err());
    get(&redis).await.unwrap();
    let counts = redis.counts();
    assert_eq!((counts.losses, counts.failures), (0, 1), "{counts:?}");
}

#[tokio::test]
async fn a_subscription_ends_with_its_server() {
    let Some(mut server) = server() else { return };
    let redis = connect(&server, &TaskSet::new()).await;
    let channel = "a channel".to_owned();
    let mut heard = redis.subscribe(std::slice::from_ref(&channel)).await.unwrap();
    redis
        .ask::<()>(cmd("PUBLISH").arg(&channel).arg("hello"))
        .await
        .unwrap();
    assert_eq!(heard.next().await, Some((channel, b"hello".to_vec())));
    server.kill().unwrap();
    let ended = timeout(Duration::from_secs(5), heard.next()).await;
    assert_eq!(ended.expect("it does not wait for ever"), None);
}

#[tokio::test]
async fn a_subscription_to_a_server_that_hangs_ends_too() {
    let Some(server) = server() else { return };
    let redis = connect(&server, &TaskSet::new()).await;
    let mut heard = redis.subscribe(&["a channel".to_owned()]).await.unwrap();
    server.hang().unwrap();
    let ended = timeout(Duration::from_secs(10), heard.next()).await;
    assert_eq!(ended.expect("it does not wait for ever"), None);
}

#[tokio::test]
async fn no_password_is_shown() {
    let Some(server) = server() else { return };
    let url = server.url().replace("redis://", "redis://me:the-password@");
    let redis = Redis::start(&RedisUrl::parse(&url).unwrap(), &TaskSet::new())
        .await
        .unwrap();
    assert!(!redis.is_here(), "the server knows no such user");
    assert!(!format!("{redis:?}").contains("the-password"));
}
