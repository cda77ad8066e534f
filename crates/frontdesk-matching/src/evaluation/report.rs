//! Everything that is measured on one set, as text for people and as JSON for programs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{
    advice::{Confusion, Missed, confusions, missed},
    baseline::Comparison,
    data::Businesses,
    label::LabelSource,
    metrics::{Foreign, Reliability, Share, mcnemar, percentile},
    outcome::Outcome,
};

/// So many confusions and misses are listed.
const LISTED: usize = 5;

/// What is measured on one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was evaluated.
    pub set: String,
    /// What stands behind tier 2: `semantic` or `lexical`; `rules` where tier 2 was not asked.
    pub matcher: &'static str,
    /// Which thresholds were in force, in words.
    pub thresholds: String,
    /// What whoever reads the numbers should know.
    pub notes: Vec<String>,
    /// Right among all utterances; right is to answer as labelled, and nothing where nothing answers.
    pub accuracy: Share,
    /// The same, the caller's other wish accepted.
    pub accuracy_with_second: Share,
    /// Best candidates that are as labelled, whatever their confidence, among what something answers.
    pub top_one: Share,
    /// Of all that tells of no danger.
    pub answers: Answers,
    /// By source, in ladder order.
    pub by_source: Vec<Row>,
    /// By the tier that answered.
    pub by_tier: Vec<Row>,
    /// By tag.
    pub by_tag: Vec<Row>,
    /// Of what nothing answers; `None` if the set has none of it.
    pub foreign: Option<Foreign>,
    /// Of the best candidate of each utterance that tells of no danger.
    pub reliability: Reliability,
    /// The most frequent wrong answers.
    pub confusions: Vec<Confusion>,
    /// What is missed most.
    pub missed: Vec<Missed>,
    /// What the recogniser's errors cost; `None` if the set does not say what was spoken.
    pub speech: Option<Speech>,
    /// Of what tells of danger; `None` if the set has none of it.
    pub safety: Option<Safety>,
    /// How long decisions took; `None` if that was not measured.
    pub latency: Option<Latency>,
    /// This run beside a saved one.
    pub baseline: Option<Comparison>,
}

/// What was answered, and what of it is right; the caller's other wish accepted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// Right among answered.
    pub precision: Share,
    /// Answered rightly among what something answers.
    pub coverage: Share,
    /// Answered wrongly among all.
    pub wrong: Share,
    /// Answered wrongly among what something answers.
    pub wrong_of_answerable: Share,
}

/// The same for a part of the set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Of which part.
    pub name: String,
    /// Right among all.
    pub accuracy: Share,
    /// Right among answered. By source and tier: among what that one answered.
    pub precision: Share,
    /// Answered rightly among what something answers. By source: among what is labelled with it. By tier: that tier's
    /// part of all that something answers.
    pub coverage: Share,
}

/// What the recogniser's errors cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speech {
    /// Right as recognised.
    pub recognised: Share,
    /// Right as spoken.
    pub spoken: Share,
    /// The difference in points of percent.
    pub loss: f64,
    /// Right as spoken only.
    pub lost: usize,
    /// Right as recognised only.
    pub gained: usize,
    /// How likely so large a difference is by chance.
    pub p: f64,
}

/// How dangers are heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Safety {
    /// Dangers that were heard as one.
    pub recall: Share,
    /// Dangers that were heard as the one that they are.
    pub exact: Share,
    /// Heard as dangers among what is none.
    pub false_alarms: Share,
}

/// How long decisions took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them took at most so long.
    pub p50: f64,
    /// 99 of 100 took at most so long.
    pub p99: f64,
}

/// What a report says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What was evaluated.
    pub set: String,
    /// What stands behind tier 2.
    pub matcher: &'static str,
    /// Which thresholds were in force, in words.
    pub thresholds: String,
    /// What whoever reads the numbers should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Measures.
    #[must_use]
    pub fn new(about: About, outcomes: &[Outcome], businesses: &Businesses) -> Self {
        let harmless: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_danger()).collect();
        let answerable = || harmless.iter().filter(|outcome| !outcome.is_foreign());
        let predictions = harmless
            .iter()
            .filter_map(|outcome| Some((outcome.best()?.confidence, outcome.is_best_right())));
        Self {
            set: about.set,
            matcher: about.matcher,
            thresholds: about.thresholds,
            notes: about.notes,
            accuracy: Share::of(outcomes, |outcome| outcome.right),
            accuracy_with_second: Share::of(outcomes, |outcome| outcome.right_with_second),
            top_one: Share::of(answerable(), |outcome| outcome.is_best_right()),
            answers: Answers {
                precision: precision(&harmless),
                coverage: coverage(&harmless),
                wrong: Share::of(&harmless, |outcome| outcome.is_wrongly_answered()),
                wrong_of_answerable: Share::of(answerable(), |outcome| outcome.is_wrongly_answered()),
            },
            by_source: by_source(outcomes),
            by_tier: by_tier(&harmless),
            by_tag: by_tag(outcomes),
            foreign: foreign(&harmless),
            reliability: Reliability::new(predictions),
            confusions: confusions(outcomes, businesses, LISTED),
            missed: missed(outcomes, businesses, LISTED),
            speech: speech(outcomes),
            safety: safety(outcomes),
            latency: latency(outcomes),
            baseline: None,
        }
    }
}

