//! Budgets that are nearly or all spent: told until their month ends, or until there is enough again.
//!
//! The call path tells of them at once, at the question that passes four fifths or finds nothing left. What comes without a
//! question (a limit that is lowered, spend that is imported, what another instance has spent, a new month) one process
//! finds for all: it reads what each company has spent this month, and the limits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{Alert, AlertCode},
    health::Hysteresis,
    ids::CompanyId,
    ledger::{Account, Spend},
    money::PicoUsd,
    time::{MonthKey, TimeZone, Timestamp},
};
use frontdesk_server::{
    health::{Check, Concern, Health},
    metrics::{BUDGETS_NEARLY_SPENT, BUDGETS_USED_UP},
};
use frontdesk_store::{
    cache::Settings,
    ports::{Page, StoreError, Unresolved},
};
use serde_json::{Value, json};

use super::{JUDGED, Surroundings, show};

/// So many companies' months are read at once.
const AT_ONCE: usize = 500;

/// No zone is further from UTC: within so long around now lie all months that companies may have.
const FARTHEST_ZONE: Duration = Duration::from_hours(15);

/// A company's month as it is now.
struct Now {
    month: MonthKey,
    /// None: the LLM may not be asked at all, so that nothing is missing.
    limit: Option<PicoUsd>,
    spend: Spend,
}

impl Now {
    fn of(settings: &Settings, month: MonthKey, spend: Spend) -> Self {
        let gatekeeper = &settings.company.gatekeeper;
        let is_asked = gatekeeper.enabled && gatekeeper.llm_enabled;
        Self {
            month,
            limit: gatekeeper.monthly_budget.filter(|_| is_asked),
            spend,
        }
    }
}

/// Whether a part of a limit counts as nearly all of it.
const fn is_nearly(used: i64, limit: PicoUsd) -> bool {
    used >= limit.pico() / 5 * 4
}

/// What there is to tell of a month, and of which limit. A budget of nothing is told of when a question is refused.
fn due(now: &Now) -> Option<(AlertCode, PicoUsd)> {
    let limit = now.limit.filter(|limit| *limit > PicoUsd::ZERO)?;
    if now.spend.spent >= limit {
        Some((AlertCode::BudgetExceeded, limit))
    } else {
        is_nearly(now.spend.spent.pico(), limit).then_some((AlertCode::BudgetWarning, limit))
    }
}

/// The month and limit that an alert told of.
fn told_of(details: &Value) -> (Option<String>, Option<PicoUsd>) {
    let month = details.get("month").and_then(Value::as_str).map(str::to_owned);
    let limit = details.get("limit").cloned();
    (month, limit.and_then(|limit| serde_json::from_value(limit).ok()))
}

/// Whether what was told of a budget holds no longer.
fn is_over(code: AlertCode, told: &Value, now: &Now) -> bool {
    let Some(limit) = now.limit else { return true };
    let (month, told) = told_of(told);
    if month.is_some_and(|month| month != now.month.to_string()) {
        return true;
    }
    let used = now.spend.spent.pico().saturating_add(now.spend.held.pico());
    let is_nearly_spent = is_nearly(used, limit);
    if code == AlertCode::BudgetWarning {
        return !is_nearly_spent;
    }
    // Whoever raised the limit gave an answer, if only a small one; a question that does not fit is told anew.
    let is_raised = told.is_some_and(|told| limit > told) && used < limit.pico();
    is_raised || (limit > PicoUsd::ZERO && !is_nearly_spent)
}

/// What was told of a company's budget last: once a month and limit.
type Told = BTreeMap<(CompanyId, AlertCode), (MonthKey, PicoUsd)>;

/// Companies by what is told of their budgets.
#[derive(Default)]
struct Found {
    used_up: BTreeSet<CompanyId>,
    nearly: BTreeSet<CompanyId>,
}

impl Found {
    fn add(&mut self, code: AlertCode, company: CompanyId) {
        let of_code = if code == AlertCode::BudgetExceeded {
            &mut self.used_up
        } else {
            &mut self.nearly
        };
        of_code.insert(company);
    }
}

/// Which budgets are spent.
pub(super) struct BudgetCheck {
    around: Arc<Surroundings>,
    /// What was told of by this process, which may still be on its way to the store, or was found there. What an operator
    /// has resolved is not told again.
    told: Mutex<Told>,
}

