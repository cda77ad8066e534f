//! The parts that only the program knows: its disk, its clock, and what one process judges for all.

use std::{path::Path, sync::Arc, time::Duration};

use frontdesk_domain::{alert::Notifier, clock::Clock, ids::CompanyId};
use frontdesk_server::health::Check;
use frontdesk_store::{cache::CachedStore, leader::Leadership, ports::Backend};

mod budgets;
mod clock;
mod disk;
mod fallbacks;

pub(crate) use self::clock::{APART as CLOCK_APART, FAR_APART as CLOCK_FAR_APART};
use self::{budgets::BudgetCheck, clock::ClockCheck, disk::DiskCheck, fallbacks::FallbackRateCheck};

/// How often one process judges the companies for all.
const JUDGED: Duration = Duration::from_secs(30);

/// An alert that stands for something that lasts is raised again so often, so that it is seen to last.
const LASTS: Duration = Duration::from_mins(10);

/// Shows how many companies it is.
fn show(name: &'static str, companies: usize) {
    metrics::gauge!(name).set(f64::from(u32::try_from(companies).unwrap_or(u32::MAX)));
}

/// What the checks of this program need.
pub struct Surroundings {
    /// Where the calls are.
    pub store: Arc<dyn Backend>,
    /// The settings of the companies.
    pub cached: Arc<CachedStore>,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whether this process judges for all.
    pub leadership: Leadership,
}

/// The checks of this program. `folder` is where it keeps its data.
#[must_use]
pub fn checks(folder: &Path, around: &Arc<Surroundings>) -> Vec<Arc<dyn Check>> {
    vec![
        Arc::new(DiskCheck::new(folder)),
        Arc::new(ClockCheck::new(Arc::clone(around))),
        Arc::new(FallbackRateCheck::new(Arc::clone(around))),
        Arc::new(BudgetCheck::new(Arc::clone(around))),
    ]
}

impl Surroundings {
    /// The name of a company, for messages; its id where that cannot be read.
    async fn name(&self, company: CompanyId) -> String {
        let settings = self.cached.settings(company).await.ok().flatten();
        settings.map_or_else(|| company.to_string(), |settings| settings.company.name.to_string())
    }
}
