//! What a turn costs inside the process: time and allocations, from a verified webhook to its document.
//!
//! `cargo bench -p frontdesk-callflow --bench turn` prints the numbers beside the limits of the project.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to the terminal and stops at the first fault"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use frontdesk_callflow::{
    CallFlow, Deps, Route, Webhook, company::Tenant, flow::Run, limits::Limits, llm::Llm, meaning::Meanings, settings,
};
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock as _,
    documents::{
        Mode,
        company::{Company, CompanySecrets},
        qna::{Owner, Qna},
        template::Template,
    },
    ids::CompanyId,
    redaction::redact_field,
};
use frontdesk_matching::{normal::normalize, safety::EMBEDDED};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CompanyStore as _, CompanyWrite, QnaOwner, QnaStore as _, TemplateStore as _},
    queue::{AlertQueue, TurnQueue, TurnQueueOptions},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
    tasks::TaskSet,
};
use frontdesk_twilio::form::Form;
use serde_json::{Value, json};

/// Counts what a thread allocates: the queues and the store work on others.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[expect(
    unsafe_code,
    reason = "an allocator that counts can only be written against the unsafe trait GlobalAlloc"
)]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Deaf;

impl Notifier for Deaf {
    fn raise(&self, alert: Alert) {
        black_box(alert);
    }
}

const COMPANY: &str = "507f1f77bcf86cd799439011";
const TEMPLATE: &str = "65f123000000000000000001";
const TURNS: usize = 20_000;

/// Words by number: always the same, most of them rare.
fn word(number: usize) -> String {
    const SYLLABLES: [&str; 10] = ["ba", "ko", "ri", "tu", "me", "sol", "den", "pra", "vi", "ga"];
    let digits = format!("{:03}", number.wrapping_mul(7919) % 997);
    digits
        .bytes()
        .filter_map(|digit| SYLLABLES.get(usize::from(digit - b'0')))
        .copied()
        .collect()
}

fn trigger(scenario: usize, number: usize) -> String {
    let at = scenario * 5 + number;
    format!("how do i {} my {} {}", word(at), word(at + 311), word(scenario))
}

fn template(scenarios: usize) -> Value {
    let scenarios: Vec<Value> = (0..scenarios)
        .map(|scenario| {
            let triggers: Vec<_> = (0..5).map(|number| trigger(scenario, number)).collect();
            json!({ "id": format!("s-{scenario}"), "name": format!("Scenario {scenario}"), "status": "live",
                "triggers": triggers, "fullReplies": [format!("This is the answer number {scenario} of {{companyName}}.")] })
        })
        .collect();
    json!({ "_id": TEMPLATE, "name": "Bench", "trade": "Bench", "version": "1",
        "categories": [{ "id": "all", "name": "All", "scenarios": scenarios }] })
}

/// What turns are answered by, and what stores the alerts of others meanwhile.
struct Bench {
    flow: CallFlow,
    alerts: AlertQueue,
    tasks: TaskSet,
}

async fn open(scenarios: usize, folder: &std::path::Path) -> Bench {
    let sealer = Arc::new(Sealer::from_key([7; 32]));
    let path = folder.join(format!("bench-{scenarios}.db"));
    let sqlite = SqliteStore::open(
        &path,
        Arc::clone(&sealer),
        Arc::new(SystemClock),
        SqliteOptions::default(),
    );
    let sqlite = Arc::new(sqlite.expect("a store"));
    let tasks = TaskSet::new();
    let alerts = AlertQueue::start(Arc::clone(&sqlite) as _, Arc::new(SystemClock), &tasks);
    let store = CachedStore::start(sqlite, &tasks);
    let parsed = Template::parse(&template(scenarios), Mode::new_document()).expect("a template");
    store
        .insert_template(TEMPLATE.parse().expect("an id"), parsed.json)
        .await
        .expect("a written template");
    let company = json!({ "_id": COMPANY, "name": "Bench Company", "phone": "+19375550110", "industryType": "Bench",
        "aiAgentSettings": { "templateReferences": [TEMPLATE] } });
    let parsed = Company::parse(&company, Mode::new_document()).expect("a company");
    let write = CompanyWrite {
        company: Arc::new(parsed.value.company),
        json: parsed.json,
        secrets: CompanySecrets::default(),
    };
    store.insert_company(write).await.expect("a written company");
    let id: CompanyId = COMPANY.parse().expect("an id");
    for number in 0..30 {
        let document = json!({ "id": format!("q-{number}"), "answer": "Yes, we do.",
            "question": format!("do you {} the {}", word(number + 500), word(number + 600)) });
        let parsed = Qna::parse(&document, &Owner::Company(id), Mode::new_document()).expect("a Q&A");
        store
            .insert_qna(&QnaOwner::Company(id), &parsed.value.id, parsed.json)
            .await
            .expect("a written Q&A");
    }
    let deps = Deps {
        limits: Limits::NONE,
        turns: TurnQueue::start(Arc::clone(&store) as _, &tasks, TurnQueueOptions::default()),
        store,
        notifier: Arc::new(Deaf),
        sealer,
        clock: Arc::new(SystemClock),
        meanings: Arc::new(Meanings::none()),
        llm: Arc::new(Llm::none()),
        at_once: frontdesk_callflow::shares::AtOnce::default(),
    };
    Bench {
        flow: CallFlow::new(deps),
        alerts,
        tasks,
    }
}