impl BudgetCheck {
    pub(super) fn new(around: Arc<Surroundings>) -> Self {
        Self {
            around,
            told: Mutex::default(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn judged(&self) -> Result<Health, StoreError> {
        let mut found = Found::default();
        self.resolve(&mut found).await?;
        self.raise(&mut found).await?;
        let (spent, nearly) = (found.used_up.len(), found.nearly.len());
        show(BUDGETS_USED_UP, spent);
        show(BUDGETS_NEARLY_SPENT, nearly);
        let detail = format!("{spent} used up, {nearly} above 80 %");
        Ok(if spent > 0 {
            Health::degraded(detail)
        } else {
            Health::well(detail)
        })
    }

    /// Ends what was told of and holds no longer; finds what does.
    async fn resolve(&self, found: &mut Found) -> Result<(), StoreError> {
        let around = &self.around;
        let codes = [AlertCode::BudgetWarning, AlertCode::BudgetExceeded];
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
            match self.now_of(company).await? {
                Some(now) if !is_over(code, &details, &now) => {
                    found.add(code, company);
                    if let (_, Some(limit)) = told_of(&details) {
                        self.told().insert((company, code), (now.month, limit));
                    }
                }
                _ => {
                    around.store.resolve_open(code, Some(company), at).await?;
                    self.told().remove(&(company, code));
                }
            }
        }
        Ok(())
    }

    /// Tells of what nobody was told of yet.
    async fn raise(&self, found: &mut Found) -> Result<(), StoreError> {
        let around = &self.around;
        let at = around.clock.now();
        let months = months_around(at);
        self.told().retain(|_, (month, _)| months.contains(month));
        for month in months {
            let mut after = None;
            loop {
                let page = Page { after, limit: AT_ONCE };
                let spends = around.store.spends(month, page).await?;
                for (company, spend) in &spends {
                    // One that was deleted has no settings, and one that cannot be read keeps no other from being judged.
                    if let Ok(Some(settings)) = around.cached.settings(*company).await
                        && MonthKey::of(at, &settings.company.time_zone) == month
                    {
                        self.judge(&settings, &Now::of(&settings, month, *spend), found);
                    }
                }
                after = spends.last().map(|(company, _)| *company);
                if spends.len() < AT_ONCE {
                    break;
                }
            }
        }
        Ok(())
    }

    fn judge(&self, settings: &Settings, now: &Now, found: &mut Found) {
        let company = settings.company.id;
        let mut told = self.told();
        let Some((code, limit)) = due(now) else {
            told.retain(|(of, _), _| *of != company);
            return;
        };
        found.add(code, company);
        let this = (now.month, limit);
        // Who knows that a question did not fit need not hear that little is left.
        let exceeded = told.get(&(company, AlertCode::BudgetExceeded)) == Some(&this);
        if exceeded || told.insert((company, code), this) == Some(this) {
            return;
        }
        drop(told);
        let (name, month) = (&settings.company.name, now.month);
        let message = if code == AlertCode::BudgetExceeded {
            format!("the LLM budget of {name} for {month} is used up: callers hear answers of tiers 1 and 2 only")
        } else {
            format!("four fifths of the LLM budget of {name} for {month} are spent")
        };
        let Spend { spent, held } = now.spend;
        self.around.notifier.raise(Alert {
            code,
            company: Some(company),
            message,
            details: json!({ "month": month, "limit": limit, "spent": spent, "held": held }),
        });
    }

    /// A company's month; none if there is no such company.
    async fn now_of(&self, company: CompanyId) -> Result<Option<Now>, StoreError> {
        let around = &self.around;
        let Some(settings) = around.cached.settings(company).await? else {
            return Ok(None);
        };
        let month = MonthKey::of(around.clock.now(), &settings.company.time_zone);
        let spend = around.store.spend(Account::Company(company), month).await?;
        Ok(Some(Now::of(&settings, month, spend)))
    }
}

/// The months that it may be where companies are.
fn months_around(at: Timestamp) -> BTreeSet<MonthKey> {
    let ends = [at.checked_sub(FARTHEST_ZONE), at.checked_add(FARTHEST_ZONE)];
    ends.into_iter()
        .flatten()
        .map(|end| MonthKey::of(end, &TimeZone::UTC))
        .collect()
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
        if !self.around.leadership.is_held() {
            show(BUDGETS_USED_UP, 0);
            show(BUDGETS_NEARLY_SPENT, 0);
            return Health::well("another instance judges");
        }
        let judged = self.judged().await;
        judged.unwrap_or_else(|_| Health::degraded("cannot be judged: the store does not answer"))
    }
}

#[cfg(test)]
mod tests;
