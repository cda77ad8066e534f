//! `frontdesk eval` and `frontdesk tune`, on the demo's data and on made-up intents.

use std::{fmt::Write as _, fs};

use frontdesk_matching::{
    evaluation::{
        LabelSource,
        data::{Businesses, Documents},
        ladder::Ladder,
        read_utterances,
    },
    safety::EMBEDDED,
};
use serde_json::{Value, json};

use super::cli::Stage;

const TRADES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/trades");
const NORVELL: &str = "66f0a1c0de00000000000c01";

fn train() -> String {
    fs::read_to_string(format!("{TRADES}/utterances.train.jsonl")).unwrap()
}

#[test]
fn a_folder_is_evaluated_in_words_and_in_json() {
    let stage = Stage::new();
    let printed = stage.succeed(&["eval", TRADES, "--split", "train", "--plot", "plot.svg"], "");
    for part in [
        "651 utterances to 8 businesses",
        "matcher lexical",
        "precision ",
        "foreign questions",
        "AUROC",
        "life safety",
        "calibration: ECE",
        "most frequent wrong answers",
        "by tag",
        "p99",
    ] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    assert!(
        fs::read_to_string(stage.path().join("plot.svg"))
            .unwrap()
            .starts_with("<svg ")
    );
    let report: Value =
        serde_json::from_str(&stage.succeed(&["eval", TRADES, "--split", "train", "--json"], "")).unwrap();
    assert_eq!(report["accuracy"]["of"], 651);
    assert_eq!(report["matcher"], "lexical");
    // By words alone: with the encoder both are higher.
    assert!(
        report["answers"]["precision"]["share"].as_f64().unwrap() > 0.85,
        "{report:#}"
    );
    assert!(
        report["answers"]["coverage"]["share"].as_f64().unwrap() > 0.45,
        "{report:#}"
    );
}

fn eval<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["eval", TRADES, "--split", "train"], more].concat()
}

#[test]
fn a_loss_beyond_noise_fails_and_the_same_again_does_not() {
    let stage = Stage::new();
    stage.succeed(&eval(&["--save", "before.json"]), "");
    let printed = stage.succeed(&eval(&["--baseline", "before.json"]), "");
    assert!(printed.contains("651 utterances in both"), "{printed}");
    let worse = eval(&["--baseline", "before.json", "--thresholds", "1,1,1"]);
    assert!(
        stage
            .fail(&worse, "", 1)
            .contains("worse than the baseline beyond noise: right ")
    );
    let saved = fs::read_to_string(stage.path().join("before.json")).unwrap();
    assert!(!saved.contains("furnace"), "no words of callers are kept");
}

