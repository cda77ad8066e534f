//! `test`: everything that must hold before a change is taken.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    calls,
    mongodb::{self, Server},
    step::{cargo, command, must, target_directory},
    tools::{self, NEXTEST, ensure_packages},
};

/// The signature oracle, from the project's folder.
pub(crate) const ORACLE: &str = "crates/frontdesk-twilio/tests/oracle.py";

/// The reference of the encoder's tokenizer.
pub(crate) const TOKENIZER_ORACLE: &str = "crates/frontdesk-encoder/tests/tokenizer_oracle.py";

/// Runs all tests; simulated calls against the built binary come last.
pub(crate) fn all() -> Result<ExitCode> {
    NEXTEST.ensure()?;
    ensure_packages()?;
    // All at once: built package by package, dependencies would be built again for each set of their features.
    must(
        "building everything that is tested (some minutes, the first time)",
        &mut cargo(["build", "--workspace", "--bins", "--examples", "--tests"]),
    )?;
    let binaries = target_directory()?.join("debug");
    let examples = binaries.join("examples");
    must(
        "comparing signature decisions with Twilio's own validator, in a small size",
        command("python3")
            .args([ORACLE, "--requests", "1000", "--mutations", "10000", "--binary"])
            .arg(examples.join("verify_lines")),
    )?;
    must(
        "getting the sentence encoder, which some tests need",
        command(binaries.join("frontdesk")).args(["model", "install"]),
    )?;
    must(
        "comparing word pieces with the official tokenizer, in a small size",
        command("python3")
            .args([TOKENIZER_ORACLE, "--odd", "5000", "--binary"])
            .arg(examples.join("tokens")),
    )?;
    must(
        "testing the examples in the documentation",
        &mut cargo(["test", "--quiet", "--workspace", "--doc"]),
    )?;
    let server = Server::start()?;
    let mut tests = cargo(["nextest", "run", "--workspace"]);
    tests.env("FRONTDESK_TEST_AIOSMTPD", tools::aiosmtpd()?);
    if let Some(server) = &server {
        tests.env(mongodb::URI, &server.uri);
    }
    // Tests that kill their server start one of their own.
    tests.env(mongodb::PROGRAM, tools::secantusd()?);
    must("testing every crate", &mut tests)?;
    drop(server);
    calls::hold(&binaries.join("callsim"), &binaries.join("frontdesk"), 100)?;
    Ok(ExitCode::SUCCESS)
}
