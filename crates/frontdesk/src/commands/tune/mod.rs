//! `frontdesk tune`: thresholds with which at most so many of a company's answers are wrong.

mod asked;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use frontdesk_matching::evaluation::{
    Labelled,
    ladder::{PLATFORM_THRESHOLDS, Thresholds},
    read_utterances,
    tuning::{Counts, FEWEST_LABELS, Knob, Proposal, propose},
};
use serde_json::{Value, json};

use self::asked::{Asked, Asking};
use super::{Context, companies, runtime};
use crate::{
    admin::{Admin, AdminError},
    cli::TuneArguments,
    output::table,
};

/// Folds are drawn with this seed, so that the same labels give the same proposal.
const SEED: u64 = 0;

/// What was found, as the server measured it.
struct Found {
    name: String,
    proposal: Proposal,
    /// With the thresholds of now.
    before: Counts,
    /// With the proposed ones.
    after: Counts,
    left_out: usize,
}

pub(super) fn run(context: &Context, arguments: &TuneArguments) -> Result<()> {
    let admin = context.admin(&arguments.server)?;
    let labels = labels(&arguments.labels)?;
    let limit = arguments.max_wrong.0;
    runtime()?.block_on(async {
        let company = companies::find(&companies::all(&admin).await?, &arguments.company)?;
        let own: Vec<&Labelled> = labels.iter().filter(|labelled| labelled.company == company.id).collect();
        if own.len() < FEWEST_LABELS {
            bail!(
                "{} of the {} labels are of {} ({}): too few to say anything about a share of a few percent; give at least {FEWEST_LABELS}, better 200",
                own.len(),
                labels.len(),
                company.name,
                company.id
            );
        }
        let path = format!("/api/v1/companies/{}", company.id);
        let document = admin.get(&path).await?;
        let asking = Asking::new(&admin, format!("{path}/route"));
        let found = find(&asking, &document, company.name.clone(), &own, limit).await?;
        let is_kept = found.proposal.holds && found.after.is_within(limit);
        let patch = patch(&found.proposal);
        if arguments.json {
            context.output.line(format_args!("{:#}", as_json(&found, limit, is_kept)))?;
        } else {
            for line in words(&found, limit) {
                context.output.line(line)?;
            }
        }
        match (&patch, arguments.apply) {
            (None, true) => say(context, arguments, "nothing to apply: the thresholds are best as they are"),
            (Some(_), true) if !is_kept => bail!(
                "not applied: more than {:.1} % of the answers were wrong, {}; give more labels, or allow more",
                100.0 * limit,
                if found.proposal.holds {
                    "as the server answers with these thresholds"
                } else {
                    "on labels that the choice did not see"
                }
            ),
            (Some(patch), true) => {
                apply(&admin, &path, &document, patch).await?;
                say(context, arguments, "applied; calls are answered by it from the next turn on")
            }
            (Some(_), false) => say(context, arguments, "nothing was changed; --apply sets these thresholds"),
            (None, false) => Ok(()),
        }
    })
}

fn say(context: &Context, arguments: &TuneArguments, text: &str) -> Result<()> {
    // JSON is one document and nothing else.
    if arguments.json {
        return Ok(());
    }
    Ok(context.output.line(text)?)
}

fn labels(path: &Path) -> Result<Vec<Labelled>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    read_utterances(&text).with_context(|| path.display().to_string())
}

/// Asks for every label with thresholds that nothing clears, so that each step shows its candidate; chooses; then asks
/// again with the thresholds of now and with the chosen ones, so that what is shown is what the server does.
async fn find(asking: &Asking<'_>, document: &Value, name: String, labels: &[&Labelled], limit: f64) -> Result<Found> {
    let mut samples = Vec::new();
    let mut kept = Vec::new();
    let mut seen_now = Vec::new();
    for labelled in labels {
        if let Asked::Sample(sample) = asking.strictly(labelled).await? {
            seen_now.push(asking.decision(labelled, None).await?);
            samples.push(sample);
            kept.push(*labelled);
        }
    }
    let thresholds = in_force(document, &seen_now);
    let proposal = propose(&samples, limit, thresholds, SEED)?;
    let before = seen_now
        .iter()
        .zip(&kept)
        .map(|(decision, labelled)| asked::verdict(decision, labelled));
    let mut after = Vec::new();
    for labelled in &kept {
        let decision = asking.decision(labelled, Some(&proposal.proposed)).await?;
        after.push(asked::verdict(&decision, labelled));
    }
    Ok(Found {
        name,
        before: asked::counts(before),
        after: asked::counts(after),
        left_out: labels.len() - kept.len(),
        proposal,
    })
}

