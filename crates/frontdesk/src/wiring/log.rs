//! The log: to the standard error, as text for people and as JSON for machines.

use std::io;

use tracing::{Level, error};

use crate::{
    config::LogFormat,
    output::{Colour, Terminal},
};

/// Starts the log. Without a format, it fits where it goes.
///
/// What panics is logged by its place only: the message of a panic can hold what a caller said.
pub fn start(format: Option<LogFormat>, terminal: Terminal, level: Level) {
    let format = format.unwrap_or(if terminal.log { LogFormat::Text } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level)
        .with_target(false)
        // A log that cannot be written, on a full disk or into a pipe that is gone, must not end the process: told so
        // on the same standard error, it would panic.
        .log_internal_errors(false);
    // A log that is started already, by a test, stays as it is.
    let _started = match format {
        LogFormat::Text => builder
            .with_ansi(terminal.log && terminal.colour == Colour::OnTerminals)
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        error!(place, thread, "a panic at {place}");
    }));
}