/// The company. What it knows is compiled beside those who wait for it, and on a busy machine that outlasts their
/// deadline; under a profiler it always does.
async fn loaded(flow: &CallFlow) -> Arc<Tenant> {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        match flow.tenant(COMPANY.parse().expect("an id")).await {
            Ok(tenant) => return tenant.expect("a company"),
            Err(failure) => assert!(
                Instant::now() < until,
                "the company was not loaded in a minute: {failure}"
            ),
        }
    }
}

/// What callers say: four of five in words near a trigger, the rest a trigger itself.
fn utterance(turn: usize, scenarios: usize) -> String {
    let scenario = turn % scenarios;
    let wording = trigger(scenario, turn % 5);
    match turn % 5 {
        0 => wording,
        1 => format!("hi there um {wording} please"),
        2 => wording.replace("how do i", "can you tell me how one would"),
        3 => format!("so my neighbor said that {} and now {wording}", word(turn + 40)),
        _ => wording.replace("my ", "the "),
    }
}

fn form(turn: usize, words: &str) -> Form {
    let sid = format!("CA{turn:032x}");
    let pairs = [
        ("CallSid", sid.as_str()),
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("From", "+15550100000"),
        ("To", "+19375550110"),
        ("CallStatus", "in-progress"),
        ("Direction", "inbound"),
        ("ApiVersion", "2010-04-01"),
        ("SpeechResult", words),
        ("Confidence", "0.91"),
        ("Language", "en-US"),
    ];
    pairs.into_iter().collect()
}

fn report(what: &str, mut times: Vec<Duration>, allocations: u64, limit: &str) {
    times.sort_unstable();
    let count = times.len().max(1);
    let at = |share: usize| times.get(count * share / 100).copied().unwrap_or_default();
    let average = allocations / u64::try_from(count).unwrap_or(1);
    println!(
        "{what:<46} p50 {:>9.2?}  p99 {:>9.2?}  allocations {average:>4}  {limit}",
        at(50),
        at(99)
    );
}

fn measure(what: &str, limit: &str, mut work: impl FnMut(usize)) {
    (0..TURNS / 10).for_each(&mut work);
    let before = allocations();
    let mut times = Vec::with_capacity(TURNS);
    for turn in 0..TURNS {
        let begun = Instant::now();
        work(turn);
        times.push(begun.elapsed());
    }
    report(what, times, allocations() - before, limit);
}

/// One alert of a storm: of one of 500 companies, so that the queue stores 500 notifications again and again.
fn alert(number: u64) -> Alert {
    let company = format!("507f1f77bcf86cd7{:08x}", number % 500);
    Alert {
        code: AlertCode::FallbackUsed,
        company: Some(company.parse().expect("an id")),
        message: "callers of a company heard a fallback".to_owned(),
        details: json!({ "callId": "CA00000000000000000000000000000001", "turn": 3 }),
    }
}

/// How long turns are measured, and alerts are raised beside them.
const STORM: Duration = Duration::from_secs(10);
const ALERTS_PER_MILLISECOND: u64 = 10;

