//! What a program of this kit prints, and how it ends.

use std::{
    io::{self, Write as _},
    process::ExitCode,
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
