//! From documents and labels to a report, on the demo businesses and on made-up intents.

use std::fmt::Write as _;

use frontdesk_domain::{confidence::Confidence, decision::Matcher};

use super::{
    Businesses, LabelSource, Labelled,
    advice::confusions,
    data::safety_rules,
    intents::{Question, read_intents},
    ladder::{ByMeaning, Ladder, Meant, Thresholds},
    outcome::Outcome,
    plot, read_utterances,
    report::{About, Report},
    tenants::{Simulation, simulate},
};
use crate::{
    knowledge::Source,
    rules::Candidate,
    safety::{EMBEDDED, SafetyMatcher},
};

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../../data/trades/", $name))
    };
}

fn demo() -> Businesses {
    let templates = [
        data!("universal.template.json"),
        data!("hvac.template.json"),
        data!("plumbing.template.json"),
    ];
    Businesses::read(&templates, data!("companies.jsonl"), data!("trades-qna.json")).unwrap()
}

const STRICT: Thresholds = Thresholds {
    company_qna: 1.0,
    trade_qna: 1.0,
    tier1: 1.0,
    tier2: 1.0,
};

fn ask(
    businesses: &Businesses,
    utterances: &[Labelled],
    safety: &SafetyMatcher,
    thresholds: Option<Thresholds>,
) -> Vec<Outcome> {
    let outcomes = utterances.iter().map(|labelled| {
        let business = &businesses.0[&labelled.company];
        let ladder = Ladder::new(business, safety).with_thresholds(thresholds);
        let outcome = Outcome::new(labelled, ladder.decide(&labelled.utterance));
        match &labelled.spoken {
            Some(spoken) => outcome.with_spoken(&ladder.decide(spoken)),
            None => outcome,
        }
    });
    outcomes.collect()
}

fn report(businesses: &Businesses, outcomes: &[Outcome]) -> Report {
    let about = About {
        set: "a test".into(),
        matcher: "rules",
        thresholds: "the companies' own".into(),
        notes: vec![],
    };
    Report::new(about, outcomes, businesses)
}

#[test]
fn a_report_counts_what_was_answered() {
    let businesses = demo();
    let utterances = read_utterances(data!("utterances.train.jsonl")).unwrap();
    let safety = safety_rules(data!("safety.json")).unwrap().matcher;
    businesses.check(&utterances, Some(&safety)).unwrap();
    let report = report(&businesses, &ask(&businesses, &utterances, &safety, None));
    let (dangers, foreign) = (report.safety.unwrap(), report.foreign.unwrap());
    assert_eq!(
        (report.accuracy.of, dangers.recall.of, foreign.recall.of),
        (651, 52, 98)
    );
    // What is measured, with room for a few utterances.
    assert!(report.answers.precision.share > 0.93, "{report}");
    assert!(report.answers.coverage.share > 0.35, "{report}");
    assert!(
        dangers.recall.share > 0.9 && dangers.false_alarms.share < 0.02,
        "{report}"
    );
    let verbatim = report.by_tag.iter().find(|row| row.name == "verbatim").unwrap();
    assert_eq!(verbatim.accuracy.hits, verbatim.accuracy.of, "{report}");
    let predictions: usize = report.reliability.bins.iter().map(|bin| bin.predictions).sum();
    assert_eq!(predictions, report.reliability.predictions);
    assert!(!report.confusions.is_empty() && report.confusions.iter().all(|one| !one.advice.is_empty()));
    let written = serde_json::to_value(&report).unwrap();
    assert_eq!(written["answers"]["coverage"]["of"], 501);
    let picture = plot::svg("a <test>", &report.reliability);
    assert!(picture.contains("a &lt;test&gt;") && picture.contains(">1.0</text>"));
    is_closed(&picture);
}

/// Every text is closed, and every number is one.
fn is_closed(picture: &str) {
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert_eq!(picture.matches("<text ").count(), picture.matches("</text>").count());
    assert!(!picture.contains("NaN"));
}

#[test]
fn thresholds_given_stand_in_place_of_the_companies() {
    let businesses = demo();
    let utterances = read_utterances(data!("utterances.train.jsonl")).unwrap();
    let outcomes = ask(&businesses, &utterances, &EMBEDDED, Some(STRICT));
    let unequal = outcomes.iter().filter_map(|outcome| outcome.answer.as_ref());
    assert!(unequal.clone().all(|answer| answer.confidence >= 1.0));
    assert!(unequal.count() > 50, "what is equal answers whatever the threshold");
}

