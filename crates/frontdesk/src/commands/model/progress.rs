//! How far it is: a bar on a terminal, a line a quarter elsewhere.

use std::cell::Cell;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{Terminal, complain};

/// Where progress is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    is_terminal: bool,
}

impl Progress {
    /// Shows it where the log goes.
    pub(super) const fn on(terminal: Terminal) -> Self {
        Self {
            is_terminal: terminal.log,
        }
    }

    /// Begins with so many bytes to come.
    pub(super) fn begin(self, bytes: u64) -> Bar {
        let shown = self.is_terminal.then(|| {
            let bar = ProgressBar::new(bytes);
            // The template is a constant; the default bar shows the same less well.
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
                bar.set_style(style);
            }
            bar
        });
        Bar {
            shown,
            bytes,
            done: Cell::new(0),
        }
    }
}

/// What is shown.
pub(super) struct Bar {
    shown: Option<ProgressBar>,
    bytes: u64,
    done: Cell<u64>,
}

impl Bar {
    pub(super) fn add(&self, bytes: u64) {
        if let Some(bar) = &self.shown {
            return bar.inc(bytes);
        }
        let (before, now) = (self.done.get(), self.done.get() + bytes);
        self.done.set(now);
        let quarter = |done: u64| (4 * done).checked_div(self.bytes).unwrap_or_default();
        if quarter(now) > quarter(before) {
            complain(format_args!("  {} of {} MB", now / 1_000_000, self.bytes / 1_000_000));
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}
