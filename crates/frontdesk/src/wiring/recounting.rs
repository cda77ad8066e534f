//! Counting the stored turns again.

use std::collections::BTreeSet;

use anyhow::Result;
use frontdesk_domain::ids::CompanyId;
use frontdesk_store::recount::{self, Range, Recount};

use super::open_existing;
use crate::config::Config;

/// Counts the turns in the configured store again, of one company or of all that have records, and corrects what says
/// something else; a server may run on the store.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn recount(config: &Config, company: Option<CompanyId>, range: Range) -> Result<Recount> {
    let store = open_existing(config).await?;
    let companies = match company {
        Some(company) => vec![company],
        None => {
            let keepers = store.record_keepers().await?;
            let kept = keepers.into_iter().map(|keeper| keeper.company);
            let counted = store.counted_companies().await?;
            kept.chain(counted).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    Ok(recount::recount(&*store, &companies, range).await?)
}
