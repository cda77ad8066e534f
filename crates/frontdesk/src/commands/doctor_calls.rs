//! What `frontdesk doctor` asks a running server: why callers hear fallbacks, why the LLM is silent, why a budget is used
//! up, why calls do not arrive, why turns are slow. Each with its numbers and a command.

use anyhow::Result;
use frontdesk_domain::money::PicoUsd;
use serde_json::Value;

use super::{
    companies,
    report::{Company, Evidence, TURNS, count, list, percent, usd},
};
use crate::{
    admin::{Admin, text},
    readiness::Finding,
};

/// Fallbacks of what was asked that are too many, in percent (the alert's own bound).
const FALLBACKS: u64 = 15;

/// Decisions without the LLM should take no longer at their 99th percentile, in microseconds (DESIGN 1).
const DECISION: u64 = 50_000;

/// A turn may take so long with the LLM, in microseconds (DESIGN 1).
const TURN: u64 = 4_000_000;

/// So many companies are asked one by one; of more, `frontdesk report` says which to look at.
const COMPANIES: usize = 100;

/// What a running server says of its calls in the last 7 days.
pub(super) async fn ask(admin: &Admin) -> Result<Vec<Finding>> {
    let mut all = match companies::all(admin).await {
        Ok(all) => all,
        // That there are no companies is said elsewhere.
        Err(error) if error.downcast_ref::<crate::admin::AdminError>().is_none() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let more = all.len().saturating_sub(COMPANIES);
    all.truncate(COMPANIES);
    let evidence = Evidence::gather(admin, &all, 7).await?;
    let mut found = arrivals(&evidence);
    found.extend(llm(&evidence));
    for company in &evidence.companies {
        found.extend(fallbacks(company, &evidence));
        found.extend(budget(company));
        found.extend(slow(company));
    }
    if more > 0 {
        found.push(Finding::warning(
            format!("{more} more companies were not looked at one by one"),
            "`frontdesk report --week` judges all of them",
        ));
    }
    if found.is_empty() {
        let asked: u64 = evidence
            .companies
            .iter()
            .map(|company| count(&company.week, "/asked"))
            .sum();
        found.push(Finding::fine(format!(
            "nothing is wrong with the calls of the last 7 days ({asked} questions)"
        )));
    }
    Ok(found)
}

fn open<'e>(evidence: &'e Evidence, code: &'e str) -> impl Iterator<Item = &'e Value> {
    let notifications = evidence.notifications.iter();
    notifications.filter(move |one| text(one, "code") == code && text(one, "state") != "resolved")
}

fn name_of<'e>(evidence: &'e Evidence, notification: &'e Value) -> &'e str {
    let id = text(notification, "companyId");
    let found = evidence.companies.iter().find(|company| company.id() == id);
    match (found, id) {
        (Some(company), _) => &company.name,
        (None, "") => "an unknown company",
        (None, id) => id,
    }
}

/// Calls that do not arrive.
fn arrivals(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for refused in open(evidence, "PRODUCTION_AI_SIGNATURE_REJECTED") {
        let detail = |name: &str| refused.pointer(&format!("/details/{name}")).and_then(Value::as_str);
        let expected = detail("expectedUrl").unwrap_or("an address that is not known");
        let signed = detail("signedUrl").map_or_else(String::new, |url| format!(", Twilio signed {url}"));
        found.push(Finding::failure(
            format!(
                "{} webhooks of {} were refused, the last at {}: {expected} was expected{signed}",
                count(refused, "/count"),
                name_of(evidence, refused),
                text(refused, "lastAt"),
            ),
            detail("likelyFix").unwrap_or("`frontdesk doctor --twilio` tests each company's signature"),
        ));
    }
    for unknown in open(evidence, "PRODUCTION_AI_COMPANY_NOT_FOUND") {
        found.push(Finding::failure(
            format!(
                "{} webhooks named a company that is not here, the last at {}: {}",
                count(unknown, "/count"),
                text(unknown, "lastAt"),
                text(unknown, "message"),
            ),
            "enter the webhook address that this command prints for the company at Twilio, under the number",
        ));
    }
    let quiet = evidence.companies.iter();
    let quiet =
        quiet.filter(|company| text(&company.document, "status") == "active" && count(&company.week, "/turns") == 0);
    let names: Vec<&str> = quiet.map(|company| company.name.as_str()).collect();
    if let Some(first) = names.first() {
        let others = match names.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} others"),
        };
        found.push(Finding::warning(
            format!("no call of {first}{others} has arrived in 7 days"),
            "if there should be some: `frontdesk doctor --twilio` prints a signed request to try",
        ));
    }
    found
}

