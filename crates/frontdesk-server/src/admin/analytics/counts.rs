//! What roll-ups add up to, by day, by hour and in all.

use std::collections::BTreeMap;

use frontdesk_domain::{
    analytics::{AnswerKind, Answers, Bucket, Counter, Histogram, LlmStep, Percentile, Rollup},
    decision::{FallbackKind, SkipReason, Source, Tier},
    money::PicoUsd,
    record::TurnOutcome,
    time::Date,
};
use frontdesk_store::ports::SlotRollup;
use serde::Serialize;

use super::Range;

/// So many of what answered are listed, the most used first.
const ANSWERS: usize = 50;

type Named = BTreeMap<&'static str, i64>;

/// What every range of turns has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    turns: i64,
    calls: i64,
    /// Turns that were to be answered from what the company knows.
    asked: i64,
    fallbacks: i64,
    /// Of those asked; null if none was.
    fallback_rate: Option<f64>,
    escalations: i64,
    emergencies: i64,
    messages: i64,
    cost_usd: PicoUsd,
    tiers: Named,
}

impl Figures {
    fn of(rollup: &Rollup) -> Self {
        let (asked, fallbacks) = (rollup.asked(), rollup.fallbacks());
        Self {
            turns: rollup.get(Counter::Turns),
            calls: rollup.get(Counter::Calls),
            asked,
            fallbacks,
            fallback_rate: share(fallbacks, asked),
            escalations: rollup.get(Counter::Escalations),
            emergencies: rollup.get(Counter::Emergencies),
            messages: rollup.get(Counter::Outcome(TurnOutcome::Message)),
            cost_usd: rollup.cost(),
            tiers: tiers(rollup),
        }
    }
}

/// A part of a whole, to a ten-thousandth; `None` of nothing.
pub(super) fn share(part: i64, whole: i64) -> Option<f64> {
    let (part, whole) = (u32::try_from(part).ok()?, u32::try_from(whole).ok()?);
    (whole > 0).then(|| (f64::from(part) / f64::from(whole) * 10_000.0).round() / 10_000.0)
}

