//! The parts that every process has: caches, tier 2, tier 3.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_callflow::CallFlow;
use frontdesk_domain::{
    alert::AlertCode,
    decision::Matcher,
    health::{HealthState, Hysteresis},
};
use frontdesk_store::cache::CachedStore;
use serde_json::json;
use tokio::time::Instant;

use super::{Check, Concern, Health};

/// A count that rose stands for trouble so long.
const RECENT: Duration = Duration::from_mins(1);

/// When a count was last seen to rise.
#[derive(Debug, Default)]
struct Rising(Mutex<(u64, Option<Instant>)>);

impl Rising {
    /// Whether the count rose within [`RECENT`], given what it is now.
    fn recently(&self, count: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if count > seen.0 {
            *seen = (count, Some(Instant::now()));
        }
        seen.1.is_some_and(|at| at.elapsed() < RECENT)
    }
}

/// Whether what is in memory is renewed: while the store does not answer, old values serve.
pub struct CacheCheck {
    store: Arc<CachedStore>,
    stale: Rising,
}

impl CacheCheck {
    /// Looks at these caches.
    #[must_use]
    pub fn new(store: Arc<CachedStore>) -> Self {
        Self {
            store,
            stale: Rising::default(),
        }
    }
}

#[async_trait]
impl Check for CacheCheck {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn concern(&self) -> Concern {
        Concern::silent("see why the store does not answer: until it does, callers hear what was loaded before")
    }

    async fn health(&self) -> Health {
        let counts = self.store.counts();
        let stale = counts.iter().map(|(_, counts)| counts.stale).sum();
        let (hits, misses) = counts.iter().fold((0, 0), |(hits, misses), (_, counts)| {
            (hits + counts.hits, misses + counts.misses)
        });
        let detail = format!("{hits} hits, {misses} misses, {stale} old values served");
        if self.stale.recently(stale) {
            Health::degraded(detail)
        } else {
            Health::well(detail)
        }
    }
}

/// Why there is no encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEncoder {
    /// None was found.
    NotFound,
    /// One was found and cannot be loaded: why, with all causes.
    NotLoaded(Box<str>),
}

impl fmt::Display for NoEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => {
                f.write_str("no encoder was found; `frontdesk model install` gets one for the next start")
            }
            Self::NotLoaded(why) => write!(f, "the encoder that was found cannot be loaded: {why}"),
        }
    }
}

/// Whether tier 2 can compute what utterances mean.
pub struct EncoderCheck {
    flow: Arc<CallFlow>,
    /// Empty until it was looked for, and while there is one.
    no_encoder: Arc<OnceLock<NoEncoder>>,
    failures: Rising,
    busy: Rising,
}

impl EncoderCheck {
    /// Looks at this call path; whoever loads the encoder says why there is none.
    #[must_use]
    pub fn new(flow: Arc<CallFlow>, no_encoder: Arc<OnceLock<NoEncoder>>) -> Self {
        Self {
            flow,
            no_encoder,
            failures: Rising::default(),
            busy: Rising::default(),
        }
    }
}

#[async_trait]
impl Check for EncoderCheck {
    fn name(&self) -> &'static str {
        "encoder"
    }

    fn concern(&self) -> Concern {
        let fix = "run `frontdesk model install` again and start anew: the files may be damaged";
        Concern {
            details: json!({ "stage": "TIER_2" }),
            ..Concern::raising(AlertCode::RoutingError, HealthState::Down, fix)
        }
    }

    async fn health(&self) -> Health {
        let meanings = self.flow.meanings();
        let (failed, late) = meanings.failures();
        let no_encoder = self.no_encoder.get();
        let detail = match (meanings.matcher(), no_encoder) {
            (Matcher::Semantic, _) => format!("computes meanings; {failed} failed, {late} came too late so far"),
            (Matcher::Lexical, Some(why)) => format!("words alone decide tier 2: {why}"),
            (Matcher::Lexical, None) => "words alone decide tier 2 until the encoder is loaded".to_owned(),
        };
        // Not installed is a choice; what is installed and of no use is none.
        let is_damaged = matches!(no_encoder, Some(NoEncoder::NotLoaded(_)));
        match (self.failures.recently(failed), self.busy.recently(late) || is_damaged) {
            (true, _) => Health::down(detail),
            (false, true) => Health::degraded(detail),
            (false, false) => Health::well(detail),
        }
    }
}

/// Whether the LLM can be used.
pub struct LlmCheck(Arc<CallFlow>);

impl LlmCheck {
    /// Looks at this call path.
    #[must_use]
    pub fn new(flow: Arc<CallFlow>) -> Self {
        Self(flow)
    }
}

#[async_trait]
impl Check for LlmCheck {
    fn name(&self) -> &'static str {
        "llm"
    }

    fn concern(&self) -> Concern {
        // The breaker has a patience of its own, and tells when it opens.
        Concern {
            hysteresis: Hysteresis::NONE,
            ..Concern::told_elsewhere(
                AlertCode::LlmDown,
                "see the provider's status page, key and quota; POST /api/v1/llm/test-connection says what to fix",
            )
        }
    }

    async fn health(&self) -> Health {
        let Some(report) = self.0.llm().health() else {
            return Health::well("none is configured: tier 3 is skipped");
        };
        let cause = report.cause.as_deref().unwrap_or("no cause is known");
        match report.status {
            "ok" => Health::well("answers"),
            "suspect" => Health::degraded(format!("a probe decides whether it is asked on: {cause}")),
            "disabled" => Health::degraded("switched off: it billed more than it was held to; test the connection"),
            _ => Health::down(cause.to_owned()),
        }
    }

    fn is_proven(&self) -> bool {
        self.0.llm().signs().is_none_or(|signs| signs.has_answered)
    }
}

/// Whether the LLM answers in time.
pub struct LlmSpeedCheck(Arc<CallFlow>);

impl LlmSpeedCheck {
    /// Looks at this call path.
    #[must_use]
    pub fn new(flow: Arc<CallFlow>) -> Self {
        Self(flow)
    }
}

#[async_trait]
impl Check for LlmSpeedCheck {
    fn name(&self) -> &'static str {
        "llmSpeed"
    }

    fn concern(&self) -> Concern {
        Concern {
            hysteresis: Hysteresis::NONE,
            ..Concern::told_elsewhere(
                AlertCode::LlmSlow,
                "see the provider's status page; a smaller model or less reasoning (FRONTDESK_LLM__REASONING_EFFORT) answers sooner",
            )
        }
    }

    async fn health(&self) -> Health {
        match self.0.llm().signs() {
            None => Health::well("none is configured"),
            Some(signs) if signs.is_slow => Health::degraded("answered late within the last ten minutes"),
            Some(_) => Health::well("nothing came late in the last ten minutes"),
        }
    }

    fn is_proven(&self) -> bool {
        self.0.llm().signs().is_none_or(|signs| signs.has_answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_count_that_rose_is_trouble_for_a_minute() {
        let rising = Rising::default();
        assert!(!rising.recently(0));
        assert!(rising.recently(3) && rising.recently(3));
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(!rising.recently(3));
        assert!(rising.recently(4));
    }
}