fn llm(evidence: &Evidence) -> Option<Finding> {
    let health = evidence.llm.as_ref()?;
    let status = text(health, "status");
    if status == "ok" {
        return None;
    }
    let cause = health
        .get("cause")
        .and_then(Value::as_str)
        .unwrap_or("no cause is known");
    let skipped: u64 = ["circuit_open", "suspect"]
        .into_iter()
        .map(|reason| {
            let companies = evidence.companies.iter();
            let pointer = format!("/llm/skipped/{reason}");
            companies.map(|company| count(&company.week, &pointer)).sum::<u64>()
        })
        .sum();
    Some(Finding::warning(
        format!(
            "the LLM {} at {} is {status}: {cause}; {skipped} turns of the last 7 days were not asked because of that",
            text(health, "model"),
            text(health, "endpoint"),
        ),
        "check OPENAI_API_KEY (or FRONTDESK_LLM__API_KEY), the account's quota and the provider's status page; \
         POST /api/v1/llm/test-connection asks it at once. Until it answers, fallbacks do",
    ))
}

/// Many fallbacks, with their causes and counts.
fn fallbacks(company: &Company, evidence: &Evidence) -> Option<Finding> {
    let week = &company.week;
    let (bad, asked) = (count(week, "/fallbacks"), count(week, "/asked"));
    if asked < TURNS || bad * 100 <= asked * FALLBACKS {
        return None;
    }
    let mut causes = Vec::new();
    let mut remedies = Vec::new();
    let id = company.id();
    let references = company.document.pointer("/aiAgentSettings/templateReferences");
    if references.and_then(Value::as_array).is_none_or(Vec::is_empty) {
        causes.push("it uses no template".to_owned());
        remedies.push(format!(
            "add some: PATCH /api/v1/companies/{id} aiAgentSettings.templateReferences"
        ));
    }
    let reasons = week.get("fallbacksWithoutLlm").and_then(Value::as_object);
    for (reason, turns) in reasons.into_iter().flatten() {
        let why = match reason.as_str() {
            "no_words" => continue,
            "disabled" => "the LLM is switched off for it",
            "budget" => "its budget is used up",
            "circuit_open" | "suspect" => "the LLM was down",
            "no_model" if evidence.llm.is_none() => "no LLM is configured",
            other => other,
        };
        causes.push(format!("{turns} while {why}"));
        if reason == "budget" {
            remedies.push(format!("`frontdesk budget set --company {id} USD`"));
        }
    }
    let failed = count(week, "/llm/failed");
    if failed > 0 {
        causes.push(format!("{failed} times the LLM failed or was too late"));
    }
    let said = list(week, "unmatched").iter().take(3);
    let said: Vec<_> = said
        .map(|group| format!("\"{}\" {}×", text(group, "words"), count(group, "/turns")))
        .collect();
    if !said.is_empty() {
        causes.push(format!("nothing matched {}", said.join(", ")));
        remedies.push(format!(
            "add scenarios for these; all of them: GET /api/v1/companies/{id}/analytics"
        ));
    }
    let best = list(week, "whatIf").iter().max_by_key(|line| count(line, "/fallbacks"));
    if let Some(line) = best.filter(|line| count(line, "/fallbacks") > 0) {
        let number = |name: &str| line.get(name).map(ToString::to_string).unwrap_or_default();
        causes.push(format!(
            "{} candidates of {} were below {} and would reach {}",
            count(line, "/fallbacks"),
            text(line, "step"),
            number("threshold"),
            number("instead"),
        ));
        remedies.push(format!("`frontdesk tune --company {id} --labels FILE --max-wrong 3%`"));
    }
    Some(Finding::warning(
        format!(
            "{}: {} of what was asked in 7 days ended in a fallback ({bad} of {asked}): {}",
            company.name,
            percent(bad, asked),
            causes.join("; "),
        ),
        remedies.join("; "),
    ))
}

