//! What one row holds that this version cannot read: it is left out, so that it stops nothing for all others.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use tracing::error;

/// So many are remembered, so that each is logged once.
const REMEMBERED: usize = 1_000;

static NOTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs once that a row is left out: `what` it is, which one, and why.
pub(crate) fn note(what: &str, id: &str, reason: impl fmt::Display) {
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() < REMEMBERED && noted.insert(format!("{what} {id}")) {
        error!(
            what,
            id,
            reason = %reason,
            "{what} is left out: it is damaged, or a newer version wrote it"
        );
    }
}
