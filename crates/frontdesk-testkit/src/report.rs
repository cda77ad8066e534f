//! What a program of this kit prints, and how it ends.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;

/// Prints a line.
pub fn say(line: &str) {
    // A reader who has gone is no reason to stop.
    _ = writeln!(io::stdout(), "{line}");
}

/// Success if everything was right; says why if it could not be found out.
#[must_use]
pub fn end(is_right: Result<bool>) -> ExitCode {
    match is_right {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("FAIL: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The time below which a part of these times lies; `share` is from 0 to 1.
#[must_use]
pub fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of turns is far below 2^52, and the share is from 0 to 1"
    )]
    let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(index).copied().unwrap_or_default()
}