fn budget(company: &Company) -> Option<Finding> {
    let (limit, left) = (usd(&company.budget, "/limit"), usd(&company.budget, "/available"));
    let refused = count(&company.week, "/llm/skipped/budget");
    if limit <= PicoUsd::ZERO || (left > PicoUsd::ZERO && refused == 0) {
        return None;
    }
    let dear = list(&company.week, "spendByMissingScenario").iter().take(3);
    let dear: Vec<_> = dear
        .map(|group| format!("\"{}\": {}", text(group, "words"), text(group, "advice")))
        .collect();
    let paid = if dear.is_empty() {
        String::new()
    } else {
        format!("; paid most for {}", dear.join(", "))
    };
    Some(Finding::warning(
        format!(
            "{}: ${} of ${limit} are spent in {}, and {refused} turns of the last 7 days were refused the LLM for it{paid}",
            company.name,
            text(&company.budget, "spent"),
            text(&company.budget, "month"),
        ),
        format!(
            "`frontdesk budget set --company {} USD` raises it; or add these scenarios; or switch off enableLLMFallback until the month ends",
            company.id()
        ),
    ))
}

fn slow(company: &Company) -> Option<Finding> {
    let week = &company.week;
    let at = |which: &str, percentile: &str| count(week, &format!("/latency/{which}/{percentile}Micros"));
    let (local, with_llm) = (at("withoutLlm", "p99"), at("withLlm", "p95"));
    let turns = count(week, "/latency/withoutLlm/turns");
    if turns >= TURNS && local > DECISION {
        return Some(Finding::warning(
            format!(
                "{}: one in a hundred decisions without the LLM takes up to {} ms ({turns} turns in 7 days)",
                company.name,
                local / 1_000
            ),
            "look at the machine's load and at frontdesk_decision_seconds in /metrics; `frontdesk bench` says what this machine can do",
        ));
    }
    (with_llm > TURN).then(|| {
        Finding::warning(
            format!(
                "{}: one in twenty turns with the LLM takes up to {} ms",
                company.name,
                with_llm / 1_000
            ),
            "callers hear a fallback after the deadline: choose a faster model with FRONTDESK_LLM__MODEL, or add scenarios so that it is asked less",
        )
    })
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::time::Timestamp;
    use serde_json::json;

    use super::*;

    fn company(week: Value, budget: Value, document: Value) -> Company {
        Company {
            name: "Acme".to_owned(),
            document,
            budget,
            analytics: json!({}),
            week,
        }
    }

    fn evidence(companies: Vec<Company>, llm: Option<Value>, notifications: Vec<Value>) -> Evidence {
        Evidence {
            now: Timestamp::UNIX_EPOCH,
            days: 7,
            companies,
            llm,
            notifications,
            cache: None,
        }
    }

    #[test]
    fn many_fallbacks_come_with_their_causes_and_counts() {
        let week = json!({ "fallbacks": 16, "asked": 100, "fallbacksWithoutLlm": { "budget": 9, "no_words": 3 },
            "llm": { "failed": 2 }, "unmatched": [{ "words": "solar panels", "turns": 7 }],
            "whatIf": [{ "step": "tier1", "threshold": 0.7, "instead": 0.65, "fallbacks": 4 }] });
        let one = company(
            week,
            json!({}),
            json!({ "_id": "65f1", "aiAgentSettings": { "templateReferences": [] } }),
        );
        let none = evidence(Vec::new(), None, Vec::new());
        let found = fallbacks(&one, &none).unwrap();
        assert_eq!(
            found.text,
            "Acme: 16.0 % of what was asked in 7 days ended in a fallback (16 of 100): it uses no template; 9 while its budget is used up; 2 times the LLM failed or was too late; nothing matched \"solar panels\" 7×; 4 candidates of tier1 were below 0.7 and would reach 0.65"
        );
        assert!(
            found.remedy.contains("frontdesk budget set --company 65f1"),
            "{}",
            found.remedy
        );
        for (bad, asked) in [(15, 100), (10, 19)] {
            let few = company(json!({ "fallbacks": bad, "asked": asked }), json!({}), json!({}));
            assert_eq!(fallbacks(&few, &none), None);
        }
    }

    #[test]
    fn a_refused_webhook_is_told_with_both_addresses_and_the_fix() {
        let refused = json!({ "code": "PRODUCTION_AI_SIGNATURE_REJECTED", "state": "open", "count": 5, "companyId": "65f1",
            "lastAt": "2026-11-27T18:00:00Z", "details": { "expectedUrl": "https://a/x", "signedUrl": "http://a/x",
            "likelyFix": "set FRONTDESK_HTTP__PUBLIC_URL to http://a" } });
        let acme = company(
            json!({ "turns": 1 }),
            json!({}),
            json!({ "_id": "65f1", "status": "active" }),
        );
        let found = arrivals(&evidence(vec![acme.clone()], None, vec![refused.clone()]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].text,
            "5 webhooks of Acme were refused, the last at 2026-11-27T18:00:00Z: https://a/x was expected, Twilio signed http://a/x"
        );
        assert_eq!(found[0].remedy, "set FRONTDESK_HTTP__PUBLIC_URL to http://a");
        let mut over = refused;
        over["state"] = json!("resolved");
        assert_eq!(arrivals(&evidence(vec![acme], None, vec![over])), []);
        let quiet = company(json!({ "turns": 0 }), json!({}), json!({ "status": "active" }));
        let found = arrivals(&evidence(vec![quiet], None, Vec::new()));
        assert_eq!(found[0].text, "no call of Acme has arrived in 7 days");
    }

    #[test]
    fn a_used_up_budget_and_a_silent_llm_and_slow_turns_are_told() {
        let week = json!({ "llm": { "skipped": { "budget": 3, "circuit_open": 4 } },
            "latency": { "withoutLlm": { "p99Micros": 60_000, "turns": 50 }, "withLlm": { "p95Micros": null } } });
        let used = json!({ "limit": "5", "available": "0", "spent": "5", "month": "2026-11" });
        let one = company(week, used, json!({ "_id": "65f1" }));
        assert!(
            budget(&one)
                .unwrap()
                .text
                .starts_with("Acme: $5 of $5 are spent in 2026-11, and 3 turns")
        );
        assert!(slow(&one).unwrap().text.contains("up to 60 ms (50 turns"));
        let down = json!({ "status": "down", "model": "m", "endpoint": "e", "cause": "the key is refused" });
        let found = llm(&evidence(vec![one], Some(down), Vec::new())).unwrap();
        assert!(found.text.contains("the key is refused; 4 turns"), "{}", found.text);
        let well = company(json!({}), json!({ "limit": "5", "available": "1" }), json!({}));
        assert_eq!((budget(&well), slow(&well)), (None, None));
        assert_eq!(
            llm(&evidence(Vec::new(), Some(json!({ "status": "ok" })), Vec::new())),
            None
        );
    }
}
