//! Writes a document of every shape that calls bring out, for the official SDK to read; `cargo xtask verify` runs it.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;
use frontdesk_testkit::{
    report::{end, say},
    shapes,
};

/// Plays calls with a Frontdesk server until each shape of document was answered once, and writes them to a folder.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// The binary
    #[arg(long, value_name = "PATH")]
    frontdesk: PathBuf,
    /// Where to write `<shape>.xml`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    end(run().map(|line| {
        say(&line);
        true
    }))
}

fn run() -> Result<String> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shapes = runtime.block_on(shapes::collect(&arguments.frontdesk, folder.path()))?;
    fs::create_dir_all(&arguments.out)?;
    for entry in fs::read_dir(&arguments.out)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for shape in &shapes {
        fs::write(arguments.out.join(format!("{}.xml", shape.name)), &shape.xml)?;
    }
    Ok(format!("{} documents in {}", shapes.len(), arguments.out.display()))
}
