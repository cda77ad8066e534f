//! All templates, with those who use them: who asks whether an utterance is another trade's business needs them.

use std::sync::Arc;

use frontdesk_domain::{
    documents::{template::Template, trade::TradeName},
    fnv::fnv1a,
};

use super::documents::SharedDocuments;
use crate::ports::CatalogueSnapshot;

/// All templates. Valid until a template or a company changes.
#[derive(Debug)]
pub struct Catalogue {
    /// The templates in the order of their ids.
    pub entries: Vec<CatalogueEntry>,
    version: u64,
}

/// A template in the catalogue.
#[derive(Debug)]
pub struct CatalogueEntry {
    /// The template; the same `Arc` that its users have.
    pub template: Arc<Template>,
    /// The trade it is for.
    pub trade: TradeName,
    is_of_one_trade: bool,
    rev: u64,
}

/// What tells two catalogues apart: which templates of single trades there are, and in which revision.
fn version_of(entries: &[CatalogueEntry]) -> u64 {
    // Turns are stored with it, so it is the same in every build.
    let listed = entries.iter().filter(|entry| entry.is_of_one_trade);
    fnv1a(listed.flat_map(|entry| {
        let id = entry.template.id.to_string().into_bytes();
        id.into_iter().chain(entry.rev.to_be_bytes())
    }))
}

impl Catalogue {
    pub(super) fn read(shared: &SharedDocuments, snapshot: CatalogueSnapshot) -> Self {
        let entries = snapshot.templates.into_iter().filter_map(|listed| {
            let rev = listed.stored.rev;
            let template = shared.template(listed.id, listed.stored)?.document;
            let trade = TradeName::new(&template.trade);
            let is_of_one_trade = listed.users.iter().all(|trades| trades.contains(&trade));
            Some(CatalogueEntry {
                template,
                trade,
                is_of_one_trade,
                rev,
            })
        });
        let entries: Vec<_> = entries.collect();
        Self {
            version: version_of(&entries),
            entries,
        }
    }

    /// The same for the same templates of single trades in the same revisions.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The templates that only companies of their own trade use: evidence that an utterance is that trade's business.
    pub fn of_one_trade(&self) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.iter().filter(|entry| entry.is_of_one_trade)
    }
}