#[test]
fn what_a_recogniser_costs_is_measured_against_what_was_spoken() {
    let businesses = demo();
    let lines = concat!(
        r#"{"company": "66f0a1c0de00000000000c01", "utterance": "xx yy", "spoken": "when are you open", "expect": {"source": "template", "id": "u-hours"}}"#,
        "\n",
        r#"{"company": "66f0a1c0de00000000000c01", "utterance": "when are you open", "spoken": "when are you open", "expect": {"source": "template", "id": "u-hours"}}"#
    );
    let utterances = read_utterances(lines).unwrap();
    let report = report(&businesses, &ask(&businesses, &utterances, &EMBEDDED, None));
    let speech = report.speech.unwrap();
    assert_eq!(
        (speech.spoken.hits, speech.recognised.hits, speech.lost, speech.gained),
        (2, 1, 1, 0)
    );
    assert!((speech.loss - 50.0).abs() < 1e-9);
}

#[test]
fn labels_that_mean_nothing_are_refused() {
    let businesses = demo();
    let refused = |company: &str, source: &str, id: &str, want: &str| {
        let line = format!(
            r#"{{"company": "{company}", "utterance": "u", "expect": {{"source": "{source}", "id": "{id}"}}}}"#
        );
        let utterances = read_utterances(&format!("\n{line}")).unwrap();
        let fault = businesses.check(&utterances, Some(&EMBEDDED)).unwrap_err().to_string();
        assert!(fault.starts_with("line 2: ") && fault.contains(want), "{fault}");
    };
    let norvell = "66f0a1c0de00000000000c01";
    refused(
        "nobody",
        "template",
        "u-hours",
        "no business has the id `nobody`; there are 66f0a1c0de00000000000c01",
    );
    refused(
        norvell,
        "template",
        "u-hour",
        "has no live scenario `u-hour`; did you mean `u-hours`?",
    );
    refused(
        norvell,
        "company_qna",
        "u-hours",
        "`u-hours` is of the source `template`",
    );
    refused(norvell, "template", "plm-shower", "has no live scenario `plm-shower`");
    refused(norvell, "safety", "boredom", "have no category `boredom`");
}

#[test]
fn faulty_documents_are_refused_with_their_place() {
    let read =
        |template: &str, companies: &str| Businesses::read(&[template], companies, "[]").unwrap_err().to_string();
    assert!(
        read("{\n\"_id\": }", "").contains("line 2"),
        "{}",
        read("{\n\"_id\": }", "")
    );
    let template = data!("universal.template.json");
    assert!(read(template, "\n").contains("no companies"));
    assert!(read(template, "{}").contains("line 1: missing field `company`"));
    let other = data!("companies.jsonl");
    let fault = read(template, other);
    assert!(
        fault.contains("line 1: ") && fault.contains("asks the template 66f0a1c0de0000000000a002"),
        "{fault}"
    );
    assert!(read(template, "{\"company\": {\"name\": 1}}").contains("`/name`"));
}

/// Thinks that every utterance means the first scenario of the templates.
struct Stubborn {
    confidence: f64,
    unit: u32,
    danger: bool,
}

impl ByMeaning for Stubborn {
    fn matcher(&self) -> Matcher {
        Matcher::Lexical
    }

    fn ask(&self, _: &str, _: &str) -> Meant {
        let mut candidate = Candidate::of_unit(self.unit, Source::Template);
        candidate.confidence = Confidence::clamped(self.confidence);
        Meant {
            danger: self.danger.then(|| ("gas-leak".into(), 0.9)),
            candidates: vec![candidate],
        }
    }
}

#[test]
fn meaning_is_asked_only_where_rules_left_it_open() {
    let businesses = demo();
    let business = &businesses.0["66f0a1c0de00000000000c01"];
    let is_template = |unit: &u32| {
        let target = business.knowledge.target(&Candidate::of_unit(*unit, Source::Template));
        target.is_some_and(|target| target.id() == "u-book")
    };
    let unit = (0..500).find(is_template).unwrap();
    let decide = |confidence: f64, danger: bool, utterance: &str| {
        let meaning = Stubborn {
            confidence,
            unit,
            danger,
        };
        Ladder::new(business, &EMBEDDED)
            .with_meaning(Some(&meaning))
            .decide(utterance)
    };
    let odd = "purple walrus";
    let answer = decide(0.6, false, odd).answer.unwrap();
    assert_eq!(
        (answer.id.as_str(), answer.tier, answer.source),
        ("u-book", Some(2), LabelSource::Template)
    );
    let nearest = decide(0.1, false, odd);
    assert_eq!((nearest.answer, nearest.nearest.unwrap().tier), (None, Some(2)));
    assert_eq!(decide(0.9, true, odd).answer.unwrap().source, LabelSource::Safety);
    assert_eq!(decide(0.9, true, "when are you open").answer.unwrap().tier, Some(1));
}

