//! The lines of the checklist, judged.

use std::{collections::BTreeMap, time::Duration};

use frontdesk_domain::{money::PicoUsd, time::Timestamp};
use serde_json::Value;

use super::{
    Company, Evidence, Line,
    evidence::{count, list, percent, usd},
};
use crate::admin::text;

/// Fallbacks of what was asked that are well, in percent (DESIGN 4.9).
const FALLBACKS: u64 = 10;

/// With fewer turns a rate says nothing (DESIGN 4.9).
pub(crate) const TURNS: u64 = 20;

/// Reads that caches should answer, in percent.
const CACHE: u64 = 80;

/// A threshold should be looked at when 0.05 less would have answered so much of what nothing matched, in percent …
const THRESHOLD_SHARE: u64 = 5;

/// … and so many turns.
const THRESHOLD_TURNS: u64 = 5;

/// So many names are listed.
const NAMES: usize = 5;

pub(super) fn weekly(evidence: &Evidence) -> Vec<Line> {
    vec![fallback_rate(evidence), llm(evidence), budgets(evidence)]
}

pub(super) fn monthly(evidence: &Evidence) -> Vec<Line> {
    vec![resets(evidence), alerts(evidence), caches(evidence)]
}

pub(super) fn quarterly(evidence: &Evidence) -> Vec<Line> {
    vec![variations(evidence), tiers(evidence), thresholds(evidence)]
}

/// The first few, and how many more there are.
fn listed(mut items: Vec<String>) -> String {
    let more = items.len().saturating_sub(NAMES);
    items.truncate(NAMES);
    let listed = items.join("; ");
    if more > 0 {
        format!("{listed}; and {more} more")
    } else {
        listed
    }
}

fn fallback_rate(evidence: &Evidence) -> Line {
    const TITLE: &str = "fallbacks below 10 % of what was asked, in 7 days";
    let (mut high, mut judged, mut fallbacks, mut asked) = (Vec::new(), 0, 0, 0);
    let mut worst: Option<(&Company, u64)> = None;
    for company in &evidence.companies {
        let (bad, all) = (count(&company.week, "/fallbacks"), count(&company.week, "/asked"));
        if all < TURNS {
            continue;
        }
        (judged, fallbacks, asked) = (judged + 1, fallbacks + bad, asked + all);
        if bad * 100 >= all * FALLBACKS {
            high.push(format!("{} {} ({bad} of {all})", company.name, percent(bad, all)));
            if worst.is_none_or(|(_, most)| bad > most) {
                worst = Some((company, bad));
            }
        }
    }
    if judged == 0 {
        return Line::unknown(TITLE, format!("no company was asked {TURNS} times"));
    }
    match worst {
        None => Line::ok(TITLE, format!("{} ({fallbacks} of {asked})", percent(fallbacks, asked))),
        Some((company, _)) => Line::look(
            TITLE,
            listed(high),
            format!(
                "`frontdesk doctor` names the causes; what callers said: GET /api/v1/companies/{}/analytics, `unmatched`",
                company.id()
            ),
        ),
    }
}

fn llm(evidence: &Evidence) -> Line {
    const TITLE: &str = "the LLM is green";
    let Some(health) = &evidence.llm else {
        return Line::unknown(TITLE, "no LLM is configured");
    };
    let (status, model) = (text(health, "status"), text(health, "model"));
    let checked = health.pointer("/lastCheck/at").and_then(Value::as_str);
    let checked = checked.map_or_else(|| "not checked yet".to_owned(), |at| format!("checked {at}"));
    if status == "ok" {
        return Line::ok(TITLE, format!("{model}: ok, {checked}"));
    }
    let cause = health
        .get("cause")
        .and_then(Value::as_str)
        .unwrap_or("no cause is known");
    Line::look(
        TITLE,
        format!("{model}: {status}, {checked}; {cause}"),
        "POST /api/v1/llm/test-connection asks it at once and says what to fix",
    )
}

/// What was spent in the last 7 days, and in the 7 before.
fn spent(company: &Company) -> (PicoUsd, PicoUsd) {
    let sum = |days: &[Value]| {
        let costs = days.iter().map(|day| usd(day, "/costUsd"));
        costs.fold(PicoUsd::ZERO, |sum, cost| sum + cost)
    };
    let days = list(&company.analytics, "byDay");
    let (before, last) = days.split_at(days.len().saturating_sub(7));
    let (_, before) = before.split_at(before.len().saturating_sub(7));
    (sum(last), sum(before))
}

