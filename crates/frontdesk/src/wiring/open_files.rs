//! How many files the process may have open: each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

use crate::readiness::Finding;

/// Fewer than so many are too few for a busy hour: a call in progress holds a connection, and so does who only looks.
const FEW: u64 = 4_096;

const REMEDY: &str = "raise it (ulimit -Hn, LimitNOFILE= in a systemd unit, --ulimit nofile= in Docker)";

/// Raises the limit as far as this process may, and says in the log what it is then.
///
/// The limit that a shell gives, usually 1,024, is that of programs that could not do with more.
pub fn raise() {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: before.maximum,
        ..before
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        warn!(
            error = &error as &dyn std::error::Error,
            "the limit of open files cannot be raised"
        );
    }
    match getrlimit(Resource::Nofile).current {
        None => info!("any number of files may be open at once"),
        Some(limit) if limit < FEW => warn!(limit, "only {limit} files may be open at once: {REMEDY}"),
        Some(limit) => info!(limit, "{limit} files may be open at once"),
    }
}

/// What `doctor` says of the limit to which a server that is started here could raise its own.
pub fn inspect() -> Option<Finding> {
    finding(getrlimit(Resource::Nofile).maximum)
}

fn finding(most: Option<u64>) -> Option<Finding> {
    let few = most.filter(|most| *most < FEW)?;
    let text = format!("only {few} files may be open at once, and each connection takes one");
    Some(Finding::warning(text, REMEDY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_of_open_files_is_told() {
        let check = |most, is_told: bool| assert_eq!(finding(most).is_some(), is_told, "{most:?}");
        check(Some(1_024), true);
        check(Some(4_095), true);
        check(Some(4_096), false);
        check(Some(1_048_576), false);
        check(None, false);
    }
}
