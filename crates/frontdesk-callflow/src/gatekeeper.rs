//! Step 6: the template gatekeeper. Tier 1 by rules, tier 2 by meaning, tier 3 by the LLM.

use frontdesk_domain::{call_state::Choosable, confidence::Confidence};
use frontdesk_matching::knowledge::Source;

use crate::{
    answer::Answer,
    company::Tenant,
    flow::CallFlow,
    llm::{self, Consulted},
    meaning,
    rules::{RuleFindings, Verdict},
    settings,
    trace::Trace,
    turn::Turn,
};

/// That no step answered, and how close they came.
#[derive(Debug, Clone)]
pub(crate) struct Miss {
    /// A step failed.
    pub(crate) failed: bool,
    /// A candidate was near its threshold, or two together were.
    pub(crate) near: bool,
    /// The confidence of the best candidate.
    pub(crate) best: Confidence,
    /// Two close candidates that nothing decided between.
    pub(crate) close: Option<Vec<Choosable>>,
    /// The LLM holds it for no matter of this business.
    pub(crate) out_of_scope: bool,
    /// What became of asking the LLM, if it was asked.
    pub(crate) consulted: Option<Box<Consulted>>,
}

impl Default for Miss {
    fn default() -> Self {
        Self {
            failed: false,
            near: false,
            best: Confidence::NONE,
            close: None,
            out_of_scope: false,
            consulted: None,
        }
    }
}

/// From this confidence on a candidate is near its threshold.
pub(crate) fn near_from(threshold: Confidence) -> f64 {
    threshold.get() - settings::NEAR
}

impl Miss {
    /// Notes the nearest candidate of a source with its threshold.
    pub(crate) fn note(&mut self, nearest: Option<(Confidence, Confidence)>) {
        let Some((confidence, threshold)) = nearest else { return };
        self.near |= confidence.get() >= near_from(threshold);
        if confidence > self.best {
            self.best = confidence;
        }
    }
}

/// The answer of a template by rules; else of what is above them.
pub(crate) async fn answer(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &RuleFindings<'_>,
    mut miss: Miss,
    trace: &mut Trace,
) -> Result<Answer, Miss> {
    match asked.best(Source::Template, trace) {
        Verdict::Answer(answer) => return Ok(answer),
        Verdict::Below(nearest) => miss.note(nearest),
    }
    above_rules(flow, tenant, turn, asked, miss, trace).await
}

/// The answer of any source by meaning; else by the LLM's choice.
pub(crate) async fn above_rules(
    flow: &CallFlow,
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &RuleFindings<'_>,
    mut miss: Miss,
    trace: &mut Trace,
) -> Result<Answer, Miss> {
    let meant = match meaning::ladder::answer(flow, tenant, turn, asked, &mut miss, trace).await {
        Ok(answer) => return Ok(answer),
        Err(meant) => meant,
    };
    if let Some(answer) = llm::answer(flow, tenant, turn, asked, meant.as_ref(), &mut miss, trace).await {
        return Ok(answer);
    }
    miss.close = asked.two_close();
    miss.near |= miss.close.is_some();
    Err(miss)
}
