//! What a run found, as numbers.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    hold::{CallReport, was_spoken_to},
    outages::Disturbances,
};

/// How many single problems are shown.
const SHOWN: usize = 20;

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Calls held.
    pub calls: usize,
    /// Webhooks that were answered with a document, repeats not counted.
    pub turns: usize,
    /// Webhooks that were sent once more.
    pub repeats: usize,
    /// Answers other than 200 with a valid document, while the server was there.
    pub bad_answers: usize,
    /// The same while the run had taken the server away.
    pub bad_answers_in_outages: usize,
    /// How often the fallback document went on with a call.
    pub rescues: usize,
    /// Twilio's codes while the server was there.
    pub codes: BTreeMap<String, usize>,
    /// Twilio's codes while it was away.
    pub codes_in_outages: BTreeMap<String, usize>,
    /// Repeats that were not answered with the same bytes.
    pub unequal_answers: usize,
    /// Calls that ended as no call may.
    pub illegal_endings: usize,
    /// Calls with more than one record for a turn.
    pub double_records: usize,
    /// Calls with fewer records than turns.
    pub lost_records: usize,
    /// Calls with more messages than recordings.
    pub double_messages: usize,
    /// Calls with fewer.
    pub lost_messages: usize,
    /// Records that are missing in calls during which the run took the server away.
    pub missing_after_outages: usize,
    /// Messages that are missing in those calls, and in those during which the store took no writes.
    pub messages_not_kept: usize,
    /// How the calls ended.
    pub endings: BTreeMap<String, usize>,
    /// How their own records say that they ended.
    pub recorded_endings: BTreeMap<String, usize>,
    /// What kinds of callers there were.
    pub callers: BTreeMap<String, usize>,
    /// Calls in which the front desk said nothing.
    pub unspoken: usize,
    /// Milliseconds to an answer.
    pub latency: Latency,
    /// What was done to the server.
    pub disturbances: BTreeMap<&'static str, usize>,
    /// The longest time in milliseconds that the server was away.
    pub longest_away: u64,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// How long the calls took on the virtual clock, in seconds.
    pub virtual_seconds: u64,
    /// Everything that is wrong, alike problems counted together.
    pub problems: BTreeMap<String, Problem>,
}

/// Problems of one kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// How many.
    pub count: usize,
    /// The first call with it: its number in the run and its id.
    pub first: String,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Half of the answers took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// None took longer.
    pub max: f64,
}

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |numerator: usize, denominator: usize| {
            let last = all.len().saturating_sub(1);
            let index = (all.len() * numerator)
                .div_ceil(denominator)
                .saturating_sub(1)
                .min(last);
            all.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        Self {
            p50: at(1, 2),
            p99: at(99, 100),
            max: at(1, 1),
        }
    }
}