fn precision(outcomes: &[&Outcome]) -> Share {
    let answered = outcomes.iter().filter(|outcome| outcome.answer.is_some());
    Share::of(answered, |outcome| outcome.right_with_second)
}

fn coverage(outcomes: &[&Outcome]) -> Share {
    let answerable = outcomes.iter().filter(|outcome| !outcome.is_foreign());
    Share::of(answerable, |outcome| {
        outcome.answer.is_some() && outcome.right_with_second
    })
}

fn by_source(outcomes: &[Outcome]) -> Vec<Row> {
    const SOURCES: [LabelSource; 4] = [
        LabelSource::Safety,
        LabelSource::CompanyQna,
        LabelSource::TradeQna,
        LabelSource::Template,
    ];
    let row = |source: LabelSource| {
        let labelled: Vec<&Outcome> = outcomes.iter().filter(|one| one.expect.source == source).collect();
        let is_its = |one: &&Outcome| one.answer.as_ref().is_some_and(|answer| answer.source == source);
        let answered: Vec<&Outcome> = outcomes.iter().filter(is_its).collect();
        (!labelled.is_empty() || !answered.is_empty()).then(|| Row {
            name: source.as_str().to_owned(),
            accuracy: Share::of(&labelled, |one| one.right),
            precision: precision(&answered),
            coverage: coverage(&labelled),
        })
    };
    SOURCES.into_iter().filter_map(row).collect()
}

fn by_tier(outcomes: &[&Outcome]) -> Vec<Row> {
    let answerable = outcomes.iter().filter(|outcome| !outcome.is_foreign()).count();
    let row = |tier: u8| {
        let is_its = |one: &&&Outcome| one.answer.as_ref().is_some_and(|answer| answer.tier == Some(tier));
        let answered: Vec<&Outcome> = outcomes.iter().filter(is_its).copied().collect();
        let of_answerable = answered.iter().filter(|one| !one.is_foreign() && one.right_with_second);
        (!answered.is_empty()).then(|| Row {
            name: format!("tier {tier}"),
            accuracy: Share::of(&answered, |one| one.right),
            precision: precision(&answered),
            coverage: Share::new(of_answerable.count(), answerable),
        })
    };
    [1, 2].into_iter().filter_map(row).collect()
}

fn by_tag(outcomes: &[Outcome]) -> Vec<Row> {
    let mut by_tag: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        for tag in &outcome.tags {
            by_tag.entry(tag).or_default().push(outcome);
        }
    }
    let row = |(tag, tagged): (&str, Vec<&Outcome>)| Row {
        name: tag.to_owned(),
        accuracy: Share::of(&tagged, |one| one.right),
        precision: precision(&tagged),
        coverage: coverage(&tagged),
    };
    by_tag.into_iter().map(row).collect()
}

fn foreign(outcomes: &[&Outcome]) -> Option<Foreign> {
    let questions: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let confidence = outcome.best().map_or(0.0, |best| best.confidence);
            (outcome.is_foreign(), outcome.answer.is_some(), confidence)
        })
        .collect();
    questions
        .iter()
        .any(|(foreign, ..)| *foreign)
        .then(|| Foreign::new(&questions))
}

fn speech(outcomes: &[Outcome]) -> Option<Speech> {
    let pairs: Vec<(bool, bool)> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.right, outcome.spoken_right?)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let recognised = Share::of(&pairs, |(recognised, _)| *recognised);
    let spoken = Share::of(&pairs, |(_, spoken)| *spoken);
    let lost = pairs
        .iter()
        .filter(|(recognised, spoken)| !recognised && *spoken)
        .count();
    let gained = pairs
        .iter()
        .filter(|(recognised, spoken)| *recognised && !spoken)
        .count();
    Some(Speech {
        recognised,
        spoken,
        loss: 100.0 * (spoken.share - recognised.share),
        lost,
        gained,
        p: mcnemar(lost, gained),
    })
}

fn safety(outcomes: &[Outcome]) -> Option<Safety> {
    let heard = |one: &Outcome| {
        one.answer
            .as_ref()
            .filter(|answer| answer.source == LabelSource::Safety)
            .cloned()
    };
    let dangers = || outcomes.iter().filter(|outcome| outcome.is_danger());
    // A caller with two wishes, one of them a danger, may hear of the danger.
    let is_second = |one: &Outcome| {
        one.second
            .as_ref()
            .is_some_and(|second| second.source == LabelSource::Safety)
    };
    let harmless = outcomes.iter().filter(|one| !one.is_danger() && !is_second(one));
    let false_alarms = Share::of(harmless, |one| heard(one).is_some());
    (dangers().count() + false_alarms.hits > 0).then(|| Safety {
        recall: Share::of(dangers(), |one| heard(one).is_some()),
        exact: Share::of(dangers(), |one| heard(one).map(|answer| answer.id) == one.expect.id),
        false_alarms,
    })
}

