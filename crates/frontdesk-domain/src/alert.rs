//! Alert codes: the closed set of things an operator is told about.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::CompanyId;

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Should be looked at.
    Warning,
    /// Costs calls or money now.
    Critical,
}

/// What one more alert of the same code and company says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// It happened again, to somebody else: each one is told, whoever has acknowledged those before.
    Event,
    /// A fault shows once more. Nothing notices when it ends, so that one that shows again after [`QUIET`] is a new one.
    Symptom,
    /// Nothing new: what lasts still lasts, or it is only counted. It is resolved by itself when it ends, if it can end.
    Condition,
}

/// A fault that did not show for so long was mended, and shows anew.
pub const QUIET: Duration = Duration::from_hours(24);

macro_rules! alert_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $kind:ident;)*) => {
        /// What an operator is told about (DESIGN section 6).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum AlertCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl AlertCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How urgent alerts of this code are.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What one more alert of this code says.
            #[must_use]
            pub const fn kind(self) -> AlertKind {
                match self { $(Self::$name => AlertKind::$kind,)* }
            }
        }
    };
}

alert_codes! {
    /// A call came in for a company that does not exist.
    CompanyNotFound = "PRODUCTION_AI_COMPANY_NOT_FOUND", Critical, Symptom;
    /// A webhook's signature did not verify.
    SignatureRejected = "PRODUCTION_AI_SIGNATURE_REJECTED", Warning, Symptom;
    /// A hold was refused because the month's budget is used up.
    BudgetExceeded = "PRODUCTION_AI_BUDGET_EXCEEDED", Critical, Condition;
    /// Four fifths of the month's budget are spent.
    BudgetWarning = "PRODUCTION_AI_BUDGET_WARNING", Warning, Condition;
    /// The LLM cannot be used.
    LlmDown = "PRODUCTION_AI_LLM_DOWN", Critical, Condition;
    /// The LLM answers late.
    LlmSlow = "PRODUCTION_AI_LLM_SLOW", Warning, Condition;
    /// A caller heard a fallback.
    FallbackUsed = "PRODUCTION_AI_FALLBACK_USED", Warning, Condition;
    /// Too many callers heard a fallback.
    FallbackRateHigh = "PRODUCTION_AI_FALLBACK_RATE_HIGH", Warning, Condition;
    /// A step of the call path failed and the next one answered.
    RoutingError = "PRODUCTION_AI_ROUTING_ERROR", Critical, Symptom;
    /// The store does not answer.
    DatabaseError = "PRODUCTION_AI_DATABASE_ERROR", Critical, Condition;
    /// The cache does not answer.
    CacheError = "PRODUCTION_AI_CACHE_ERROR", Critical, Condition;
    /// A caller is in danger.
    EmergencyCall = "PRODUCTION_AI_EMERGENCY_CALL", Critical, Event;
    /// A caller left a message or wants to be called back.
    MessageTaken = "PRODUCTION_AI_MESSAGE_TAKEN", Info, Event;
}

/// The step at which a routing error happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Loading the company.
    CompanyLoad,
    /// Rules.
    #[serde(rename = "TIER_1")]
    Tier1,
    /// Meaning.
    #[serde(rename = "TIER_2")]
    Tier2,
    /// The LLM.
    #[serde(rename = "TIER_3_LLM")]
    Tier3Llm,
    /// The fallback.
    Fallback,
}

/// Something happened that an operator should know. Holds no caller's words and no phone number.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What happened.
    pub code: AlertCode,
    /// To whom; alerts are grouped by code and company.
    pub company: Option<CompanyId>,
    /// One sentence that reads alone.
    pub message: String,
    /// More, as JSON.
    pub details: serde_json::Value,
}

/// Takes alerts. Never blocks and is never awaited: the call path raises them.
pub trait Notifier: Send + Sync {
    /// Takes one alert; what cannot be taken is counted.
    fn raise(&self, alert: Alert);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_the_contract_names_them() {
        for code in AlertCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        assert_eq!(serde_json::to_value(Stage::Tier3Llm).unwrap(), "TIER_3_LLM");
        assert_eq!(serde_json::to_value(Stage::CompanyLoad).unwrap(), "COMPANY_LOAD");
    }
}
