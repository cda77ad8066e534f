use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use frontdesk_domain::ledger::Account;
use frontdesk_store::{
    ports::{Backend, LedgerStore as _, StoreError},
    sqlite::SqliteStore,
};
use rusqlite::Connection;

use crate::{
    conformance::ledger::{NOVEMBER, bill, hold, month, pico, set_limit, spent},
    support::{Place, at, id},
};

/// The versions of the schema before the ledger's sums.
const BEFORE: [&str; 3] = [
    include_str!("../../../migrations/0001-first.sql"),
    include_str!("../../../migrations/0002-answers.sql"),
    include_str!("../../../migrations/0003-audio.sql"),
];

#[tokio::test]
async fn what_was_imported_before_there_were_sums_counts() {
    let place = Place::new();
    fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let old = Connection::open(place.path()).unwrap();
    for version in BEFORE {
        old.execute_batch(version).unwrap();
    }
    old.pragma_update(None, "application_id", 0x4652_444b).unwrap();
    old.pragma_update(None, "user_version", BEFORE.len()).unwrap();
    let insert = "INSERT INTO ledger (id, account, month, kind, amount, at) VALUES (?1, ?2, ?3, 'imported', ?4, 0)";
    let company = Account::Company(id(1));
    for (number, of, amount) in [(1, "2026-10", 70), (2, NOVEMBER, 30)] {
        let entry = id::<frontdesk_domain::ids::LedgerEntryId>(number).to_string();
        old.execute(insert, rusqlite::params![entry, company.to_string(), of, amount])
            .unwrap();
    }
    let store = place.open();
    assert_eq!(store.spend(company, month("2026-10")).await.unwrap(), spent(70, 0));
    assert_eq!(store.spend(company, month(NOVEMBER)).await.unwrap(), spent(30, 0));
    let audit = store.audit().await.unwrap();
    assert_eq!((audit.entries, audit.months, audit.drifts), (2, 2, vec![]));
}

/// A store where company 1 has settled 20 of 60 pico-USD, and holds, voided and lost 10 each; and the bare file.
async fn stage(place: &Place) -> (Arc<SqliteStore>, Connection) {
    let store = place.open();
    let backend: Arc<dyn Backend> = Arc::clone(&store) as _;
    set_limit(&*backend, 1, Some(1_000)).await;
    for (number, amount) in [(1, 60), (2, 10), (3, 10)] {
        store.reserve(hold(number, amount)).await.unwrap();
    }
    store.settle(id(1), bill(10, 60)).await.unwrap();
    store.void(id(2), at("2026-11-15T12:00:01Z")).await.unwrap();
    store.reap(at("2026-11-15T12:05:00Z")).await.unwrap();
    store.reserve(hold(4, 10)).await.unwrap();
    assert_eq!(store.audit().await.unwrap().drifts, []);
    (store, Connection::open(place.path()).unwrap())
}

/// What an audit says after `change`.
async fn check_drift(change: &str, told: &[&str]) {
    let place = Place::new();
    let (store, raw) = stage(&place).await;
    raw.execute_batch(change).unwrap();
    let audit = store.audit().await.unwrap();
    let company = Account::Company(id(1)).to_string();
    assert!(audit.drifts.iter().all(|drift| drift.account == company), "{audit:?}");
    assert!(
        audit.drifts.iter().all(|drift| drift.month.starts_with("2026-1")),
        "{audit:?}"
    );
    let details: Vec<_> = audit.drifts.iter().map(|drift| drift.detail.as_str()).collect();
    assert_eq!(details, told, "{change}");
}

const ENTRY: [&str; 5] = [
    "",
    "entry 000000010000000000000000 (settled)",
    "entry 000000020000000000000000 (void)",
    "entry 000000030000000000000000 (orphan)",
    "entry 000000040000000000000000 (held)",
];

#[tokio::test]
async fn sums_that_drifted_are_told() {
    let spent = "spent is 0.000000000031 USD, but the entries add up to 0.00000000003 USD";
    let held = "held is 0.000000000008 USD, but the entries add up to 0.00000000001 USD";
    check_drift(
        "UPDATE ledger_months SET spent = spent + 1, held = held - 2",
        &[spent, held],
    )
    .await;
    let spent = "spent is 0 USD, but the entries add up to 0.00000000003 USD";
    let held = "held is 0 USD, but the entries add up to 0.00000000001 USD";
    check_drift("DELETE FROM ledger_months", &[spent, held]).await;
    let nowhere = "spent is 0.000000000005 USD, but the entries add up to 0 USD";
    let insert = "INSERT INTO ledger_months SELECT account, '2026-12', 5, 0 FROM ledger_months";
    check_drift(insert, &[nowhere]).await;
    let lost = "spent is 0.00000000003 USD, but the entries add up to 0.00000000001 USD";
    check_drift("DELETE FROM ledger WHERE kind = 'settled'", &[lost]).await;
}