fn intents() -> Vec<Question> {
    let mut csv = "text,intent\n".to_owned();
    for intent in 0..24 {
        for wording in ["please show", "i want", "where is", "tell me about", "can i get"] {
            _ = writeln!(csv, "{wording} thing{intent},ask thing{intent}!");
        }
    }
    csv.push_str("completely different,\n");
    read_intents(&csv).unwrap()
}

#[test]
fn an_intent_set_becomes_businesses() {
    let questions = intents();
    let one = |seed| Simulation {
        shots: Some(3),
        seed,
        tenants: None,
    };
    let simulated = simulate(&questions, None, one(0)).unwrap();
    assert_eq!(
        (simulated.businesses.0.len(), simulated.utterances.len()),
        (1, 24 * 2 + 1)
    );
    assert_eq!(
        simulate(&questions, None, one(0)).unwrap().utterances,
        simulated.utterances
    );
    assert_ne!(
        simulate(&questions, None, one(1)).unwrap().utterances,
        simulated.utterances
    );
    simulated.businesses.check(&simulated.utterances, None).unwrap();
    let outcomes = ask(&simulated.businesses, &simulated.utterances, &EMBEDDED, None);
    let report = report(&simulated.businesses, &outcomes);
    assert!(report.top_one.share > 0.9, "{report}");
    assert_eq!(report.foreign.unwrap().recall.of, 1);
}

#[test]
fn a_quarter_of_what_tenants_are_asked_is_their_siblings() {
    let questions = intents();
    let tenants = Simulation {
        shots: Some(3),
        seed: 5,
        tenants: Some(6),
    };
    let simulated = simulate(&questions, None, tenants).unwrap();
    assert_eq!(simulated.businesses.0.len(), 6);
    for (id, business) in &simulated.businesses.0 {
        assert!((10..=20).contains(&business.units.len()));
        let asked: Vec<_> = simulated.utterances.iter().filter(|one| one.company == *id).collect();
        let foreign = asked
            .iter()
            .filter(|one| one.expect.source == LabelSource::None)
            .count();
        let left = 49 - 2 * business.units.len();
        assert_eq!(foreign, left.min(2 * business.units.len() / 3));
    }
    let few: Vec<Question> = questions.into_iter().take(5 * 10).collect();
    assert!(simulate(&few, None, tenants).unwrap_err().detail.contains("too few"));
}

#[test]
fn what_is_taken_for_each_other_is_told_so() {
    let simulated = simulate(
        &intents(),
        None,
        Simulation {
            shots: Some(3),
            seed: 0,
            tenants: None,
        },
    )
    .unwrap();
    let outcomes = ask(&simulated.businesses, &simulated.utterances, &EMBEDDED, None);
    let is_answered = |outcome: &&Outcome| outcome.answer.is_some() && !outcome.is_foreign();
    let first = outcomes.iter().find(is_answered).unwrap();
    let mut others = outcomes.iter().filter(is_answered);
    let second = others.find(|other| other.expect != first.expect).unwrap();
    let mut answered = [first.clone(), second.clone()];
    let [first, second] = &mut answered;
    std::mem::swap(&mut first.answer, &mut second.answer);
    for one in [first, second] {
        (one.right, one.right_with_second) = (false, false);
    }
    let found = confusions(&answered, &simulated.businesses, 5);
    assert!(
        found.iter().all(|one| one.advice.contains("taken for each other")),
        "{found:?}"
    );
    let mut businesses = simulated.businesses;
    for business in businesses.0.values_mut() {
        for unit in business.units.values_mut() {
            unit.wordings.push("Both have This!".to_owned());
        }
    }
    let found = confusions(&answered, &businesses, 5);
    assert!(
        found
            .iter()
            .all(|one| one.advice.contains("both have “Both have This!”")),
        "{found:?}"
    );
}
