//! What commands read of the configured store, whether a server runs on it or not.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use frontdesk_callflow::{CallFlow, Deps, meaning::Meanings, shares::AtOnce};
use frontdesk_domain::{clock::Clock, ids::CompanyId};
use frontdesk_store::{
    cache::{CachedStore, KnowledgeDocuments, Settings},
    ports::{Audit, CompanyStore as _, Page, StoreError, StoredCompany},
    queue::{AlertQueue, TurnQueue, TurnQueueOptions},
    system::SystemClock,
    tasks::TaskSet,
};
use secrecy::SecretString;

use super::{
    TASK_DRAIN,
    store::{open_existing, open_store, sealer},
};
use crate::config::Config;

/// The auth token of a company in the configured store, whether a server runs on it or not.
///
/// # Errors
/// There is no such store, it was sealed with another key, or it has no such company.
pub async fn stored_auth_token(config: &Config, company: &str) -> Result<Option<SecretString>> {
    let store = open_existing(config).await?;
    let id: CompanyId = company.parse()?;
    let stored = store
        .company(id)
        .await?
        .ok_or_else(|| anyhow!("the store has no company {company}"))?;
    Ok(stored.secrets.auth_token.or_else(|| config.twilio.auth_token.clone()))
}

/// The ids of all companies, page by page.
async fn all_companies(store: &CachedStore) -> Result<Vec<CompanyId>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let companies = store.companies(Page { after, limit: 100 }).await?;
        let ids: Vec<_> = companies.iter().filter_map(StoredCompany::id).collect();
        let Some(last) = ids.last() else { return Ok(found) };
        after = Some(*last);
        found.extend(ids);
    }
}

/// Every company in the configured store, with what it knows, whether a server runs on the store or not.
///
/// # Errors
/// The store cannot be opened, read or written, or was sealed with another key.
pub async fn inspect(config: &Config) -> Result<Vec<(Arc<Settings>, Arc<KnowledgeDocuments>)>> {
    let backend = open_store(config, Arc::new(sealer(config)?), Arc::new(SystemClock)).await?;
    backend.ping().await?;
    let tasks = TaskSet::new();
    let store = CachedStore::start(backend, &tasks);
    let mut found = Vec::new();
    for id in all_companies(&store).await? {
        if let Some(settings) = store.settings(id).await? {
            let documents = store.knowledge_documents(&settings).await?;
            found.push((settings, documents));
        }
    }
    tasks.shutdown(TASK_DRAIN).await;
    Ok(found)
}

/// Adds up the ledger of the configured store, whether a server runs on it or not.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn audit(config: &Config) -> Result<Audit> {
    let store = open_existing(config).await?;
    Ok(store.audit().await?)
}

/// The files for Twilio's fallback URL of every company in the configured store, by their names, whether a server runs on the
/// store or not.
///
/// # Errors
/// The store cannot be opened or read, or was sealed with another key.
pub async fn fallback_documents(config: &Config) -> Result<Vec<(String, String)>> {
    let sealer = Arc::new(sealer(config)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let backend = open_store(config, Arc::clone(&sealer), Arc::clone(&clock)).await?;
    let tasks = TaskSet::new();
    let store = CachedStore::start(Arc::clone(&backend), &tasks);
    let flow = CallFlow::new(Deps {
        store: Arc::clone(&store),
        turns: TurnQueue::start(Arc::clone(&backend) as _, &tasks, TurnQueueOptions::default()),
        notifier: Arc::new(AlertQueue::start(backend, Arc::clone(&clock), &tasks)),
        sealer,
        clock,
        limits: config.limits,
        // These documents answer whatever was said.
        meanings: Arc::new(Meanings::none()),
        llm: Arc::new(frontdesk_callflow::llm::Llm::none()),
        at_once: AtOnce::default(),
    });
    let mut documents = Vec::new();
    for id in all_companies(&store).await? {
        if let Some(tenant) = flow.tenant(id).await? {
            documents.extend(flow.fallback_files(&tenant));
        }
    }
    tasks.shutdown(TASK_DRAIN).await;
    Ok(documents)
}
