//! `frontdesk budget`: what the LLM may cost and did.

use anyhow::{Result, bail};
use frontdesk_domain::money::PicoUsd;
use serde_json::{Value, json};

use super::{
    Context,
    companies::{self, Company},
    runtime,
};
use crate::{
    admin::{Admin, text},
    cli::{BudgetArguments, BudgetCommand},
    output::table,
    wiring,
};

pub(super) fn run(context: &Context, arguments: &BudgetArguments) -> Result<()> {
    match &arguments.command {
        BudgetCommand::Show(arguments) => {
            let admin = context.admin(&arguments.server)?;
            runtime()?.block_on(show(context, &admin, arguments.company.as_deref(), arguments.json))
        }
        BudgetCommand::Set(arguments) => {
            let admin = context.admin(&arguments.server)?;
            runtime()?.block_on(set(context, &admin, &arguments.company, arguments.amount))
        }
        BudgetCommand::Reset(arguments) => {
            let admin = context.admin(&arguments.server)?;
            runtime()?.block_on(reset(context, &admin, arguments.company.as_deref()))
        }
        BudgetCommand::Verify => runtime()?.block_on(verify(context)),
    }
}

async fn wanted(admin: &Admin, name: Option<&str>) -> Result<Vec<Company>> {
    let all = companies::all(admin).await?;
    match name {
        None => Ok(all),
        Some(name) => Ok(vec![companies::find(&all, name)?]),
    }
}

async fn show(context: &Context, admin: &Admin, name: Option<&str>, as_json: bool) -> Result<()> {
    let mut budgets = Vec::new();
    for company in wanted(admin, name).await? {
        let budget = admin.get(&format!("/api/v1/companies/{}/budget", company.id)).await?;
        budgets.push((company, budget));
    }
    if as_json {
        for (company, budget) in budgets {
            let mut line = json!({ "companyId": company.id, "name": company.name });
            if let (Some(line), Some(budget)) = (line.as_object_mut(), budget.as_object()) {
                line.extend(budget.clone());
            }
            context.output.line(line)?;
        }
        return Ok(());
    }
    let head = [
        "company",
        "month",
        "limit $",
        "spent $",
        "held $",
        "available $",
        "runs out",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(budgets.iter().map(|(company, budget)| row(company, budget)));
    for line in table(&rows) {
        context.output.line(line)?;
    }
    Ok(())
}

fn row(company: &Company, budget: &Value) -> [String; 7] {
    let field = |name: &str| text(budget, name).to_owned();
    let forecast = match budget.get("forecast").and_then(Value::as_str) {
        Some(day) => day.to_owned(),
        None => "not this month".to_owned(),
    };
    [
        company.name.clone(),
        field("month"),
        field("limit"),
        field("spent"),
        field("held"),
        field("available"),
        forecast,
    ]
}

async fn set(context: &Context, admin: &Admin, name: &str, amount: PicoUsd) -> Result<()> {
    let company = companies::find(&companies::all(admin).await?, name)?;
    let path = format!("/api/v1/companies/{}", company.id);
    let document = admin.get(&path).await?;
    let rev = document.get("rev").and_then(Value::as_u64).unwrap_or_default();
    let patch = json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": amount } } });
    admin.patch(&path, rev, &patch).await?;
    context.output.line(format_args!(
        "the LLM may cost {} {amount} USD a month; the next question counts by it",
        company.name
    ))?;
    show(context, admin, Some(&company.id), false).await
}

/// The month is a key of the ledger: a new one begins by itself. What is left to do is to let every instance read the
/// companies anew, and to say so.
async fn reset(context: &Context, admin: &Admin, name: Option<&str>) -> Result<()> {
    for company in wanted(admin, name).await? {
        let path = format!("/api/v1/companies/{}", company.id);
        let document = admin.send("PATCH", &path, &json!({})).await?;
        let began = document
            .pointer("/aiAgentLogic/templateGatekeeper/lastResetDate")
            .and_then(Value::as_str)
            .unwrap_or("an unknown time");
        context.output.line(format_args!(
            "{}: the month that counts began at {began}; its caches are dropped",
            company.name
        ))?;
    }
    Ok(())
}

async fn verify(context: &Context) -> Result<()> {
    let audit = wiring::audit(&context.config()?).await?;
    for drift in &audit.drifts {
        context.output.line(
            context
                .output
                .bad(format_args!("{} {}: {}", drift.account, drift.month, drift.detail)),
        )?;
    }
    let (entries, months) = (audit.entries, audit.months);
    if !audit.drifts.is_empty() {
        bail!(
            "{} of the figures of {months} months are not what {entries} entries add up to",
            audit.drifts.len()
        );
    }
    context.output.line(format_args!(
        "{entries} entries in {months} months of accounts: every sum and every amount is what its entries, tokens and prices make"
    ))?;
    Ok(())
}