/// The thresholds of now: the company's; where it sets none those that its templates' steps had.
fn in_force(document: &Value, decisions: &[Value]) -> Thresholds {
    let [tier1, tier2] = PLATFORM_THRESHOLDS;
    let own = |pointer: &str| document.pointer(pointer).and_then(Value::as_f64);
    let of_step = |step: &str, platform: f64| asked::usual_threshold(decisions, step).unwrap_or(platform);
    let gatekeeper = "/aiAgentLogic/templateGatekeeper";
    Thresholds {
        company_qna: own("/aiAgentLogic/thresholds/companyQnA").unwrap_or(1.0),
        trade_qna: own("/aiAgentLogic/thresholds/tradeQnA").unwrap_or(1.0),
        tier1: own(&format!("{gatekeeper}/tier1Threshold")).unwrap_or_else(|| of_step("tier1", tier1)),
        tier2: own(&format!("{gatekeeper}/tier2Threshold")).unwrap_or_else(|| of_step("tier2", tier2)),
    }
}

/// The merge patch of what changes; `None` if nothing does.
fn patch(proposal: &Proposal) -> Option<Value> {
    let mut logic = json!({});
    for knob in Knob::ALL.into_iter().filter(|knob| is_moved(proposal, *knob)) {
        let group = match knob {
            Knob::CompanyQna | Knob::TradeQna => "thresholds",
            Knob::Tier1 | Knob::Tier2 => "templateGatekeeper",
        };
        let change = json!({ group: { knob.as_str(): proposal.proposed.get(knob) } });
        frontdesk_domain::documents::merge_patch(&mut logic, &change);
    }
    (logic != json!({})).then(|| json!({ "aiAgentLogic": logic }))
}

fn is_moved(proposal: &Proposal, knob: Knob) -> bool {
    (proposal.now.get(knob) - proposal.proposed.get(knob)).abs() > 1e-9
}

async fn apply(admin: &Admin, path: &str, document: &Value, patch: &Value) -> Result<()> {
    let rev = document.get("rev").and_then(Value::as_u64);
    let rev = rev.context("the server did not say which revision the company has")?;
    match admin.patch(path, rev, patch).await {
        Ok(_) => Ok(()),
        Err(AdminError::Problem { status: 412, .. }) => {
            bail!("not applied: somebody changed the company meanwhile; run this again")
        }
        Err(error) => Err(error.into()),
    }
}

fn words(found: &Found, limit: f64) -> Vec<String> {
    let proposal = &found.proposal;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut lines = vec![format!(
        "{}: {} labels, at most {} of the answers wrong",
        found.name,
        found.before.of,
        percent(limit)
    )];
    if found.left_out > 0 {
        lines.push(format!(
            "  {} more labels are answered by the conversation itself, whatever the thresholds, and left out",
            found.left_out
        ));
    }
    let mut rows = vec![["threshold", "now", "proposed"].map(str::to_owned)];
    rows.extend(Knob::ALL.map(|knob| {
        let of = |value: f64| format!("{value:.2}");
        let proposed = if is_moved(proposal, knob) {
            of(proposal.proposed.get(knob))
        } else {
            "as now".to_owned()
        };
        [knob.as_str().to_owned(), of(proposal.now.get(knob)), proposed]
    }));
    lines.extend(table(&rows));
    lines.push(String::new());
    let row =
        |name: &str, value: &dyn Fn(&Counts) -> String| [name.to_owned(), value(&found.before), value(&found.after)];
    let rows = [
        ["on these labels", "now", "proposed"].map(str::to_owned),
        row("answered", &|counts| counts.answered().to_string()),
        row("rightly", &|counts| counts.right.to_string()),
        row("wrongly", &|counts| counts.wrong.to_string()),
        row("wrong among answered", &|counts| percent(counts.wrong_share().share)),
    ];
    lines.extend(table(&rows));
    lines.push(String::new());
    let held_out = &proposal.held_out;
    lines.push(format!(
        "on labels that the choice did not see (5 folds, 10 times): {} of the answers wrong, {} of all labels answered rightly",
        percent(held_out.wrong.share),
        percent(held_out.right.share)
    ));
    lines.push(format!(
        "how sure that is: with {} labels the true share of wrong answers is below {} with 97.5 %",
        found.before.of,
        percent(held_out.wrong.high)
    ));
    if held_out.wrong.high > limit {
        let needed = if held_out.wrong.share < limit {
            "more labels would tell"
        } else {
            "it is too much"
        };
        lines.push(format!("  that is more than {}: {needed}", percent(limit)));
    }
    if !proposal.holds {
        lines.push("the limit did not hold on labels that the choice did not see: --apply refuses".to_owned());
    }
    lines
}

fn as_json(found: &Found, limit: f64, is_kept: bool) -> Value {
    json!({
        "company": found.name,
        "maxWrong": limit,
        "labels": found.before.of,
        "leftOut": found.left_out,
        "now": found.proposal.now,
        "proposed": found.proposal.proposed,
        "before": found.before,
        "after": found.after,
        "heldOut": found.proposal.held_out,
        "holds": is_kept,
    })
}