#[test]
fn an_intent_set_is_evaluated_as_businesses() {
    let stage = Stage::new();
    let mut train = "text,intent\n".to_owned();
    for intent in 0..22 {
        for wording in ["please show", "i want", "where is", "tell me about", "\"can, i get\""] {
            let wording = wording.replace('"', "");
            _ = writeln!(train, "\"{wording} thing{intent}\",ask thing{intent}");
        }
    }
    fs::write(stage.path().join("train.csv"), train).unwrap();
    let asked =
        "{\"text\": \"hello, thing3 please\", \"intent\": \"ask thing3\"}\n{\"text\": \"boats\", \"intent\": null}\n";
    fs::write(stage.path().join("test.jsonl"), asked).unwrap();
    let printed = stage.succeed(&["eval", "test.jsonl", "--train", "train.csv", "--shots", "3"], "");
    assert!(
        printed.contains("2 questions to 1 simulated businesses of 22 scenarios in all, 3 triggers an intent (seed 0)"),
        "{printed}"
    );
    assert!(printed.contains("best candidate      100.0 %"), "{printed}");
    let printed = stage.succeed(
        &["eval", "train.csv", "--tenants", "2", "--shots", "3", "--seed", "4"],
        "",
    );
    assert!(
        printed.contains("2 simulated businesses") && printed.contains("foreign questions"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_evaluated_is_refused_in_words() {
    let stage = Stage::new();
    let write = |name: &str, text: &str| fs::write(stage.path().join(name), text).unwrap();
    let label = |company: &str, id: &str| {
        format!(r#"{{"company": "{company}", "utterance": "u", "expect": {{"source": "template", "id": "{id}"}}}}"#)
    };
    write("bad.jsonl", &format!("{}\n{{", label(NORVELL, "u-hours")));
    write("empty.jsonl", "\n");
    write("nobody.jsonl", &label("66f0a1c0de00000000000fff", "u-hours"));
    write("unknown.jsonl", &label(NORVELL, "u-horus"));
    write("column.csv", "text,kind\na,b\n");
    fs::write(stage.path().join("latin.csv"), b"text,intent\nb\xfcro,a\n").unwrap();
    for (arguments, says) in [
        (&["nowhere"][..], "cannot read nowhere: No such file"),
        (
            &[TRADES, "--split", "bad.jsonl"],
            "bad.jsonl: line 2: EOF while parsing",
        ),
        (
            &[TRADES, "--split", "empty.jsonl"],
            "empty.jsonl: there are no labelled utterances",
        ),
        (
            &[TRADES, "--split", "nobody.jsonl"],
            "line 1: no business has the id `66f0a1c0de00000000000fff`",
        ),
        (
            &[TRADES, "--split", "unknown.jsonl"],
            "has no live scenario `u-horus`; did you mean `u-hours`?",
        ),
        (
            &[TRADES, "--split", "summer"],
            "has no split `summer`, and there is no such file; there are asr, dev, train",
        ),
        (&[TRADES, "--seed", "1"], "--seed is for intent sets"),
        (
            &["column.csv"],
            "column.csv: line 1: the heading has no column `intent`",
        ),
        (&["column.csv", "--split", "dev"], "--split is for folders"),
        (&["latin.csv"], "latin.csv is not UTF-8"),
        (&["."], "has no *.template.json"),
        (
            &[TRADES, "--split", "train", "--baseline", "empty.jsonl"],
            "empty.jsonl: ",
        ),
        (
            &[TRADES, "--split", "train", "--plot", "no/folder.svg"],
            "cannot write no/folder.svg",
        ),
    ] {
        let complaint = stage.fail(&[&["eval"], arguments].concat(), "", 1);
        assert!(complaint.contains(says), "{arguments:?}: {complaint}");
    }
    assert!(
        stage
            .fail(&["eval", TRADES, "--thresholds", "1,2"], "", 2)
            .contains("0.8,0.75,0.7")
    );
    assert!(stage.fail(&["eval", TRADES, "--shots", "0"], "", 2).contains("`all`"));
}

#[tokio::test]
async fn thresholds_are_proposed_and_set() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    let admin = stage.admin();
    let path = format!("/api/v1/companies/{NORVELL}");
    let strict = json!({ "aiAgentLogic": { "thresholds": { "companyQnA": 0.99 }, "templateGatekeeper": { "tier1Threshold": 0.99 } } });
    admin.send("PATCH", &path, &strict).await.unwrap();
    fs::write(stage.path().join("labels.jsonl"), train()).unwrap();
    let tune = [
        "tune",
        "--company",
        "norvell",
        "--labels",
        "labels.jsonl",
        "--max-wrong",
        "10%",
    ];
    let printed = stage.succeed(&tune, "");
    for part in [
        "96 labels, at most 10.0 %",
        "companyQnA",
        "on labels that the choice did not see",
        "--apply sets",
    ] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    let of = |company: &Value| {
        company["aiAgentLogic"]["templateGatekeeper"]["tier1Threshold"]
            .as_f64()
            .unwrap()
    };
    assert!(
        of(&admin.get(&path).await.unwrap()) > 0.98,
        "nothing changes without --apply"
    );
    let found: Value = serde_json::from_str(&stage.succeed(&[&tune[..], &["--apply", "--json"]].concat(), "")).unwrap();
    assert!(
        found["after"]["right"].as_u64() > found["before"]["right"].as_u64(),
        "{found:#}"
    );
    assert!(found["heldOut"]["wrong"]["high"].as_f64() >= found["heldOut"]["wrong"]["share"].as_f64());
    let company = admin.get(&path).await.unwrap();
    assert!(
        (of(&company) - found["proposed"]["tier1Threshold"].as_f64().unwrap()).abs() < 1e-9,
        "{found:#}"
    );
    assert!(of(&company) < 0.98);
    assert_eq!(
        company["aiAgentLogic"]["thresholds"]["tradeQnA"],
        found["proposed"]["tradeQnA"]
    );
}

#[tokio::test]
async fn what_cannot_be_tuned_is_refused_in_words() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    let few: Vec<String> = train()
        .lines()
        .filter(|line| line.contains(NORVELL))
        .take(29)
        .map(str::to_owned)
        .collect();
    fs::write(stage.path().join("few.jsonl"), few.join("\n")).unwrap();
    let tune = |company: &'static str, labels: &'static str| {
        ["tune", "--company", company, "--labels", labels, "--max-wrong", "3"]
    };
    let complaint = stage.fail(&tune("norvell", "few.jsonl"), "", 1);
    assert!(
        complaint.contains("29 of the 29 labels are of Norvell") && complaint.contains("at least 30"),
        "{complaint}"
    );
    assert!(
        stage
            .fail(&tune("norvell", "none.jsonl"), "", 1)
            .contains("cannot read none.jsonl")
    );
    assert!(
        stage
            .fail(&tune("zebra", "few.jsonl"), "", 1)
            .contains("no company is called `zebra`")
    );
    let limit = [
        "tune",
        "--company",
        "norvell",
        "--labels",
        "few.jsonl",
        "--max-wrong",
        "90%",
    ];
    assert!(stage.fail(&limit, "", 2).contains("percent from 0 to 50"));
}

#[test]
fn a_server_that_is_not_there_is_told_so() {
    let stage = Stage::new();
    fs::write(stage.path().join("labels.jsonl"), train()).unwrap();
    let tune = [
        "tune",
        "--company",
        "norvell",
        "--labels",
        "labels.jsonl",
        "--max-wrong",
        "3%",
    ];
    assert!(stage.fail(&tune, "", 3).contains("frontdesk serve"));
}

fn demo() -> Businesses {
    let read = |name: &str| fs::read_to_string(format!("{TRADES}/{name}")).unwrap();
    let mut documents = Documents::default();
    for name in ["universal", "hvac", "plumbing"] {
        documents.add_template(&read(&format!("{name}.template.json"))).unwrap();
    }
    documents.add_trade_qna(&read("trades-qna.json")).unwrap();
    documents.companies(&read("companies.jsonl")).unwrap()
}

#[tokio::test]
async fn what_is_evaluated_is_what_callers_meet() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    let (admin, businesses) = (stage.admin(), demo());
    let utterances = read_utterances(&train()).unwrap();
    let mut compared = 0;
    for labelled in utterances.iter().step_by(4) {
        let path = format!("/api/v1/companies/{}/route", labelled.company);
        let asked = json!({ "utterance": labelled.utterance });
        let decision = admin.send("POST", &path, &asked).await.unwrap();
        // Meaning is learnt beside the calls and may be there or not.
        if decision["source"] == "conversation" || decision["tier"] == 2 {
            continue;
        }
        let ladder = Ladder::new(&businesses.0[&labelled.company], &EMBEDDED);
        let (source, id) = match ladder.decide(&labelled.utterance).answer {
            Some(answer) => (answer.source, answer.id),
            None => (LabelSource::None, String::new()),
        };
        let ids = ["scenarioId", "qnaId", "safetyId"].map(|name| decision[name].as_str().unwrap_or_default());
        let said = decision["source"].as_str().unwrap().replace("fallback", "none");
        assert_eq!(
            (source.as_str(), id),
            (said.as_str(), ids.concat()),
            "{}",
            labelled.utterance
        );
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
