//! The pure crates stay pure: no I/O, no clock, no random number, no runtime, neither in them nor below them.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, bail};

use super::sources;
use crate::step::{cargo, note, output, root, say};

/// The crates that decide. Their answers depend on their arguments only.
const PURE: [&str; 3] = ["frontdesk-domain", "frontdesk-matching", "frontdesk-twilio"];

/// Crates that none of them may depend on, directly or not.
const BANNED_CRATES: [&str; 18] = [
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "tower",
    "rand",
    "rand_core",
    "getrandom",
    "fastrand",
    "chrono",
    "time",
    "uuid",
    "rusqlite",
    "mio",
    "async-std",
    "smol",
    "metrics",
    "tracing-subscriber",
];

/// What none of their sources may name.
const BANNED_NAMES: [&str; 15] = [
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env::",
    "std::process",
    "thread::sleep",
    "thread::spawn",
    "std::io::stdin",
    "RandomState",
];

/// Fails with every place at which a pure crate is not.
pub(super) fn check() -> Result<()> {
    say(format_args!(
        "checking that {} do no I/O and know no clock and no random number",
        PURE.join(", ")
    ));
    let mut found = Vec::new();
    for package in PURE {
        found.extend(banned_dependencies(package)?);
        found.extend(banned_names(package)?);
    }
    if found.is_empty() {
        return Ok(());
    }
    for place in &found {
        note(place);
    }
    bail!(
        "{} places make a pure crate impure; hand the value in as an argument instead",
        found.len()
    )
}

fn banned_dependencies(package: &str) -> Result<Vec<String>> {
    let tree = output(&mut cargo([
        "tree",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let banned = BANNED_CRATES.iter().filter(|name| names.contains(*name));
    Ok(banned
        .map(|name| format!("{package} depends on {name} (see `cargo tree -p {package} -e normal -i {name}`)"))
        .collect())
}

fn banned_names(package: &str) -> Result<Vec<String>> {
    let folder = root().join("crates").join(package).join("src");
    let mut found = Vec::new();
    for path in sources::below(&folder)? {
        let shown = path.strip_prefix(root()).unwrap_or(&path);
        if sources::is_test_file(shown) {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for (number, line) in sources::product_lines(&text) {
            let named = BANNED_NAMES.iter().filter(|name| line.contains(*name));
            found.extend(named.map(|name| format!("{}:{number} names {name}", shown.display())));
        }
    }
    Ok(found)
}