fn budgets(evidence: &Evidence) -> Line {
    const TITLE: &str = "budgets last the month";
    let (mut short, mut now, mut before) = (Vec::new(), PicoUsd::ZERO, PicoUsd::ZERO);
    let mut first: Option<&Company> = None;
    let mut budgeted = 0;
    for company in &evidence.companies {
        let (last, earlier) = spent(company);
        (now, before) = (now + last, before + earlier);
        if usd(&company.budget, "/limit") <= PicoUsd::ZERO {
            continue;
        }
        budgeted += 1;
        if let Some(day) = company.budget.get("forecast").and_then(Value::as_str) {
            let (spent, limit) = (text(&company.budget, "spent"), text(&company.budget, "limit"));
            short.push(format!("{} runs out on {day} (${spent} of ${limit})", company.name));
            first = first.or(Some(company));
        }
    }
    let trend = format!("${now} in the last 7 days, ${before} in the 7 before");
    match first {
        None if budgeted == 0 => Line::unknown(TITLE, format!("no company has a budget; {trend}")),
        None => Line::ok(TITLE, trend),
        Some(company) => Line::look(
            TITLE,
            format!("{}; {trend}", listed(short)),
            format!(
                "`frontdesk budget set --company {} USD` raises it; what it was paid for: `spendByMissingScenario` of its analytics",
                company.id()
            ),
        ),
    }
}

fn resets(evidence: &Evidence) -> Line {
    const TITLE: &str = "the month's budgets have begun";
    let known = evidence.companies.iter();
    let known: Vec<_> = known
        .filter_map(|company| Some((company, company.month_is_announced()?)))
        .collect();
    let stale: Vec<_> = known.iter().filter(|(_, announced)| !announced).collect();
    match (stale.first(), known.len()) {
        (_, 0) => Line::unknown(TITLE, "no company says when its month began"),
        (None, all) => Line::ok(TITLE, format!("{all} of {all} companies")),
        (Some((company, _)), all) => Line::look(
            TITLE,
            format!("{} of {all} companies still show another month", stale.len()),
            format!("`frontdesk budget reset --company {}`", company.id()),
        ),
    }
}

fn alerts(evidence: &Evidence) -> Line {
    const TITLE: &str = "no alert keeps coming, in 30 days";
    let since = evidence
        .now
        .checked_sub(Duration::from_hours(24 * 30))
        .unwrap_or(Timestamp::MIN);
    let mut codes: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for notification in &evidence.notifications {
        let last: Option<Timestamp> = text(notification, "lastAt").parse().ok();
        if last.is_none_or(|last| last < since) {
            continue;
        }
        let is_open = text(notification, "state") != "resolved";
        let needs = is_open && text(notification, "severity") != "INFO";
        let entry = codes.entry(text(notification, "code")).or_default();
        *entry = (entry.0 + count(notification, "/count"), entry.1 || needs);
    }
    let mut sorted: Vec<_> = codes.into_iter().collect();
    sorted.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
    let name =
        |(code, (times, open)): &(&str, (u64, bool))| format!("{code} {times}×{}", if *open { ", open" } else { "" });
    let all = listed(sorted.iter().map(name).collect());
    match sorted.iter().find(|(_, (_, open))| *open) {
        None if sorted.is_empty() => Line::ok(TITLE, "there was none"),
        None => Line::ok(TITLE, all),
        Some((code, _)) => Line::look(
            TITLE,
            all,
            format!("GET /api/v1/notifications shows {code} with its details; docs/call-path.md says what to do"),
        ),
    }
}

fn caches(evidence: &Evidence) -> Line {
    const TITLE: &str = "caches answer more than 80 % of reads";
    let Some((hits, all)) = evidence.cache else {
        return Line::unknown(TITLE, "the server that answered has read nothing from its caches yet");
    };
    let shown = format!("{} ({hits} of {all}, since that process began)", percent(hits, all));
    if hits * 100 > all * CACHE {
        return Line::ok(TITLE, shown);
    }
    Line::look(
        TITLE,
        shown,
        "just after a start this is so; else see frontdesk_cache_misses_total by cache in /metrics, and whether settings change all the time",
    )
}

fn variations(evidence: &Evidence) -> Line {
    const TITLE: &str = "fallback variations are not worn out";
    let (mut worn, mut turns, mut repeated) = (Vec::new(), 0, 0);
    let mut first: Option<&Company> = None;
    for company in &evidence.companies {
        let spoken = list(&company.analytics, "fallbackVariations").iter();
        let (all, again) = spoken.fold((0, 0), |(all, again), variation| {
            (
                all + count(variation, "/turns"),
                again + count(variation, "/heardBefore"),
            )
        });
        (turns, repeated) = (turns + all, repeated + again);
        if again > 0 {
            worn.push(format!("{} {again} of {all}", company.name));
            first = first.or(Some(company));
        }
    }
    match first {
        None if turns == 0 => Line::unknown(TITLE, "no company's own words for a fallback were spoken"),
        None => Line::ok(TITLE, format!("none of {turns} was heard twice in a call")),
        Some(company) => Line::look(
            TITLE,
            format!(
                "{repeated} of {turns} were heard before in the same call: {}",
                listed(worn)
            ),
            format!(
                "add variations to aiAgentLogic.fallbackResponses: PATCH /api/v1/companies/{}",
                company.id()
            ),
        ),
    }
}

