//! Whether an utterance is another trade's business: evidence for the fallback `outOfScope`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frontdesk_domain::{confidence::Confidence, documents::trade::TradeName, ids::TemplateId};
use frontdesk_matching::{
    Target,
    knowledge::{Knowledge, Parts, Source},
    language::Language,
    rules::Candidate,
};
use frontdesk_store::{cache::Catalogue, ports::StoreError};
use tracing::warn;

use crate::{company::Tenant, flow::CallFlow, knowledge::CompiledPieces, settings, turn::Turn};

/// The templates of single trades, combined so that one pass asks all of them.
#[derive(Debug)]
pub(crate) struct Foreign {
    catalogue: Arc<Catalogue>,
    language: &'static Language,
    trades: HashMap<TemplateId, (TradeName, Option<Confidence>)>,
    knowledge: Knowledge,
    /// Held so that companies share them.
    _parts: Parts,
}

impl Foreign {
    fn compile(catalogue: Arc<Catalogue>, pieces: &CompiledPieces, language: &'static Language) -> Self {
        let listed = || catalogue.of_one_trade().take(settings::FOREIGN_TEMPLATES);
        let parts = Parts {
            templates: listed()
                .map(|entry| pieces.template(&entry.template, language))
                .collect(),
            ..Parts::default()
        };
        let named = |template: TemplateId, trade: &TradeName, threshold| (template, (trade.clone(), threshold));
        let trades = listed()
            .map(|entry| named(entry.template.id, &entry.trade, entry.template.tier1_threshold))
            .collect();
        Self {
            language,
            trades,
            knowledge: Knowledge::new(&parts, language),
            _parts: parts,
            catalogue,
        }
    }
}

/// Keeps the combined templates until the catalogue changes.
#[derive(Default)]
pub(crate) struct ForeignTemplates(Mutex<Vec<Arc<Foreign>>>);

impl ForeignTemplates {
    pub(crate) async fn compiled(
        &self,
        catalogue: Arc<Catalogue>,
        pieces: &CompiledPieces,
        language: &'static Language,
    ) -> Result<Arc<Foreign>, StoreError> {
        let is_it = |foreign: &Arc<Foreign>| {
            Arc::ptr_eq(&foreign.catalogue, &catalogue) && std::ptr::eq(foreign.language, language)
        };
        if let Some(kept) = self.kept().iter().find(|kept| is_it(kept)) {
            return Ok(Arc::clone(kept));
        }
        let (pieces, of) = (pieces.clone(), Arc::clone(&catalogue));
        let compiled = tokio::task::spawn_blocking(move || Arc::new(Foreign::compile(of, &pieces, language))).await;
        let compiled = compiled.map_err(|source| StoreError::Unavailable {
            action: "compile other trades' templates",
            source: Box::new(source),
        })?;
        let mut kept = self.kept();
        kept.retain(|kept| Arc::ptr_eq(&kept.catalogue, &catalogue) && !is_it(kept));
        kept.push(Arc::clone(&compiled));
        Ok(compiled)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<Foreign>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a template of another trade clears its threshold, and by more than this company's own best candidate.
///
/// A template belongs to another trade if this company does not use it, its trade is none of the company's, and
/// nobody uses it who lacks its trade: a template that companies share across trades says nothing about a trade.
pub(crate) async fn claims(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, own_best: Confidence) -> bool {
    if turn.normalized().is_empty() {
        return false;
    }
    let language = Language::of_tag(&tenant.settings.company.voice.language);
    let foreign = match tokio::time::timeout(settings::STORE_DEADLINE, flow.companies().foreign(language)).await {
        Ok(Ok(foreign)) => foreign,
        Ok(Err(error)) => {
            warn!(company.id = %tenant.id(), error = &error as &dyn std::error::Error, "other trades' templates cannot be read");
            return false;
        }
        Err(_) => return false,
    };
    let findings = foreign.knowledge.decide(turn.normalized());
    let best = findings.equal.first().or_else(|| findings.of(Source::Template).first());
    best.is_some_and(|best| best.confidence > own_best && is_another_trades(&foreign, tenant, best))
}

fn is_another_trades(foreign: &Foreign, tenant: &Tenant, candidate: &Candidate) -> bool {
    let Some(Target::Scenario { template, .. }) = foreign.knowledge.target(candidate) else {
        return false;
    };
    let Some((trade, threshold)) = foreign.trades.get(template) else {
        return false;
    };
    let company = &tenant.settings.company;
    let uses = company
        .template_references
        .iter()
        .any(|reference| reference.template == *template);
    let threshold = threshold.unwrap_or(Confidence::clamped(settings::TIER1_THRESHOLD));
    !uses && !company.trades.contains(trade) && candidate.confidence >= threshold
}
