//! `frontdesk dev`: stand-ins for what is not on this machine.

use anyhow::{Context as _, Result};
use frontdesk_llm_double::{Script, serve_until};

use super::{Context, runtime};
use crate::{
    cli::{DevArguments, DevCommand},
    wiring::stop_signal,
};

pub(super) fn run(context: &Context, arguments: &DevArguments) -> Result<()> {
    let DevCommand::Llm(arguments) = &arguments.command;
    let output = context.output;
    runtime()?.block_on(async {
        let served = serve_until(
            arguments.listen,
            Script::default(),
            |double| {
                let base = double.base_url();
                // Whoever reads no output still gets a server.
                _ = output.line(format_args!(
                    "a double of an LLM answers at {base}\n\
                     use it:      FRONTDESK_LLM__BASE_URL={base} FRONTDESK_LLM__MODEL=gpt-6-luna frontdesk serve --demo\n\
                     break it:    curl -d '{{\"mode\":\"hang\"}}' {control}   (status, quota, halfJson, …; GET it for the script in force)\n\
                     its bill:    curl {stats}",
                    control = base.replace("/v1", "/control"),
                    stats = base.replace("/v1", "/stats"),
                ));
            },
            async {
                // A process that cannot listen to signals is ended without them.
                _ = stop_signal().await;
            },
        );
        let stats = served.await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
        output.line(format_args!("{} requests were billed {} pico-USD", stats.calls, stats.billed))?;
        anyhow::Ok(())
    })
}