impl Summary {
    pub(super) fn of(reports: &[CallReport], disturbances: &Disturbances, took: Duration) -> Self {
        let sum = |count: fn(&CallReport) -> usize| reports.iter().map(count).sum();
        let with = |part: &str| {
            let has = |report: &&CallReport| report.problems.iter().any(|problem| problem.starts_with(part));
            reports.iter().filter(has).count()
        };
        let mut problems = BTreeMap::new();
        for report in reports {
            for problem in &report.problems {
                let first = || Problem {
                    count: 0,
                    first: format!("call {}, {}", report.number + 1, report.call_sid),
                };
                problems.entry(problem.clone()).or_insert_with(first).count += 1;
            }
        }
        for problem in &disturbances.problems {
            let first = Problem {
                count: 0,
                first: "the server".to_owned(),
            };
            problems.entry(problem.clone()).or_insert(first).count += 1;
        }
        let Disturbances {
            locks,
            full_disks,
            restarts,
            kills,
            away,
            ..
        } = disturbances;
        let unequal = reports.iter().flat_map(|report| &report.problems);
        Self {
            calls: reports.len(),
            turns: sum(|report| report.turns),
            repeats: sum(|report| report.repeats),
            bad_answers: sum(|report| report.bad_answers[0]),
            bad_answers_in_outages: sum(|report| report.bad_answers[1]),
            rescues: sum(|report| report.rescues),
            codes: codes(reports, false),
            codes_in_outages: codes(reports, true),
            unequal_answers: unequal
                .filter(|problem| problem.ends_with("was answered otherwise"))
                .count(),
            illegal_endings: reports.iter().filter(|report| !report.ending.is_legal()).count(),
            double_records: with("double records"),
            double_messages: with("double messages"),
            lost_messages: with("lost messages"),
            lost_records: with("lost records") + with("the call has no record"),
            missing_after_outages: reports
                .iter()
                .filter(|report| report.was_disturbed)
                .map(|report| report.missing_records)
                .sum(),
            messages_not_kept: reports
                .iter()
                .filter(|report| report.was_disturbed || report.had_store_trouble)
                .map(|report| report.missing_messages)
                .sum(),
            endings: table(reports.iter().map(|report| report.ending.name())),
            recorded_endings: table(reports.iter().filter_map(|report| report.recorded_ending.as_deref())),
            callers: table(reports.iter().map(|report| report.kind.as_str())),
            unspoken: reports.iter().filter(|report| !was_spoken_to(&report.moments)).count(),
            latency: Latency::of(reports.iter().flat_map(|report| report.latencies.clone()).collect()),
            disturbances: BTreeMap::from([
                ("diskFull", *full_disks),
                ("kills", *kills),
                ("restarts", *restarts),
                ("storeLocked", *locks),
            ]),
            longest_away: away
                .first()
                .map_or(0, |away| u64::try_from(away.as_millis()).unwrap_or(u64::MAX)),
            seconds: took.as_secs_f64(),
            virtual_seconds: reports.iter().map(|report| report.length.as_secs()).sum(),
            problems,
        }
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

fn table<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut table = BTreeMap::new();
    for name in names {
        *table.entry(name.to_owned()).or_default() += 1;
    }
    table
}

fn codes(reports: &[CallReport], in_outages: bool) -> BTreeMap<String, usize> {
    let mut codes = BTreeMap::new();
    let faults = reports.iter().flat_map(|report| &report.faults);
    for (fault, _) in faults.filter(|(_, in_outage)| *in_outage == in_outages) {
        *codes.entry(fault.code.to_string()).or_default() += 1;
    }
    codes
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |table: &BTreeMap<String, usize>| {
            let entries: Vec<_> = table.iter().map(|(name, count)| format!("{name} {count}")).collect();
            if entries.is_empty() {
                "none".to_owned()
            } else {
                entries.join(", ")
            }
        };
        let Latency { p50, p99, max } = self.latency;
        writeln!(
            f,
            "{} calls, {} turns, {} repeats in {:.1} s ({} s of talk)",
            self.calls, self.turns, self.repeats, self.seconds, self.virtual_seconds
        )?;
        let rows = [
            ("answers other than 200 with a valid document", self.bad_answers),
            ("unequal answers to the same webhook", self.unequal_answers),
            ("calls without a legal ending", self.illegal_endings),
            ("calls in which nothing was said", self.unspoken),
            ("calls with double records", self.double_records),
            ("calls with lost records", self.lost_records),
            ("calls with double messages", self.double_messages),
            ("calls with lost messages", self.lost_messages),
            ("bad answers while the server was away", self.bad_answers_in_outages),
            ("calls that the fallback went on with", self.rescues),
            ("records missing in calls of those times", self.missing_after_outages),
            (
                "messages missing then, or while the store took no writes",
                self.messages_not_kept,
            ),
        ];
        for (name, count) in rows {
            writeln!(f, "  {count:>6}  {name}")?;
        }
        writeln!(f, "codes         {}", listed(&self.codes))?;
        writeln!(f, "codes (away)  {}", listed(&self.codes_in_outages))?;
        writeln!(f, "endings       {}", listed(&self.endings))?;
        writeln!(f, "own records   {}", listed(&self.recorded_endings))?;
        writeln!(f, "callers       {}", listed(&self.callers))?;
        let done: BTreeMap<_, _> = self
            .disturbances
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        writeln!(
            f,
            "disturbances  {}, away for at most {} ms",
            listed(&done),
            self.longest_away
        )?;
        writeln!(f, "latency (ms)  p50 {p50:.1}, p99 {p99:.1}, max {max:.1}")?;
        let mut problems: Vec<_> = self.problems.iter().collect();
        problems.sort_by_key(|(_, problem)| std::cmp::Reverse(problem.count));
        for (what, Problem { count, first }) in problems.iter().take(SHOWN) {
            writeln!(f, "WRONG {count:>5}  {what} (first: {first})")?;
        }
        if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(f, "and {more} more kinds of problems; --json has all")?;
        }
        Ok(())
    }
}
