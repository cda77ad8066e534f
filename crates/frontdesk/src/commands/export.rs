//! `frontdesk export`: all documents as JSON lines, without secrets.

use std::{
    fs,
    io::{self, Write as _},
};

use anyhow::{Context as _, Result};

use super::{Context, runtime};
use crate::{cli::ExportArguments, output::complain};

pub(super) fn run(context: &Context, arguments: &ExportArguments) -> Result<()> {
    let admin = context.admin(&arguments.server)?;
    let lines = runtime()?.block_on(admin.export())?;
    let Some(path) = &arguments.output else {
        let mut out = io::stdout().lock();
        out.write_all(&lines)?;
        return Ok(out.flush()?);
    };
    fs::write(path, &lines).with_context(|| format!("cannot write {}", path.display()))?;
    let count = lines.split(|&byte| byte == b'\n').count() - 1;
    complain(format_args!(
        "{count} documents are in {}; secrets are not among them",
        path.display()
    ));
    Ok(())
}
