//! What a hold and its bill cost, beside bare fsyncs of the same disk: `cargo bench -p frontdesk-store --bench ledger`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::{fs::File, io::Write as _, path::Path, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use frontdesk_domain::{
    documents::{
        Mode,
        company::{Company, CompanySecrets},
    },
    ids::{CallId, CompanyId, LedgerEntryId, ObjectId, TurnId},
    ledger::{Account, PriceRow, Usage},
    money::PicoUsd,
    time::Timestamp,
};
use frontdesk_store::{
    ports::{Bill, CompanyStore as _, CompanyWrite, Hold, LedgerStore as _, Reserved},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
};
use serde_json::json;
use tokio::runtime::Runtime;

const USAGE: Usage = Usage {
    prompt: 2_500,
    cached: 0,
    cache_write: 0,
    completion: 30,
};

/// What `SQLite` writes to its log at least for a commit: some pages.
const WRITTEN: usize = 16 * 1024;

fn company_id() -> CompanyId {
    CompanyId::from(ObjectId::from_parts(1, [1; 8]))
}

fn price() -> Arc<PriceRow> {
    let row = json!({
        "id": "bench", "provider": "bench", "model": "bench", "effectiveFrom": "2026-01-01",
        "input": 100_000, "cached": 10_000, "cacheWrite": 125_000, "output": 500_000,
    });
    serde_json::from_value(row).expect("a price")
}

fn store(runtime: &Runtime, folder: &Path) -> SqliteStore {
    let (key, clock) = (Arc::new(Sealer::from_key([7; 32])), Arc::new(SystemClock));
    let store = SqliteStore::open(&folder.join("bench.db"), key, clock, SqliteOptions::default());
    let store = store.expect("the file can be made");
    let document = json!({
        "_id": company_id().to_string(), "name": "Bench", "phone": "+15550100001",
        "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": "1000000" } },
    });
    let parsed = Company::parse(&document, Mode::Import).expect("a company");
    let write = CompanyWrite {
        company: Arc::new(parsed.value.company),
        json: parsed.json,
        secrets: CompanySecrets::default(),
    };
    runtime.block_on(store.insert_company(write)).expect("written");
    store
}

/// Holds and settles for one turn after the other: nothing is committed together with anything else.
async fn hold_and_settle(store: &SqliteStore, number: u32, price: &Arc<PriceRow>) {
    let id = LedgerEntryId::from(ObjectId::from_parts(number, [2; 8]));
    let at = Timestamp::from_second(1_795_000_000).expect("a time");
    let amount = PicoUsd::from_pico(1_000_000_000);
    let hold = Hold {
        id,
        account: Account::Company(company_id()),
        month: "2026-11".parse().expect("a month"),
        turn: TurnId::new(&format!("CA{number:032x}-1")),
        call: CallId::new(&format!("CA{number:032x}")),
        attempt: 1,
        amount,
        cap: PicoUsd::ZERO,
        model: "bench".into(),
        price: Arc::clone(price),
        at,
        lease_until: Timestamp::from_second(1_795_000_060).expect("a time"),
    };
    let reserved = store.reserve(hold).await.expect("answered");
    assert!(matches!(reserved, Reserved::Granted(..)), "{reserved:?}");
    let bill = Bill {
        usage: Some(USAGE),
        price: None,
        amount: price.cost(&USAGE),
        overrun: PicoUsd::ZERO,
        at,
    };
    assert!(store.settle(id, bill).await.expect("answered"));
}

fn ledger(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("ledger");
    group.sample_size(50);
    let mut file = File::create(folder.path().join("bare")).expect("a file");
    let page = vec![7_u8; WRITTEN];
    group.bench_function("bare fsync", |bencher| {
        bencher.iter(|| {
            file.write_all(&page).expect("written");
            file.sync_data().expect("on disk");
        });
    });
    let store = store(&runtime, folder.path());
    let price = price();
    let mut number = 0;
    group.bench_function("reserve and settle", |bencher| {
        bencher.iter(|| {
            number += 1;
            runtime.block_on(hold_and_settle(&store, number, &price));
        });
    });
    group.finish();
}

criterion_group!(benches, ledger);
criterion_main!(benches);