fn latency(outcomes: &[Outcome]) -> Option<Latency> {
    let mut micros: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.micros).collect();
    micros.sort_by(f64::total_cmp);
    Some(Latency {
        p50: percentile(&micros, 50)?,
        p99: percentile(&micros, 99)?,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.set)?;
        writeln!(f, "  matcher {} · thresholds: {}", self.matcher, self.thresholds)?;
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        writeln!(f, "\naccuracy            {}", self.accuracy)?;
        if self.accuracy_with_second != self.accuracy {
            writeln!(f, "  other wish too    {}", self.accuracy_with_second)?;
        }
        writeln!(f, "precision           {}", self.answers.precision)?;
        writeln!(f, "coverage            {}", self.answers.coverage)?;
        writeln!(f, "wrong answers       {}", self.answers.wrong)?;
        if self.foreign.is_some() {
            writeln!(f, "  of answerable     {}", self.answers.wrong_of_answerable)?;
        }
        writeln!(f, "best candidate      {}", self.top_one)?;
        rows(f, "by source", &self.by_source)?;
        rows(f, "by tier", &self.by_tier)?;
        if let Some(foreign) = &self.foreign {
            writeln!(f, "\nforeign questions (nothing answers them)")?;
            writeln!(f, "  refused, foreign  {}", foreign.precision)?;
            writeln!(f, "  foreign, refused  {}", foreign.recall)?;
            let auroc = foreign
                .auroc
                .map_or_else(String::new, |auroc| format!(" · AUROC {:.1} %", 100.0 * auroc));
            writeln!(f, "  F1 {:.1} %{auroc}", 100.0 * foreign.f1)?;
        }
        if let Some(safety) = &self.safety {
            writeln!(f, "\nlife safety")?;
            writeln!(f, "  recall            {}", safety.recall)?;
            writeln!(f, "  exact category    {}", safety.exact)?;
            writeln!(f, "  false alarms      {}", safety.false_alarms)?;
        }
        if let Some(speech) = &self.speech {
            writeln!(
                f,
                "\nspeech: loses {:.1} points (lost {}, gained {}, p = {:.3})",
                speech.loss, speech.lost, speech.gained, speech.p
            )?;
            writeln!(f, "  as spoken         {}", speech.spoken)?;
            writeln!(f, "  as recognised     {}", speech.recognised)?;
        }
        writeln!(
            f,
            "\ncalibration: ECE {:.1} % of {} predictions",
            100.0 * self.reliability.error,
            self.reliability.predictions
        )?;
        for (tenth, bin) in self
            .reliability
            .bins
            .iter()
            .enumerate()
            .filter(|(_, bin)| bin.predictions > 0)
        {
            let [confidence, right] = [bin.confidence, bin.right].map(|share| 100.0 * share);
            writeln!(
                f,
                "  from 0.{tenth}  {:5} predictions  said {confidence:5.1} %  right {right:5.1} %",
                bin.predictions
            )?;
        }
        self.mistakes(f)?;
        rows(f, "by tag", &self.by_tag)?;
        if let Some(latency) = &self.latency {
            writeln!(
                f,
                "\nlatency of a decision: p50 {:.0} µs, p99 {:.0} µs",
                latency.p50, latency.p99
            )?;
        }
        if let Some(baseline) = &self.baseline {
            writeln!(f, "\n{baseline}")?;
        }
        Ok(())
    }
}

impl Report {
    fn mistakes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |label: &super::Label| label.id.clone().unwrap_or_else(|| "nothing".to_owned());
        if !self.confusions.is_empty() {
            writeln!(f, "\nmost frequent wrong answers")?;
        }
        for confusion in &self.confusions {
            let (right, wrong) = (name(&confusion.expected), name(&confusion.answered));
            writeln!(f, "  {:3} × {wrong} in place of {right}", confusion.count)?;
            writeln!(f, "        heard: “{}”", confusion.examples.join("” · “"))?;
            writeln!(f, "        {}", confusion.advice)?;
        }
        if !self.missed.is_empty() {
            writeln!(f, "\nmost frequently missed")?;
        }
        for missed in &self.missed {
            writeln!(f, "  {:3} of {} × {}", missed.count, missed.of, name(&missed.expected))?;
            writeln!(f, "        {}", missed.advice)?;
        }
        Ok(())
    }
}

fn rows(f: &mut fmt::Formatter<'_>, title: &str, rows: &[Row]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title:18}   accuracy            precision           coverage")?;
    let cell = |share: &Share| match share.of {
        0 => "-".to_owned(),
        of => format!("{:5.1} % {:>4}/{of}", 100.0 * share.share, share.hits),
    };
    for row in rows {
        let [accuracy, precision, coverage] = [&row.accuracy, &row.precision, &row.coverage].map(cell);
        writeln!(f, "  {:18} {accuracy:19} {precision:19} {coverage}", row.name)?;
    }
    Ok(())
}
