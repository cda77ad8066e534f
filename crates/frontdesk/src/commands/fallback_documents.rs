//! `frontdesk fallback-documents`: what Twilio does when Frontdesk itself is gone, as files for any web host.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{Context, runtime};
use crate::{cli::FallbackArguments, config::Config, output::complain, wiring};

/// How often `--watch` looks for changes.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The ending of the files.
const ENDING: &str = "xml";

pub(super) fn run(context: &Context, arguments: &FallbackArguments) -> Result<()> {
    let config = context.config()?;
    let folder = &arguments.out;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let runtime = runtime()?;
    let written = runtime.block_on(write_all(&config, folder))?;
    context.output.line(format_args!(
        "{} files are in {}, {} of them changed",
        written.files,
        folder.display(),
        written.changed
    ))?;
    context.output.line(format_args!(
        "put them on a web host of another provider, and enter the URL of each company's ID.xml at Twilio as the fallback URL of its numbers, method GET"
    ))?;
    if !arguments.watch {
        return Ok(());
    }
    complain(format_args!(
        "watching for changes, every {} seconds; stop with Ctrl-C",
        LOOK_EVERY.as_secs()
    ));
    loop {
        thread::sleep(LOOK_EVERY);
        // What cannot be read now is tried again: the files that are there still hold.
        match runtime.block_on(write_all(&config, folder)) {
            Ok(written) if written.changed > 0 => complain(format_args!("{} files changed", written.changed)),
            Ok(_) => {}
            Err(error) => complain(format_args!("not brought up to date: {error:#}")),
        }
    }
}

struct Written {
    files: usize,
    changed: usize,
}

/// Writes the files of each company, and removes those of companies that are gone.
async fn write_all(config: &Config, folder: &Path) -> Result<Written> {
    let documents = wiring::fallback_documents(config).await?;
    let mut changed = 0;
    let mut kept = BTreeSet::new();
    for (name, document) in &documents {
        let path = folder.join(name);
        if replace(&path, document).with_context(|| format!("cannot write {}", path.display()))? {
            changed += 1;
        }
        kept.insert(path);
    }
    for path in ours_in(folder)? {
        if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            changed += 1;
        }
    }
    Ok(Written {
        files: documents.len(),
        changed,
    })
}

/// Writes a file at one go, if it would change: a web host never serves half of it.
fn replace(path: &Path, document: &str) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|there| there == document.as_bytes()) {
        return Ok(false);
    }
    let new = path.with_extension("new");
    fs::write(&new, document)?;
    fs::rename(&new, path)?;
    Ok(true)
}

/// The files in the folder that are named by a company's id; other files are not touched.
fn ours_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let is_id = |name: &str| name.parse::<frontdesk_domain::ids::CompanyId>().is_ok();
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let has_id = is_id(name.split('-').next().unwrap_or_default());
        if has_id && path.extension() == Some(OsStr::new(ENDING)) {
            found.push(path);
        }
    }
    Ok(found)
}