#[tokio::test]
async fn entries_that_drifted_are_told() {
    let sums = "spent is 0.00000000003 USD, but the entries add up to 0.00000000002 USD";
    let settled = format!(
        "{} takes 0.00000000001 USD, but should take 0.00000000002 USD",
        ENTRY[1]
    );
    check_drift(
        "UPDATE ledger SET amount = 10 WHERE kind = 'settled'",
        &[&settled, sums],
    )
    .await;
    let settled = format!(
        "{} takes 0.00000000002 USD, but should take 0.000000000018 USD",
        ENTRY[1]
    );
    check_drift(
        "UPDATE ledger SET prompt_tokens = 9 WHERE kind = 'settled'",
        &[&settled],
    )
    .await;
    let cached = format!(
        "{} takes 0.00000000002 USD, but should take 0.000000000023 USD",
        ENTRY[1]
    );
    let change = "UPDATE ledger SET cached_tokens = 1, completion_tokens = 1 WHERE kind = 'settled'";
    check_drift(change, &[&cached]).await;
    let whole = format!(
        "{} takes 0.00000000002 USD, but should take 0.00000000006 USD",
        ENTRY[1]
    );
    check_drift(
        "UPDATE ledger SET prompt_tokens = NULL WHERE kind = 'settled'",
        &[&whole],
    )
    .await;
    let unpriced = format!("{} takes 0.00000000002 USD for tokens without a price", ENTRY[1]);
    check_drift(
        "UPDATE ledger SET price_row = NULL WHERE kind = 'settled'",
        &[&unpriced],
    )
    .await;
    let capped = format!(
        "{} takes 0.00000000002 USD, but should take 0.000000000005 USD",
        ENTRY[1]
    );
    check_drift("UPDATE ledger SET hold = 5 WHERE kind = 'settled'", &[&capped]).await;
    let orphan = format!(
        "{} takes 0.00000000001 USD, but should take 0.000000000011 USD",
        ENTRY[3]
    );
    check_drift("UPDATE ledger SET hold = 11 WHERE kind = 'orphan'", &[&orphan]).await;
    let held = format!(
        "{} takes 0.00000000001 USD, but should take 0.000000000011 USD",
        ENTRY[4]
    );
    check_drift("UPDATE ledger SET hold = 11 WHERE kind = 'held'", &[&held]).await;
    let void = format!("{} takes 0.000000000001 USD, but should take 0 USD", ENTRY[2]);
    check_drift("UPDATE ledger SET amount = 1 WHERE kind = 'void'", &[&void]).await;
    let amounts = ["0.00000000002", "0", "0.00000000001", "0.00000000001"];
    let bare = |(entry, amount)| format!("{entry} takes {amount} USD without a hold");
    let bare: Vec<String> = ENTRY[1..].iter().zip(amounts).map(bare).collect();
    let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
    check_drift("UPDATE ledger SET hold = NULL", &bare).await;
}

#[tokio::test]
async fn a_budget_that_cannot_be_read_holds_nothing() {
    let place = Place::new();
    let (store, raw) = stage(&place).await;
    for budget in ["'a lot'", "7", "json('[]')"] {
        let set = "$.aiAgentLogic.templateGatekeeper.monthlyBudget";
        raw.execute_batch(&format!(
            "UPDATE companies SET json = json_set(json, '{set}', {budget})"
        ))
        .unwrap();
        let error = store.reserve(hold(9, 1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{budget}: {error:?}");
        assert!(error.to_string().contains("monthly budget"), "{error}");
    }
    let company = Account::Company(id(1));
    assert_eq!(store.spend(company, month(NOVEMBER)).await.unwrap(), spent(30, 10));
}

#[tokio::test]
async fn while_another_process_holds_the_lock_nothing_is_held_and_nothing_to_reap_needs_no_lock() {
    let place = Place::new();
    let (store, other) = stage(&place).await;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    assert_eq!(store.reap(at("2026-11-15T12:00:30Z")).await.unwrap(), []);
    assert!(begun.elapsed() < Duration::from_millis(500));
    store.reserve(hold(5, 1)).await.unwrap_err();
    store.reap(at("2026-11-15T13:00:00Z")).await.unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    let reaped = store.reap(at("2026-11-15T13:00:00Z")).await.unwrap();
    let reaped: Vec<_> = reaped.iter().map(|(_, entry)| (entry.id, entry.amount)).collect();
    assert_eq!(reaped, [(id(4), pico(10))]);
}

#[tokio::test]
async fn a_hold_that_nobody_waits_for_any_more_is_not_made_when_the_lock_is_gone() {
    let place = Place::new();
    let (store, other) = stage(&place).await;
    let company = Account::Company(id(1));
    let before = store.spend(company, month(NOVEMBER)).await.unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(200), store.reserve(hold(5, 1))).await;
    assert!(given_up.is_err(), "the lock held: {given_up:?}");
    other.execute_batch("ROLLBACK").unwrap();
    // Whatever was begun is done before this.
    store.reserve(hold(6, 2)).await.unwrap();
    let after = store.spend(company, month(NOVEMBER)).await.unwrap();
    assert_eq!(after.held.pico() - before.held.pico(), 2, "{before:?} {after:?}");
}
