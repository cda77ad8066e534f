//! `frontdesk route`: what a caller would hear.

use anyhow::Result;
use serde_json::json;

use super::{Context, companies, runtime, why};
use crate::{admin::text, cli::RouteArguments};

pub(super) fn run(context: &Context, arguments: &RouteArguments) -> Result<()> {
    let admin = context.admin(&arguments.server)?;
    let decision = runtime()?.block_on(async {
        let company = companies::find(&companies::all(&admin).await?, &arguments.company)?;
        let path = format!("/api/v1/companies/{}/route", company.id);
        let question = json!({ "utterance": arguments.words.join(" "), "dryRun": true });
        anyhow::Ok(admin.send("POST", &path, &question).await?)
    })?;
    let output = context.output;
    if arguments.json {
        return Ok(output.line(format_args!("{decision:#}"))?);
    }
    output.line(text(&decision, "response"))?;
    output.line(output.dim(why::line(&decision)))?;
    for line in why::trace(&decision) {
        output.line(output.dim(format_args!("  {line}")))?;
    }
    Ok(())
}
