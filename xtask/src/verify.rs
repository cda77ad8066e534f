//! `verify`: the long checks, in full size.

use std::{path::Path, process::ExitCode};

use anyhow::Result;

use crate::{
    calls, fuzz,
    mongodb::{self, Server},
    step::{build_programs, command, must, target_directory},
    test::{ORACLE, TOKENIZER_ORACLE},
    tools::{self, ensure_packages},
};

/// The signature oracle of the Node SDK, and the reader of documents with the Python SDK.
const NODE_ORACLE: &str = "crates/frontdesk-twilio/tests/node_oracle.py";
const DOCUMENTS: &str = "crates/frontdesk-twilio/tests/documents.py";

/// A run of `frontdesk eval` on the training utterances, saved with `--save`. Save it again when a gain should be kept.
const BASELINE: &str = "data/trades/baseline.train.json";

/// Runs the long checks; each target is fuzzed for so long.
pub(crate) fn all(fuzz_seconds: u64) -> Result<ExitCode> {
    must(
        "comparing signature decisions with Twilio's own validator",
        command("python3").args([ORACLE, "--requests", "100000", "--mutations", "1000000"]),
    )?;
    let tools = target_directory()?.join("tools");
    must(
        "comparing signatures with Twilio's validator for Node",
        command("python3")
            .args([NODE_ORACLE, "--requests", "500", "--npm-folder"])
            .arg(tools.join("twilio-node")),
    )?;
    must(
        "doing a million things to the ledger and to a model of it",
        command("cargo")
            .args(["test", "--workspace", "--test", "it", "ledger::"])
            .env("FRONTDESK_LEDGER_OPERATIONS", "1000000"),
    )?;
    let server = Server::start()?;
    let mut on_mongodb = command("cargo");
    on_mongodb
        .args(["test", "--workspace", "--test", "it", "mongodb_and_model"])
        .env("FRONTDESK_LEDGER_OPERATIONS_MONGODB", "20000");
    if let Some(server) = &server {
        on_mongodb.env(mongodb::URI, &server.uri);
    }
    must(
        "doing twenty thousand things to the ledger in MongoDB and to a model of it",
        &mut on_mongodb,
    )?;
    drop(server);
    let programs = build_programs()?;
    let program = |name: &str| programs.join(name);
    let frontdesk = program("frontdesk");
    must(
        "getting the sentence encoder, if it is not there",
        command(&frontdesk).args(["model", "install"]),
    )?;
    must(
        "comparing word pieces with the official tokenizer",
        command("python3").args([TOKENIZER_ORACLE, "--odd", "200000"]),
    )?;
    must(
        "evaluating the training utterances against what was measured before",
        command(&frontdesk).args(["eval", "data/trades", "--split", "train", "--baseline", BASELINE]),
    )?;
    for split in ["dev", "asr"] {
        must(
            "evaluating utterances that nothing was fitted on",
            command(&frontdesk).args(["eval", "data/trades", "--split", split]),
        )?;
    }
    let documents = tools.join("documents");
    must(
        "playing calls until every shape of document was answered",
        command(program("shapes"))
            .arg("--frontdesk")
            .arg(&frontdesk)
            .arg("--out")
            .arg(&documents),
    )?;
    must(
        "building those documents again with Twilio's own classes",
        command("python3").arg(DOCUMENTS).arg(&documents),
    )?;
    fuzz::all(fuzz_seconds)?;
    calls::hold_with_faults(&program("callsim"), &frontdesk, 10_000)?;
    must(
        "racing turns for a budget, killing servers that hold money, hanging the provider",
        command(program("money")).arg("--frontdesk").arg(&frontdesk),
    )?;
    keep_calls_in_progress(&program("instances"), &frontdesk)?;
    must(
        "asking for the analytics of a million turns and counting them again",
        command(program("analytics")).arg("--frontdesk").arg(&frontdesk),
    )?;
    must(
        "killing the server with SIGKILL under load and looking for what it had acknowledged",
        command(program("crash")).arg("--frontdesk").arg(frontdesk),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Calls over three instances, on servers that are killed and hang.
fn keep_calls_in_progress(instances: &Path, frontdesk: &Path) -> Result<()> {
    ensure_packages()?;
    must(
        "keeping three hundred calls in progress over three instances while parts of the deployment fail",
        command(instances)
            .arg("--frontdesk")
            .arg(frontdesk)
            .env(mongodb::PROGRAM, tools::secantusd()?)
            .env("CI", "true"),
    )
}
