//! Fills a store with turns, asks the analytics of a real server for them and counts them again from an export.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use frontdesk_domain::{
    call_state::CallState,
    confidence::Confidence,
    decision::{
        CandidateKind, Decision, Escalation, FallbackKind, Matcher, SkipReason, Source, Step, StepOutcome, Tier,
        TraceCandidate, TraceEntry,
    },
    documents::template::Action,
    ids::{CallId, CompanyId, ScenarioId, TurnId},
    money::PicoUsd,
    record::{ReplayInputs, TurnOutcome, TurnRecord},
    time::Timestamp,
};
use frontdesk_store::{
    ports::TurnLog as _,
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
};
use frontdesk_testkit::{
    operator::Operator,
    report::{end, say},
    server::Server,
};
use http::Method;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

/// Measures the analytics of many turns and counts them again.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "Exit codes: 0 every figure was counted again and each query was quick enough · 1 something is not so"
)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH", default_value = "target/release/frontdesk")]
    frontdesk: PathBuf,
    /// So many turns
    #[arg(long, default_value_t = 1_000_000)]
    turns: usize,
    /// Of so many companies
    #[arg(long, default_value_t = 100)]
    companies: usize,
    /// In so many days
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Asks for each range so often
    #[arg(long, default_value_t = 100)]
    queries: usize,
    /// A query's 95th percentile may take so many milliseconds
    #[arg(long, default_value_t = 200)]
    bound: u64,
    /// Counts so many companies again
    #[arg(long, default_value_t = 3)]
    recounted: usize,
}

const BEGAN: &str = "2026-08-01T00:00:00Z";

const WORDS: [&str; 12] = [
    "how much is a visit",
    "do you install solar panels",
    "my furnace makes a strange noise",
    "can i pay by check",
    "do you work on weekends",
    "is there a discount for seniors",
    "how long does it take",
    "do you repair boats",
    "where is my technician",
    "can you fix a leaking roof",
    "what brands do you carry",
    "i need a new thermostat",
];

fn entry(step: Step, outcome: StepOutcome, confidence: f64, reason: Option<SkipReason>) -> TraceEntry {
    let candidates = (0..5).map(|number| TraceCandidate {
        id: format!("scenario-{number}").into(),
        kind: CandidateKind::Scenario,
        confidence: Confidence::clamped(confidence / f64::from(number + 1)),
    });
    TraceEntry {
        step,
        tier: None,
        outcome,
        confidence: Confidence::new(confidence),
        threshold: Confidence::new(0.7),
        candidates: candidates.collect(),
        matched_words: vec!["visit".into()],
        nearest_trigger: None,
        reason,
        micros: 20,
        cost_usd: PicoUsd::ZERO,
    }
}