fn tiers(evidence: &Evidence) -> Line {
    const TITLE: &str = "tiers 1 and 2 answer most of what is asked";
    let sum = |pointer: &str| {
        let companies = evidence.companies.iter();
        companies.map(|company| count(&company.analytics, pointer)).sum::<u64>()
    };
    let (asked, fallbacks) = (sum("/asked"), sum("/fallbacks"));
    let [rules, meaning, llm] = ["/tiers/1", "/tiers/2", "/tiers/3"].map(sum);
    if asked < TURNS {
        return Line::unknown(TITLE, format!("only {asked} turns in {} days", evidence.days));
    }
    let shown = format!(
        "tier 1 {}, tier 2 {}, tier 3 {}, fallback {} of {asked} turns in {} days",
        percent(rules, asked),
        percent(meaning, asked),
        percent(llm, asked),
        percent(fallbacks, asked),
        evidence.days
    );
    if (rules + meaning) * 2 > asked {
        return Line::ok(TITLE, shown);
    }
    Line::look(
        TITLE,
        shown,
        "add scenarios and triggers for what is asked most: `unmatched` and `spendByMissingScenario` of each company's analytics",
    )
}

fn thresholds(evidence: &Evidence) -> Line {
    const TITLE: &str = "thresholds fit what is asked";
    let (mut found, mut kept) = (Vec::new(), 0);
    let mut first: Option<&Company> = None;
    for company in &evidence.companies {
        let missed = count(&company.analytics, "/turnsKept");
        kept += missed;
        let mut steps: BTreeMap<(&str, String), &Value> = BTreeMap::new();
        for line in list(&company.analytics, "whatIf") {
            // The smallest step down comes first.
            let threshold = line.get("threshold").map(ToString::to_string).unwrap_or_default();
            steps.entry((text(line, "step"), threshold)).or_insert(line);
        }
        for ((step, threshold), line) in steps {
            let gained = count(line, "/turns");
            let lower = line.get("instead").map(ToString::to_string).unwrap_or_default();
            if gained >= THRESHOLD_TURNS && gained * 100 >= missed * THRESHOLD_SHARE {
                found.push(format!(
                    "{}: {lower} instead of {threshold} at {step} would have answered {gained} more of {missed} turns",
                    company.name
                ));
                first = first.or(Some(company));
            }
        }
    }
    match first {
        None if kept == 0 => Line::unknown(TITLE, "no turn is kept that nothing matched"),
        None => Line::ok(
            TITLE,
            format!("0.05 less would answer few of {kept} turns that nothing matched"),
        ),
        Some(company) => Line::look(
            TITLE,
            listed(found),
            format!(
                "whether those answers would be right: `frontdesk tune --company {} --labels FILE --max-wrong 3%`",
                company.id()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Verdict, *};

    fn company(name: &str, document: Value, budget: Value, analytics: Value, week: Value) -> Company {
        Company {
            name: name.to_owned(),
            document,
            budget,
            analytics,
            week,
        }
    }

    fn evidence(companies: Vec<Company>) -> Evidence {
        Evidence {
            now: "2026-11-27T12:00:00Z".parse().unwrap(),
            days: 90,
            companies,
            llm: None,
            notifications: Vec::new(),
            cache: None,
        }
    }

    fn verdicts(lines: &[Line]) -> Vec<Verdict> {
        lines.iter().map(|line| line.verdict).collect()
    }

    #[test]
    fn what_nothing_is_known_of_is_unknown_and_not_well() {
        let nothing = evidence(Vec::new());
        assert_eq!(verdicts(&weekly(&nothing)), [Verdict::Unknown; 3]);
        let no_alert = [Verdict::Unknown, Verdict::Ok, Verdict::Unknown];
        assert_eq!(verdicts(&monthly(&nothing)), no_alert);
        assert_eq!(verdicts(&quarterly(&nothing)), [Verdict::Unknown; 3]);
    }

    #[test]
    fn a_week_is_judged_by_its_numbers() {
        let rate = |fallbacks: u64, asked: u64| {
            let week = json!({ "fallbacks": fallbacks, "asked": asked });
            fallback_rate(&evidence(vec![company(
                "Acme",
                json!({ "_id": "65f1" }),
                json!({}),
                json!({}),
                week,
            )]))
        };
        assert_eq!(rate(9, 100).verdict, Verdict::Ok);
        assert_eq!(rate(10, 100).verdict, Verdict::Look, "the seed says below 10 %");
        assert_eq!(rate(10, 19).verdict, Verdict::Unknown, "too few to say");
        assert_eq!(rate(12, 100).evidence, "Acme 12.0 % (12 of 100)");
        let mut known = evidence(Vec::new());
        for (status, want) in [("ok", Verdict::Ok), ("suspect", Verdict::Look), ("down", Verdict::Look)] {
            known.llm = Some(json!({ "status": status, "model": "m" }));
            assert_eq!(llm(&known).verdict, want, "{status}");
        }
        let days: Vec<_> = (0..14)
            .map(|day| json!({ "costUsd": if day < 7 { "0.1" } else { "0.2" } }))
            .collect();
        let month = |forecast: Value| {
            let budget = json!({ "limit": "5", "spent": "4", "forecast": forecast });
            let analytics = json!({ "byDay": days });
            budgets(&evidence(vec![company(
                "Acme",
                json!({ "_id": "65f1" }),
                budget,
                analytics,
                json!({}),
            )]))
        };
        let lasts = month(Value::Null);
        assert_eq!(
            (lasts.verdict, &*lasts.evidence),
            (Verdict::Ok, "$1.4 in the last 7 days, $0.7 in the 7 before")
        );
        let ends = month(json!("2026-11-29"));
        assert_eq!(ends.verdict, Verdict::Look);
        assert!(
            ends.evidence.starts_with("Acme runs out on 2026-11-29 ($4 of $5)"),
            "{}",
            ends.evidence
        );
        assert!(ends.remedy.contains("frontdesk budget set --company 65f1"));
    }

    #[test]
    fn a_month_is_judged_by_its_numbers() {
        let reset = |at: &str| {
            let document = json!({ "_id": "65f1", "timezone": "America/New_York",
                "aiAgentLogic": { "templateGatekeeper": { "lastResetDate": at } } });
            resets(&evidence(vec![company(
                "Acme",
                document,
                json!({ "month": "2026-11" }),
                json!({}),
                json!({}),
            )]))
            .verdict
        };
        assert_eq!(reset("2026-11-01T04:00:00Z"), Verdict::Ok, "midnight there");
        assert_eq!(reset("2026-11-01T03:59:59Z"), Verdict::Look, "still October there");
        let mut known = evidence(Vec::new());
        let alert = |state: &str, severity: &str, at: &str| json!({ "code": "C", "count": 3, "state": state, "severity": severity, "lastAt": at });
        for (alert, want) in [
            (alert("resolved", "CRITICAL", "2026-11-20T00:00:00Z"), Verdict::Ok),
            (alert("open", "INFO", "2026-11-20T00:00:00Z"), Verdict::Ok),
            (alert("open", "CRITICAL", "2026-10-20T00:00:00Z"), Verdict::Ok),
            (alert("acknowledged", "WARNING", "2026-11-20T00:00:00Z"), Verdict::Look),
        ] {
            known.notifications = vec![alert];
            assert_eq!(alerts(&known).verdict, want, "{:?}", known.notifications);
        }
        for (hits, want) in [(80, Verdict::Look), (81, Verdict::Ok)] {
            known.cache = Some((hits, 100));
            assert_eq!(caches(&known).verdict, want, "{hits}");
        }
    }

    #[test]
    fn a_quarter_is_judged_by_its_numbers() {
        let with = |analytics: Value| {
            evidence(vec![company(
                "Acme",
                json!({ "_id": "65f1" }),
                json!({}),
                analytics,
                json!({}),
            )])
        };
        let spoken = |again: u64| with(json!({ "fallbackVariations": [{ "turns": 9, "heardBefore": again }] }));
        assert_eq!(variations(&spoken(0)).verdict, Verdict::Ok);
        assert_eq!(variations(&spoken(1)).verdict, Verdict::Look);
        let answered =
            |rules: u64| with(json!({ "asked": 100, "fallbacks": 10, "tiers": { "1": rules, "2": 20, "3": 5 } }));
        assert_eq!(tiers(&answered(31)).verdict, Verdict::Ok);
        assert_eq!(tiers(&answered(30)).verdict, Verdict::Look);
        let lines = |turns: u64| {
            with(json!({ "turnsKept": 100, "whatIf": [
                { "step": "tier1", "threshold": 0.7, "instead": 0.65, "turns": turns },
                { "step": "tier1", "threshold": 0.7, "instead": 0.6, "turns": 90 },
            ] }))
        };
        assert_eq!(
            thresholds(&lines(4)).verdict,
            Verdict::Ok,
            "only the smallest step is judged"
        );
        let look = thresholds(&lines(5));
        assert_eq!(look.verdict, Verdict::Look);
        assert_eq!(
            look.evidence,
            "Acme: 0.65 instead of 0.7 at tier1 would have answered 5 more of 100 turns"
        );
    }
}
