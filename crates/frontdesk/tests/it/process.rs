//! What the process takes of its surroundings at its start, and how it leaves.

use std::path::Path;

use frontdesk_testkit::{
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};

fn server(folder: &Path) -> Server {
    Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder).unwrap()
}

#[tokio::test]
async fn as_many_files_may_be_open_as_the_process_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path()).with_prelude("ulimit -S -n 100 && ulimit -H -n 512");
    server.start().await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id().unwrap())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files
        .split_whitespace()
        .filter(|word| word.parse::<u64>().is_ok())
        .collect();
    assert_eq!(numbers, ["512", "512"], "{files}");
    let log = std::fs::read_to_string(server.log()).unwrap();
    assert!(log.contains("only 512 files may be open"), "{log}");
}

#[tokio::test]
async fn a_process_is_well_from_the_moment_at_which_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path());
    for _ in 0..3 {
        server.start().await.unwrap();
        let ready = server.operator().send(Method::GET, "/readyz", None).await.unwrap();
        assert!(ready.text().contains("\"status\":\"ready\""), "{}", ready.text());
        server.kill().unwrap();
    }
}

#[tokio::test]
async fn call_states_that_do_not_unseal_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path());
    server.start().await.unwrap();
    let mut operator = server.operator();
    let world = World::create(&mut operator, &mut StdRng::seed_from_u64(1))
        .await
        .unwrap();
    let company = &world.companies[0];
    let mut caller = Caller::new(server.connection());
    caller.take(Call::new(
        &company.twilio,
        &company.id,
        "CA00000000000000000000000000000003",
    ));
    caller.say(world::VISIT.0).await.unwrap();
    let mut call = caller.call().unwrap().clone();
    let gather = call.heard.as_mut().unwrap().gather.as_mut().unwrap();
    gather.push_str("AA");
    caller.take(call);
    let heard = caller.say(world::PRICE.0).await.unwrap().speech();
    assert!(heard.starts_with(world::PRICE.1), "{heard}");
    let numbers = operator.send(Method::GET, "/metrics", None).await.unwrap().text();
    assert!(numbers.contains("frontdesk_call_states_unsealed_total 1"), "{numbers}");
}