/// A turn of a usual mix: one in five is a fallback, one in ten the LLM's.
fn record(company: CompanyId, number: usize, at: Timestamp, random: &mut StdRng) -> TurnRecord {
    let words = WORDS
        .get(random.random_range(0..WORDS.len()))
        .copied()
        .unwrap_or_default();
    let words = format!("{words} number {}", random.random_range(0..200));
    let (call, turn) = (number / 4, u32::try_from(number % 4 + 1).unwrap_or(1));
    let near = random.random_range(0.0..0.7);
    let mut trace = vec![
        entry(Step::CompanyQna, StepOutcome::BelowThreshold, near / 2.0, None),
        entry(Step::Tier1, StepOutcome::BelowThreshold, near, None),
        entry(Step::Tier2, StepOutcome::BelowThreshold, near, None),
    ];
    let (mut source, mut tier, mut kind, mut cost) = (Source::Template, Some(Tier::Rules), None, 0);
    match random.random_range(0..10) {
        0 => (source, tier) = (Source::Conversation, None),
        1 | 2 => {
            (source, tier, kind) = (Source::Fallback, None, Some(FallbackKind::NoMatchFound));
            trace.push(entry(Step::Llm, StepOutcome::Skipped, 0.0, Some(SkipReason::Budget)));
        }
        3 => {
            (source, tier) = (Source::Llm, Some(Tier::Llm));
            cost = random.random_range(1_000_000..9_000_000_000);
            trace.push(entry(Step::Llm, StepOutcome::Matched, 0.9, None));
        }
        4 | 5 => tier = Some(Tier::Semantic),
        _ => {}
    }
    let scenario = format!("scenario-{}", random.random_range(0..40));
    TurnRecord {
        turn_id: TurnId::new(&format!("{number:032x}")),
        call_id: CallId::new(&format!("CA{call:032x}")),
        turn,
        at,
        from: Some("+15550109999".into()),
        speech_confidence: Some(0.9),
        digits: None,
        decision: Decision {
            company_id: company,
            normalized: words.as_str().into(),
            utterance: words.into(),
            source,
            tier,
            confidence: Confidence::CERTAIN,
            threshold: Confidence::new(0.7),
            scenario_id: (tier.is_some()).then(|| ScenarioId::new(&scenario)),
            qna_id: None,
            safety_id: None,
            response: "A visit is 89 dollars, which we take off the repair if you go ahead with it.".into(),
            action: Action::None,
            emergency: false,
            matcher: Matcher::Semantic,
            fallback_type: kind,
            escalation: Escalation::default(),
            cost_usd: PicoUsd::from_pico(cost),
            latency_micros: random.random_range(20..2_000_000),
            versions: Arc::default(),
            trace,
        },
        variation: kind.map(|_| 0),
        tokens: (cost > 0).then_some(700),
        outcome: if kind.is_some() {
            TurnOutcome::Fallback
        } else {
            TurnOutcome::Answered
        },
        replay: ReplayInputs {
            call_state: CallState::default(),
            rotation: None,
            catalogue: None,
            llm: None,
        },
        document: Some("<Response><Gather><Say>A visit is 89 dollars.</Say></Gather></Response>".into()),
    }
}

async fn fill(server: &Server, companies: &[CompanyId], arguments: &Arguments) -> Result<()> {
    let (path, key, clock) = (
        server.store(),
        Arc::new(Sealer::from_key([1; 32])),
        Arc::new(SystemClock),
    );
    let store = SqliteStore::open(&path, key, clock, SqliteOptions::default())?;
    let mut random = StdRng::seed_from_u64(8);
    let began: Timestamp = BEGAN.parse()?;
    let span = u64::from(arguments.days) * 86_400_000;
    let each = span / u64::try_from(arguments.turns.max(1))?;
    let mut spent = Duration::ZERO;
    for first in (0..arguments.turns).step_by(500) {
        let numbers = first..(first + 500).min(arguments.turns);
        let batch: Vec<_> = numbers
            .map(|number| {
                // The turns of a call come one after the other.
                let company = companies.get((number / 4) % companies.len().max(1)).copied();
                let at = began + Duration::from_millis(each * u64::try_from(number).unwrap_or(0));
                company.map(|company| record(company, number, at, &mut random))
            })
            .collect::<Option<_>>()
            .context("there are no companies")?;
        let begun = Instant::now();
        store.append_turns(Arc::new(batch)).await?;
        spent += begun.elapsed();
    }
    let micros = spent.as_micros() / u128::try_from(arguments.turns.max(1))?;
    say(&format!(
        "{} turns were stored and counted, {micros} µs each",
        arguments.turns
    ));
    Ok(())
}

