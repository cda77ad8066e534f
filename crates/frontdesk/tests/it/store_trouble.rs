//! A store that fails while calls come in: callers still hear a sentence, and nothing acknowledged is lost.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    server::Server,
    store_file::{self, Lock},
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::trouble::{DEADLINE, Office, Promised};

/// So long after the trouble everything that waited is on disk.
const CAUGHT_UP: Duration = Duration::from_secs(4);

async fn open(prelude: Option<&str>) -> Office {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path()).unwrap();
    if let Some(prelude) = prelude {
        server = server.with_prelude(prelude);
    }
    Office::open(server, folder, Duration::from_millis(10)).await
}

async fn check(office: &Office, promised: &Promised) {
    office.check(promised, CAUGHT_UP).await;
    assert_eq!(store_file::damage(&office.server.store()).unwrap(), None);
}

#[tokio::test]
async fn a_store_that_another_process_has_locked_silences_no_caller_and_loses_no_record() {
    let office = open(None).await;
    let mut promised = Promised::default();
    let lock = Lock::take(&office.server.store()).unwrap();
    office.work(Duration::from_millis(2_500), &mut promised).await;
    assert!(promised.writes.taken.is_empty(), "the lock held: {promised:?}");
    assert!(
        promised.writes.refused > 0 && promised.slow.refused_messages > 0,
        "{promised:?}"
    );
    drop(lock);
    office.work(Duration::from_millis(500), &mut promised).await;
    assert!(
        !promised.writes.taken.is_empty(),
        "writes are taken again: {promised:?}"
    );
    check(&office, &promised).await;
}

#[tokio::test]
async fn a_disk_that_takes_no_more_silences_no_caller_and_loses_nothing_acknowledged() {
    // A write beyond the limit fails as one to a full disk does. 512 or 1024 bytes each, as the shell counts.
    let office = open(Some("trap '' XFSZ; ulimit -S -f 1400")).await;
    let mut promised = Promised::default();
    let until = Instant::now() + Duration::from_secs(20);
    while promised.writes.refused < 3 {
        assert!(Instant::now() < until, "the limit is never reached: {promised:?}");
        office.work(Duration::from_millis(200), &mut promised).await;
    }
    assert!(
        !promised.writes.taken.is_empty(),
        "some were taken before: {promised:?}"
    );
    let id = office.server.id().unwrap().to_string();
    let freed = Command::new("prlimit")
        .args(["--pid", &id, "--fsize=unlimited"])
        .status();
    assert!(freed.unwrap().success());
    office.work(Duration::from_millis(500), &mut promised).await;
    check(&office, &promised).await;
}

