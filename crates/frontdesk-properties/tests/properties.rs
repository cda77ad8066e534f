//! Each property over the kept inputs and over random changes of them.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use frontdesk_properties::{ALL, Property};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// The inputs that are kept for a property, by name.
fn kept(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, fs::read(entry.path()).ok()?)))
        .collect();
    found.sort();
    assert!(found.len() >= 5, "{name} has {} kept inputs", found.len());
    found
}

fn property(name: &str) -> Property {
    let found = ALL.into_iter().find(|(known, _)| *known == name);
    found.map_or_else(|| panic!("there is no property {name}"), |(_, property)| property)
}

/// Runs a property over its kept inputs, then over changed ones.
fn check(name: &str, cases: u32) {
    let (property, kept) = (property(name), kept(name));
    for (file, input) in &kept {
        let held = catch_unwind(|| property(input));
        assert!(held.is_ok(), "fuzz/corpus/{name}/{file} breaks the property");
    }
    let inputs: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let held = runner.run(&changed(inputs), |input| {
        let held = catch_unwind(AssertUnwindSafe(|| property(&input)));
        held.map_err(|_| TestCaseError::fail(String::from_utf8_lossy(&input).into_owned()))
    });
    if let Err(failure) = held {
        panic!("{failure}");
    }
}

/// A kept input with pieces cut out and put in, some of them out of other ones.
fn changed(kept: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        "\\PC{0,8}".prop_map(String::into_bytes),
        (
            prop::sample::select(kept.clone()),
            any::<prop::sample::Index>(),
            0_usize..40
        )
            .prop_map(|(other, from, length)| {
                let from = from.index(other.len().max(1));
                other.into_iter().skip(from).take(length).collect()
            }),
        prop::sample::select(vec![
            &b"null"[..],
            b"\"",
            b"{}",
            b"[",
            b"1e999",
            b"-0",
            b"\n",
            b"\\u0000",
            b"%",
            b"\xf0\x9f"
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    let change = (any::<prop::sample::Index>(), 0_usize..6, piece);
    (prop::sample::select(kept), prop::collection::vec(change, 0..5)).prop_map(|(mut input, changes)| {
        for (at, gone, piece) in changes {
            let at = at.index(input.len() + 1);
            let end = (at + gone).min(input.len());
            input.splice(at..end, piece);
        }
        input
    })
}

#[test]
fn a_body_is_read_as_it_was_sent_or_refused() {
    check("form", 512);
}

#[test]
fn only_what_was_signed_verifies() {
    check("signature", 256);
}

#[test]
fn a_state_opens_only_if_it_was_sealed_and_every_turn_is_answered() {
    check("action-state", 96);
}

#[test]
fn a_company_that_gets_in_is_read_back_and_answers() {
    check("company", 192);
}

#[test]
fn no_text_becomes_a_verb_and_every_document_is_taken() {
    check("twiml", 64);
}

#[test]
fn an_import_is_read_line_by_line() {
    check("import", 256);
}

#[test]
fn every_property_has_a_target_and_every_target_a_property() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut targets: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|file| file.strip_suffix(".rs").unwrap().to_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, ALL.map(|(name, _)| name.to_owned()));
}