async fn timed(operator: &mut Operator, target: &str, times: usize) -> Result<Duration> {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let begun = Instant::now();
        let reply = operator.send(Method::GET, target, None).await?;
        taken.push(begun.elapsed());
        if !reply.is_success() {
            bail!("GET {target} was answered {}: {}", reply.status, reply.text());
        }
    }
    taken.sort_unstable();
    let (p50, p95) = (taken.len() / 2, (taken.len() * 95).div_ceil(100).max(1) - 1);
    let at = |place: usize| taken.get(place).copied().unwrap_or_default();
    say(&format!(
        "| `{}` | {:.1?} | {:.1?} |",
        target.replace('|', "/"),
        at(p50),
        at(p95)
    ));
    Ok(at(p95))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a company's turns add up to by day, from its exported calls.
async fn recounted(operator: &mut Operator, company: CompanyId, range: &str) -> Result<bool> {
    let shown = operator
        .get(&format!("/api/v1/companies/{company}/analytics?{range}"))
        .await?;
    let export = operator
        .send(Method::GET, &format!("/api/v1/companies/{company}/calls/export"), None)
        .await?;
    let mut days: BTreeMap<String, (u64, u64, PicoUsd)> = BTreeMap::new();
    for line in export.text().lines() {
        let call: Value = serde_json::from_str(line)?;
        for turn in list(&call, "turns") {
            let text = |name: &str| turn.get(name).and_then(Value::as_str).unwrap_or_default();
            let day = days.entry(text("at").chars().take(10).collect()).or_default();
            let cost: PicoUsd = text("costUsd").parse()?;
            let is_fallback = text("source") == "fallback";
            *day = (day.0 + 1, day.1 + u64::from(is_fallback), day.2 + cost);
        }
    }
    let mut is_right = true;
    for day in list(&shown, "byDay") {
        let field = |name: &str| day.get(name).cloned().unwrap_or_default();
        let date = day.get("date").and_then(Value::as_str).unwrap_or_default();
        let (turns, fallbacks, cost) = days.remove(date).unwrap_or_default();
        is_right &= field("turns") == turns && field("fallbacks") == fallbacks && field("costUsd") == json!(cost);
    }
    Ok(is_right && days.is_empty())
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(&arguments.frontdesk, folder.path())?;
    server.start().await?;
    let mut operator = server.operator();
    let mut companies = Vec::new();
    for number in 0..arguments.companies.max(1) {
        let document =
            json!({ "name": format!("Company {number}"), "phone": format!("+1555{number:07}"), "timezone": "UTC" });
        let made = operator
            .must(Method::POST, "/api/v1/companies", Some(&document))
            .await?;
        companies.push(
            made.get("_id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .parse::<CompanyId>()?,
        );
    }
    server.kill()?;
    fill(&server, &companies, arguments).await?;
    server.start().await?;
    let mut operator = server.operator();
    let began: Timestamp = BEGAN.parse()?;
    let last = began + Duration::from_secs(u64::from(arguments.days.max(1) - 1) * 86_400);
    let week = began + Duration::from_secs(u64::from(arguments.days.max(7) - 7) * 86_400);
    let date = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
    let whole = format!("from={}&to={}", date(began), date(last));
    let ranges = [whole.clone(), format!("from={}&to={}", date(week), date(last))];
    say("| query | p50 | p95 |\n| --- | --- | --- |");
    let first = companies.first().context("there are no companies")?;
    let mut slowest = Duration::ZERO;
    for range in &ranges {
        for path in [
            "/api/v1/analytics".to_owned(),
            format!("/api/v1/companies/{first}/analytics"),
        ] {
            let target = format!("{path}?{range}");
            slowest = slowest.max(timed(&mut operator, &target, arguments.queries).await?);
        }
    }
    let mut is_right = slowest <= Duration::from_millis(arguments.bound);
    for company in companies.iter().take(arguments.recounted) {
        let same = recounted(&mut operator, *company, &whole).await?;
        say(&format!(
            "company {company}: {} from its exported calls, day by day",
            if same { "the same" } else { "NOT the same" }
        ));
        is_right &= same;
    }
    server.kill()?;
    Ok(is_right)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(Box::pin(run(&arguments))));
    end(done)
}