#[tokio::test]
async fn a_store_whose_file_was_taken_away_acknowledges_nothing_and_silences_no_caller() {
    let office = open(None).await;
    std::fs::remove_file(office.server.store()).unwrap();
    let mut promised = Promised::default();
    office.work(Duration::from_millis(1_500), &mut promised).await;
    let (fast, slow, writes) = (&promised.fast, &promised.slow, &promised.writes);
    assert!(!fast.answered.is_empty() && slow.refused_messages > 0, "{promised:?}");
    assert!(
        writes.taken.is_empty() && slow.messages.is_empty() && writes.refused > 0,
        "{promised:?}"
    );
    let told = "file was removed or replaced";
    // Said once it was seen twice.
    let until = Instant::now() + Duration::from_secs(5);
    let mut operator = office.server.operator();
    loop {
        let ready = operator.send(Method::GET, "/readyz", None).await.unwrap().text();
        if ready.contains("degraded") && ready.contains(told) {
            break;
        }
        assert!(Instant::now() < until, "{ready}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(office.server.log()).unwrap();
    let errors = log.lines().filter(|line| line.contains("the store takes no writes"));
    assert!(log.contains(told) && errors.count() == 1, "{log}");
}

/// This binary, run by somebody who may write nothing that root owns; where we are not root, by ourselves.
fn unprivileged(folder: &Path) -> PathBuf {
    let program = folder.join("unprivileged");
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let other = if is_root {
        "setpriv --reuid=65534 --regid=65534 --clear-groups"
    } else {
        ""
    };
    let script = format!("#!/bin/sh\nexec {other} '{}' \"$@\"\n", env!("CARGO_BIN_EXE_frontdesk"));
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[tokio::test]
async fn a_store_that_may_only_be_read_answers_callers_and_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let key = "5a".repeat(32);
    let with = |program: &Path| {
        let server = Server::new(program, folder.path()).unwrap();
        server
            .with_token("testkit-of-a-file-that-is-read")
            .with_setting("SECRETS__KEY", &key)
    };
    let mut server = with(Path::new(env!("CARGO_BIN_EXE_frontdesk")));
    server.start().await.unwrap();
    let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(1))
        .await
        .unwrap();
    server.stop(Duration::from_secs(6)).await.unwrap();
    let program = unprivileged(folder.path());
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap().path();
        if file.to_string_lossy().contains("frontdesk.db") {
            fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
        }
    }
    let mut server = with(&program);
    server.start().await.unwrap();
    let company = &world.companies[0];
    let call = async |words: &str| {
        let mut caller = Caller::new(server.connection());
        let sid = format!("CA{:032x}", rand::random::<u128>());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        let began = Instant::now();
        let heard = caller.say(words).await.unwrap().clone();
        assert!(began.elapsed() < DEADLINE && !heard.speech().is_empty(), "{heard:?}");
        heard.speech()
    };
    assert!(call(world::PRICE.0).await.starts_with(world::PRICE.1));
    assert!(call(world::VISIT.0).await.starts_with(world::VISIT.1));
    // What is counted in the store is answered all the same.
    call("flurb gazonk wibblesnatch").await;
    let mut operator = server.operator();
    let path = format!("/api/v1/companies/{}", company.id);
    let refused = operator
        .send(Method::PATCH, &path, Some(&json!({ "name": "Renamed" })))
        .await
        .unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(operator.get(&path).await.unwrap()["name"], "Company 0");
    let until = Instant::now() + Duration::from_secs(8);
    loop {
        let ready = operator.send(Method::GET, "/readyz", None).await.unwrap();
        if ready.status == 200 && ready.text().contains("\"degraded\"") {
            break;
        }
        assert!(Instant::now() < until, "{}", ready.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_silences_no_caller() {
    // Every write to it fails as on a full disk.
    let office = open(Some("exec 2>/dev/full")).await;
    let mut promised = Promised::default();
    let lock = Lock::take(&office.server.store()).unwrap();
    office.work(Duration::from_millis(1_500), &mut promised).await;
    drop(lock);
    assert!(promised.writes.refused > 0, "there was something to log: {promised:?}");
    office.work(Duration::from_millis(200), &mut promised).await;
    check(&office, &promised).await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_silences_no_caller() {
    // A pipe that this process holds open by itself: when it is full, whoever writes waits for ever.
    let mut office = open(Some("mkfifo stuck && exec 2<>stuck")).await;
    let path = format!("/api/twilio/v2-agent-respond/{}", office.world.companies[0].id);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-twilio-signature", "wrong"),
    ];
    let mut connection = office.server.connection();
    for _ in 0..600 {
        let refused = connection.send(&Method::POST, &path, &headers, b"CallSid=CA1".to_vec());
        let refused = tokio::time::timeout(DEADLINE, refused)
            .await
            .expect("an answer in time");
        assert_eq!(refused.unwrap().status, 403);
    }
    let mut promised = Promised::default();
    office.work(Duration::from_millis(300), &mut promised).await;
    assert!(promised.slow.answered.len() > 1 && !promised.writes.taken.is_empty());
    check(&office, &promised).await;
    // Nor does it keep the process from ending.
    office.server.stop(Duration::from_secs(6)).await.unwrap();
}

#[tokio::test]
async fn who_is_recorded_in_vain_is_asked_once_more_and_then_not_again() {
    let office = open(None).await;
    let company = &office.world.companies[0];
    let mut caller = Caller::new(office.server.connection());
    caller.take(Call::new(
        &company.twilio,
        &company.id,
        "CA00000000000000000000000000000001",
    ));
    caller.say(world::MESSAGE).await.unwrap();
    let lock = Lock::take(&office.server.store()).unwrap();
    let asked_again = caller.leave_message("RE1", "please call me back").await.unwrap();
    assert!(asked_again.record.is_some() && !asked_again.speech().is_empty());
    let given_up = caller.leave_message("RE2", "please call me back").await.unwrap();
    assert!(
        given_up.record.is_none() && !given_up.speech().is_empty(),
        "{given_up:?}"
    );
    drop(lock);
}

#[tokio::test]
async fn a_second_message_is_kept_when_the_store_takes_writes_again() {
    let office = open(None).await;
    let company = &office.world.companies[0];
    let mut caller = Caller::new(office.server.connection());
    caller.take(Call::new(
        &company.twilio,
        &company.id,
        "CA00000000000000000000000000000002",
    ));
    caller.say(world::MESSAGE).await.unwrap();
    let lock = Lock::take(&office.server.store()).unwrap();
    caller.leave_message("RE3", "please call me back").await.unwrap();
    drop(lock);
    let thanked = caller.leave_message("RE4", "please call me back").await.unwrap();
    assert!(thanked.record.is_none());
    let messages = office
        .server
        .operator()
        .all(&format!("{}/messages", office.path()))
        .await
        .unwrap();
    let kept = messages.iter().any(|message| message["recordingSid"] == "RE4");
    assert!(kept, "{messages:?}");
}

#[tokio::test]
async fn what_the_store_does_not_take_by_the_end_is_stored_by_the_next_start() {
    let mut office = open(None).await;
    let waiting = |office: &Office| {
        let files = fs::read_dir(office.server.store().parent().unwrap()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("turns.")).count()
    };
    let until = Instant::now() + CAUGHT_UP;
    while office
        .ids(&mut office.server.operator(), "calls", "callId")
        .await
        .is_empty()
    {
        assert!(Instant::now() < until, "the first call is never recorded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lock = Lock::take(&office.server.store()).unwrap();
    let mut promised = Promised::default();
    for _ in 0..3 {
        office.call(world::VISIT.0, &mut promised.fast).await;
    }
    office.server.stop(Duration::from_secs(6)).await.unwrap();
    drop(lock);
    let log = std::fs::read_to_string(office.server.log()).unwrap();
    assert!(
        log.contains("3 turn records and 0 alerts wait in files for the next start"),
        "{log}"
    );
    assert!(!log.contains("are lost"), "{log}");
    assert_eq!(waiting(&office), 1);
    office.server.start().await.unwrap();
    check(&office, &promised).await;
    assert_eq!(waiting(&office), 0);
}
