//! The log: to the standard error, as text for people and as JSON for machines. Nobody waits until it is written.

use std::{
    io::{self, BufWriter},
    time::Duration,
};

use tracing::{Level, error, warn};

use crate::{
    config::LogFormat,
    output::{Colour, Terminal},
};

mod lines;

use lines::Lines;

/// So long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_millis(500);

/// So many bytes of lines are written at once.
const BUFFER: usize = 64 * 1024;

/// The log, while it is held. When it is dropped, what is logged until then is written first.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Log(Lines);

/// Starts the log. Without a format, it fits where it goes.
///
/// What panics is logged by its place only: the message of a panic can hold what a caller said.
///
/// # Errors
/// No thread can be started.
pub fn start(format: Option<LogFormat>, terminal: Terminal, level: Level) -> io::Result<Log> {
    let format = format.unwrap_or(if terminal.log { LogFormat::Text } else { LogFormat::Json });
    let lines = Lines::default();
    let written = lines.clone();
    std::thread::Builder::new()
        .name("log".into())
        // Lines that came together are written together.
        .spawn(move || written.write_to(&mut BufWriter::with_capacity(BUFFER, io::stderr()), say_lost))?;
    let taken = lines.clone();
    let builder = tracing_subscriber::fmt()
        .with_writer(move || taken.clone())
        .with_max_level(level)
        .with_target(false)
        // A log that cannot be written must not end the process: told so on the standard error, it would panic.
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
    Ok(Log(lines))
}

/// Said in the log itself, when somebody reads on.
fn say_lost(lost: u64) {
    warn!(
        lines = lost,
        "{lost} lines of the log were let go so far: whoever reads it does not keep up"
    );
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.drain(FLUSH);
    }
}
