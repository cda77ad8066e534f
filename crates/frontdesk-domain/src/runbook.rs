//! What an operator does about each alert code: `docs/runbooks/CODE.md`, embedded.

use crate::alert::AlertCode;

/// The place in a runbook that the operator's own support contact is put into.
const SUPPORT: &str = "{supportContact}";

macro_rules! runbooks {
    ($($name:ident = $code:literal;)*) => {
        /// The runbook of a code, in Markdown.
        const fn text(code: AlertCode) -> &'static str {
            match code {
                $(AlertCode::$name => include_str!(concat!("../../../docs/runbooks/", $code, ".md")),)*
            }
        }
    };
}

runbooks! {
    CompanyNotFound = "PRODUCTION_AI_COMPANY_NOT_FOUND";
    SignatureRejected = "PRODUCTION_AI_SIGNATURE_REJECTED";
    BudgetExceeded = "PRODUCTION_AI_BUDGET_EXCEEDED";
    BudgetWarning = "PRODUCTION_AI_BUDGET_WARNING";
    LlmDown = "PRODUCTION_AI_LLM_DOWN";
    LlmSlow = "PRODUCTION_AI_LLM_SLOW";
    FallbackUsed = "PRODUCTION_AI_FALLBACK_USED";
    FallbackRateHigh = "PRODUCTION_AI_FALLBACK_RATE_HIGH";
    RoutingError = "PRODUCTION_AI_ROUTING_ERROR";
    DatabaseError = "PRODUCTION_AI_DATABASE_ERROR";
    CacheError = "PRODUCTION_AI_CACHE_ERROR";
    EmergencyCall = "PRODUCTION_AI_EMERGENCY_CALL";
    MessageTaken = "PRODUCTION_AI_MESSAGE_TAKEN";
}

/// What helps, in one line.
#[must_use]
pub fn fix(code: AlertCode) -> &'static str {
    let line = text(code).lines().find_map(|line| line.strip_prefix("> "));
    line.unwrap_or_default()
}

/// The path under which the server shows the runbook.
#[must_use]
pub fn path(code: AlertCode) -> String {
    format!("/api/v1/runbooks/{}", code.as_str())
}

/// The runbook with the operator's own support contact in it.
#[must_use]
pub fn filled_in(code: AlertCode, support_contact: Option<&str>) -> String {
    let contact = support_contact.unwrap_or("none is set; set FRONTDESK_SUPPORT__CONTACT");
    text(code).replace(SUPPORT, contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_runbook_with_all_sections() {
        for code in AlertCode::ALL {
            let name = code.as_str();
            let shown = filled_in(*code, Some("+1 555 0100, support@example.com"));
            assert!(shown.starts_with(&format!("# {name}\n")), "{name}");
            assert!((10..200).contains(&fix(*code).len()), "{name}: one line of what helps");
            for section in [
                "What it means",
                "What a caller hears",
                "Look at",
                "Fix",
                "Vendor status",
                "Support",
            ] {
                let (_, body) = shown
                    .split_once(&format!("\n## {section}\n"))
                    .unwrap_or_else(|| panic!("{name} lacks `{section}`"));
                let body = body.split("\n## ").next().unwrap().trim();
                assert!(body.len() > 20, "{name}: `{section}` says nothing");
            }
            assert!(shown.contains("support@example.com"), "{name}: whom to ask");
            assert!(!shown.contains(SUPPORT), "{name}");
            assert!(text(*code).contains(SUPPORT), "{name}");
        }
    }

    #[test]
    fn without_a_support_contact_the_runbook_says_how_to_set_one() {
        assert!(filled_in(AlertCode::LlmDown, None).contains("FRONTDESK_SUPPORT__CONTACT"));
    }
}
