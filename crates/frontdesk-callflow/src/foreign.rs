//! Whether an utterance is another trade's business: evidence for the fallback `outOfScope`.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{CandidateKind, TraceCandidate},
    documents::trade::TradeName,
    ids::TemplateId,
};
use frontdesk_matching::{
    Target,
    knowledge::{Knowledge, Parts, Source},
    language::Language,
    rules::Candidate,
};
use frontdesk_store::{cache::Catalogue, ports::StoreError};
use tokio::time::timeout;
use tracing::{error, warn};

use crate::{company::Tenant, flight::Flights, flow::CallFlow, knowledge::CompiledPieces, settings, turn::Turn};

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
    fn is_in(&self, language: &'static Language) -> bool {
        std::ptr::eq(self.language, language)
    }

    fn is_of(&self, catalogue: &Arc<Catalogue>, language: &'static Language) -> bool {
        Arc::ptr_eq(&self.catalogue, catalogue) && self.is_in(language)
    }

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
pub(crate) struct ForeignTemplates {
    kept: Arc<Mutex<Vec<Arc<Foreign>>>>,
    compiling: Flights<(usize, usize), Arc<Foreign>>,
}

impl ForeignTemplates {
    /// The templates of this catalogue. Of many who want them one compiles, and goes on when nobody waits any more.
    pub(crate) async fn compiled(
        &self,
        catalogue: Arc<Catalogue>,
        pieces: &CompiledPieces,
        language: &'static Language,
    ) -> Result<Arc<Foreign>, StoreError> {
        if let Some(kept) = self.find(|foreign| foreign.is_of(&catalogue, language)) {
            return Ok(kept);
        }
        let key = (Arc::as_ptr(&catalogue).addr(), std::ptr::from_ref(language).addr());
        let (pieces, place) = (pieces.clone(), Arc::clone(&self.kept));
        let compiled = self.compiling.join_or_start(key, move || {
            let compiled = Arc::new(Foreign::compile(catalogue, &pieces, language));
            let mut kept = lock(&place);
            kept.retain(|kept| Arc::ptr_eq(&kept.catalogue, &compiled.catalogue) && !kept.is_in(language));
            kept.push(Arc::clone(&compiled));
            compiled
        });
        match compiled.await {
            Ok(foreign) => Ok(Arc::clone(&foreign)),
            Err(source) => Err(StoreError::Unavailable {
                action: "compile other trades' templates",
                source: Box::new(source),
            }),
        }
    }

    /// The templates as they were last compiled.
    pub(crate) fn as_last_known(&self, language: &'static Language) -> Option<Arc<Foreign>> {
        self.find(|foreign| foreign.is_in(language))
    }

    fn find(&self, is_it: impl Fn(&Foreign) -> bool) -> Option<Arc<Foreign>> {
        lock(&self.kept).iter().find(|kept| is_it(kept)).map(Arc::clone)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What another trade's template says of an utterance.
#[derive(Debug, Default)]
pub(crate) struct ForeignMatch {
    /// Whether it is that trade's business.
    pub(crate) holds: bool,
    /// The scenario that says so, for the trace.
    pub(crate) candidates: Vec<TraceCandidate>,
    /// Which catalogue was asked; none if it could not be.
    pub(crate) catalogue: Option<u64>,
}

/// Whether a template of another trade clears its threshold, and by more than this company's own best candidate.
///
/// A template belongs to another trade if this company does not use it, its trade is none of the company's, and
/// nobody uses it who lacks its trade: a template that companies share across trades says nothing about a trade.
pub(crate) async fn claims(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, own_best: Confidence) -> ForeignMatch {
    if turn.normalized().is_empty() {
        return ForeignMatch::default();
    }
    let language = Language::of_tag(&tenant.settings.company.voice.language);
    let foreign = match timeout(settings::CACHE_DEADLINE, flow.companies().foreign(language)).await {
        Ok(Ok(foreign)) => Some(foreign),
        Ok(Err(error)) => {
            warn!(company.id = %tenant.id(), error = &error as &dyn std::error::Error, "other trades' templates cannot be read; what is known of them is asked");
            flow.companies().foreign_as_last_known(language)
        }
        // They are compiled beside the calls after an edit; nobody waits for that.
        Err(_) => flow.companies().foreign_as_last_known(language),
    };
    let Some(foreign) = foreign else {
        return ForeignMatch::default();
    };
    let findings = catch_unwind(AssertUnwindSafe(|| foreign.knowledge.decide(turn.normalized())));
    let Ok(findings) = findings else {
        error!(company.id = %tenant.id(), call.id = %turn.call, "other trades' rules failed on an utterance");
        return ForeignMatch::default();
    };
    let best = findings.equal.first().or_else(|| findings.of(Source::Template).first());
    let claiming = best.filter(|best| best.confidence > own_best && is_another_trades(&foreign, tenant, best));
    let candidates = claiming
        .iter()
        .filter_map(|candidate| match foreign.knowledge.target(candidate)? {
            Target::Scenario { scenario, .. } => Some(TraceCandidate {
                id: scenario.id.shared(),
                kind: CandidateKind::Scenario,
                confidence: candidate.confidence,
            }),
            Target::Qna(_) => None,
        });
    ForeignMatch {
        holds: claiming.is_some(),
        candidates: candidates.collect(),
        catalogue: Some(foreign.catalogue.version()),
    }
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
