//! Edits are heard soon and in their order, whatever becomes of the cache server.

use frontdesk_store::ports::CompanyStore as _;
use tokio::task::JoinSet;

use super::{cache::Stage, *};
use crate::{cache::named, support::id};

const COMPANY: u32 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_is_heard_by_others_within_a_tenth_of_a_second() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    // It is told by the cache server alone.
    let reader = stage.start(true).await;
    reader.name().await;
    let mut waited = Vec::new();
    for number in 0..200 {
        let name = format!("Company {number}");
        writer.rename(&name).await;
        waited.push(reader.until_named(&name).await);
    }
    waited.sort_unstable();
    let (middle, late) = (waited[waited.len() / 2], waited[waited.len() * 99 / 100]);
    println!("edits are heard after {middle:?} (half of them), {late:?} (99 in 100)");
    // A machine that does other things as well is late now and then.
    assert!(middle < Duration::from_millis(100), "{middle:?}");
    assert!(late < Duration::from_secs(1), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_never_go_backwards_while_the_server_is_killed_and_hangs() {
    let Some(mut stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    let mut readers = JoinSet::new();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for _ in 0..2 {
        let instance = Arc::new(stage.start(false).await);
        for _ in 0..4 {
            let (instance, done) = (Arc::clone(&instance), Arc::clone(&done));
            readers.spawn(async move {
                let (mut last, mut reads) = (0, 0_u32);
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let rev = instance.settings().await.rev;
                    assert!(rev >= last, "{rev} after {last}");
                    last = rev;
                    reads += 1;
                    sleep(Duration::from_millis(2)).await;
                }
                // What was written last is heard at last.
                let wanted = instance.trying.inner.company(id(COMPANY)).await.unwrap().unwrap();
                instance
                    .until_named(wanted.document.json["name"].as_str().unwrap())
                    .await;
                reads
            });
        }
    }
    for number in 0..150 {
        match number {
            30 => stage.server.hang().unwrap(),
            60 => stage.server.go_on().unwrap(),
            90 => stage.server.kill().unwrap(),
            120 => stage.server.start().unwrap(),
            _ => {}
        }
        let rev = writer
            .trying
            .inner
            .company(id(COMPANY))
            .await
            .unwrap()
            .unwrap()
            .document
            .rev;
        writer
            .cached
            .replace_company(named(&format!("Company {number}")), rev)
            .await
            .unwrap();
        assert_eq!(writer.settings().await.rev, rev + 1, "the writer hears itself");
        sleep(Duration::from_millis(20)).await;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut reads = 0;
    while let Some(read) = readers.join_next().await {
        reads += read.unwrap();
    }
    assert!(reads > 500, "{reads}");
}