#[derive(Debug, Serialize)]
struct Day {
    date: Date,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
struct Hour {
    /// Of the day, from 0.
    hour: usize,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Latency {
    turns: u64,
    /// The longest latency of the bucket in which the share is reached; at most a quarter above the exact one.
    p50_micros: Option<u64>,
    p95_micros: Option<u64>,
    p99_micros: Option<u64>,
    buckets: Vec<LatencyBucket>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LatencyBucket {
    up_to_micros: u64,
    turns: u64,
}

impl Latency {
    fn of(rollup: &Rollup, of: &[Histogram]) -> Self {
        let buckets = rollup.latencies(of);
        let at = |thousandths| Percentile(thousandths).of(&buckets).map(Bucket::longest);
        Self {
            turns: buckets.iter().map(|(_, turns)| turns).sum(),
            p50_micros: at(500),
            p95_micros: at(950),
            p99_micros: at(990),
            buckets: buckets
                .iter()
                .map(|(bucket, turns)| LatencyBucket {
                    up_to_micros: bucket.longest(),
                    turns: *turns,
                })
                .collect(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Latencies {
    all: Latency,
    without_llm: Latency,
    with_llm: Latency,
}

#[derive(Debug, Serialize)]
struct Llm {
    /// It chose what was spoken.
    answered: i64,
    /// It was asked and chose nothing that was sure enough.
    unsure: i64,
    /// It failed or came too late.
    failed: i64,
    /// It was not asked, by reason.
    skipped: Named,
    /// Tokens paid for.
    tokens: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    kind: &'static str,
    id: String,
    turns: i64,
    by_llm: i64,
    cost_usd: PicoUsd,
}

/// What is counted, of one company or of all.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    #[serde(flatten)]
    figures: Figures,
    by_source: Named,
    by_fallback_type: Named,
    by_outcome: Named,
    llm: Llm,
    latency: Latencies,
    by_day: Vec<Day>,
    by_hour: Vec<Hour>,
    /// What answered most often. Not told of all companies together.
    by_answer: Vec<Answered>,
}

impl Counts {
    /// Adds roll-ups up.
    pub(super) fn of(rollups: &[SlotRollup], range: &Range) -> Self {
        let mut all = Rollup::default();
        let mut days: BTreeMap<Date, Rollup> = dates(range).map(|date| (date, Rollup::default())).collect();
        let mut hours: [Rollup; 24] = std::array::from_fn(|_| Rollup::default());
        for found in rollups {
            let local = range.zone.to_datetime(found.slot.start());
            all.add(&found.rollup);
            let counts = found.rollup.without_answers();
            days.entry(local.date()).or_default().add(&counts);
            let hour = usize::try_from(local.hour()).unwrap_or_default();
            if let Some(hour) = hours.get_mut(hour) {
                hour.add(&counts);
            }
        }
        let day = |(date, rollup): (Date, Rollup)| Day {
            date,
            figures: Figures::of(&rollup),
        };
        let hour = |(hour, rollup)| Hour {
            hour,
            figures: Figures::of(rollup),
        };
        Self {
            figures: Figures::of(&all),
            by_source: by_source(&all),
            by_fallback_type: by_fallback(&all),
            by_outcome: by_outcome(&all),
            llm: llm(&all),
            latency: Latencies {
                all: Latency::of(&all, &[Histogram::Local, Histogram::Llm]),
                without_llm: Latency::of(&all, &[Histogram::Local]),
                with_llm: Latency::of(&all, &[Histogram::Llm]),
            },
            by_day: days.into_iter().map(day).collect(),
            by_hour: hours.iter().enumerate().map(hour).collect(),
            by_answer: by_answer(&all),
        }
    }
}

/// The days that the range touches.
fn dates(range: &Range) -> impl Iterator<Item = Date> {
    let first = range.zone.to_datetime(range.from).date();
    let to = range.to;
    let zone = range.zone.clone();
    std::iter::successors(Some(first), |date| date.tomorrow().ok())
        .take_while(move |date| zone.to_timestamp(date.at(0, 0, 0, 0)).is_ok_and(|begins| begins < to))
}

fn tiers(rollup: &Rollup) -> Named {
    let of = |tier| rollup.get(Counter::Tier(tier));
    let tiers = [("1", of(Tier::Rules)), ("2", of(Tier::Semantic)), ("3", of(Tier::Llm))];
    let none = rollup.get(Counter::Turns) - tiers.iter().map(|(_, turns)| turns).sum::<i64>();
    tiers.into_iter().chain([("none", none)]).collect()
}

fn by_source(rollup: &Rollup) -> Named {
    let sources = [
        ("safety", Source::Safety),
        ("conversation", Source::Conversation),
        ("company_qna", Source::CompanyQna),
        ("trade_qna", Source::TradeQna),
        ("template", Source::Template),
        ("llm", Source::Llm),
        ("fallback", Source::Fallback),
    ];
    sources
        .map(|(name, source)| (name, rollup.get(Counter::Source(source))))
        .into()
}

fn by_fallback(rollup: &Rollup) -> Named {
    let kinds = FallbackKind::ALL.map(|kind| (kind.as_str(), rollup.get(Counter::Fallback(kind))));
    kinds.into()
}

fn by_outcome(rollup: &Rollup) -> Named {
    let outcomes = [
        ("greeted", TurnOutcome::Greeted),
        ("answered", TurnOutcome::Answered),
        ("fallback", TurnOutcome::Fallback),
        ("transfer", TurnOutcome::Transfer),
        ("message", TurnOutcome::Message),
        ("hangup", TurnOutcome::Hangup),
    ];
    outcomes
        .map(|(name, outcome)| (name, rollup.get(Counter::Outcome(outcome))))
        .into()
}

fn llm(rollup: &Rollup) -> Llm {
    let reasons = [
        ("disabled", SkipReason::Disabled),
        ("budget", SkipReason::Budget),
        ("ledger", SkipReason::Ledger),
        ("circuit_open", SkipReason::CircuitOpen),
        ("suspect", SkipReason::Suspect),
        ("deadline", SkipReason::Deadline),
        ("calls_per_call", SkipReason::CallsPerCall),
        ("no_price", SkipReason::NoPrice),
        ("no_model", SkipReason::NoModel),
        ("no_words", SkipReason::NoWords),
        ("busy", SkipReason::Busy),
    ];
    Llm {
        answered: rollup.llm(LlmStep::Answered),
        unsure: rollup.llm(LlmStep::Unsure),
        failed: rollup.llm(LlmStep::Failed),
        skipped: reasons
            .map(|(name, reason)| (name, rollup.llm(LlmStep::Skipped(reason))))
            .into(),
        tokens: rollup.get(Counter::Tokens),
    }
}

fn by_answer(rollup: &Rollup) -> Vec<Answered> {
    let mut answers: Vec<_> = rollup.answers().iter().collect();
    // Stable: equals stay in the order of their ids.
    answers.sort_by_key(|(_, answers)| std::cmp::Reverse(answers.turns));
    let answers = answers.into_iter().take(ANSWERS);
    answers
        .map(|(key, Answers { turns, by_llm, cost })| Answered {
            kind: match key.kind {
                AnswerKind::Scenario => "scenario",
                AnswerKind::Qna => "qna",
            },
            id: key.id.to_string(),
            turns: *turns,
            by_llm: *by_llm,
            cost_usd: *cost,
        })
        .collect()
}
