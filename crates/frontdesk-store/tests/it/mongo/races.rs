//! Several processes on one database.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{decision::FallbackKind, ids::LedgerEntryId, ledger::Account, time::Timestamp};
use frontdesk_store::{
    mongo::MongoStore,
    mongo_url::MongoUrl,
    ports::{Bill, Hold, LedgerStore as _, Reserved, RotationStore as _},
    seal::Sealer,
    system::{ObjectIds, SystemClock},
};
use futures_util::future::join_all;

use super::server::{PATIENT, Place};
use crate::{
    conformance::ledger::{NOVEMBER, bill, hold, month, pico, set_limit},
    support::{at, id},
};

/// Says to a test of this binary on which database it works, and where it writes what it did.
const DATABASE: &str = "FRONTDESK_STORE_TEST_DATABASE";
const FOLDER: &str = "FRONTDESK_STORE_TEST_FOLDER";

const PROCESSES: usize = 4;
const TASKS: u64 = 8;
const HOLDS_A_TASK: u64 = 6;

/// Each hold. The budget fits 100 of the 192 that are asked for; every eighth is let go again.
const HOLD: i64 = 7;
const LIMIT: i64 = 100 * HOLD;

fn run_again(place: &Place, folder: &Path, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("mongo::races::{test}"), "--nocapture"])
        .env(DATABASE, place.url().expose())
        .env(FOLDER, folder)
        .spawn()
        .unwrap()
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

async fn open(url: &str) -> Arc<MongoStore> {
    let sealer = Arc::new(Sealer::from_key([7; 32]));
    let url = MongoUrl::parse(url).unwrap();
    Arc::new(
        MongoStore::open(&url, sealer, Arc::new(SystemClock), PATIENT)
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn of_four_processes_as_many_hold_as_fit_and_what_a_killed_one_held_is_charged() {
    let Some(place) = Place::new() else { return };
    let store = place.open().await;
    set_limit(&*store, 1, Some(LIMIT)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut dying = run_again(&place, folder.path(), "holds_and_waits_when_asked");
    let held = folder.path().join("held");
    for _ in 0..600 {
        if held.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(held.exists(), "the process that is to be killed holds");
    dying.kill().unwrap();
    dying.wait().unwrap();
    let (company, november) = (Account::Company(id(1)), month(NOVEMBER));
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|_| run_again(&place, folder.path(), "holds_and_settles_when_asked"))
        .collect();
    let mut looks = 0;
    while processes
        .iter_mut()
        .any(|process| process.try_wait().unwrap().is_none())
    {
        let spend = store.spend(company, november).await.unwrap();
        let taken = spend.spent.pico() + spend.held.pico();
        assert!(taken <= LIMIT, "{taken} of {LIMIT}");
        looks += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(looks > 3, "it was looked {looks} times meanwhile");
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let spend = store.spend(company, november).await.unwrap();
    assert_eq!(spend.held, pico(HOLD), "of the process that was killed");
    let reaped = store.reap(at("2026-11-15T13:00:00Z")).await.unwrap();
    assert_eq!(
        reaped.iter().map(|(_, entry)| entry.amount).collect::<Vec<_>>(),
        [pico(HOLD)]
    );
    assert_eq!(store.reap(at("2026-11-15T13:00:00Z")).await.unwrap(), []);
    let spend = store.spend(company, november).await.unwrap();
    assert_eq!(
        (spend.spent, spend.held),
        (pico(LIMIT), pico(0)),
        "all that fits was granted"
    );
    assert_eq!(store.audit().await.unwrap().drifts, []);
    let mut drawn = Vec::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "drawn") {
            let text = fs::read_to_string(path).unwrap();
            drawn.extend(text.lines().map(|line| line.parse::<u64>().unwrap()));
        }
    }
    let count = drawn.len();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(
        (drawn.len(), count),
        (count, PROCESSES * usize::try_from(TASKS * HOLDS_A_TASK).unwrap())
    );
    place.remove().await;
}

fn of_this_process(ids: &ObjectIds, number: u64, lease_until: Timestamp) -> Hold {
    let id = ids.make();
    Hold {
        id: LedgerEntryId::from(id),
        turn: frontdesk_domain::ids::TurnId::new(&format!("CA{id}-{number}")),
        lease_until,
        ..hold(1, HOLD)
    }
}

#[tokio::test]
async fn holds_and_waits_when_asked() {
    let (Some(url), Some(folder)) = (variable(DATABASE), variable(FOLDER)) else {
        return;
    };
    let store = open(&url).await;
    let ids = ObjectIds::new(Arc::new(SystemClock));
    let held = store
        .reserve(of_this_process(&ids, 0, at("2026-11-15T12:01:00Z")))
        .await
        .unwrap();
    assert!(matches!(held, Reserved::Granted(..)));
    fs::write(Path::new(&folder).join("held"), "").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn holds_and_settles_when_asked() {
    let (Some(url), Some(folder)) = (variable(DATABASE), variable(FOLDER)) else {
        return;
    };
    let store = open(&url).await;
    let ids = ObjectIds::new(Arc::new(SystemClock));
    let number = AtomicU64::new(0);
    let tasks = (0..TASKS).map(|_| async {
        let mut drawn = Vec::new();
        for _ in 0..HOLDS_A_TASK {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let hold = of_this_process(&ids, number, at("2026-11-15T14:00:00Z"));
            if matches!(store.reserve(hold.clone()).await.unwrap(), Reserved::Granted(..)) {
                close(&store, &hold, number).await;
            }
            drawn.push(draw(&store).await);
        }
        drawn
    });
    let drawn: Vec<String> = join_all(tasks).await.concat();
    let file = Path::new(&folder).join(format!("{}.drawn", std::process::id()));
    fs::write(file, drawn.join("\n")).unwrap();
}

/// Lets every eighth go and settles the others at their hold.
async fn close(store: &MongoStore, hold: &Hold, number: u64) {
    if number.is_multiple_of(8) {
        assert!(store.void(hold.id, hold.at).await.unwrap());
    } else {
        let bill = Bill {
            usage: None,
            amount: hold.amount,
            ..bill(0, HOLD)
        };
        assert!(store.settle(hold.id, bill).await.unwrap());
    }
}

async fn draw(store: &MongoStore) -> String {
    let number = store.next_rotation(id(1), FallbackKind::NoMatchFound).await;
    number.unwrap().to_string()
}
