//! `frontdesk serve`: until it is stopped.

use anyhow::{Context as _, Result};
use tracing::{Level, info};

use super::Context;
use crate::{
    cli::ServeArguments,
    wiring::{self, log, open_files, stop_signal},
};

pub(super) fn run(mut context: Context, arguments: &ServeArguments) -> Result<()> {
    context
        .origins
        .set("http.listen", "--listen", arguments.listen.as_ref());
    context
        .origins
        .set("http.public_url", "--public-url", arguments.public_url.as_ref());
    context
        .origins
        .set("log.format", "--log-format", arguments.log_format.as_ref());
    let config = context.config()?;
    let _log = log::start(config.log_format, context.terminal, Level::INFO).context("cannot start the log")?;
    open_files::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let running = wiring::start(&config, arguments.demo).await?;
        let signal = stop_signal().await?;
        info!(
            signal,
            "{signal}: calls that are being answered are finished, then frontdesk ends"
        );
        running.stop().await;
        Ok(())
    })
}
