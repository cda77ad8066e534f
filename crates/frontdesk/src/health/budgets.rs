//! Budgets that were told to be nearly or all spent: told until their month ends, or until there is enough again.
//!
//! The call path raises them, at the question that passes four fifths or finds nothing left. Their end comes without a
//! question, so that one process looks for it.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    alert::AlertCode,
    health::Hysteresis,
    ids::CompanyId,
    ledger::{Account, Spend},
    money::PicoUsd,
    time::MonthKey,
};
use frontdesk_server::{
    health::{Check, Concern, Health},
    metrics::{BUDGETS_NEARLY_SPENT, BUDGETS_USED_UP},
};
use frontdesk_store::ports::{StoreError, Unresolved};
use serde_json::Value;

use super::{JUDGED, Surroundings, show};

/// A company's month as it is now.
struct Now {
    month: MonthKey,
    /// None: the LLM may not be asked at all, so that nothing is missing.
    limit: Option<PicoUsd>,
    spend: Spend,
}

/// Whether what was told of a budget holds no longer.
fn is_over(code: AlertCode, told: &Value, now: &Now) -> bool {
    let Some(limit) = now.limit else { return true };
    let month: Option<String> = told.get("month").and_then(Value::as_str).map(str::to_owned);
    if month.is_some_and(|month| month != now.month.to_string()) {
        return true;
    }
    let used = now.spend.spent.pico().saturating_add(now.spend.held.pico());
    let is_nearly_spent = used >= limit.pico() / 5 * 4;
    if code == AlertCode::BudgetWarning {
        return !is_nearly_spent;
    }
    // Whoever raised the limit gave an answer, if only a small one; a question that does not fit is told anew.
    let told: Option<PicoUsd> = told
        .get("limit")
        .and_then(|limit| serde_json::from_value(limit.clone()).ok());
    let is_raised = told.is_some_and(|told| limit > told) && used < limit.pico();
    is_raised || (limit > PicoUsd::ZERO && !is_nearly_spent)
}

/// Which budgets are spent.
pub(super) struct BudgetCheck(Arc<Surroundings>);

impl BudgetCheck {
    pub(super) const fn new(around: Arc<Surroundings>) -> Self {
        Self(around)
    }

    async fn judged(&self) -> Result<Health, StoreError> {
        let around = &self.0;
        let codes = [AlertCode::BudgetWarning, AlertCode::BudgetExceeded];
        let (mut nearly, mut spent) = (0, 0);
        for told in around.store.unresolved(&codes).await? {
            let Unresolved {
                code,
                company: Some(company),
                details,
                ..
            } = told
            else {
                continue;
            };
            let at = around.clock.now();
            let now = self.now_of(company).await?;
            if now.is_none_or(|now| is_over(code, &details, &now)) {
                around.store.resolve_open(code, Some(company), at).await?;
            } else if code == AlertCode::BudgetExceeded {
                spent += 1;
            } else {
                nearly += 1;
            }
        }
        show(BUDGETS_USED_UP, spent);
        show(BUDGETS_NEARLY_SPENT, nearly);
        let detail = format!("{spent} used up, {nearly} above 80 %");
        Ok(if spent > 0 {
            Health::degraded(detail)
        } else {
            Health::well(detail)
        })
    }

    /// A company's month; none if there is no such company.
    async fn now_of(&self, company: CompanyId) -> Result<Option<Now>, StoreError> {
        let around = &self.0;
        let Some(settings) = around.cached.settings(company).await? else {
            return Ok(None);
        };
        let month = MonthKey::of(around.clock.now(), &settings.company.time_zone);
        let gatekeeper = &settings.company.gatekeeper;
        let is_asked = gatekeeper.enabled && gatekeeper.llm_enabled;
        Ok(Some(Now {
            limit: gatekeeper.monthly_budget.filter(|_| is_asked),
            spend: around.store.spend(Account::Company(company), month).await?,
            month,
        }))
    }
}

#[async_trait]
impl Check for BudgetCheck {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: JUDGED,
            hysteresis: Hysteresis::NONE,
            ..Concern::silent("raise monthlyBudget of these companies, or add the scenarios whose lack costs most")
        }
    }

    async fn health(&self) -> Health {
        if !self.0.leadership.is_held() {
            show(BUDGETS_USED_UP, 0);
            show(BUDGETS_NEARLY_SPENT, 0);
            return Health::well("another instance judges");
        }
        let judged = self.judged().await;
        judged.unwrap_or_else(|_| Health::degraded("cannot be judged: the store does not answer"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usd(text: &str) -> PicoUsd {
        serde_json::from_value(json!(text)).unwrap()
    }

    /// Whether what was told of November at a limit of 10 is over, given the limit and the spend now.
    fn check(code: AlertCode, told: &Value, limit: Option<&str>, spent: &str, want: bool) {
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let now = Now {
            month: MonthKey::of(at, &frontdesk_domain::time::TimeZone::UTC),
            limit: limit.map(usd),
            spend: Spend {
                spent: usd(spent),
                held: PicoUsd::ZERO,
            },
        };
        assert_eq!(is_over(code, told, &now), want, "{told} {limit:?} {spent}");
    }

    #[test]
    fn what_was_told_of_a_budget_is_over_with_the_month_or_when_there_is_enough() {
        use AlertCode::{BudgetExceeded as Exceeded, BudgetWarning as Warning};
        let told = json!({ "month": "2026-11", "limit": "10" });
        let of_october = json!({ "month": "2026-10", "limit": "10" });
        check(Warning, &told, Some("10"), "8", false);
        check(Warning, &told, Some("20"), "8", true);
        check(Warning, &of_october, Some("10"), "9", true);
        check(Exceeded, &told, Some("10"), "9.99", false);
        check(Exceeded, &told, Some("11"), "9.99", true);
        check(Exceeded, &told, Some("11"), "11", false);
        check(Exceeded, &told, Some("20"), "10", true);
        check(Exceeded, &told, Some("5"), "10", false);
        check(Exceeded, &of_october, Some("10"), "10", true);
        check(Exceeded, &told, None, "10", true);
        let of_nothing = json!({ "month": "2026-11", "limit": "0" });
        check(Exceeded, &of_nothing, Some("0"), "0", false);
        check(Exceeded, &of_nothing, Some("1"), "0", true);
    }
}
