//! Files that have grown past what is read in one go.

use std::fs;

use anyhow::{Context as _, Result};

use super::sources;
use crate::step::{note, root, say};

const LONG: usize = 500;

/// Lists files of more than 500 lines. It is a warning: some tables are long.
pub(super) fn report() -> Result<()> {
    say(format_args!("listing files of more than {LONG} lines"));
    for folder in ["crates", "xtask"] {
        for path in sources::below(&root().join(folder))? {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let lines = text.lines().count();
            if lines > LONG {
                let shown = path.strip_prefix(root()).unwrap_or(&path);
                note(format_args!("{lines} lines: {}", shown.display()));
            }
        }
    }
    Ok(())
}
