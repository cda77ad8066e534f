//! Who is asked when neither rules nor meaning answer: the configured provider, or a double of one for the demo.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use frontdesk_callflow::{
    llm::{Llm, LlmParts},
    shares::AtOnce,
};
use frontdesk_domain::{alert::Notifier, clock::Clock, ledger::PriceRow, time::TimeZone};
use frontdesk_llm::{client::OpenAiCompatible, endpoint::Endpoint, prices::PriceTable, question::Style};
use frontdesk_llm_double::{Double, Script};
use frontdesk_store::{cache::CachedStore, leader::Leadership, ports::LedgerStore, tasks::TaskSet};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::config::{Config, LlmConfig};

/// The model that the double goes by: whoever reads of it knows that no real one was asked.
pub const DOUBLE: &str = "frontdesk-double";

/// The reaper looks so often for holds that nobody settled.
const REAP: Duration = Duration::from_secs(1);

/// Starts asking the configured provider; in the demo without a key, a double of one.
pub(super) async fn start(
    config: &Config,
    demo: bool,
    store: &Arc<CachedStore>,
    notifier: &Arc<dyn Notifier>,
    clock: &Arc<dyn Clock>,
    tasks: &TaskSet,
) -> Result<Llm> {
    let settings = match (config.llm.is_usable(), demo) {
        (true, _) => config.llm.clone(),
        (false, true) => with_double(&config.llm, tasks).await?,
        (false, false) => {
            info!("no LLM is configured: tier 3 is skipped; set FRONTDESK_LLM__API_KEY or FRONTDESK_LLM__BASE_URL");
            return Ok(Llm::none());
        }
    };
    let prices = PriceTable::embedded().with_rows(settings.prices.clone());
    let today = TimeZone::UTC.to_datetime(clock.now()).date();
    if prices.of(&settings.model, today).is_none() {
        warn!(model = %settings.model, "the model {} has no price and is not asked: add one by FRONTDESK_LLM__PRICES", settings.model);
    }
    let style = Style {
        reasoning_effort: settings.reasoning_effort.as_deref().map(str::to_owned),
        ..Style::new(&*settings.model, &settings.endpoint)
    };
    let provider = OpenAiCompatible::new(settings.endpoint, settings.api_key)?;
    Ok(Llm::start(LlmParts {
        provider: Arc::new(provider),
        style,
        prices,
        store: Arc::clone(store),
        notifier: Arc::clone(notifier),
        clock: Arc::clone(clock),
        tasks: tasks.clone(),
        lease: settings.lease,
        calls_per_call: settings.calls_per_call,
        platform_cap: settings.platform_budget,
        questions: AtOnce::default().questions,
    }))
}

/// The settings, with a double on this machine in place of the provider. It costs what gpt-6-luna does, in no real money.
async fn with_double(settings: &LlmConfig, tasks: &TaskSet) -> Result<LlmConfig> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let double = Double::start(listen, Script::default())
        .await
        .context("cannot start the double of an LLM")?;
    let base = double.base_url();
    info!(
        "no key for an LLM is set: the demo asks a double of one at {base}, and says so; set OPENAI_API_KEY for a real one"
    );
    let mut stopping = tasks.stopping();
    tasks.spawn("double of an LLM", async move {
        stopping.wait().await;
        // Turns in flight may still ask.
        sleep(Duration::from_secs(1)).await;
        double.stop().await;
    });
    let price = PriceRow {
        id: "demo/frontdesk-double".into(),
        provider: "demo".into(),
        model: DOUBLE.into(),
        above_prompt_tokens: 0,
        effective_from: frontdesk_domain::time::Date::constant(2026, 1, 1),
        input: 100_000,
        cached: 10_000,
        cache_write: 125_000,
        output: 500_000,
    };
    Ok(LlmConfig {
        endpoint: Endpoint::parse(&base, false)?,
        model: DOUBLE.into(),
        prices: vec![price],
        ..settings.clone()
    })
}

/// Charges holds in full that nobody settled before their lease ended: their process died. One process at a time looks.
pub(super) fn reap(store: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>, leadership: Leadership, tasks: &TaskSet) {
    let mut stopping = tasks.stopping();
    tasks.spawn("charge holds that nobody settled", async move {
        let mut failed = false;
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = sleep(REAP) => {}
            }
            if !leadership.is_held() {
                continue;
            }
            match store.reap(clock.now()).await {
                Ok(reaped) => {
                    failed = false;
                    for (_, entry) in reaped {
                        warn!(entry.id = %entry.id, amount = %entry.amount, "a hold that nobody settled was charged in full");
                    }
                }
                Err(failure) if !failed => {
                    failed = true;
                    error!(error = &failure as &dyn std::error::Error, "the ledger cannot be looked through; it is tried again");
                }
                Err(_) => {}
            }
        }
    });
}
