//! Where values come from that are not in process: what instances share, else the store.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{documents::company::Company, ids::CompanyId};

use super::{
    SharedCache,
    floors::Floors,
    off_thread,
    shared::{Look, Wrapped},
};
use crate::{
    ports::{Backend, CompanySnapshot, KnowledgeSnapshot, KnownTemplates, StoreError},
    tasks::TaskSet,
};

pub(super) struct Source {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) sharing: Option<Arc<SharedCache>>,
    pub(super) floors: Arc<Floors>,
    pub(super) tasks: TaskSet,
}

impl Source {
    /// A company's settings, and how much longer they are fresh if others have read them before.
    pub(super) async fn company(&self, id: CompanyId) -> Result<(CompanySnapshot, Option<Duration>), StoreError> {
        let Some(sharing) = &self.sharing else {
            return Ok((self.backend.company_snapshot(id).await?, None));
        };
        let Look { found, epoch } = sharing.company(id, &self.floors).await;
        if let Some(found) = found {
            return Ok((found.snapshot, Some(found.fresh_for)));
        }
        let snapshot = self.backend.company_snapshot(id).await?;
        if let Some(wrapped) = epoch.and_then(|epoch| sharing.wrap_company(id, epoch, &snapshot)) {
            self.keep(sharing, wrapped);
        }
        Ok((snapshot, None))
    }

    /// The same for what the knowledge of a company with these settings is compiled from. `known` templates are left out
    /// unless they have changed.
    pub(super) async fn knowledge(
        &self,
        company: &Arc<Company>,
        known: &KnownTemplates,
    ) -> Result<(KnowledgeSnapshot, Option<Duration>), StoreError> {
        let Some(sharing) = &self.sharing else {
            return Ok((self.backend.knowledge_snapshot(company, known).await?, None));
        };
        let Look { found, epoch } = sharing.knowledge(company, &self.floors).await;
        if let Some(found) = found {
            return Ok((found.snapshot, Some(found.fresh_for)));
        }
        // What is shared is whole: who finds it may know no template.
        let known = if epoch.is_some() { &KnownTemplates::new() } else { known };
        let snapshot = self.backend.knowledge_snapshot(company, known).await?;
        let Some(epoch) = epoch else {
            return Ok((snapshot, None));
        };
        // Templates may be long.
        let (sharing_there, company) = (Arc::clone(sharing), Arc::clone(company));
        let (snapshot, wrapped) = off_thread(move || {
            let wrapped = sharing_there.wrap_knowledge(&company, epoch, &snapshot);
            (snapshot, wrapped)
        })
        .await?;
        if let Some(wrapped) = wrapped {
            self.keep(sharing, wrapped);
        }
        Ok((snapshot, None))
    }

    /// Puts a value where others find it; nobody waits for that.
    fn keep(&self, sharing: &Arc<SharedCache>, wrapped: Wrapped) {
        let sharing = Arc::clone(sharing);
        self.tasks
            .spawn("share a cached value", async move { sharing.keep(wrapped).await });
    }
}
