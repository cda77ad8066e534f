//! Which budgets are nearly spent, each told once a month and limit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use frontdesk_domain::{ids::CompanyId, money::PicoUsd, time::MonthKey};

use super::attempt::Report;

/// The month and limit of which each company was warned.
#[derive(Default)]
pub(super) struct BudgetWarnings(Mutex<HashMap<CompanyId, (MonthKey, PicoUsd)>>);

/// That four fifths of a budget are spent.
pub(super) struct BudgetWarning {
    pub(super) month: MonthKey,
    pub(super) limit: PicoUsd,
    pub(super) spent: PicoUsd,
}

impl BudgetWarnings {
    /// The warning that is due after a question, if one is.
    pub(super) fn due(&self, company: CompanyId, report: &Report) -> Option<BudgetWarning> {
        let (month, spend, limit) = report.month?;
        let spent = spend.spent + report.cost;
        if limit <= PicoUsd::ZERO || spent.pico() < limit.pico() / 5 * 4 {
            return None;
        }
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = warned.insert(company, (month, limit));
        (earlier != Some((month, limit))).then_some(BudgetWarning { month, limit, spent })
    }
}
