//! Whether an utterance is another trade's business: evidence for the fallback `outOfScope`.

use frontdesk_domain::confidence::Confidence;
use frontdesk_matching::language::Language;
use tracing::warn;

use crate::{company::Tenant, flow::CallFlow, settings, turn::Turn};

/// Whether a template of another trade clears its threshold, and by more than this company's own best candidate.
///
/// A template belongs to another trade if this company does not use it, its trade is none of the company's, and
/// nobody uses it who lacks its trade: a template that companies share across trades says nothing about a trade.
pub(crate) async fn claims(flow: &CallFlow, tenant: &Tenant, turn: &Turn<'_>, own_best: Confidence) -> bool {
    if turn.normalized().is_empty() {
        return false;
    }
    let catalogue = match tokio::time::timeout(settings::STORE_DEADLINE, flow.store().catalogue()).await {
        Ok(Ok(catalogue)) => catalogue,
        Ok(Err(error)) => {
            warn!(company.id = %tenant.id(), error = &error as &dyn std::error::Error, "other trades' templates cannot be read");
            return false;
        }
        Err(_) => return false,
    };
    let company = &tenant.settings.company;
    let language = Language::of_tag(&company.voice.language);
    let uses = |template| {
        company
            .template_references
            .iter()
            .any(|reference| reference.template == template)
    };
    catalogue
        .of_one_trade()
        .filter(|entry| !uses(entry.template.id) && !company.trades.contains(&entry.trade))
        .take(settings::FOREIGN_TEMPLATES)
        .any(|entry| {
            let threshold = entry
                .template
                .tier1_threshold
                .unwrap_or(Confidence::clamped(settings::TIER1_THRESHOLD));
            let compiled = flow.pieces().template(&entry.template, language);
            let best = compiled.best(turn.normalized());
            best.is_some_and(|best| best.confidence >= threshold && best.confidence > own_best)
        })
}
