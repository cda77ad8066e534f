//! The reads of the call path: several documents, one state.

use async_trait::async_trait;
use frontdesk_domain::{documents::company::Company, ids::CompanyId};

use super::{MongoStore, changes, companies, failure::within, qnas, singletons, templates};
use crate::ports::{
    CatalogueSnapshot, CompanySnapshot, KnowledgeSnapshot, KnownTemplates, PlatformSnapshot, QnaOwner, Singleton,
    SnapshotStore, StoreError,
};

/// Reads until nobody has written meanwhile: the number of the newest change is the same before and after, and
/// whatever changes what is read here counts that up in the same transaction.
macro_rules! snapshot {
    ($store:expr, $action:expr, |$as_of:ident| $read:expr) => {
        within($action, $store.options.turn_deadline, async {
            let mut $as_of = changes::newest($store).await?;
            loop {
                let read = $read;
                let now = changes::newest($store).await?;
                if now == $as_of {
                    break Ok(read);
                }
                $as_of = now;
            }
        })
    };
}

#[async_trait]
impl SnapshotStore for MongoStore {
    async fn company_snapshot(&self, id: CompanyId) -> Result<CompanySnapshot, StoreError> {
        snapshot!(self, "read a company", |as_of| CompanySnapshot {
            as_of,
            company: companies::find(self, id).await?,
        })
        .await
    }

    async fn knowledge_snapshot(
        &self,
        company: &Company,
        known: &KnownTemplates,
    ) -> Result<KnowledgeSnapshot, StoreError> {
        let references: Vec<_> = company.enabled_templates().collect();
        let own = QnaOwner::Company(company.id);
        let owners: Vec<_> = [own]
            .into_iter()
            .chain(company.trades.iter().cloned().map(QnaOwner::Trade))
            .collect();
        snapshot!(self, "read a company's knowledge", |as_of| {
            let mut found = templates::states(self, &references, known).await?;
            let templates = references.iter().filter_map(|id| Some((*id, found.remove(id)?)));
            let mut sets = qnas::sets(self, &owners).await?.into_iter();
            KnowledgeSnapshot {
                as_of,
                templates: templates.collect(),
                company_qna: sets.next().unwrap_or_default(),
                trade_qna: company.trades.iter().cloned().zip(sets).collect(),
                overlay: singletons::find(self, &Singleton::Overlay(company.id)).await?,
            }
        })
        .await
    }

    async fn platform_snapshot(&self) -> Result<PlatformSnapshot, StoreError> {
        snapshot!(self, "read safety rules and prompts", |as_of| PlatformSnapshot {
            as_of,
            safety: singletons::find(self, &Singleton::Safety).await?,
            prompts: singletons::all_prompts(self).await?,
        })
        .await
    }

    async fn catalogue_snapshot(&self) -> Result<CatalogueSnapshot, StoreError> {
        snapshot!(self, "read all templates", |as_of| CatalogueSnapshot {
            as_of,
            templates: templates::catalogue(self).await?,
        })
        .await
    }
}
