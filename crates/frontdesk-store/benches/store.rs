//! What a turn and its record cost: `cargo bench -p frontdesk-store`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier as _},
    analytics::Slot,
    call_state::CallState,
    confidence::Confidence,
    decision::{
        CandidateKind, Decision, Escalation, FallbackKind, Matcher, Source, Step, StepOutcome, TraceCandidate,
        TraceEntry, Versions,
    },
    documents::{Mode, company::Company, company::CompanySecrets, template::Action},
    ids::{CallId, CompanyId, ObjectId, ScenarioId, TurnId},
    money::PicoUsd,
    record::{ReplayInputs, TurnOutcome, TurnRecord},
    time::Timestamp,
};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CompanyStore as _, CompanyWrite, HealthStore as _, RotationStore as _, TurnLog as _},
    queue::AlertQueue,
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
    tasks::TaskSet,
};
use serde_json::json;
use tokio::runtime::Runtime;

fn company_id() -> CompanyId {
    company(1)
}

fn company(number: u32) -> CompanyId {
    CompanyId::from(ObjectId::from_parts(number, [1; 8]))
}

/// A record with a full trace; about 3 KB of JSON.
fn record(call: usize) -> TurnRecord {
    let entry = |step| TraceEntry {
        step,
        tier: None,
        outcome: StepOutcome::BelowThreshold,
        confidence: Confidence::new(0.42),
        threshold: Confidence::new(0.75),
        candidates: (0..5)
            .map(|number| TraceCandidate {
                id: format!("scenario-number-{number}").into(),
                kind: CandidateKind::Scenario,
                confidence: Confidence::clamped(0.42),
            })
            .collect(),
        matched_words: vec!["water".into(), "heater".into()],
        nearest_trigger: None,
        reason: None,
        micros: 12,
        cost_usd: PicoUsd::ZERO,
    };
    let utterance = "hello yes my water heater is leaking and I would like to know when somebody could come by";
    // Ids come in no order, times do.
    let call_id = format!(
        "CA{:032x}",
        (call as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    );
    TurnRecord {
        turn_id: TurnId::new(&format!("{call_id}-1")),
        call_id: CallId::new(&call_id),
        turn: 1,
        at: Timestamp::from_second(1_800_000_000 + i64::try_from(call / 1_000).unwrap_or_default()).unwrap_or_default(),
        from: Some("+15550109999".into()),
        speech_confidence: Some(0.93),
        digits: None,
        decision: Decision {
            company_id: company_id(),
            utterance: utterance.into(),
            normalized: utterance.into(),
            source: Source::Template,
            tier: None,
            confidence: Confidence::clamped(0.91),
            threshold: Confidence::new(0.7),
            scenario_id: Some(ScenarioId::new(&format!("scenario-number-{}", call % 23))),
            qna_id: None,
            safety_id: None,
            response: "We can come by today between two and four. What is the address?".into(),
            action: Action::None,
            emergency: false,
            matcher: Matcher::Lexical,
            fallback_type: None,
            escalation: Escalation::default(),
            cost_usd: PicoUsd::ZERO,
            latency_micros: 48,
            versions: Arc::new(Versions {
                build: "0.0.0".into(),
                ..Versions::default()
            }),
            trace: [
                Step::Safety,
                Step::Conversation,
                Step::CompanyQna,
                Step::TradeQna,
                Step::Tier1,
                Step::Tier2,
            ]
            .map(entry)
            .into(),
        },
        variation: None,
        tokens: None,
        outcome: TurnOutcome::Answered,
        replay: ReplayInputs {
            call_state: CallState::default(),
            rotation: None,
            catalogue: None,
            llm: None,
        },
        document: Some("<Response><Say/></Response>".repeat(30).into()),
    }
}

fn store(folder: &tempfile::TempDir) -> Arc<SqliteStore> {
    let (key, clock) = (Arc::new(Sealer::from_key([7; 32])), Arc::new(SystemClock));
    let opened = SqliteStore::open(&folder.path().join("bench.db"), key, clock, SqliteOptions::default());
    Arc::new(opened.expect("the file can be made"))
}

fn append_turns(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("append_turns");
    group.sample_size(20).measurement_time(Duration::from_secs(8));
    for batch in [200, 500] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let mut next = 0;
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("{batch} records"), |bencher| {
            bencher.iter_batched(
                || {
                    let records: Vec<_> = (next..next + batch).map(record).collect();
                    next += batch;
                    Arc::new(records)
                },
                |records| runtime.block_on(store.append_turns(records)).expect("stored"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Batches of calls of so many companies: each company's counts are written once a batch.
fn append_turns_of_many(criterion: &mut Criterion) {
    const BATCH: usize = 500;
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("append_turns, 500 records");
    group.sample_size(20).measurement_time(Duration::from_secs(8));
    for companies in [1, 100, 500] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let mut next = 0;
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(format!("of {companies} companies"), |bencher| {
            bencher.iter_batched(
                || {
                    let records = (next..next + BATCH).map(|call| {
                        let mut record = record(call);
                        let number = u32::try_from(call % companies).unwrap_or_default();
                        record.decision.company_id = company(number);
                        record
                    });
                    let records: Vec<_> = records.collect();
                    next += BATCH;
                    Arc::new(records)
                },
                |records| runtime.block_on(store.append_turns(records)).expect("stored"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// What the fallback rate of all companies costs whoever judges it.
fn fallback_counts(criterion: &mut Criterion) {
    const COMPANIES: usize = 10_000;
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder);
    let slot = Slot::of(record(0).at);
    // Two hours of quarters, of which the last five are asked for.
    for quarter in 0..8_u64 {
        for first in (0..COMPANIES).step_by(1_000) {
            let records = (first..first + 1_000).map(|number| {
                let mut record = record(number + usize::try_from(quarter).unwrap_or_default() * COMPANIES);
                record.decision.company_id = company(u32::try_from(number).unwrap_or_default());
                record.at = slot.start() + Duration::from_mins(15 * quarter);
                record
            });
            let records = Arc::new(records.collect());
            runtime.block_on(store.append_turns(records)).expect("stored");
        }
    }
    let from = Slot::from_number(slot.number() + 3);
    let counts = runtime.block_on(store.fallback_counts(from, 5)).expect("counted");
    assert_eq!(counts.len(), COMPANIES);
    let mut group = criterion.benchmark_group("fallback_counts");
    group.sample_size(10);
    group.bench_function("of 10,000 companies", |bencher| {
        bencher.iter(|| runtime.block_on(store.fallback_counts(from, 20)).expect("counted"));
    });
    group.finish();
}

/// What an alert costs who raises it, while the queue stores what came before.
fn alerts(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder);
    let tasks = TaskSet::new();
    let queue = runtime.block_on(async { AlertQueue::start(store, Arc::new(SystemClock), &tasks) });
    let alert = |number: u32| Alert {
        code: AlertCode::FallbackUsed,
        company: Some(company(number)),
        message: "callers of a company heard a fallback".to_owned(),
        details: json!({ "call": "CA00000000000000000000000000000001", "turn": 3 }),
    };
    let mut group = criterion.benchmark_group("raise an alert");
    for companies in [1, 500] {
        let mut next = 0;
        group.bench_function(format!("of {companies} companies"), |bencher| {
            bencher.iter_batched(
                || {
                    next += 1;
                    alert(next % companies)
                },
                |alert| queue.raise(alert),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    let counts = queue.counts();
    assert_eq!(counts.dropped, 0, "{counts:?}");
    _ = runtime.block_on(tasks.shutdown(Duration::from_secs(5)));
}

fn rotation(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder);
    criterion.bench_function("next_rotation, alone", |bencher| {
        let next = || runtime.block_on(store.next_rotation(company_id(), FallbackKind::NoMatchFound));
        bencher.iter(|| next().expect("counted"));
    });
    criterion.bench_function("next_rotation, 64 at once", |bencher| {
        bencher.iter_custom(|times| {
            let begun = Instant::now();
            runtime.block_on(async {
                for _ in 0..times {
                    let all = (0..64).map(|_| store.next_rotation(company_id(), FallbackKind::NoMatchFound));
                    futures_util::future::join_all(all).await;
                }
            });
            begun.elapsed() / 64
        });
    });
}

fn cache(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let cached = runtime.block_on(async {
        let store = store(&folder);
        let document = json!({ "_id": company_id().to_string(), "name": "Bench", "phone": "+15550100001" });
        let parsed = Company::parse(&document, Mode::Import).expect("a company");
        let write = CompanyWrite {
            company: Arc::new(parsed.value.company),
            json: parsed.json,
            secrets: CompanySecrets::default(),
        };
        store.insert_company(write).await.expect("written");
        let cached = CachedStore::start(store, &TaskSet::new());
        cached.warm(1, Instant::now() + Duration::from_mins(1)).await;
        cached
    });
    let settings = runtime
        .block_on(cached.settings(company_id()))
        .expect("read")
        .expect("a company");
    // One block_on for many reads: what it costs itself is not measured.
    let mut group = criterion.benchmark_group("cache hit");
    let timed = |times: u64, one: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..times).for_each(|_| one());
        begun.elapsed()
    };
    group.bench_function("settings", |bencher| {
        bencher.iter_custom(|times| {
            timed(times, &mut || {
                let hit = futures_util::FutureExt::now_or_never(cached.settings(black_box(company_id())));
                assert!(black_box(hit).is_some());
            })
        });
    });
    group.bench_function("knowledge documents", |bencher| {
        bencher.iter_custom(|times| {
            timed(times, &mut || {
                let hit = futures_util::FutureExt::now_or_never(cached.knowledge_documents(black_box(&settings)));
                assert!(black_box(hit).is_some());
            })
        });
    });
    group.bench_function("platform data", |bencher| {
        bencher.iter_custom(|times| {
            timed(times, &mut || {
                let hit = futures_util::FutureExt::now_or_never(cached.platform());
                assert!(black_box(hit).is_some());
            })
        });
    });
    group.finish();
}

fn seal(criterion: &mut Criterion) {
    let key = Sealer::from_key([7; 32]);
    let plain = vec![b'x'; 200];
    let context = "call-state:507f1f77bcf86cd799439011:CA00000000000000000000000000000001";
    criterion.bench_function("seal 200 bytes to text", |bencher| {
        bencher.iter(|| key.seal_text(black_box(context), black_box(&plain)));
    });
    let text = key.seal_text(context, &plain);
    criterion.bench_function("open 200 bytes from text", |bencher| {
        bencher.iter(|| {
            key.open_text(black_box(context), black_box(&text))
                .expect("sealed above")
        });
    });
}

criterion_group!(
    benches,
    append_turns,
    append_turns_of_many,
    fallback_counts,
    alerts,
    rotation,
    cache,
    seal
);
criterion_main!(benches);
