//! What commands print.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

/// Which of the standard streams are terminals, and whether colour is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Somebody types.
    pub input: bool,
    /// Somebody reads what commands print.
    pub output: bool,
    /// Somebody reads the log.
    pub log: bool,
    /// Whether a terminal gets it.
    pub colour: Colour,
}

/// Whether terminals get colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// `NO_COLOR` is set, or the terminal is a dumb one.
    #[default]
    Never,
    /// Terminals get it, pipes do not.
    OnTerminals,
}

impl Terminal {
    /// The streams of this process. Colour depends on the environment, which the caller has read.
    #[must_use]
    pub fn of_process(colour: Colour) -> Self {
        Self {
            input: io::stdin().is_terminal(),
            output: io::stdout().is_terminal(),
            log: io::stderr().is_terminal(),
            colour,
        }
    }
}

/// The standard output. Each line is there at once, so that a pipe can be read line by line.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    colour: bool,
}

impl Output {
    /// Prints with colour on a terminal, without in a pipe.
    #[must_use]
    pub const fn new(terminal: Terminal) -> Self {
        Self {
            colour: terminal.output && matches!(terminal.colour, Colour::OnTerminals),
        }
    }

    /// Prints a line.
    ///
    /// # Errors
    /// The reader is gone (a broken pipe), or the disk is full.
    pub fn line(self, text: impl Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints without a line's end.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn part(self, text: impl Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{text}")?;
        out.flush()
    }

    /// Less important than what stands around it.
    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.styled("2", text)
    }

    /// More important than what stands around it.
    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.styled("1", text)
    }

    /// Something is wrong.
    #[must_use]
    pub fn bad(self, text: impl Display) -> String {
        self.styled("31", text)
    }

    /// Something is as it should be.
    #[must_use]
    pub fn good(self, text: impl Display) -> String {
        self.styled("32", text)
    }

    fn styled(self, style: &str, text: impl Display) -> String {
        if self.colour {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

/// Prints to the standard error. Nothing can be done if that fails.
pub fn complain(text: impl Display) {
    _ = writeln!(io::stderr(), "{text}");
}

/// Rows as lines, their columns below each other.
#[must_use]
pub fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["a".to_owned(), "b".to_owned()], ["ccç".to_owned(), String::new()]];
        assert_eq!(table(&rows), ["a    b", "ccç"]);
    }

    #[test]
    fn a_pipe_gets_no_colour() {
        let terminal = Terminal {
            output: true,
            colour: Colour::OnTerminals,
            ..Terminal::default()
        };
        assert_eq!(Output::new(terminal).dim("a"), "\u{1b}[2ma\u{1b}[0m");
        for plain in [
            Terminal {
                output: false,
                ..terminal
            },
            Terminal {
                colour: Colour::Never,
                ..terminal
            },
        ] {
            assert_eq!(Output::new(plain).dim("a"), "a");
        }
    }
}
