//! All templates, with those who use them: who asks whether an utterance is another trade's business needs them.

use std::sync::Arc;

use frontdesk_domain::documents::{template::Template, trade::TradeName};

use super::documents::SharedDocuments;
use crate::ports::CatalogueSnapshot;

/// All templates. Valid until anything in the store changes.
#[derive(Debug)]
pub struct Catalogue {
    /// The templates in the order of their ids.
    pub entries: Vec<CatalogueEntry>,
}

/// A template in the catalogue.
#[derive(Debug)]
pub struct CatalogueEntry {
    /// The template; the same `Arc` that its users have.
    pub template: Arc<Template>,
    /// The trade it is for.
    pub trade: TradeName,
    is_of_one_trade: bool,
}

impl Catalogue {
    pub(super) fn read(shared: &SharedDocuments, snapshot: CatalogueSnapshot) -> Self {
        let entries = snapshot.templates.into_iter().filter_map(|listed| {
            let template = shared.template(listed.id, listed.stored)?.document;
            let trade = TradeName::new(&template.trade);
            let is_of_one_trade = listed.users.iter().all(|trades| trades.contains(&trade));
            Some(CatalogueEntry {
                template,
                trade,
                is_of_one_trade,
            })
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// The templates that only companies of their own trade use: evidence that an utterance is that trade's business.
    pub fn of_one_trade(&self) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.iter().filter(|entry| entry.is_of_one_trade)
    }
}
