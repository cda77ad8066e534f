//! How the parts of this process are: who looks at them, what is believed, who is told.
//!
//! A [`Check`] is asked how a part is. The [`Monitor`] asks all of them in turn, believes what is said often enough in a
//! row, raises the alert that stands for a trouble, and resolves it when the trouble is over. `/readyz` and
//! `/api/v1/health` show what it believes. No call waits for any of this.

use std::time::Duration;

use async_trait::async_trait;
use frontdesk_domain::{
    alert::AlertCode,
    health::{HealthState, Hysteresis},
};

mod checks;
mod keeper;
mod monitor;

pub use checks::{CacheCheck, EncoderCheck, LlmCheck, LlmSpeedCheck, NoEncoder};
pub(crate) use keeper::GONE;
pub use monitor::{Monitor, MonitorParts};

/// Who asks how all instances are waits so long for what the store knows of the others.
pub(crate) const OTHERS_WAIT: Duration = Duration::from_secs(1);

/// How one part of the process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it does what it should.
    pub state: HealthState,
    /// What an operator should know of it, in a few words; no caller's words and no phone number.
    pub detail: String,
}

impl Health {
    /// It does all that it should.
    #[must_use]
    pub fn well(detail: impl Into<String>) -> Self {
        Self {
            state: HealthState::Ok,
            detail: detail.into(),
        }
    }

    /// It works, less well than it should.
    #[must_use]
    pub fn degraded(detail: impl Into<String>) -> Self {
        Self {
            state: HealthState::Degraded,
            detail: detail.into(),
        }
    }

    /// It does not work.
    #[must_use]
    pub fn down(detail: impl Into<String>) -> Self {
        Self {
            state: HealthState::Down,
            detail: detail.into(),
        }
    }
}

/// What is done about the trouble of a part.
#[derive(Debug, Clone)]
pub struct Concern {
    /// The alert that stands for it: resolved when the part is well again. None: it is shown only.
    pub code: Option<AlertCode>,
    /// From this state on the monitor raises it; none where somebody else does.
    pub raised_from: Option<HealthState>,
    /// More details of the alert.
    pub details: serde_json::Value,
    /// What an operator should do.
    pub fix: &'static str,
    /// How often the part is asked.
    pub every: Duration,
    /// When a change is believed.
    pub hysteresis: Hysteresis,
}

impl Concern {
    const fn new(code: Option<AlertCode>, raised_from: Option<HealthState>, fix: &'static str) -> Self {
        Self {
            code,
            raised_from,
            details: serde_json::Value::Null,
            fix,
            every: Duration::from_secs(1),
            hysteresis: Hysteresis::USUAL,
        }
    }

    /// The monitor raises this code from that state on.
    #[must_use]
    pub const fn raising(code: AlertCode, from: HealthState, fix: &'static str) -> Self {
        Self::new(Some(code), Some(from), fix)
    }

    /// Somebody else raises this code; the monitor resolves it.
    #[must_use]
    pub const fn told_elsewhere(code: AlertCode, fix: &'static str) -> Self {
        Self::new(Some(code), None, fix)
    }

    /// No alert stands for it: it is shown only.
    #[must_use]
    pub const fn silent(fix: &'static str) -> Self {
        Self::new(None, None, fix)
    }
}

/// A part of the process that can be asked how it is.
#[async_trait]
pub trait Check: Send + Sync {
    /// Its name on `/readyz`.
    fn name(&self) -> &'static str;
    /// How it is now; answers within three seconds, else it counts as down.
    async fn health(&self) -> Health;
    /// What is done about its trouble.
    fn concern(&self) -> Concern {
        Concern::silent("")
    }
    /// Whether a good reading rests on something that was seen. After a start nothing may have been: then no trouble of
    /// an earlier process is taken for ended.
    fn is_proven(&self) -> bool {
        true
    }
}
