//! The reads of the call path. A read is one transaction, so that its number and its data are one state.

use async_trait::async_trait;
use frontdesk_domain::{documents::company::Company, ids::CompanyId};
use rusqlite::Connection;

use super::{SqliteStore, changes, companies, qnas, singletons, templates};
use crate::ports::{
    CatalogueSnapshot, CompanySnapshot, KnowledgeSnapshot, KnownTemplates, PlatformSnapshot, QnaOwner, Singleton,
    SnapshotStore, StoreError,
};

#[async_trait]
impl SnapshotStore for SqliteStore {
    async fn company_snapshot(&self, id: CompanyId) -> Result<CompanySnapshot, StoreError> {
        let sealer = self.sealer.clone();
        self.read_for_turn("read a company", move |connection| {
            let as_of = changes::newest(connection)?;
            Ok(CompanySnapshot {
                as_of,
                company: companies::find(connection, id, &sealer)?,
            })
        })
        .await
    }

    async fn knowledge_snapshot(
        &self,
        company: &Company,
        known: &KnownTemplates,
    ) -> Result<KnowledgeSnapshot, StoreError> {
        let id = company.id;
        let references: Vec<_> = company
            .enabled_templates()
            .map(|id| (id, known.get(&id).copied()))
            .collect();
        let trades = company.trades.clone();
        let read = move |connection: &Connection| {
            let as_of = changes::newest(connection)?;
            let mut found = Vec::with_capacity(references.len());
            for (template, known) in references {
                let state = templates::state(connection, template, known)?;
                found.extend(state.map(|state| (template, state)));
            }
            let of_trades = trades.into_iter().map(|trade| {
                let set = qnas::set(connection, &QnaOwner::Trade(trade.clone()))?;
                Ok((trade, set))
            });
            Ok(KnowledgeSnapshot {
                as_of,
                templates: found,
                company_qna: qnas::set(connection, &QnaOwner::Company(id))?,
                trade_qna: of_trades.collect::<rusqlite::Result<_>>()?,
                overlay: singletons::find(connection, &Singleton::Overlay(id))?,
            })
        };
        self.read_for_turn("read a company's knowledge", read).await
    }

    async fn platform_snapshot(&self) -> Result<PlatformSnapshot, StoreError> {
        self.read_for_turn("read safety rules and prompts", |connection| {
            Ok(PlatformSnapshot {
                as_of: changes::newest(connection)?,
                safety: singletons::find(connection, &Singleton::Safety)?,
                prompts: singletons::all_prompts(connection)?,
            })
        })
        .await
    }

    async fn catalogue_snapshot(&self) -> Result<CatalogueSnapshot, StoreError> {
        self.read_for_turn("read all templates", |connection| {
            Ok(CatalogueSnapshot {
                as_of: changes::newest(connection)?,
                templates: templates::catalogue(connection)?,
            })
        })
        .await
    }
}