/// Raises alerts at a steady rate until it is over; the times that raising took.
fn raise(alerts: &AlertQueue, is_over: &AtomicBool) -> Vec<Duration> {
    let began = Instant::now();
    let (mut milliseconds, mut took) = (0, Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        for number in 0..ALERTS_PER_MILLISECOND {
            let alert = alert(milliseconds * ALERTS_PER_MILLISECOND + number);
            let raised = Instant::now();
            alerts.raise(alert);
            took.push(raised.elapsed());
        }
        milliseconds += 1;
        let next = began + Duration::from_millis(milliseconds);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    took
}

/// The p99 of whole turns beside alerts that others raise, and without them before and after: the machine's noise.
fn storm(bench: &Bench, new_call: impl Fn(usize) -> Form, whole_turn: impl Fn(&Form)) {
    // Each is a call that was not answered before.
    let mut calls = TURNS;
    let mut turns = |what: &str| {
        let began = Instant::now();
        let (mut times, mut allocated) = (Vec::new(), 0);
        while began.elapsed() < STORM {
            calls += 1;
            let form = new_call(calls);
            let (before, turn) = (allocations(), Instant::now());
            whole_turn(&form);
            times.push(turn.elapsed());
            allocated += allocations() - before;
            // Callers do not come without a pause, and a queue that is always full measures the disk.
            thread::sleep(Duration::from_micros(500));
        }
        report(what, times, allocated, "");
    };
    println!("alerts beside turns: {} a second", ALERTS_PER_MILLISECOND * 1_000);
    turns("  whole turn, before");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let raising = scope.spawn(|| raise(&bench.alerts, &is_over));
        turns("  whole turn, beside them");
        is_over.store(true, Ordering::Relaxed);
        let took = raising.join().expect("alerts were raised");
        report("  raising one", took, 0, "limit 1 µs");
    });
    turns("  whole turn, after");
    println!("  {:?}", bench.alerts.counts());
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    for scenarios in [200, 2_000] {
        println!("{scenarios} scenarios of 5 triggers, 30 Q&As");
        let bench = runtime.block_on(open(scenarios, folder.path()));
        let flow = &bench.flow;
        let tenant = runtime.block_on(loaded(flow));
        // As a server does: otherwise the store would be asked whether it knows each call.
        runtime.block_on(flow.remember_the_day());
        let words: Vec<_> = (0..TURNS).map(|turn| utterance(turn, scenarios)).collect();
        let forms: Vec<_> = words
            .iter()
            .enumerate()
            .map(|(turn, words)| form(turn, words))
            .collect();
        let normal: Vec<_> = words.iter().map(|words| normalize(words)).collect();
        measure("  load the company (all hits)", "", |_| {
            let load = flow.tenant(COMPANY.parse().expect("an id"));
            black_box(runtime.block_on(load).is_ok());
        });
        measure("  redact", "", |turn| {
            drop(black_box(words.get(turn).map(|words| redact_field(words))));
        });
        measure("  normalise", "", |turn| {
            drop(black_box(words.get(turn).map(|words| normalize(words))));
        });
        measure("  safety", "", |turn| {
            black_box(normal.get(turn).and_then(|words| EMBEDDED.find(words)).is_some());
        });
        measure("  decide (a dry run, steps 2 to 6, trace)", "limit p99 50 µs", |turn| {
            let words = words.get(turn).map(String::as_str).unwrap_or_default();
            let decided = flow.route(COMPANY.parse().expect("an id"), words, None, Run::Dry(None));
            black_box(runtime.block_on(decided).is_ok());
        });
        let clock = SystemClock;
        let whole_turn = |form: &Form| {
            let target = "/api/twilio/v2-agent-respond/507f1f77bcf86cd799439011";
            let webhook = Webhook {
                route: Route::Respond,
                deadline: tokio::time::Instant::now() + settings::TURN_DEADLINE,
                target,
                form,
                arrived: clock.now(),
            };
            black_box(runtime.block_on(flow.respond(&tenant, &webhook)));
        };
        measure("  whole turn: state, decision, document, record", "", |turn| {
            if let Some(form) = forms.get(turn) {
                whole_turn(form);
            }
        });
        if scenarios == 200 {
            let new_call = |call: usize| form(call, &utterance(call, scenarios));
            storm(&bench, new_call, whole_turn);
        }
        runtime.block_on(bench.tasks.shutdown(Duration::from_secs(10)));
    }
}
