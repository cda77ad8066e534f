//! Whether the model answers at all: one token, paid by the platform.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::money::PicoUsd;
use frontdesk_llm::provider::Progress;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Running,
    attempt::{Failure, Order, hold, priced, send},
    closing::{settle, void},
};
use crate::settings;

/// What a test of the connection showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Whether the model answered.
    pub ok: bool,
    /// The model.
    pub model: Arc<str>,
    /// Where it was asked.
    pub endpoint: Arc<str>,
    /// How long the answer took, in milliseconds; null if nothing was sent.
    pub latency_millis: Option<u64>,
    /// What the test cost; the platform pays it.
    pub cost_usd: PicoUsd,
    /// What is wrong and what to do; null if it answered.
    pub detail: Option<String>,
}

/// How a probe by one token went.
pub(super) struct Tried {
    ok: bool,
    /// What is wrong, in plain words; none if the model answered.
    pub(super) complaint: Option<String>,
    took: Option<Duration>,
    cost: PicoUsd,
}

impl Tried {
    fn failed(complaint: String) -> Self {
        Self {
            ok: false,
            complaint: Some(complaint),
            took: None,
            cost: PicoUsd::ZERO,
        }
    }
}

/// Tests the connection for an operator. If the model answers, it is on again.
pub(super) async fn try_out(running: &Running) -> Trial {
    let tried = one_token(running, Instant::now() + settings::LLM_REQUEST).await;
    if tried.ok {
        running.health.restored();
    }
    Trial {
        ok: tried.ok,
        model: running.parts.style.model.as_str().into(),
        endpoint: running.parts.provider.endpoint().into(),
        latency_millis: tried
            .took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        cost_usd: tried.cost,
        detail: tried.complaint,
    }
}

/// Asks for one token, paid by the platform.
pub(super) async fn one_token(running: &Running, until: Instant) -> Tried {
    let Some(prices) = running.prices() else {
        let model = &running.parts.style.model;
        return Tried::failed(format!(
            "the model {model} has no price, and nobody would know what it costs: name one that has, or add its price by \
             FRONTDESK_LLM__PRICES"
        ));
    };
    let order = Order::for_one_token(running, prices);
    let held = match hold(running, &order, 1).await {
        Ok(held) => held,
        Err(Failure::OverBudget { limit, spend, .. }) => {
            return Tried::failed(format!(
                "the platform's own account is used up for this month ({} of {limit} USD): raise FRONTDESK_LLM__PLATFORM_BUDGET",
                spend.spent
            ));
        }
        Err(_) => return Tried::failed("the ledger does not answer: look at the store".to_owned()),
    };
    let sent = Instant::now();
    let until = until.min(held.must_end());
    let outcome = send(running, &order, until, &Progress::default()).await;
    let took = sent.elapsed();
    let complaint = outcome.complaint();
    if outcome.is_free() {
        void(running, &held).await;
        return Tried {
            took: Some(took),
            ..Tried::failed(complaint.unwrap_or_default())
        };
    }
    let (report, bill) = priced(running, &order, &held, outcome);
    let complaint = complaint.or_else(|| {
        let beyond = bill.overrun;
        (beyond > PicoUsd::ZERO).then(|| {
            format!("it answers, and bills {beyond} USD more than one token can cost: ask the provider about its usage figures")
        })
    });
    settle(running, &held, bill).await;
    Tried {
        ok: complaint.is_none(),
        complaint,
        took: Some(took),
        cost: report.cost,
    }
}
